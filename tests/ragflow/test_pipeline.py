"""From a question to a proven answer or an honest refusal."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from connectors.documents import Anchor
from evals.grounding import Finding, Quote
from indexes.analysis import analyse
from indexes.query import Flag, Found, Hit, Query, Scores
from ragflow.answers import Answer, Rejected
from ragflow.asking import (
    Answerer,
    Draft,
    Evidence,
    Inspected,
    Lineup,
    NoDraft,
    Parts,
    Question,
    Routed,
    Rules,
)
from ragflow.cite import Proposed, cite
from ragflow.deadlines import Deadline
from ragflow.errors import NoModel, UsageError
from ragflow.evidence import SentenceWeigher
from ragflow.extractive import ExtractiveAnswerer
from ragflow.pipeline import ask
from ragflow.records import asked
from ragflow.steps import Record

LEAVE = (
    "# Leave\n\nFull-time employees receive 28 days of paid leave per calendar year. "
    "Unused leave lapses on 31 March of the next year. How do I apply? "
    "Ask your manager by e-mail at least two weeks before."
)
PRICES = "Plan | Seats | Price per month\nBasic | 5 | 20 euros\nTeam | 25 | 90 euros"


def a_hit(rank: int, document: str, text: str, *, at: int = 100, rows: Sequence[tuple[int, int]] = ()) -> Hit:
    anchors = [Anchor("page", "3", 0, at + 40)]
    anchors += [Anchor("row", str(n), at + start, at + end) for n, (start, end) in enumerate(rows, 1)]
    return Hit(
        rank=rank, chunk=f"{document}@0:{at}-{at + len(text)}", document=document,
        revision=hashlib.sha256(document.encode()).hexdigest(), start=at, end=at + len(text),
        title="Handbook", headings=("Leave",), anchors=tuple(anchors), link=None, modified=None,
        text=text, score=1 / rank,
        scores=Scores(8.0 / rank, 0.8 / rank),
    )  # fmt: skip


HITS = (
    a_hit(1, "hr/leave.md", LEAVE),
    a_hit(2, "sales/prices.xlsx", PRICES, rows=[(0, 30), (31, 51), (52, 72)]),
)


class FixedIndex:
    """Finds the same hits for every question, with an idf of 2 for each of its terms."""

    def __init__(self, hits: tuple[Hit, ...] = HITS) -> None:
        self.hits = hits

    def search(self, query: Query) -> Found:
        idf: Mapping[str, float] = dict.fromkeys(analyse(query.text), 2.0)
        return Found(self.hits, "g-1", idf, len(self.hits), ("hr", "sales"))


class Everywhere:
    """Routes each question to everything, or to nothing for a reason."""

    def __init__(self, routed: Routed | None = None) -> None:
        self._routed = routed or Routed(None, by="all", because="no rule is configured")

    def route(self, question: Question, deadline: Deadline) -> Routed:
        return self._routed


class Lenient:
    """Lets everything through, unless told to block."""

    def __init__(self, blocked: str | None = None) -> None:
        self._blocked = blocked

    def question(self, text: str) -> Inspected:
        return Inspected(self._blocked)

    def passages(self, found: Found) -> Found:
        return found

    def claim(self, claim: Proposed, passages: Sequence[Hit]) -> tuple[Finding, ...]:
        return ()


class Scripted:
    """Gives its drafts one after the other, the last for ever, and keeps what it was told."""

    def __init__(self, *drafts: tuple[Proposed, ...] | NoDraft, name: str | None = "model") -> None:
        self.name = name
        self.told: list[tuple[Rejected, ...]] = []
        self._drafts = list(drafts)

    def draft(
        self,
        question: str,
        found: Found,
        evidence: Evidence,
        *,
        rejected: Sequence[Rejected] = (),
        deadline: Deadline,
    ) -> Draft:
        self.told.append(tuple(rejected))
        given = self._drafts.pop(0) if len(self._drafts) > 1 else self._drafts[0]
        if isinstance(given, NoDraft):
            raise given
        return Draft(given, found.hits, model=self.name, cost_usd=0.25, tokens=9)


class Cast:
    """Lets the given answerers draft."""

    def __init__(self, *answerers: Answerer) -> None:
        self._answerers = answerers

    def lineup(self, question: Question, routed: Routed) -> Lineup:
        return Lineup(self._answerers)


class Sure(SentenceWeigher):
    """Finds the hits worth an answer whatever they hold."""

    def weigh(self, question: str, found: Found) -> Evidence:
        return replace(super().weigh(question, found), confidence=0.9)


def the_parts(*answerers: Answerer, hits: tuple[Hit, ...] = HITS, sure: bool = False) -> Parts:
    return Parts(
        index=FixedIndex(hits),
        guard=Lenient(),
        router=Everywhere(),
        weigher=Sure() if sure else SentenceWeigher(),
        casting=Cast(*(answerers or (ExtractiveAnswerer(),))),
    )


ASKING = Question(
    "How many days of paid leave do full-time employees receive?",
    "user:mia",
    frozenset({"everyone", "user:mia"}),
)


def answered(
    question: str = "How many days of paid leave do full-time employees receive?",
    *,
    hits: tuple[Hit, ...] = HITS,
    claims: tuple[Proposed, ...] | None = None,
    rules: Rules = Rules(),  # noqa: B008 - a frozen value
) -> Answer:
    answerer = ExtractiveAnswerer() if claims is None else Scripted(claims, name=None)
    parts = the_parts(answerer, hits=hits, sure=claims is not None)
    return ask(replace(ASKING, text=question), parts=parts, record=Record("r-1"), rules=rules)


def test_an_answer_is_sentences_with_numbers_that_lead_to_their_place() -> None:
    answer = answered()
    sentence = "Full-time employees receive 28 days of paid leave per calendar year."
    assert (answer.outcome, answer.reason, answer.answer) == ("answered", None, f"{sentence} [1]")
    citation = answer.citations[0]
    hit = HITS[0]
    assert citation.quote == sentence == hit.text[citation.start - hit.start : citation.end - hit.start]
    assert [anchor.label for anchor in citation.anchors] == ["3"]
    assert answer.related == ("sales/prices.xlsx",)
    assert answer.route.sources == ("hr", "sales")


def test_a_row_brings_its_tables_header() -> None:
    hits = (replace(HITS[1], rank=1, score=1.0),)
    answer = answered(
        "What is the price per month of the Team plan?", hits=hits, rules=Rules(min_confidence=0)
    )
    assert [claim.text for claim in answer.claims][:1] == ["Team | 25 | 90 euros"]
    quotes = {citation.id: citation.quote for citation in answer.citations}
    assert [quotes[number] for number in answer.claims[0].citations] == [
        "Team | 25 | 90 euros",
        "Plan | Seats | Price per month",
    ]


def test_without_hits_nothing_is_found() -> None:
    answer = answered(hits=())
    assert (answer.outcome, answer.reason, answer.confidence, answer.exit_code) == (
        "not_found",
        "no_hits",
        0.0,
        6,
    )
    assert (answer.answer, answer.claims, answer.citations, answer.related) == ("", (), (), ())


def test_what_is_not_there_is_refused_with_the_nearest_documents() -> None:
    far = tuple(replace(hit, scores=Scores(0.5, 0.1)) for hit in HITS)
    answer = answered("Who won the chess championship in 1972?", hits=far)
    assert (answer.outcome, answer.reason, answer.citations) == ("not_found", "low_confidence", ())
    assert answer.related == ("hr/leave.md", "sales/prices.xlsx")


def test_a_claim_that_is_not_proven_is_dropped_and_explained() -> None:
    lie = Proposed(
        "Employees receive 30 days.", (Quote(0, "Employees receive 30 days of paid leave per year."),)
    )
    answer = answered(claims=(lie,), rules=Rules(explain=True))
    assert (answer.outcome, answer.reason, answer.claims) == ("not_found", "no_valid_claim", ())
    shown = answer.to_json()
    assert shown["rejected"][0]["finding"] == "fabricated"
    assert len(shown["hits"]) == 2


def test_one_dropped_claim_leaves_the_others() -> None:
    sentence = "Full-time employees receive 28 days of paid leave per calendar year."
    good = Proposed(sentence, (Quote(0, sentence),))
    bad = Proposed(sentence, (Quote(1, sentence),))
    answer = answered(claims=(bad, good))
    assert [claim.text for claim in answer.claims] == [sentence]


def test_a_folded_quote_is_cited_as_it_stands_in_the_document() -> None:
    torn = replace(HITS[0], text=LEAVE.replace("28 days of paid", "28 days\n  of paid"))
    sentence = "Full-time employees receive 28 days of paid leave per calendar year."
    answer = answered(hits=(torn,), claims=(Proposed(sentence, (Quote(0, sentence),)),))
    citation = answer.citations[0]
    assert citation.quote == torn.text[citation.start - 100 : citation.end - 100]
    assert "\n" in citation.quote


def test_the_same_span_is_the_same_number() -> None:
    quote = Quote(0, "Full-time employees", LEAVE.index("Full-time"))
    claims, citations = cite([Proposed("a", (quote,)), Proposed("b", (quote, quote))], HITS)
    assert [claim.citations for claim in claims] == [(1,), (1,)]
    assert len(citations) == 1


def test_headings_questions_and_torn_sentences_are_no_claims() -> None:
    torn = replace(HITS[0], text="eceive a bonus of 28 days of paid leave each year. " + LEAVE)
    for each in answered(
        "How do I apply for paid leave days?", hits=(torn,), rules=Rules(min_confidence=0)
    ).claims:
        assert not each.text.endswith("?")
        assert not each.text.startswith(("#", "eceive"))


def test_no_more_claims_than_allowed_and_none_twice() -> None:
    text = " ".join(
        f"Rule {n} grants every employee {n} more days of paid leave in section {n}." for n in range(20, 40)
    )
    hits = (a_hit(1, "hr/a.md", text), a_hit(2, "hr/b.md", text))
    found = FixedIndex(hits).search(Query("How many days of paid leave?", frozenset()))
    evidence = SentenceWeigher().weigh("How many days of paid leave?", found)
    draft = ExtractiveAnswerer(max_claims=3).draft(
        "How many days of paid leave?", found, evidence, deadline=Deadline(1)
    )
    texts = [claim.text for claim in draft.claims]
    assert 1 <= len(texts) <= 3
    assert len(set(texts)) == len(texts)


def test_steps_are_recorded_with_digests_and_without_wording() -> None:
    record = Record("r-1")
    asking = Question("How many days of paid leave?", "user:mia", frozenset({"everyone"}))
    answer = ask(asking, parts=the_parts(), record=record, rules=Rules())
    run = asked(answer, actor=["user:mia"], steps=record.steps, config_digest="c", version="0")
    assert [step["name"] for step in run.steps] == [
        "guard", "route", "search", "weigh", "generate", "validate", "compare", "cite",
    ]  # fmt: skip
    assert {key for step in run.steps for key in step} == {
        "name", "attempt", "started_ms", "ms", "status", "input_digest", "output", "cost_usd", "tokens",
    }  # fmt: skip
    assert "28 days" not in str(run.steps)
    assert run.output is not None
    assert run.output["run"] == "r-1"


def test_a_step_that_raises_is_recorded_as_failed() -> None:
    record = Record("r-1")
    with pytest.raises(KeyError), record.step("search"):
        raise KeyError("gone")
    assert record.steps[0]["status"] == "failed"


def test_the_same_question_gives_the_same_bytes() -> None:
    first, second = ({**answered().to_json(), "created": 0, "timings_ms": 0} for _ in range(2))
    assert first == second


def test_an_answer_survives_its_json() -> None:
    answer = answered()
    assert Answer.from_json(answer.to_json()) == answer


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "ragflow.ask/2"},
        {"answer": "Full-time employees receive 30 days. [1]"},
        {"citations": []},
        {"confidence": "high"},
        {"extra": 1},
        {"claims": [{"text": "Nothing.", "citations": []}]},
    ],
)
def test_what_is_no_answer_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"ragflow\.ask/1"):
        Answer.from_json({**answered().to_json(), **change})


def test_the_confidence_is_a_probability_that_falls_without_evidence() -> None:
    weak = tuple(replace(hit, scores=Scores(1.0, 0.2)) for hit in HITS)
    near, far = answered(), answered("Which moons of Jupiter have an ocean?", hits=weak)
    assert 0 <= far.confidence < near.confidence <= 1
    assert math.isfinite(near.confidence)


SENTENCE = "Full-time employees receive 28 days of paid leave per calendar year."
GOOD = (Proposed(SENTENCE, (Quote(0, SENTENCE),)),)
LIE = (Proposed("Full-time employees receive 30 days of paid leave.", (Quote(0, SENTENCE),)),)


def drafted(*answerers: Answerer, seconds: float = 60) -> tuple[Answer, Record]:
    record = Record("r-1")
    parts = the_parts(*answerers, sure=True)
    return ask(ASKING, parts=parts, record=record, rules=Rules(explain=True, seconds=seconds)), record


def test_a_model_is_asked_once_more_with_what_was_found_wrong() -> None:
    model = Scripted(LIE, GOOD)
    answer, record = drafted(model, ExtractiveAnswerer())
    assert (answer.outcome, answer.model, answer.claims[0].text) == ("answered", "model", SENTENCE)
    assert [{one.finding for one in told} for told in model.told] == [set(), {"number_mismatch"}]
    assert answer.explanation is not None
    assert {each.finding for each in answer.explanation.rejected} == {"number_mismatch"}
    assert [step["attempt"] for step in record.steps if step["name"] == "generate"] == [1, 2]
    assert sum(step["cost_usd"] for step in record.steps) == 0.5
    assert sum(step["tokens"] for step in record.steps) == 18


def test_a_model_that_lies_twice_gives_way_to_the_next_and_that_to_sentences() -> None:
    first, second = Scripted(LIE, name="first"), Scripted(LIE, name="second")
    answer, _ = drafted(first, second, ExtractiveAnswerer())
    assert (len(first.told), len(second.told)) == (2, 2)
    assert (answer.outcome, answer.model) == ("answered", None)
    assert SENTENCE in answer.answer


def test_what_holds_after_the_second_try_is_kept_and_the_rest_dropped() -> None:
    answer, _ = drafted(Scripted((*LIE, *GOOD)), ExtractiveAnswerer())
    assert (answer.model, [claim.text for claim in answer.claims]) == ("model", [SENTENCE])


def test_a_model_that_fails_is_named_in_a_warning_and_the_next_one_answers() -> None:
    failing = Scripted(NoDraft("rate_limit", "the server asks to wait"), name="first")
    answer, record = drafted(failing, Scripted(GOOD, name="second"), ExtractiveAnswerer())
    assert (answer.outcome, answer.model) == ("answered", "second")
    assert answer.warnings == ("first: the server asks to wait",)
    steps = [step for step in record.steps if step["name"] == "generate"]
    assert [step["status"] for step in steps] == ["failed", "ok"]
    assert steps[0]["output"] == {"model": "first", "failure": "rate_limit"}


def test_a_failure_may_say_that_no_further_model_is_asked() -> None:
    failing = Scripted(NoDraft("content_filter", "filtered", skip_models=True), name="first")
    second = Scripted(GOOD, name="second")
    answer, _ = drafted(failing, second, ExtractiveAnswerer())
    assert (answer.outcome, answer.model, second.told) == ("answered", None, [])


def test_a_model_that_finds_no_answer_is_believed() -> None:
    answer, _ = drafted(Scripted(()), ExtractiveAnswerer())
    assert (answer.outcome, answer.reason, answer.claims) == ("not_found", "no_valid_claim", ())


def test_no_model_is_asked_when_the_time_is_over() -> None:
    model = Scripted(GOOD)
    answer, _ = drafted(model, ExtractiveAnswerer(), seconds=0)
    assert (answer.outcome, answer.model, model.told) == ("answered", None, [])


def test_without_sentences_to_fall_back_on_no_draft_is_an_error() -> None:
    with pytest.raises(NoModel, match="the key is not set"):
        drafted(Scripted(NoDraft("no_key", "the key is not set")))


def test_what_a_route_or_a_guard_refuses_is_not_searched() -> None:
    nowhere = Routed((), by="small_talk", because="a greeting", reason="off_topic")
    model = Scripted(GOOD)
    for parts, outcome, reason in (
        (replace(the_parts(model), router=Everywhere(nowhere)), "not_found", "off_topic"),
        (replace(the_parts(model), guard=Lenient("an attack")), "blocked", "input_blocked"),
    ):
        answer = ask(ASKING, parts=parts, record=Record("r-1"), rules=Rules())
        assert (answer.outcome, answer.reason, answer.exit_code) == (outcome, reason, 6)
        assert (answer.claims, answer.citations, answer.route.sources, model.told) == ((), (), (), [])


NEWER = a_hit(2, "hr/leave-2024.md", LEAVE.replace("28 days", "30 days"))


def test_documents_that_disagree_are_both_cited() -> None:
    answer = answered(hits=(HITS[0], NEWER), rules=Rules(explain=True, min_confidence=0))
    assert answer.outcome == "conflicting"
    assert [claim.text for claim in answer.claims] == [SENTENCE, SENTENCE.replace("28", "30")]
    assert [citation.document for citation in answer.citations] == ["hr/leave.md", "hr/leave-2024.md"]
    assert answer.warnings == ("the documents disagree: 28 day and 30 day",)


def test_a_model_that_tells_one_side_is_given_the_other() -> None:
    parts = the_parts(Scripted(GOOD), hits=(HITS[0], NEWER), sure=True)
    answer = ask(ASKING, parts=parts, record=Record("r-1"), rules=Rules())
    assert (answer.outcome, answer.model, len(answer.citations)) == ("conflicting", "model", 2)


def test_what_the_question_tells_apart_does_not_disagree() -> None:
    other = replace(NEWER, title="Contractors", headings=())
    text = "How many days of paid leave do contractors receive?"
    answer = answered(text, hits=(HITS[0], other), rules=Rules(min_confidence=0))
    assert answer.outcome == "answered"


def test_one_document_that_states_two_numbers_does_not_disagree_with_itself() -> None:
    same = replace(NEWER, document="hr/leave.md")
    assert answered(hits=(HITS[0], same), rules=Rules(min_confidence=0)).outcome == "answered"


def test_a_citation_that_touches_an_order_is_marked_and_warned_of() -> None:
    order = Flag(HITS[0].start, HITS[0].start + 10, "override")
    near = replace(HITS[0], flags=(replace(order, end=HITS[0].start + LEAVE.index("28")),))
    answer = answered(hits=(near,), claims=GOOD)
    assert [citation.flagged for citation in answer.citations] == [True]
    assert answer.warnings == ("[1] touches text that reads like an order to a program",)
