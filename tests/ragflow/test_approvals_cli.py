"""``ragflow approvals``: what people see at 80 columns, and what a decision does to the run."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import pytest

from ragflow import identity
from ragflow.app import App
from ragflow.approvals.gate import ConfiguredGate
from ragflow.cli import main
from ragflow.config import load
from ragflow.errors import RagflowError
from ragflow.tools.policy import policy_digest
from ragflow.workflows.contracts import About, Action, Caller, Request
from ragflow.workflows.database import Database
from ragflow.workflows.errors import RunHeld, WorkflowChanged

CONFIG = """\
version: 1
sources: {docs: {type: files, path: docs, readers: [everyone]}}
identity: {principals: {LOGIN: [user:leo, group:leads]}}
tools:
  refund: {python: "shop:refund", effect: write, description: Pays money back to a customer, redact: [iban]}
approvals:
- {when: {tool: refund, amount_over: 100}, approvers: [group:leads], expires: 72h}
"""
# Far in the future, so that it has not run out when the command line looks at its own clock.
OPENED = datetime(2126, 1, 2, 3, 4, 5, tzinfo=UTC)
RUN = "r-21260102T030400-aaaaaa"
CALLER = Caller("user:mia", ("everyone",), ("group:support",), RUN, "support")
TEXT = "# Refunds\n\nA refund above 100 euros needs a second person.\n"
QUOTE = "A refund above 100 euros needs a second person."
ANSWER = {
    "question": "May A-17 be paid back?", "standalone": None, "outcome": "partial", "reason": None,
    "confidence": 0.61, "answer": f"{QUOTE} [1]", "claims": [{"text": QUOTE, "citations": [1]}],
    "citations": [
        {
            "id": 1, "document": "docs/refunds.md", "revision": "a" * 64, "start": 11, "end": 58,
            "quote": QUOTE,
            "anchors": [{"kind": "heading", "label": "Refunds", "start": 0, "end": 58}], "link": None,
            "modified": None, "flagged": False,
        }
    ],
    "missing": ["who paid"], "related": [], "warnings": [], "route": {"rule": "refunds"},
    "rejected": [
        {"text": "It is paid at once.", "finding": "unsupported", "detail": "1 of 3 words is quoted"},
    ],
}  # fmt: skip
ARGUMENTS = {
    "order": "A-17",
    "amount": 140,
    "number": "17",
    "iban": "DE89",
    "customer": {"name": "Ann\x1b[2J", "vip": True},
    "reply": "Dear Ann,\n\nyou get your money back within the next ten days, on the account that you paid"
    " from.\n\nNorthwind",
}


@dataclass
class Went:
    """What a fake orchestration was asked to go on with, and gives."""

    status: str = "done"
    outcome: str | None = "answered"
    exit_code: int = 0
    waits: tuple[str, ...] = ()
    error: RagflowError | None = None
    runs: tuple[str, ...] = ()


class GoesOn:
    """Stands where the durable engine will: its own tests are elsewhere."""

    def __init__(self, went: Went) -> None:
        self.went = went

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def go_on(self, run: str) -> Any:
        went = self.went
        went.runs += (run,)
        if went.error is not None:
            raise went.error
        approvals = [{"approval": one, "status": "pending"} for one in went.waits]
        record = {
            "run": run,
            "status": went.status,
            "outcome": went.outcome,
            "exit_code": went.exit_code,
            "approvals": approvals,
        }
        return type("Report", (), {"record": record, "exit_code": went.exit_code})


class Place:
    """A workspace in which one request is open."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.went, self._capsys = folder, Went(), capsys
        self.config = load(folder / "ragflow.yaml")

    def open(self, **more: Any) -> tuple[str, str]:
        with Database.of_file(self.config.workspace / "runs.sqlite") as database:
            gate = ConfiguredGate(self.config, database, clock=lambda: OPENED)
            arguments = {**ARGUMENTS, **more}
            action = Action("refund", "write", arguments, "7", policy_digest(self.config), "k")
            about = About(ANSWER, "refunds", 0.61, "partial")
            need = gate.need(action, CALLER, about)
            assert need is not None
            approval = gate.open(Request("action", action, need, CALLER, about))
        _, out, _ = self.run("show", approval, "--json")
        return approval, json.loads(out)["digest"]

    def run(self, *arguments: str) -> tuple[int, str, str]:
        self._capsys.readouterr()
        code = main(["-C", str(self.folder), "approvals", *arguments], opener=self._opener)
        out, err = self._capsys.readouterr()
        return code, out, err

    @contextmanager
    def _opener(self, folder: Path, overrides: Any) -> Iterator[App]:
        with App(load(folder / "ragflow.yaml", overrides=overrides)) as app:
            app.orchestration = lambda: GoesOn(self.went)  # type: ignore[attr-defined]
            yield app

    def without_leads(self) -> None:
        path = self.folder / "ragflow.yaml"
        path.write_text(path.read_text().replace("[user:leo, group:leads]", "[user:mia, group:leads]"))


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("approvals")
    (folder / "docs").mkdir()
    (folder / "docs" / "refunds.md").write_text(TEXT)
    (folder / "ragflow.yaml").write_text(CONFIG.replace("LOGIN", identity.login()))
    assert main(["-C", str(folder), "index"]) == 0
    return folder


@pytest.fixture
def place(
    indexed: Path,
    tmp_path: Path,
    clone: Callable[[Path, Path], Path],
    capsys: pytest.CaptureFixture[str],
) -> Place:
    return Place(clone(indexed, tmp_path / "shop"), capsys)


SCREEN = """\
A-ID  pending until 2126-01-05 03:04 UTC
user:mia wants to do refund (write)
Run r-21260102T030400-aaaaaa, workflow support, asked 2126-01-02 03:04 UTC
May decide: group:leads, but not user:mia (four eyes)
Rule 1 of approvals asks: the tool is refund, amount is 140, above 100.

refund
  Pays money back to a customer
ACTION

Question: May A-17 be paid back?
Answer (partial, confidence 0.61, route refunds):
  A refund above 100 euros needs a second person. [1]
Not answered: who paid

[1] docs/refunds.md, Refunds
    "A refund above 100 euros needs a second person."

The validator rejected:
  unsupported: "It is paid at once." (1 of 3 words is quoted)

"""
ACTION = r"""
  amount    140
  customer  {"name": "Ann\u001b[2J", "vip": true}
  iban      [redacted]
  number    "17"
  order     A-17
  reply:
      Dear Ann,

      you get your money back within the next ten days, on the account that you
      paid from.

      Northwind
""".strip("\n")
COMMANDS = """\
To agree:
  ragflow approvals approve A-ID \\
    --digest DIGEST
To agree to it with other arguments:
  ragflow approvals revise A-ID --set ARGUMENT=VALUE \\
    --digest DIGEST
To refuse:
  ragflow approvals reject A-ID --comment "WHY" \\
    --digest DIGEST
"""
REVISED = r"""
- amount    140
+ amount    90
- customer  {"name": "Ann\u001b[2J", "vip": true}
+ customer  {"name": "Ann\u001b[2J", "vip": false}
  iban      [redacted]
- number    "17"
+ number    "18"
""".strip("\n")


def test_all_that_there_is_to_see_is_on_one_screen(place: Place) -> None:
    approval, digest = place.open()
    code, out, err = place.run("show", approval)
    expected = (SCREEN.replace("ACTION", ACTION) + COMMANDS).replace("A-ID", approval)
    assert (code, err) == (0, "")
    assert out == expected.replace("DIGEST", digest)
    assert "\x1b" not in out
    assert max(len(line) for line in out.splitlines()) <= 80


def test_the_one_who_wants_it_sees_it_and_no_command(place: Place) -> None:
    approval, _ = place.open()
    place.without_leads()
    _, out, _ = place.run("show", approval)
    assert out.endswith("You may not decide it: whoever wants it does not approve it (four eyes).\n")
    assert "--digest" not in out


def test_the_commands_on_the_screen_work_as_they_stand(place: Place) -> None:
    approval, digest = place.open()
    _, out, _ = place.run("show", approval)
    command = out.split("To agree:\n")[1].split("\nTo agree")[0].replace("\\\n", " ").split()
    assert command[:3] == ["ragflow", "approvals", "approve"]
    code, out, err = place.run(*command[2:])
    assert (code, err) == (0, "")
    assert out == f"{approval} is approved: refund\n{RUN} is done, answered: ragflow runs show\n{RUN}\n"
    assert place.went.runs == (RUN,)
    assert place.run("approve", approval, "--digest", digest)[0] == 8


def test_under_changed_rules_the_screen_offers_no_agreement(place: Place) -> None:
    approval, digest = place.open()
    path = place.folder / "ragflow.yaml"
    path.write_text(path.read_text().replace("amount_over: 100", "amount_over: 90"))
    _, out, _ = place.run("show", approval)
    told = f"so that nobody can agree to it: ragflow runs resume {RUN} by user:mia asks anew."
    assert told in " ".join(out.split())
    assert "approvals approve" not in out
    assert "approvals revise" not in out
    assert place.run("approve", approval, "--digest", digest)[0] == 8
    assert place.run("reject", approval, "--digest", digest)[0] == 0


def test_a_revision_shows_what_was_and_what_is(place: Place) -> None:
    approval, digest = place.open()
    changes = ["--set", "amount=90", "--set", 'number="18"', "--set", "customer.vip=false"]
    code, out, _ = place.run("revise", approval, "--digest", digest, *changes, "--comment", "half")
    assert code == 0
    assert out.startswith(f"{approval} is revised: refund\n{REVISED}\n  order     A-17\n")
    _, out, _ = place.run("show", approval)
    assert REVISED in out
    assert "Revised by user:leo at " in out
    assert "Comment: half\n" in out
    shown = json.loads(place.run("show", approval, "--json")[1])
    assert shown["digest"] != digest
    assert (shown["arguments"]["amount"], shown["before"]["amount"]) == (90, 140)


def test_a_revision_that_the_tool_would_not_take_decides_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place.folder / "shop.py").write_text(
        "def refund(order: str, amount: float, number: str, iban: str, customer: dict, reply: str,"
        ' note: str = "") -> None: ...\n'
    )
    monkeypatch.syspath_prepend(str(place.folder))
    monkeypatch.delitem(sys.modules, "shop", raising=False)
    approval, digest = place.open()
    revise = ("revise", approval, "--digest", digest, "--set")
    code, out, err = place.run(*revise, "amount=much")
    assert (code, out) == (8, "")
    assert err.startswith('error: the arguments of "refund" do not fit: amount: Input should be a valid num')
    assert place.run(*revise, "amuont=90")[0] == 2
    assert place.went.runs == ()
    code, out, _ = place.run(*revise, "note=half of it")
    assert code == 0
    assert "+ note" in out
    monkeypatch.delitem(sys.modules, "shop")


def test_a_rejection_is_a_decision_and_the_run_is_told(place: Place) -> None:
    approval, digest = place.open()
    place.went = Went(status="failed", outcome="rejected", exit_code=8)
    code, out, _ = place.run("reject", approval, "--digest", digest, "--comment", "no receipt")
    assert code == 8
    assert out.splitlines()[0] == f"{approval} is rejected: refund"
    assert "Rejected by user:leo" in place.run("show", approval)[1]


PINNED = {
    "schema": str, "approval": str, "run": str, "status": str, "tool": str, "effect": str, "arguments": dict,
    "digest": str, "policy": str, "actor": str, "approvers": list, "expires": str, "decided_by": type(None),
    "comment": type(None), "kind": str, "call": str, "four_eyes": bool, "created": str, "decided": type(None),
}  # fmt: skip


def test_the_object_is_as_it_is_pinned(place: Place) -> None:
    approval, digest = place.open()
    code, out, _ = place.run("list", "--json")
    assert code == 0
    shown = json.loads(out)
    assert {key: type(value) for key, value in shown.items()} == PINNED
    assert list(shown) == list(PINNED)
    assert shown["schema"] == "ragflow.approval/1"
    assert (shown["approval"], shown["digest"], shown["status"]) == (approval, digest, "pending")
    assert list(json.loads(place.run("show", approval, "--json")[1])) == [*PINNED, "screen"]
    _, out, _ = place.run("approve", approval, "--digest", digest, "--json")
    decided = json.loads(out)
    assert list(decided) == [*PINNED, "run_now"]
    assert (decided["status"], decided["decided_by"]) == ("approved", "user:leo")
    assert decided["run_now"] == {
        "run": RUN, "status": "done", "outcome": "answered", "exit_code": 0, "waits_for": [],
    }  # fmt: skip


def test_the_list_holds_what_waits(place: Place) -> None:
    assert place.run("list")[1] == "Nothing waits for you.\n"
    approval, digest = place.open()
    assert place.run("list")[1].splitlines() == [
        "approval                  status   you     tool    by        until",
        f"{approval}  pending  decide  refund  user:mia  2126-01-05 03:04",
    ]
    place.run("reject", approval, "--digest", digest, "--detach")
    assert place.run("list")[1] == "Nothing waits for you.\n"
    assert place.run("list", "--all")[1].splitlines()[1].split()[1:3] == ["rejected", "refund"]


def test_the_exit_code_is_that_of_the_run(place: Place) -> None:
    approval, digest = place.open()
    place.went = Went(status="waiting", outcome=None, exit_code=7, waits=("a-21260102T030405-bbbbbb",))
    code, out, _ = place.run("approve", approval, "--digest", digest)
    assert code == 7
    assert out.splitlines()[1] == f"{RUN} waits again: ragflow approvals show a-21260102T030405-bbbbbb"


def test_to_detach_is_to_decide_alone(place: Place) -> None:
    approval, digest = place.open()
    code, out, _ = place.run("approve", approval, "--digest", digest, "--detach")
    assert (code, place.went.runs) == (0, ())
    assert out.splitlines()[1] == f"{RUN} goes on with the next worker: ragflow worker"


def test_a_worker_that_is_faster_is_no_failure(place: Place) -> None:
    approval, digest = place.open()
    place.went = Went(error=RunHeld("somebody works on it"))
    assert place.run("approve", approval, "--digest", digest)[0] == 0


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_a_decision_stands_though_the_run_cannot_go_on(place: Place, flags: tuple[str, ...]) -> None:
    approval, digest = place.open()
    place.went = Went(error=WorkflowChanged("the source is another"))
    code, out, err = place.run("approve", approval, "--digest", digest, *flags)
    assert code == 8
    if flags:
        assert json.loads(out)["run_now"]["type"] == "WorkflowChanged"
    else:
        assert out.startswith(f"{approval} is approved")
        assert err.startswith("error: the source is another\n")
    assert json.loads(place.run("show", approval, "--json")[1])["status"] == "approved"


@pytest.mark.parametrize("command", ["list", "show", "approve", "reject", "revise"])
def test_as_is_refused_with_a_sentence(place: Place, command: str) -> None:
    approval, digest = place.open()
    more = {"list": [], "show": [approval], "revise": [approval, "--digest", digest, "--set", "amount=9"]}
    code, _, err = place.run(command, *more.get(command, [approval, "--digest", digest]), "--as", "user:boss")
    assert code == 2
    assert "in the name of another" in err
    assert json.loads(place.run("show", approval, "--json")[1])["status"] == "pending"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["show", "a-none"], 6, "not found: request a-none"),
        (["approve", "A"], 2, "Missing option '--digest'"),
        (["revise", "A", "--digest", "D"], 2, "Missing option '--set'"),
        (["approve", "A", "--digest", "0"], 8, "the digest is not that of"),
        (["revise", "A", "--digest", "D", "--set", "amount"], 2, "write ARGUMENT=VALUE"),
        (["revise", "A", "--digest", "D", "--set", "amount=140"], 2, "nothing would change"),
        (["revise", "A", "--digest", "D", "--set", "iban=DE90"], 2, "kept out of records"),
        (["reject", "A", "--digest", "D", "--comment", "x" * 2001], 2, "longer than 2,000"),
    ],
)
def test_bad_input_is_told_in_a_line(place: Place, arguments: list[str], code: int, words: str) -> None:
    approval, digest = place.open()
    filled = [{"A": approval, "D": digest}.get(one, one) for one in arguments]
    got, out, err = place.run(*filled)
    assert (got, out) == (code, "")
    assert words in err
    assert json.loads(place.run("show", approval, "--json")[1])["status"] == "pending"


def test_without_any_run_there_is_nothing_to_show_and_nothing_is_made(place: Place) -> None:
    before = sorted(place.config.workspace.rglob("*"))
    (place.config.workspace / "runs.sqlite").rename(place.folder / "aside")
    assert place.run("list")[1] == "Nothing waits for you.\n"
    assert place.run("show", "a-none")[0] == 6
    assert not (place.config.workspace / "runs.sqlite").exists()
    assert before


def test_a_document_that_was_forgotten_is_gone_from_the_screen(place: Place) -> None:
    approval, _ = place.open()
    assert main(["-C", str(place.folder), "sources", "forget", "docs/refunds.md"]) == 0
    _, out, _ = place.run("show", approval)
    assert "second person" not in out
    assert "[1] docs/refunds.md: erased" in out


def test_a_quote_that_may_not_be_read_now_is_withheld(place: Place) -> None:
    approval, _ = place.open()
    path = place.folder / "ragflow.yaml"
    path.write_text(path.read_text().replace("readers: [everyone]", "readers: [group:hr]"))
    assert main(["-C", str(place.folder), "index"]) == 0
    _, out, _ = place.run("show", approval)
    assert "second person" not in out
    assert "refunds.md" not in out
    assert "1 quote is withheld, and what rests on it: you may not read the document now.\n" in out
