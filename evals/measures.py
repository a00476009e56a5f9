"""What a metric is: numbers taken from each case, and how they become one figure.

Every metric has the same two halves, so that means, set figures (F1, AUROC), failures, intervals and
tests all go one way. ``take`` sees one case; ``combine`` sees the numbers of many, any of them drawn
more than once (bootstrap) or exchanged between two systems (permutation).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from evals.cases import Case, Response

Taken = tuple[float, ...] | str
"""The numbers of a case, always as many for one metric; or why the case is left out."""

Kind = Literal["retrieval", "answer", "refusal", "routing", "cost"]


def mean(numbers: NDArray[np.float64]) -> float:
    """Return the mean of the first column of shape (cases, n); NaN without cases."""
    return float(numbers[:, 0].mean()) if len(numbers) else float("nan")


@dataclass(frozen=True, slots=True)
class Metric:
    """A declared metric.

    ``take``: numbers of a case that was answered, or the reason why the metric leaves it out.
    ``failed``: numbers of a case whose system raised; it says the same left-out reasons.
    ``combine``: shape (cases, n) -> the figure, NaN where it is not defined (no negative case, say).
    ``higher_is_better`` False: lower is. ``bounds``: the range of the figure.
    ``mean`` True: ``combine`` is the mean of the one number, so that it may be computed quicker.
    """

    name: str
    kind: Kind
    take: Callable[[Case, Response], Taken]
    failed: Callable[[Case], Taken]
    combine: Callable[[NDArray[np.float64]], float] = mean
    higher_is_better: bool = True
    bounds: tuple[float, float] = (0.0, 1.0)
    mean: bool = True
