"""The vocabulary: every name is known, declared whole, and takes as many numbers whatever happens."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.cases import Case, GoldQuote, Ranked, Response, Span, Statement
from evals.errors import UnknownMetric
from evals.measures import mean
from evals.metrics import ANSWERS, COSTS, REFUSALS, RETRIEVAL, ROUTING, failed_all, parse, take_all

ALL = [*RETRIEVAL, *ANSWERS, *REFUSALS, *ROUTING, *COSTS]
QUOTE = "Employees get 28 days of leave."

cases = st.builds(
    Case,
    id=st.just("q"),
    question=st.just("How many days?"),
    answerable=st.sampled_from([None, "yes", "no", "partial", "underspecified"]),
    judgements=st.sampled_from([None, {}, {"hr/leave": 2}, {"hr/leave": 0}]),
    quotes=st.sampled_from([None, (), (GoldQuote("hr/leave", "28 days of leave"),)]),
    answer=st.sampled_from([None, "", "28 days"]),
    source=st.sampled_from([None, "hr"]),
)
responses = st.builds(
    Response,
    ranking=st.sampled_from([(), (Ranked("it/vpn", 1.0), Ranked("hr/leave", 0.5))]),
    outcome=st.sampled_from([None, "answered", "partial", "conflicting", "not_found", "blocked"]),
    claims=st.sampled_from([(), (Statement(QUOTE, (0,)),), (Statement("No.", (3,)),)]),
    citations=st.sampled_from([(), (Span("hr/leave", 0, len(QUOTE), QUOTE, QUOTE),)]),
    confidence=st.sampled_from([None, 0.0, 0.7]),
    sources=st.sampled_from([None, (), ("hr",), ("hr", "it")]),
    timings_ms=st.sampled_from([{}, {"total": 12.5}]),
)


def test_the_names_are_the_pinned_ones():
    assert RETRIEVAL == ("nDCG@10", "R@100", "MRR@10", "P@5", "Success@5", "MAP")
    assert set(ANSWERS) == {
        *("exact_match", "token_F1", "ROUGE-L", "groundedness", "CRAG", "CRAG_refuse_all", "CRAG_answer_all"),
        *(
            f"citation_{share}@{at}"
            for share in ("precision", "recall")
            for at in ("document", "anchor", "span")
        ),
    }
    assert set(REFUSALS) == {
        *("refusal_precision", "refusal_recall", "refusal_F1", "AUROC", "AURC", "outcome_accuracy"),
    }
    assert ROUTING == (
        "route_accuracy", "route_top1", "route_recall", "route_searched", "route_macro_F1", "route_regret",
    )  # fmt: skip
    assert COSTS == ("cost_usd", "tokens", "latency_ms")


def test_names_keep_their_order_and_a_repeated_one_counts_once():
    assert [metric.name for metric in parse(["MAP", " CRAG ", "RR@10", "MAP"])] == ["MAP", "CRAG", "RR@10"]
    assert parse([]) == ()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ndcg@10", "did you mean nDCG@10?"),
        ("auroc", "did you mean AUROC?"),
        ("token_f1", "did you mean token_F1?"),
        ("groundednes", "did you mean groundedness?"),
        ("", "known are"),
        ("P", "cutoff"),
        ("nDCG@0", "1 or more"),
        ("ERR@10", "ir-measures knows the name"),
    ],
)
def test_an_unknown_name_is_refused_with_what_may_be_meant(name, hint):
    with pytest.raises(UnknownMetric) as caught:
        parse([name])
    assert hint in caught.value.hint
    assert repr(name) in str(caught.value)


@given(cases, responses)
def test_a_metric_takes_as_many_numbers_of_every_case_or_says_why_not(case, response):
    metrics = parse(ALL)
    taken, failed = take_all(metrics, case, response), failed_all(metrics, case)
    assert list(taken) == list(failed) == ALL
    widths = {
        metric.name: {len(n[metric.name]) for n in (taken, failed) if not isinstance(n[metric.name], str)}
        for metric in metrics
    }
    assert all(len(width) <= 1 for width in widths.values())
    for reason in [n for n in (*taken.values(), *failed.values()) if isinstance(n, str)]:
        assert reason
        assert reason == reason.strip()


@given(cases, responses)
def test_figures_stay_within_their_bounds(case, response):
    for metric in parse(ALL):
        for taken in (metric.take(case, response), metric.failed(case)):
            if not isinstance(taken, str):
                figure = metric.combine(np.array([taken, taken]))
                assert math.isnan(figure) or metric.bounds[0] <= figure <= metric.bounds[1], metric.name
                assert metric.mean == (metric.combine is mean)


@given(cases, responses)
def test_what_fails_leaves_a_case_out_for_the_same_lack_of_gold(case, response):
    metrics = [metric for metric in parse(ALL) if metric.kind not in ("cost", "routing")]
    taken = take_all(metrics, case, response)
    for name, failed in failed_all(metrics, case).items():
        if isinstance(failed, str):
            assert isinstance(taken[name], str), name


def test_a_failure_of_a_system_that_only_retrieves_says_nothing_of_answers():
    case = Case("q", "?", answerable="yes", answer="28", judgements={"a": 1}, source="hr")
    metrics = parse(["MAP", "CRAG", "AUROC", "exact_match"])
    assert failed_all(metrics, case) == {
        "MAP": (0.0,),
        "CRAG": (0.0,),
        "AUROC": (0.0, 1.0),
        "exact_match": (0.0,),
    }
    retrieving = failed_all(metrics, case, answers=False)
    assert retrieving == {
        "MAP": (0.0,),
        **dict.fromkeys(("CRAG", "AUROC", "exact_match"), "this system gives no answer"),
    }
    assert take_all(metrics[1:], case, Response()) == {
        n: retrieving[n] for n in ("CRAG", "AUROC", "exact_match")
    }


def test_costs_are_taken_as_they_are_and_less_is_better():
    response = Response(cost_usd=0.25, tokens=120, timings_ms={"search": 3.0, "total": 12.5})
    case = Case("q", "?")
    assert take_all(parse(COSTS), case, response) == {
        "cost_usd": (0.25,),
        "tokens": (120.0,),
        "latency_ms": (12.5,),
    }
    assert take_all(parse(COSTS), case, Response())["latency_ms"] == "no time was taken"
    assert set(failed_all(parse(COSTS), case).values()) == {"the case failed"}
    lower = {metric.name for metric in parse(ALL) if not metric.higher_is_better}
    assert lower == {*COSTS, "AURC", "route_regret", "route_searched"}
