"""``ragflow`` itself: the flags that stand before a command, and the list of commands."""

from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ragflow.cli import (
    access,
    approving,
    asking,
    connecting,
    counting,
    documents,
    evaluating,
    failing,
    indexing,
    records,
    replaying,
    routing,
    running,
    setting_up,
)
from ragflow.cli.frame import Frame, broken_pipe, interrupted


class Root(TyperGroup):
    """The program; ends quietly when the reader of its output has gone (``ragflow runs list | head``)."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named."""
        import sys

        try:
            try:
                return super().invoke(ctx)
            finally:
                # Here, not when the interpreter ends: there a closed pipe could only be complained of.
                sys.stdout.flush()
        except BrokenPipeError:
            return broken_pipe()
        except KeyboardInterrupt as stopped:
            return interrupted(stopped)


@cache
def build() -> Any:
    """Return the whole command line: Typer's group of commands, whose class it keeps private.

    Made once a process: `access test` runs thousands of commands, each of which would make all of them.
    """
    program = typer.Typer(
        cls=Root,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
        help="Answers over your own documents that anyone can check.",
        epilog="Start in a folder of documents: ragflow init, ragflow index, ragflow ask QUESTION.",
    )
    program.callback(invoke_without_command=True)(before)
    setting_up.add(program)
    indexing.add(program)
    asking.add(program)
    routing.add(program)
    documents.add(program)
    failing.add()
    connecting.add(program)
    records.add(program)
    running.add(program)
    approving.add(program)
    replaying.add()
    access.add(program)
    evaluating.add(program)
    counting.add(program)
    return typer.main.get_command(program)


def before(
    ctx: typer.Context,
    *,
    folder: Annotated[
        Path, typer.Option("-C", metavar="DIR", help="Work in DIR, not here.", show_default=False)
    ] = Path(),
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Set a configuration key, as in search.k=5."),
    ] = None,
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Keep what stands before the command; ``--debug`` is read in ``main``, where errors arrive."""
    del debug
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"ragflow {installed('ragflow')}")
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())
        raise typer.Exit
    ctx.obj = Frame(folder, tuple(overrides or ()), ctx.obj)
