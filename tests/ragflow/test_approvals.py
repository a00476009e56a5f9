"""Requests to people: opened once, bound to one exact action, decided once, by whoever may."""

import multiprocessing
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import deciders
import pytest

from ragflow.approvals import erasing, objects
from ragflow.approvals.binding import bound
from ragflow.approvals.desk import Desk
from ragflow.approvals.gate import RULES_CHANGED, ConfiguredGate
from ragflow.approvals.opening import opened
from ragflow.approvals.rows import found, of_run
from ragflow.config import Config, load
from ragflow.errors import NotAllowed, NotFound, UsageError
from ragflow.identity import Asker
from ragflow.tools.policy import policy_digest
from ragflow.workflows.contracts import About, Action, Caller, Need, Request
from ragflow.workflows.database import Database
from ragflow.workflows.errors import MayNotDecide, NotApproved, RequestChanged, ToolRefused
from ragflow.workflows.flow import decided
from ragflow.workflows.remembering import RememberedSteps

CONFIG = """\
version: 1
sources: {docs: {type: files, path: docs, readers: [everyone]}}
tools:
  refund: {python: "shop:refund", effect: write, redact: [iban]}
  alert:
    {use: webhook, effect: write, settings: {url: "https://chat.example.com/in", secret_env: CHAT_SECRET}}
  post:
    {use: mail, effect: write, settings: {host: mail.example.com, sender: d@example.com, to_allowed: ["*"]}}
approvals:
- {when: {tool: refund, amount_over: 100}, approvers: [group:leads], expires: 72h}
- {when: {tool: refund}, skip: true}
"""
NOW = datetime(2026, 11, 29, 12, 0, 30, tzinfo=UTC)
LEO = Asker("user:leo", ("everyone", "group:leads", "user:leo"))
MIA = Asker("user:mia", ("everyone", "group:support", "user:mia"))
EVE = Asker("user:eve", ("everyone", "group:support", "user:eve"))
CALLER = Caller("user:mia", ("everyone",), ("group:support",), "r-20261129T120000-aaaaaa", "support")
ANSWER = {
    "run": None, "question": "Who pays 140?", "standalone": None, "outcome": "answered", "reason": None,
    "confidence": 0.83, "answer": "Two must agree above 100. [1] Pay in ten days. [2]",
    "claims": [
        {"text": "Two must agree above 100.", "citations": [1]},
        {"text": "Pay in ten days.", "citations": [2]},
    ],
    "citations": [
        {
            "id": 1, "document": "docs/limits.md", "revision": "a" * 64, "start": 0, "end": 25,
            "quote": "Two must agree above 100.", "anchors": [], "link": None, "modified": None,
            "flagged": False,
        },
        {
            "id": 2, "document": "docs/secret.md", "revision": "b" * 64, "start": 0, "end": 16,
            "quote": "Pay in ten days.", "anchors": [], "link": None, "modified": None, "flagged": False,
        },
    ],
    "missing": [], "related": ["docs/secret.md", "docs/other.md"], "warnings": ["They differ in days."],
    "route": {"rule": "refunds"}, "generation": "g-x", "model": None,
    "rejected": [{"text": "Pay at once.", "finding": "unsupported", "detail": "no quote"}],
}  # fmt: skip
ABOUT = About(ANSWER, "refunds", 0.83, "answered")


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def go(self, **length: float) -> None:
        self.now += timedelta(**length)


def written(folder: Path, text: str = CONFIG) -> Config:
    path = folder / "ragflow.yaml"
    path.write_text(text)
    (folder / ".ragflow").mkdir(exist_ok=True)
    return load(path)


class Office:
    """A workspace's gate and desk at one clock."""

    def __init__(self, config: Config, database: Database) -> None:
        self.config, self.database, self.clock = config, database, Clock()
        self.gate = ConfiguredGate(config, database, clock=self.clock)
        self.desk = self.desk_of(config)

    def desk_of(self, config: Config, **more: Any) -> Desk:
        return Desk(config, self.database, clock=self.clock, hidden=more.get("hidden", nothing_hidden))

    def request(self, *, kind: Any = "action", call: str = "7", **arguments: Any) -> Request:
        given = {"amount": 140, "order": "A-17", **arguments}
        action = Action("refund", "write", given, call, policy_digest(self.config), "k")
        need = self.gate.need(action, CALLER, ABOUT) or Need(("group:leads",), four_eyes=True, seconds=3600)
        return Request(kind, action, need, CALLER, ABOUT)

    def open(self, **arguments: Any) -> tuple[str, str]:
        """Open a request; its id and digest."""
        approval = self.gate.open(self.request(**arguments))
        return approval, self.desk.show(approval, LEO).digest


def nothing_hidden(named: Any, readers: frozenset[str]) -> frozenset[str]:
    return frozenset()


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    config = written(tmp_path)
    with Database.of_file(config.workspace / "runs.sqlite") as database:
        yield Office(config, database)


# -- opening -------------------------------------------------------------------------------------------


def test_opening_twice_is_opening_once_at_any_later_time(office: Office) -> None:
    first, digest = office.open()
    office.clock.go(hours=5)
    assert office.open() == (first, digest)
    office.desk.approve(first, digest, asker=LEO)
    assert office.gate.open(office.request()) == first
    assert re.fullmatch(r"a-20261129T120030-[0-9a-f]{6}", first)
    assert office.gate.expires(first) == NOW + timedelta(hours=72)


def test_another_call_kind_argument_or_policy_is_another_request(office: Office) -> None:
    other = replace(office.request(), action=replace(office.request().action, policy="0" * 64))
    opened_ones = {
        office.gate.open(one)
        for one in (
            office.request(),
            office.request(call="8"),
            office.request(kind="unsettled"),
            office.request(order="A-18"),
            other,
        )
    }
    assert len(opened_ones) == 5


def test_a_request_without_approvers_is_refused_and_not_kept(office: Office) -> None:
    with pytest.raises(ToolRefused) as refused:
        office.gate.open(replace(office.request(), need=Need((), four_eyes=True, seconds=60.0)))
    assert refused.value.kind == "no_approver"
    with office.database.begin() as connection:
        assert of_run(connection, CALLER.run) == []


def test_the_digest_binds_run_tool_effect_arguments_policy_actor_and_expiry(office: Office) -> None:
    approval, digest = office.open()
    asked = office.desk.show(approval, LEO)
    others = [
        replace(asked, run="r-x"),
        replace(asked, tool="note"),
        replace(asked, effect="read"),
        replace(asked, policy="p"),
        replace(asked, actor="user:eve"),
        replace(asked, expires="2027-01-01T00:00:00Z"),
    ]
    digests = {bound(one, one.arguments) for one in (asked, *others)}
    digests.add(bound(asked, {**asked.arguments, "amount": 141}))
    assert digest in digests
    assert len(digests) == 8


# -- who may decide --------------------------------------------------------------------------------------


def test_only_an_approver_decides_and_a_group_counts_as_it_is_now(office: Office) -> None:
    approval, digest = office.open()
    for decide in (office.desk.approve, office.desk.reject):
        with pytest.raises(NotFound):
            decide(approval, digest, asker=EVE)
        with pytest.raises(MayNotDecide, match="group:leads"):
            decide(approval, digest, asker=replace(EVE, auditor=True))
    promoted = replace(EVE, readers=(*EVE.readers, "group:leads"))
    assert office.desk.approve(approval, digest, asker=promoted).decided_by == "user:eve"


def test_four_eyes_are_those_of_two_people(office: Office) -> None:
    approval, digest = office.open()
    herself = replace(MIA, readers=(*MIA.readers, "group:leads"))
    with pytest.raises(MayNotDecide, match="four eyes"):
        office.desk.approve(approval, digest, asker=herself)
    # Another login that is her too is not a second person.
    also = Asker("user:boss", ("everyone", "group:leads", "user:boss", "user:mia"))
    with pytest.raises(MayNotDecide, match="four eyes"):
        office.desk.approve(approval, digest, asker=also)
    two = replace(office.request(call="9"), need=Need(("group:leads",), four_eyes=False, seconds=60.0))
    asked = office.desk.show(office.gate.open(two), LEO)
    assert office.desk.approve(asked.approval, asked.digest, asker=herself).status == "approved"


def test_nobody_decides_in_the_name_of_another(office: Office) -> None:
    approval, digest = office.open()
    with pytest.raises(NotAllowed):
        office.desk.approve(approval, digest, asker=replace(LEO, acting=True))


def test_a_request_is_seen_by_whom_it_concerns(office: Office) -> None:
    approval, _ = office.open()
    for asker in (LEO, MIA, replace(EVE, auditor=True)):
        assert [one.approval for one in office.desk.list(asker)] == [approval]
    assert office.desk.list(EVE) == []
    with pytest.raises(NotFound):
        office.desk.show(approval, EVE)


# -- what holds and what does not ------------------------------------------------------------------------


def test_another_digest_decides_nothing(office: Office) -> None:
    approval, digest = office.open()
    _, other = office.open(order="A-18")
    for wrong in ("", digest[:12], digest.upper(), other):
        with pytest.raises(RequestChanged):
            office.desk.approve(approval, wrong, asker=LEO)
    assert office.gate.decision(approval) is None


def test_a_request_runs_out_to_the_second_and_is_marked_once(office: Office) -> None:
    approval, digest = office.open()
    office.clock.go(hours=72, seconds=-1)
    assert office.gate.decision(approval) is None
    office.clock.go(seconds=1)
    assert office.desk.list(LEO) == []
    assert office.desk.list(LEO, everything=True)[0].status_at(office.clock()) == "expired"
    with pytest.raises(RequestChanged, match="ran out"):
        office.desk.approve(approval, digest, asker=LEO)
    found_then = office.gate.decision(approval)
    assert found_then is not None
    assert (found_then.status, found_then.by) == ("expired", None)
    marked = office.desk.show(approval, LEO).decided
    office.clock.go(days=9)
    assert office.gate.decision(approval) == found_then
    assert office.desk.show(approval, LEO).decided == marked
    with pytest.raises(RequestChanged):
        office.desk.reject(approval, digest, asker=LEO)


def test_under_changed_rules_nobody_approves_and_the_request_runs_out(office: Office, tmp_path: Path) -> None:
    approval, digest = office.open()
    changed = written(tmp_path, CONFIG.replace("amount_over: 100", "amount_over: 50"))
    desk = office.desk_of(changed)
    for decide in (
        lambda: desk.approve(approval, digest, asker=LEO),
        lambda: desk.revise(approval, digest, ["amount=1"], asker=LEO),
    ):
        with pytest.raises(RequestChanged, match="rules have changed"):
            decide()
    assert office.gate.decision(approval) is None  # under its own rules it still waits
    gate = ConfiguredGate(changed, office.database, clock=office.clock)
    decision = gate.decision(approval)
    assert decision is not None
    assert (decision.status, decision.comment) == ("outdated", RULES_CHANGED)


def test_a_request_can_be_rejected_under_changed_rules(office: Office, tmp_path: Path) -> None:
    approval, digest = office.open()
    changed = written(tmp_path, CONFIG.replace("amount_over: 100", "amount_over: 50"))
    assert office.desk_of(changed).reject(approval, digest, asker=LEO).status == "rejected"


def test_a_gate_of_the_workflow_rests_on_no_rule(office: Office, tmp_path: Path) -> None:
    approval, digest = office.open(kind="gate")
    changed = written(tmp_path, CONFIG.replace("amount_over: 100", "amount_over: 50"))
    assert office.desk_of(changed).approve(approval, digest, asker=LEO).status == "approved"


# -- revising --------------------------------------------------------------------------------------------


def test_a_revision_is_a_decision_with_its_own_digest(office: Office) -> None:
    approval, digest = office.open(customer={"name": "Ann"}, lines=[{"price": 3}])
    changes = ["amount=90", "customer.name=Bob", 'order="17"', "lines.0.price=4.5"]
    asked = office.desk.revise(approval, digest, changes, asker=LEO, comment=" half ")
    revised = {"amount": 90, "order": "17", "customer": {"name": "Bob"}, "lines": [{"price": 4.5}]}
    assert asked.holding == revised
    assert asked.digest == bound(asked, revised) != digest
    decision = office.gate.decision(approval)
    assert decision is not None
    assert (decision.status, decision.arguments, decision.by, decision.comment) == (
        "revised", revised, "user:leo", "half",
    )  # fmt: skip
    shown = objects.approval(asked, NOW)
    assert (shown["arguments"]["amount"], shown["before"]["amount"]) == (90, 140)
    with pytest.raises(RequestChanged):
        office.desk.approve(approval, asked.digest, asker=LEO)


@pytest.mark.parametrize(
    "changes",
    [
        ["amount=140"],
        ["amount=140.0"],
        ["amout=9"],
        ["amount"],
        ["=9"],
        ["a.b=9"],
        ["amount.x=9"],
        ["amount=1e999"],
        ["iban=DE89"],
        ["order=token=abcdef123456"],
    ],
)
def test_a_revision_that_cannot_be_meant_decides_nothing(office: Office, changes: list[str]) -> None:
    approval, digest = office.open(iban="[redacted]")
    with pytest.raises(UsageError):
        office.desk.revise(approval, digest, changes, asker=LEO)
    assert office.gate.decision(approval) is None


def test_revised_arguments_are_those_that_the_tool_takes(office: Office) -> None:
    approval, digest = office.open()

    def fits(tool: str) -> Any:
        def reads(before: Any, arguments: Any) -> Any:
            assert before == {"amount": 140, "order": "A-17"}
            if arguments["amount"] > 200:
                raise UsageError(f"{tool} takes at most 200")
            return {**arguments, "amount": float(arguments["amount"])}

        return reads

    desk = Desk(office.config, office.database, clock=office.clock, fits=fits)
    with pytest.raises(UsageError, match="at most 200"):
        desk.revise(approval, digest, ["amount=900"], asker=LEO)
    assert desk.revise(approval, digest, ["amount=90", "note=new"], asker=LEO).holding == {
        "amount": 90.0, "order": "A-17", "note": "new",
    }  # fmt: skip


def test_what_may_have_happened_is_done_again_or_left_and_not_revised(office: Office) -> None:
    approval, digest = office.open(kind="unsettled")
    with pytest.raises(UsageError):
        office.desk.revise(approval, digest, ["amount=1"], asker=LEO)
    assert office.desk.approve(approval, digest, asker=LEO).status == "approved"


# -- afterwards ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settled", [True, False])
def test_a_decision_stays_what_it_was_when_the_action_is_done(office: Office, *, settled: bool) -> None:
    approval, digest = office.open()
    office.desk.revise(approval, digest, ["amount=90"], asker=LEO)
    before = office.gate.decision(approval)
    office.gate.executed(approval, settled=settled)
    assert office.gate.decision(approval) == before
    assert office.desk.show(approval, LEO).status == ("executed" if settled else "unsettled")


def test_what_was_rejected_or_waits_is_never_marked_as_done(office: Office) -> None:
    waiting, _ = office.open()
    rejected, digest = office.open(call="8")
    office.desk.reject(rejected, digest, asker=LEO)
    for approval, status in ((waiting, "pending"), (rejected, "rejected")):
        office.gate.executed(approval, settled=True)
        assert office.desk.show(approval, LEO).status == status


def test_a_run_is_told_of_a_rejection_with_its_comment(office: Office) -> None:
    steps = RememberedSteps()
    approval, digest = office.open()
    office.desk.reject(approval, digest, asker=LEO, comment="too much, token=abcdef123456")
    with pytest.raises(
        NotApproved, match=re.escape("rejected by user:leo: too much, token=[secret]")
    ) as raised:
        decided(steps, office.gate, office.request())
    assert raised.value.status == "rejected"


# -- what is shown ---------------------------------------------------------------------------------------


def test_what_is_private_is_not_shown_and_still_bound(office: Office) -> None:
    approval, digest = office.open(iban="DE89", note="password=hunter22")
    _, other = office.open(iban="DE90", note="password=hunter22")
    shown = objects.approval(office.desk.show(approval, LEO), NOW, screen=True)
    assert shown["arguments"]["iban"] == "[redacted]"
    assert "hunter22" not in str(shown)
    assert "DE89" not in str(shown)
    assert digest != other


def test_a_quote_is_shown_to_whoever_may_read_it_now(office: Office) -> None:
    approval, _ = office.open()

    def hidden(named: Any, readers: frozenset[str]) -> frozenset[str]:
        return frozenset(named) & {"docs/secret.md"} if "user:mia" not in readers else frozenset()

    desk = office.desk_of(office.config, hidden=hidden)
    for asked in (desk.show(approval, LEO), *desk.list(LEO)):
        answer = asked.screen["answer"]
        assert "docs/limits.md" in str(answer)
        for secret in ("secret.md", "ten days", "differ", "at once"):
            assert secret not in str(answer)
        assert answer["answer"] == "Two must agree above 100. [1]"
        assert answer["withheld"] == 1
    assert desk.show(approval, MIA).screen["answer"]["citations"] == ANSWER["citations"]


def test_who_cannot_tell_what_may_be_read_shows_no_quote(office: Office) -> None:
    approval, _ = office.open()
    answer = Desk(office.config, office.database, clock=office.clock).show(approval, LEO).screen["answer"]
    assert (answer["citations"], answer["claims"], answer["related"], answer["answer"]) == ([], [], [], "")
    assert answer["withheld"] == 2


# -- telling ---------------------------------------------------------------------------------------------


def test_those_who_may_decide_are_told_once_and_a_failure_fails_nothing(tmp_path: Path) -> None:
    config = written(
        tmp_path, CONFIG + "notify: [{tool: post, arguments: {to: [leads@x.example]}}, {tool: alert}]\n"
    )
    said: list[dict[str, Any]] = []

    def tell(tool: str, arguments: Any) -> None:
        said.append(arguments)
        if "to" not in arguments and len(said) < 3:
            raise ConnectionError("no route, token=abcdef123456")

    with Database.of_file(config.workspace / "runs.sqlite") as database:
        office = Office(config, database)
        office.gate = ConfiguredGate(config, database, tell=tell, clock=office.clock)
        approval, _ = office.open()
        told = office.desk.show(approval, LEO).screen["told"]
        assert [(one["entry"], one["error"] is None) for one in told] == [(0, True), (1, False)]
        assert "abcdef" not in str(told)
        for _ in range(3):
            assert office.open()[0] == approval
        assert [one.get("to") for one in said] == [["leads@x.example"], None, None]
        assert set(said[0]) == {"to", "subject", "text"}
        assert said[1] == said[2]
        assert said[2]["type"] == "approval.wanted"
        assert said[2]["data"]["approval"] == approval
        assert all(one["error"] is None for one in office.desk.show(approval, LEO).screen["told"])
    text = said[0]["text"]
    for word in (approval, "refund", "user:mia", "2026-12-02T12:00:30Z", "group:leads", "amount: 140"):
        assert word in said[0]["subject"] + text
    assert "Two must agree" not in text


# -- erasing ---------------------------------------------------------------------------------------------


def test_a_forgotten_document_leaves_no_word_in_requests(office: Office) -> None:
    waiting, _ = office.open(reply="Dear Ann: Pay in ten days.")
    over, digest = office.open(call="8", reply="Dear Ann: Pay in ten days.")
    office.desk.revise(over, digest, ["amount=90"], asker=LEO)
    office.gate.executed(over, settled=True)
    assert sorted(erasing.forget(office.config, "docs/secret.md")) == sorted([waiting, over])
    for approval in (waiting, over):
        answer = office.desk.show(approval, LEO).screen["answer"]
        assert "ten days" not in str(answer)
        assert "at once" not in str(answer)
        assert "Two must agree above 100." in str(answer)
    asked = office.desk.show(over, LEO)
    assert asked.holding["reply"] == asked.arguments["reply"] == "Dear Ann: [erased]"
    assert office.desk.show(waiting, LEO).arguments["reply"] == "Dear Ann: Pay in ten days."
    raw = b"".join(path.read_bytes() for path in office.config.workspace.glob("runs.sqlite*"))
    assert raw.count(b"Pay in ten days.") == raw.count(b"Dear Ann: Pay in ten days.")


def test_requests_that_are_too_old_and_over_are_emptied(office: Office) -> None:
    waiting, _ = office.open()
    over, digest = office.open(call="8")
    office.desk.reject(over, digest, asker=LEO, comment="no")
    late = NOW + timedelta(days=office.config.runs.keep_days + 1)
    assert erasing.expire(office.config, now=NOW) == ()
    assert erasing.expire(office.config, now=late) == (over,)
    assert erasing.expire(office.config, now=late) == ()
    asked = office.desk.show(over, LEO)
    assert (asked.arguments, asked.comment, asked.screen["answer"]) == ({}, None, None)
    assert (asked.status, asked.decided_by) == ("rejected", "user:leo")
    assert office.desk.show(waiting, LEO).arguments != {}


def test_looking_makes_no_database(tmp_path: Path) -> None:
    config = written(tmp_path)
    assert opened(config) is None
    assert erasing.forget(config, "docs/a.md") == ()
    assert list(config.workspace.iterdir()) == []


# -- one decision ----------------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgres").database()
        return url
    return str(tmp_path / "runs.sqlite")


def test_of_eight_that_decide_at_once_one_decides(
    place: str, tmp_path: Path, rounds: Callable[..., int]
) -> None:
    config = written(tmp_path)
    spawn = multiprocessing.get_context("spawn")
    barrier, told = spawn.Barrier(8), spawn.Queue()
    rounds_of = [spawn.Queue() for _ in range(8)]
    file = str(config.file)
    people = [
        spawn.Process(target=deciders.decide, args=(number, file, place, barrier, rounds_of[number], told))
        for number in range(8)
    ]
    for one in people:
        one.start()
    try:
        with deciders.opened(place) as database:
            office = Office(config, database)
            office.clock.now = datetime.now(UTC)
            winners = set()
            for at in range(rounds(fast=20, soak=200)):
                approval, digest = office.open(call=str(at))
                for queue in rounds_of:
                    queue.put((approval, digest))
                became = dict(told.get(timeout=120) for _ in people)
                won = [number for number, what in became.items() if what != "RequestChanged"]
                assert len(won) == 1, became
                with database.begin() as connection:
                    asked = found(connection, approval)
                assert asked is not None
                assert asked.status == became[won[0]] == ("approved", "revised", "rejected")[won[0] % 3]
                assert asked.decided_by == f"user:p{won[0]}"
                assert asked.revised == ({"amount": won[0], "order": "A-17"} if won[0] % 3 == 1 else None)
                assert office.gate.decision(approval) is not None
                winners.add(won[0])
            assert len(winners) > 1  # else they did not meet
    finally:
        for queue in rounds_of:
            queue.put(None)
        for one in people:
            one.join(60)
            if one.is_alive():
                one.kill()
                one.join()


def test_opening_from_several_processes_is_opening_once(place: str, tmp_path: Path) -> None:
    config = written(tmp_path)
    from concurrent.futures import ThreadPoolExecutor

    databases = [deciders.opened(place) for _ in range(4)]
    try:
        offices = [Office(config, one) for one in databases]
        for at, one in enumerate(offices):
            one.clock.go(seconds=at)  # clocks differ
        with ThreadPoolExecutor(4) as pool:
            for call in range(10):
                ids = set(
                    pool.map(lambda one, call=call: one.gate.open(one.request(call=str(call))), offices)
                )
                assert len(ids) == 1
    finally:
        for one in databases:
            one.close()
