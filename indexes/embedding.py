"""The protocol of every embedder."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """Turns texts into unit vectors.

    Laws:

    - ``embed`` gives float32 of shape (len(texts), dimensions), each row of length 1 (L2).
    - A text gives the same bytes in any company and order: hidden documents must not be able to
      change a visible score.
    - ``key`` changes whenever a vector may: weights' digest, precision, pooling, maximum tokens.
    """

    @property
    def key(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    @property
    def max_tokens(self) -> int: ...

    def embed(self, texts: Sequence[str]) -> Vectors: ...

    def token_offsets(self, text: str) -> Sequence[tuple[int, int]]:
        """Code-point spans of the text's tokens, without special tokens, not truncated."""
        ...
