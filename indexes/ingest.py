"""What a sync writes into the store: access, tombstones, items, versions. Each call is one transaction.

Whatever changes who may read what (``access``, ``tombstones``) raises the epoch in the same
transaction, so that every open process sees it at its next search.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from connectors.documents import Anchor, Document, Parsed
from connectors.items import Item
from indexes import schema
from indexes.store import Store, batches, pack, read_epoch


@dataclass(frozen=True, slots=True)
class KnownItem:
    """What the store knows of an item. ``unreadable``: nothing could be read of it last time."""

    id: int
    item: str
    fingerprint: str
    raw_digest: str | None
    parsed_by: str
    readers: tuple[str, ...]
    unreadable: bool


@dataclass(frozen=True, slots=True)
class Fetched:
    """An item with what parsing gave, ready to be stored. ``raw_digest`` is the bytes' SHA-256."""

    item: Item
    raw_digest: str | None
    parsed_by: str
    parsed: Parsed


def known_items(store: Store, source: str) -> dict[str, KnownItem]:
    """Give what the store holds of a source, by item id."""
    i, d = schema.items.c, schema.documents.c
    readable = sa.select(d.item_id).where(~d.dead, d.version.is_not(None))
    query = (
        sa.select(
            i.id,
            i.item,
            i.fingerprint,
            i.raw_digest,
            i.parsed_by,
            schema.acls.c.readers,
            i.id.not_in(readable).label("bare"),
        )
        .join(schema.acls, schema.acls.c.id == i.acl)
        .where(i.source == source)
    )
    with store.read() as connection:
        rows = connection.execute(query).all()
    return {
        row.item: KnownItem(
            id=row.id,
            item=row.item,
            fingerprint=row.fingerprint,
            raw_digest=row.raw_digest,
            parsed_by=row.parsed_by,
            readers=tuple(json.loads(row.readers)),
            unreadable=bool(row.bare),
        )
        for row in rows
    }


def known_sources(store: Store) -> set[str]:
    """Give the names of the sources that the store holds items of."""
    with store.read() as connection:
        return set(connection.scalars(sa.select(schema.items.c.source).distinct()))


def set_readers(store: Store, source: str, readers: Mapping[str, tuple[str, ...]]) -> None:
    """Give items other readers, at once: their documents and members follow."""
    if not readers:
        return
    groups: dict[tuple[str, ...], list[str]] = {}
    for item, value in readers.items():
        groups.setdefault(value, []).append(item)
    i, d = schema.items, schema.documents
    with store.write() as connection:
        for value, members in groups.items():
            acl = _acl(connection, value)
            for batch in batches(members):
                where = (i.c.source == source) & i.c.item.in_(batch)
                connection.execute(i.update().where(where).values(acl=acl))
                of_items = d.c.item_id.in_(sa.select(i.c.id).where(where))
                connection.execute(d.update().where(of_items).values(acl=acl))
        _raise_epoch(connection)


def bury(store: Store, source: str, items: Collection[str]) -> list[str]:
    """Delete items: their documents are dead at once and for ever. Gives the documents' names."""
    gone: list[str] = []
    if not items:
        return gone
    with store.write() as connection:
        for batch in batches(sorted(items)):
            where = (schema.items.c.source == source) & schema.items.c.item.in_(batch)
            ids = list(connection.scalars(sa.select(schema.items.c.id).where(where)))
            for some in batches(ids):
                alive = schema.documents.c.item_id.in_(some) & ~schema.documents.c.dead
                gone.extend(connection.scalars(sa.select(schema.documents.c.name).where(alive)))
                connection.execute(schema.documents.update().where(alive).values(dead=True, version=None))
            connection.execute(schema.items.delete().where(where))
        _raise_epoch(connection)
    return gone


def bury_document(store: Store, name: str) -> list[int]:
    """Make one document, and what it contains, dead; forget its item. Gives the dead documents' ids."""
    d = schema.documents.c
    with store.write() as connection:
        # No LIKE: its wildcards may stand in file names.
        member = sa.func.substr(d.name, 1, len(name) + 1) == f"{name}!"
        rows = connection.execute(sa.select(d.id).where((d.name == name) | member)).all()
        ids = [row.id for row in rows]
        for batch in batches(ids):
            connection.execute(
                schema.documents.update().where(d.id.in_(batch)).values(dead=True, version=None)
            )
        item_name = schema.items.c.source + "/" + schema.items.c.item
        connection.execute(schema.items.delete().where(item_name == name))
        _raise_epoch(connection)
    return ids


def same_bytes(store: Store, source: str, items: Iterable[Item]) -> None:
    """Note the new fingerprints of items whose bytes turned out to be the same."""
    with store.write() as connection:
        for item in items:
            where = (schema.items.c.source == source) & (schema.items.c.item == item.id)
            connection.execute(schema.items.update().where(where).values(fingerprint=item.fingerprint))


def store_items(store: Store, source: str, fetched: Sequence[Fetched]) -> None:
    """Store what was fetched and parsed: items, documents, and versions where the content is new."""
    with store.write() as connection:
        died = False
        for one in fetched:
            item_id, acl = _upsert_item(connection, source, one)
            died |= _upsert_documents(connection, source, item_id, acl, one)
        if died:
            _raise_epoch(connection)


def _upsert_item(connection: sa.Connection, source: str, one: Fetched) -> tuple[int, int]:
    acl = _acl(connection, one.item.readers)
    values = {
        "fingerprint": one.item.fingerprint,
        "raw_digest": one.raw_digest,
        "parsed_by": one.parsed_by,
        "acl": acl,
    }
    where = (schema.items.c.source == source) & (schema.items.c.item == one.item.id)
    found = connection.scalar(sa.select(schema.items.c.id).where(where))
    if found is None:
        return _insert(connection, schema.items, {"source": source, "item": one.item.id, **values}), acl
    connection.execute(schema.items.update().where(where).values(**values))
    return int(found), acl


def _upsert_documents(connection: sa.Connection, source: str, item_id: int, acl: int, one: Fetched) -> bool:
    """Store the documents of an item. Gives whether a former member died."""
    d = schema.documents.c
    rows = connection.execute(sa.select(d.id, d.name).where(d.item_id == item_id, ~d.dead)).all()
    before = {row.name: row for row in rows}
    for document in one.parsed.documents:
        name = f"{source}/{document.item}"
        old = before.pop(name, None)
        if old is None:
            row = {"item_id": item_id, "name": name, "source": source, "acl": acl, "dead": False}
            document_id = _insert(connection, schema.documents, row)
        else:
            document_id = old.id
        version = _version(connection, document_id, document, one.raw_digest or "")
        connection.execute(
            schema.documents.update()
            .where(d.id == document_id)
            .values(version=version, reason=None, hint=None, acl=acl)
        )
    for unreadable in one.parsed.unreadable:
        name = f"{source}/{unreadable.item}"
        old = before.pop(name, None)
        values = {"version": None, "reason": unreadable.reason, "hint": unreadable.hint, "acl": acl}
        if old is None:
            connection.execute(
                schema.documents.insert().values(
                    item_id=item_id, name=name, source=source, dead=False, **values
                )
            )
        else:
            connection.execute(schema.documents.update().where(d.id == old.id).values(**values))
    for gone in before.values():
        connection.execute(schema.documents.update().where(d.id == gone.id).values(dead=True, version=None))
    return bool(before)


def _version(connection: sa.Connection, document_id: int, document: Document, raw_digest: str) -> int:
    """Store a content unless the document has, or had, the very same. Gives the version's id."""
    packed = json.dumps(
        [_fields(anchor) for anchor in document.anchors], ensure_ascii=False, separators=(",", ":")
    )
    content = {
        "revision": document.revision,
        "layout": hashlib.sha256(packed.encode()).hexdigest(),
        "title": document.title,
        "link": document.link,
    }
    origin = {"parser": document.parser, "raw_digest": raw_digest}
    v = schema.versions.c
    same = [v[key] == value for key, value in content.items()]
    query = sa.select(v.id).where(v.document_id == document_id, *same).order_by(v.id.desc())
    found = connection.scalar(query.limit(1))
    if found is not None:
        connection.execute(schema.versions.update().where(v.id == found).values(**origin))
        return int(found)
    text = {"revision": content["revision"], "text": pack(document.text), "characters": len(document.text)}
    layout = {"digest": content["layout"], "anchors": pack(packed)}
    connection.execute(schema.texts.insert().prefix_with("OR IGNORE"), text)
    connection.execute(schema.layouts.insert().prefix_with("OR IGNORE"), layout)
    told = {"document_id": document_id, "modified": document.modified, "author": document.author}
    told |= {"unseen": document.dropped or len(document.hidden) or None}
    told |= {"hidden": json.dumps(document.hidden) if document.hidden else None}
    return _insert(connection, schema.versions, {**told, **content, **origin})


def _fields(anchor: Anchor) -> tuple[str, str, int, int]:
    return anchor.kind, anchor.label, anchor.start, anchor.end


def _acl(connection: sa.Connection, readers: tuple[str, ...]) -> int:
    value = json.dumps(sorted(set(readers)))
    found = connection.scalar(sa.select(schema.acls.c.id).where(schema.acls.c.readers == value))
    if found is not None:
        return int(found)
    return _insert(connection, schema.acls, {"readers": value})


def _insert(connection: sa.Connection, table: sa.Table, values: Mapping[str, object]) -> int:
    """Add a row and give its id."""
    added = connection.execute(table.insert().values(**values).returning(table.c.id))
    return int(added.scalar_one())


def _raise_epoch(connection: sa.Connection) -> None:
    where = schema.meta.c.key == "epoch"
    connection.execute(schema.meta.update().where(where).values(value=str(read_epoch(connection) + 1)))


def problems(store: Store) -> list[str]:
    """Give what is wrong inside the store, in words: damaged pages, contents that are not there."""
    d, v, t = schema.documents.c, schema.versions.c, schema.texts.c
    with store.read() as connection:
        found = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA quick_check(5)") if row[0] != "ok"]
        lost = sa.select(sa.func.count()).where(
            ~d.dead, d.version.is_not(None), d.version.not_in(sa.select(v.id))
        )
        bare = sa.select(sa.func.count()).where(v.revision.not_in(sa.select(t.revision)))
        for query, words in (
            (lost, "documents have lost their content"),
            (bare, "versions have lost their text"),
        ):
            count = connection.scalar(query)
            if count:
                found.append(f"{count} {words}")
    return found
