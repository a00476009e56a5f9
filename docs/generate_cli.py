"""Write docs/cli.md from the program's own help, or with ``--check`` see that it is up to date."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ragflow.cli import main
from ragflow.cli.root import build

TARGET = Path(__file__).with_name("cli.md")
HEAD = """\
# The command line

Written by `python docs/generate_cli.py` from the program's own help. `-h` shows the same. Exit codes
are in [errors.md](errors.md).
"""


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Give the path of each command, a group before what is in it."""
    yield path
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*path, name))


def help_of(path: tuple[str, ...]) -> str:
    """Return what ``--help`` prints at 80 columns."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        main([*path, "--help"])
    return "\n".join(line.rstrip() for line in printed.getvalue().strip().splitlines())


def page() -> str:
    """Return the whole page."""
    os.environ["COLUMNS"] = "80"
    parts = [HEAD]
    for path in commands(build()):
        title = " ".join(("ragflow", *path))
        parts.append(f"## {title}\n\n```text\n{help_of(path)}\n```\n")
    return "\n".join(parts)


def run(arguments: list[str]) -> int:
    """Write the page, or compare it with the file (1 where they differ)."""
    written = page()
    if arguments != ["--check"]:
        TARGET.write_text(written, encoding="utf-8")
        return 0
    if TARGET.is_file() and TARGET.read_text(encoding="utf-8") == written:
        return 0
    sys.stderr.write("docs/cli.md is not what the program says: run python docs/generate_cli.py\n")
    return 1


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
