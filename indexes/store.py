"""The store: sources' items, documents, versions, texts, access. The truth; segments derive from it.

Only a sync writes; it does so under the workspace's write lock. Anyone may read meanwhile (WAL). A
folder that cannot be written is read as it stands (``immutable=1``), which SQLite needs there.
"""

import json
import os
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from connectors.documents import Anchor
from indexes import schema
from indexes.errors import StoreDamaged, StoreNotWritable, StoreTooNew
from indexes.migration import migrate
from indexes.query import Flag
from indexes.versions import Version, unpack

_BUSY_SECONDS = 10.0
# SQLite allows 32,766 parameters a statement; a thousand keeps statements cacheable.
_BATCH = 1_000
_NOBODY: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Access:
    """Who may read what now: for each document id (the array's index) its ACL, or -1 for nobody.

    ``readers[acl]`` are the readers of an ACL. ``epoch`` counts changes: equal epochs, equal access.
    """

    epoch: int
    acl_of: NDArray[np.int32]
    readers: dict[int, frozenset[str]]

    def of(self, document_id: int) -> frozenset[str]:
        """Give the readers of a document; nobody where it is dead, unknown, or its ACL is not there."""
        known = 0 <= document_id < len(self.acl_of)
        return self.readers.get(int(self.acl_of[document_id]), _NOBODY) if known else _NOBODY

    def allowed(self, asker: frozenset[str]) -> NDArray[np.bool_]:
        """Give, for each ACL id (the array's index), whether ``asker`` is among its readers."""
        allowed = np.zeros(max(self.readers, default=0) + 1, dtype=np.bool_)
        for acl, readers in self.readers.items():
            allowed[acl] = not asker.isdisjoint(readers)
        return allowed


class Store:
    """An open ``store.sqlite``. Use ``Store.open``; close it, or use it as a context manager."""

    def __init__(self, engine: sa.Engine, path: Path, *, writable: bool, told: bool = True) -> None:
        self.engine = engine
        self._told = told
        self.path = path
        self.writable = writable
        self._single: sa.Connection | None = None
        self._scanned = False

    @classmethod
    def open(cls, path: Path, *, write: bool = False) -> "Store":
        """Open the store; ``write`` creates it when absent and migrates it when old.

        Raises ``StoreTooNew``, ``StoreDamaged``, or with ``write`` ``StoreNotWritable``.
        """
        if write and not path.exists():
            return cls(_create(path), path, writable=True)
        if write and not os.access(path, os.W_OK):
            raise StoreNotWritable(
                f"cannot write {path.name}",
                hint="give the user who runs ragflow the right to write .ragflow/",
            )
        url, writable = _url(path)
        engine = _engine(url)
        try:
            with engine.connect() as connection:
                found = connection.scalar(sa.select(schema.meta.c.value).where(schema.meta.c.key == "schema"))
        except sa.exc.DatabaseError as error:
            raise _damaged(path, error) from error
        if found is None or not str(found).isdigit():
            raise StoreDamaged(
                f"{path.name} has no schema number", hint="move .ragflow/ away and run ragflow index"
            )
        if int(found) > schema.SCHEMA:
            raise StoreTooNew(
                f"a newer ragflow wrote this workspace (schema {found}, this one knows {schema.SCHEMA})",
                hint="upgrade ragflow, or index into a new folder",
            )
        if write and int(found) < schema.SCHEMA:
            migrate(engine, path, int(found))
        # One of an older program is searched as it is until an index run migrates it.
        return cls(engine, path, writable=writable, told=write or int(found) >= schema.TOLD)

    def close(self) -> None:
        """Close all connections."""
        if self._single is not None:
            self._single.close()
            self._single = None
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Give a connection that sees one consistent state."""
        with self.engine.connect() as connection:
            yield connection

    def look(self) -> sa.Connection:
        """Give the connection of single statements: each sees the newest state, and none begins anything.

        A search asks the store a handful of such questions; a transaction around each would cost more
        than the question.
        """
        if self._single is None:
            self._single = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        return self._single

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Give one short write transaction: committed at the end, rolled back on an error."""
        with self.engine.connect() as connection:
            connection.exec_driver_sql("COMMIT")  # the read transaction that every connection begins with
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.commit()

    def checkpoint(self) -> None:
        """Bring everything into the main file, so that it can be read where nothing can be written."""
        with self.engine.connect() as connection:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def remember(self, key: str, value: str | None) -> None:
        """Keep a word about the workspace as a whole; None removes it."""
        with self.write() as connection:
            connection.execute(schema.meta.delete().where(schema.meta.c.key == key))
            if value is not None:
                connection.execute(schema.meta.insert().values(key=key, value=value))

    def recall(self, key: str) -> str | None:
        """Give such a word; None where none is kept."""
        query = sa.select(schema.meta.c.value).where(schema.meta.c.key == key)
        found: str | None = self.look().scalar(query)
        return found

    # -- reading ---------------------------------------------------------------------------------

    def epoch(self) -> int:
        """Give the number of access changes and deletions so far."""
        return read_epoch(self.look())

    def access(self) -> Access:
        """Read who may read what now."""
        with self.read() as connection:
            epoch = read_epoch(connection)
            living = sa.select(schema.documents.c.id, schema.documents.c.acl).where(~schema.documents.c.dead)
            readers = read_acls(connection)
            # What is no number of an ACL that is there lets nobody in.
            known = ((row, acl if acl in readers else -1) for row, acl in connection.execute(living))
            pairs = np.fromiter(known, dtype=np.dtype((np.int64, 2)))
        acl_of = np.full(int(pairs[:, 0].max(initial=0)) + 1, -1, dtype=np.int32)
        acl_of[pairs[:, 0]] = pairs[:, 1]
        return Access(epoch, acl_of, readers)

    def readers_of(self, documents: Collection[str]) -> dict[str, frozenset[str]]:
        """Give the readers of the named documents, of a deleted one those it had last; no unknown ones."""
        found: dict[str, frozenset[str]] = {}
        d = schema.documents.c
        with self.read() as connection:
            known = read_acls(connection)
            for batch in batches(sorted(documents)):
                query = sa.select(d.name, d.acl).where(d.name.in_(batch)).order_by(d.id)
                found |= {name: known.get(acl, _NOBODY) for name, acl in connection.execute(query)}
        return found

    def versions(self, ids: Sequence[int]) -> dict[int, Version]:
        """Give the versions with these ids; unknown ones are left out."""
        found: dict[int, Version] = {}
        for batch in batches(ids):
            rows = self.look().execute(_BY_ID[self._told], {"keys": batch})
            found |= {row.id: Version(**row) for row in rows.mappings()}
        return found

    def versions_of(self, name: str) -> list[Version]:
        """Give every kept version of the documents that ever had this name, newest first."""
        named = _versions(told=self._told).where(schema.documents.c.name == name)
        query = named.order_by(schema.versions.c.id.desc())
        with self.read() as connection:
            return [Version(**row) for row in connection.execute(query).mappings()]

    def text(self, revision: str) -> str | None:
        """Give the canonical text of a revision; None when it was erased or never stored."""
        return self.texts([revision]).get(revision)

    def texts(self, revisions: Sequence[str]) -> dict[str, str]:
        """Give the canonical texts of these revisions; what was erased or never stored is left out."""
        found: dict[str, str] = {}
        for batch in batches(revisions):
            for row in self.look().execute(_TEXTS, {"keys": batch}):
                found[row.revision] = unpack(row.text, row.revision)
        return found

    def anchors(self, layout: str) -> tuple[Anchor, ...]:
        """Give the anchors of a layout; empty when it is not stored."""
        return self.layouts([layout]).get(layout, ())

    def layouts(self, digests: Sequence[str]) -> dict[str, tuple[Anchor, ...]]:
        """Give the anchors of these layouts; what is not stored is left out."""
        found: dict[str, tuple[Anchor, ...]] = {}
        for batch in batches(digests):
            for row in self.look().execute(_LAYOUTS, {"keys": batch}):
                anchors = json.loads(unpack(row.anchors, row.digest))
                found[row.digest] = tuple(Anchor(*fields) for fields in anchors)
        return found

    def flags(self, revisions: Sequence[str]) -> dict[str, tuple[Flag, ...]]:
        """Give the flags of these revisions, in order of place; what was never scanned is left out."""
        if not self.scanned:
            return {}
        found: dict[str, list[Flag]] = {}
        for batch in batches(revisions):
            for row in self.look().execute(_FLAGS, {"keys": batch}):
                spans = found.setdefault(row.revision, [])
                if row.start is not None:
                    spans.append(Flag(row.start, row.end, row.family))
        return {revision: tuple(spans) for revision, spans in found.items()}

    @property
    def scanned(self) -> bool:
        """Tell whether the store can hold flags: one of an older program cannot, until it is migrated."""
        if not self._scanned:
            self._scanned = sa.inspect(self.look()).has_table(schema.scans.name)
        return self._scanned


_LATER = ("author", "language", "hidden", "lines")


def _versions(*, told: bool) -> sa.Select[Any]:
    """Select versions with their documents' names; without ``told``, what an older schema lacks is null."""
    v, d = schema.versions.c, schema.documents.c
    kept = ("id", "document_id", "revision", "layout", "title", "link", "modified", "parser", "raw_digest")
    later = [v[key] if told else sa.null().label(key) for key in _LATER]
    return sa.select(d.name, *(v[key] for key in kept), *later).join(schema.documents, d.id == v.document_id)


# What every search asks, put together once: to build a statement takes longer than to run it.
_KEYS: sa.BindParameter[Any] = sa.bindparam("keys", expanding=True)
_BY_ID = {told: _versions(told=told).where(schema.versions.c.id.in_(_KEYS)) for told in (True, False)}
_TEXTS = sa.select(schema.texts.c.revision, schema.texts.c.text).where(schema.texts.c.revision.in_(_KEYS))
_LAYOUTS = sa.select(schema.layouts.c.digest, schema.layouts.c.anchors).where(
    schema.layouts.c.digest.in_(_KEYS)
)
_FLAGS = (
    sa.select(schema.scans.c.revision, schema.flags.c.start, schema.flags.c.end, schema.flags.c.family)
    .outerjoin(schema.flags, schema.flags.c.revision == schema.scans.c.revision)
    .where(schema.scans.c.revision.in_(_KEYS))
    .order_by(schema.flags.c.start, schema.flags.c.end, schema.flags.c.family)
)
_EPOCH = sa.select(schema.meta.c.value).where(schema.meta.c.key == "epoch")


def read_acls(connection: sa.Connection) -> dict[int, frozenset[str]]:
    """Read the readers of each ACL inside a transaction; of one that is damaged, nobody."""
    rows = connection.execute(sa.select(schema.acls.c.id, schema.acls.c.readers))
    return {row.id: frozenset(parse_readers(row.readers)) for row in rows}


def parse_readers(stored: object) -> tuple[str, ...]:
    """Return the readers of a stored ACL; none where it is not the JSON list of texts that it should be."""
    try:
        found = json.loads(stored) if isinstance(stored, str) else None
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        return ()
    return tuple(found)


def read_epoch(connection: sa.Connection) -> int:
    """Read the access epoch inside a transaction."""
    value = connection.scalar(_EPOCH)
    return int(value or 0)


def batches(values: Sequence[Any], size: int = _BATCH) -> Iterator[Sequence[Any]]:
    """Cut a sequence into pieces of at most ``size``."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def _create(path: Path) -> sa.Engine:
    # Built under another name and renamed: a crash in between leaves no half store.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    os.close(os.open(temporary, os.O_CREAT | os.O_WRONLY, 0o600))
    engine = _engine(f"sqlite:///file:{quote(str(temporary.resolve()))}?uri=true")
    with engine.begin() as connection:
        schema.metadata.create_all(connection)
        connection.execute(
            schema.meta.insert(),
            [{"key": "schema", "value": str(schema.SCHEMA)}, {"key": "epoch", "value": "0"}],
        )
    engine.dispose()
    temporary.replace(path)
    return _engine(_url(path)[0])


def _url(path: Path) -> tuple[str, bool]:
    if not path.exists():
        raise StoreDamaged(f"{path.name} is not there", hint="ragflow index")
    name = f"sqlite:///file:{quote(str(path.resolve()))}"
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        return f"{name}?uri=true", True
    # A WAL database opens read-only while its writer's shared memory file is there; at rest only so:
    mode = "mode=ro" if path.with_name(f"{path.name}-shm").exists() else "mode=ro&immutable=1"
    return f"{name}?{mode}&uri=true", False


def _engine(url: str) -> sa.Engine:
    engine = sa.create_engine(
        url, poolclass=sa.pool.QueuePool, connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False}
    )

    def connected(connection: sqlite3.Connection, _: object) -> None:
        # SQLAlchemy begins transactions itself (below), so that reads see one state.
        connection.isolation_level = None
        cursor = connection.cursor()
        if "mode=ro" not in url:
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=FULL")
            cursor.execute("PRAGMA secure_delete=ON")  # what is erased must not stay in free pages
        cursor.close()

    sa.event.listen(engine, "connect", connected)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: sa.Connection) -> None:
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql("BEGIN")


def _damaged(path: Path, error: Exception) -> StoreDamaged:
    cause = getattr(error, "orig", error)
    return StoreDamaged(
        f"{path.name} cannot be read: {cause}",
        hint="restore it from a backup, or move .ragflow/ away and run ragflow index",
    )
