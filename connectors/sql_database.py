"""A database that is only read: connections, snapshots, limits, and what its errors mean."""

import re
import sqlite3
import threading
import time
import weakref
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from connectors.errors import (
    AccessDenied,
    ConnectorError,
    ExtraMissing,
    SourceMisconfigured,
    SourceUnavailable,
    Unanswered,
    UnreadableDocument,
)
from connectors.retrying import Passing

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine, Row, Select
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError

BATCH = 1000
_SQLITE_STEPS = 20_000
_SQLITE_WAIT = 5.0  # seconds for a lock, and then another try
# What went wrong, by the beginning of an SQLSTATE. Lost: 08 connection, 53 resources, 57P shutdown or
# start, 25P03 idle too long, 40 rolled back: another try may cure it.
_OF_STATE = {
    "lost": ("08", "53", "57P", "25P03", "40"),
    "slow": ("57014",),
    "denied": ("28", "42501"),
    "writes": ("25006",),
    "data": ("22",),
}
_OF_SQLITE = {
    0: "data",  # of the driver, not the database: text that is no UTF-8
    sqlite3.SQLITE_BUSY: "lost",
    sqlite3.SQLITE_LOCKED: "lost",
    sqlite3.SQLITE_INTERRUPT: "slow",
    sqlite3.SQLITE_READONLY: "writes",
    sqlite3.SQLITE_PERM: "rights",
    sqlite3.SQLITE_AUTH: "rights",
    sqlite3.SQLITE_CANTOPEN: "rights",
    sqlite3.SQLITE_IOERR: "disk",
}
_OF_WORDS = {
    "denied": re.compile(
        r"authentication failed|no password supplied|no pg_hba\.conf entry|role .* does not exist"
        r"|not permitted to log in|permission denied",
        re.IGNORECASE,
    ),
    "absent": re.compile(r"database .* does not exist", re.IGNORECASE),
}
_QUERY = "correct `query` or the column's name; run the query in the database's own shell to see it fail"
_HINTS = {
    "slow": "raise `timeout`, or make the query quicker by an index",
    "denied": "check the login in the url, its password, and its right to select from the query's tables",
    "rights": "check the rights of the file and of its folder",
    "disk": "check the disk",
    "writes": "the query must only read: leave out what writes",
    "absent": "correct the name of the database in the url",
}
_BEFORE_WORDS = re.compile(r"connection failed: (?:connection to server .*? failed: )?(?:FATAL:\s+)?")
LATER = "check that the database runs and can be reached from here, then run `ragflow index` again"


class Database:
    """Reads a database by its SQLAlchemy URL. Nothing connects before the first ``reading``.

    PostgreSQL: each ``reading`` is one REPEATABLE READ, READ ONLY transaction. SQLite: the file is opened
    for reading, with one deferred transaction each. Other databases: what their login may do.
    """

    def __init__(self, url: str, *, connections: int, timeout: float) -> None:
        from sqlalchemy import make_url
        from sqlalchemy.exc import ArgumentError

        try:
            self._url = make_url(url)
        except (ArgumentError, ValueError):
            # The error is not passed on: it may hold the whole url.
            raise SourceMisconfigured(
                "the url of the database cannot be read", hint="write DIALECT://USER@HOST:PORT/DATABASE"
            ) from None
        self._connections = connections
        self._timeout = timeout
        self._lock = threading.Lock()
        self._engine: Engine | None = None

    @property
    def shown(self) -> str:
        """Where it is, without login, password and options."""
        place = self._url.host or ""
        port = f":{self._url.port}" if self._url.port else ""
        return f"{self._url.get_backend_name()}://{place}{port}/{self._url.database or ''}"

    @property
    def is_sqlite(self) -> bool:
        """Whether values compare by their own type, not by the column's."""
        return self._url.get_backend_name() == "sqlite"

    @contextmanager
    def reading(self) -> "Iterator[Connection]":
        """Hold a connection in one read-only transaction.

        Raises:
            Passing: no connection, or it was lost: another try may cure it.
            ConnectorError: anything else that the database says.
        """
        from sqlalchemy.exc import SQLAlchemyError

        try:
            with self._opened().connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise self._mapped(error) from error

    def batches(
        self, connection: "Connection", query: "Select[Any]"
    ) -> "Generator[Sequence[Row[Any]], None, None]":
        """Yield the rows of a query, some at a time, each batch with the whole time limit. To be closed."""
        self._wind(connection)
        rows = connection.execution_options(stream_results=True, yield_per=BATCH).execute(query)
        cursor = rows.cursor
        try:
            for batch in rows.partitions():
                yield batch
                self._wind(connection)
        finally:
            rows.close()
            if cursor is not None:  # that of a lost connection would else stay open
                cursor.close()

    def rows(self, connection: "Connection", query: "Select[Any]", most: int) -> "Sequence[Row[Any]]":
        """Return the first rows of a query."""
        self._wind(connection)
        with connection.execute(query) as rows:
            return rows.fetchmany(most)

    def columns(self, connection: "Connection", query: "Select[Any]") -> tuple[str, ...]:
        """Return the names of the columns that a query gives."""
        self._wind(connection)
        with connection.execute(query) as rows:
            return tuple(rows.keys())

    @staticmethod
    def _wind(connection: "Connection") -> None:
        raw = connection.connection.dbapi_connection
        if isinstance(raw, _Watched):
            raw.wind()

    def _opened(self) -> "Engine":
        with self._lock:
            if self._engine is None:
                self._engine = self._made()
                # Connections wait in the pool between two fetches: closed with the source that used them.
                weakref.finalize(self, self._engine.dispose)
            return self._engine

    def _made(self) -> "Engine":
        from sqlalchemy import create_engine
        from sqlalchemy.exc import ArgumentError, NoSuchModuleError

        pool: dict[str, Any] = {"pool_size": self._connections, "max_overflow": 0, "pool_pre_ping": True}
        backend = self._url.get_backend_name()
        try:
            if backend == "sqlite":
                return self._sqlite(pool)
            if backend == "postgresql":
                return self._postgresql(pool)
            return create_engine(self._url, hide_parameters=True, **pool)
        except NoSuchModuleError as error:
            raise SourceMisconfigured(
                f'no database "{self._url.drivername}" is known',
                hint="sqlite:// and postgresql:// come with the program; install the dialect of others",
            ) from error
        except ModuleNotFoundError as error:
            missing = error.name or "a driver"
            cure = 'pip install "ragflow[postgres]" from the checkout'
            raise ExtraMissing(
                f"{missing} is not installed: {self._url.drivername} needs it",
                hint=cure if missing.startswith("psycopg") else f"install {missing} beside the program",
            ) from error
        except (ArgumentError, TypeError) as error:
            raise SourceMisconfigured(
                f"{self.shown}: the url has options that are not known: {self._scrubbed(str(error))}",
                hint="correct what stands behind the ? of the url",
            ) from error

    def _postgresql(self, pool: dict[str, Any]) -> "Engine":
        from sqlalchemy import create_engine, event

        url = self._url
        if url.drivername == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        limits = {"connect_timeout": max(2, round(self._timeout)), "keepalives_idle": 30}
        known = {key: value for key, value in limits.items() if key not in url.query}
        engine = create_engine(
            url,
            hide_parameters=True,
            connect_args=known if url.drivername.endswith("psycopg") else {},
            execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
            **pool,
        )
        timeout = round(self._timeout * 1000)

        def limited(raw: Any, _: object) -> None:
            with raw.cursor() as cursor:
                cursor.execute("SELECT set_config('statement_timeout', %s, false)", (f"{timeout}ms",))
            raw.commit()

        event.listen(engine, "connect", limited)
        return engine

    def _sqlite(self, pool: dict[str, Any]) -> "Engine":
        from sqlalchemy import create_engine, event
        from sqlalchemy.pool import QueuePool

        path, timeout = self._url.database or "", self._timeout
        if path in ("", ":memory:") or path.startswith("file:") or self._url.query:
            raise SourceMisconfigured(
                "the url names no SQLite file", hint="write sqlite:///PATH, without options"
            )

        def connect() -> sqlite3.Connection:
            if not Path(path).is_file():
                raise SourceUnavailable(f"there is no file {path}", hint="check the path in the url")
            raw = sqlite3.connect(
                f"file:{quote(path)}?mode=ro",
                uri=True,
                timeout=min(timeout, _SQLITE_WAIT),
                isolation_level=None,  # nothing begins but by our BEGIN
                check_same_thread=False,
                factory=_Watched,
            )
            raw.watch(timeout)
            raw.execute("PRAGMA query_only=ON").close()
            return raw

        engine = create_engine(
            "sqlite://", creator=connect, poolclass=QueuePool, hide_parameters=True, **pool
        )
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN").close())
        return engine

    def _mapped(self, error: "SQLAlchemyError") -> ConnectorError | Passing:
        """Return what an error of the database means to us."""
        from sqlalchemy import exc

        if isinstance(error, exc.TimeoutError):
            return Passing(f"{self.shown}: no connection became free")
        if not isinstance(error, exc.DBAPIError) or error.orig is None:
            return SourceMisconfigured(f"{self.shown}: {self._scrubbed(str(error))}", hint=_QUERY)
        words = f"{self.shown}: {self._said(error.orig)}"
        return _meant(_meaning(error, words), words, self._timeout)

    def _said(self, error: BaseException) -> str:
        about = getattr(error, "diag", None)
        text = getattr(about, "message_primary", None) or str(error)
        return self._scrubbed(_BEFORE_WORDS.sub("", text.strip().split("\n")[0], count=1))

    def _scrubbed(self, text: str) -> str:
        """Return words of a driver without the password, however it stands in them."""
        secrets = [self._url.password, *(one for key in self._url.query for one in _listed(self._url, key))]
        for secret in secrets:
            for written in (secret, quote(secret or "", safe="")):
                if written:
                    text = text.replace(written, "***")
        return text


class _Watched(sqlite3.Connection):
    """A connection whose statements are interrupted when their time is over."""

    _seconds = 0.0
    _until = float("inf")

    def watch(self, seconds: float) -> None:
        self._seconds = seconds
        self.set_progress_handler(lambda: time.monotonic() > self._until, _SQLITE_STEPS)

    def wind(self) -> None:
        self._until = time.monotonic() + self._seconds


def _listed(url: "URL", key: str) -> tuple[str, ...]:
    if not re.search(r"pass|pwd|secret|token|key", key, re.IGNORECASE):
        return ()
    value = url.query[key]
    return (value,) if isinstance(value, str) else tuple(value)


def _meaning(error: "DBAPIError", words: str) -> str:
    from sqlalchemy import exc

    state = getattr(error.orig, "sqlstate", None)
    if isinstance(error.orig, sqlite3.Error):
        code = (getattr(error.orig, "sqlite_errorcode", None) or 0) & 0xFF
        return _OF_SQLITE.get(code, "wrong")
    if error.connection_invalidated:
        return "lost"
    if state is not None:
        return next((word for word, states in _OF_STATE.items() if state.startswith(states)), "wrong")
    if isinstance(error, exc.DataError):
        return "data"
    # A server that refuses the first handshake tells no SQLSTATE, only words.
    unsaid = "lost" if isinstance(error, exc.OperationalError | exc.InterfaceError) else "wrong"
    return next((word for word, text in _OF_WORDS.items() if text.search(words)), unsaid)


def _meant(meaning: str, words: str, timeout: float) -> ConnectorError | Passing:
    """Return the error for one of the meanings of the tables above."""
    if meaning == "lost":
        return Passing(words)
    if meaning == "slow":
        return Unanswered(f"{words} (after {timeout:g} s)", hint=_HINTS["slow"])
    if meaning == "data":
        return UnreadableDocument(words, reason="damaged", hint=_QUERY)
    kinds: dict[str, type[ConnectorError]] = {
        "denied": AccessDenied,
        "rights": AccessDenied,
        "disk": SourceUnavailable,
    }
    return kinds.get(meaning, SourceMisconfigured)(words, hint=_HINTS.get(meaning, _QUERY))
