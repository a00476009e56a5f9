"""Is B better than A? Paired, on the cases that both have, and on the slices of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite, nan

from evals import metrics as declared
from evals.cases import Case
from evals.errors import NotComparable, UnknownMetric, UnknownSystem
from evals.figures import MIN_SLICE, Where, column, eligible, slices
from evals.measures import Metric
from evals.results import Changed, Comparison, EvalRun, Row, Verdict
from evals.statistics import Numbers, detectable, holm, paired

ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Shared:
    """What two systems have of one metric: numbers of the same cases in the same order.

    ``nan``: cases that one of the two gave no number for; ``missing``: that one of the two has no row of.
    """

    cases: tuple[str, ...]
    a: Numbers
    b: Numbers
    nan: int
    missing: int


def compare(
    a: EvalRun,
    b: EvalRun,
    *,
    systems: Sequence[tuple[str, str]],
    metrics: Sequence[str] | None = None,
    sliced: bool = True,
) -> tuple[Comparison, ...]:
    """Hold systems of run B against systems of run A; the two may be one run.

    ``systems``: pairs of A's and B's. ``metrics`` None: those that both runs measured, without costs: time
    says as much of the machine's other work as of the system. For each pair come all metrics over all
    cases, then, if ``sliced``, each slice of at least five cases. What no shared case has a number for is
    not there. The p-values of a pair's metrics over all cases are adjusted together (Holm); those of its
    slices, all metrics of them, are a family of their own; what is equal in every case can never be
    rejected and takes no place in a family (Tarone 1990). B is ``better`` or ``worse`` only when the
    adjusted p is below .05 and the interval leaves out 0.

    Raises:
        NotComparable: the runs are of other data, or share no case.
        UnknownMetric: no such metric, or a run has not measured it.
        UnknownSystem: a run has no such system.
    """
    cases = shared_cases(a, b)
    parts: dict[str, Where] = slices(cases) if sliced else {}
    found: list[Comparison] = []
    wanted = _metrics(a, b, metrics)
    for pair in systems:
        rows = _rows(a, pair[0]), _rows(b, pair[1])
        whole = [
            one for metric in wanted if (one := _compared(rows, cases, metric, systems=pair)) is not None
        ]
        found += _judged(whole, wanted)
        sliced_ones = [
            one
            for name, where in parts.items()
            for metric in wanted
            if (one := _compared(rows, list(filter(where, cases)), metric, systems=pair, part=name))
            is not None
        ]
        found += _judged(sliced_ones, wanted)
    return tuple(found)


def changed(
    a: EvalRun, b: EvalRun, *, systems: tuple[str, str], metric: str, count: int = 10
) -> list[Changed]:
    """Return the cases that moved most from A's system to B's, furthest first, ties by id.

    The difference of a case is B's number minus A's. Of a set metric (AUROC, F1), where a case alone has
    no figure, it is how far A's figure moves when this case alone takes B's numbers; where that is not
    defined the case is not there. Cases that did not move are not there.

    Raises: as ``compare``.
    """
    cases = shared_cases(a, b)
    (one,) = _metrics(a, b, [metric])
    rows = _rows(a, systems[0]), _rows(b, systems[1])
    both = shared(rows, cases, one)
    by_id = {case.id: case for case in cases}
    moved = [
        Changed(by_id[case], one.name, rows[0][case], rows[1][case], difference)
        for place, case in enumerate(both.cases)
        if isfinite(difference := _moved(one, both, place)) and difference != 0
    ]
    return sorted(moved, key=lambda each: (-abs(each.difference), each.case.id))[:count]


def shared_cases(a: EvalRun, b: EvalRun) -> list[Case]:
    """Return the cases that count in both runs, in A's order: the same id and the same question.

    Raises ``NotComparable`` when the runs are of other data, or nothing is shared.
    """
    if a.setup.digest != b.setup.digest:
        raise NotComparable(
            f"{a.setup.run} and {b.setup.run} evaluated other data:"
            f" {a.setup.dataset} ({a.setup.digest[:12]}), {b.setup.dataset} ({b.setup.digest[:12]})",
            hint="evaluate both on one data set: ragflow eval run DATASET",
        )
    others = {case.id: case.question for case in eligible(b)}
    found = [case for case in eligible(a) if others.get(case.id) == case.question]
    if not found:
        raise NotComparable(
            f"{a.setup.run} and {b.setup.run} have no question in common",
            hint="evaluate both with the same --fold, --limit and --seed",
        )
    return found


def shared(rows: tuple[dict[str, Row], dict[str, Row]], cases: Sequence[Case], metric: Metric) -> Shared:
    """Return the numbers of the cases that both systems have of one metric."""
    a, b = (column(side, cases, metric) for side in rows)
    both = tuple(case for case in a.numbers if case in b.numbers)
    missing = sum(any(case.id not in side for side in rows) for case in cases)
    return Shared(both, a.of(both), b.of(both), len(a.nan | b.nan), missing)


def _metrics(a: EvalRun, b: EvalRun, names: Sequence[str] | None) -> tuple[Metric, ...]:
    if names is None:
        both = declared.parse([name for name in a.setup.metrics if name in b.setup.metrics])
        names = [metric.name for metric in both if metric.kind != "cost"]
    for metric in (found := declared.parse(names)):
        for run in (a, b):
            if metric.name not in run.setup.metrics:
                raise UnknownMetric(
                    f"{run.setup.run} has not measured {metric.name}",
                    hint=f"it has: {', '.join(run.setup.metrics)}",
                )
    return found


def _rows(run: EvalRun, system: str) -> dict[str, Row]:
    if system not in run.setup.systems:
        raise UnknownSystem(
            f"{run.setup.run} has no system {system}", hint=f"it has: {', '.join(run.setup.systems)}"
        )
    return run.of(system)


def _compared(
    rows: tuple[dict[str, Row], dict[str, Row]],
    cases: Sequence[Case],
    metric: Metric,
    *,
    systems: tuple[str, str],
    part: str = "",
) -> Comparison | None:
    """Return one metric's comparison with its p not adjusted yet; None with too few cases to tell."""
    both = shared(rows, cases, metric)
    if len(both.cases) < (MIN_SLICE if part else 1):
        return None
    found = paired(metric, both.a, both.b)
    return Comparison(
        a=systems[0],
        b=systems[1],
        metric=metric.name,
        slice=part,
        n=len(both.cases),
        a_value=float(metric.combine(both.a)),
        b_value=float(metric.combine(both.b)),
        difference=found.difference,
        low=found.low,
        high=found.high,
        p=found.p,
        detectable=detectable(metric, both.a, both.b),
        verdict="not_distinguishable",
    )


def _judged(family: Sequence[Comparison], metrics: Sequence[Metric]) -> list[Comparison]:
    """Adjust the p-values of a family together and say what can be told apart."""
    upward = {metric.name: metric.higher_is_better for metric in metrics}
    adjusted = holm([nan if one.p is None or _equal(one) else one.p for one in family])
    judged: list[Comparison] = []
    for one, p in zip(family, adjusted, strict=True):
        known = one.p if _equal(one) else p if isfinite(p) else None
        judged.append(replace(one, p=known, verdict=_verdict(one, p, up=upward[one.metric])))
    return judged


def _equal(one: Comparison) -> bool:
    """Tell whether no resample gave a difference: every case has the same numbers on both sides."""
    return one.difference == one.low == one.high == 0


def _verdict(one: Comparison, p: float, *, up: bool) -> Verdict:
    if p < ALPHA and (one.low > 0 or one.high < 0):
        return "better" if (one.difference > 0) == up else "worse"
    return "not_distinguishable"


def _moved(metric: Metric, both: Shared, place: int) -> float:
    if metric.mean:
        return float(both.b[place, 0] - both.a[place, 0])
    if (both.a[place] == both.b[place]).all():
        return 0.0
    mixed = both.a.copy()
    mixed[place] = both.b[place]
    return float(metric.combine(mixed) - metric.combine(both.a))
