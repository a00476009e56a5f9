"""The command line. ``main`` is the entry point; each module holds one group of commands."""

import io
import os
import sys
from collections.abc import Sequence

import typer

from ragflow.cli.frame import Opener, fail, interrupted, open_workspace, unforeseen


def main(argv: Sequence[str] | None = None, *, opener: Opener = open_workspace) -> int:
    """Run one command and return its exit code.

    ``argv`` None is the process's own. Results go to stdout; progress, warnings and errors to stderr,
    or, with ``--json``, an error goes to stdout as ``ragflow.error/1``. ``opener`` opens a workspace.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    flags = arguments[: arguments.index("--")] if "--" in arguments else arguments
    as_json, debug = "--json" in flags, "--debug" in flags
    if sys.stdout is None or sys.stderr is None:  # closed by the caller: `ragflow ... >&-`
        nowhere = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - as long as the process
        sys.stdout, sys.stderr = sys.stdout or nowhere, sys.stderr or nowhere
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A file name that is no Unicode must not stop a command; in JSON this is a valid escape.
            stream.reconfigure(errors="backslashreplace")
    try:
        # Imported here, so that Ctrl-C while all commands are loaded ends as at any other moment.
        from ragflow.cli.root import build

        code = build().main(args=arguments, prog_name="ragflow", standalone_mode=False, obj=opener)
    except (KeyboardInterrupt, typer.Abort) as stopped:
        return interrupted(stopped)
    except typer.TyperException as error:
        from ragflow.errors import UsageError

        context = getattr(error, "ctx", None)
        hint = f"{context.command_path} --help" if context else ""
        return fail(UsageError(error.format_message(), hint=hint), as_json=as_json)
    except Exception as error:  # noqa: BLE001 - the last resort: reported, and recorded in a file
        from ragflow.errors import translate

        known = translate(error)
        if known is None or debug:
            return unforeseen(error, known=known, debug=debug, as_json=as_json)
        return fail(known, as_json=as_json)
    return code if isinstance(code, int) else 0
