"""The support desk's workflows and the four patterns: their logic, cut anywhere, with parts in memory."""

import importlib
import sys
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from workflow_parts import Cut, World

from ragflow.workflows import ToolFailed, Unsettled
from ragflow.workflows.contracts import Ended, Need, Suspended

QUOTE = "Goods that arrive damaged, wet or crushed: we refund their price in full or replace them."
LEADS = Need(("group:leads",), four_eyes=True, seconds=3600)


@pytest.fixture(scope="module")
def modules(repository):
    """The example's modules, imported as the program does: from the folder of its ragflow.yaml."""
    folder = str(repository / "examples" / "northwind" / "support")
    sys.path.insert(0, folder)
    try:
        yield {name: importlib.import_module(name) for name in ("support", "patterns", "ledger")}
    finally:
        sys.path.remove(folder)
        for name in ("support", "patterns", "ledger"):
            del sys.modules[name]


@pytest.fixture(scope="module")
def desk(modules):
    return modules["support"]


@pytest.fixture(scope="module")
def patterns(modules):
    return modules["patterns"]


def answered(section="What we refund", *, outcome="answered", document="desk/refunds.md"):
    """An answer with one claim, cited from a section."""
    heads = [("Refunds and returns", 0), (section, 100)]
    anchors = [{"kind": "heading", "label": label, "start": start, "end": 900} for label, start in heads]
    citation = {"id": 1, "document": document, "quote": QUOTE, "anchors": anchors, "start": 120, "end": 200}
    claims, citations = [{"text": QUOTE, "citations": [1]}], [citation]
    if outcome == "not_found":
        claims, citations = [], []
    return {
        "outcome": outcome, "confidence": 0.9, "route": {"rule": None}, "answer": QUOTE,
        "claims": claims, "citations": citations,
    }  # fmt: skip


def ticket(desk, **changed):
    written = {
        "customer": "Vestra Pharmacies", "email": "roth@vestra.example", "order": "NP-2107", "amount": 149.4,
        "message": "Six boxes of Fjell 80 arrived wet. Do you refund goods that arrive damaged?",
    }  # fmt: skip
    return desk.Ticket.model_validate(written | changed)


def world(answer=None, **tools):
    def refund(order, amount):
        return {"order": order, "amount": amount}

    made = World(tools={"refund": refund, "send_reply": lambda **_: {"sent": True}} | tools)
    made.reading.answer = answer or answered()
    return made


def run(desk, where, given=None):
    return desk.support.function(where.flow(), given or ticket(desk))


# -- the support desk ------------------------------------------------------------------------------


def test_a_refund_that_the_rules_grant_is_made_and_the_reply_cites_them(desk):
    where = world()
    result = run(desk, where)
    assert (result["outcome"], result["refunded"]) == ("refunded", 149.4)
    place = "Refunds and returns > What we refund"
    assert result["citations"] == [{"document": "desk/refunds.md", "place": place, "quote": QUOTE}]
    (refund, mail) = where.done
    assert refund == ("refund", {"order": "NP-2107", "amount": 149.4})
    assert mail[1] == {
        "to": ["roth@vestra.example"],
        "subject": "Your order NP-2107",
        "text": result["reply"],
    }
    assert "We have refunded 149.40 euros for order NP-2107." in result["reply"]
    assert f"{QUOTE} [1]" in result["reply"]
    assert f'[1] {place}\n    "{QUOTE}"' in result["reply"]
    assert where.reading.asked == ["Do you refund goods that arrive damaged?"]


@pytest.mark.parametrize(
    ("answer", "message", "outcome"),
    [
        (answered("What we do not refund"), "Do you refund postage?", "answered"),
        (answered(document="products/terms.pdf"), "Do you refund postage?", "answered"),
        (answered(outcome="conflicting"), "Do you refund wet boxes?", "answered"),
        (answered("When it leaves"), "When do my goods leave?", "answered"),
        (answered(), "Boxes arrived wet, what now?", "answered"),  # nobody asks for money
        (answered(outcome="not_found"), "Please refund the rude driver.", "not_found"),
    ],
)  # fmt: skip
def test_no_refund_where_the_rules_do_not_grant_it_or_nobody_asks(desk, answer, message, outcome):
    where = world(answer)
    result = run(desk, where, ticket(desk, message=message))
    assert (result["outcome"], result["refunded"]) == (outcome, 0)
    assert [tool for tool, _ in where.done] == ["send_reply"]
    assert "refunded" not in result["reply"]
    assert ("A person will look at your message" in result["reply"]) is (outcome == "not_found")


def test_an_answer_that_cites_what_is_and_what_is_not_refunded_refunds_nothing(desk):
    both = answered()
    both["citations"] = both["citations"] + answered("What we do not refund")["citations"]
    assert desk.proposes_refund("refund?", answered())
    assert not desk.proposes_refund("refund?", both)


def test_the_reply_names_the_amount_that_a_person_agreed_to(desk):
    where = world()
    where.gate.ask = lambda action: LEADS if action.tool == "refund" else None
    with pytest.raises(Suspended):
        run(desk, where)
    assert where.done == []
    where.gate.decide("revised", amount=124.5)
    result = run(desk, where)
    assert result["refunded"] == 124.5
    assert "We have refunded 124.50 euros" in result["reply"]
    assert "149" not in result["reply"]


@pytest.mark.parametrize("status", ["rejected", "expired"])
def test_a_refund_that_nobody_agrees_to_is_declined_and_the_customer_is_told(desk, status):
    where = world()
    where.gate.ask = lambda action: LEADS if action.tool == "refund" else None
    with pytest.raises(Suspended):
        run(desk, where)
    where.gate.decide(status)
    result = run(desk, where)
    assert (result["outcome"], result["refunded"]) == ("declined", 0)
    assert [tool for tool, _ in where.done] == ["send_reply"]


@pytest.mark.parametrize("error", [ToolFailed("the ledger hangs"), Unsettled("nobody can tell")])
def test_a_refund_that_may_have_happened_is_handed_over_without_a_word_of_money(desk, error):
    def fails(order, amount):
        raise error

    result = run(desk, world(refund=fails))
    assert (result["outcome"], result["refunded"]) == ("handed_over", 0)
    assert "have refunded" not in result["reply"]


def test_a_reply_that_cannot_be_sent_is_an_error_and_not_a_result(desk):
    def fails(**_):
        raise ToolFailed("the mail server does not answer")

    with pytest.raises(ToolFailed):
        run(desk, world(send_reply=fails))


@given(cuts=st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=5), when=st.integers(0, 5))
def test_a_ticket_cut_anywhere_is_answered_and_refunded_once(desk, cuts, when):
    where = world()
    where.gate.ask = lambda action: LEADS if action.tool == "refund" else None
    decided = False
    for position, (at, after) in enumerate([*cuts, (-1, False)]):
        if where.gate.requests and not decided and position >= when:
            where.gate.decide("revised", amount=124.5)
            decided = True
        try:
            desk.support.function(where.flow(cut=at, after=after), ticket(desk))
        except (Cut, Suspended):
            continue
    if not decided:
        where.gate.decide("revised", amount=124.5)
    result = run(desk, where)
    assert (result["outcome"], result["refunded"]) == ("refunded", 124.5)
    assert [tool for tool, _ in where.done] == ["refund", "send_reply"]
    assert where.done[0][1]["amount"] == 124.5
    assert where.gate.opened == 1


@pytest.mark.parametrize(
    ("message", "asked"),
    [
        ("It is wet. Do you refund? Thanks!", "Do you refund?"),
        ("What now?  And when?", "What now? And when?"),
        ("Please\nrefund me.", "Please refund me."),
    ],
)
def test_the_question_of_a_message_is_what_it_asks(desk, message, asked):
    assert desk.question(message) == asked


# -- the ledger ------------------------------------------------------------------------------------


def test_the_ledger_enters_a_key_once_and_an_order_once_and_can_be_asked(modules, tmp_path, monkeypatch):
    ledger = modules["ledger"]
    monkeypatch.setattr(ledger, "FILE", tmp_path / "refunds.sqlite")
    first = ledger.Refund(order="NP-0001", amount=0.29)
    assert ledger.state_of("k1") == "not_done"
    assert ledger.enter("NP-0001", 0.29, "k1") == ledger.enter("NP-0001", 0.29, "k1") == first
    assert ledger.enter("NP-0001", 50, "k2") == first  # a run that began anew pays nothing more
    assert ledger.refund("NP-0002", 50, idempotency_key="k3").amount == 50
    assert (ledger.state_of("k1"), ledger.state_of("k2")) == (first, "not_done")
    assert [(one.order, one.amount) for one in ledger.entries()] == [("NP-0001", 0.29), ("NP-0002", 50)]


# -- the patterns ----------------------------------------------------------------------------------

HITS = {"hits": [{"document": "desk/refunds.md", "text": f"What we refund\n\n{QUOTE}"}]}


def test_sequential_publishes_what_a_person_agreed_to(patterns):
    where = World(tools={"write_page": lambda path, text: {"path": path, "characters": len(text)}})
    where.reading.found = HITS
    asked = patterns.Asked(question="Are wet boxes refunded?")
    with pytest.raises(Suspended):
        patterns.sequential.function(where.flow(), asked)
    where.gate.decide("revised", title="Wet boxes")
    result = patterns.sequential.function(where.flow(), asked)
    ((_, written),) = where.done
    assert written["text"] == f"# Wet boxes\n\n{QUOTE}\n\nSource: desk/refunds.md\n"
    page = {"path": "r-test.md", "characters": len(written["text"])}
    assert result == {"outcome": "published", "page": page}
    assert where.names[:3] == ["search", "draft", "validate"]


def test_sequential_puts_nothing_unproven_before_a_person(patterns):
    where = World()
    where.reading.found = {"hits": []}
    with pytest.raises(ValueError, match="what no passage says"):
        patterns.sequential.function(where.flow(), patterns.Asked(question="Pizza?"))
    assert where.names == ["search", "draft", "draft.fallback", "validate"]
    assert where.gate.opened == 0


@pytest.mark.parametrize(
    ("workflow", "tools"), [("support", ["refund", "send_reply"]), ("researcher", []), ("answer", [])]
)
def test_triage_goes_on_with_the_workflow_of_the_route(desk, patterns, workflow, tools):
    where = world()
    where.workflows = {"support": desk.support, "researcher": patterns.researcher}
    where.reading.routed = {"route": {"workflow": workflow}}
    result = patterns.triage.function(where.flow(), ticket(desk))
    assert [tool for tool, _ in where.done] == tools
    assert result["outcome"] == {"support": "refunded"}.get(workflow, "answered")
    assert len(where.agent.given) == (workflow == "researcher")


def test_a_researcher_gives_what_its_agent_found(patterns):
    where = world()
    where.agent.ended = Ended("done", "28 days", citations=({"document": "a"},))
    result = patterns.researcher.function(where.flow(), patterns.Asked(question="How many?"))
    assert result == {"outcome": "done", "answer": "28 days", "citations": [{"document": "a"}]}
    ((task, role, tools, limits),) = where.agent.given
    assert (task, role, tools) == ("How many?", "group:desk", ("search", "fetch"))
    assert limits.steps == 6


def test_a_researcher_without_a_model_says_so_and_quotes(patterns):
    where = world()
    result = patterns.researcher.function(where.flow(), patterns.Asked(question="Are wet boxes refunded?"))
    assert result["agent"]["outcome"] == "no_model"
    assert (result["outcome"], result["citations"][0]["quote"]) == ("answered", QUOTE)


def test_a_gatekeeper_raises_a_limit_to_what_was_agreed(patterns):
    where, wish = World(), patterns.Credit(customer="Vestra", limit=5_000)
    with pytest.raises(Suspended) as waiting:
        patterns.gatekeeper.function(where.flow(), wish)
    assert waiting.value.wake - where.clock() == timedelta(days=2)
    where.gate.decide("revised", limit=3_000)
    result = patterns.gatekeeper.function(where.flow(), wish)
    assert (result["outcome"], result["limit"]) == ("raised", 3_000)
    assert result["note"] == "2026-11-29: Vestra up to 3000 euros"


def test_a_gatekeeper_that_hears_no_says_why(patterns):
    where, wish = World(), patterns.Credit(customer="Vestra", limit=5_000)
    with pytest.raises(Suspended):
        patterns.gatekeeper.function(where.flow(), wish)
    where.gate.decide("expired")
    result = patterns.gatekeeper.function(where.flow(), wish)
    assert result == {"outcome": "refused", "customer": "Vestra", "because": "expired"}


@pytest.mark.parametrize("name", ["sequential", "triage", "researcher", "gatekeeper"])
def test_each_pattern_is_a_page_at_most(patterns, name):
    import inspect

    assert len(inspect.getsource(getattr(patterns, name).function).splitlines()) <= 40
