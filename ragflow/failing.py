"""Documents that could not be read: as far as an asker may know of them, and read again."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import sqlalchemy as sa

from indexes import schema
from indexes.failures import Failure, failures
from indexes.index import EmbeddedIndex
from indexes.report import Progress, Watch
from indexes.store import Store
from ragflow import identity
from ragflow.config import Config
from ragflow.errors import NotFound, map_errors
from ragflow.identity import Asker
from ragflow.indexing import Wanted
from ragflow.reports import IndexReport


class Failing:
    """The failures of one workspace. Only ``RagflowError`` and its children leave its methods."""

    def __init__(
        self,
        config: Config,
        *,
        store: Callable[[], Store],
        index: Callable[[], EmbeddedIndex],
        run: Callable[[Wanted, float, Watch], IndexReport],
    ) -> None:
        self._config = config
        self._store = store
        self._index = index
        self._run = run

    @map_errors()
    def list(self, readers: Sequence[str], source: str | None = None) -> list[Failure]:
        """Give what could not be read, of the documents that these readers may know of, by document.

        Raises ``UnknownSource``, also for one in which they can read nothing; ``NoGeneration``.
        """
        who = frozenset(identity.readers(readers))
        readable = self._index().readable(who).sources
        # A source that is hidden from the asker, or configured no more, is unknown.
        chosen = self._config.choose([source] if source else None, readable=readable)
        return known_to(self._store(), who, set(chosen).intersection(readable))

    @map_errors()
    def retry(
        self,
        documents: Sequence[str],
        sources: Sequence[str] | None,
        asker: Asker,
        *,
        wait: float = 0.0,
        progress: Callable[[Progress], None] = lambda _: None,
    ) -> IndexReport:
        """Read again what failed: these documents, or all; of all sources, or the named ones.

        Raises as ``App.index``; ``NotFound`` for a document that did not fail, or that the asker may not
        know of.
        """
        if documents:
            known = {one.document for one in self.list(asker.readers)}
            for absent in sorted(set(documents) - known):
                raise NotFound(f"not found among what failed: {absent}", hint="ragflow sources failures")
        wanted = Wanted(self._config.choose(sources), again=tuple(documents))
        return self._run(wanted, wait, Watch(progress))


def known_to(store: Store, readers: frozenset[str], sources: Collection[str]) -> list[Failure]:
    """Give the failures of documents that are open to one of the readers now, by document.

    ``sources``: those in which the readers can read anything; the others are not there for them.
    """
    access = store.access()
    found = failures(store, sources)
    acls = _acls(store, sources) if found else {}
    return [
        one
        for one in found
        if not access.readers.get(acls.get(one.document, -1), frozenset()).isdisjoint(readers)
    ]


def _acls(store: Store, sources: Collection[str]) -> dict[str, int]:
    """Give the present ACL of each document that failed; of one without a row of its own, its item's."""
    f, i, d = schema.failures.c, schema.items.c, schema.documents.c
    name = f.source + "/" + f.item
    of_items = sa.select(name, i.acl).join(schema.items, (i.source == f.source) & (i.item == f.item))
    of_documents = sa.select(name, d.acl).join(schema.documents, (d.name == name) & ~d.dead)
    with store.read() as connection:
        return {
            row[0]: row[1]
            for query in (of_items, of_documents)
            for row in connection.execute(query.where(f.source.in_(list(sources))))
        }


def to_json(one: Failure) -> dict[str, Any]:
    """Return the object ``ragflow.failure/1``; ``since`` is when it failed first, ``last`` when last."""
    return {
        "schema": "ragflow.failure/1",
        "document": one.document,
        "reason": one.reason,
        "hint": one.hint,
        "tries": one.tries,
        "since": one.first,
        "last": one.last,
    }
