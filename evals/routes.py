"""Was the question sent to the source that holds its answer, and what did that save or cost?

Several sources may hold it: the case names one as ``source``, and each other in a tag ``also:<source>``.
All of them must then be searched.
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from evals.cases import Case, Ranked, Response
from evals.measures import Metric, Taken
from evals.retrieval import numbers

NO_SOURCE = "no gold source"
NO_ROUTE = "this system does not route"
NO_BEST = "this system does not rank sources"
NO_SHARE = "how much was searched was not given"
NO_SECOND = "the ranking of searching everything was not given"

_ALSO = "also:"
_REGRETTED = "nDCG@10"
_NONE = 0.0


def golds(case: Case) -> frozenset[str]:
    """Return the sources that hold the answer; empty where the case does not say."""
    if case.source is None:
        return frozenset()
    also = (tag.removeprefix(_ALSO) for tag in case.tags if tag.startswith(_ALSO))
    return frozenset((case.source, *also))


def best(response: Response) -> str | None:
    """Return the likeliest source: where none was ranked, the one that was chosen alone."""
    chosen = dict.fromkeys(response.sources or ())
    return response.best_source or (next(iter(chosen)) if len(chosen) == 1 else None)


def accuracy(case: Case, response: Response) -> Taken:
    """Return 1 when the gold sources, and no others, were chosen, else 0."""
    if response.sources is None:
        return NO_ROUTE
    return NO_SOURCE if case.source is None else (float(set(response.sources) == golds(case)),)


def top1(case: Case, response: Response) -> Taken:
    """Return 1 when the best source is a gold one, else 0, as where the question was sent nowhere."""
    if response.sources is None:
        return NO_ROUTE
    found = best(response)
    if found is None and response.sources:
        return NO_BEST
    return _unsourced(case) or (float(found in golds(case)),)


def recall(case: Case, response: Response) -> Taken:
    """Return 1 when every gold source was searched, else 0; nothing chosen searches nothing."""
    if response.sources is None:
        return NO_ROUTE
    return _unsourced(case) or (float(golds(case) <= set(response.sources)),)


def searched(_: Case, response: Response) -> Taken:
    """Return the share of the sources that the asker may read that were searched."""
    if response.sources is None:
        return NO_ROUTE
    return NO_SHARE if response.searched is None else (float(response.searched),)


def regret(case: Case, response: Response) -> Taken:
    """Return nDCG@10 of searching everything minus that of the route: above 0, the route has lost something.

    The same reasons leave a case out as for nDCG@10.
    """
    if response.sources is None:
        return NO_ROUTE
    if response.everything is None:
        return NO_SECOND
    everything = replace(response, ranking=tuple(Ranked(name, 0.0) for name in response.everything))
    lost: list[float] = []
    for one in (everything, response):
        taken = numbers([_REGRETTED], case, one)[_REGRETTED]
        if isinstance(taken, str):
            return taken
        lost.append(taken[0])
    return (lost[0] - lost[1],)


def macro_f1(labels: NDArray[np.float64]) -> float:
    """Return the mean F1 of the sources that are gold of some case; NaN without cases.

    ``labels``: shape (cases, 2), gold and best. No best source misses the gold one and is no false alarm
    for another.
    """
    gold, best = labels[:, 0], labels[:, 1]
    scores: list[float] = []
    for source in np.unique(gold):
        wanted, given = gold == source, best == source
        scores.append(2 * float((wanted & given).sum()) / float(wanted.sum() + given.sum()))
    return float(np.mean(scores)) if scores else float("nan")


def _labels(case: Case, response: Response) -> Taken:
    """Take numbers for the gold and the best source; of several golds the one that was hit, if any was."""
    if response.sources is None:
        return NO_ROUTE
    if case.source is None:
        return NO_SOURCE
    found = best(response)
    if found is None:
        return (_number(case.source), _NONE)
    return (_number(found if found in golds(case) else case.source), _number(found))


def _number(source: str) -> float:
    """Return a number for a name, the same in every run; 48 bits, so that a float holds it exactly."""
    return float(int.from_bytes(hashlib.sha256(source.encode()).digest()[:6]) + 1)


def _unsourced(case: Case) -> str | None:
    return NO_SOURCE if case.source is None else None


def _failed(case: Case) -> Taken:
    return _unsourced(case) or (0.0,)


def _rate(name: str, take: Callable[[Case, Response], Taken]) -> Metric:
    return Metric(name, "routing", take, _failed)


METRICS = (
    _rate("route_accuracy", accuracy),
    _rate("route_top1", top1),
    _rate("route_recall", recall),
    Metric(
        "route_searched",
        "routing",
        searched,
        lambda _: NO_SHARE,
        higher_is_better=False,
    ),
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
        regret,
        lambda _: NO_SECOND,
        higher_is_better=False,
        bounds=(-1.0, 1.0),
    ),
)
