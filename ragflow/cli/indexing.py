"""``index``: bring the index up to date with its sources, with progress."""

from typing import Annotated

import typer

from ragflow.cli.frame import Frame, emit, say
from ragflow.cli.options import Json
from ragflow.cli.progress import reporting
from ragflow.cli.tables import indexed


def add(program: typer.Typer) -> None:
    """Add the command of this module."""
    program.command("index")(index)


def index(  # noqa: PLR0913 - each is a flag of the command line
    ctx: typer.Context,
    sources: Annotated[
        list[str] | None, typer.Argument(metavar="SOURCE", help="Only these; all without.")
    ] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, do nothing.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Read and embed everything again.")] = False,
    allow_deletes: Annotated[
        bool, typer.Option("--allow-deletes", help="Agree to a large number of deletions.")
    ] = False,
    wait: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", min=0, help="Wait for another index run to end.")
    ] = 0.0,
    as_json: Json = False,
) -> None:
    """Read what changed in the sources and make it searchable.

    Interrupted at any moment, it goes on where it stopped the next time.
    """
    frame: Frame = ctx.obj
    with frame.app() as app, reporting() as progress:
        report = app.index(
            sources or None,
            dry_run=dry_run,
            full=full,
            allow_deletes=allow_deletes,
            wait=wait,
            progress=progress,
        )
    if as_json:
        emit(report.to_json())
    else:
        for line in indexed(report.to_json()):
            say(line)
    raise typer.Exit(report.exit_code)
