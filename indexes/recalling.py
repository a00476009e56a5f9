"""An embedder that remembers: one question is embedded once, however many steps want its vector."""

import sys
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from indexes.embedding import Embedder, Vectors

KEPT = 512  # texts: at 384 dimensions less than a megabyte


class Recalling:
    """Satisfies ``Embedder``: another one, with the vectors of the ``kept`` texts that were embedded last.

    ``kept`` None: of all of them, for as long as it lives.
    A text's vector never depends on the texts beside it (decision 0002), so what is recalled is equal, bit
    for bit, to what would be computed.
    """

    def __init__(self, embedder: Embedder, *, kept: int | None = KEPT) -> None:
        self._embedder = embedder
        self._kept = sys.maxsize if kept is None else kept
        self._known: OrderedDict[tuple[str, bool], Vectors] = (
            OrderedDict()
        )  # by text, and whether it is a query

    @property
    def key(self) -> str:
        """The model's own key."""
        return self._embedder.key

    @property
    def dimensions(self) -> int:
        """The model's own."""
        return self._embedder.dimensions

    @property
    def max_tokens(self) -> int:
        """The model's own."""
        return self._embedder.max_tokens

    def token_offsets(self, text: str) -> Sequence[tuple[int, int]]:
        """Return the model's own token offsets."""
        return self._embedder.token_offsets(text)

    def embed(self, texts: Sequence[str], *, queries: bool = False) -> Vectors:
        """Return the unit vectors of the texts, computing only those that are not remembered."""
        new = [text for text in dict.fromkeys(texts) if (text, queries) not in self._known]
        if len(new) > self._kept or not texts:
            return self._embedder.embed(texts, queries=queries)
        if new:
            # Copies: a row would hold on to all the rows beside it.
            vectors = (row.copy() for row in self._embedder.embed(new, queries=queries))
            self._known.update(zip(((text, queries) for text in new), vectors, strict=True))
        for text in texts:
            self._known.move_to_end((text, queries))
        found = np.stack([self._known[text, queries] for text in texts])
        while len(self._known) > self._kept:
            self._known.popitem(last=False)
        return found
