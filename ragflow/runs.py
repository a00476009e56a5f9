"""Run records: what was asked, done and answered, kept so that a change of one character shows.

Each run is the object ``ragflow.run/1`` in one row of ``runs.sqlite``. Its digest covers everything;
contents (input, output, the output of each step) enter it by their own SHA-256 only, so that erasing
content leaves the record provable. ``previous`` chains it to the run that ended before it. Erasing a
document is itself a run (kind ``forget``) that names the digest of every content it rewrote: a
rewritten content that no ``forget`` names is a changed record.

The limit of a chain without an outside witness: who rewrites the newest runs up to the very last,
digests included, is not found.
"""

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from sqlalchemy import (
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
    select,
)
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.pool import NullPool

from indexes.errors import StoreDamaged, StoreNotWritable, StoreTooNew
from ragflow.records import (
    FIRST,
    SCHEMA,
    Run,
    canonical,
    citations,
    digest_of,
    emptied,
    sha256,
    timestamp,
    without,
)

SCHEMA_NUMBER = 1
BUSY_TIMEOUT_S = 10.0

Integrity = Literal["intact", "changed"]

_metadata = MetaData()
_runs = Table(
    "runs",
    _metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("run", String, nullable=False, unique=True),
    Column("kind", String, nullable=False),
    Column("owner", String, nullable=False),
    Column("created", String, nullable=False),
    Column("record", Text, nullable=False),
    Index("runs_of_owner", "owner", "seq"),
    sqlite_autoincrement=True,
)
_cited = Table(
    "cited",
    _metadata,
    Column("run", String, primary_key=True),
    Column("document", String, primary_key=True),
    Column("revision", String, primary_key=True),
    Index("cited_document", "document"),
)


class RunStore:
    """The runs of one workspace, in one SQLite file (WAL, mode 0600). Opening touches no file.

    Any number of processes may write at once; each waits up to ten seconds for its turn. Reading
    works in a folder that cannot be written too, then without runs that are not yet checkpointed.

    Raises, from every method: ``StoreTooNew``, ``StoreDamaged``; from those that write:
    ``StoreNotWritable``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, run: Run) -> Run:
        """Append an ended run to the chain; return it with ``previous`` and ``digest`` set."""
        with _write(self.path) as connection:
            return _append(connection, run)

    def get(self, run: str) -> Run | None:
        """Return a run by its id, or None."""
        found = self._rows(_runs.c.run == run, limit=1)
        return found[0] if found else None

    def readable(self, run: str) -> bool:
        """Tell whether a run's record is one still; False where someone made something else of it."""
        try:
            return self.get(run) is not None
        except StoreDamaged:
            return False

    def list(self, limit: int, *, owner: str | None = None) -> tuple[Run, ...]:
        """Return at most ``limit`` runs, newest first, of one owner or of all."""
        return self._rows(True if owner is None else _runs.c.owner == owner, limit=limit)

    def _rows(self, condition: Any, *, limit: int) -> tuple[Run, ...]:
        with _read(self.path) as connection:
            if connection is None:
                return ()
            wanted = select(_runs.c.record).where(condition).order_by(_runs.c.seq.desc()).limit(limit)
            return tuple(_parse(record) for (record,) in connection.execute(wanted))

    def check(self, run: str) -> Integrity | None:
        """Recompute a run's digest and both its links of the chain; None where there is no such run."""
        with _read(self.path) as connection:
            if connection is None:
                return None
            row = connection.execute(select(_runs).where(_runs.c.run == run)).one_or_none()
            if row is None:
                return None
            try:
                intact = _sound(connection, row) and _chained(connection, row)
            except (KeyError, TypeError, ValueError, AttributeError, StoreDamaged):
                return "changed"
        return "intact" if intact else "changed"

    def cited(self) -> set[tuple[str, str]]:
        """Return every (document, revision) that a run still kept cites: evidence not to be collected."""
        with _read(self.path) as connection:
            if connection is None:
                return set()
            pairs = connection.execute(select(_cited.c.document, _cited.c.revision).distinct())
            return {(document, revision) for document, revision in pairs}

    def expire(self, keep_days: int, *, now: datetime | None = None) -> int:
        """Remove the contents of runs older than ``keep_days``, leaving digests; return how many."""
        cutoff = timestamp((now or datetime.now(UTC)) - timedelta(days=keep_days))
        old = (_runs.c.created < cutoff) & (_runs.c.kind != "forget")
        with _write(self.path) as connection:
            expired = 0
            for seq, record in connection.execute(select(_runs.c.seq, _runs.c.record).where(old)).all():
                run = _parse(record)
                if run.input is not None or run.output is not None:
                    _rewrite(connection, seq, emptied(run))
                    connection.execute(_cited.delete().where(_cited.c.run == run.run))
                    expired += 1
        if expired:
            _truncate_log(self.path)
        return expired

    def erase(self, document: str, *, forget: Run) -> Run:
        """Erase what runs quote of a document; append ``forget``, whose output names what was rewritten.

        The output of ``forget`` becomes ``{"schema": "ragflow.forget/1", "document", "erased"}`` with
        ``erased`` mapping each rewritten run to the digest of its output as it now stands.
        """
        with _write(self.path) as connection:
            citing = select(_cited.c.run).where(_cited.c.document == document)
            shown = _runs.c.record.contains(json.dumps(document, ensure_ascii=False), autoescape=True)
            wanted = select(_runs.c.seq, _runs.c.record).where(_runs.c.run.in_(citing) | shown)
            erased: dict[str, str] = {}
            for seq, record in connection.execute(wanted.where(_runs.c.kind == "ask")).all():
                run = _parse(record)
                output = run.output and without(document, run.output)
                if output is not None and output != run.output:
                    kept = {"output": sha256(run.output), **(run.erased or {})}
                    _rewrite(connection, seq, replace(run, output=output, erased=kept))
                    erased[run.run] = sha256(output)
            named = {
                "schema": "ragflow.forget/1",
                "document": document,
                "erased": erased,
            }
            added = _append(connection, replace(forget, kind="forget", output=named))
        _truncate_log(self.path)
        return added


def _append(connection: Connection, run: Run) -> Run:
    newest = select(_runs.c.record).order_by(_runs.c.seq.desc()).limit(1)
    before = connection.execute(newest).scalar_one_or_none()
    run = replace(
        run,
        previous=FIRST if before is None else _parse(before).digest,
        digest="",
        erased=None,
    )
    run = replace(run, digest=digest_of(run.to_json()))
    row = {
        "run": run.run,
        "kind": run.kind,
        "owner": run.actor[0],
        "created": run.created,
    }
    connection.execute(_runs.insert().values(**row, record=canonical(run.to_json())))
    cited = [{"run": run.run, "document": name, "revision": revision} for name, revision in citations(run)]
    if cited:
        connection.execute(_cited.insert(), cited)
    return run


def _rewrite(connection: Connection, seq: int, run: Run) -> None:
    connection.execute(_runs.update().where(_runs.c.seq == seq).values(record=canonical(run.to_json())))


def _parse(record: str) -> Run:
    try:
        return Run.from_json(json.loads(record))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreDamaged(
            f"a run record cannot be read: {error}",
            hint="restore runs.sqlite from a backup",
        ) from error


def _sound(connection: Connection, row: Any) -> bool:
    """Is the record what its digest says, its columns what the record says, its erasures accounted for?"""
    shown = json.loads(row.record)
    run = Run.from_json(shown)
    columns = (run.run, run.kind, run.actor[0], run.created)
    if row.record != canonical(shown) or columns != (
        row.run,
        row.kind,
        row.owner,
        row.created,
    ):
        return False
    if shown["schema"] != SCHEMA or run.digest != digest_of(shown):
        return False
    contents = {"input": run.input, "output": run.output}
    contents |= {f"steps.{at}": step["output"] for at, step in enumerate(run.steps)}
    rewritten = {slot: contents[slot] for slot in run.erased or {} if contents[slot] is not None}
    if rewritten and rewritten.keys() != {"output"}:
        return False
    if rewritten and not _forgotten(connection, run.run, sha256(run.output)):
        return False
    held = connection.execute(select(_cited.c.document, _cited.c.revision).where(_cited.c.run == run.run))
    return sorted((name, revision) for name, revision in held) == citations(run)


def _forgotten(connection: Connection, run: str, digest: str) -> bool:
    """Does the last ``forget`` that names the run say that its output should now be this?"""
    forgets = select(_runs.c.record).where(_runs.c.kind == "forget").order_by(_runs.c.seq.desc())
    for (record,) in connection.execute(forgets):
        shown = json.loads(record)
        if run in shown["output"]["erased"]:
            return bool(shown["output"]["erased"][run] == digest and shown["digest"] == digest_of(shown))
    return False


def _chained(connection: Connection, row: Any) -> bool:
    """Do the runs before and after agree with this one?"""
    run = _parse(row.record)
    before = select(_runs.c.record).where(_runs.c.seq < row.seq).order_by(_runs.c.seq.desc()).limit(1)
    after = select(_runs.c.record).where(_runs.c.seq > row.seq).order_by(_runs.c.seq).limit(1)
    previous = connection.execute(before).scalar_one_or_none()
    following = connection.execute(after).scalar_one_or_none()
    linked = run.previous == (FIRST if previous is None else _parse(previous).digest)
    return linked and (following is None or _parse(following).previous == run.digest)


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
def _read(path: Path) -> Iterator[Connection | None]:
    """Open for reading; None where nothing was ever recorded."""
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
def _write(path: Path) -> Iterator[Connection]:
    with _mapped(path):
        create_file(path)
        with _transaction(path, "mode=rw", "BEGIN IMMEDIATE") as connection:
            if connection.exec_driver_sql("PRAGMA user_version").scalar_one() == 0:
                _metadata.create_all(connection)
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


def _truncate_log(path: Path) -> None:
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
