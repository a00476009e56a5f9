"""Bring a store that an older program wrote up to this one's schema, after a copy beside it.

The copy, ``store.sqlite.bak``, is for whoever wants to go back to the older program: that one refuses the
migrated store. It holds every text that the store held, so forgetting a document removes it too.
"""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from indexes import schema
from indexes.errors import StoreNotWritable


def migrate(engine: sa.Engine, path: Path, found: int) -> None:
    """Copy the store, then make it one of this schema in one transaction. The caller holds the write lock.

    ``found``: its schema number, smaller than this one's. A kill in between leaves a store that is still
    whole and old; the next call begins again. Raises ``StoreNotWritable``: no space for the copy.
    """
    _copy(path)
    with engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")  # the read transaction that every connection begins with
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        for number in range(found, schema.SCHEMA):
            _STEPS[number](connection)
        where = schema.meta.c.key == "schema"
        connection.execute(schema.meta.update().where(where).values(value=str(schema.SCHEMA)))
        connection.commit()


def drop_copy(path: Path) -> None:
    """Remove the copy of a store that was migrated, if there is one."""
    _beside(path).unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.bak")


def _copy(path: Path) -> None:
    """Copy what is committed, the write-ahead log's share too; under another name until it is whole."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.bak")
    try:
        temporary.unlink(missing_ok=True)
        os.close(os.open(temporary, os.O_CREAT | os.O_WRONLY, 0o600))
        source, target = sqlite3.connect(path), sqlite3.connect(temporary)
        try:
            source.backup(target)
        finally:
            source.close()
            target.close()
        temporary.replace(_beside(path))
    except (OSError, sqlite3.Error) as error:
        temporary.unlink(missing_ok=True)
        raise StoreNotWritable(
            f"{path.name} is of an older version and cannot be copied before it is migrated: {error}",
            hint=f"make room for a copy of {path.name} beside it, then run ragflow index again",
        ) from error


def _add_flags(connection: sa.Connection) -> None:
    """1 -> 2: what reads like orders to a program. Texts are scanned by the next sync, without parsing."""
    schema.metadata.create_all(connection, tables=[schema.scans, schema.flags])


def _add_origins(connection: sa.Connection) -> None:
    """2 -> 3: what sources and parsers tell of versions, filled as they are read again; failures of items."""
    for column in ("author", "language", "lines", "unseen", "hidden"):
        kind = schema.versions.c[column].type.compile(connection.dialect)
        connection.exec_driver_sql(f"ALTER TABLE versions ADD COLUMN {column} {kind}")
    schema.metadata.create_all(connection, tables=[schema.failures])


def _part_models(connection: sa.Connection) -> None:
    """3 -> 4: a chunk is there once for each model, so that a change of model keeps what both embedded."""
    kept = 'version, chunker, start, "end", embedding'
    connection.exec_driver_sql("ALTER TABLE chunks RENAME TO chunks_before")
    for index in schema.chunks.indexes:
        connection.exec_driver_sql(f"DROP INDEX {index.name}")
    schema.chunks.create(connection)
    connection.exec_driver_sql(
        f"INSERT INTO chunks ({kept}, embedder) SELECT {kept}, '' FROM chunks_before"  # noqa: S608
    )
    connection.exec_driver_sql("DROP TABLE chunks_before")


_STEPS: dict[int, Callable[[sa.Connection], None]] = {1: _add_flags, 2: _add_origins, 3: _part_models}
