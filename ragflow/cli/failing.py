"""``sources failures`` and ``sources retry``: what could not be read, and reading it again."""

from typing import Annotated

import typer

from ragflow.cli.documents import group
from ragflow.cli.frame import Frame, emit, emit_lines, say
from ragflow.cli.options import Json, JsonLines, Readers, Sources, unicode_only
from ragflow.cli.plans import failures as lines_of
from ragflow.cli.progress import reporting
from ragflow.cli.tables import indexed

_Documents = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="DOCUMENT", callback=unicode_only, help="Only these, as in sources failures; all without."
    ),
]


def add() -> None:
    """Add the commands of this module to those of ``sources``."""
    group.command("failures")(failures)
    group.command("retry")(retry)


def failures(
    ctx: typer.Context,
    source: Annotated[
        str | None,
        typer.Argument(metavar="SOURCE", callback=unicode_only, help="Only of this one; all without."),
    ] = None,
    *,
    as_: Readers = None,
    as_json: JsonLines = False,
) -> None:
    """List what could not be read, and why.

    What the source did not hand over (vanished, unreachable, denied) is tried again by every index run, and
    what was indexed of it before stays. All else is tried again when it changes, or by sources retry.
    """
    from ragflow.failing import to_json

    frame: Frame = ctx.obj
    with frame.app() as app:
        rows = [to_json(one) for one in app.failing().list(app.asker(as_ or ()).readers, source)]
    if as_json:
        emit_lines(rows)
        return
    for line in lines_of(rows):
        say(line)


def retry(
    ctx: typer.Context,
    documents: _Documents = None,
    *,
    source: Sources = None,
    wait: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", min=0, help="Wait for another index run to end.")
    ] = 0.0,
    as_json: Json = False,
) -> None:
    """Read again what could not be read.

    Nothing else is read, and nothing is deleted. Access that was lost holds at once, as in any index run.
    """
    frame: Frame = ctx.obj
    with frame.app() as app, reporting() as progress:
        report = app.failing().retry(documents or (), source, app.asker(), wait=wait, progress=progress)
    if as_json:
        emit(report.to_json())
    elif not report.sync.sources:
        say("Nothing has failed: there is nothing to read again.")
    else:
        for line in indexed(report.to_json()):
            say(line)
    raise typer.Exit(report.exit_code)
