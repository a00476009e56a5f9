"""Words are compared as SQuAD and ROUGE do; groundedness is the check that an answer passed to be shown."""

import re
import string
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.answers import (
    CHECKED,
    NEITHER,
    NO_GOLD,
    NO_GOLD_ANSWER,
    TEXTS,
    exact_match,
    groundedness,
    normalised,
    right,
    rouge_l,
    shown,
    token_f1,
)
from evals.cases import Case, GoldQuote, Ranked, Response, Span, Statement
from evals.citations import NO_ANSWER, NOT_ANSWERED

PASSAGE = "Employees get 28 days of leave. Managers get 30 days of leave."
words = st.lists(st.sampled_from(["the", "leave", "Days,", "28", "a", "of", "paid"]), max_size=9).map(
    " ".join
)


def case(answerable="yes", answer=None, *quotes):
    gold = tuple(GoldQuote("hr/leave", quote) for quote in quotes)
    return Case("q", "How many?", answerable=answerable, answer=answer, quotes=gold or None)


def said(*claims, outcome="answered", quote="Employees get 28 days of leave."):
    """An answer of these claims, all citing one quote."""
    return Response(
        outcome=outcome,
        answer=" ".join(f"{claim} [1]" for claim in claims),
        claims=tuple(Statement(claim, (0,)) for claim in claims),
        citations=(Span("hr/leave", 0, len(quote), quote, PASSAGE),),
    )


REFUSED = Response(outcome="not_found", reason="low_confidence", confidence=0.1)


# ------------------------------------------------------------------ words: SQuAD's script and the DP, plainly


def squad_words(text):
    text = "".join(sign for sign in text.lower() if sign not in set(string.punctuation))
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def squad_f1(answer, gold):
    given_words, wanted = squad_words(answer), squad_words(gold)
    common = sum((Counter(given_words) & Counter(wanted)).values())
    if not given_words or not wanted:
        return int(given_words == wanted)
    if not common:
        return 0
    precision, recall = common / len(given_words), common / len(wanted)
    return 2 * precision * recall / (precision + recall)


def lcs(first, second):
    table = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i, one in enumerate(first):
        for j, other in enumerate(second):
            table[i + 1][j + 1] = table[i][j] + 1 if one == other else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


@given(st.one_of(words, st.text(max_size=30)), st.one_of(words, st.text(max_size=30)))
def test_token_f1_and_exact_match_are_those_of_squad(answer, gold):
    assert normalised(answer) == squad_words(answer)
    assert token_f1(answer, gold) == pytest.approx(squad_f1(answer, gold))
    assert exact_match(answer, gold) == (squad_words(answer) == squad_words(gold))


@given(words, words)
def test_rouge_l_is_the_f_measure_of_the_longest_common_subsequence(answer, gold):
    given_words, wanted = (re.findall(r"[a-z0-9]+", text.lower()) for text in (answer, gold))
    common = lcs(given_words, wanted)
    expected = 2 * common / (len(given_words) + len(wanted)) if common else 0.0
    assert rouge_l(answer, gold) == pytest.approx(expected)


def test_lins_own_example():
    reference = "police killed the gunman"
    assert rouge_l("police kill the gunman", reference) == pytest.approx(3 / 4)
    assert rouge_l("the gunman kill police", reference) == pytest.approx(2 / 4)


def test_the_marks_of_citations_are_no_words_of_the_answer():
    assert shown(said("28 days")) == "28 days"
    assert shown(Response(outcome="answered", answer="28 days. [1] [2]")) == "28 days."
    assert TEXTS[0].take(case("yes", "28 days."), said("28 days")) == (1.0,)


def test_text_metrics_need_a_gold_answer_and_count_a_refusal_as_zero():
    for metric in TEXTS:
        assert metric.take(case(), said("28 days")) == NO_GOLD_ANSWER
        assert metric.failed(case()) == NO_GOLD_ANSWER
        assert metric.take(case("yes", "28 days"), REFUSED) == (0.0,)
        assert metric.failed(case("yes", "28 days")) == (0.0,)
        assert metric.take(case("yes", "28 days"), Response()) == NO_ANSWER


# ------------------------------------------------------------------ right or wrong


@pytest.mark.parametrize(
    ("gold", "answer", "verdict"),
    [
        ("28 days", "Employees get 28 days of leave.", True),
        ("the 28 Days!", "Employees get 28 days of leave.", True),
        ("28 days a year", "28 days", True),
        ("28 days", "Employees get 30 days of leave.", False),
        ("28 paid days", "30 paid days", False),
        ("8 days", "Employees get 28 days of leave.", False),
        ("28 days", "28 weeks", False),
        ("in March, at the latest", "Unused leave expires on 1 April.", False),
    ],
)
def test_an_answer_is_right_when_it_says_the_gold_answer_and_no_other_number(gold, answer, verdict):
    assert right(case("yes", gold), said(answer)) is verdict


def test_a_citation_of_the_gold_quote_makes_other_words_right_but_no_other_number():
    gold = "Everyone on the payroll is entitled to 28 days"
    sentence = "Employees get 28 days of leave."
    assert right(case("yes", gold), said(sentence)) is False
    assert right(case("yes", gold, "28 days of leave"), said(sentence)) is True
    assert right(case("yes", gold, "28 days of leave"), said("Employees get leave.")) is False


@pytest.mark.parametrize(
    ("gold", "answer", "verdict"),
    [
        ("4 December 2026", "New policy | yes | 2026-12-04", True),
        ("4 December 2026", "New policy | yes | 2026-12-05", False),
        ("twelve days", "12 days", True),
        ("1,200 euros", "It costs €1200.", True),
        ("1,200 euros", "It costs 1200 dollars.", False),
        ("form FJ-80-W", "forms: FJ-80-W", True),
        ("form FJ-80-W", "forms: FJ-80-N", False),
    ],
)
def test_dates_amounts_and_codes_are_the_same_however_written(gold, answer, verdict):
    quoted = case("yes", gold, "28 days of leave")
    assert right(quoted, said(answer)) is verdict


def test_with_gold_quotes_alone_citing_one_is_right():
    assert right(case("yes", None, "28 days of leave"), said("So it is.")) is True
    assert right(case("yes", None, "30 days of leave"), said("So it is.")) is False
    assert right(case(None, None, "28 days of leave"), said("So it is.")) is True


@pytest.mark.parametrize(
    ("one", "response", "score"),
    [
        (case("yes", "28 days"), said("28 days"), (1.0,)),
        (case("yes", "28 days"), said("30 days"), (-1.0,)),
        (case("yes", "28 days"), REFUSED, (0.0,)),
        (case("yes", "28 days"), said("28 days", outcome="conflicting"), (1.0,)),
        (case("no"), REFUSED, (1.0,)),
        (case("no"), Response(outcome="blocked"), (1.0,)),
        (case("no"), said("28 days"), (-1.0,)),
        (case("yes"), said("28 days"), NO_GOLD),
        (case(None), said("28 days"), NO_GOLD),
        (case("partial", "28 days"), said("28 days"), NEITHER),
        (case("underspecified"), REFUSED, NEITHER),
        (case("yes", "28 days"), Response(), NO_ANSWER),
    ],
)
def test_crag_gives_one_for_right_and_takes_one_for_wrong(one, response, score):
    named = {metric.name: metric for metric in CHECKED}
    assert named["CRAG"].take(one, response) == score
    baselines = [named[f"CRAG_{way}_all"].take(one, response) for way in ("refuse", "answer")]
    if isinstance(score, str):
        assert baselines == [score, score]
    else:
        assert baselines == ([(1.0,), (-1.0,)] if one.answerable == "no" else [(0.0,), (1.0,)])


def test_a_system_that_raised_has_said_nothing_wrong_and_its_baselines_stay():
    named = {metric.name: metric for metric in CHECKED}
    assert named["CRAG"].failed(case("no")) == named["CRAG"].failed(case("yes", "28")) == (0.0,)
    assert named["CRAG"].failed(case("yes")) == NO_GOLD
    assert named["CRAG_refuse_all"].failed(case("no")) == (1.0,)
    assert named["CRAG_answer_all"].failed(case("no")) == (-1.0,)


# ------------------------------------------------------------------ groundedness


def test_groundedness_is_the_share_of_claims_that_their_quotes_carry():
    true, false = "Employees get 28 days of leave.", "Employees get 31 days of leave."
    assert groundedness(said(true)) == 1.0
    assert groundedness(said(true, false)) == 0.5
    assert groundedness(said(false)) == 0.0


def test_a_quote_that_its_passage_does_not_hold_proves_nothing():
    shifted = said("mployees get 28 days of leave. ", quote="mployees get 28 days of leave. ")
    assert groundedness(shifted) == 0.0
    invented = said("Employees get 35 days of leave.", quote="Employees get 35 days of leave.")
    assert groundedness(invented) == 0.0


def test_claims_that_cite_nothing_and_answers_without_claims_are_not_grounded():
    bare = Response(outcome="answered", answer="28", claims=(Statement("28 days", ()), Statement("x", (7,))))
    assert groundedness(bare) == groundedness(Response(outcome="answered", answer="28 days")) == 0.0


def test_a_whole_table_row_may_be_short_as_it_may_when_the_answer_is_made():
    table = "Country | Days\nMalta | 27\nFrance | 25"
    row = "Malta | 27"
    plain = Span("hr/leave", 15, 25, row, table)
    in_row = Span("hr/leave", 15, 25, row, table, (("sheet", "Leave"), ("row", "2")))
    claims = (Statement(row, (0,)),)
    assert groundedness(Response(outcome="answered", claims=claims, citations=(in_row,))) == 1.0
    assert groundedness(Response(outcome="answered", claims=claims, citations=(plain,))) == 0.0


def test_a_quote_is_looked_for_where_it_was_cited():
    # The same words stand twice; behind "does not say that" they are beheaded.
    quote = "employees get ten days of leave"
    passage = f"The old rule never said that {quote}. Now {quote}."
    second = passage.rindex(quote)
    response = Response(
        outcome="answered",
        claims=(Statement(quote, (0,)),),
        citations=(Span("hr/leave", 500 + second, 500 + second + len(quote), quote, passage),),
        ranking=(Ranked("hr/leave", 1.0, "c", 500, 500 + len(passage), "", passage),),
    )
    assert groundedness(response) == 1.0


def test_groundedness_leaves_out_what_was_not_answered():
    metric = CHECKED[0]
    assert metric.take(case(), REFUSED) == NOT_ANSWERED
    assert metric.take(case(), Response()) == NO_ANSWER
    assert metric.take(case(), said("Employees get 28 days of leave.")) == (1.0,)
    assert metric.failed(case()) == (0.0,)
