"""The cache of embeddings: what a model made of a string is computed once, and outlives a kill.

A vector is kept under the digest of the model's key and the exact string. Beside it stands the chunk that it
was made for, so that it goes with the document; and the model and chunking, so that it goes when no
generation needs them. What was begun with another model than the live generation's is kept too, however many
syncs of the old configuration come between: the last such beginning, until it is live.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from indexes import schema
from indexes.store import Store, batches

_BEGUN = "reembedding"

Pair = tuple[str, str]
"""(key of the embedder, key of the chunking)"""


@dataclass(frozen=True, slots=True)
class Cut:
    """A chunk of a version, and the key of its vector."""

    version: int
    start: int
    end: int
    key: bytes


def cache_key(embedder_key: str, text: str) -> bytes:
    """Return the 32 bytes that a string's vector is kept under."""
    return hashlib.sha256(embedder_key.encode() + b"\0" + text.encode()).digest()


def cached(store: Store, keys: Sequence[bytes], dimensions: int) -> dict[bytes, NDArray[np.float32]]:
    """Give the vectors that are kept. One of another width is not what this model makes: it is none.

    ``dimensions`` 0: not known, and any width will do.
    """
    e = schema.embeddings.c
    found: dict[bytes, NDArray[np.float32]] = {}
    with store.read() as connection:
        for batch in batches(list(dict.fromkeys(keys))):
            for row in connection.execute(sa.select(e.key, e.vector).where(e.key.in_(batch))):
                if len(row.vector) == 4 * dimensions or not dimensions:
                    found[row.key] = np.frombuffer(row.vector, dtype="<f4")
    return found


def keep(store: Store, pair: Pair, chunks: Sequence[Cut], fresh: Mapping[bytes, NDArray[np.float32]]) -> None:
    """Keep new vectors and the chunks that use them or older ones, in one transaction."""
    embedder, chunker = pair
    with store.write() as connection:
        if fresh:
            connection.execute(
                schema.embeddings.insert().prefix_with("OR REPLACE"),
                [{"key": key, "vector": vector.astype("<f4").tobytes()} for key, vector in fresh.items()],
            )
        connection.execute(
            schema.chunks.insert().prefix_with("OR REPLACE"),
            [
                {
                    "version": one.version,
                    "chunker": chunker,
                    "start": one.start,
                    "end": one.end,
                    "embedding": one.key,
                    "embedder": embedder,
                }
                for one in chunks
            ],
        )


def begin(store: Store, pair: Pair) -> None:
    """Remember that another model or chunking than the live one's is under way."""
    store.remember(_BEGUN, json.dumps(pair))


def begun(connection: sa.Connection) -> set[Pair]:
    """Read what is under way: at most one."""
    found = connection.scalar(sa.select(schema.meta.c.value).where(schema.meta.c.key == _BEGUN))
    return set() if found is None else {tuple(json.loads(found))}


def end(connection: sa.Connection, live: Pair) -> None:
    """Forget what was under way once it is live."""
    if live in begun(connection):
        connection.execute(schema.meta.delete().where(schema.meta.c.key == _BEGUN))


def prune(connection: sa.Connection, needed: Collection[Pair]) -> None:
    """Remove the chunks of models and chunkings that nothing needs; their vectors are then in no chunk.

    Of a chunk from an older program's store the model is not known: it goes by its chunking alone.
    """
    c = schema.chunks.c
    chunkers = {chunker for _, chunker in needed}
    for embedder, chunker in connection.execute(sa.select(c.embedder, c.chunker).distinct()).all():
        if (embedder, chunker) in needed or (not embedder and chunker in chunkers):
            continue
        connection.execute(schema.chunks.delete().where(c.embedder == embedder, c.chunker == chunker))
