"""Who may read a document now, and why: for those who answer for it. Everybody else hears "not found".

A document is read by whom the store lets in now AND whom the live generation was built for; deletions and
losses therefore hold at once, and a grant waits for the next generation.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa

from indexes import schema
from indexes.errors import NoGeneration
from indexes.generations import ACL, DOCUMENT, Generations
from indexes.store import Store, read_acls
from ragflow import identity
from ragflow.config import Config
from ragflow.errors import NotFound, map_errors

SCHEMA = "ragflow.access/1"


@dataclass(frozen=True, slots=True)
class Condition:
    """One of the conditions that must all hold, and why it does or does not."""

    name: str
    holds: bool
    because: str


@dataclass(frozen=True, slots=True)
class Explained:
    """Who may read a document, and whether the readers that were asked about may.

    ``now``: its readers in the store. ``live``: those that the live generation was built with; None where
    it does not hold the document. ``origin``: where ``now`` comes from, ``configuration`` or ``item``.
    ``by``: which of the readers let them in, empty where they may not read it.
    """

    document: str
    source: str
    kind: str | None
    origin: str
    configured: tuple[str, ...]
    now: tuple[str, ...]
    live: tuple[str, ...] | None
    generation: str | None
    deleted: bool
    unreadable: str | None
    readers: tuple[str, ...]
    by: tuple[str, ...]
    conditions: tuple[Condition, ...]

    @property
    def may_read(self) -> bool:
        """Whether all conditions hold."""
        return all(one.holds for one in self.conditions)

    @property
    def who(self) -> tuple[str, ...]:
        """Whom both the store and the live generation let in; nobody where another condition fails."""
        others = all(one.holds for one in self.conditions if one.name not in ("now", "live"))
        return tuple(one for one in self.now if one in (self.live or ())) if others else ()

    def to_json(self) -> dict[str, Any]:
        """Return the object ``ragflow.access/1``."""
        return {
            "schema": SCHEMA,
            "document": self.document,
            "source": {
                "name": self.source,
                "type": self.kind,
                "readers": list(self.configured),
                "readers_from": self.origin,
            },
            "now": {
                "readers": list(self.now),
                "deleted": self.deleted,
                "unreadable": self.unreadable,
            },
            "live": {
                "generation": self.generation,
                "readers": None if self.live is None else list(self.live),
            },
            "may_read_now": list(self.who),
            "readers": list(self.readers),
            "may_read": self.may_read,
            "by": list(self.by),
            "conditions": [
                {"condition": one.name, "holds": one.holds, "because": one.because} for one in self.conditions
            ],
        }


@map_errors()
def explain(config: Config, document: str, as_: Sequence[str] = ()) -> Explained:
    """Say who may read a document now, and whether the actor, or ``as_`` with their groups, may.

    Of documents that had the name one after the other, the one that is there counts, else the last.

    Raises:
        NotFound: no document had the name; or the actor is none of those who may be told.
        NoGeneration: nothing was indexed yet.
        ReaderError: one of ``as_`` is not written as a reader.
    """
    asker = identity.asking(config)
    if not asker.admin:
        raise _not_found(document)
    readers = asker.readers
    if as_:
        readers = identity.readers(identity.with_groups(as_, identity.groups(config)))
    path = config.workspace / "store.sqlite"
    if not path.exists():
        raise NoGeneration("nothing has been indexed yet", hint="ragflow index")
    with Store.open(path) as store:
        return explained(document, readers, config=config, store=store)


def explained(document: str, readers: Sequence[str], *, config: Config, store: Store) -> Explained:
    """Return what ``explain`` says, for whoever was let through. Raises ``NotFound``."""
    with store.read() as connection:
        d = schema.documents.c
        query = (
            sa.select(d.id, d.acl, d.dead, d.reason, d.version, d.source)
            .where(d.name == document)
            .order_by(d.dead, d.id.desc())
        )
        row = connection.execute(query).first()
        acls = read_acls(connection)
    if row is None:
        raise _not_found(document)
    now = acls.get(row.acl, frozenset())
    generation, live = _live(Generations(config.workspace), row.id, acls)
    source = config.sources.get(row.source)
    configured = frozenset() if source is None else frozenset(source.readers)
    asked = frozenset(readers)
    by = now & asked & live if live is not None else frozenset()
    return Explained(
        document=document,
        source=row.source,
        kind=None if source is None else source.type,
        origin="configuration" if now == configured else "item",
        configured=tuple(sorted(configured)),
        now=tuple(sorted(now)),
        live=None if live is None else tuple(sorted(live)),
        generation=generation,
        deleted=bool(row.dead),
        unreadable=row.reason,
        readers=tuple(readers),
        by=tuple(sorted(by)),
        conditions=(
            _there(row.source, config.sources),
            Condition(
                "not_deleted", holds=not row.dead, because=_DELETED if row.dead else "it was not deleted"
            ),
            _readable(row.version, row.reason),
            _let_in("now", now, asked, "the store"),
            _let_in(
                "live",
                live,
                asked,
                _LIVE if live is None or live & asked or not now & asked else f"until the next, {_LIVE}",
            ),
        ),
    )


_LIVE = "the live generation"
_DELETED = "it was deleted: nobody finds it, in any generation, whoever read it before"


def _not_found(document: str) -> NotFound:
    """Return what everybody hears of a document that is absent, or not theirs to ask about."""
    return NotFound(f"not found: {document}")


def _live(
    generations: Generations, document_id: int, acls: dict[int, frozenset[str]]
) -> tuple[str | None, frozenset[str] | None]:
    """Return the live generation and the readers that it has for a document; None where it has none."""
    live = generations.live()
    if live is None:
        return None, None
    try:
        alive = generations.alive(generations.manifest(live))
    except NoGeneration:
        return live, None
    at = np.flatnonzero(alive[:, DOCUMENT] == document_id)
    if not len(at):
        return live, None
    return live, acls.get(int(alive[at[-1], ACL]), frozenset())


def _there(source: str, known: Collection[str]) -> Condition:
    there = source in known
    said = "is configured" if there else "is not configured any more: it is not searched"
    return Condition("configured", holds=there, because=f"source {source} {said}")


def _readable(version: int | None, reason: str | None) -> Condition:
    if version is not None:
        return Condition("has_text", holds=True, because="it has text")
    return Condition("has_text", holds=False, because=f"it has no text: {reason or 'it is gone'}")


def _let_in(name: str, who: frozenset[str] | None, asked: frozenset[str], where: str) -> Condition:
    if who is None:
        return Condition(name, holds=False, because=f"{where} does not hold it: run `ragflow index`")
    both = sorted(who & asked)
    if both:
        return Condition(name, holds=True, because=f"{where} lets {', '.join(both)} read it")
    only = f"only {', '.join(sorted(who))}" if who else "nobody"
    return Condition(name, holds=False, because=f"{where} lets {only} read it")
