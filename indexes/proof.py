"""Proof that what was deleted is gone: for every reader, in every kept generation, and in the caches.

Both legs of a search see only the rows of one mask (``View.readable``). So it is that mask which is looked
at, made for one who is every reader at once: what this one cannot read, nobody finds, by words or by vector.
"""

from collections.abc import Collection, Sequence

import numpy as np
import sqlalchemy as sa

from indexes import schema
from indexes.errors import StorageError, StoreDamaged
from indexes.generations import DOCUMENT, VERSION, Generations
from indexes.ingest import Buried
from indexes.store import Access, Store, batches
from indexes.view import View


def prove_deleted(
    store: Store, generations: Generations, buried: Sequence[Buried], cited: Collection[tuple[str, str]]
) -> int:
    """Prove that ``buried``, and all that was deleted before, is found nowhere. Gives how many were buried.

    ``cited``: (document, revision) pairs whose text stays as evidence, and nothing else of them.

    Raises ``StoreDamaged``, naming a document that is not gone and where it still is.
    """
    d = schema.documents.c
    with store.read() as connection:
        names = {row.id: row.name for row in connection.execute(sa.select(d.id, d.name).where(d.dead))}
    names |= {one.id: one.name for one in buried}
    if not names:
        return 0
    access = store.access()
    for one in buried:
        if one.id < len(access.acl_of) and access.acl_of[one.id] >= 0:
            raise _still(one.name, "the store")
    dead = np.array(sorted(names), dtype=np.int64)
    live = generations.live()
    for generation in generations.kept():
        try:
            shown = _shown(generations, generation, dead, access)
        except StorageError:
            if generation == live:
                raise
            continue  # what cannot be opened shows nothing, and cannot be rolled back to
        if shown is not None:
            raise _still(names[shown], f"generation {generation}")
    _prove_erased(store, names, cited)
    return len(buried)


def _shown(generations: Generations, generation: str, dead: np.ndarray, access: Access) -> int | None:
    """Give a dead document of which a generation shows a row to some reader; None when there is none."""
    everyone = frozenset().union(*access.readers.values())
    view = View(generations, generation)
    try:
        for part in view.readable(everyone, None, access).slices:
            versions = np.unique(part.segment.rows.versions[part.mask])
            documents = view.alive[np.isin(view.alive[:, VERSION], versions), DOCUMENT]
            found = np.intersect1d(documents, dead)
            if len(found):
                return int(found[0])
    finally:
        view.close()
    return None


def _prove_erased(store: Store, names: dict[int, str], cited: Collection[tuple[str, str]]) -> None:
    """Prove that no chunk, and no text but evidence, is kept of these documents."""
    v, c, t = schema.versions.c, schema.chunks.c, schema.texts.c
    evidence = {revision for _, revision in cited}
    with store.read() as connection:
        for batch in batches(sorted(names)):
            chunk = (
                sa.select(v.document_id)
                .join(schema.chunks, c.version == v.id)
                .where(v.document_id.in_(batch))
                .limit(1)
            )
            found = connection.scalar(chunk)
            if found is not None:
                raise _still(names[found], "the table of chunks")
            texts = (
                sa.select(v.document_id, v.revision)
                .join(schema.texts, t.revision == v.revision)
                .where(v.document_id.in_(batch), ~_alive_too())
            )
            for row in connection.execute(texts):
                if row.revision not in evidence:
                    raise _still(names[row.document_id], "the table of texts")
        loose = sa.select(schema.embeddings.c.key).where(
            schema.embeddings.c.key.not_in(sa.select(c.embedding))
        )
        if connection.scalar(loose.limit(1)) is not None:
            raise StoreDamaged(
                "the cache of embeddings holds a vector of no chunk: it may be of a deleted document",
                hint="ragflow index --full builds the index again, and clears the cache",
            )


def _alive_too() -> sa.ColumnElement[bool]:
    """Say whether a living document has the same text."""
    other, holder = schema.versions.alias(), schema.documents.alias()
    same = sa.select(other.c.id).join(holder, holder.c.id == other.c.document_id)
    return same.where(other.c.revision == schema.versions.c.revision, ~holder.c.dead).exists()


def _still(name: str, place: str) -> StoreDamaged:
    return StoreDamaged(
        f"{name} was deleted, and {place} still holds it",
        hint=f"erase it with `ragflow sources forget {name}`, then look at it all with `ragflow doctor`",
    )
