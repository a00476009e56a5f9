"""Two systems are told apart when they differ, are not when they do not, and only on shared questions."""

from dataclasses import replace
from math import isfinite, nan

import numpy as np
import pytest

from evals.cases import Case
from evals.comparison import changed, compare
from evals.errors import NotComparable, UnknownMetric, UnknownSystem
from evals.results import EvalRun, Row, Setup

METRICS = ("nDCG@10", "latency_ms", "refusal_F1")
BOTH = ("hybrid", "hybrid")


def case(number, **changes):
    return Case(id=f"q{number:02}", question=f"question {number}?", **changes)


def run(numbers, *, cases=None, **changes):
    """Rows of ``hybrid`` with these nDCG@10 by case number; a dict gives numbers by metric."""
    cases = tuple(cases or (case(number) for number in range(len(numbers))))
    rows = tuple(
        Row("hybrid", one.id, number if isinstance(number, dict) else {"nDCG@10": (number,)})
        for one, number in zip(cases, numbers, strict=True)
    )
    setup = Setup(
        run="r-1", created="2026-11-22T00:00:00Z", dataset="questions.jsonl", kind="questions",
        digest="0" * 64, questions=len(cases), fold=None, limit=None, seed=None, systems=("hybrid",),
        metrics=METRICS, config={}, config_digest="", generation="g-1", version="0",
        actor=("user:mia",), status="done",
    )  # fmt: skip
    return EvalRun(replace(setup, **changes), cases, rows)


def drawn(count=60, seed=0):
    return np.random.default_rng(seed).uniform(0.2, 0.7, count).round(3).tolist()


def only(found):
    assert len(found) == 1
    return found[0]


def test_a_system_against_itself_cannot_be_told_apart():
    same = run(drawn())
    found = only(compare(same, same, systems=[BOTH]))
    assert (found.difference, found.low, found.high, found.p) == (0, 0, 0, 1)
    assert (found.verdict, found.n, found.slice) == ("not_distinguishable", 60, "")


def test_better_and_worse_are_told_from_a_to_b():
    before, after = drawn(), [value + 0.05 + value % 0.1 for value in drawn()]
    better = only(compare(run(before), run(after), systems=[BOTH]))
    worse = only(compare(run(after), run(before), systems=[BOTH]))
    assert (better.verdict, worse.verdict) == ("better", "worse")
    assert better.difference == pytest.approx(np.mean(after) - np.mean(before))
    assert better.low > 0 > worse.high
    assert better.b_value - better.a_value == pytest.approx(better.difference)
    assert better.p < 0.05


def test_where_lower_is_better_a_rise_is_worse():
    before = run([{"latency_ms": (value,)} for value in drawn()])
    after = run([{"latency_ms": (value * 2,)} for value in drawn()])
    found = only(compare(before, after, systems=[BOTH], metrics=["latency_ms"]))
    assert found.difference > 0
    assert found.verdict == "worse"


def test_noise_is_not_a_verdict_and_the_smallest_visible_difference_is_told():
    draw = np.random.default_rng(4)
    after = [value + noise for value, noise in zip(drawn(), draw.normal(0, 0.1, 60), strict=True)]
    found = only(compare(run(drawn()), run(after), systems=[BOTH]))
    assert found.verdict == "not_distinguishable"
    assert 0.02 < found.detectable < 0.06


def test_two_systems_of_one_run_are_compared_in_it():
    one = run(drawn(), systems=("hybrid", "lexical"))
    lexical = tuple(replace(row, system="lexical", numbers={"nDCG@10": (0.1,)}) for row in one.rows)
    both = replace(one, rows=one.rows + lexical)
    found = only(compare(both, both, systems=[("lexical", "hybrid")]))
    assert (found.a, found.b, found.verdict) == ("lexical", "hybrid", "better")


def test_only_questions_that_both_asked_and_counted_are_compared():
    a, b = run(drawn(20)), run([*drawn(20)[:10], *[value + 0.1 for value in drawn(20)[10:]]])
    asked_otherwise = replace(b.cases[0], question="another question?")
    b = replace(
        b,
        cases=(asked_otherwise, *b.cases[1:-1]),  # q00 is another question, q19 was not drawn
        rows=(*b.rows[:-1], Row("lexical", "q19", {})),
        setup=replace(b.setup, excluded={"q01": "its gold has left the source"}),
    )
    a = replace(a, rows=(*a.rows[:2], replace(a.rows[2], numbers={"nDCG@10": (nan,)}), *a.rows[3:]))
    found = only(compare(a, b, systems=[BOTH]))
    assert found.n == 16
    assert found.difference == pytest.approx(0.1 * 9 / 16)


def test_other_data_and_nothing_shared_are_not_compared():
    a = run(drawn(10))
    with pytest.raises(NotComparable, match="other data"):
        compare(a, run(drawn(10), digest="1" * 64), systems=[BOTH])
    elsewhere = run(drawn(10), cases=[case(number) for number in range(50, 60)])
    with pytest.raises(NotComparable, match="no question in common"):
        compare(a, elsewhere, systems=[BOTH])


def test_unknown_systems_and_metrics_are_named():
    a = run(drawn(10))
    with pytest.raises(UnknownSystem, match="dense"):
        compare(a, a, systems=[("hybrid", "dense")])
    with pytest.raises(UnknownMetric, match="MAP"):
        compare(a, a, systems=[BOTH], metrics=["MAP"])
    with pytest.raises(UnknownMetric, match="nonsense"):
        compare(a, a, systems=[BOTH], metrics=["nonsense"])


def test_a_metric_that_one_run_lacks_is_left_alone():
    a, b = run(drawn(10)), run(drawn(10), metrics=("refusal_F1", "nDCG@10"))
    assert [one.metric for one in compare(a, b, systems=[BOTH])] == ["nDCG@10"]
    assert compare(a, b, systems=[BOTH], metrics=["refusal_F1"]) == ()


def both_sides(count, gains, *, exactly=False):
    """Two runs with a gain for each metric, lost in noise or not; ``exactly``: the noise's mean is 0."""
    draw = np.random.default_rng(1)
    noise = draw.normal(0, 0.1, (count, len(gains)))
    noise -= noise.mean(0) * exactly
    cases = [case(number, source="hr" if number % 2 else "it") for number in range(count)]
    left = [{name: (draw.uniform(0.2, 0.7),) for name in gains} for _ in cases]
    right = [
        {
            name: (left[row][name][0] + gain + noise[row, place],)
            for place, (name, gain) in enumerate(gains.items())
        }
        for row in range(count)
    ]
    return run(left, cases=cases, metrics=tuple(gains)), run(right, cases=cases, metrics=tuple(gains))


def test_p_values_of_a_pair_are_adjusted_together_and_slices_apart():
    gains = {"nDCG@10": 0.05, "MAP": 0.0, "R@100": 0.0, "P@5": 0.0, "Success@5": 0.0, "MRR@10": 0.0}
    a, b = both_sides(60, gains, exactly=True)
    alone = only(compare(a, b, systems=[BOTH], metrics=["nDCG@10"], sliced=False))
    together = {one.metric: one for one in compare(a, b, systems=[BOTH], sliced=False)}
    assert together["nDCG@10"].p == pytest.approx(6 * alone.p)
    with_slices = compare(a, b, systems=[BOTH])
    assert [one for one in with_slices if not one.slice] == list(together.values())
    parts = [one for one in with_slices if one.slice]
    assert {one.slice for one in parts} == {"source:hr", "source:it"}
    assert len(parts) == 12
    least = min(parts, key=lambda one: one.p)
    assert least.p == pytest.approx(
        min(1.0, 12 * _alone(a, b, least.metric, "hr" if least.slice.endswith("hr") else "it"))
    )


def _alone(a, b, metric, source):
    """The p-value of one metric on one source, adjusted for nothing."""
    sides = []
    for side in (a, b):
        names = {one.id for one in side.cases if one.source == source}
        cases = tuple(one for one in side.cases if one.id in names)
        sides.append(replace(side, cases=cases, rows=tuple(one for one in side.rows if one.case in names)))
    return only(compare(*sides, systems=[BOTH], metrics=[metric], sliced=False)).p


def test_what_is_better_alone_need_not_be_among_many():
    gains = {"nDCG@10": 0.031, "MAP": 0.0, "R@100": 0.0, "P@5": 0.0, "Success@5": 0.0, "MRR@10": 0.0}
    a, b = both_sides(60, gains, exactly=True)
    alone = only(compare(a, b, systems=[BOTH], metrics=["nDCG@10"], sliced=False))
    together = compare(a, b, systems=[BOTH], sliced=False)[0]
    assert (alone.verdict, together.verdict) == ("better", "not_distinguishable")
    assert together.low == alone.low > 0  # the interval is one metric's own


def test_what_is_equal_in_every_case_takes_no_place_among_the_others():
    before = [{"nDCG@10": (value,)} for value in drawn()]
    after = [{"nDCG@10": (one["nDCG@10"][0] + 0.01 * (at % 5 - 1),)} for at, one in enumerate(before)]
    beside = ["MAP", "P@5", "R@100", "Success@5"]
    same = (
        [one | dict.fromkeys(beside, (0.5,)) for one in before],
        [one | dict.fromkeys(beside, (0.5,)) for one in after],
    )
    alone = only(compare(run(before), run(after), systems=[BOTH]))
    among = compare(
        run(same[0], metrics=("nDCG@10", *beside)), run(same[1], metrics=("nDCG@10", *beside)), systems=[BOTH]
    )
    assert {one.metric: one.p for one in among} == {"nDCG@10": alone.p, **dict.fromkeys(beside, 1.0)}
    assert alone.p < 0.05


def test_costs_are_compared_only_when_they_are_named():
    slow, fast = ([{"latency_ms": (ms,), "nDCG@10": (0.5,)} for ms in [by] * 40] for by in (90.0, 9.0))
    assert [one.metric for one in compare(run(fast), run(slow), systems=[BOTH])] == ["nDCG@10"]
    named = only(compare(run(fast), run(slow), systems=[BOTH], metrics=["latency_ms"]))
    assert named.verdict == "worse"


def test_pairs_of_systems_are_families_of_their_own():
    a, b = both_sides(40, {"nDCG@10": 0.03, "MAP": 0.0})
    one = compare(a, b, systems=[BOTH], sliced=False)
    assert compare(a, b, systems=[BOTH, BOTH], sliced=False) == one + one


def test_a_slice_with_fewer_than_five_numbers_is_not_told():
    cases = [case(number, tags=("pdf",) if number < 6 else ()) for number in range(20)]
    numbers = [{} if number < 2 else {"nDCG@10": (number / 20,)} for number in range(20)]
    a = run(numbers, cases=cases)
    assert [one.slice for one in compare(a, a, systems=[BOTH])] == [""]


def test_a_figure_that_is_not_defined_is_not_tested():
    # Nothing was refused and nothing was to be: F1 is 0 by 0.
    a = run([{"refusal_F1": (0.0, 0.0)}] * 10)
    found = only(compare(a, a, systems=[BOTH], metrics=["refusal_F1"]))
    assert found.p is None
    assert not isfinite(found.difference)
    assert found.verdict == "not_distinguishable"


def test_what_changed_most_comes_first_and_ties_go_by_id():
    backwards = [case(number) for number in range(5, -1, -1)]
    a = run([0.5, 0.5, 0.5, 0.5, 0.5, 0.5], cases=backwards)
    b = run([0.4, nan, 0.9, 0.1, 0.6, 0.5], cases=backwards)
    found = changed(a, b, systems=BOTH, metric="nDCG@10")
    assert [(one.case.id, round(one.difference, 6)) for one in found] == [
        ("q02", -0.4),
        ("q03", 0.4),
        ("q01", 0.1),
        ("q05", -0.1),
    ]
    assert found[0].a is a.rows[3]
    assert found[0].b is b.rows[3]
    assert changed(a, b, systems=BOTH, metric="nDCG@10", count=1) == found[:1]


def test_a_case_of_a_set_metric_moved_as_far_as_it_moves_the_figure():
    # Each pair says whether the question is unanswerable and whether it was refused.
    a = run([{"refusal_F1": pair} for pair in [(1.0, 1.0), (1.0, 0.0), (0.0, 0.0), (0.0, 1.0)]])
    b = run([{"refusal_F1": pair} for pair in [(1.0, 1.0), (1.0, 1.0), (0.0, 0.0), (0.0, 0.0)]])
    found = changed(a, b, systems=BOTH, metric="refusal_F1")
    # A: 2 * 1 / (2 + 2); with q01 refused 2 * 2 / (2 + 3), with q03 not refused 2 * 1 / (2 + 1).
    assert [(one.case.id, one.difference) for one in found] == [
        ("q01", pytest.approx(0.8 - 0.5)),
        ("q03", pytest.approx(2 / 3 - 0.5)),
    ]
