"""The file of run records: its tables, and how it is opened, made, brought up to date and emptied.

Schema 1 had ``runs`` and ``cited``; 2 adds ``tapes`` and ``rules``.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import (
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
)
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.pool import NullPool

from indexes.errors import StoreDamaged, StoreNotWritable, StoreTooNew

SCHEMA_NUMBER = 2
BUSY_TIMEOUT_S = 10.0

metadata = MetaData()
runs = Table(
    "runs",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("run", String, nullable=False, unique=True),
    Column("kind", String, nullable=False),
    Column("owner", String, nullable=False),
    Column("created", String, nullable=False),
    Column("record", Text, nullable=False),
    Index("runs_of_owner", "owner", "seq"),
    sqlite_autoincrement=True,
)
cited = Table(
    "cited",
    metadata,
    Column("run", String, primary_key=True),
    Column("document", String, primary_key=True),
    Column("revision", String, primary_key=True),
    Index("cited_document", "document"),
)
tapes = Table(
    "tapes",
    metadata,
    Column("run", String, primary_key=True),
    Column("tape", LargeBinary, nullable=False, doc="zstd of the canonical JSON of ragflow.tape/1"),
)
rules = Table(
    "rules",
    metadata,
    Column("policy", String, primary_key=True, doc="SHA-256 of the canonical JSON in the other column"),
    Column("rules", LargeBinary, nullable=False, doc="zstd of the rules that decided: see ragflow.ruling"),
)


def _connect(path: Path, mode: str) -> Callable[[], sqlite3.Connection]:
    address = f"file:{quote(str(path.absolute()))}?{mode}"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(address, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        connection.execute("PRAGMA secure_delete = ON")  # what is erased must not stay in free pages
        return connection

    return connect


@contextmanager
def _transaction(path: Path, mode: str, begin: str) -> Iterator[Connection]:
    # The driver's own transactions start too late (at the first write): we say BEGIN ourselves.
    engine = create_engine("sqlite://", creator=_connect(path, mode), poolclass=NullPool)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    with engine.begin() as connection:
        version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        if version > SCHEMA_NUMBER:
            raise StoreTooNew(
                f"{path} was written by a newer program (schema {version})",
                hint="upgrade ragflow",
            )
        yield connection


@contextmanager
def reading(path: Path) -> Iterator[Connection | None]:
    """Open for reading; None where nothing was ever recorded. A table of a later schema may be absent."""
    with opened(path) as connection:
        # Runs in progress may have made the file, or a process died before its tables were made.
        there = connection is not None and connection.dialect.has_table(connection, runs.name)
        yield connection if there else None


@contextmanager
def opened(path: Path) -> Iterator[Connection | None]:
    """Open for reading, whatever tables are there; None where there is no file."""
    if not path.exists():
        yield None
        return
    # A WAL database in a folder that cannot be written opens only as immutable.
    mode = "mode=ro" if _readable(path) else "mode=ro&immutable=1"
    with _mapped(path), _transaction(path, mode, "BEGIN") as connection:
        # The tables of runs in progress may be there alone.
        recorded = connection.exec_driver_sql("PRAGMA user_version").scalar_one() > 0
        yield connection if recorded else None


def _readable(path: Path) -> bool:
    try:
        with closing(_connect(path, "mode=ro")()) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        return False
    except sqlite3.DatabaseError:
        return True  # damaged: the transaction says so
    return True


@contextmanager
def writing(path: Path) -> Iterator[Connection]:
    """Open for writing, made or brought to this program's schema where it is not."""
    with _mapped(path):
        create_file(path)
        with _transaction(path, "mode=rw", "BEGIN IMMEDIATE") as connection:
            # What an earlier schema lacks are whole tables: they are made, and nothing is changed.
            if connection.exec_driver_sql("PRAGMA user_version").scalar_one() < SCHEMA_NUMBER:
                metadata.create_all(connection)
                connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_NUMBER}")
            yield connection


def create_file(path: Path) -> None:
    """Make the file private before SQLite sees it, and switch it to WAL.

    A file that is there is not opened: closing it would drop the locks that SQLite's connections of this
    process hold on it, as POSIX has it, and another process could take their log away.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    with closing(_connect(path, "mode=rw")()) as connection:
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                # The busy timeout does not cover this switch: two processes that create at once meet here.
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)


def truncate_log(path: Path) -> None:
    """Empty the write-ahead log, so that erased text does not live on in it."""
    with _mapped(path), closing(_connect(path, "mode=rw")()) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@contextmanager
def _mapped(path: Path) -> Iterator[None]:
    """Say what a driver's or the operating system's error means here."""
    try:
        yield
    except (OperationalError, sqlite3.OperationalError, OSError) as error:
        raise StoreNotWritable(
            f"{path} cannot be opened or written: {_cause(error)}",
            hint="check the rights and the space of the folder, and that no other process holds the file",
        ) from error
    except (DatabaseError, sqlite3.DatabaseError) as error:
        raise StoreDamaged(
            f"{path} is damaged: {_cause(error)}",
            hint="restore runs.sqlite from a backup, or move it away",
        ) from error


def _cause(error: Exception) -> str:
    return str(error.orig if isinstance(error, DatabaseError) else error)
