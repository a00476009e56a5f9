"""The protocol of every embedder."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from indexes.errors import VectorsUnsound

_LENGTH_OFF = 1e-3  # float32, and half precision somewhere on the way

Vectors = NDArray[np.float32]


class Embed(Protocol):
    """An embedder's ``embed`` alone, for what needs no more of it."""

    def __call__(self, texts: Sequence[str], *, queries: bool = False) -> Vectors: ...


class Embedder(Protocol):
    """Turns texts into unit vectors.

    Laws:

    - ``embed`` gives float32 of shape (len(texts), dimensions), each row of length 1 (L2).
    - A text gives the same bytes in any company and order: hidden documents must not be able to
      change a visible score. One that computes on an accelerator may differ in the last bits, and says so.
    - ``key`` changes whenever a vector may: weights' digest, precision, pooling, maximum tokens, prompts.
    - ``queries`` says that the texts are questions. A model with prompts embeds those otherwise than
      what is searched; for any other it changes nothing. What is stored is never a question's vector.
    """

    @property
    def key(self) -> str: ...

    @property
    def dimensions(self) -> int:
        """How long a vector is; 0 where only an answer can tell, and none was had yet."""
        ...

    @property
    def max_tokens(self) -> int: ...

    def embed(self, texts: Sequence[str], *, queries: bool = False) -> Vectors: ...

    def token_offsets(self, text: str) -> Sequence[tuple[int, int]]:
        """Code-point spans of the text's tokens, without special tokens, not truncated."""
        ...


def embed(embedder: Embedder, texts: Sequence[str], *, queries: bool = False) -> Vectors:
    """Embed texts and see to it that the law holds: nothing else is ever stored or searched by.

    Raises ``VectorsUnsound``.
    """
    found = np.asarray(embedder.embed(texts, queries=queries))
    wanted = (len(texts), embedder.dimensions)
    if found.shape != wanted:
        raise _unsound(embedder, f"gave vectors of shape {found.shape}, not {wanted}")
    vectors: Vectors = found.astype(np.float32, copy=False)
    if not np.isfinite(vectors).all():
        raise _unsound(embedder, "gave a vector that holds what is no number (NaN or infinity)")
    lengths = np.linalg.norm(vectors, axis=1)
    off = np.abs(lengths - 1.0)
    if len(off) and off.max() > _LENGTH_OFF:
        raise _unsound(embedder, f"gave a vector of length {lengths[off.argmax()]:.3g}, not 1")
    return vectors


def _unsound(embedder: Embedder, what: str) -> VectorsUnsound:
    return VectorsUnsound(
        f"the embedding model {what}; nothing of it was stored ({embedder.key})",
        hint="set embed.* to a model that works; the live index is as it was. docs/models.md: your own model",
    )


def opened_late(embedder: Callable[[], Embedder]) -> Embed:
    """Return the ``embed`` of an embedder that is opened when the first text is."""

    def opened(texts: Sequence[str], *, queries: bool = False) -> Vectors:
        return embedder().embed(texts, queries=queries)

    return opened
