"""``connectors``: which types of source there are, and whether each configured source works."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from ragflow.cli.frame import Frame, emit, emit_lines, say
from ragflow.cli.options import Json, JsonLines, unicode_only
from ragflow.cli.tables import table
from ragflow.terminal import escape, one_line, wrapped

if TYPE_CHECKING:
    from ragflow.connector_checks import Tested, TypeRow

group = typer.Typer(rich_markup_mode=None, help="List the types of source, test the sources.")
_WIDTH = 80


def add(program: typer.Typer) -> None:
    """Add the commands of this module."""
    program.add_typer(group, name="connectors")


@group.command("list")
def list_connectors(ctx: typer.Context, *, as_json: JsonLines = False) -> None:
    """List the types of source, and the sources that use them."""
    from ragflow import connector_checks
    from ragflow.config import find, load

    frame: Frame = ctx.obj
    rows = connector_checks.types(load(find(frame.folder), overrides=frame.overrides))
    if as_json:
        emit_lines(row.to_json() for row in rows)
        return
    for line in table(("type", "by", "needs", "sources"), [_cells(row) for row in rows]):
        say(line)


@group.command("test")
def try_sources(
    ctx: typer.Context,
    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="SOURCE", callback=unicode_only, help="Only these; all without."),
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Try each source: list it twice, fetch a few items, parse one.

    Nothing is written into the index. The exit code is 8 where a source fails.
    """
    from ragflow import connector_checks
    from ragflow.config import find, load

    frame: Frame = ctx.obj
    config = load(find(frame.folder), overrides=frame.overrides)
    found = []
    for one in connector_checks.examine(config, sources or None):
        found.append(one)
        if not as_json:
            for line in _tested(one):
                say(line)
    if as_json:
        emit(connector_checks.to_json(found))
    raise typer.Exit(connector_checks.exit_code(found))


def _cells(row: "TypeRow") -> tuple[str, str, str, str]:
    needs = ""
    if row.extra is not None:
        absent = "" if row.installed else ", not installed"
        needs = f"{row.extra} for {row.extra_for}{absent}"
    return row.type, row.by, needs, one_line(", ".join(row.sources), 40)


def _tested(one: "Tested") -> Iterator[str]:
    """Give the lines of one source."""
    yield f"{escape(one.source)} ({escape(one.type)}): {one.status}"
    if one.first is not None or one.status == "ok":
        items = "1 item" if one.items == 1 else f"{one.items:,} items"
        first = f", the first is {one_line(one.first, 40)}" if one.first is not None else ""
        yield f"  {items} listed in {one.seconds:.1f} s{first}"
    if one.nobody:
        yield f"  nobody may read {one.nobody:,} of them: the source names no readers for them"
    if one.fetched:
        yield f"  {one.fetched} fetched{_parsed(one)}"
    for reason in one.unreadable:
        yield f"  cannot be read: {one_line(reason, _WIDTH - 18)}"
    for law in one.broken:
        yield wrapped(law, _WIDTH, indent="  ")
    for word, text in (("error", one.error), ("hint", one.hint)):
        if text:
            yield wrapped(f"{word}: {text}", _WIDTH, indent="  ")


def _parsed(one: "Tested") -> str:
    if one.parsed is None:
        return ""
    return f"; {one_line(one.parsed, 40)} parsed, {one.characters:,} characters"
