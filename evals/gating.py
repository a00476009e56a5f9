"""A release gate: is the candidate not worse than the baseline by more than a margin?

Non-inferiority, as trials test it (Piaggio et al., JAMA 2012): what counts is the interval of the
difference, not that no difference was found, for too few questions never find one. Where all of several
gates must pass, none needs an adjustment (Berger, 1982).
"""

from dataclasses import dataclass, replace
from math import isfinite

from evals import metrics
from evals.comparison import Shared, shared, shared_cases
from evals.errors import NotComparable, UnknownMetric, UnknownSystem
from evals.measures import Metric
from evals.results import Check, EvalRun
from evals.statistics import Paired, paired

_ROUNDING = 1e-9  # a loss of exactly the margin, summed in floating point, is within it


@dataclass(frozen=True, slots=True)
class Gate:
    """A rule: ``metric`` may become worse by ``margin`` (0 and up, in the metric's own unit).

    ``min_questions``: with fewer shared questions nothing is decided.
    """

    metric: str
    margin: float = 0.0
    min_questions: int = 30


def decide(baseline: EvalRun | None, candidate: EvalRun, gate: Gate, *, system: str) -> Check:
    """Decide one gate for one system.

    Passed: the 95 % interval of the difference (candidate minus baseline) does not reach below
    ``-margin``. Failed: the difference lies below ``-margin`` and the whole interval below 0. Else
    inconclusive; so it is too without a baseline, on other data, when a question was not asked or gave no
    number, and with too few questions. Where lower is better the signs turn; ``Check`` keeps them as
    measured. Questions that either run excluded do not count.

    Raises ``UnknownMetric`` or ``UnknownSystem`` when the candidate has not got them.
    """
    metric = _known(candidate, gate, system)
    check = Check(gate.metric, None, None, None, None, None, gate.margin, "inconclusive", "")
    both = _evidence(baseline, candidate, metric, system)
    if isinstance(both, str):
        return replace(check, reason=both)
    found = paired(metric, both.a, both.b)
    if both.cases:
        check = replace(
            check,
            baseline=_number(metric.combine(both.a)),
            candidate=_number(metric.combine(both.b)),
            difference=_number(found.difference),
            low=_number(found.low),
            high=_number(found.high),
        )
    doubt = _doubt(both, gate, found)
    return replace(check, reason=doubt) if doubt else _decided(check, found, metric, len(both.cases))


def _known(candidate: EvalRun, gate: Gate, system: str) -> Metric:
    (metric,) = metrics.parse([gate.metric])
    setup = candidate.setup
    if metric.name not in setup.metrics:
        raise UnknownMetric(
            f"{setup.run} has not measured {metric.name}", hint=f"it has: {', '.join(setup.metrics)}"
        )
    if system not in setup.systems:
        raise UnknownSystem(f"{setup.run} has no system {system}", hint=f"it has: {', '.join(setup.systems)}")
    return metric


def _evidence(baseline: EvalRun | None, candidate: EvalRun, metric: Metric, system: str) -> Shared | str:
    """Return the numbers to decide on, or why there are none."""
    if baseline is None:
        return f"There is no baseline to hold {metric.name} against."
    if system not in baseline.setup.systems or metric.name not in baseline.setup.metrics:
        return f"The baseline {baseline.setup.run} has not measured {metric.name} of {system}."
    try:
        cases = shared_cases(baseline, candidate)
    except NotComparable as error:
        return f"The baseline cannot be compared: {error}."
    return shared((baseline.of(system), candidate.of(system)), cases, metric)


def _doubt(both: Shared, gate: Gate, found: Paired) -> str | None:
    """Say why the numbers do not decide, whatever they are."""
    count = len(both.cases)
    if both.missing:
        return f"{gate.metric} is not complete: a run has no result yet of {both.missing} shared questions."
    if both.nan:
        return f"{gate.metric} gave no number (NaN) for {both.nan} of {both.nan + count} shared questions."
    if count < max(gate.min_questions, 1):
        return f"{gate.metric} has {count} shared questions, and the gate wants {gate.min_questions}."
    if not (isfinite(found.low) and isfinite(found.high)):
        return f"{gate.metric} or its interval is not defined on the {count} shared questions."
    return None


def _decided(check: Check, found: Paired, metric: Metric, count: int) -> Check:
    up = metric.higher_is_better
    gain = found.difference if up else -found.difference
    low, high = (found.low, found.high) if up else (-found.high, -found.low)
    seen = (
        f"{check.metric} went from {check.baseline:.4g} to {check.candidate:.4g}"
        f" ({_signed(found.difference)}, 95 % interval {_signed(found.low)} to {_signed(found.high)},"
        f" {count} questions)"
    )
    if low >= -check.margin - _ROUNDING:
        return replace(
            check, status="passed", reason=f"{seen}: not worse beyond the margin {check.margin:g}."
        )
    if gain < -check.margin and high < 0:
        return replace(check, status="failed", reason=f"{seen}: worse, beyond the margin {check.margin:g}.")
    return replace(
        check,
        reason=f"{seen}: these questions cannot tell whether it is worse beyond the margin {check.margin:g}.",
    )


def _number(value: float) -> float | None:
    return float(value) if isfinite(value) else None


def _signed(value: float) -> str:
    return f"{round(value, 9) + 0.0:+.4g}"  # no -0, and no rest of a rounding
