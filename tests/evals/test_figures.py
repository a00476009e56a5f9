"""Figures count every case once: in the value, as failed, as no number, or as left out with its reason."""

from math import isnan, nan

import pytest

from evals.cases import Case
from evals.errors import UnknownMetric
from evals.figures import column, eligible, figures, slices
from evals.metrics import parse
from evals.results import EvalRun, Row, Setup

METRICS = ("nDCG@10", "refusal_F1")


def case(number, **changes):
    return Case(id=f"q{number}", question=f"question {number}?", **changes)


def row(number, numbers=None, **changes):
    return Row("hybrid", f"q{number}", numbers or {}, **changes)


def run(cases, rows, *, metrics=METRICS, excluded=None):
    setup = Setup(
        run="r-1", created="2026-11-22T00:00:00Z", dataset="questions.jsonl", kind="questions",
        digest="0" * 64, questions=len(cases), fold=None, limit=None, seed=None, systems=("hybrid",),
        metrics=metrics, config={}, config_digest="", generation="g-1", version="0",
        actor=("user:mia",), excluded=excluded or {},
        status="done",
    )  # fmt: skip
    return EvalRun(setup, tuple(cases), tuple(rows))


def test_each_case_is_counted_in_one_place():
    cases = [case(number) for number in range(7)]
    rows = [
        row(0, {"nDCG@10": (1.0,)}),
        row(1, {"nDCG@10": (0.5,)}),
        row(2, {"nDCG@10": (0.0,)}, error="TimeoutError: too late"),
        row(3, {"nDCG@10": (nan,)}),
        row(4, left_out={"nDCG@10": "no judgement"}),
        row(5),
    ]
    found = figures(run(cases, rows), "hybrid")["nDCG@10"]
    assert found.value == pytest.approx(0.5)
    assert (found.n, found.failed, found.nan) == (3, 1, 1)
    assert found.left_out == {"no judgement": 1, "was not asked": 1, "was not measured": 1}
    assert found.n + found.nan + sum(found.left_out.values()) == len(cases)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_a_failure_lowers_the_figure_and_a_nan_does_not_touch_it():
    good = [row(number, {"nDCG@10": (1.0,)}) for number in range(9)]
    cases = [case(number) for number in range(10)]
    failed = figures(run(cases, [*good, row(9, {"nDCG@10": (0.0,)}, error="OSError")]), "hybrid")
    no_number = figures(run(cases, [*good, row(9, {"nDCG@10": (nan,)})]), "hybrid")
    assert failed["nDCG@10"].value == pytest.approx(0.9)
    assert no_number["nDCG@10"].value == 1.0


def test_excluded_and_unreviewed_cases_never_count():
    cases = [case(0), case(1), case(2, reviewed=False)]
    rows = [row(number, {"nDCG@10": (number / 2,)}) for number in range(3)]
    held = run(cases, rows, excluded={"q1": "its gold has left the source"})
    assert [each.id for each in eligible(held)] == ["q0"]
    found = figures(held, "hybrid")["nDCG@10"]
    assert (found.n, found.value, dict(found.left_out)) == (1, 0.0, {})


def test_rows_of_another_system_are_not_looked_at():
    rows = [row(0, {"nDCG@10": (1.0,)}), Row("lexical", "q0", {"nDCG@10": (0.0,)})]
    assert figures(run([case(0)], rows), "hybrid")["nDCG@10"].value == 1.0


def test_a_set_metric_is_computed_over_the_cases_and_not_averaged():
    # Whether it is unanswerable, and was refused: two of three refusals were due, two of four were missed.
    decisions = [(1.0, 1.0), (1.0, 1.0), (0.0, 1.0), (1.0, 0.0), (1.0, 0.0), (0.0, 0.0)]
    cases = [case(number) for number in range(len(decisions))]
    rows = [row(number, {"refusal_F1": pair}) for number, pair in enumerate(decisions)]
    found = figures(run(cases, rows), "hybrid")["refusal_F1"]
    assert found.value == pytest.approx(2 * (2 / 3) * (1 / 2) / (2 / 3 + 1 / 2))
    assert found.low <= found.value <= found.high


def test_nothing_that_counts_is_no_figure():
    found = figures(run([case(0)], []), "hybrid")
    assert set(found) == set(METRICS)
    for figure in found.values():
        assert figure.n == 0
        assert all(map(isnan, (figure.value, figure.low, figure.high)))
        assert figure.left_out == {"was not asked": 1}


def test_where_takes_a_part_of_the_cases():
    cases = [case(number, source="hr" if number < 5 else "it") for number in range(10)]
    rows = [row(number, {"nDCG@10": (1.0 if number < 5 else 0.0,)}) for number in range(10)]
    held = run(cases, rows)
    values = {name: figures(held, "hybrid", where=where)["nDCG@10"] for name, where in slices(cases).items()}
    assert {name: (one.value, one.n) for name, one in values.items()} == {
        "source:hr": (1.0, 5),
        "source:it": (0.0, 5),
    }


def test_slices_have_five_cases_and_not_all_of_them():
    cases = [
        case(
            number, source="hr", answerable="no" if number < 6 else "yes", tags=("all", "pdf") * (number < 5)
        )
        for number in range(10)
    ]
    assert list(slices(cases)) == ["answerable:no", "tag:all", "tag:pdf"]
    assert slices([]) == {}


def test_the_same_run_gives_the_same_figures():
    cases = [case(number) for number in range(30)]
    rows = [row(number, {"nDCG@10": (number % 7 / 7,)}) for number in range(30)]
    # Resumed, its rows stand in another order.
    first = figures(run(cases, rows), "hybrid")["nDCG@10"]
    assert figures(run(cases, rows[::-1]), "hybrid")["nDCG@10"] == first


def test_a_metric_that_is_not_known_is_refused():
    with pytest.raises(UnknownMetric):
        figures(run([case(0)], [], metrics=("nonsense",)), "hybrid")


def test_numbers_come_as_rows_in_the_order_asked_for():
    (metric,) = parse(["refusal_F1"])
    rows = {f"q{number}": row(number, {"refusal_F1": (1.0, float(number))}) for number in range(3)}
    taken = column(rows, [case(number) for number in range(3)], metric)
    assert taken.of(["q2", "q0"]).tolist() == [[1.0, 2.0], [1.0, 0.0]]
    assert taken.of([]).shape == (0, 2)
