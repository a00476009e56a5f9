"""``eval compare``: is B better than A? Two runs, or two generations of the index."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragflow.cli.eval_names import Metrics, names, pairs
from ragflow.cli.frame import Frame, emit, say, warn, width
from ragflow.cli.options import Json, Readers, unicode_only
from ragflow.cli.progress import reporting

if TYPE_CHECKING:
    from evals.results import Changed, Comparison, EvalRun, Setup
    from ragflow.app import App

_GENERATION = "g-"
_NEWEST = "last"

Sides = tuple["EvalRun", "EvalRun", list[tuple[str, str]]]
"""A, B and the pairs of their systems."""


def add(group: typer.Typer) -> None:
    """Add the command of this module."""
    group.command("compare")(compare)


def compare(  # noqa: PLR0913 - each is a flag of the command line
    ctx: typer.Context,
    a: Annotated[
        str | None,
        typer.Argument(
            metavar="A",
            callback=unicode_only,
            help="A run, RUN:SYSTEM, or a generation; absent: the run before B on its data.",
        ),
    ] = None,
    b: Annotated[
        str,
        typer.Argument(metavar="B", callback=unicode_only, help="The same. Is B better than A?"),
    ] = _NEWEST,
    *,
    generations: Annotated[
        bool,
        typer.Option("--generations", help="Compare what waits to be promoted with the live generation."),
    ] = False,
    dataset: Annotated[
        Path | None,
        typer.Option("--dataset", metavar="FILE", help="What to ask two generations; else that of `gates`."),
    ] = None,
    metrics: Metrics = None,
    count: Annotated[
        int,
        typer.Option("--changed", metavar="N", min=0, help="How many of the questions that changed most."),
    ] = 3,
    as_: Readers = None,
    as_json: Json = False,
) -> None:
    """Say whether B is better than A, worse or not distinguishable.

    By metric, over all questions and over slices (source, answerable, tag); then the questions that
    changed most, both answers side by side. The exit code is 9 where the two evaluated other data.

    Two generations (named, or --generations, or --dataset) are asked the questions now, each with the
    model that built it; nothing is promoted or stored. One alone is held against the live one.
    """
    from evals import comparison
    from ragflow.cli import eval_questions, eval_tables
    from ragflow.eval_json import compare_object

    frame: Frame = ctx.obj
    named = [one for one in (a, b) if one is not None and one != _NEWEST]
    of_generations = generations or dataset is not None or any(one.startswith(_GENERATION) for one in named)
    if as_ and not of_generations:
        raise typer.BadParameter("runs were asked already, as somebody; it goes with generations")
    wanted = names(metrics)
    with frame.app() as app:
        if of_generations:
            file = None if dataset is None else frame.folder / dataset
            one, other, systems = _asked(app, named, file, wanted, tuple(as_ or ()))
        else:
            one, other, systems = _stored(app, a, b)
        found = comparison.compare(one, other, systems=systems, metrics=wanted or None)
        _something(found, one, other)
        moved = _changed(one, other, systems, found, count)
    shown = compare_object(one, other, found, moved)
    if as_json:
        emit(shown)
        return
    for line in (*eval_tables.comparison(shown, width()), *eval_questions.changed(shown["changed"], width())):
        say(line)


def _stored(app: "App", a: str | None, b: str) -> Sides:
    """Return two stored runs, or one and its predecessor."""
    evaluation = app.evaluation()
    b_run, _, b_system = b.partition(":")
    other = evaluation.load(b_run)
    a_run, _, a_system = (a or _before(evaluation.runs(), other.setup)).partition(":")
    one = evaluation.load(a_run)
    return one, other, list(pairs(one, other, a_system, b_system))


def _asked(
    app: "App", named: Sequence[str], dataset: Path | None, metrics: tuple[str, ...], readers: tuple[str, ...]
) -> Sides:
    """Return what two generations answer now: of one name, the live one's and that one's."""
    from ragflow.gate_runs import SYSTEM
    from ragflow.generation_trials import Trial

    a, b = (None, *named) if len(named) == 1 else (*named, None, None)[:2]
    with reporting() as progress:
        one, other = app.evaluation().generations(
            Trial(a, b, dataset, metrics), readers=readers, progress=progress, note=warn
        )
    return one, other, [(SYSTEM, SYSTEM)]


def _something(found: "Sequence[Comparison]", a: "EvalRun", b: "EvalRun") -> None:
    """Raise ``NotComparable`` where no metric has a number on both sides."""
    from evals.errors import NotComparable

    if not found:
        raise NotComparable(
            f"{a.setup.run} and {b.setup.run} have no figure in common",
            hint="ask questions that have a gold document, quote or answer: docs/evals.md",
        )


def _changed(
    a: "EvalRun",
    b: "EvalRun",
    systems: Sequence[tuple[str, str]],
    found: "Sequence[Comparison]",
    count: int,
) -> "list[Changed]":
    """Return what moved most in each pair of systems, by the first metric in which anything did.

    One that was found better or worse comes before the others. Costs and times, which move always, count
    only where nothing else was compared.
    """
    from evals.comparison import changed
    from evals.metrics import COSTS

    moved: list[Changed] = []
    for pair in systems if count else ():
        whole = [one for one in found if (one.a, one.b) == pair and not one.slice]
        told = sorted(whole, key=lambda one: one.verdict == "not_distinguishable")
        metrics = [one.metric for one in told if one.metric not in COSTS] or [one.metric for one in told]
        entries = (changed(a, b, systems=pair, metric=metric, count=count) for metric in metrics)
        moved += next(filter(None, entries), [])
    return moved


def _before(known: "Sequence[Setup]", run: "Setup") -> str:
    """Return the run before on the same data. Raises ``NotComparable`` where there is none."""
    from evals.errors import NotComparable

    found = earlier(known, run)
    if found is None:
        raise NotComparable(
            f"there is no finished run before {run.run} on the same data", hint="name both: ragflow eval list"
        )
    return found


def earlier(known: "Sequence[Setup]", candidate: "Setup") -> str | None:
    """Return the newest finished run on the same data that is older than the candidate."""
    place = next((at for at, setup in enumerate(known) if setup.run == candidate.run), len(known))
    for setup in known[place + 1 :]:
        if setup.digest == candidate.digest and setup.status == "done":
            return setup.run
    return None
