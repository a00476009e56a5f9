"""``init`` and ``doctor``: start a workspace, and see whether all of it is sound."""

from pathlib import Path
from typing import Annotated

import typer

from ragflow.cli.frame import Frame, aside, emit, say
from ragflow.cli.options import Json
from ragflow.terminal import escape, wrapped


def add(program: typer.Typer) -> None:
    """Add the commands of this module."""
    program.command("init")(init)
    program.command("doctor")(doctor)


def init(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of documents.")] = Path(),
    *,
    beir: Annotated[
        Path | None, typer.Option("--beir", metavar="DIR", help="A folder that holds corpus.jsonl.")
    ] = None,
) -> None:
    """Write a commented ragflow.yaml that works at once."""
    from ragflow import identity, starter
    from ragflow.errors import map_errors

    frame: Frame = ctx.obj
    with map_errors():
        written = starter.write(frame.folder / folder, beir=beir, login=identity.login())
    say(f"wrote {escape(str(written))}")
    say("next:")
    for command in starter.next_commands(folder if frame.folder == Path() else frame.folder / folder):
        say(f"  {escape(command)}")


def doctor(
    ctx: typer.Context,
    *,
    fix: Annotated[bool, typer.Option("--fix", help="Mend what can be mended safely.")] = False,
    as_json: Json = False,
) -> None:
    """Check that all is sound, and say how to mend it.

    The model, the store, the live generation, orphans, rights, space, OCR, extras, workflows, tools, and
    runs that nobody works on. The exit code is 8 where a check fails.
    """
    from ragflow import doctor as checks

    frame: Frame = ctx.obj
    with aside():
        found = checks.examine(frame.folder, overrides=frame.overrides, opener=frame.opener, fix=fix)
    if as_json:
        emit(checks.to_json(found))
    else:
        for check in found:
            say(f"{check.status:<4}  {escape(check.name)}: {escape(check.message)}")
            if check.cure and check.status != "ok":
                say(wrapped(f"cure: {check.cure}", 100, indent="      "))
    raise typer.Exit(checks.exit_code(found))
