"""Collection: store rows that no kept generation, no living document and no retained run reaches."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from indexes import caching, schema
from indexes.generations import VERSION, Generations
from indexes.store import Store, batches


def collect(
    store: Store,
    generations: Generations,
    *,
    keep: int,
    cited: Collection[tuple[str, str]],
    spare: str | None = None,
) -> list[str]:
    """Remove what is beyond the newest ``keep`` generations, then the store rows that nothing reaches.

    Gives the removed generations. One that a process holds stays until a later collection; so does
    ``spare``, the one that a gate holds.
    """
    removed = [one for one in _hollow(store, generations) if generations.remove(one)]
    removed += generations.collect(keep, spare=spare)
    collect_rows(store, generations, cited)
    store.checkpoint()
    return removed


def _hollow(store: Store, generations: Generations) -> list[str]:
    """Give the generations, but for the live one, that name a version whose text was erased."""
    with store.read() as connection:
        stored = _ids(connection, sa.select(schema.versions.c.id))
    live = generations.live()
    others = [one for one in generations.kept() if one != live]
    return [
        one
        for one in others
        if len(_without(generations.alive(generations.manifest(one))[:, VERSION], stored))
    ]


def collect_rows(store: Store, generations: Generations, cited: Collection[tuple[str, str]]) -> int:
    """Remove unreachable versions with their texts, chunks and embeddings. Gives how many versions.

    ``cited`` holds (document, revision) pairs that retained runs show as evidence: their texts stay.
    """
    manifests = [generations.manifest(one) for one in generations.kept()]
    listed = [generations.alive(one)[:, VERSION] for one in manifests]
    models = {one.id: (one.embedder, one.chunker) for one in manifests}
    v, d = schema.versions.c, schema.documents.c
    wanted = set(cited)
    with store.write() as connection:
        current = _ids(connection, sa.select(d.version).where(d.version.is_not(None)))
        kept = np.unique(np.concatenate([*listed, current]))
        named = sa.select(v.id, d.name, v.revision).join(schema.documents, d.id == v.document_id)
        lost = [
            row.id
            for batch in batches(_without(_ids(connection, sa.select(v.id)), kept).tolist())
            for row in connection.execute(named.where(v.id.in_(batch)))
            if (row.name, row.revision) not in wanted
        ]
        for batch in batches(lost):
            connection.execute(schema.chunks.delete().where(schema.chunks.c.version.in_(batch)))
            connection.execute(schema.versions.delete().where(v.id.in_(batch)))
        # Evidence needs its text only: vectors of what is in no generation go at once.
        loose = _without(_ids(connection, sa.select(schema.chunks.c.version).distinct()), kept).tolist()
        for batch in batches(loose):
            connection.execute(schema.chunks.delete().where(schema.chunks.c.version.in_(batch)))
        live = generations.live()
        if live in models:
            caching.end(connection, models[live])
        caching.prune(connection, {*models.values(), *caching.begun(connection)})
        sweep_unreferenced(connection)
    return len(lost)


def _ids(connection: sa.Connection, query: sa.Select[Any]) -> NDArray[np.int64]:
    """Read one column of different numbers."""
    return np.fromiter(connection.scalars(query), dtype=np.int64)


def _without(ids: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return those of different numbers that are not among others, which are different too."""
    return np.setdiff1d(ids, others, assume_unique=True)


def sweep_unreferenced(connection: sa.Connection) -> None:
    """Remove texts, flags, layouts and embeddings that nothing names, and bare dead documents."""
    v, d = schema.versions.c, schema.documents.c
    embeddings, texts, layouts = schema.embeddings, schema.texts, schema.layouts
    connection.execute(
        embeddings.delete().where(embeddings.c.key.not_in(sa.select(schema.chunks.c.embedding)))
    )
    connection.execute(texts.delete().where(texts.c.revision.not_in(sa.select(v.revision))))
    for table in (schema.flags, schema.scans):
        connection.execute(table.delete().where(table.c.revision.not_in(sa.select(texts.c.revision))))
    connection.execute(layouts.delete().where(layouts.c.digest.not_in(sa.select(v.layout))))
    connection.execute(schema.documents.delete().where(d.dead & d.id.not_in(sa.select(v.document_id))))


def erase_dead(store: Store, cited: Collection[tuple[str, str]]) -> int:
    """Erase the chunks, vectors and texts of deleted documents that a kept generation still lists.

    Nobody is shown them, in any generation, so nothing needs them but evidence: ``cited`` texts stay. Gives
    how many versions had something left.
    """
    d, v = schema.documents.c, schema.versions.c
    query = sa.select(v.id, d.name, v.revision, v.layout).join(schema.documents, d.id == v.document_id)
    wanted = set(cited)
    with store.read() as connection:
        rows = connection.execute(query.where(d.dead)).all()
    if not rows:
        return 0
    spare = {(row.revision, row.layout) for row in rows if (row.name, row.revision) in wanted}
    with store.write() as connection:
        erased = _erase_chunks(connection, [row.id for row in rows])
        for table, column, kept in (
            (schema.texts, v.revision, {revision for revision, _ in spare}),
            (schema.layouts, v.layout, {layout for _, layout in spare}),
        ):
            keys = {getattr(row, column.name) for row in rows} - kept
            erased += _erase_contents(connection, table, column, sorted(keys))
    return erased


def _erase_chunks(connection: sa.Connection, versions: Sequence[int]) -> int:
    """Remove the chunks of these versions, and the vectors that only they had."""
    c, e = schema.chunks.c, schema.embeddings.c
    erased = 0
    for batch in batches(versions):
        keys = connection.scalars(sa.select(c.embedding).where(c.version.in_(batch)).distinct()).all()
        erased += connection.execute(schema.chunks.delete().where(c.version.in_(batch))).rowcount
        for some in batches(keys):
            used = sa.select(c.embedding).where(c.embedding.in_(some))
            connection.execute(schema.embeddings.delete().where(e.key.in_(some), e.key.not_in(used)))
    return erased


def _erase_contents(
    connection: sa.Connection, table: sa.Table, column: sa.Column[Any], keys: Sequence[str]
) -> int:
    """Remove texts or layouts that no living document has, with what was found in them."""
    d, v = schema.documents.c, schema.versions.c
    [key] = table.primary_key.columns
    erased = 0
    for batch in batches(keys):
        living = (
            sa.select(column).join(schema.documents, d.id == v.document_id).where(~d.dead, column.in_(batch))
        )
        gone = (key.in_(batch)) & key.not_in(living)
        erased += connection.execute(table.delete().where(gone)).rowcount
        if table is schema.texts:
            for found in (schema.flags, schema.scans):
                revision = found.c.revision
                connection.execute(found.delete().where(revision.in_(batch), revision.not_in(living)))
    return erased
