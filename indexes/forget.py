"""Erase one document from store, cache and index files at once, leaving nothing to roll back to."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from indexes import ingest, schema
from indexes.build import Target, compact, describe
from indexes.collect import collect, sweep_unreferenced
from indexes.generations import VERSION, Generations, Manifest, SegmentRef, state_digest
from indexes.migration import drop_copy
from indexes.report import Publisher
from indexes.segments import open_segment
from indexes.store import Store, batches


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was erased. ``held``: generations that an open process still maps; they go when it ends."""

    documents: int
    versions: int
    generation: str | None
    held: tuple[str, ...]


def forget(
    store: Store,
    generations: Generations,
    name: str,
    *,
    cited: Collection[tuple[str, str]],
    publisher: Publisher | None = None,
) -> Forgotten:
    """Erase a document and its members. The caller holds the write lock; runs are erased by their store.

    ``cited``: evidence of other documents that stays.

    The live generation is rewritten without its rows and promoted; others that name it are removed.
    Its source may list it again: then the next sync reads it anew. With ``publisher`` the server forgets
    first: where that fails, nothing is erased here and the same command is run again.
    """
    if publisher is not None:
        publisher.erase(_versions(store, name))
    ids = ingest.bury_document(store, name)
    erased = _erase(store, ids)
    drop_copy(store.path)
    live_id = generations.live()
    if live_id is None or not ids:
        return Forgotten(len(ids), len(erased), live_id, ())
    live = generations.manifest(live_id)
    alive = np.array(generations.alive(live))
    alive = alive[~np.isin(alive[:, VERSION], erased)]
    models = (live.embedder, live.chunker, live.analyser)
    goal = Target(live.sources, alive, state_digest(models, live.sources, alive))
    kept = list(_rewritten(generations, live, erased))
    described = describe(goal, live, models, kept, _count(generations, kept, alive))
    described = replace(described, parsing=live.parsing, settings=live.settings, dimensions=live.dimensions)
    manifest = generations.write(described, alive)
    generations.verify(manifest)
    if publisher is not None:
        publisher.push(manifest, lambda *_: None)
        publisher.switch(manifest)
    generations.promote(manifest.id)
    collect(store, generations, keep=len(generations.kept()), cited=cited)
    if publisher is not None:
        publisher.keep(generations.kept())
    held = tuple(one for one in generations.kept() if one != manifest.id and _names(generations, one, erased))
    return Forgotten(len(ids), len(erased), manifest.id, held)


def _versions(store: Store, name: str) -> list[int]:
    """Return the versions of a document and of its members."""
    v, d = schema.versions.c, schema.documents.c
    query = sa.select(v.id).join(schema.documents, d.id == v.document_id)
    with store.read() as connection:
        return list(connection.scalars(query.where(ingest.itself_or_member(name))))


def _rewritten(generations: Generations, live: Manifest, erased: list[int]) -> Iterator[SegmentRef]:
    """Give the live segments, those that hold a row of these versions written anew without it."""
    for one in live.segments:
        segment = open_segment(generations.segments / one.id)
        gone = np.isin(segment.rows.versions, erased)
        if not gone.any():
            yield one
        elif not gone.all():
            yield compact(generations, [(segment, ~gone)])


def _count(generations: Generations, kept: list[SegmentRef], alive: NDArray[np.int64]) -> int:
    rows = [open_segment(generations.segments / one.id).rows.versions for one in kept]
    return sum(int(np.isin(versions, alive[:, VERSION]).sum()) for versions in rows)


def _names(generations: Generations, generation: str, erased: list[int]) -> bool:
    found = generations.alive(generations.manifest(generation))[:, VERSION]
    return bool(np.isin(found, erased).any())


def _erase(store: Store, ids: list[int]) -> list[int]:
    """Remove all versions of these documents, and what only they reached. Gives the versions' ids."""
    v = schema.versions.c
    erased: list[int] = []
    with store.write() as connection:
        for batch in batches(ids):
            erased += connection.scalars(sa.select(v.id).where(v.document_id.in_(batch))).all()
        for batch in batches(erased):
            connection.execute(schema.chunks.delete().where(schema.chunks.c.version.in_(batch)))
            connection.execute(schema.versions.delete().where(v.id.in_(batch)))
        sweep_unreferenced(connection)
    return erased
