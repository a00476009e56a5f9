"""``eval``: measure retrieval and answers on questions with known answers."""

import json
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragflow.cli import attacking, comparing, deciding, eval_route, judging
from ragflow.cli.eval_names import EvalRunId, Metrics, Systems, names, target
from ragflow.cli.frame import Frame, emit, emit_lines, say, warn, width
from ragflow.cli.options import Json, JsonLines, Readers, unicode_only
from ragflow.cli.progress import reporting
from ragflow.terminal import escape

if TYPE_CHECKING:
    from evals.cases import Case
    from evals.results import Comparison, EvalRun, Figure

CANNOT_SAY = 9
_ANOTHER = "name another file: -o FILE"


def add(program: typer.Typer) -> None:
    """Add the commands of this module, and those that decide between them."""
    group = typer.Typer(rich_markup_mode=None, help="Measure retrieval and answers; compare, gate, report.")
    group.command("init")(init)
    group.command("run")(run)
    comparing.add(group)
    deciding.add(group)
    group.command("list")(list_runs)
    group.command("show")(show)
    eval_route.add(group)
    attacking.add(group)
    program.add_typer(group, name="eval")


def init(
    ctx: typer.Context,
    *,
    output: Annotated[
        Path, typer.Option("-o", metavar="FILE", help="The file to write; never overwritten.")
    ] = Path("questions.jsonl"),
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="How many at most.")] = 30,
    seed: Annotated[int, typer.Option("--seed", metavar="S", help="Another seed, other questions.")] = 0,
    as_: Readers = None,
    as_json: Json = False,
) -> None:
    """Propose questions from what is indexed, for a person to review.

    None of them counts before its "reviewed" is true: read each, correct question and answer, delete
    what nobody would ask.
    """
    from evals.proposals import propose

    frame: Frame = ctx.obj
    file = target(frame.folder, output, new=_ANOTHER)
    with frame.app() as app:
        asker = app.asker(as_ or ())
        proposed = propose(list(app.evaluation().pages(asker.readers)), limit=limit, seed=seed)
        _write_cases(file, proposed)
    if as_json:
        emit({"schema": "ragflow.eval_init/1", "file": str(file), "questions": len(proposed)})
        return
    say(f"wrote {escape(str(file))}: {len(proposed)} questions, none of them reviewed")
    say("next:")
    say('  read each; correct it or delete its line; write true after "reviewed"')
    say(f"  {_again(frame)} eval run {escape(shlex.quote(str(output)))}")


def _again(frame: Frame) -> str:
    return "ragflow" if frame.folder == Path() else f"ragflow -C {escape(shlex.quote(str(frame.folder)))}"


def _write_cases(file: Path, cases: "Sequence[Case]") -> None:
    from evals.questions import to_json
    from ragflow.errors import AlreadyThere, UsageError

    if not cases:
        raise UsageError(
            "the documents that you may read give no question", hint="ragflow index, or --as READER"
        )
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.writelines(json.dumps(to_json(case), ensure_ascii=False) + "\n" for case in cases)
    except FileExistsError as error:
        raise AlreadyThere(f"{file} is there already", hint=_ANOTHER) from error


def run(  # noqa: PLR0913 - each is a flag of the command line
    ctx: typer.Context,
    dataset: Annotated[
        Path, typer.Argument(metavar="DATASET", help="A question file (.jsonl, .yaml) or a BEIR folder.")
    ],
    *,
    systems: Systems = None,
    metrics: Metrics = None,
    split: Annotated[
        str, typer.Option("--split", metavar="NAME", help="Which qrels of a BEIR folder.")
    ] = "test",
    fold: Annotated[
        int | None,
        typer.Option("--fold", metavar="0|1", min=0, max=1, help="Only this half of the questions."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Only so many, drawn at random.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", metavar="S", help="Which draw --limit makes.")] = None,
    trec: Annotated[
        Path | None,
        typer.Option("--trec-run", metavar="DIR", help="Write SYSTEM.trec there, for other tools."),
    ] = None,
    as_: Readers = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Do not go on with a run that was killed.")] = False,
    junit: Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML.")] = None,
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write a row a question.")] = None,
    markdown: Annotated[Path | None, typer.Option("--markdown", metavar="FILE", help="Write tables.")] = None,
    judge: judging.Url = None,
    judge_model: judging.Model = None,
    judge_key: judging.KeyVariable = None,
    as_json: Json = False,
) -> None:
    """Ask every question of every system, and measure what comes.

    Killed, it goes on where it was the next time. A question that fails counts as failed; a metric that
    lacks its gold leaves the question out and says so. The exit code is 9 where no figure came out.
    """
    from ragflow.cli.eval_tables import evaluated
    from ragflow.eval_json import eval_object, figures_of
    from ragflow.evaluation import RunOptions

    frame: Frame = ctx.obj
    options = RunOptions(
        systems=names(systems),
        metrics=names(metrics),
        split=split,
        fold=fold,
        limit=limit,
        seed=seed,
        readers=tuple(as_) if as_ else None,
        resume=not fresh,
        trec=None if trec is None else frame.folder / trec,
    )
    files = {
        kind: target(frame.folder, file)
        for kind, file in (("junit", junit), ("csv", csv), ("markdown", markdown))
        if file is not None
    }
    key = judging.key_of(judge, judge_model, judge_key)
    with frame.app() as app, counting() as progress:
        evaluation = app.evaluation()
        done = evaluation.run(frame.folder / dataset, options, progress, note=warn)
        before = comparing.earlier(evaluation.runs(), done.setup)
        advice = (
            judging.advice(app.config, done, (judge, judge_model, key), progress)
            if judge and judge_model
            else None
        )
    figures, comparisons = figures_of(done), against_first(done)
    for kind, file in files.items():
        _export(kind, file, done, figures, comparisons)
    report = eval_object(done, comparisons, figures=figures)
    if as_json:
        emit(report if advice is None else report | {"judged": advice})
    else:
        for line in (*evaluated(report, width()), *judging.advised(advice, width()), *_next(frame, before)):
            say(line)
    raise typer.Exit(0 if _computed(report) else CANNOT_SAY)


def _next(frame: Frame, before: str | None) -> Iterator[str]:
    again = _again(frame)
    yield ""
    yield "next:"
    yield f"  {again} eval report"
    if before is not None:
        yield f"  {again} eval compare {escape(before)} last"


def _export(
    kind: str,
    file: Path,
    done: "EvalRun",
    figures: "Mapping[str, Mapping[str, Figure]]",
    comparisons: "Sequence[Comparison]",
) -> None:
    from evals import exports

    if kind == "junit":
        text = exports.junit(done, figures)
    elif kind == "csv":
        text = exports.csv(done)
    else:
        text = exports.markdown(done, figures, comparisons)
    # No translation: the lines of a CSV file end in CR LF everywhere. Half surrogate pairs, which no
    # file holds, may stand in what a system raised.
    file.write_text(text, encoding="utf-8", errors="replace", newline="")


def against_first(done: "EvalRun") -> "tuple[Comparison, ...]":
    """Compare every further system of a run with its first, over all questions that count; () without any."""
    from evals.comparison import compare
    from evals.figures import eligible

    first, *others = done.setup.systems
    if not others or not eligible(done):
        return ()
    return compare(done, done, systems=[(first, other) for other in others], sliced=False)


def _computed(report: dict[str, Any]) -> bool:
    return any(
        one["value"] is not None
        for system in report["systems"].values()
        for one in system["metrics"].values()
    )


@contextmanager
def counting() -> Iterator[Callable[[str, int, int], None]]:
    """Give what takes (system, done, total) and shows it on stderr, for the length of a ``with``.

    The first report of a system tells what an earlier process did: that is said.
    """
    from indexes.report import Progress

    seen: set[str] = set()
    with reporting() as report:

        def take(system: str, done: int, total: int) -> None:
            if system not in seen and done:
                sys.stderr.write(
                    f"{escape(system)}: going on, {done:,} of {total:,} questions were done before\n"
                )
            seen.add(system)
            report(Progress(system, None, done, total))

        yield take


def list_runs(ctx: typer.Context, *, as_json: JsonLines = False) -> None:
    """List the evaluations of this workspace, newest first."""
    from ragflow.cli.eval_tables import runs
    from ragflow.eval_json import listed_object

    frame: Frame = ctx.obj
    with frame.app() as app:
        rows = [listed_object(setup) for setup in app.evaluation().runs()]
    if as_json:
        emit_lines(rows)
        return
    for line in runs(rows, width()):
        say(line)


def show(
    ctx: typer.Context,
    name: EvalRunId = "last",
    *,
    question: Annotated[
        str | None,
        typer.Option("--question", metavar="ID", callback=unicode_only, help="Only this question."),
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only the questions that failed.")] = False,
    as_json: Json = False,
) -> None:
    """Show the figures of a run, or single questions of it.

    A question comes with its gold and, for each system, hits, answer and numbers.
    """
    from ragflow.cli import eval_questions, eval_tables
    from ragflow.eval_json import case_object, eval_object

    frame: Frame = ctx.obj
    with frame.app() as app:
        done = app.evaluation().load(name)
        if question is None and not failed:
            report = eval_object(done, against_first(done))
            lines = eval_tables.evaluated(report, width())
            shown = [report]
        else:
            shown = [case_object(done, case) for case in _chosen(done, question, failed=failed)]
            lines = (line for one in shown for line in ("", *eval_questions.question(one, width())))
    if as_json:
        emit_lines(shown)
        return
    for line in lines if shown else ("no question failed",):
        say(line)


def _chosen(done: "EvalRun", question: str | None, *, failed: bool) -> "list[Case]":
    from ragflow.errors import UsageError

    broken = {row.case for row in done.rows if row.error is not None}
    chosen = [
        case for case in done.cases if question in (None, case.id) and (not failed or case.id in broken)
    ]
    if question is not None and all(case.id != question for case in done.cases):
        raise UsageError(
            f"{done.setup.run} has no question {question}", hint=f"ragflow eval show {done.setup.run} --json"
        )
    return chosen
