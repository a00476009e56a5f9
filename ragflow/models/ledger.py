"""What models have cost each day, and which of them are left alone: one small SQLite file per workspace.

Money is reserved before a call and settled after it, each in one short transaction, so that processes that
ask at once never spend more than the day's limit together. What a killed process had reserved is free
again after an hour. Amounts are billionths of a US dollar, days are UTC.
"""

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

RESERVED_FOR_S = 3600.0
BUSY_TIMEOUT_S = 10.0
_LONGEST_COOLING_S = 86_400.0
_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS spent (day TEXT PRIMARY KEY, nano INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS reserved (
    id INTEGER PRIMARY KEY AUTOINCREMENT, day TEXT NOT NULL, nano INTEGER NOT NULL, until REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS cooling (model TEXT PRIMARY KEY, until REAL NOT NULL);
CREATE TABLE IF NOT EXISTS lacking (
    model TEXT NOT NULL, parameter TEXT NOT NULL, until REAL NOT NULL, PRIMARY KEY (model, parameter)
);
"""


Result = TypeVar("Result")


class LedgerUnusable(Exception):
    """What was spent today can be neither read nor written down."""


class Ledger:
    """One file, made (mode 0600, WAL) when something is first written; opening touches nothing.

    ``path`` None, or a place that cannot be written: everything is remembered by this object alone.
    ``clock`` gives seconds since 1970. Threads may share it.
    """

    def __init__(self, path: Path | None = None, *, clock: Callable[[], float] = time.time) -> None:
        self._path, self._clock = path, clock
        self._file: sqlite3.Connection | None = None
        self._own: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    def reserve(self, nano: int, *, limit: int | None) -> int | None:
        """Set an amount aside for an hour; return its number, or None where it is more than is left.

        Raises:
            LedgerUnusable: there is a limit, and nowhere to count what other processes spend.
        """
        now = self._clock()
        today = _day(now)
        with self._writing(shared=limit is not None) as connection:
            connection.execute("DELETE FROM reserved WHERE until <= ?", (now,))
            if limit is not None and _taken(connection, today) + nano > limit:
                return None
            row = (today, nano, now + RESERVED_FOR_S)
            return connection.execute(
                "INSERT INTO reserved (day, nano, until) VALUES (?, ?, ?)", row
            ).lastrowid

    def settle(self, number: int, nano: int) -> None:
        """Replace a reservation by what was spent, after its hour too; unwritten, it stays set aside."""
        with suppress(LedgerUnusable), self._writing(shared=False) as connection:
            held = connection.execute("SELECT day FROM reserved WHERE id = ?", (number,)).fetchone()
            connection.execute("DELETE FROM reserved WHERE id = ?", (number,))
            connection.execute(
                "INSERT INTO spent VALUES (?, ?) ON CONFLICT (day) DO UPDATE SET nano = nano + excluded.nano",
                (held[0] if held else _day(self._clock()), nano),
            )

    def spent(self) -> int:
        """Return what was spent and set aside today."""
        now = self._clock()
        return self._read(lambda connection: _taken(connection, _day(now), now)) or 0

    def cool(self, model: str, seconds: float) -> None:
        """Leave a model alone for so long, from now."""
        until = self._clock() + min(seconds, _LONGEST_COOLING_S)
        with suppress(LedgerUnusable), self._writing(shared=False) as connection:
            connection.execute("INSERT OR REPLACE INTO cooling VALUES (?, ?)", (model, until))

    def cooling(self, model: str) -> float:
        """Return for how many seconds a model is still left alone; 0: it is not."""
        until = self._until("SELECT until FROM cooling WHERE model = ?", (model,))
        left = until - self._clock()
        # More than it can be: the clock was set back.
        return left if 0 < left <= _LONGEST_COOLING_S else 0.0

    def warm(self, model: str) -> None:
        """Leave a model alone no longer."""
        if self.cooling(model):
            with suppress(LedgerUnusable), self._writing(shared=False) as connection:
                connection.execute("DELETE FROM cooling WHERE model = ?", (model,))

    def lack(self, model: str, parameter: str) -> None:
        """Remember for a day that a model takes no such parameter: servers are updated."""
        until = self._clock() + _LONGEST_COOLING_S
        with suppress(LedgerUnusable), self._writing(shared=False) as connection:
            connection.execute("INSERT OR REPLACE INTO lacking VALUES (?, ?, ?)", (model, parameter, until))

    def lacks(self, model: str, parameter: str) -> bool:
        """Tell whether a model was found to take no such parameter."""
        query = "SELECT until FROM lacking WHERE model = ? AND parameter = ?"
        return self._until(query, (model, parameter)) > self._clock()

    def _until(self, query: str, values: tuple[str, ...]) -> float:
        rows = self._read(lambda connection: connection.execute(query, values).fetchall())
        return float(rows[0][0]) if rows else 0.0

    def _read(self, read: Callable[[sqlite3.Connection], Result]) -> Result | None:
        """Return what was read, or None where nothing was ever written or nothing can be read."""
        with self._lock:
            there = self._path is not None and self._path.exists()
            connection = self._own or self._file or (self._open_file() if there else None)
            try:
                return read(connection) if connection else None
            except sqlite3.Error:
                return None

    @contextmanager
    def _writing(self, *, shared: bool) -> Iterator[sqlite3.Connection]:
        """Give a connection inside a transaction; of this object's own memory where there is no file."""
        with self._lock:
            connection = self._own or self._file or self._open_file()
            if shared and self._path is not None and connection in (None, self._own):
                raise LedgerUnusable(f"{self._path} cannot be written")
            if connection is None:
                connection = self._own = _connect(":memory:")
                weakref.finalize(self, connection.close)
                connection.executescript(_SCHEMA)
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise LedgerUnusable(str(error)) from error

    def _open_file(self) -> sqlite3.Connection | None:
        """Open the file for as long as this object lives: to close the last connection costs two syncs."""
        if self._path is None:
            return None
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            connection = _connect(f"file:{quote(str(self._path.absolute()))}?mode=rw")
        except (OSError, sqlite3.Error):
            return None
        try:
            _prepare(connection)
        except sqlite3.Error:
            connection.close()
            return None
        weakref.finalize(self, connection.close)
        self._file = connection
        return connection


def _prepare(connection: sqlite3.Connection) -> None:
    # What a killed process wrote is there all the same; only a power cut may lose the last calls.
    connection.execute("PRAGMA synchronous = NORMAL")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == _VERSION:
        return
    if version > _VERSION:
        raise sqlite3.DatabaseError("written by a newer program")
    ends = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError as error:
            # The busy timeout does not cover this switch: two processes that create at once meet here.
            if "locked" not in str(error) or time.monotonic() > ends:
                raise
            time.sleep(0.02)
    connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;")


def _connect(address: str) -> sqlite3.Connection:
    return sqlite3.connect(
        address, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )


def _taken(connection: sqlite3.Connection, day: str, now: float = 0.0) -> int:
    settled = connection.execute("SELECT nano FROM spent WHERE day = ?", (day,)).fetchone()
    query = "SELECT coalesce(sum(nano), 0) FROM reserved WHERE day = ? AND until > ?"
    return int(settled[0] if settled else 0) + int(connection.execute(query, (day, now)).fetchone()[0])


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
