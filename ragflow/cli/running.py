"""``run`` and ``worker``, and of ``runs``: ``cancel``, ``resume``, ``retry``."""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragflow.cli.answers import answered
from ragflow.cli.frame import Frame, argument, aside, emit, emit_lines, fail, lead_away, say, width
from ragflow.cli.options import Json, RunId, unicode_only
from ragflow.cli.records import run_group
from ragflow.cli.tables import table
from ragflow.terminal import escape, one_line

if TYPE_CHECKING:
    from pydantic import BaseModel

    from ragflow.orchestration import Orchestration, Report
    from ragflow.workflows.declaring import Workflow

_TAKEN = 4  # the exit code of a run that another process has taken up
_EXPLAINED = frozenset({"hits", "features", "rejected"})  # of an answer; --json shows them


def add(program: typer.Typer) -> None:
    """Add the commands of this module."""
    program.command("run")(run)
    program.command("worker")(worker)
    run_group.command("cancel")(cancel)
    run_group.command("resume")(resume)
    run_group.command("retry")(retry)


def run(  # noqa: PLR0913 - each is a flag of the command line
    ctx: typer.Context,
    workflow: Annotated[
        str | None, typer.Argument(metavar="WORKFLOW", callback=unicode_only, help="As in --list.")
    ] = None,
    pairs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE", callback=unicode_only, help="One part of the input, as text or JSON."
        ),
    ] = None,
    *,
    given: Annotated[
        str | None,
        typer.Option(
            "--input",
            metavar="JSON",
            callback=unicode_only,
            help="The input, or a file of it; - reads stdin.",
        ),
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Leave the run to a worker.")] = False,
    listing: Annotated[bool, typer.Option("--list", help="List the workflows.")] = False,
    help_input: Annotated[
        bool, typer.Option("--help-input", help="Print the JSON Schema of what the workflow takes.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run a workflow.

    Each step is done once: a run that was interrupted goes on with `ragflow runs resume`. The exit code is 7
    where it waits for a person, 6 where the answer was not found, 8 where the run was refused.
    """
    from ragflow.errors import UsageError

    frame: Frame = ctx.obj
    with frame.app() as app, app.orchestration() as orchestration:
        with aside():
            known = orchestration.workflows
        if listing:
            _list(known, as_json=as_json)
            return
        if workflow is None:
            raise UsageError("name a workflow", hint="ragflow run --list shows what there is")
        if help_input:
            emit(orchestration.workflow(workflow).takes.model_json_schema())
            return
        takes = orchestration.workflow(workflow).takes
        input_ = read_input(given, pairs or [], takes)
        with _told(orchestration), aside():
            report = orchestration.start(workflow, input_, asker=app.asker(), detach=detach)
    _show(report, as_json=as_json)


def worker(
    ctx: typer.Context,
    *,
    parallel: Annotated[
        int, typer.Option("--parallel", metavar="N", min=1, max=64, help="How many runs at once.")
    ] = 1,
    once: Annotated[bool, typer.Option("--once", help="Stop when nothing is left to do.")] = False,
) -> None:
    """Take up runs that nobody works on, until Ctrl-C.

    Those that were left to a worker, those that a person has decided, those whose time is over, and those
    whose process has died. With `database.url` several machines share them.
    """
    import signal

    def told(sentence: str) -> None:
        sys.stderr.write(f"{escape(sentence)}\n")
        sys.stderr.flush()

    frame: Frame = ctx.obj
    with frame.app() as app, app.orchestration() as orchestration, aside():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: orchestration.stop())
        told("working: Ctrl-C stops")
        done = orchestration.work(told, parallel=parallel, once=once)
    told(f"stopped: {done} taken up")


def cancel(ctx: typer.Context, run: RunId, *, as_json: Json = False) -> None:
    """End a run that waits or goes on. What it has done stays done."""
    frame: Frame = ctx.obj
    with frame.app() as app, app.orchestration() as orchestration, aside():
        report = orchestration.cancel(run, app.asker())
    if as_json or report.record["status"] == "cancelled":
        _show(report, as_json=as_json)
    else:
        say(f"{escape(report.record['run'])} is asked to end before its next step")


def resume(ctx: typer.Context, run: RunId, *, as_json: Json = False) -> None:
    """Go on with a run that was interrupted or decided.

    It is refused (exit 8) where the source of its workflow has changed since.
    """
    frame: Frame = ctx.obj
    with frame.app() as app, app.orchestration() as orchestration, _told(orchestration), aside():
        report = orchestration.resume(run, app.asker())
    _show(report, as_json=as_json)


def retry(ctx: typer.Context, run: RunId, *, as_json: Json = False) -> None:
    """Begin anew with the input of a run that has ended."""
    frame: Frame = ctx.obj
    with frame.app() as app, app.orchestration() as orchestration, _told(orchestration), aside():
        report = orchestration.retry(run, app.asker())
    _show(report, as_json=as_json)


class _told:  # noqa: N801 - a `with`
    """Say on Ctrl-C how the run goes on."""

    def __init__(self, orchestration: "Orchestration") -> None:
        self._orchestration = orchestration

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, KeyboardInterrupt):
            going = [f"ragflow runs resume {run}" for run in self._orchestration.going]
            for hint in going or ["ragflow runs list shows whether a run was begun"]:
                error.add_note(hint)


def read_input(given: str | None, pairs: list[str], takes: "type[BaseModel] | None" = None) -> dict[str, Any]:
    """Return the input of ``--input`` with the pairs over it: for what ``takes`` reads as a text, a text.

    Raises ``InputUnfit``: it is no JSON object; ``UsageError``: a pair has no ``=``.
    """
    from ragflow.errors import UsageError
    from ragflow.workflows.errors import InputUnfit

    found: dict[str, Any] = {}
    if given is not None:
        text = (
            given if given.lstrip()[:1] in ("{", "[") else argument(given) if given == "-" else _file(given)
        )
        try:
            read = json.loads(text)
            json.dumps(read, ensure_ascii=False, allow_nan=False).encode()
        except (ValueError, RecursionError) as error:
            raise InputUnfit(f"the input is no JSON: {error}") from error
        if not isinstance(read, dict):
            raise InputUnfit("the input is no JSON object", hint="""write --input '{"question": "..."}'""")
        found = read
    schema = takes.model_json_schema() if takes is not None and pairs else {}
    parts: dict[str, Any] = schema.get("properties", {})
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"write KEY=VALUE, not {pair}", hint="ragflow run WORKFLOW --help-input")
        found[key] = _value(value, text=parts.get(key, {}).get("type") == "string")
    return found


def _value(written: str, *, text: bool) -> Any:
    """Return a value: JSON where it is such, but for ``text`` only a JSON string; else what is written."""
    try:
        value = json.loads(written)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return written
    return written if text and not isinstance(value, str) else value


def _file(name: str) -> str:
    from ragflow.errors import UsageError

    name = name.removeprefix("@")
    try:
        return Path(name).read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{name} holds no UTF-8 text", hint="convert it to UTF-8 first") from error
    except OSError as error:
        raise UsageError(
            f"{name} cannot be read: {error.strerror}", hint="--input takes an object or a file"
        ) from error


def _list(known: "Mapping[str, Workflow]", *, as_json: bool) -> None:
    rows = [
        {"workflow": one.name, "about": one.about, "module": one.function.__module__, "digest": one.digest}
        for _, one in sorted(known.items())
    ]
    if as_json:
        emit_lines(rows)
        return
    for line in table(["workflow", "about"], [[row["workflow"], one_line(row["about"], 60)] for row in rows]):
        say(line)


def _show(report: "Report", *, as_json: bool) -> None:
    """Print a run, and leave with its exit code."""
    from ragflow.errors import OutsideCause

    try:
        if as_json:
            emit(report.record)
        else:
            for line in _lines(report.record, taken=report.exit_code == _TAKEN):
                say(line)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        lead_away()
        run = report.record["run"]
        words = f"what became of {run} cannot be written: {error.strerror}"
        told = OutsideCause(words, hint=f"ragflow runs show {run}")
        raise typer.Exit(fail(told, as_json=False)) from error
    raise typer.Exit(report.exit_code)


def _lines(record: Mapping[str, Any], *, taken: bool) -> Iterator[str]:
    run, status = escape(record["run"]), record["status"]
    if status == "running":
        if taken:
            yield f"{run} was decided, and another process goes on with it: ragflow runs show {run}"
        else:
            yield f"{run} is left to a worker: ragflow worker"
        return
    if status == "waiting":
        yield from _waiting(record)
        return
    yield f"{run}: {escape(record['outcome'] or status)}"
    output = record["output"] or {}
    if "error" in output:
        yield f"  {one_line(output['error']['message'], 500)}"
        if output["error"]["hint"]:
            yield f"  {one_line(output['error']['hint'].replace('RUN', record['run']), 500)}"
    elif output.get("schema") == "ragflow.ask/1":
        yield ""
        plain = {key: value for key, value in output.items() if key not in _EXPLAINED}
        yield from answered(plain, width())
    elif output:
        yield escape(json.dumps(output, ensure_ascii=False, indent=2), lines=True)


def _waiting(record: Mapping[str, Any]) -> Iterator[str]:
    run = escape(record["run"])
    if all(one["status"] != "pending" for one in record["approvals"]):
        yield f"{run} can go on: ragflow runs resume {run}, or a worker takes it up"
        return
    yield f"{run} waits for a person"
    for one in record["approvals"]:
        if one["status"] == "pending":
            arguments = one_line(json.dumps(one["arguments"], ensure_ascii=False), 200)
            yield ""
            yield f"  {escape(one['tool'])} {arguments}"
            yield f"  asked of {escape(', '.join(one['approvers']) or 'nobody')}, until {one['expires']}"
            yield f"  ragflow approvals show {one['approval']}"
            yield f"  ragflow approvals approve {one['approval']} --digest {one['digest']}"
