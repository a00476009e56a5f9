"""``eval gate``, ``calibrate`` and ``report``: what evaluations say, and what follows."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragflow.cli.comparing import earlier
from ragflow.cli.eval_names import EvalRunId, chosen_system, target
from ragflow.cli.frame import Frame, emit, say, width
from ragflow.cli.options import Json, unicode_only
from ragflow.terminal import escape

if TYPE_CHECKING:
    from evals.gating import Gate
    from evals.results import Setup
    from ragflow.app import App

_CODES = {"passed": 0, "failed": 8, "inconclusive": 9}
_ANOTHER = "name another file with -o, or overwrite it with --force"
_DEFAULT_GATE = ("nDCG@10", 0.05, 30)

SystemName = Annotated[
    str | None,
    typer.Option(
        "--system",
        metavar="NAME",
        callback=unicode_only,
        help="Which; reranked, hybrid, or the run's last.",
        show_default=False,
    ),
]


def add(group: typer.Typer) -> None:
    """Add the commands of this module."""
    group.command("gate")(gate)
    group.command("calibrate")(calibrate)
    group.command("report")(report)


def gate(  # noqa: PLR0913 - each is a flag of the command line
    ctx: typer.Context,
    name: EvalRunId = "last",
    *,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            metavar="RUN",
            callback=unicode_only,
            help="The baseline; the run before on the same data.",
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option("--metric", metavar="M", callback=unicode_only, help="Only this, not `gates`."),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option("--margin", metavar="X", min=0, help="How much worse is still let through."),
    ] = None,
    least: Annotated[
        int | None, typer.Option("--min-questions", metavar="N", min=1, help="Fewer cannot decide.")
    ] = None,
    system: SystemName = None,
    as_json: Json = False,
) -> None:
    """Say whether a run is worse than the one before, by a margin.

    Without --metric the `gates` of ragflow.yaml for this data set are asked; without any, nDCG@10 with a
    margin of 0.05 and 30 questions. The exit code is 0 where all pass, 8 where one fails, 9 where it
    cannot be said.
    """
    from evals.gating import decide
    from ragflow.cli.eval_tables import gated
    from ragflow.eval_json import gate_object

    frame: Frame = ctx.obj
    with frame.app() as app:
        evaluation = app.evaluation()
        candidate = evaluation.load(name)
        before = against or earlier(evaluation.runs(), candidate.setup)
        baseline = None if before is None else evaluation.load(before)
        judged = chosen_system(candidate, system)
        gates = _gates(app, candidate.setup, metric, margin, least)
        checks = [decide(baseline, candidate, one, system=judged) for one in gates]
    found = {check.status for check in checks}
    status = "failed" if "failed" in found else "passed" if found == {"passed"} else "inconclusive"
    about = {
        "run": candidate.setup.run,
        "against": baseline.setup.run if baseline else None,
        "system": judged,
        "dataset": candidate.setup.dataset,
    }
    shown = gate_object(status, checks, about)
    if as_json:
        emit(shown)
    else:
        for line in gated(shown, width()):
            say(line)
    raise typer.Exit(_CODES[status])


def _gates(
    app: "App", candidate: "Setup", metric: str | None, margin: float | None, least: int | None
) -> "list[Gate]":
    """Return the gates of this data set: of the flags, else of ragflow.yaml, else the default.

    ``margin`` and ``least`` beat what stands in the file.
    """
    from evals.gating import Gate

    configured = [] if metric else _configured(app, candidate)
    rules = [(one.metric, one.margin, one.min_questions) for one in configured]
    if not rules:
        rules = [(metric or _DEFAULT_GATE[0], *_DEFAULT_GATE[1:])]
    return [
        Gate(name, own if margin is None else margin, fewest if least is None else least)
        for name, own, fewest in rules
    ]


def _configured(app: "App", candidate: "Setup") -> list[Any]:
    """Return the gates of ragflow.yaml whose data set is, as it is now, the one that was evaluated.

    Raises:
        NotComparable: there are gates, and none is.
    """
    from evals.datasets import load
    from evals.errors import NotComparable

    gates = app.config.gates
    digests = {one.dataset: load(Path(app.config.resolve(one.dataset))).digest for one in gates}
    mine = [one for one in gates if digests[one.dataset] == candidate.digest]
    if gates and not mine:
        raise NotComparable(
            f"{candidate.run} evaluated {candidate.dataset} as it was; no gate of ragflow.yaml is for that",
            hint="evaluate the gate's data set, or name a rule: --metric nDCG@10 --margin 0.05",
        )
    return mine


def calibrate(
    ctx: typer.Context, name: EvalRunId = "last", *, system: SystemName = None, as_json: Json = False
) -> None:
    """Say from which confidence on it is better to answer.

    Every figure is cross-fitted: each half of the questions is scored with what the other half chose.
    The exit code is 9 where too few questions allow no recommendation.
    """
    from evals.calibration import calibrate as calibrated
    from ragflow.cli.eval_tables import calibration
    from ragflow.eval_json import calibration_object

    frame: Frame = ctx.obj
    with frame.app() as app:
        done = app.evaluation().load(name)
        judged = chosen_system(done, system)
        shown = calibration_object(done, calibrated(done, system=judged))
        shown["min_confidence"] = app.config.answer.min_confidence
    if as_json:
        emit(shown)
    else:
        for line in calibration(shown, width()):
            say(line)
    raise typer.Exit(9 if shown["recommended"] is None else 0)


def report(
    ctx: typer.Context,
    name: EvalRunId = "last",
    other: Annotated[
        str | None,
        typer.Argument(metavar="OTHER", callback=unicode_only, help="A second run, to hold against it."),
    ] = None,
    *,
    output: Annotated[Path, typer.Option("-o", metavar="FILE", help="The file to write.")] = Path(
        "report.html"
    ),
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    as_json: Json = False,
) -> None:
    """Write one HTML file that shows a run, or two side by side.

    It asks for no script, font or picture from anywhere.
    """
    from evals.report import render
    from ragflow.errors import AlreadyThere

    frame: Frame = ctx.obj
    file = target(frame.folder, output, new="" if force else _ANOTHER)
    with frame.app() as app:
        evaluation = app.evaluation()
        done = evaluation.load(name)
        page = render(done, evaluation.load(other) if other else None)
    try:
        with file.open("w" if force else "x", encoding="utf-8") as stream:
            stream.write(page)
    except FileExistsError as error:
        raise AlreadyThere(f"{file} is there already", hint=_ANOTHER) from error
    if as_json:
        emit({"schema": "ragflow.eval_report/1", "file": str(file), "run": done.setup.run})
        return
    say(f"wrote {escape(str(file))}")
