"""How sure a figure is: bootstrap intervals, paired permutation tests, Holm, detectable differences.

Numbers come as arrays of shape (cases, n), as ``Metric.take`` gave them. Two systems are always held
against each other on the same cases in the same order. Every draw is seeded: the same data give the same
figures. Cases whose numbers are no numbers are the caller's to drop and to count.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import isnan, nan, sqrt

import numpy as np
from numpy.typing import NDArray

from evals.measures import Metric

Numbers = NDArray[np.float64]

RESAMPLES = 2_000
FLIPS = 10_000
SET_FLIPS = 5_000  # a set metric is computed anew for each: some 0.1 ms
ENOUGH = 100  # exchanges as far from 0 as the one seen: p is then known to a tenth of itself
LEVEL = 0.95
POWER = 0.80
_BLOCK = 60_000  # numbers at once: larger arrays leave the cache, and the system maps each anew
_EXACT = 13  # differences: 2 ** 13 sign patterns are fewer than FLIPS
_TIE = 1e-10  # of the sum of magnitudes: sums of the same terms in another order are one value


@dataclass(frozen=True, slots=True)
class Paired:
    """B against A on the same cases.

    ``difference``: figure of B minus figure of A; ``low``, ``high``: its 95 % interval; ``p``: two-sided,
    of no difference. All NaN without cases, and where either figure is not defined.
    """

    difference: float
    low: float
    high: float
    p: float


def interval(metric: Metric, numbers: Numbers, *, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a figure, inside the metric's bounds.

    Cases are drawn with replacement 2,000 times. The percentiles are those of the expanded percentile
    interval, a little further out than 2.5 and 97.5, which mends its narrowness on few cases (Hesterberg,
    What Teachers Should Know About the Bootstrap, 2015, section 4.3). Of a set metric, resamples where it
    is not defined (all cases of one class) are dropped; with more than half dropped the interval is NaN.
    One case says nothing of its spread: the interval is the metric's bounds, NaN where they are infinite.
    No case: NaN.
    """
    if len(numbers) < 2:
        return _unknown(metric.bounds) if len(numbers) else (nan, nan)
    if isnan(metric.combine(numbers)):
        return nan, nan
    drawn = _drawn(metric, (numbers,), seed)
    return _expanded(drawn, len(numbers), metric.bounds)


def paired(metric: Metric, a: Numbers, b: Numbers, *, seed: int = 0) -> Paired:
    """Hold B against A: the interval of the difference and a permutation test.

    The interval is made as ``interval`` makes it, drawing cases with both of their numbers. The test
    exchanges A's and B's numbers of each case at random (Fisher; Smucker et al., CIKM 2007): all patterns
    of up to 13 cases that differ (12 for a set metric), else 10,000 drawn, the observed one counted in
    (Phipson and Smyth, 2010); for a set metric 5,000, and no more once 100 were as far from 0 as the one
    seen (Besag and Clifford, 1991). Where no case differs the difference is 0, its interval 0..0 and
    p 1; one case that differs: p 1 and the widest interval that the bounds allow.
    """
    if len(a) != len(b):
        raise ValueError(f"not paired: {len(a)} and {len(b)} cases")
    if not len(a):
        return Paired(nan, nan, nan, nan)
    difference = metric.combine(b) - metric.combine(a)
    if isnan(difference):
        return Paired(nan, nan, nan, nan)
    if np.array_equal(a, b):
        return Paired(0.0, 0.0, 0.0, 1.0)
    reach = metric.bounds[1] - metric.bounds[0]
    if len(a) == 1:
        return Paired(difference, *_unknown((-reach, reach)), 1.0)
    low, high = _expanded(_drawn(metric, (b, a), seed), len(a), (-reach, reach))
    p = _flipped(b[:, 0] - a[:, 0], seed) if metric.mean else _exchanged(metric, a, b, seed)
    return Paired(float(difference), low, high, p)


def holm(ps: Sequence[float]) -> list[float]:
    """Adjust the p-values of tests made together, in their order (Holm, 1979).

    Calling significant what is below .05 afterwards is wrong about any of them in at most 5 % of
    families, however they depend on each other. NaN (not tested) stays and does not count in the family.
    """
    tested = sorted((p, place) for place, p in enumerate(ps) if not isnan(p))
    adjusted = [nan] * len(ps)
    least = 0.0
    for done, (p, place) in enumerate(tested):
        least = max(least, min(1.0, p * (len(tested) - done)))
        adjusted[place] = least
    return adjusted


def detectable(metric: Metric, a: Numbers, b: Numbers) -> float:
    """Return the smallest true difference that this many cases show with 80 % power, two-sided at 5 %.

    By normal theory from the spread that is seen: of the paired differences for a mean, of the
    bootstrapped difference for a set metric. NaN where nothing spreads, and with fewer than two cases.
    """
    if len(a) < 2 or np.array_equal(a, b):
        return nan
    if metric.mean:
        error = float(np.std(b[:, 0] - a[:, 0], ddof=1)) / sqrt(len(a))
    else:
        drawn = _drawn(metric, (b, a), 0, rounds=RESAMPLES // 4)
        defined = drawn[np.isfinite(drawn)]
        error = float(np.std(defined, ddof=1)) if len(defined) > 1 else nan
    from scipy.special import ndtri

    return float(ndtri((1 + LEVEL) / 2) + ndtri(POWER)) * error if error > 0 else nan


def _drawn(metric: Metric, sides: tuple[Numbers, ...], seed: int, *, rounds: int = RESAMPLES) -> Numbers:
    """Return the figure, or the first side's minus the second's, of each resample; undefined ones NaN."""
    if metric.mean:
        numbers = sides[0][:, 0] - sides[1][:, 0] if len(sides) == 2 else sides[0][:, 0]
        return np.concatenate([numbers[cases].mean(1) for cases in _resamples(len(numbers), seed, rounds)])
    found = [
        metric.combine(sides[0][one]) - (metric.combine(sides[1][one]) if len(sides) == 2 else 0.0)
        for cases in _resamples(len(sides[0]), seed, rounds)
        for one in cases
    ]
    return np.array(found)


def _resamples(count: int, seed: int, rounds: int) -> Iterator[NDArray[np.int64]]:
    """Give cases drawn with replacement, shape (some rounds, count), never too many at once."""
    generator = np.random.default_rng(seed)
    step = max(1, _BLOCK // count)
    for done in range(0, rounds, step):
        yield generator.integers(0, count, (min(step, rounds - done), count))


def _expanded(drawn: Numbers, count: int, bounds: tuple[float, float]) -> tuple[float, float]:
    """Return the expanded percentile interval of resampled figures of ``count`` cases."""
    from scipy.special import ndtr, stdtrit

    defined = drawn[np.isfinite(drawn)]
    if 2 * len(defined) < len(drawn) or not len(defined):
        return nan, nan
    tail = float(ndtr(sqrt(count / (count - 1)) * stdtrit(count - 1, (1 - LEVEL) / 2)))
    low, high = np.clip(np.quantile(defined, (tail, 1 - tail)), *bounds)
    return float(low), float(high)


def _unknown(bounds: tuple[float, float]) -> tuple[float, float]:
    return bounds if np.isfinite(bounds).all() else (nan, nan)


def _flipped(differences: Numbers, seed: int) -> float:
    """Return the share of sign patterns whose sum is at least as far from 0 as the one seen."""
    moved = differences[differences != 0]  # a 0 has no sign: without it every sum is the same
    seen, tie = abs(moved.sum()), _TIE * np.abs(moved).sum()
    if len(moved) <= _EXACT:
        sums = _signs(len(moved)) @ moved
        return float((np.abs(sums) >= seen - tie).mean())
    # Eight signs are one random byte, and their sum is looked up: ten times quicker than a sign each.
    groups = -(-len(moved) // 8)
    padded = np.zeros(groups * 8)
    padded[: len(moved)] = moved
    table = (padded.reshape(groups, 8) @ _signs(8).T).ravel()
    starts = np.arange(groups) * 256
    generator = np.random.default_rng(seed)
    at_least, step = 0, max(1, _BLOCK // groups)
    for done in range(0, FLIPS, step):
        drawn = generator.integers(0, 256, (min(step, FLIPS - done), groups), dtype=np.uint8)
        sums = table.take(drawn + starts).sum(1)
        at_least += int((np.abs(sums) >= seen - tie).sum())
    return (at_least + 1) / (FLIPS + 1)


def _signs(count: int) -> Numbers:
    """Return all patterns of this many signs, shape (2 ** count, count)."""
    bits = np.arange(2**count)[:, None] >> np.arange(count) & 1
    return (2 * bits - 1).astype(np.float64)


def _exchanged(metric: Metric, a: Numbers, b: Numbers, seed: int) -> float:
    """Return the same share for a set metric, whose figure is computed anew for each exchange.

    Exchanges where a figure is not defined are dropped; NaN when more than half are.
    """
    moved = np.flatnonzero((a != b).any(1))
    exact = 2 ** len(moved) <= SET_FLIPS
    patterns = product((False, True), repeat=len(moved)) if exact else _coins(len(moved), seed)
    seen = abs(metric.combine(b) - metric.combine(a))
    drawn = defined = at_least = 0
    for drawn, pattern in enumerate(patterns, start=1):  # noqa: B007 - used after the loop
        left, right = a.copy(), b.copy()
        swapped = moved[np.asarray(pattern, dtype=bool)]
        left[swapped], right[swapped] = b[swapped], a[swapped]
        if isnan(difference := metric.combine(right) - metric.combine(left)):
            continue
        defined += 1
        at_least += abs(difference) >= seen - _TIE * max(1.0, seen)
        if not exact and at_least == ENOUGH:
            return at_least / defined
    if 2 * defined < drawn:
        return nan
    return at_least / defined if exact else (at_least + 1) / (defined + 1)


def _coins(count: int, seed: int) -> Iterator[NDArray[np.bool_]]:
    generator = np.random.default_rng(seed)
    for _ in range(SET_FLIPS):
        yield generator.integers(0, 2, count, dtype=np.uint8).astype(bool)
