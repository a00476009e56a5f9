"""What every command shares: the workspace it opens, and how it prints results, warnings and errors."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragflow.terminal import escape

if TYPE_CHECKING:
    from ragflow.app import App
    from ragflow.errors import RagflowError

Opener = Callable[[Path, Sequence[str]], "AbstractContextManager[App]"]
"""(folder, overrides) -> the workspace, open."""

_INTERRUPTED = 130
_BAD_PIPE = 141


def open_workspace(folder: Path, overrides: Sequence[str]) -> "AbstractContextManager[App]":
    """Open the workspace of a folder or its parents."""
    import ragflow

    return ragflow.open(folder, overrides=tuple(overrides))


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands before the command: ``-C``, ``--set``; ``width`` of the terminal in characters."""

    folder: Path
    overrides: tuple[str, ...]
    opener: Opener

    def app(self) -> "AbstractContextManager[App]":
        """Open the workspace for the length of a ``with``."""
        return self.opener(self.folder, self.overrides)


def width() -> int:
    """Return how many characters fit on a line: 80 where stdout is no terminal, at most 100."""
    if not sys.stdout.isatty():
        return 80
    try:
        return max(40, min(100, os.get_terminal_size(sys.stdout.fileno()).columns))
    except OSError:
        return 80


def say(text: str = "") -> None:
    """Print a line of a result. The text must already be safe to print."""
    sys.stdout.write(text + "\n")


def warn(text: str) -> None:
    """Print a warning on stderr."""
    sys.stderr.write(f"warning: {escape(text)}\n")


def emit(value: Mapping[str, Any]) -> None:
    """Print one object as one line of JSON: characters as they are where stdout is UTF-8."""
    unicode_out = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    say(json.dumps(value, ensure_ascii=not unicode_out))


def emit_lines(values: Iterable[Mapping[str, Any]]) -> None:
    """Print objects as NDJSON, one a line."""
    for value in values:
        emit(value)


def argument(text: str) -> str:
    """Return an argument, or all of stdin where it is ``-``.

    Raises:
        UsageError: stdin is no text.
    """
    if text != "-":
        return text
    from ragflow.errors import UsageError

    if sys.stdin is None:
        raise UsageError("stdin is closed", hint="give the text itself")
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError("stdin holds no UTF-8 text", hint="convert it to UTF-8 first") from error


def fail(error: "RagflowError", *, as_json: bool) -> int:
    """Print an error where it belongs and return its exit code."""
    try:
        sys.stdout.flush()
        if as_json:
            emit(error.to_json())
            sys.stdout.flush()
            return error.exit_code
    except BrokenPipeError:
        return broken_pipe()
    except OSError:  # a full disk under stdout: then stderr is told
        lead_away()
    sys.stderr.write(f"error: {escape(str(error), lines=True)}\n")
    if error.hint:
        sys.stderr.write(f"hint: {escape(error.hint, lines=True)}\n")
    return error.exit_code


def unforeseen(error: Exception, *, known: "RagflowError | None", debug: bool, as_json: bool) -> int:
    """Report a bug in one sentence, its traceback kept in a file; ``debug`` prints it too."""
    import tempfile
    import traceback

    from ragflow.errors import RagflowError

    trace = "".join(traceback.format_exception(error))
    if debug:
        sys.stderr.write(escape(trace, lines=True))
    if known is not None:
        return fail(known, as_json=as_json)
    try:
        # Made with mode 0600: a traceback may show a path.
        number, name = tempfile.mkstemp(prefix="ragflow-traceback-", suffix=".txt")
        with os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(trace)
        hint = f"please report it with the traceback in {name}"
    except OSError:
        hint = "run it again with --debug before the command to see the traceback, and report it"
    message = f"something unforeseen went wrong ({type(error).__name__}); this is a bug"
    return fail(RagflowError(message, hint=hint), as_json=as_json)


def interrupted(stopped: BaseException) -> int:
    """Say on stderr how it goes on after Ctrl-C, as the notes of the error tell, and return the exit code."""
    hints: list[str] = getattr(stopped, "__notes__", [])
    on = "" if hints else ", the same command goes on from there"
    sys.stderr.write(f"interrupted: what was finished is kept{on}\n")
    sys.stderr.writelines(f"hint: {escape(hint)}\n" for hint in hints)
    return _INTERRUPTED


def broken_pipe() -> int:
    """Return the exit code after the reader of stdout went away, as a program ended by SIGPIPE has it."""
    lead_away()
    return _BAD_PIPE


def lead_away() -> None:
    """Lead stdout to nowhere: it cannot be written, and Python's own flush at the end would complain."""
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a device
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


@contextmanager
def aside() -> Iterator[None]:
    """Lead to stderr what a workflow or a tool prints meanwhile: stdout is for the command's result."""
    with redirect_stdout(sys.stderr):
        yield
