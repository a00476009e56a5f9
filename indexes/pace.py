"""How quick syncs of this workspace are, and how much text they find: learned from some, told of others."""

from dataclasses import dataclass

import sqlalchemy as sa

from indexes import schema
from indexes.store import Store

# Of Markdown on two cores; replaced by the workspace's own pace after the first sync.
_SECONDS_PER_BYTE = 2e-5
_SECONDS_PER_ITEM = 0.02
_CHARACTERS_PER_BYTE = 1.0
_CHARACTERS_PER_ITEM = 3000.0
_WORTH_BYTES = 100_000
_WORTH_ITEMS = 100
_WORTH_TEXTS = 32


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds and code points of text for a byte; and for an item, where the source does not tell sizes."""

    per_byte: float
    per_item: float
    text_per_byte: float = _CHARACTERS_PER_BYTE
    text_per_item: float = _CHARACTERS_PER_ITEM

    def seconds(self, size: int, unsized: int) -> float:
        """Estimate the seconds to read and index so many bytes, and items of unknown size."""
        return self.per_byte * size + self.per_item * unsized

    def characters(self, size: int, unsized: int) -> float:
        """Estimate the code points of text in so many bytes, and in items of unknown size."""
        return self.text_per_byte * size + self.text_per_item * unsized


def pace(store: Store) -> Pace:
    """Give what was learned, or a guess."""
    m = schema.meta.c
    with store.read() as connection:
        rows = connection.execute(sa.select(m.key, m.value).where(m.key.like("%_per_%"))).all()
    known = {row.key: float(row.value) for row in rows}
    return Pace(
        known.get("seconds_per_byte", _SECONDS_PER_BYTE),
        known.get("seconds_per_item", _SECONDS_PER_ITEM),
        known.get("characters_per_byte", _CHARACTERS_PER_BYTE),
        known.get("characters_per_item", _CHARACTERS_PER_ITEM),
    )


def learn(store: Store, seconds: float, *, size: int, items: int, characters: int) -> None:
    """Remember how long so many bytes and items took, and what text they held; too few teach nothing."""
    if size >= _WORTH_BYTES:
        store.remember("seconds_per_byte", str(seconds / size))
        store.remember("characters_per_byte", str(characters / size))
    if items >= _WORTH_ITEMS:
        store.remember("seconds_per_item", str(seconds / items))
        store.remember("characters_per_item", str(characters / items))


def embedding_pace(store: Store, embedder_key: str) -> float | None:
    """Give the seconds that this model took for a chunk when it last embedded enough; None: it never did."""
    found = store.recall(_embedding(embedder_key))
    return None if found is None else float(found)


def learn_embedding(store: Store, embedder_key: str, seconds: float, texts: int) -> None:
    """Remember how long a model took for so many chunks; too few teach nothing."""
    if texts >= _WORTH_TEXTS:
        store.remember(_embedding(embedder_key), str(seconds / texts))


def _embedding(embedder_key: str) -> str:
    return f"embedding_seconds {embedder_key}"
