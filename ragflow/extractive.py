"""Answers by sentences of the hits, verbatim: the default answerer, offline, without a model."""

from collections.abc import Callable, Sequence

from indexes.embedding import Vectors
from indexes.query import Found
from ragflow.pipeline import Draft

Embed = Callable[[Sequence[str]], Vectors]


class ExtractiveAnswerer:
    """Proposes the sentences that answer the question. Satisfies ``pipeline.Answerer``.

    ``max_claims``: at most so many sentences. ``embed``: unit vectors of texts, None for words alone.
    """

    def __init__(self, *, max_claims: int = 6, embed: Embed | None = None) -> None:
        self._max_claims = max_claims
        self._embed = embed

    def draft(self, question: str, found: Found) -> Draft:
        """Return the claims in reading order, and how likely they answer the question."""
        return Draft((), 0.0)
