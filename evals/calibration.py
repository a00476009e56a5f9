"""Does a confidence mean what it says, and from which one on is it better to answer than to refuse?

What is fitted (a threshold, a scaling) is scored by two-fold cross-fitting: each fold with what the other
chose. ``Case.fold`` pins the folds.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evals.answers import NEITHER, crag
from evals.cases import Case, Response
from evals.citations import NO_ANSWER, answered
from evals.measures import Metric, Taken
from evals.metrics import parse
from evals.refusals import NO_CONFIDENCE, UNKNOWN
from evals.results import EvalRun, Figure
from evals.scaling import Bin, Platt, brier, expected_error, fit_platt, reliability, wilson
from evals.statistics import Paired, interval, paired
from evals.thresholds import Decisions, Operating

__all__ = ["Bin", "Calibration", "Operating", "brier", "calibrate", "expected_error", "reliability"]

MIN_CASES = 10
"""Fewer cases than this in a class or a fold choose nothing; half of it for a class within a fold."""
STEPS = tuple(step / 10 for step in range(10))

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Trust:
    """Confidence against being right, over the ``n`` answered cases; as it was given, or scaled.

    ``ece``: expected calibration error. NaN and no bins where it cannot be computed.
    """

    n: int
    bins: tuple[Bin, ...]
    ece: float
    brier: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a run says of a system's confidence.

    ``recommended``: the ``answer.min_confidence`` chosen on all ``n`` cases; None where it cannot be said,
    and then ``reason`` tells why (else ""). ``thresholds``: what fold 0 and fold 1 were scored with, each
    chosen on the other; ``score``, ``risk`` and ``coverage`` are of these, ``as_run`` is the score of what
    the system did, ``gain`` is ``score`` minus ``as_run``, paired. ``floor``: the highest confidence that
    the run refused for being low; no lower threshold can be tried. ``operating``: thresholds in steps of a
    tenth, in sample. ``auroc``: does a low confidence tell the unanswerable cases? ``given``: the confidence
    as it was; ``scaled``: after Platt scaling, cross-fitted; ``platt``: the scaling fitted on all.
    """

    system: str
    target: str
    n: int
    left_out: Mapping[str, int]
    floor: float | None
    recommended: float | None
    reason: str
    thresholds: tuple[float, float] | None
    score: Figure
    as_run: Figure
    gain: Paired | None
    risk: Figure
    coverage: Figure
    auroc: Figure
    operating: tuple[Operating, ...]
    given: Trust
    scaled: Trust
    platt: Platt | None


@dataclass(frozen=True, slots=True)
class _Counted:
    """A case that counts."""

    case: Case
    response: Response
    confidence: float
    crag: float


def calibrate(run: EvalRun, *, system: str = "hybrid", max_risk: float | None = None) -> Calibration:
    """Choose the confidence from which on a system should answer, and say how far its confidence holds.

    Counted are reviewed cases that are answerable or unanswerable and got a confidence in [0, 1]; a failed
    case has none and is left out. An answer is right or wrong as CRAG judges it. The threshold has the
    highest mean score (+1 right, 0 refused, -1 wrong; +1 for refusing the unanswerable), ties to the
    highest; with ``max_risk`` it answers most with at most that share of the answers wrong.
    """
    counted, left_out = _read(run, system)
    seen = _decisions(counted)
    target = "highest score" if max_risk is None else f"at most {max_risk:.0%} of the answers wrong"
    reason = _too_few(seen)
    chosen = None if reason else _choose(seen, max_risk)
    if not reason and chosen is None:
        reason = f"no threshold that this run can show has {target}"
    recommended, thresholds = chosen or (None, None)
    given, scaled, platt = _trust(seen)
    each = np.where(seen.fold == 0, *thresholds) if thresholds else None
    answers = seen.answers(each) if each is not None else None
    return Calibration(
        system=system,
        target=target,
        n=len(counted),
        left_out=left_out,
        floor=seen.floor,
        recommended=recommended,
        reason=reason,
        thresholds=thresholds,
        score=_mean(seen.scores(each) if each is not None else None),
        as_run=_mean(seen.scores(0.0)),
        gain=_gain(seen.scores(0.0), seen.scores(each)) if each is not None else None,
        risk=_share(~seen.right[answers]) if answers is not None else _share(None),
        coverage=_share(answers),
        auroc=_auroc(counted),
        operating=tuple(seen.at(step) for step in STEPS if seen.floor is None or step > seen.floor),
        given=given,
        scaled=scaled,
        platt=platt,
    )


def _read(run: EvalRun, system: str) -> tuple[list[_Counted], dict[str, int]]:
    """Return the cases that count, in the run's order, and how many of the others were left out and why."""
    rows = run.of(system)
    counted: list[_Counted] = []
    left_out: Counter[str] = Counter()
    for case in run.cases:
        if case.id in run.setup.excluded:
            left_out[run.setup.excluded[case.id]] += 1
            continue
        row = rows.get(case.id)
        if row is None or row.error is not None or row.response is None:
            left_out["not evaluated" if row is None else "failed"] += 1
            continue
        found = _count(case, row.response)
        if isinstance(found, str):
            left_out[found] += 1
        else:
            counted.append(found)
    return counted, dict(left_out)


def _count(case: Case, response: Response) -> _Counted | str:
    """Return the case as it counts, or why it does not."""
    if not case.reviewed:
        return "not reviewed"
    if case.answerable not in ("yes", "no"):
        return NEITHER if case.answerable else UNKNOWN
    if response.outcome is None:
        return NO_ANSWER
    confidence = response.confidence
    if confidence is None or not 0 <= confidence <= 1:
        return NO_CONFIDENCE if confidence is None else "its confidence is not between 0 and 1"
    taken: Taken = crag(case, response)
    return taken if isinstance(taken, str) else _Counted(case, response, confidence, taken[0])


def _decisions(counted: Sequence[_Counted]) -> Decisions:
    low = [each.confidence for each in counted if each.response.reason == "low_confidence"]
    return Decisions(
        confidence=np.array([each.confidence for each in counted], dtype=np.float64),
        answered=np.array([answered(each.response) for each in counted], dtype=np.bool_),
        right=np.array([each.crag > 0 for each in counted], dtype=np.bool_),
        answerable=np.array([each.case.answerable == "yes" for each in counted], dtype=np.bool_),
        fold=np.array([each.case.fold for each in counted], dtype=np.int64),
        floor=max(low, default=None),
    )


def _too_few(seen: Decisions) -> str:
    """Say what there is too little of to choose a threshold; "" if there is enough."""
    for word, here in (("answerable", seen.answerable), ("unanswerable", ~seen.answerable)):
        if (count := int(here.sum())) < MIN_CASES:
            return f"too few {word} questions with a confidence: {count}, and {MIN_CASES} are needed"
        for fold in (0, 1):
            count, least = int((here & (seen.fold == fold)).sum()), MIN_CASES // 2
            if count < least:
                return f"too few {word} questions in fold {fold}: {count}, and {least} are needed"
    if not seen.answered.any():
        return "no question was answered"
    return ""


def _choose(seen: Decisions, max_risk: float | None) -> tuple[float, tuple[float, float]] | None:
    """Return the threshold of all, and of fold 0 and 1 as the other chose it; None if one lacks."""
    overall = seen.choose(max_risk)
    first, second = seen.of(1).choose(max_risk), seen.of(0).choose(max_risk)
    return None if overall is None or first is None or second is None else (overall, (first, second))


def _trust(seen: Decisions) -> tuple[Trust, Trust, Platt | None]:
    """Return the answered cases' confidence against truth, as given and scaled, and the scaling of all."""
    confidence, right = seen.confidence[seen.answered], seen.right[seen.answered]
    fold = seen.fold[seen.answered]
    scaled = np.full(len(confidence), math.nan)
    for here in (0, 1):
        fitted = fit_platt(confidence[fold != here], right[fold != here])
        if fitted is not None:
            scaled[fold == here] = fitted.apply(confidence[fold == here])
    # One fold alone would not be comparable with the whole.
    whole = len(scaled) > 0 and not np.isnan(scaled).any()
    empty = np.empty(0)
    return (
        _measure(confidence, right),
        _measure(scaled, right) if whole else _measure(empty, empty),
        fit_platt(confidence, right),
    )


def _measure(confidence: Floats, right: NDArray[np.bool_] | Floats) -> Trust:
    bins = tuple(reliability(confidence.tolist(), right.tolist()))
    return Trust(len(confidence), bins, expected_error(bins), brier(confidence, right))


def _auroc(counted: Sequence[_Counted]) -> Figure:
    metric = parse(("AUROC",))[0]
    taken = [metric.take(each.case, each.response) for each in counted]
    numbers = np.array([each for each in taken if not isinstance(each, str)], dtype=np.float64)
    if not len(numbers) or math.isnan(value := metric.combine(numbers)):
        return _nothing(len(numbers))
    return Figure(value, *interval(metric, numbers), n=len(numbers), failed=0, nan=0)


def _refuse(_case: Case, _response: Response | None = None) -> Taken:
    return "a score at thresholds is not taken from a case"


_SCORE = Metric("score", "refusal", _refuse, _refuse, bounds=(-1.0, 1.0))


def _mean(scores: Floats | None) -> Figure:
    if scores is None or not len(scores):
        return _nothing()
    return Figure(float(scores.mean()), *interval(_SCORE, scores[:, None]), n=len(scores), failed=0, nan=0)


def _gain(before: Floats, after: Floats) -> Paired:
    return paired(_SCORE, before[:, None], after[:, None])


def _share(flags: NDArray[np.bool_] | None) -> Figure:
    if flags is None or not len(flags):
        return _nothing()
    low, high = wilson(int(flags.sum()), len(flags))
    return Figure(float(flags.mean()), low, high, n=len(flags), failed=0, nan=0)


def _nothing(n: int = 0) -> Figure:
    return Figure(math.nan, math.nan, math.nan, n=n, failed=0, nan=0)
