"""The table of groups, ``identity.groups``: lines ``group,user``, read anew by every command.

It decides who may read what, so nothing in it is skipped: a file that cannot be read, or a line that is not
what it should be, stops the command, and nobody gets anything.
"""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from ragflow.errors import ConfigError
from ragflow.section import READER

MAX_BYTES = 50_000_000
_HEADER = ["group", "user"]
_HINT = "write group,user in every line: one user of one group"

Groups = Mapping[str, frozenset[str]]
"""``user:NAME`` -> the groups it is in, as ``group:NAME``."""


def read(path: Path) -> Groups:
    """Return the groups of every user that the table names.

    A name may be bare, or begin with ``group:`` or ``user:``. Blank lines, lines that begin with ``#`` and a
    first line ``group,user`` are passed over; a pair may come twice. A group has no groups in it.

    Raises:
        ConfigError: the file cannot be read, is no UTF-8, or a line is no pair; the message names the line.
    """
    found: dict[str, set[str]] = {}
    for at, cells in _rows(path):
        if len(cells) != 2:
            raise ConfigError(f"{at}: this is no pair of a group and a user", hint=_HINT)
        group, user = _reader(cells[0], "group", at), _reader(cells[1], "user", at)
        found.setdefault(user, set()).add(group)
    return {user: frozenset(groups) for user, groups in found.items()}


def _rows(path: Path) -> Iterator[tuple[str, list[str]]]:
    first = True
    for number, line in enumerate(_text(path).split("\n"), start=1):
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        at = f"{path.name}:{number}"
        try:
            # Line by line: a quote that is not closed must not swallow the lines after it.
            cells = [cell.strip() for cell in next(csv.reader([bare], strict=True))]
        except csv.Error as error:
            raise ConfigError(f"{at}: {error}", hint=_HINT) from error
        heading = first and [cell.casefold() for cell in cells] == _HEADER
        first = False
        if not heading:
            yield at, cells


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"identity.groups: {path} cannot be read: {error.strerror}",
            hint="give back the file, or take the key out: then nobody is in any group",
        ) from error
    if len(raw) > MAX_BYTES:
        raise ConfigError(f"identity.groups: {path} is larger than {MAX_BYTES:,} bytes")
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path.name}:{line}: this is not UTF-8 text", hint="save it as UTF-8") from error


def _reader(cell: str, kind: str, at: str) -> str:
    other = "user:" if kind == "group" else "group:"
    if cell.startswith(other):
        words = "a group cannot hold a group" if kind == "user" else "the first column names a group"
        raise ConfigError(f'{at}: "{cell}" is no {kind}: {words}', hint=_HINT)
    name = cell if cell.startswith(f"{kind}:") else f"{kind}:{cell}"
    if not (READER.fullmatch(name) and name.isprintable()):
        raise ConfigError(f'{at}: "{cell}" is no name of a {kind}', hint=_HINT)
    return name
