"""A Qdrant server on loopback that keeps what it is given in memory, and fails where a test says so.

```python
with QdrantServer([status(503, at=UPSERT)], key="a-key") as server:
    client = QdrantClient(url=server.url, api_key=server.key, prefer_grpc=False, check_compatibility=False)
    ...
    assert server.paths("PUT") == ["/collections/one", "/collections/one/points"]
    server.ask("GET", "/collections/one")  # as a stranger would, past script and record
```
It answers what the library's local mode answers (see qdrant_api.py), one request at a time. It shows
nothing about speed, recall, shards, or a disk.
"""

import json
import select
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from faults import Connected, QuietHandler
from qdrant_api import QdrantApi, Refusal
from qdrant_faults import Asked, Fault

OPEN_TO_ALL = {"/", "/readyz", "/healthz", "/livez"}
LARGEST = 32 * 1024 * 1024
"""bytes of one body, the server's own default"""
_READS = ("/query", "/query/batch", "/count", "/scroll", "/points")


class QdrantServer:
    """The server. ``script``: faults, each spent once; more may be added at any time by ``add``.

    ``key``: what a request must show as ``api-key`` or as a bearer token; ``read_key`` reads and no more.
    ``largest``: bytes of a body. ``asked``: all requests, those that went wrong too; ``struck``: the faults
    that were spent.
    """

    def __init__(
        self,
        script: Sequence[Fault] = (),
        *,
        key: str | None = None,
        read_key: str | None = None,
        version: str = "1.19.0",
        largest: int = LARGEST,
    ) -> None:
        self.key, self.read_key, self.largest = key, read_key, largest
        self.api = QdrantApi(version)
        self.asked: list[Asked] = []
        self.struck: list[Fault] = []
        self._script = [[fault, fault.skip] for fault in script]
        self._told = threading.Condition()
        self._one_at_a_time = threading.Lock()
        self._listener = _Listener(self, 0)
        self.port = int(self._listener.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._listener.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.end()
        self._listener.cut()
        with self._one_at_a_time:
            self.api.close()

    def add(self, *faults: Fault) -> None:
        """Let these go wrong too, from now on."""
        with self._told:
            self._script += [[fault, fault.skip] for fault in faults]

    def wait_struck(self, count: int = 1) -> None:
        """Wait until so many faults were spent."""
        with self._told:
            assert self._told.wait_for(lambda: len(self.struck) >= count, timeout=120)

    def die(self) -> None:
        """Close all connections and refuse new ones; the port is kept."""
        dying = self._listener
        dying.end()
        self._listener = _Listener(self, self.port)
        dying.cut()  # last: who hears of it finds the port closed

    def revive(self) -> None:
        """Answer again, with what was held; one that lives goes on."""
        if not self._listener.begun:
            self._listener.begin()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Do as a request would, with no key, past the script, and not recorded; return its result.

        Raises:
            Refusal: the answer is an error.
        """
        with self._one_at_a_time:
            return self.api.answer(Asked(method, path, {"wait": "true"}, body))

    def collections(self) -> list[str]:
        """The names of the collections, sorted."""
        return sorted(one["name"] for one in self.ask("GET", "/collections")["collections"])

    def aliases(self) -> dict[str, str]:
        """The collection that each alias means."""
        return {one["alias_name"]: one["collection_name"] for one in self.ask("GET", "/aliases")["aliases"]}

    def points(self, name: str) -> dict[str, dict[str, Any]]:
        """All points of a collection by id: payload and vectors."""
        body = {"limit": 1_000_000, "with_vector": True}
        found = self.ask("POST", f"/collections/{name}/points/scroll", body)["points"]
        return {str(one["id"]): {"payload": one["payload"], "vector": one["vector"]} for one in found}

    def paths(self, method: str) -> list[str]:
        """The paths that were asked for by this method, in order."""
        return [one.path for one in self.asked if one.method == method]

    def _fault(self, asked: Asked) -> Fault | None:
        with self._told:
            self.asked.append(asked)
            for place, waiting in enumerate(self._script):
                if not asked.matches(waiting[0].at):
                    continue
                if waiting[1] > 0:
                    waiting[1] -= 1
                    continue
                del self._script[place]
                return waiting[0]
            return None

    def _strike(self, fault: Fault) -> None:
        with self._told:
            self.struck.append(fault)
            self._told.notify_all()

    def _apply(self, asked: Asked, fault: Fault | None) -> tuple[int, Any]:
        """Let the request take effect, as far as the fault allows; return status and result or words."""
        with self._one_at_a_time:
            try:
                if fault and fault.before:
                    self.api.answer(fault.before)
                if fault and fault.applied < 1:
                    part = _part(asked, fault.applied)
                    return 200, None if part is None else self.api.answer(part)
                return 200, self.api.answer(asked)
            except Refusal as refusal:
                return refusal.status, str(refusal)


class _Listener(Connected):
    """One life of the server. Bound and not listening, it refuses connections and keeps its port."""

    allow_reuse_address = True

    def __init__(self, server: QdrantServer, port: int) -> None:
        super().__init__(port, _Handler, listening=False)
        self.qdrant = server
        self.over = threading.Event()
        self._thread: threading.Thread | None = None
        self.server_bind()

    @property
    def begun(self) -> bool:
        return self._thread is not None

    def begin(self) -> None:
        self.server_activate()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Take no more connections; those that are open stay."""
        if self._thread is not None:
            self.shutdown()
            self._thread.join()
        self.server_close()

    def cut(self) -> None:
        """Close what is open, and wake what waits to answer."""
        self.over.set()
        super().cut()


class _Handler(QuietHandler):
    server: _Listener

    def do_PUT(self) -> None:  # noqa: N802 - the name is its parent's
        self.answer()

    do_PATCH = do_DELETE = do_PUT  # noqa: N815 - the names are its parent's

    def answer(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        target = urlsplit(self.path)
        try:
            body = json.loads(raw) if raw else None
        except ValueError as error:
            self._send(400, f"Format error in JSON body: {error}")
            return
        asked = Asked(self.command, target.path, dict(parse_qsl(target.query)), body)
        fault = self.server.qdrant._fault(asked)
        refused = self._refused(asked, len(raw))
        if refused:
            self._send(*refused, plain=refused[0] == 401)
            return
        status, told = self.server.qdrant._apply(asked, fault)
        if fault is None:
            self._send(status, told)
            return
        self.server.qdrant._strike(fault)
        self._fail(fault, status, told)

    def _fail(self, fault: Fault, status: int, told: Any) -> None:
        if fault.seconds and self.server.over.wait(fault.seconds):
            return
        if fault.then == "answer":
            self._send(status, told if fault.result is None else fault.result)
        elif fault.then == "error":
            self._send(fault.status, fault.message, retry_after=fault.retry_after)
        else:
            if fault.then == "die":
                self.server.qdrant.die()
            elif fault.then == "hang":
                self._wait_for_end()
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

    def _wait_for_end(self) -> None:
        """Wait until the client closes its end, or the server its own."""
        while not self.server.over.is_set():
            ready, _, _ = select.select([self.connection], [], [], 0.02)
            if ready:
                return

    def _refused(self, asked: Asked, size: int) -> tuple[int, str] | None:
        qdrant = self.server.qdrant
        if qdrant.key is not None and asked.path not in OPEN_TO_ALL:
            bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
            shown = self.headers.get("api-key") or bearer
            if not shown:
                return 401, "Must provide an API key or an Authorization bearer token"
            if shown not in (qdrant.key, qdrant.read_key):
                return 401, "Invalid API key or JWT"
            reads = asked.method == "GET" or (asked.method == "POST" and asked.path.endswith(_READS))
            if shown != qdrant.key and not reads:
                return 403, "Forbidden: Global manage access is required"
        if size > qdrant.largest:
            told = f"JSON payload ({size} bytes) is larger than allowed (limit: {qdrant.largest} bytes)."
            return 400, f"Payload error: {told}"
        return None

    def _send(self, status: int, told: Any, *, retry_after: str | None = None, plain: bool = False) -> None:
        whole = self.path.split("?")[0] in OPEN_TO_ALL
        if plain or (isinstance(told, str) and whole and status == 200):
            body, kind = str(told).encode(), "text/plain"
        else:
            said = {"status": {"error": told}} if status >= 400 else {"result": told, "status": "ok"}
            body, kind = json.dumps(told if whole else {**said, "time": 0.0}).encode(), "application/json"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if retry_after is not None:
            self.send_header("Retry-After", retry_after)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


def _part(asked: Asked, share: float) -> Asked | None:
    """Return a request for the first ``share`` of its points; None: for nothing."""
    points = asked.body.get("points") if isinstance(asked.body, dict) else None
    if share <= 0 or not isinstance(points, list) or len(points) < 2:
        return None
    kept = points[: int(len(points) * share)]
    return Asked(asked.method, asked.path, asked.query, {**asked.body, "points": kept})
