"""``sources``: what is indexed, as far as the asker may read it."""

import sys

import typer

from ragflow.cli import tables
from ragflow.cli.frame import Frame, emit, emit_lines, say, width
from ragflow.cli.options import DocumentId, Json, JsonLines, Readers
from ragflow.terminal import escape

group = typer.Typer(rich_markup_mode=None, help="List sources, look into documents, forget one.")


def add(program: typer.Typer) -> None:
    """Add the commands of this module."""
    program.add_typer(group, name="sources")


@group.command("list")
def list_sources(ctx: typer.Context, *, as_: Readers = None, as_json: JsonLines = False) -> None:
    """List the sources with what you may read of them."""
    from dataclasses import asdict

    frame: Frame = ctx.obj
    with frame.app() as app:
        documents = [asdict(row) for row in app.documents(readers=app.asker(as_ or ()).readers)]
        live = [row for row in app.generations() if row.get("live")]
        types = {name: source.type for name, source in app.config.sources.items()}
    rows = tables.sources_of(documents, types, live[0].get("created") if live else None)
    if as_json:
        emit_lines(rows)
        return
    for line in tables.sources(rows):
        say(line)


@group.command("show")
def show(ctx: typer.Context, document: DocumentId, *, as_: Readers = None, as_json: Json = False) -> None:
    """Show what is known of a document, its anchors and chunks."""
    frame: Frame = ctx.obj
    with frame.app() as app:
        shown = app.show(document, readers=app.asker(as_ or ()).readers)
    if as_json:
        emit(shown)
        return
    for line in tables.document(shown, width()):
        say(line)


@group.command("text")
def text(ctx: typer.Context, document: DocumentId, *, as_: Readers = None) -> None:
    """Print the canonical text alone, byte for byte.

    DOCUMENT@REVISION prints an earlier revision (12 to 64 characters of its digest). Slicing the text by
    a citation's start and end, in characters, gives the quote.
    """
    frame: Frame = ctx.obj
    with frame.app() as app:
        canonical = app.text(document, readers=app.asker(as_ or ()).readers)
    sys.stdout.flush()
    # Not escaped and without a line feed at the end: this is the text that citations point into.
    sys.stdout.buffer.write(canonical.encode())


@group.command("forget")
def forget(ctx: typer.Context, document: DocumentId, *, as_json: Json = False) -> None:
    """Erase a document for good.

    Its text, its vectors and its quotes in recorded runs are erased at once; digests stay, so that the
    records can still be proven. Runs in progress that rest on it are cancelled; the exit code is 4 while
    another process is still in a step of one.
    """
    frame: Frame = ctx.obj
    with frame.app() as app:
        report = app.forget(document)
    code = 4 if report["held_by_runs"] else 0
    if as_json:
        emit(report)
        raise typer.Exit(code)
    say(f"forgotten: {escape(document)}")
    for key, value in report.items():
        if isinstance(value, int) and not isinstance(value, bool):
            say(f"  {escape(key.replace('_', ' '))}: {value:,}")
    for run in report["cancelled_runs"]:
        say(f"  {escape(run)} is cancelled: it rests on what was erased")
    for run in report["held_by_runs"]:
        say(f"  {escape(run)} still holds words of it: it ends before its next step, and they go with it")
    raise typer.Exit(code)
