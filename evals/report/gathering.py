"""All that the report shows, computed once from the stored rows; the pages after it only draw."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from evals.cases import Case, Response
from evals.errors import EvalError
from evals.measures import Metric
from evals.results import Changed, Comparison, EvalRun, Figure, Row

REFUSED = ("not_found", "blocked")
_CHANGED = 10


@dataclass(frozen=True, slots=True)
class Slice:
    """Some of the questions: ``name`` is ``source:hr``; ``figures`` by system and metric."""

    name: str
    questions: int
    figures: Mapping[str, Mapping[str, Figure]]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two systems, or one system in two runs, held against each other: B against A.

    ``system`` is B's; the names say of which run, where there are two.
    ``comparisons`` of all questions and of slices; empty, with ``reason``, where they cannot be compared.
    """

    system: str
    a_name: str
    b_name: str
    a: Mapping[str, Row]
    b: Mapping[str, Row]
    comparisons: tuple[Comparison, ...]
    changed: tuple[Changed, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Material:
    """A run, ready to be drawn.

    ``cases``: those that were asked, by id. ``headlines``: the metrics that stand for all others, one of
    ranking and one of answering where the run has them. ``pairs``: the first system against each other
    one; ``against``: each system of the other run against this one. ``unknown``: stored metrics that this
    program does not know, with the reason.
    """

    run: EvalRun
    other: EvalRun | None
    cases: Mapping[str, Case]
    metrics: Mapping[str, Metric]
    unknown: Mapping[str, str]
    headlines: tuple[Metric, ...]
    figures: Mapping[str, Mapping[str, Figure]]
    slices: tuple[Slice, ...]
    pairs: tuple[Pair, ...]
    against: tuple[Pair, ...]

    @property
    def systems(self) -> tuple[str, ...]:
        """The systems in the order they were asked for."""
        return self.run.setup.systems

    def answering(self) -> list[str]:
        """Return the systems that give answers, not hits alone."""
        return [
            system for system in self.systems if any(answered(row) for row in self.run.of(system).values())
        ]


def answered(row: Row) -> bool:
    """Tell whether a row holds an answer or a refusal: its system did more than search."""
    return row.response is not None and row.response.outcome is not None


def refused(response: Response) -> bool:
    """Tell whether a response declines to answer."""
    return response.outcome in REFUSED


def gather(run: EvalRun, other: EvalRun | None) -> Material:
    """Compute figures, slices and comparisons of a run, and of it against another one."""
    from evals.figures import eligible, figures, slices

    metrics, unknown = _metrics(run.setup.metrics)
    run = _known(run, metrics)
    cases = {case.id: case for case in eligible(run)}
    headlines = _headlines(metrics.values())
    names = tuple(metric.name for metric in headlines)
    short = replace(run, setup=replace(run.setup, metrics=names))
    systems = run.setup.systems
    return Material(
        run=run,
        other=other,
        cases=cases,
        metrics=metrics,
        unknown=unknown,
        headlines=headlines,
        figures={system: figures(run, system) for system in systems},
        slices=tuple(
            Slice(
                name,
                sum(1 for case in cases.values() if chosen(case)),
                {system: figures(short, system, where=chosen) for system in systems},
            )
            for name, chosen in slices(tuple(cases.values())).items()
        ),
        pairs=tuple(
            _pair((systems[0], system), (run, run), (systems[0], system), names) for system in systems[1:]
        ),
        against=tuple(
            _pair(
                (f"{each} in {other.setup.run}", f"{each} in {run.setup.run}"),
                (other, run),
                (each, each),
                names,
            )
            for each in systems
            if each in other.setup.systems
        )
        if other is not None
        else (),
    )


def first(row: Row | None, metric: str) -> float | None:
    """Return the number that a case has of a metric that is a mean; None without one, or for NaN."""
    numbers = row.numbers.get(metric) if row is not None else None
    return None if not numbers or math.isnan(numbers[0]) else numbers[0]


def _metrics(names: Sequence[str]) -> tuple[dict[str, Metric], dict[str, str]]:
    from evals.metrics import parse

    known: dict[str, Metric] = {}
    unknown: dict[str, str] = {}
    for name in names:
        try:
            known[name] = parse([name])[0]
        except EvalError as error:
            unknown[name] = str(error)
    return known, unknown


def _known(run: EvalRun, metrics: Mapping[str, Metric]) -> EvalRun:
    return replace(run, setup=replace(run.setup, metrics=tuple(metrics)))


def _headlines(metrics: Iterable[Metric]) -> tuple[Metric, ...]:
    """Return the first metric of ranking, and CRAG or else the first mean of answering."""
    known = [metric for metric in metrics if metric.mean and metric.higher_is_better]
    ranking = [metric for metric in known if metric.kind == "retrieval"]
    answering = [metric for metric in known if metric.kind == "answer"]
    crag = [metric for metric in answering if metric.name == "CRAG"]
    return (*ranking[:1], *(crag or answering)[:1])


def _pair(
    names: tuple[str, str], runs: tuple[EvalRun, EvalRun], systems: tuple[str, str], headlines: Sequence[str]
) -> Pair:
    """Hold a system of one run against a system of another, or of the same; slices on headlines alone.

    Set metrics (AUROC, F1) on every slice would take most of a minute and be read by nobody.
    """
    from evals.comparison import changed, compare

    a, b = runs
    pair = Pair(systems[1], *names, a.of(systems[0]), b.of(systems[1]), ())
    try:
        whole = compare(a, b, systems=[systems], sliced=False)
        measured = [name for name in headlines if name in a.setup.metrics]
        parts = compare(a, b, systems=[systems], metrics=measured)
        moved = [
            each
            for name in (measured if a is not b else ())
            for each in changed(a, b, systems=systems, metric=name, count=_CHANGED)
        ]
    except EvalError as error:
        return replace(pair, reason=str(error))
    return replace(pair, comparisons=(*whole, *(each for each in parts if each.slice)), changed=_once(moved))


def _once(moved: Iterable[Changed]) -> tuple[Changed, ...]:
    """Keep a question that moved on two metrics only where it stands first."""
    return tuple({each.case.id: each for each in reversed(list(moved))}.values())[::-1]
