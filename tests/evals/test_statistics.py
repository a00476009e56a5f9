"""Intervals, tests and adjustments are right where the answer is known, and keep their word simulated."""

import importlib.util
import sys
from itertools import pairwise
from math import comb, isnan, nan, sqrt
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from evals.measures import Metric
from evals.statistics import Paired, detectable, holm, interval, paired


def nothing(*_):
    return (0.0,)


def mean_metric(**changes):
    return Metric("score", "retrieval", nothing, nothing, **changes)


def precision(numbers):
    """Right of those that were given; undefined when none was."""
    given = numbers[:, 1].sum()
    return float((numbers[:, 0] * numbers[:, 1]).sum() / given) if given else nan


MEAN = mean_metric()
TIME = mean_metric(bounds=(0.0, float("inf")), higher_is_better=False)
PRECISION = mean_metric(combine=precision, mean=False)
SLOW_MEAN = mean_metric(mean=False)  # the same figure, by the way of set metrics


def one_column(values):
    return np.array(values, dtype=np.float64).reshape(-1, 1)


scores = st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)), min_size=2, max_size=40)


@given(scores)
def test_exchanging_the_systems_turns_the_signs_and_nothing_else(pairs):
    a, b = (one_column(side) / 10 for side in zip(*pairs, strict=True))
    there, back = paired(MEAN, a, b), paired(MEAN, b, a)
    assert (-back.difference, -back.high, -back.low) == pytest.approx(
        (there.difference, there.low, there.high), abs=1e-12
    )
    assert back.p == there.p


@given(scores)
def test_intervals_hold_the_order_and_the_bounds(pairs):
    a, b = (one_column(side) / 10 for side in zip(*pairs, strict=True))
    low, high = interval(MEAN, a)
    assert 0 <= low <= high <= 1
    found = paired(MEAN, a, b)
    assert -1 <= found.low <= found.high <= 1
    assert 0 < found.p <= 1


def test_the_same_numbers_give_the_same_figures_and_another_seed_others():
    draw = np.random.default_rng(3)
    a, b = draw.random((60, 1)), draw.random((60, 1))
    assert paired(MEAN, a, b, seed=4) == paired(MEAN, a, b, seed=4)
    assert interval(MEAN, a, seed=4) == interval(MEAN, a, seed=4)
    assert interval(MEAN, a, seed=4) != interval(MEAN, a, seed=5)


@given(st.integers(1, 12), st.integers(0, 12))
def test_few_differences_of_one_size_are_tested_exactly_like_signs(losses, wins):
    # Equal steps: the permutation test is then the sign test, whose p is known.
    count = losses + wins
    assume(count <= 13)
    b = one_column([0.0] * losses + [1.0] * wins + [0.5])
    a = one_column([1.0] * losses + [0.0] * wins + [0.5])
    far = abs(wins - losses)
    wanted = sum(comb(count, k) for k in range(count + 1) if abs(2 * k - count) >= far) / 2**count
    assert paired(MEAN, a, b).p == pytest.approx(wanted)


@pytest.mark.parametrize("gain", [0.0, 0.03])
def test_many_differences_are_tested_as_scipy_tests_them(gain):
    from scipy.stats import permutation_test

    draw = np.random.default_rng(1)
    a = draw.random(70)
    b = a + gain + draw.normal(0, np.linspace(0.02, 0.25, 70))  # the later ones differ more
    reference = permutation_test(
        (b, a),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        n_resamples=9_999,
        vectorized=True,
        rng=7,
    )
    assert 0.02 < reference.pvalue < 0.98
    assert paired(MEAN, one_column(a), one_column(b)).p == pytest.approx(reference.pvalue, abs=0.025)


def test_intervals_agree_with_the_normal_ones_where_those_hold():
    draw = np.random.default_rng(2)
    values = draw.normal(0.5, 0.1, 2000)
    low, high = interval(MEAN, one_column(values))
    half = 1.96 * values.std(ddof=1) / sqrt(len(values))
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=half / 8)


@pytest.mark.parametrize("gain", [0.01, 0.05])
def test_a_set_metric_takes_the_same_way_as_a_mean(gain):
    draw = np.random.default_rng(5)
    a = draw.random((40, 1))
    b = np.clip(a + draw.normal(gain, 0.1, (40, 1)), 0, 1)
    quick, slow = paired(MEAN, a, b), paired(SLOW_MEAN, a, b)
    assert (slow.difference, slow.low, slow.high) == pytest.approx((quick.difference, quick.low, quick.high))
    assert slow.p == pytest.approx(quick.p, abs=0.1 * quick.p + 0.01)
    assert interval(SLOW_MEAN, a) == pytest.approx(interval(MEAN, a))
    assert detectable(SLOW_MEAN, a, b) == pytest.approx(detectable(MEAN, a, b), rel=0.1)


def test_a_set_metric_with_few_changes_is_tested_exactly():
    a = np.array([[1.0, 1.0]] * 20 + [[0.0, 1.0]] * 10)
    b = a.copy()
    b[20:25, 1] = 0.0  # five wrong ones are no longer given
    assert paired(PRECISION, a, b).p == pytest.approx(2 / 2**5)


def test_undefined_resamples_are_dropped_and_too_many_leave_no_interval():
    often = np.array([[1.0, 1.0]] * 3 + [[0.0, 1.0]] * 3 + [[1.0, 0.0]] * 4)
    low, high = interval(PRECISION, often)
    assert 0 <= low < 0.5 < high <= 1
    # One of 200 was given: a resample without it, more than a third of them, is not defined ...
    once = np.array([[1.0, 1.0]] + [[1.0, 0.0]] * 199)
    assert interval(PRECISION, once) == (1.0, 1.0)
    # ... and of a metric that wants three of those cases, most are not.
    picky = mean_metric(combine=lambda numbers: nan if numbers[:, 1].sum() == 0 else 1.0, mean=False)
    rare = mean_metric(combine=lambda numbers: nan if len(np.unique(numbers)) < 4 else 1.0, mean=False)
    assert interval(picky, once) == (1.0, 1.0)
    assert all(map(isnan, interval(rare, one_column([1, 2, 3, 4]))))


def test_a_figure_that_is_not_defined_has_neither_interval_nor_p():
    nothing_given = np.array([[1.0, 0.0]] * 5)
    given_all = np.array([[1.0, 1.0]] * 5)
    assert all(map(isnan, interval(PRECISION, nothing_given)))
    found = paired(PRECISION, nothing_given, given_all)
    assert all(map(isnan, (found.difference, found.low, found.high, found.p)))


def test_no_case_tells_nothing():
    empty = np.empty((0, 1))
    found = paired(MEAN, empty, empty)
    values = (*interval(MEAN, empty), found.difference, found.low, found.high, found.p)
    assert all(map(isnan, (*values, detectable(MEAN, empty, empty))))


def test_one_case_may_be_anything_within_the_bounds():
    a, b = one_column([0.2]), one_column([0.9])
    assert interval(MEAN, a) == (0.0, 1.0)
    assert paired(MEAN, a, b) == Paired(pytest.approx(0.7), -1.0, 1.0, 1.0)
    assert all(map(isnan, interval(TIME, a)))
    assert isnan(detectable(MEAN, a, b))


@pytest.mark.parametrize("metric", [MEAN, SLOW_MEAN])
def test_systems_that_never_differ_differ_by_nothing(metric):
    same = one_column([0.1, 0.5, 0.9])
    assert paired(metric, same, same) == Paired(0.0, 0.0, 0.0, 1.0)
    assert isnan(detectable(metric, same, same))


def test_a_constant_figure_has_no_width():
    assert interval(MEAN, one_column([0.5] * 20)) == (0.5, 0.5)


def test_a_constant_gain_is_found():
    a = one_column(np.linspace(0.1, 0.5, 40))
    found = paired(MEAN, a, a + 0.25)
    assert (found.low, found.high) == pytest.approx((0.25, 0.25))
    assert found.p < 0.001


def test_numbers_of_unequal_length_are_no_pairs():
    with pytest.raises(ValueError, match="not paired"):
        paired(MEAN, one_column([1]), one_column([1, 2]))


def test_holm_worked_out_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.6, 0.7]) == [1.0, 1.0]


def test_what_was_not_tested_does_not_count_in_the_family():
    adjusted = holm([0.01, nan, 0.02])
    assert adjusted[::2] == pytest.approx([0.02, 0.02])
    assert isnan(adjusted[1])


@given(st.lists(st.floats(0, 1), max_size=12))
def test_adjusting_never_lowers_a_p_and_keeps_their_order(ps):
    adjusted = holm(ps)
    assert all(0 <= before <= after <= 1 for before, after in zip(ps, adjusted, strict=True))
    assert all(
        one <= other for one, other in pairwise(after for _, after in sorted(zip(ps, adjusted, strict=True)))
    )


def test_what_is_detectable_leaves_out_undefined_resamples():
    # A gave two of twelve: in a ninth of the resamples nothing.
    a = np.array([[1.0, 1.0]] + [[1.0, 0.0]] * 10 + [[0.0, 1.0]])
    b = a.copy()
    b[1, 1] = 1.0
    assert 0 < detectable(PRECISION, a, b) < 3


def test_what_is_detectable_is_found_in_four_of_five():
    draw = np.random.default_rng(11)
    differences = draw.normal(0, 0.1, 100)
    differences = (differences - differences.mean()) / differences.std(ddof=1) * 0.1
    wanted = (1.95996 + 0.84162) * 0.1 / 10
    least = detectable(TIME, np.zeros((100, 1)), one_column(differences))
    assert least == pytest.approx(wanted, rel=1e-4)
    # The definition, by the normal theory that it rests on.
    assert 1 - NormalDist(least, 0.01).cdf(1.95996 * 0.01) == pytest.approx(0.8, abs=1e-3)


@pytest.fixture(scope="module")
def significance(repository):
    """The simulation of the benchmarks, whose bounds `make bench` holds in full."""
    name = "benchmark_significance"
    spec = importlib.util.spec_from_file_location(name, repository / "benchmarks" / "significance.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[name]


def test_false_alarms_family_errors_and_coverage_keep_their_bounds(significance, rounds):
    count = rounds(fast=60, soak=2000)
    for name, share in significance.equal_pairs(50, count, 0).items():
        assert significance.within(name, share, rounds=count), f"{name}: {share:.1%}"


def test_a_large_difference_is_found_and_a_small_one_on_few_questions_is_not(significance, rounds):
    count = rounds(fast=20, soak=200)
    world = significance.WORLDS[0]
    large, _ = significance.unequal_pairs(world, 100, 0.1, count, 0)
    small, _ = significance.unequal_pairs(world, 30, 0.01, count, 0)
    assert large > 0.7
    assert small < 0.35


def test_the_simulation_measures_as_the_reference_does(significance):
    from evals.retrieval import score

    draw = np.random.default_rng(8)
    relevant = significance.few(draw, 12)
    placed = significance.ranks(draw.normal(1.5, 1.5, (12, 4)), relevant)
    found = significance.measured(placed, relevant)
    run, qrels = {}, {}
    for question in range(12):
        ranked = {
            int(rank): f"gold{place}" for place, rank in enumerate(placed[question]) if np.isfinite(rank)
        }
        run[str(question)] = {ranked.get(rank, f"other{rank}"): -float(rank) for rank in range(1, 1001)}
        qrels[str(question)] = {f"gold{place}": 1 for place in range(relevant[question])}
    wanted = score(run, qrels, ["nDCG@10", "R@100", "RR@10", "P@5", "Success@5", "AP"])
    values = [float(found[name].mean()) for name in significance.NAMES]
    assert values == pytest.approx(list(wanted.values()), abs=1e-6)
