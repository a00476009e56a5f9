"""The flags of stored texts: which spans read like orders to a program, found once for each text."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from indexes import schema
from indexes.injection import VERSION, scan
from indexes.query import HIDDEN, Flag
from indexes.store import Store, batches

_LEFT_OUT = "hidden_text_left_out"

_BATCH = 64
_MOST = 1_000  # flags of one text: beyond, a family is one span from its first place to its last


@dataclass(frozen=True, slots=True)
class Flagged:
    """How many sentences, or hidden passages, of a document bear the marks of a family."""

    document: str
    family: str
    count: int


def scan_texts(store: Store, *, progress: Callable[[int, int], None] = lambda _, __: None) -> int:
    """Scan what no scanner of this version has seen; flags of an older one are replaced. Gives how many.

    Nothing is parsed or embedded again. Each batch is one transaction, so that a kill loses little.
    """
    s, t = schema.scans.c, schema.texts.c
    done = sa.select(s.revision).where(s.scanner == VERSION)
    with store.read() as connection:
        waiting = connection.scalars(
            sa.select(t.revision).where(t.revision.not_in(done)).order_by(t.revision)
        ).all()
    for number, batch in enumerate(batches(waiting, _BATCH)):
        progress(number * _BATCH, len(waiting))
        _keep(store, {revision: _bounded(scan(text)) for revision, text in store.texts(batch).items()})
    return len(waiting)


def _keep(store: Store, found: Mapping[str, tuple[Flag, ...]]) -> None:
    rows = [
        {"revision": revision, "start": one.start, "end": one.end, "family": one.family}
        for revision, flags in found.items()
        for one in flags
    ]
    with store.write() as connection:
        for table in (schema.flags, schema.scans):
            connection.execute(table.delete().where(table.c.revision.in_(list(found))))
        if rows:
            connection.execute(schema.flags.insert(), rows)
        if found:
            connection.execute(
                schema.scans.insert(), [{"revision": revision, "scanner": VERSION} for revision in found]
            )


def _bounded(flags: tuple[Flag, ...]) -> tuple[Flag, ...]:
    if len(flags) <= _MOST:
        return flags
    spans: dict[str, tuple[int, int]] = {}
    for one in flags:
        start, end = spans.get(one.family, (one.start, one.end))
        spans[one.family] = min(start, one.start), max(end, one.end)
    return tuple(sorted((Flag(*span, family) for family, span in spans.items()), key=_place))


def _place(flag: Flag) -> tuple[int, int, str]:
    return flag.start, flag.end, flag.family


def flagged(store: Store, sources: Collection[str]) -> tuple[Flagged, ...]:
    """Give the documents of these sources that hold flagged text now, by name and family."""
    if not store.scanned:
        return ()
    d, v, f = schema.documents.c, schema.versions.c, schema.flags.c
    query = (
        sa.select(d.name, f.family, sa.func.count().label("sentences"))
        .select_from(schema.flags)
        .join(schema.versions, v.revision == f.revision)
        .join(schema.documents, (d.id == v.document_id) & (d.version == v.id))
        .where(~d.dead, d.source.in_(list(sources)))
        .group_by(d.name, f.family)
        .order_by(d.name, f.family)
    )
    family = sa.case((v.hidden.is_(None), _LEFT_OUT), else_=HIDDEN)
    unseen = (
        sa.select(d.name, family, v.unseen)
        .join(schema.versions, d.version == v.id)
        .where(~d.dead, d.source.in_(list(sources)), v.unseen > 0)
    )
    with store.read() as connection:
        rows = [*connection.execute(query), *connection.execute(unseen)]
    return tuple(sorted((Flagged(*row) for row in rows), key=lambda one: (one.document, one.family)))
