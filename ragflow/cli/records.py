"""``runs`` and ``generations``: what was done, and which index is live."""

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from ragflow.cli import tables
from ragflow.cli.frame import Frame, emit, emit_lines, say, width
from ragflow.cli.options import Json, JsonLines, Readers, RunId, unicode_only
from ragflow.cli.progress import reporting
from ragflow.cli.storytelling import told
from ragflow.cli.tables import setting
from ragflow.terminal import escape, one_line

_SHOWN = 50
_NAMED = (("added", "+"), ("removed", "-"), ("updated", "~"), ("access_changed", "access:"))

run_group = typer.Typer(rich_markup_mode=None, help="List and show recorded runs.")
generation_group = typer.Typer(
    rich_markup_mode=None, help="List generations, compare two, promote one, roll back."
)


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
    """Show a run: a workflow's as a story.

    --json gives the whole record in any case.
    """
    frame: Frame = ctx.obj
    with frame.app() as app:
        record = app.run(run, app.asker(as_ or ()))
    if as_json:
        emit(record)
        return
    if record["kind"] == "workflow":
        for line in told(record, width()):
            say(line)
        return
    say(escape(json.dumps(record, ensure_ascii=False, indent=2), lines=True))


@generation_group.command("list")
def list_generations(ctx: typer.Context, *, as_: Readers = None, as_json: JsonLines = False) -> None:
    """List the generations that are kept, newest first.

    Documents and chunks are counted as far as you may read them.
    """
    frame: Frame = ctx.obj
    with frame.app() as app:
        rows = app.generations(readers=app.asker(as_ or ()).readers)
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


@generation_group.command("push")
def push(
    ctx: typer.Context,
    generation: Annotated[
        str | None,
        typer.Argument(metavar="GENERATION", callback=unicode_only, help="Absent: the live one."),
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Bring a kept generation to the Qdrant server of index.url.

    `ragflow index` does so for every new one: this is for an index that was there before the server was.
    """
    frame: Frame = ctx.obj
    with frame.app() as app, reporting() as progress:
        report = app.push(generation, progress)
    if as_json:
        emit(report)
        return
    live = ", live there" if report["live"] else ""
    sent = (
        f"{report['rows']:,} of {report['chunks']:,} chunks sent" if report["rows"] else "all there already"
    )
    say(f"{escape(report['generation'])}: {sent}{live}")


@generation_group.command("diff")
def diff(
    ctx: typer.Context,
    a: Annotated[
        str | None, typer.Argument(metavar="A", callback=unicode_only, help="As in generations list.")
    ] = None,
    b: Annotated[
        str | None, typer.Argument(metavar="B", callback=unicode_only, help="Absent: the live one.")
    ] = None,
    *,
    as_: Readers = None,
    as_json: Json = False,
) -> None:
    """Show in what two generations differ.

    Of documents, those that you may read; settings; what a gate found. Without names, what waits beside
    the live generation is compared with it; where nothing waits, the live one with the one before.
    """
    frame: Frame = ctx.obj
    with frame.app() as app:
        report = app.compared(a, b, app.asker(as_ or ()))
    if as_json:
        emit(report)
        return
    for line in _differences(report):
        say(line)


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
        for line in _otherwise(shown.get("configuration") or ()):
            say(line)


def _otherwise(configuration: Any) -> Iterator[str]:
    """Say which settings a generation that was just promoted was not built with."""
    if not configuration:
        return
    yield "It was built with other settings than ragflow.yaml has now; set there:"
    for one in configuration:
        was, now = setting(one["built_with"]), setting(one["configured"])
        yield "  " + one_line(f"{one['key']}: {was}  (now {now})", 78)
    if any(one["key"].startswith("embed.") for one in configuration):
        yield "Until then questions are refused, and the next index run builds anew."
    else:
        yield "Until then the next index run builds anew."


def _differences(report: Mapping[str, Any]) -> Iterator[str]:
    for side in ("a", "b"):
        one = report[side]
        live = ", live" if one["live"] else ""
        yield f"{side.upper()}: {escape(one['generation'])}, {one['documents']:,} documents{live}"
    yield ""
    for key, mark in _NAMED:
        yield from _few([f"{mark} {escape(name)}" for name in report[key]], key.replace("_", " "))
    moves = [f"> {escape(one['from'])} -> {escape(one['to'])}" for one in report["moved"]]
    yield from _few(moves, "moved")
    yield f"{report['unchanged']:,} documents unchanged"
    for one in report["configuration"]:
        a, b = (one_line(setting(one[side]), 60) for side in ("a", "b"))
        yield f"{escape(one['key'])}: {a} -> {b}"
    gate = report["gate"]
    if gate is not None:
        outcome = "held" if gate["held"] else "promoted"
        yield f"gate: {gate['status']}, {outcome}: {escape(gate['reason'])}"


def _few(lines: list[str], what: str) -> Iterator[str]:
    yield from lines[:_SHOWN]
    if len(lines) > _SHOWN:
        yield f"  and {len(lines) - _SHOWN:,} more {what} (--json names all)"
