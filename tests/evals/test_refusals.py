"""Refusal figures are what their definitions say, ties and all, and no failure flatters them."""

import math
from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.answers import NEITHER
from evals.cases import Case, Response
from evals.citations import NO_ANSWER
from evals.metrics import REFUSALS, parse
from evals.refusals import NO_CONFIDENCE, UNKNOWN, auroc, confusion, risk_coverage
from evals.results import Row

METRICS = {metric.name: metric for metric in parse(REFUSALS)}
levels = st.sampled_from([0.0, 0.1, 0.5, 0.5001, 0.9, 1.0])
judged = st.lists(st.tuples(levels, st.booleans()), min_size=1, max_size=5)


def case(answerable, key="q"):
    return Case(key, "What?", answerable=answerable, answer="28 days")


def answered(confidence=0.8, text="28 days"):
    return Response(outcome="answered", answer=text, confidence=confidence)


def refused(confidence=0.2, outcome="not_found", reason="low_confidence"):
    return Response(outcome=outcome, reason=reason, confidence=confidence)


def figure(name, *pairs):
    """The figure of (answerable, response) pairs; a response None is a case that failed."""
    metric = METRICS[name]
    taken = [
        metric.failed(case(gold)) if response is None else metric.take(case(gold), response)
        for gold, response in pairs
    ]
    return metric.combine(
        np.array([numbers for numbers in taken if not isinstance(numbers, str)]).reshape(
            -1, 3 if name == "AURC" else 2
        )
    )


# ------------------------------------------------------------------ decisions


def test_precision_recall_and_f1_are_of_refusals():
    pairs = [
        ("no", refused()),
        ("no", refused()),
        ("no", answered()),
        ("yes", refused()),
        ("yes", answered()),
    ]
    assert figure("refusal_precision", *pairs) == pytest.approx(2 / 3)
    assert figure("refusal_recall", *pairs) == pytest.approx(2 / 3)
    assert figure("refusal_F1", *pairs) == pytest.approx(2 / 3)
    assert figure("refusal_recall", ("no", refused(outcome="blocked"))) == 1.0


def test_what_is_not_defined_is_nan():
    assert math.isnan(figure("refusal_precision", ("yes", answered()), ("no", answered())))
    assert math.isnan(figure("refusal_recall", ("yes", answered())))
    assert math.isnan(figure("refusal_F1", ("yes", answered())))
    assert math.isnan(figure("AUROC", ("yes", answered()), ("yes", refused())))
    assert math.isnan(figure("AURC", ("yes", refused())))
    assert all(math.isnan(figure(name)) for name in REFUSALS if not METRICS[name].mean)


def test_a_failure_is_the_wrong_decision():
    right = [("no", refused()), ("yes", answered())] * 3
    for name in ("refusal_precision", "refusal_recall", "refusal_F1", "AUROC"):
        assert figure(name, *right) == 1.0
        for gold in ("yes", "no"):
            if (name, gold) not in {("refusal_precision", "no"), ("refusal_recall", "yes")}:
                assert figure(name, *right, (gold, None)) < 1.0
    assert figure("AURC", *right) == 0.0
    assert figure("AURC", *right, ("yes", None)) > 0.0


@pytest.mark.parametrize("gold", ["partial", "underspecified", None])
def test_only_cases_that_can_or_cannot_be_answered_count(gold):
    for name in ("refusal_precision", "refusal_recall", "refusal_F1", "AUROC"):
        assert METRICS[name].take(case(gold), answered()) == NEITHER
        assert METRICS[name].failed(case(gold)) == NEITHER


def test_a_system_that_only_retrieves_or_knows_no_confidence_is_left_out():
    assert {metric.take(case("no"), Response()) for metric in METRICS.values()} == {NO_ANSWER}
    assert METRICS["AUROC"].take(case("no"), refused(None)) == NO_CONFIDENCE
    assert METRICS["AURC"].take(case("no"), refused(None)) == NO_CONFIDENCE


@pytest.mark.parametrize(
    ("gold", "response", "value"),
    [
        ("yes", answered(), 1.0),
        ("yes", refused(), 0.0),
        ("yes", Response(outcome="partial"), 0.0),
        ("no", refused(), 1.0),
        ("no", refused(outcome="blocked"), 1.0),
        ("no", answered(), 0.0),
        ("partial", Response(outcome="partial"), 1.0),
        ("partial", answered(), 0.0),
        ("underspecified", refused(reason="underspecified"), 1.0),
        ("underspecified", refused(), 0.0),
    ],
)
def test_each_case_calls_for_one_outcome(gold, response, value):
    assert METRICS["outcome_accuracy"].take(case(gold), response) == (value,)
    assert METRICS["outcome_accuracy"].failed(case(gold)) == (0.0,)
    assert METRICS["outcome_accuracy"].take(case(None), response) == UNKNOWN


# ------------------------------------------------------------------ confidences


@given(judged)
def test_auroc_is_the_share_of_pairs_in_the_right_order(rows):
    ups = [score for score, positive in rows if positive]
    downs = [score for score, positive in rows if not positive]
    found = auroc(np.array([float(positive) for _, positive in rows]), np.array([score for score, _ in rows]))
    if ups and downs:
        pairs = [(up > down) + (up == down) / 2 for up in ups for down in downs]
        assert found == pytest.approx(sum(pairs) / len(pairs))
    else:
        assert math.isnan(found)


def test_a_low_confidence_on_what_cannot_be_answered_is_what_auroc_rewards():
    assert figure("AUROC", ("no", refused(0.1)), ("yes", answered(0.9))) == 1.0
    assert figure("AUROC", ("no", answered(0.9)), ("yes", refused(0.1))) == 0.0


def plain_area(correct):
    risks = [sum(not right for right in correct[:count]) / count for count in range(1, len(correct) + 1)]
    return sum(risks) / len(risks)


@given(judged)
def test_the_area_is_the_mean_risk_over_all_orders_of_ties(rows):
    orders = [
        plain_area([rows[at][1] for at in order])
        for order in permutations(range(len(rows)))
        if all(rows[one][0] >= rows[other][0] for one, other in pairwise(order))
    ]
    curve = risk_coverage([level for level, _ in rows], [right for _, right in rows])
    assert curve.area == pytest.approx(sum(orders) / len(orders))


@given(judged)
def test_each_point_of_the_curve_is_what_a_threshold_gives(rows):
    curve = risk_coverage([level for level, _ in rows], [right for _, right in rows])
    assert list(curve.thresholds) == sorted({level for level, _ in rows}, reverse=True)
    for threshold, coverage, risk in zip(curve.thresholds, curve.coverages, curve.risks, strict=True):
        kept = [right for level, right in rows if level >= threshold]
        assert coverage == pytest.approx(len(kept) / len(rows))
        assert risk == pytest.approx(kept.count(False) / len(kept))


def test_a_curve_without_cases_is_empty():
    curve = risk_coverage([], [])
    assert (curve.thresholds, curve.coverages, curve.risks) == ((), (), ())
    assert math.isnan(curve.area)


def test_refused_cases_are_in_no_place_of_the_curve():
    right, wrong = ("yes", answered(0.9)), ("yes", answered(0.5, "30 days"))
    assert figure("AURC", right, wrong) == pytest.approx((0 + 1 / 2) / 2)
    assert figure("AURC", right, wrong, ("yes", refused(0.7)), ("no", refused(0.95))) == pytest.approx(1 / 4)
    assert figure("AURC", right, ("no", answered(0.5))) == pytest.approx(1 / 4)


# ------------------------------------------------------------------ outcomes


def test_confusion_counts_every_case_once_by_gold_and_outcome():
    cases = [
        case("yes", "1"),
        case("no", "2"),
        case("no", "3"),
        case(None, "4"),
        case("yes", "5"),
        case("yes", "6"),
    ]
    cases.append(Case("7", "What?", answerable="yes", reviewed=False))
    rows = {
        "1": Row("hybrid", "1", {}, response=answered()),
        "2": Row("hybrid", "2", {}, response=refused()),
        "3": Row("hybrid", "3", {}, error="boom"),
        "4": Row("hybrid", "4", {}, response=refused(outcome="blocked")),
        "5": Row("hybrid", "5", {}, response=Response()),
        "7": Row("hybrid", "7", {}, response=answered()),
    }
    counts = confusion(cases, rows)
    found = {(gold, outcome): n for gold, row in counts.items() for outcome, n in row.items() if n}
    assert found == {
        ("yes", "answered"): 1,
        ("no", "not_found"): 1,
        ("no", "failed"): 1,
        ("unknown", "blocked"): 1,
    }
    assert list(counts["yes"]) == ["answered", "partial", "conflicting", "not_found", "blocked", "failed"]
