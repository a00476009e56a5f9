"""The database of runs in progress, approvals and effects: ``runs.sqlite``, or PostgreSQL.

Every write is one short transaction (``BEGIN IMMEDIATE`` in SQLite). A database that does not answer is one
error, ``DatabaseGone``, whatever its driver calls it.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.pool import NullPool

from ragflow.workflows.errors import DatabaseGone
from ragflow.workflows.tables import metadata

BUSY_TIMEOUT_S = 10.0
_AWAY_SECONDS = 10
_IDLE_MS = 30_000


class Database:
    """One engine and its tables, safe for threads and processes. Close it, or use it in a ``with``."""

    def __init__(self, engine: Engine, place: str) -> None:
        self._engine = engine
        self.place = place

    @classmethod
    def of_file(cls, path: Path) -> "Database":
        """Open the tables in a SQLite file, made (mode 0600, WAL) where it is absent."""
        from ragflow.run_files import writing  # the records' own file: their rules hold for it

        with writing(path):
            pass
        engine = create_engine(f"sqlite:///{path}", poolclass=NullPool, hide_parameters=True)

        @event.listens_for(engine, "connect")
        def prepare(connection: sqlite3.Connection, _: object) -> None:
            connection.isolation_level = None  # the driver's own transactions would begin too late
            connection.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT_S * 1000)}")
            connection.execute("PRAGMA synchronous = FULL")  # a claim that is written must stay written
            connection.execute("PRAGMA secure_delete = ON")

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

        return cls._made(engine, str(path))

    @classmethod
    def of_url(cls, url: str, password: str | None = None) -> "Database":
        """Open the tables in PostgreSQL. ``password`` where the URL has none."""
        engine = server_engine(url, password, connections=5)
        return cls._made(engine, engine.url.set(password=None).render_as_string())

    @classmethod
    def _made(cls, engine: Engine, place: str) -> "Database":
        database = cls(engine, place)
        with database.begin() as connection:
            if engine.dialect.name == "postgresql":
                # Two that create at once would meet: one waits for the other.
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7242023)")
            metadata.create_all(connection)
        return database

    @property
    def server(self) -> bool:
        """Whether this is a server that other machines use too."""
        return self._engine.dialect.name == "postgresql"

    @property
    def engine(self) -> Engine:
        """The engine itself, for what must hold a connection of its own."""
        return self._engine

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Give a connection in a transaction: committed at the end, rolled back by an error.

        Raises:
            DatabaseGone: the server cannot be reached, or went away in between.
        """
        try:
            with self._engine.begin() as connection:
                yield connection
        except (OperationalError, InterfaceError) as error:
            if self.server:
                raise DatabaseGone(f"the database {self.place} does not answer: {_first(error)}") from error
            raise  # SQLite's own causes have their names: no space, no right, locked

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def server_engine(url: str, password: str | None, *, connections: int) -> Engine:
    """Return an engine of PostgreSQL, which opens at most so many connections. Nothing is connected yet."""
    from sqlalchemy.engine import make_url

    made = make_url(url).set(drivername="postgresql+psycopg")
    if password is not None:
        made = made.set(password=password)
    engine = create_engine(
        made,
        hide_parameters=True,  # what steps gave stands in no error
        pool_pre_ping=True,
        pool_size=connections,
        max_overflow=0,
        connect_args={"connect_timeout": _AWAY_SECONDS},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        # A process that is stopped half-way in a transaction must not hold its locks for ever.
        with connection.cursor() as cursor:
            cursor.execute(f"SET idle_in_transaction_session_timeout = {_IDLE_MS}")
        connection.commit()

    return engine


def _first(error: DBAPIError) -> str:
    return next(iter(str(error.orig).strip().splitlines()), type(error).__name__)
