"""An embedder of an evaluation: what embedding a question takes is told once, and paid once."""

import time
from collections.abc import Callable, Sequence

from indexes.embedding import Embedder, Vectors


class Remembering:
    """An embedder that embeds each question once and knows how long that took. Satisfies ``Embedder``."""

    def __init__(self, embedder: Callable[[], Embedder]) -> None:
        self._embedder = embedder
        self._known: dict[str, tuple[Vectors, float]] = {}

    @property
    def key(self) -> str:
        """The model's own key."""
        return self._embedder().key

    @property
    def dimensions(self) -> int:
        """The model's own."""
        return self._embedder().dimensions

    @property
    def max_tokens(self) -> int:
        """The model's own."""
        return self._embedder().max_tokens

    def token_offsets(self, text: str) -> Sequence[tuple[int, int]]:
        """Return the model's own token offsets."""
        return self._embedder().token_offsets(text)

    def embed(self, texts: Sequence[str], *, queries: bool = False) -> Vectors:
        """Return unit vectors, of one known question without the model."""
        known = self._known.get(texts[0]) if queries and len(texts) == 1 else None
        return known[0] if known else self._embedder().embed(texts, queries=queries)

    def know(self, question: str) -> float:
        """Embed a question unless it is known; return the milliseconds that embedding it took."""
        if question not in self._known:
            model = self._embedder()  # opening it is no question's time
            began = time.perf_counter()
            self._known[question] = (model.embed([question], queries=True), since(began))
        return self._known[question][1]


def since(began: float) -> float:
    """Return the milliseconds since a moment of ``time.perf_counter``."""
    return (time.perf_counter() - began) * 1_000
