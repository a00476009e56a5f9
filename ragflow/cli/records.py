"""``runs`` and ``generations``: what was done, and which index is live."""

import json
from typing import Annotated

import typer

from ragflow.cli import tables
from ragflow.cli.frame import Frame, emit, emit_lines, say, width
from ragflow.cli.options import Json, JsonLines, Readers, RunId, unicode_only
from ragflow.terminal import escape

run_group = typer.Typer(rich_markup_mode=None, help="List and show recorded runs.")
generation_group = typer.Typer(rich_markup_mode=None, help="List generations, promote one, roll back.")


def add(program: typer.Typer) -> None:
    """Add the commands of this module."""
    program.add_typer(run_group, name="runs")
    program.add_typer(generation_group, name="generations")


@run_group.command("list")
def list_runs(
    ctx: typer.Context,
    *,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="How many, newest first.")] = 20,
    as_: Readers = None,
    as_json: JsonLines = False,
) -> None:
    """List your runs, newest first.

    An auditor's list holds those of others too.
    """
    frame: Frame = ctx.obj
    with frame.app() as app:
        rows = app.runs(limit, app.asker(as_ or ()))
    if as_json:
        emit_lines(rows)
        return
    for line in tables.runs(rows, width()):
        say(line)


@run_group.command("show")
def show_run(ctx: typer.Context, run: RunId, *, as_: Readers = None, as_json: Json = False) -> None:
    """Show the whole record of a run."""
    frame: Frame = ctx.obj
    with frame.app() as app:
        record = app.run(run, app.asker(as_ or ()))
    if as_json:
        emit(record)
        return
    say(escape(json.dumps(record, ensure_ascii=False, indent=2), lines=True))


@generation_group.command("list")
def list_generations(ctx: typer.Context, *, as_json: JsonLines = False) -> None:
    """List the generations that are kept, newest first."""
    frame: Frame = ctx.obj
    with frame.app() as app:
        rows = app.generations()
    if as_json:
        emit_lines(rows)
        return
    for line in tables.generations(rows):
        say(line)


@generation_group.command("promote")
def promote(
    ctx: typer.Context,
    generation: Annotated[
        str, typer.Argument(metavar="GENERATION", callback=unicode_only, help="As in generations list.")
    ],
    *,
    as_json: Json = False,
) -> None:
    """Make a kept generation the live one."""
    frame: Frame = ctx.obj
    with frame.app() as app:
        report = app.promote(generation)
    _say_live(report, generation, as_json=as_json)


@generation_group.command("rollback")
def rollback(ctx: typer.Context, *, as_json: Json = False) -> None:
    """Make the generation before the live one live again. Access stays; what was deleted stays so."""
    frame: Frame = ctx.obj
    with frame.app() as app:
        report = app.rollback()
    _say_live(report, "the generation before", as_json=as_json)


def _say_live(report: dict[str, object] | None, name: str, *, as_json: bool) -> None:
    shown = report or {"generation": name}
    if as_json:
        emit(shown)
    else:
        say(f"{escape(str(shown.get('generation', name)))} is live")
