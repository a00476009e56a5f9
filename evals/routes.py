"""Was the question sent to the source that holds its answer?"""

import hashlib

import numpy as np
from numpy.typing import NDArray

from evals.cases import Case, Response
from evals.measures import Metric, Taken
from evals.retrieval import numbers

NO_SOURCE = "no gold source"
NO_ROUTE = "this system does not route"
NO_SECOND = "the ranking of searching everything was not given"

_REGRETTED = "nDCG@10"
_NONE = 0.0


def accuracy(case: Case, response: Response) -> Taken:
    """Return 1 when the gold source, and no other, was chosen, else 0."""
    if response.sources is None:
        return NO_ROUTE
    return NO_SOURCE if case.source is None else (float(set(response.sources) == {case.source}),)


def regret(case: Case, routed: Response, everything: Response) -> Taken:
    """Return nDCG@10 of searching everything minus that of the route: above 0, the route has lost something.

    The same reasons leave a case out as for nDCG@10.
    """
    lost: list[float] = []
    for response in (everything, routed):
        taken = numbers([_REGRETTED], case, response)[_REGRETTED]
        if isinstance(taken, str):
            return taken
        lost.append(taken[0])
    return (lost[0] - lost[1],)


def macro_f1(labels: NDArray[np.float64]) -> float:
    """Return the mean F1 of the sources that are gold of some case; NaN without cases.

    ``labels``: shape (cases, 2), gold and chosen. A choice of several sources, or of none, is a choice of
    no source: it misses the gold one and is no false alarm for another.
    """
    gold, chosen = labels[:, 0], labels[:, 1]
    scores: list[float] = []
    for source in np.unique(gold):
        wanted, given = gold == source, chosen == source
        scores.append(2 * float((wanted & given).sum()) / float(wanted.sum() + given.sum()))
    return float(np.mean(scores)) if scores else float("nan")


def _labels(case: Case, response: Response) -> Taken:
    if response.sources is None:
        return NO_ROUTE
    if case.source is None:
        return NO_SOURCE
    chosen = set(response.sources)
    return (_number(case.source), _number(chosen.pop()) if len(chosen) == 1 else _NONE)


def _number(source: str) -> float:
    """Return a number for a name, the same in every run; 48 bits, so that a float holds it exactly."""
    return float(int.from_bytes(hashlib.sha256(source.encode()).digest()[:6]) + 1)


def _without_second(_: Case, response: Response) -> Taken:
    """Say why regret is left out: one response holds one ranking; see ``regret``."""
    return NO_ROUTE if response.sources is None else NO_SECOND


METRICS = (
    Metric("route_accuracy", "routing", accuracy, lambda case: NO_SOURCE if case.source is None else (0.0,)),
    Metric(
        "route_macro_F1",
        "routing",
        _labels,
        lambda case: NO_SOURCE if case.source is None else (_number(case.source), _NONE),
        macro_f1,
        mean=False,
    ),
    Metric(
        "route_regret",
        "routing",
        _without_second,
        lambda _: NO_SECOND,
        higher_is_better=False,
        bounds=(-1.0, 1.0),
    ),
)
