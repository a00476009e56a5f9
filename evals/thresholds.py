"""From which confidence on is it better to answer than to refuse? The choice among what a run shows."""

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Operating:
    """What a threshold gives: share answered, share wrong of those (0 of none), mean score.

    NaN without cases.
    """

    threshold: float
    coverage: float
    risk: float
    score: float


@dataclass(frozen=True, slots=True)
class Decisions:
    """What a system did, one position a case, so that any higher threshold can be replayed.

    ``answered``: it gave an answer; ``right``: the right one; ``answerable``: the gold. A case that was
    refused stays refused whatever the threshold. ``floor``: the highest confidence that was refused for
    being low, None where none was: no threshold at or below it can be replayed.
    """

    confidence: Floats
    answered: Flags
    right: Flags
    answerable: Flags
    fold: NDArray[np.int64]
    floor: float | None = None

    def of(self, fold: int) -> "Decisions":
        """Return the cases of one fold, with the floor of all."""
        here = self.fold == fold
        return Decisions(
            self.confidence[here],
            self.answered[here],
            self.right[here],
            self.answerable[here],
            self.fold[here],
            self.floor,
        )

    def answers(self, thresholds: Floats | float) -> Flags:
        """Tell which cases are answered where a confidence below the threshold (or the case's) refuses."""
        return np.asarray(self.answered & (self.confidence >= thresholds), dtype=np.bool_)

    def scores(self, thresholds: Floats | float) -> Floats:
        """Return, by case, +1 right, -1 wrong; refused: 0 if it was answerable, +1 if it was not."""
        answered = np.where(self.right, 1.0, -1.0)
        refused = np.where(self.answerable, 0.0, 1.0)
        return np.where(self.answers(thresholds), answered, refused)

    def at(self, threshold: float) -> Operating:
        """Return what one threshold gives."""
        answers, n = self.answers(threshold), len(self.confidence)
        if not n:
            return Operating(threshold, math.nan, math.nan, math.nan)
        count = int(answers.sum())
        wrong = int((answers & ~self.right).sum())
        return Operating(
            threshold, count / n, wrong / count if count else 0.0, float(self.scores(threshold).mean())
        )

    def candidates(self) -> tuple[float, ...]:
        """Return one threshold for each way in which the cases can be divided, ascending.

        The first answers all that was answered, the last refuses all unless a confidence is 1. Each is the
        number of fewest decimals that lies between its neighbours.
        """
        values = sorted(
            {float(value) for value in self.confidence if self.floor is None or value > self.floor}
        )
        if not values:
            return ()
        first = 0.0 if self.floor is None else between(self.floor, values[0])
        last = [between(values[-1], 1.0)] if values[-1] < 1 else []
        middle = [between(low, high) for low, high in itertools.pairwise(values)]
        return (first, *middle, *last)

    def choose(self, max_risk: float | None = None) -> float | None:
        """Return the threshold of the highest mean score, ties to the highest; None without candidates.

        With ``max_risk``: the one that answers most with at most that share of the answers wrong, or None.
        """
        met = [self.at(threshold) for threshold in self.candidates()]
        if max_risk is None:
            return max(met, key=lambda each: (each.score, each.threshold)).threshold if met else None
        safe = [each for each in met if each.coverage > 0 and each.risk <= max_risk]
        return max(safe, key=lambda each: (each.coverage, each.threshold)).threshold if safe else None


def between(low: float, high: float) -> float:
    """Return the number of fewest decimals in (low, high], the nearest to the middle; ``high`` if none is."""
    for digits in range(1, 13):
        number = round((low + high) / 2, digits)
        if low < number <= high:
            return number
    return high
