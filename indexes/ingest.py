"""What a sync writes into the store: access, tombstones, items, versions. Each call is one transaction.

Whatever changes who may read what (``access``, ``tombstones``) raises the epoch in the same
transaction, so that every open process sees it at its next search.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from connectors.documents import Anchor, Document, Parsed, Unreadable
from connectors.items import Item
from indexes import failures, schema
from indexes.store import Store, batches, parse_readers, read_epoch
from indexes.versions import pack

UNSETTLED = ""
"""The fingerprint of an item that could not be had last time. No source gives it, so it is tried again."""


@dataclass(frozen=True, slots=True)
class KnownItem:
    """What the store knows of an item. ``unreadable``: nothing of it can be read, then or now."""

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


@dataclass(frozen=True, slots=True)
class Buried:
    """A document that was made dead. Its id is never given to another one."""

    id: int
    name: str


def known_items(store: Store, source: str) -> Iterator[KnownItem]:
    """Give what the store holds of a source, one by one, in any order."""
    i, d = schema.items.c, schema.documents.c
    readable = sa.select(d.item_id).where(~d.dead, d.version.is_not(None), d.source == source)
    query = (
        sa.select(
            i.id,
            i.item,
            i.fingerprint,
            i.raw_digest,
            i.parsed_by,
            i.acl,
            schema.acls.c.readers,
            i.id.not_in(readable).label("bare"),
        )
        .outerjoin(schema.acls, schema.acls.c.id == i.acl)  # without one: nobody reads it, but it is known
        .where(i.source == source)
    )
    decoded: dict[int, tuple[str, ...]] = {}
    with store.read() as connection:
        for number, item, fingerprint, digest, parsed_by, acl, packed, bare in connection.execute(query):
            if acl not in decoded:
                decoded[acl] = parse_readers(packed)
            yield KnownItem(number, item, fingerprint, digest, parsed_by, decoded[acl], bool(bare))


def known_sources(store: Store) -> set[str]:
    """Give the names of the sources that the store holds items of."""
    with store.read() as connection:
        return set(connection.scalars(sa.select(schema.items.c.source).distinct()))


def item_ids(store: Store, source: str) -> list[str]:
    """Give the ids of the items that the store holds of a source."""
    with store.read() as connection:
        where = schema.items.c.source == source
        return list(connection.scalars(sa.select(schema.items.c.item).where(where)))


def narrow(store: Store, source: str, admits: Callable[[tuple[str, ...]], tuple[str, ...]]) -> None:
    """Take from every item of a source the readers that ``admits`` leaves out, at once."""
    i, d, a = schema.items, schema.documents, schema.acls.c
    used = sa.select(i.c.acl).where(i.c.source == source).distinct()
    with store.write() as connection:
        rows = connection.execute(sa.select(a.id, a.readers).where(a.id.in_(used))).all()
        narrowed = False
        for number, packed in rows:
            readers = parse_readers(packed)
            admitted = admits(readers)
            if admitted == readers:
                continue
            narrowed, acl = True, _acl(connection, admitted)
            of_items = d.c.item_id.in_(sa.select(i.c.id).where(i.c.source == source, i.c.acl == number))
            connection.execute(d.update().where(of_items).values(acl=acl))
            connection.execute(i.update().where(i.c.source == source, i.c.acl == number).values(acl=acl))
        if narrowed:
            _raise_epoch(connection)


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


def bury(store: Store, source: str, items: Collection[str]) -> list[Buried]:
    """Delete items: their documents are dead at once and for ever. Gives those documents."""
    gone: list[Buried] = []
    if not items:
        return gone
    d = schema.documents
    with store.write() as connection:
        for batch in batches(sorted(items)):
            where = (schema.items.c.source == source) & schema.items.c.item.in_(batch)
            ids = list(connection.scalars(sa.select(schema.items.c.id).where(where)))
            for some in batches(ids):
                alive = d.c.item_id.in_(some) & ~d.c.dead
                found = connection.execute(sa.select(d.c.id, d.c.name).where(alive))
                gone.extend(Buried(row.id, row.name) for row in found)
                connection.execute(d.update().where(alive).values(dead=True, version=None))
            connection.execute(schema.items.delete().where(where))
            for item in failures.noted(connection, source).intersection(batch):
                failures.clear(connection, source, item)
        _raise_epoch(connection)
    return gone


def itself_or_member(name: str) -> sa.ColumnElement[bool]:
    """Say which documents are this one or in it."""
    named = schema.documents.c.name
    # No LIKE: its wildcards may stand in file names.
    return (named == name) | (sa.func.substr(named, 1, len(name) + 1) == f"{name}!")


def bury_document(store: Store, name: str) -> list[int]:
    """Make one document, and what it contains, dead; forget its item. Gives the dead documents' ids."""
    d = schema.documents.c
    with store.write() as connection:
        rows = connection.execute(sa.select(d.id).where(itself_or_member(name))).all()
        ids = [row.id for row in rows]
        for batch in batches(ids):
            connection.execute(
                schema.documents.update().where(d.id.in_(batch)).values(dead=True, version=None)
            )
        source, _, item = name.partition("/")
        where = (schema.items.c.source == source) & (schema.items.c.item == item)
        connection.execute(schema.items.delete().where(where))
        failures.clear(connection, source, item)
        _raise_epoch(connection)
    return ids


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of items that need no parsing, to be noted together.

    ``same``: their bytes turned out to be the same. ``kept``: they could not be had this time; what is
    stored of them stays, and the next sync tries again.
    """

    same: Sequence[Item] = ()
    kept: Sequence[Unreadable] = ()


def store_items(store: Store, source: str, fetched: Sequence[Fetched], seen: Seen) -> None:
    """Store what was fetched and parsed: items, documents, and versions where the content is new."""
    now = failures.now()
    with store.write() as connection:
        died, noted = False, failures.noted(connection, source)
        for one in fetched:
            item_id, acl = _upsert_item(connection, source, one)
            died |= _upsert_documents(connection, source, item_id, acl, one)
            if one.parsed.unreadable or one.item.id in noted:
                failures.settle(connection, source, one.item.id, one.parsed.unreadable, now)
        for item in seen.same:
            _mark(connection, source, item.id, item.fingerprint)
            if item.id in noted:
                failures.clear_passing(connection, source, item.id)
        for failed in seen.kept:
            _mark(connection, source, failed.item, UNSETTLED)
            failures.note(connection, source, failed, now)
        if died:
            _raise_epoch(connection)


def _mark(connection: sa.Connection, source: str, item: str, fingerprint: str) -> None:
    connection.execute(_SET_ITEM, {"of_source": source, "of_item": item, "fingerprint": fingerprint})


def _upsert_item(connection: sa.Connection, source: str, one: Fetched) -> tuple[int, int]:
    acl = _acl(connection, one.item.readers)
    values = {
        "fingerprint": one.item.fingerprint,
        "raw_digest": one.raw_digest,
        "parsed_by": one.parsed_by,
        "acl": acl,
    }
    key = {"of_source": source, "of_item": one.item.id}
    found = connection.scalar(_ITEM, key)
    if found is None:
        return _insert(connection, schema.items, {"source": source, "item": one.item.id, **values}), acl
    connection.execute(_SET_ITEM, {**key, **values})
    return int(found), acl


def _upsert_documents(connection: sa.Connection, source: str, item_id: int, acl: int, one: Fetched) -> bool:
    """Store the documents of an item. Gives whether a former member died."""
    before = {row.name: row for row in connection.execute(_DOCUMENTS, {"of_item": item_id})}
    for document in one.parsed.documents:
        name = f"{source}/{document.item}"
        old = before.pop(name, None)
        if old is None:
            row = {"item_id": item_id, "name": name, "source": source, "acl": acl, "dead": False}
            document_id = _insert(connection, schema.documents, row)
        else:
            document_id = old.id
        version = _version(connection, document_id, document, one.raw_digest or "")
        read = {"version": version, "reason": None, "hint": None, "acl": acl}
        connection.execute(_SET_DOCUMENT, {"of_id": document_id, **read})
    for unreadable in one.parsed.unreadable:
        name = f"{source}/{unreadable.item}"
        old = before.pop(name, None)
        values = {"version": None, "reason": unreadable.reason, "hint": unreadable.hint, "acl": acl}
        if old is None:
            row = {"item_id": item_id, "name": name, "source": source, "dead": False, **values}
            _insert(connection, schema.documents, row)
        else:
            connection.execute(_SET_DOCUMENT, {"of_id": old.id, **values})
    for gone in before.values():
        connection.execute(_SET_DOCUMENT, {"of_id": gone.id, "dead": True, "version": None})
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
    lines = pack(json.dumps(document.lines, separators=(",", ":"))) if document.lines else None
    # Of the same content too, the source and the parser may tell something else than before.
    origin: dict[str, object] = {
        "parser": document.parser,
        "raw_digest": raw_digest,
        "modified": document.modified,
        "author": document.author,
        "lines": lines,
        "unseen": document.dropped or len(document.hidden) or None,
        "hidden": json.dumps(document.hidden) if document.hidden else None,
    }
    found = connection.scalar(_SAME_VERSION, {"of_document": document_id, **content})
    if found is not None:
        connection.execute(_SET_VERSION, {"of_id": found, **origin})
        return int(found)
    text = {"revision": content["revision"], "text": pack(document.text), "characters": len(document.text)}
    layout = {"digest": content["layout"], "anchors": pack(packed)}
    connection.execute(_ADD_TEXT, text)
    connection.execute(_ADD_LAYOUT, layout)
    return _insert(connection, schema.versions, {"document_id": document_id} | content | origin)


def _fields(anchor: Anchor) -> tuple[str, str, int, int]:
    return anchor.kind, anchor.label, anchor.start, anchor.end


def _acl(connection: sa.Connection, readers: tuple[str, ...]) -> int:
    value = json.dumps(sorted(set(readers)))
    found = connection.scalar(_ACL, {"of_readers": value})
    if found is not None:
        return int(found)
    return _insert(connection, schema.acls, {"readers": value})


def _insert(connection: sa.Connection, table: sa.Table, values: Mapping[str, object]) -> int:
    """Add a row and give its id."""
    return int(connection.execute(_ADD[table.name], values).scalar_one())


# What is said for every item, put together once: to build a statement takes longer than to run it.
_OF_ITEM = (schema.items.c.source == sa.bindparam("of_source")) & (
    schema.items.c.item == sa.bindparam("of_item")
)
_ITEM = sa.select(schema.items.c.id).where(_OF_ITEM)
_SET_ITEM = schema.items.update().where(_OF_ITEM)
_DOCUMENTS = sa.select(schema.documents.c.id, schema.documents.c.name).where(
    schema.documents.c.item_id == sa.bindparam("of_item"), ~schema.documents.c.dead
)
_SET_DOCUMENT = schema.documents.update().where(schema.documents.c.id == sa.bindparam("of_id"))
_SAME_VERSION = (
    sa.select(schema.versions.c.id)
    .where(schema.versions.c.document_id == sa.bindparam("of_document"))
    .where(
        *(
            schema.versions.c[key].is_not_distinct_from(sa.bindparam(key))
            for key in ("revision", "layout", "title", "link")
        )
    )
    .order_by(schema.versions.c.id.desc())
    .limit(1)
)
_SET_VERSION = schema.versions.update().where(schema.versions.c.id == sa.bindparam("of_id"))
_ADD_TEXT = schema.texts.insert().prefix_with("OR IGNORE")
_ADD_LAYOUT = schema.layouts.insert().prefix_with("OR IGNORE")
_ACL = sa.select(schema.acls.c.id).where(schema.acls.c.readers == sa.bindparam("of_readers"))
_ADD = {
    table.name: table.insert().returning(table.c.id)
    for table in (schema.items, schema.documents, schema.versions, schema.acls)
}


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
        living = sa.select(d.id).where(~d.dead)  # of deleted ones the text is erased before the version
        bare = sa.select(sa.func.count()).where(
            v.revision.not_in(sa.select(t.revision)), v.document_id.in_(living)
        )
        for query, words in (
            (lost, "documents have lost their content"),
            (bare, "versions have lost their text"),
        ):
            count = connection.scalar(query)
            if count:
                found.append(f"{count} {words}")
    return found
