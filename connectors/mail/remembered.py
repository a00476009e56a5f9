"""What was learnt of the messages of one IMAP folder, kept from run to run: headers are asked for once."""

import json
import os
from collections.abc import Collection, Iterable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, TextIO

# Another way to read headers is another number: what was learnt by the old way is not used.
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Row:
    """A message of a folder: its UID, its size in bytes, and what its headers say (see ``letters``)."""

    uid: int
    size: int
    message_id: str
    content: str
    participants: tuple[str, ...]


class Remembered:
    """Rows of one folder under one UIDVALIDITY, in a file of JSON lines; without a path in memory only.

    A file of another UIDVALIDITY, another version or with another first line counts as none; a line that
    is broken (the last, of a run that was killed) is left out.
    """

    def __init__(self, path: Path | None, validity: int) -> None:
        self.rows: dict[int, Row] = {}
        self._path = path
        self._head = [_VERSION, validity]
        self._whole = path is not None and self._load(path)

    def add(self, rows: Iterable[Row]) -> None:
        """Keep more rows; they are on disk when this returns. Raises ``OSError``."""
        more = list(rows)
        self.rows.update((row.uid, row) for row in more)
        if self._path is None:
            return
        if not self._whole or not self._path.exists():
            self._rewrite(self._path)
        elif more:
            with self._path.open("a", encoding="utf-8") as file:
                _write(file, more)

    def keep(self, uids: Collection[int]) -> None:
        """Forget all other messages. Raises ``OSError``."""
        gone = self.rows.keys() - set(uids)
        for uid in gone:
            del self.rows[uid]
        if self._path is not None and (gone or not self._whole):
            self._rewrite(self._path)

    def _load(self, path: Path) -> bool:
        try:
            with path.open(encoding="utf-8") as file:
                if json.loads(file.readline()) != self._head:
                    return False
                whole = True
                for line in file:
                    row = _row(line)
                    if row is None:
                        whole = False
                    else:
                        self.rows[row.uid] = row
                return whole
        except (OSError, ValueError):
            self.rows.clear()
            return False

    def _rewrite(self, path: Path) -> None:
        # The folder of state may be deleted at any time.
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        with partial.open("w", encoding="utf-8") as file:
            file.write(json.dumps(self._head) + "\n")
            _write(file, self.rows.values())
        os.replace(partial, path)  # noqa: PTH105 - the name of what is meant
        self._whole = True


def _write(file: TextIO, rows: Iterable[Row]) -> None:
    file.writelines(json.dumps(astuple(row), separators=(",", ":")) + "\n" for row in rows)


def _row(line: str) -> Row | None:
    try:
        given: Any = json.loads(line) if line.endswith("\n") else None
        uid, size, message_id, content, participants = given
        row = Row(uid, size, message_id, content, tuple(participants))
    except (ValueError, TypeError):
        return None
    right = type(uid) is type(size) is int and all(
        isinstance(text, str) for text in (message_id, content, *participants)
    )
    return row if right else None
