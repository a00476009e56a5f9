"""What tests of tools share: a workspace with tools, a gate that does as it is told, a server that counts.

```python
made = Made(tmp_path, tools={"refund": {...}}, approvals=[...])
made.call("refund", {"order": "A-17"})  # one execution of a run; the next one has the steps kept so far
```
"""

import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from faults import Faults, FaultyServer, QuietHandler

from ragflow.config import Config, load
from ragflow.errors import NotFound
from ragflow.records import canonical, sha256
from ragflow.tools.calling import PolicedCalls
from ragflow.tools.effects import Effects
from ragflow.tools.toolbox import Toolbox
from ragflow.workflows.contracts import About, Action, Caller, Decision, Need, Request
from ragflow.workflows.database import Database
from ragflow.workflows.remembering import RememberedSteps

MIA = Caller(
    actor="user:mia",
    readers=("everyone",),
    roles=("user:mia", "group:support", "everyone"),
    run="r-20261122T183000-7f3a9c",
    workflow="desk",
)


def config(folder: Path, **sections: Any) -> Config:
    """A configuration of these sections beside one source, read from a file as everybody's is."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {
        "version": 1,
        "sources": {"hr": {"type": "files", "path": ".", "readers": ["everyone"]}},
        "outbound": {"allow": ["127.0.0.1"]},
        **sections,
    }
    (folder / "ragflow.yaml").write_text(json.dumps(written), encoding="utf-8")
    return load(folder / "ragflow.yaml", environ={})


class Shelf:
    """Satisfies ``contracts.Reading`` with one document."""

    def ask(self, question, caller, *, tier=None):
        return {"schema": "ragflow.ask/1", "question": question, "readers": list(caller.readers)}, None

    def search(self, question, caller, *, k=None):
        return {"schema": "ragflow.search/1", "question": question, "hits": [], "k": k}

    def route(self, question, caller):
        return {"schema": "ragflow.route/1"}

    def fetch(self, document, caller):
        if document != "hr/leave.md":
            raise NotFound(f"not found: {document}")
        return {"document": document, "revision": "0" * 64, "title": "Leave", "text": "28 days of leave."}


@dataclass
class Told:
    """Satisfies ``contracts.Gate``: ``needs`` says who must agree, ``answers`` what they say, in turn.

    An answer is a status, or (status, arguments, by). Without a further answer a request stays pending.
    """

    needs: Callable[[Action], Need | None] = lambda _: None
    answers: list[Any] = field(default_factory=list)
    requests: dict[str, Request] = field(default_factory=dict)
    decisions: dict[str, Decision] = field(default_factory=dict)
    done: list[tuple[str, bool]] = field(default_factory=list)

    def need(self, action, caller, about):
        return self.needs(action)

    def open(self, request):
        action = request.action
        bound = [request.caller.run, action.call, request.kind, action.to_json()]
        approval = f"a-{sha256(bound)[:12]}"
        self.requests.setdefault(approval, request)
        return approval

    def decision(self, approval):
        if approval not in self.decisions and self.answers:
            told = self.answers.pop(0)
            status, arguments, by = (told, None, "user:leo") if isinstance(told, str) else told
            own = dict(self.requests[approval].action.arguments)
            self.decisions[approval] = Decision(approval, status, arguments or own, by=by)
        return self.decisions.get(approval)

    def expires(self, approval):
        return datetime.now(UTC) + timedelta(hours=1)

    def executed(self, approval, *, settled):
        if (approval, settled) not in self.done:
            self.done.append((approval, settled))


LEADS = Need(("group:leads", "user:leo"), four_eyes=True, seconds=3600)


class Made:
    """A workspace with tools: each ``call`` is an execution of one run, with the steps kept so far."""

    def __init__(
        self, folder: Path, *, gate: Told | None = None, caller: Caller = MIA, **sections: Any
    ) -> None:
        self.folder, self.caller = folder, caller
        self.gate = gate or Told()
        self.kept: list[dict[str, Any]] = []
        self.waited: list[float] = []
        folder.mkdir(exist_ok=True)
        self.database = Database.of_file(folder / "runs.sqlite")
        self.use(**sections)

    def use(self, **sections: Any) -> None:
        """Go on under another configuration, as another process would."""
        self.config = config(self.folder, **sections)
        self.toolbox = Toolbox(self.config, reading=Shelf(), database=self.database, sleep=self.waited.append)
        self.effects = Effects(self.database)
        self.calls = PolicedCalls(self.toolbox, self.gate, self.effects, sleep=self.waited.append)

    def call(self, tool: str, arguments: dict[str, Any], *, caller: Caller | None = None) -> Any:
        steps = RememberedSteps(self.kept)
        return self.calls.call(tool, arguments, steps=steps, caller=caller or self.caller, about=About())

    def new_run(self, number: int) -> None:
        """Begin another run: nothing is kept of the last one."""
        self.kept = []
        self.caller = replace(self.caller, run=f"r-{number}")

    def everything(self) -> str:
        """All that was kept or recorded anywhere, as one text."""
        said = [
            canonical(
                [one["value"], str(one["error"]), repr(getattr(one["error"], "hint", "")), one["step"].input]
            )
            for one in self.kept
        ]
        asked = [canonical(one.action.to_json()) + one.note for one in self.gate.requests.values()]
        return "\n".join([*said, *asked, (self.folder / "runs.sqlite").read_bytes().decode("latin-1")])


class Desk(QuietHandler):
    """``POST /refund``: done once for each Idempotency-Key; ``GET /refund?key=``: whether it was done.

    Other paths misbehave: /hang /garbage /surrogate /deep /half /big /moved /moved308 /fail /reject /echo
    /slack /late.
    """

    def answer(self) -> None:
        server, path = self.server, urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        server.seen.append((self.command, self.path, dict(self.headers), body))
        if self.command == "GET" and path.path == "/refund":
            key = parse_qs(path.query).get("key", [""])[0]
            return self.reply(200, server.done[key]) if key in server.done else self.reply(404, {})
        return getattr(self, f"at_{path.path.strip('/').replace('/', '_')}", self.at_nothing)(body)

    def at_nothing(self, body: bytes) -> None:
        self.reply(404, {"error": "no such thing"})

    def at_refund(self, body: bytes) -> None:
        server, key = self.server, self.headers.get("Idempotency-Key", "")
        with server.lock:
            server.effects[key or str(len(server.seen))] += 0 if key in server.done else 1
            server.done.setdefault(key, {"refund": f"R-{len(server.done) + 1}", **json.loads(body or b"{}")})
            done = server.done[key]
        if server.deaf > 0:
            server.deaf -= 1
            self.close_connection = True
            return  # done, and hung up without a word
        self.reply(200, done)

    def at_hang(self, body: bytes) -> None:
        self.server.effects["hang"] += 1
        self.server.over.wait(30)

    def at_garbage(self, body: bytes) -> None:
        self.raw(200, b"<html>not json</html>")

    def at_surrogate(self, body: bytes) -> None:
        self.raw(200, b'{"said": "\\ud800"}')

    def at_deep(self, body: bytes) -> None:
        self.raw(200, b"[" * 800 + b"]" * 800)

    def at_half(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b'{"refund": "R-')
        self.wfile.flush()
        self.close_connection = True

    def at_big(self, body: bytes) -> None:
        self.raw(200, b'"' + b"x" * 1_100_000 + b'"')

    def at_moved(self, body: bytes) -> None:
        self.raw(302, b"", {"Location": "/refund"})

    def at_moved308(self, body: bytes) -> None:
        self.raw(308, b"", {"Location": "/refund"})

    def at_fail(self, body: bytes) -> None:
        self.reply(503, {})

    def at_reject(self, body: bytes) -> None:
        self.reply(422, {"error": "no"})

    def at_busy(self, body: bytes) -> None:
        self.raw(429, b"{}", {"Retry-After": "7"})

    def at_echo(self, body: bytes) -> None:
        said = {name.lower(): value for name, value in self.headers.items()}
        self.reply(200, {"method": self.command, "path": self.path, "headers": said, "body": body.decode()})

    def at_slack(self, body: bytes) -> None:
        self.reply(200, {"ok": False})

    def reply(self, status: int, value: object) -> None:
        self.raw(status, json.dumps(value).encode())

    def raw(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class DeskServer(FaultyServer):
    """Counts what happened: ``effects`` by idempotency key. The next ``deaf`` answers are never given."""

    def __init__(self) -> None:
        super().__init__(Desk, faults=Faults(0, seed=1))
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.done: dict[str, Any] = {}
        self.effects: Counter[str] = Counter()
        self.deaf = 0
        self.lock, self.over = threading.Lock(), threading.Event()

    def __exit__(self, *whatever: object) -> None:
        self.over.set()
        super().__exit__(*whatever)
