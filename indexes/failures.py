"""Dead letters: items that could not be fetched or read, why, since when, and how often it was tried.

An item has one line here, and each unreadable member of it one of its own (``item!/member``). A line goes
when the item is read, or when its source does not list it any more.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from connectors.documents import Unreadable
from indexes import schema
from indexes.store import Store

PASSING = frozenset({"vanished", "unreachable", "denied"})
"""Reasons that lie between us and the source, not in the bytes: what was indexed stays."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A dead letter. ``item`` may be a member; ``tries`` in a row, the first at ``first`` (ISO 8601, UTC)."""

    source: str
    item: str
    reason: str
    hint: str
    tries: int
    first: str
    last: str

    @property
    def document(self) -> str:
        """The document's name."""
        return f"{self.source}/{self.item}"


def now() -> str:
    """Return the time as failures are noted; it decides nothing."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def noted(connection: sa.Connection, source: str) -> set[str]:
    """Give the items of a source that have a failure, or a member that has one."""
    found: set[str] = set()
    f = schema.failures.c
    for name in connection.scalars(sa.select(f.item).where(f.source == source)):
        parts = name.split("!/")
        found.update("!/".join(parts[:count]) for count in range(1, len(parts) + 1))
    return found


def settle(
    connection: sa.Connection, source: str, item: str, found: Collection[Unreadable], when: str
) -> None:
    """Make these the failures of an item that was fetched and parsed, members included; none clears it."""
    f = schema.failures
    known = connection.execute(sa.select(f.c.item, f.c.tries, f.c.first).where(_of(source, item))).all()
    if known:
        connection.execute(f.delete().where(_of(source, item)))
    before = {row.item: (row.tries, row.first) for row in known}
    # A container may hold two members of one name.
    for one in {each.item: each for each in found}.values():
        tries, first = before.get(one.item, (0, when))
        _insert(connection, Failure(source, one.item, one.reason, one.hint, tries + 1, first, when))


def note(connection: sa.Connection, source: str, failed: Unreadable, when: str) -> None:
    """Note that an item could not be had; what is noted of its members stays."""
    f = schema.failures
    where = (f.c.source == source) & (f.c.item == failed.item)
    known = connection.execute(sa.select(f.c.tries, f.c.first).where(where)).first()
    connection.execute(f.delete().where(where))
    tries, first = (0, when) if known is None else (known.tries, known.first)
    _insert(connection, Failure(source, failed.item, failed.reason, failed.hint, tries + 1, first, when))


def clear(connection: sa.Connection, source: str, item: str) -> None:
    """Forget the failures of an item and its members."""
    connection.execute(schema.failures.delete().where(_of(source, item)))


def clear_passing(connection: sa.Connection, source: str, item: str) -> None:
    """Forget that an item could not be had: it was, with the same bytes as before."""
    f = schema.failures.c
    where = (f.source == source) & (f.item == item) & f.reason.in_(sorted(PASSING))
    connection.execute(schema.failures.delete().where(where))


def failures(store: Store, sources: Iterable[str] | None = None) -> list[Failure]:
    """Give all failures, or those of some sources, by document."""
    f = schema.failures
    query = sa.select(f).order_by(f.c.source, f.c.item)
    if sources is not None:
        query = query.where(f.c.source.in_(list(sources)))
    with store.read() as connection:
        return [Failure(**row) for row in connection.execute(query).mappings()]


def unreadable(store: Store, sources: Iterable[str]) -> list[tuple[str, Unreadable]]:
    """Give (source, document with the reason) of all that cannot be read or could not be had, by document.

    That is the failures, and what an older program left unread without noting one.
    """
    names, d = list(sources), schema.documents.c
    query = sa.select(d.source, d.name, d.reason, d.hint).where(
        ~d.dead, d.reason.is_not(None), d.source.in_(names)
    )
    with store.read() as connection:
        rows = connection.execute(query).all()
    found = {row.name: (row.source, Unreadable(row.name, row.reason, row.hint or "")) for row in rows}
    for one in failures(store, names):
        found[one.document] = (one.source, Unreadable(one.document, one.reason, one.hint))
    return [found[name] for name in sorted(found)]


def items_of(store: Store, found: Iterable[Failure]) -> dict[str, set[str]]:
    """Give by source the items to fetch again for these failures: of a member, the item that holds it."""
    i, d = schema.items.c, schema.documents.c
    wanted: dict[str, set[str]] = {}
    with store.read() as connection:
        for one in found:
            itself = sa.select(i.item).where(i.source == one.source, i.item == one.item)
            holder = (
                sa.select(i.item)
                .join(schema.documents, d.item_id == i.id)
                .where(d.name == one.document, ~d.dead)
            )
            item = connection.scalar(itself) or connection.scalar(holder)
            if item is not None:
                wanted.setdefault(one.source, set()).add(item)
    return wanted


def _of(source: str, item: str) -> sa.ColumnElement[bool]:
    f = schema.failures.c
    # Members by their range, not by LIKE: wildcards may stand in names. "0" is what follows "/".
    members = (f.item > f"{item}!/") & (f.item < f"{item}!0")
    return (f.source == source) & ((f.item == item) | members)


def _insert(connection: sa.Connection, one: Failure) -> None:
    connection.execute(
        schema.failures.insert().values(
            source=one.source,
            item=one.item,
            reason=one.reason,
            hint=one.hint,
            tries=one.tries,
            first=one.first,
            last=one.last,
        )
    )
