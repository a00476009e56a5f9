"""Does the system know when it does not know?

The positive class is ``answerable`` no, the negative yes; other cases are left out. Refused is what was
not answered (not_found, blocked). A case whose system raised counts as the wrong decision with full
confidence, so that no failure makes a figure look better.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evals.answers import NEITHER, right
from evals.cases import Case, Response
from evals.citations import NO_ANSWER, answered
from evals.measures import Metric, Taken
from evals.results import Row

NO_CONFIDENCE = "no confidence"
UNKNOWN = "not known whether it can be answered"
GOLDS = ("yes", "no", "partial", "underspecified", "unknown")
OUTCOMES = ("answered", "partial", "conflicting", "not_found", "blocked", "failed")

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Curve:
    """Risk against coverage when only confidences from a threshold on are answered.

    One point a different confidence, falling: ``thresholds``; ``coverages``, the share of cases that reach
    it, in (0, 1]; ``risks``, the share of those that are wrong. ``area`` is the mean of the risk at each
    number of cases answered (AURC, Geifman et al. 2019); NaN without cases.
    """

    thresholds: tuple[float, ...]
    coverages: tuple[float, ...]
    risks: tuple[float, ...]
    area: float


def risk_coverage(confidences: Sequence[float], correct: Sequence[bool]) -> Curve:
    """Return the risk-coverage curve of cases with these confidences.

    Cases of one confidence have no order: within a tie the area takes the mean over all orders.
    """
    if not len(confidences):
        return Curve((), (), (), float("nan"))
    levels, counts, wrong = _steps(np.asarray(confidences, np.float64), np.asarray(correct, np.float64))
    return Curve(
        tuple(levels.tolist()),
        tuple((counts / counts[-1]).tolist()),
        tuple((wrong / counts).tolist()),
        _area(counts, wrong),
    )


def _steps(confidences: Numbers, correct: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Return the different confidences, falling, with how many cases reach each, and the wrong of them."""
    order = np.argsort(-confidences, kind="stable")
    falling = confidences[order]
    last = np.append(np.flatnonzero(falling[1:] != falling[:-1]), len(falling) - 1)
    return falling[last], (last + 1).astype(np.float64), np.cumsum(1 - correct[order])[last]


def _area(counts: Numbers, wrong: Numbers) -> float:
    answered_so_far = np.arange(1, int(counts[-1]) + 1)
    expected = np.interp(answered_so_far, np.concatenate([[0], counts]), np.concatenate([[0], wrong]))
    return float((expected / answered_so_far).mean())


def confusion(cases: Iterable[Case], rows: Mapping[str, Row]) -> dict[str, dict[str, int]]:
    """Count gold ``answerable`` (a key of ``GOLDS``) by outcome (a key of ``OUTCOMES``), zeros included.

    ``rows``: case -> its row by one system. Cases without a row, unreviewed ones, and rows of a system
    that only retrieves are not counted.
    """
    counts = {gold: dict.fromkeys(OUTCOMES, 0) for gold in GOLDS}
    for case in cases:
        row = rows.get(case.id)
        if row is None or not case.reviewed:
            continue
        outcome = "failed" if row.response is None else row.response.outcome
        if outcome is not None:
            counts[case.answerable or "unknown"][outcome] += 1
    return counts


def auroc(positive: Numbers, scores: Numbers) -> float:
    """Return the chance that a positive case has the higher score, a tie counting half; NaN without both."""
    positives = float(positive.sum())
    negatives = len(positive) - positives
    if not positives or not negatives:
        return float("nan")
    _, which, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[which]
    above = float(ranks[positive == 1].sum()) - positives * (positives + 1) / 2
    return above / (positives * negatives)


def _decision(case: Case, response: Response) -> Taken:
    """Take (unanswerable, refused), each 0 or 1."""
    if response.outcome is None:
        return NO_ANSWER
    return _unclassed(case) or (float(case.answerable == "no"), float(not answered(response)))


def _failed_decision(case: Case) -> Taken:
    unanswerable = case.answerable == "no"
    return _unclassed(case) or (float(unanswerable), float(not unanswerable))


def _confidence(case: Case, response: Response) -> Taken:
    """Take (unanswerable, 1 - confidence)."""
    if response.outcome is None:
        return NO_ANSWER
    if _unclassed(case):
        return NEITHER
    return (
        NO_CONFIDENCE
        if response.confidence is None
        else (float(case.answerable == "no"), 1 - response.confidence)
    )


def _risk(case: Case, response: Response) -> Taken:
    """Take (confidence, right, answered): what was refused is in no place of the curve, and still counted."""
    verdict = right(case, response)
    if isinstance(verdict, str):
        return verdict
    if response.confidence is None:
        return NO_CONFIDENCE
    return (float(response.confidence), float(verdict), float(answered(response)))


def _failed_risk(case: Case) -> Taken:
    verdict = right(case, Response(outcome="not_found"))
    return verdict if isinstance(verdict, str) else (1.0, 0.0, 1.0)


def _expected(case: Case, response: Response) -> Taken:
    """Take whether the outcome is the one that the case calls for.

    yes: answered; no: not_found or blocked; partial: partial; underspecified: one of the refusals, with
    the reason underspecified.
    """
    if response.outcome is None:
        return NO_ANSWER
    if case.answerable is None:
        return UNKNOWN
    refused = not answered(response)
    expected = {
        "yes": response.outcome == "answered",
        "no": refused,
        "partial": response.outcome == "partial",
        "underspecified": refused and response.reason == "underspecified",
    }
    return (float(expected[case.answerable]),)


def _unclassed(case: Case) -> str | None:
    return None if case.answerable in ("yes", "no") else NEITHER


def _precision(numbers: Numbers) -> float:
    """Return the share of refusals that were due; NaN when nothing was refused."""
    return _ratio(float((numbers[:, 0] * numbers[:, 1]).sum()), float(numbers[:, 1].sum()))


def _recall(numbers: Numbers) -> float:
    """Return the share of unanswerable cases that were refused; NaN when there is none."""
    return _ratio(float((numbers[:, 0] * numbers[:, 1]).sum()), float(numbers[:, 0].sum()))


def _f1(numbers: Numbers) -> float:
    """Return the harmonic mean of both; NaN when nothing was to be refused and nothing was."""
    return _ratio(2 * float((numbers[:, 0] * numbers[:, 1]).sum()), float(numbers.sum()))


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def _auroc(numbers: Numbers) -> float:
    return auroc(numbers[:, 0], numbers[:, 1])


def _aurc(numbers: Numbers) -> float:
    """Return the area under the curve of what was answered; NaN when nothing was."""
    kept = numbers[numbers[:, 2] == 1]
    if not len(kept):
        return float("nan")
    _, counts, wrong = _steps(kept[:, 0], kept[:, 1])
    return _area(counts, wrong)


def _set(
    name: str,
    take: Callable[[Case, Response], Taken],
    failed: Callable[[Case], Taken],
    combine: Callable[[Numbers], float],
) -> Metric:
    return Metric(name, "refusal", take, failed, combine, higher_is_better=name != "AURC", mean=False)


METRICS = (
    _set("refusal_precision", _decision, _failed_decision, _precision),
    _set("refusal_recall", _decision, _failed_decision, _recall),
    _set("refusal_F1", _decision, _failed_decision, _f1),
    _set("AUROC", _confidence, _failed_decision, _auroc),
    _set("AURC", _risk, _failed_risk, _aurc),
    Metric(
        "outcome_accuracy", "refusal", _expected, lambda case: UNKNOWN if case.answerable is None else (0.0,)
    ),
)
