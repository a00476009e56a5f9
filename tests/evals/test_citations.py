"""Citations are right by documents, places and words, each level within the one before."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.cases import Case, GoldQuote, Response, Span
from evals.citations import (
    METRICS,
    NO_ANSWER,
    NO_GOLD_DOCUMENT,
    NO_GOLD_QUOTE,
    NOT_ANSWERED,
    matches,
    overlap,
)

LEAVE = "Employees get 28 days of leave. Managers get 30 days of leave. Unused leave expires in March."
GOLD = "28 days of leave"
ANCHORS = (("page", "3"), ("heading", "Leave"))


def case(*quotes, documents=None, answerable="yes"):
    judgements = None if documents is None else dict.fromkeys(documents, 1)
    gold = tuple(GoldQuote(document, quote) for document, quote in quotes)
    return Case("q", "How many days?", answerable=answerable, judgements=judgements, quotes=gold or None)


def span(document, quote, passage=LEAVE, anchors=ANCHORS):
    return Span(document, 0, len(quote), quote, passage, anchors)


def cited(*spans, outcome="answered"):
    return Response(outcome=outcome, answer="...", citations=spans)


def taken(one, response):
    return {metric.name.removeprefix("citation_"): metric.take(one, response) for metric in METRICS}


def shares(one, response):
    """(precision, recall) at the levels document, anchor and span."""
    found = taken(one, response)
    return [(found[f"precision@{at}"][0], found[f"recall@{at}"][0]) for at in ("document", "anchor", "span")]


def test_the_gold_words_are_right_at_every_level():
    one = case(("hr/leave", GOLD))
    assert shares(one, cited(span("hr/leave", "Employees get 28 days of leave."))) == [(1, 1), (1, 1), (1, 1)]


def test_other_words_of_the_same_passage_are_right_by_place_alone():
    one = case(("hr/leave", GOLD))
    assert shares(one, cited(span("hr/leave", "Managers get 30 days of leave."))) == [(1, 1), (1, 1), (0, 0)]


def test_other_words_of_the_same_document_are_right_by_document_alone():
    one = case(("hr/leave", GOLD))
    other = span("hr/leave", "Offices open at nine.", "Offices open at nine.", (("page", "9"),))
    assert shares(one, cited(other)) == [(1, 1), (0, 0), (0, 0)]


def test_the_same_words_of_another_document_are_wrong():
    one = case(("hr/leave", GOLD))
    assert shares(one, cited(span("hr/old", "Employees get 28 days of leave."))) == [(0, 0), (0, 0), (0, 0)]


def test_the_same_anchors_as_the_gold_words_are_right_by_place():
    one = case(("hr/leave", GOLD))
    right = span("hr/leave", "Employees get 28 days of leave.")
    beside = span("hr/leave", "Ask your lead.", "Ask your lead.")
    elsewhere = span("hr/leave", "Ask your lead.", "Ask your lead.", (("page", "3"),))
    without = span("hr/leave", "Ask your lead.", "Ask your lead.", ())
    assert shares(one, cited(right, beside))[1:] == [(1, 1), (0.5, 1)]
    assert shares(one, cited(right, elsewhere))[1:] == [(0.5, 1), (0.5, 1)]
    assert shares(one, cited(right, without))[1:] == [(0.5, 1), (0.5, 1)]
    bare = span("hr/leave", GOLD, anchors=())
    assert shares(one, cited(bare, without))[1:] == [(0.5, 1), (0.5, 1)]


def test_precision_counts_citations_and_recall_counts_gold():
    one = case(("a", GOLD), ("b", "30 days of leave"), documents=["a", "b", "c"])
    response = cited(span("a", GOLD), span("a", GOLD), span("x", GOLD))
    found = taken(one, response)
    assert found["precision@document"] == (pytest.approx(2 / 3),)
    assert found["recall@document"] == (pytest.approx(1 / 3),)
    assert found["precision@span"] == (pytest.approx(2 / 3),)
    assert found["recall@span"] == (0.5,)


def test_an_answer_that_cites_nothing_has_no_precision_and_no_recall():
    assert shares(case(("a", GOLD)), cited()) == [(0, 0), (0, 0), (0, 0)]


def test_what_was_not_answered_is_left_out_of_precision_and_misses_the_gold():
    found = taken(case(("a", GOLD)), cited(outcome="not_found"))
    assert {found[f"precision@{level}"] for level in ("document", "anchor", "span")} == {NOT_ANSWERED}
    assert {found[f"recall@{level}"] for level in ("document", "anchor", "span")} == {(0.0,)}


def test_a_case_without_gold_is_left_out_and_says_which_gold():
    found = taken(case(), cited(span("a", GOLD)))
    assert found["recall@document"] == NO_GOLD_DOCUMENT
    assert found["precision@anchor"] == found["recall@span"] == NO_GOLD_QUOTE
    assert taken(case(documents=["a"]), cited(span("a", GOLD)))["precision@document"] == (1.0,)
    failed = {metric.name: metric.failed(case(documents=["a"])) for metric in METRICS}
    assert failed["citation_precision@document"] == (0.0,)
    assert failed["citation_precision@span"] == NO_GOLD_QUOTE


def test_a_system_that_only_retrieves_is_left_out():
    assert set(taken(case(("a", GOLD)), Response()).values()) == {NO_ANSWER}


@pytest.mark.parametrize(
    ("cited_quote", "share"),
    [
        ("28 days of leave", 1.0),
        ("Employees get 28 days of leave.", 1.0),
        ("28 days", 1.0),
        ("28  days\nof leave", 1.0),
        ("get 28 days of", 10 / 14),
        ("of leave a year", 8 / 15),
        ("30 days of leave", 0.0),
        ("8 days of leave", 0.0),
        ("128 days of leave", 0.0),
        ("", 0.0),
        ("  ", 0.0),
    ],
)
def test_overlap_is_of_standing_text_and_never_cuts_a_number(cited_quote, share):
    assert overlap(cited_quote, GOLD) == pytest.approx(share)
    assert overlap(GOLD, cited_quote) == pytest.approx(share)


@pytest.mark.parametrize(
    ("cited_quote", "right"),
    [("get 28 days of", True), ("of leave a year", True), ("leave a whole year", False)],
)
def test_half_of_the_shorter_text_is_enough_and_less_is_not(cited_quote, right):
    assert matches(span("a", cited_quote), GoldQuote("a", GOLD)) is right


@given(st.text("ab 12\n", max_size=30), st.text("ab 12\n", max_size=30))
def test_overlap_is_symmetric_and_a_share(one, other):
    assert overlap(one, other) == overlap(other, one)
    assert 0 <= overlap(one, other) <= 1
    assert overlap(one, one) == (1.0 if one.strip() else 0.0)


@given(st.data())
def test_each_level_is_within_the_one_before(data):
    quotes = ["28 days of leave", "30 days of leave", "expires in March", "nine o'clock"]
    documents = ["a", "b"]
    gold = data.draw(
        st.lists(st.tuples(st.sampled_from(documents), st.sampled_from(quotes)), min_size=1, max_size=3)
    )
    spans = data.draw(
        st.lists(
            st.builds(
                span,
                st.sampled_from(documents),
                st.sampled_from([*quotes, "get 28 days of"]),
                st.sampled_from([LEAVE, "", "Ask your lead."]),
                st.sampled_from([ANCHORS, (), (("page", "9"),)]),
            ),
            max_size=4,
        )
    )
    by_document, by_anchor, by_span = shares(case(*gold), cited(*spans))
    assert by_document[0] >= by_anchor[0] >= by_span[0]
    assert by_anchor[1] >= by_span[1]
