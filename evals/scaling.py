"""Confidence against truth: reliability bins, calibration error, Brier score, Platt scaling."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Z95 = 1.959963984540054
_CLIP = 1e-6
_STEPS = 100

Floats = NDArray[np.float64]
Truths = Sequence[bool] | NDArray[np.bool_] | Floats


@dataclass(frozen=True, slots=True)
class Bin:
    """Cases whose confidence is in [``low``, ``high``), the last bin's in [``low``, 1].

    ``accuracy``: the share of the ``n`` that were correct, with its 95 % Wilson interval.
    """

    low: float
    high: float
    n: int
    mean_confidence: float
    accuracy: float
    accuracy_low: float
    accuracy_high: float


@dataclass(frozen=True, slots=True)
class Platt:
    """A scaling of confidence: ``1 / (1 + exp(-(slope * logit(confidence) + intercept)))``.

    Slope 1 and intercept 0 change nothing.
    """

    slope: float
    intercept: float

    def apply(self, confidences: Sequence[float] | Floats) -> Floats:
        """Return the scaled confidences; those of 0 and 1 are taken as 1e-6 within."""
        return _sigmoid(self.slope * _logit(np.asarray(confidences, dtype=np.float64)) + self.intercept)


def reliability(confidences: Sequence[float], correct: Sequence[bool], bins: int = 10) -> list[Bin]:
    """Return the reliability diagram: equal-width bins of confidence in order, empty ones left out.

    A confidence outside [0, 1], or NaN, is in no bin. Without cases: no bin.
    """
    shown, truth = _pairs(confidences, correct)
    inside = (shown >= 0) & (shown <= 1)
    shown, truth = shown[inside], truth[inside]
    edges = np.arange(bins + 1) / bins
    places = np.clip(np.searchsorted(edges, shown, side="right") - 1, 0, bins - 1)
    found: list[Bin] = []
    for place in np.unique(places):
        here = places == place
        n, right = int(here.sum()), int(truth[here].sum())
        low, high = wilson(right, n)
        edge = int(place)
        found.append(Bin(edge / bins, (edge + 1) / bins, n, float(shown[here].mean()), right / n, low, high))
    return found


def expected_error(bins: Sequence[Bin]) -> float:
    """Return the expected calibration error: mean distance of accuracy from confidence, weighted by bin.

    0 is best; NaN without bins. Guo et al. 2017, "On calibration of modern neural networks".
    """
    cases = sum(each.n for each in bins)
    if not cases:
        return math.nan
    return sum(each.n * abs(each.accuracy - each.mean_confidence) for each in bins) / cases


def brier(confidences: Sequence[float] | Floats, correct: Truths) -> float:
    """Return the mean squared distance of confidence from truth (1 or 0); 0 is best, NaN without cases."""
    shown, truth = _pairs(confidences, correct)
    return float(np.mean((shown - truth) ** 2)) if len(shown) else math.nan


def wilson(right: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, within [0, 1]; (NaN, NaN) of nothing. Wilson 1927."""
    if not n:
        return math.nan, math.nan
    share, weight = right / n, Z95**2 / n
    middle = (share + weight / 2) / (1 + weight)
    half = Z95 * math.sqrt(share * (1 - share) / n + weight / (4 * n)) / (1 + weight)
    # At the ends the bound is the end itself; rounding would miss it by 1e-17.
    return (0.0 if right == 0 else middle - half), (1.0 if right == n else middle + half)


def fit_platt(confidences: Sequence[float] | Floats, correct: Truths) -> Platt | None:
    """Fit slope and intercept on the log-odds of confidence; None unless both truths and two values occur.

    Platt 1999 with his smoothed targets, so that separable data have a finite fit; Newton's method with
    step halving after Lin, Lin and Weng 2007.
    """
    shown, truth = _pairs(confidences, correct)
    positive, negative = int(truth.sum()), int(len(truth) - truth.sum())
    if not positive or not negative or np.ptp(shown) == 0:
        return None
    wanted = np.where(truth > 0, (positive + 1) / (positive + 2), 1 / (negative + 2))
    rows = np.column_stack([_logit(shown), np.ones(len(shown))])
    weights = np.array([0.0, math.log((positive + 1) / (negative + 1))])
    loss = _loss(rows, wanted, weights)
    for _ in range(_STEPS):
        given = _sigmoid(rows @ weights)
        gradient = rows.T @ (given - wanted)
        curve = (rows * (given * (1 - given))[:, None]).T @ rows + 1e-12 * np.eye(2)
        step = np.linalg.solve(curve, gradient)
        size = 1.0
        while size > 1e-10 and _loss(rows, wanted, weights - size * step) > loss:
            size /= 2
        weights = weights - size * step
        before, loss = loss, _loss(rows, wanted, weights)
        if before - loss < 1e-12:
            break
    return Platt(float(weights[0]), float(weights[1]))


def _pairs(confidences: Sequence[float] | Floats, correct: Truths) -> tuple[Floats, Floats]:
    if len(confidences) != len(correct):
        raise ValueError(f"{len(confidences)} confidences and {len(correct)} truths")
    return np.asarray(confidences, dtype=np.float64), np.asarray(correct, dtype=np.float64)


def _logit(shares: Floats) -> Floats:
    inside = np.clip(shares, _CLIP, 1 - _CLIP)
    return np.asarray(np.log(inside) - np.log1p(-inside), dtype=np.float64)


def _sigmoid(values: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -500, 500))), dtype=np.float64)


def _loss(rows: Floats, wanted: Floats, weights: Floats) -> float:
    total = rows @ weights
    return float(np.sum(np.logaddexp(0, total) - wanted * total))
