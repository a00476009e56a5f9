"""A gate passes what is not worse beyond its margin, stops what is, and says when it cannot tell."""

from dataclasses import replace
from math import nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.cases import Case
from evals.errors import UnknownMetric, UnknownSystem
from evals.gating import Gate, decide
from evals.results import EvalRun, Row, Setup

GATE = Gate("nDCG@10", margin=0.02, min_questions=30)


def run(numbers, *, metric="nDCG@10", **changes):
    """Rows of ``hybrid`` with one number a case."""
    cases = tuple(Case(id=f"q{number}", question=f"question {number}?") for number in range(len(numbers)))
    rows = tuple(
        Row("hybrid", one.id, {metric: (float(number),)}) for one, number in zip(cases, numbers, strict=True)
    )
    setup = Setup(
        run="r-1", created="2026-11-22T00:00:00Z", dataset="questions.jsonl", kind="questions",
        digest="0" * 64, questions=len(cases), fold=None, limit=None, seed=None, systems=("hybrid",),
        metrics=(metric,), config={}, config_digest="", generation="g-1", version="0",
        actor=("user:mia",), status="done",
    )  # fmt: skip
    return EvalRun(replace(setup, **changes), cases, rows)


def drawn(count=100):
    return np.random.default_rng(0).uniform(0.3, 0.7, count)


def noise(count=100, spread=0.02):
    """Noise whose mean is exactly 0."""
    values = np.random.default_rng(1).normal(0, spread, count)
    return values - values.mean()


def check(before, after, gate=GATE):
    return decide(run(before), run(after), gate, system="hybrid")


def test_the_same_answers_pass_even_without_a_margin():
    found = check(drawn(), drawn(), Gate("nDCG@10", margin=0.0))
    assert (found.status, found.difference, found.low, found.high) == ("passed", 0, 0, 0)


def test_a_small_loss_within_the_margin_passes():
    found = check(drawn(), drawn() - 0.005 + noise())
    assert found.status == "passed"
    assert found.difference == pytest.approx(-0.005)
    assert found.low >= -0.02


def test_a_loss_of_exactly_the_margin_passes():
    assert check(drawn(), drawn() - 0.02).status == "passed"


def test_a_gain_passes():
    assert check(drawn(), drawn() + 0.1 + noise()).status == "passed"


def test_a_loss_beyond_the_margin_fails():
    found = check(drawn(), drawn() - 0.1 + noise())
    assert found.status == "failed"
    assert found.high < 0
    assert "worse" in found.reason


def test_a_loss_that_may_or_may_not_be_beyond_the_margin_cannot_be_told():
    # Surely worse, but perhaps not by 0.02; and beyond 0.02, but perhaps by chance.
    assert check(drawn(), drawn() - 0.018 + noise()).status == "inconclusive"
    found = check(drawn(), drawn() - 0.03 + noise(spread=0.3))
    assert found.status == "inconclusive"
    assert found.low < -0.02 < 0 < found.high
    assert "cannot tell" in found.reason


def test_where_lower_is_better_the_signs_turn_and_the_figures_stay():
    gate = Gate("latency_ms", margin=5.0)
    before = run(drawn() * 100, metric="latency_ms")
    slower = decide(before, run(drawn() * 100 + 20 + noise(), metric="latency_ms"), gate, system="hybrid")
    quicker = decide(before, run(drawn() * 100 - 20 + noise(), metric="latency_ms"), gate, system="hybrid")
    assert (slower.status, quicker.status) == ("failed", "passed")
    assert slower.difference == pytest.approx(20)
    assert slower.low < slower.difference < slower.high


@given(st.floats(-0.2, 0.2), st.floats(0, 0.1), st.floats(0, 0.1))
def test_a_wider_margin_never_stops_what_a_narrower_one_let_through(shift, margin, more):
    after = drawn(40) + shift + noise(40, 0.05)
    narrow = check(drawn(40), after, Gate("nDCG@10", margin, 30))
    wide = check(drawn(40), after, Gate("nDCG@10", margin + more, 30))
    rank = {"failed": 0, "inconclusive": 1, "passed": 2}
    assert rank[wide.status] >= rank[narrow.status]
    if narrow.status == "passed":
        assert narrow.low >= -margin - 1e-9
    if narrow.status == "failed":
        assert narrow.difference < -margin
        assert narrow.high < 0


def test_without_a_baseline_nothing_is_decided():
    found = decide(None, run(drawn()), GATE, system="hybrid")
    assert (found.status, found.baseline, found.difference) == ("inconclusive", None, None)
    assert "no baseline" in found.reason


def test_other_data_and_other_questions_decide_nothing():
    other = decide(run(drawn(), digest="1" * 64), run(drawn()), GATE, system="hybrid")
    assert other.status == "inconclusive"
    assert "other data" in other.reason
    elsewhere = run(drawn())
    elsewhere = replace(elsewhere, cases=tuple(replace(one, id=f"x{one.id}") for one in elsewhere.cases))
    assert decide(elsewhere, run(drawn()), GATE, system="hybrid").status == "inconclusive"


def test_a_baseline_that_measured_something_else_decides_nothing():
    for baseline in (run(drawn(), metric="MAP"), run(drawn(), systems=("lexical",))):
        found = decide(baseline, run(drawn()), GATE, system="hybrid")
        assert found.status == "inconclusive"
        assert "has not measured" in found.reason


def test_too_few_questions_decide_nothing_and_are_counted():
    found = check(drawn(29), drawn(29) - 0.3)
    assert found.status == "inconclusive"
    assert found.difference == pytest.approx(-0.3)
    assert "29" in found.reason
    assert "30" in found.reason
    assert check(drawn(1), drawn(1), Gate("nDCG@10", 0.02, 2)).status == "inconclusive"
    assert check([], [], Gate("nDCG@10", 0.02, 0)).status == "inconclusive"


def test_questions_whose_gold_has_left_do_not_count_in_either_run():
    after = drawn()
    after[:10] = 0  # they cannot find what is no longer there
    gone = {f"q{number}": "its gold has left the source" for number in range(10)}
    candidate = run(after, excluded=gone)
    assert decide(run(drawn()), candidate, GATE, system="hybrid").difference == 0
    assert (
        decide(replace(candidate, rows=run(drawn()).rows), run(after), GATE, system="hybrid").difference == 0
    )
    few = decide(run(drawn()), candidate, Gate("nDCG@10", 0.02, 91), system="hybrid")
    assert few.status == "inconclusive"


def test_what_is_no_number_decides_nothing():
    after = drawn()
    after[3] = nan
    found = check(drawn(), after)
    assert found.status == "inconclusive"
    assert "NaN" in found.reason
    assert check(after, drawn()).status == "inconclusive"


def test_an_unfinished_run_decides_nothing():
    candidate = run(drawn())
    found = decide(run(drawn()), replace(candidate, rows=candidate.rows[:60]), GATE, system="hybrid")
    assert found.status == "inconclusive"
    assert "40" in found.reason


def test_a_figure_that_is_not_defined_decides_nothing():
    # Never refused and never to be refused.
    cases = run(drawn(), metric="refusal_F1")
    rows = tuple(replace(row, numbers={"refusal_F1": (0.0, 0.0)}) for row in cases.rows)
    same = replace(cases, rows=rows)
    found = decide(same, same, Gate("refusal_F1"), system="hybrid")
    assert (found.status, found.candidate) == ("inconclusive", None)
    assert "not defined" in found.reason


def test_what_the_candidate_has_not_measured_is_a_mistake():
    with pytest.raises(UnknownMetric, match="MAP"):
        decide(None, run(drawn()), Gate("MAP"), system="hybrid")
    with pytest.raises(UnknownSystem, match="dense"):
        decide(None, run(drawn()), GATE, system="dense")


def test_the_reason_holds_the_figures():
    found = check(drawn(), drawn() - 0.1 + noise())
    for value in (found.baseline, found.candidate, found.difference, found.low, found.high):
        assert f"{value:.4g}" in found.reason
    assert "0.02" in found.reason
    assert "100 questions" in found.reason
