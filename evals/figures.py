"""A system's figures over a run, or over a slice of it, computed from the stored rows."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from evals import metrics
from evals.cases import Case
from evals.measures import Metric
from evals.results import EvalRun, Figure, Row
from evals.statistics import Numbers, interval

MIN_SLICE = 5
NOT_ASKED = "was not asked"
NOT_MEASURED = "was not measured"

Where = Callable[[Case], bool]


@dataclass(frozen=True, slots=True)
class Column:
    """One metric of one system, case by case.

    ``numbers``: of each case that counts, in the order of the run's cases. ``failed``: which of those
    failed. ``nan``: cases whose numbers were no numbers. ``left_out``: reason -> how many.
    """

    numbers: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    failed: frozenset[str] = frozenset()
    nan: frozenset[str] = frozenset()
    left_out: Mapping[str, int] = field(default_factory=dict)

    def of(self, cases: Collection[str]) -> Numbers:
        """Return the numbers of these cases as an array of shape (cases, n)."""
        width = max(map(len, self.numbers.values()), default=1)
        return np.array([self.numbers[case] for case in cases], dtype=np.float64).reshape(len(cases), width)


def figures(run: EvalRun, system: str, *, where: Where | None = None) -> dict[str, Figure]:
    """Return each of the run's metrics for one system, over the cases that ``where`` takes (None: all).

    Cases that the run excluded, or that are not reviewed, never count. A case that failed counts with its
    metric's ``failed`` numbers. Without a case that counts, value and interval are NaN.
    """
    rows, cases = run.of(system), eligible(run, where)
    found = {}
    for metric in metrics.parse(run.setup.metrics):
        taken = column(rows, cases, metric)
        numbers = taken.of(taken.numbers)
        low, high = interval(metric, numbers)
        found[metric.name] = Figure(
            value=float(metric.combine(numbers)) if len(numbers) else float("nan"),
            low=low,
            high=high,
            n=len(numbers),
            failed=len(taken.failed),
            nan=len(taken.nan),
            left_out=taken.left_out,
        )
    return found


def eligible(run: EvalRun, where: Where | None = None) -> tuple[Case, ...]:
    """Return the cases that may count, in the run's order."""
    return tuple(
        case
        for case in run.cases
        if case.reviewed and case.id not in run.setup.excluded and (where is None or where(case))
    )


def column(rows: Mapping[str, Row], cases: Sequence[Case], metric: Metric) -> Column:
    """Sort what the rows hold of one metric: numbers, failures, no numbers, left out and why."""
    numbers: dict[str, tuple[float, ...]] = {}
    failed, nan, left_out = set[str](), set[str](), Counter[str]()
    for case in cases:
        row = rows.get(case.id)
        taken = row.numbers.get(metric.name) if row else None
        if row is None or taken is None:
            left_out[row.left_out.get(metric.name, NOT_MEASURED) if row else NOT_ASKED] += 1
        elif not np.isfinite(taken).all():
            nan.add(case.id)
        else:
            numbers[case.id] = taken
            if row.error is not None:
                failed.add(case.id)
    return Column(numbers, frozenset(failed), frozenset(nan), dict(sorted(left_out.items())))


def slices(cases: Sequence[Case]) -> dict[str, Where]:
    """Return the slices of at least five cases by name: ``source:hr``, ``answerable:no``, ``tag:pdf``.

    In the order of source, answerable, tag, then by name. A slice that all cases are in tells nothing
    more than their figures do and is not there.
    """
    names = Counter(name for case in cases for name in _slices_of(case))
    kinds = {"source": 0, "answerable": 1, "tag": 2}
    wanted = [name for name, count in names.items() if MIN_SLICE <= count < len(cases)]
    return {name: _in(name) for name in sorted(wanted, key=lambda name: (kinds[name.split(":")[0]], name))}


def _slices_of(case: Case) -> set[str]:
    found = {f"tag:{tag}" for tag in case.tags}
    if case.source is not None:
        found.add(f"source:{case.source}")
    if case.answerable is not None:
        found.add(f"answerable:{case.answerable}")
    return found


def _in(name: str) -> Where:
    return lambda case: name in _slices_of(case)
