"""Tapes and rules in the file of run records: kept, read, removed, in the caller's transaction."""

import json
from collections.abc import Collection, Iterator
from typing import Any

import zstandard
from sqlalchemy import Connection, inspect, select

from indexes.errors import StoreDamaged
from ragflow.replaying.tape import speaks_of, spelled
from ragflow.run_files import rules, tapes

_LEVEL = 3
_AT_ONCE = 200


def keep(connection: Connection, run: str, tape: bytes) -> None:
    """Keep a run's tape."""
    packed = zstandard.ZstdCompressor(level=_LEVEL).compress(tape)
    connection.execute(tapes.insert().values(run=run, tape=packed))


def keep_rules(connection: Connection, policy: str, text: str) -> None:
    """Keep rules under their digest, once."""
    known = connection.execute(select(rules.c.policy).where(rules.c.policy == policy)).first()
    if known is None:
        packed = zstandard.ZstdCompressor(level=_LEVEL).compress(text.encode())
        connection.execute(rules.insert().values(policy=policy, rules=packed))


def kept(connection: Connection, run: str) -> bytes | None:
    """Return a run's tape; None where there is none. Raises ``StoreDamaged``."""
    if not _has(connection, tapes.name):
        return None
    row = connection.execute(select(tapes.c.tape).where(tapes.c.run == run)).first()
    return None if row is None else _unpacked(row.tape, f"the tape of {run}")


def has(connection: Connection, run: str) -> bool:
    """Tell whether a run has a tape; read or not."""
    if not _has(connection, tapes.name):
        return False
    return connection.execute(select(tapes.c.run).where(tapes.c.run == run)).first() is not None


def kept_rules(connection: Connection, policy: str) -> dict[str, Any] | None:
    """Return the rules of a digest; None where there are none. Raises ``StoreDamaged``."""
    if not _has(connection, rules.name):
        return None
    row = connection.execute(select(rules.c.rules).where(rules.c.policy == policy)).first()
    if row is None:
        return None
    found: dict[str, Any] = json.loads(_unpacked(row.rules, f"the rules {policy}"))
    return found


def remove(connection: Connection, runs: Collection[str]) -> None:
    """Remove the tapes of these runs; one that has none is no error."""
    for run in runs:
        connection.execute(tapes.delete().where(tapes.c.run == run))


def naming(connection: Connection, document: str) -> Iterator[str]:
    """Give the runs whose tape holds anything of a document. A tape that cannot be read is among them."""
    names, last = spelled(document), ""
    while True:
        batch = select(tapes).where(tapes.c.run > last).order_by(tapes.c.run).limit(_AT_ONCE)
        rows = connection.execute(batch).all()
        if not rows:
            return
        for row in rows:
            try:
                found = speaks_of(_unpacked(row.tape, row.run), names)
            except StoreDamaged:
                found = True  # what cannot be read may hold it
            if found:
                yield row.run
        last = rows[-1].run


def _has(connection: Connection, table: str) -> bool:
    """Tell whether the file is new enough: one of an earlier schema gets its tables with the next write."""
    return inspect(connection).has_table(table)


def _unpacked(packed: bytes, name: str) -> bytes:
    try:
        return zstandard.ZstdDecompressor().decompress(packed)
    except zstandard.ZstdError as error:
        raise StoreDamaged(
            f"{name} cannot be read: {error}", hint="restore runs.sqlite from a backup"
        ) from error
