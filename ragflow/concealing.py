"""Hits weighed with a model elsewhere, which sees no word of what is private in them."""

import re
from collections.abc import Callable, Collection, Sequence

from indexes.embedding import Embed, Vectors
from indexes.query import Found, Hit
from ragflow.asking import Evidence
from ragflow.evidence import SentenceWeigher
from ragflow.masking import torn
from ragflow.redact import Kind, private

_TAKEN_OUT = "[private]"


class ConcealingWeigher:
    """Satisfies ``asking.Weigher``: sentences are compared by vectors, with as few calls as there can be.

    Sentences are cut from hits and hits from documents, and half of a secret does not look like one. So it
    is looked for in the hit, and at its edges in the document (``text_of``); the words of what is found are
    taken out of every text before that is embedded. ``kinds`` empty: nothing is looked for.
    """

    def __init__(
        self, embed: Embed, *, needed: float, kinds: Collection[Kind], text_of: Callable[[Hit], str]
    ) -> None:
        self._embed, self._needed = embed, needed
        self._kinds, self._text_of = kinds, text_of

    def weigh(self, question: str, found: Found) -> Evidence:
        """Weigh as ``SentenceWeigher`` does."""
        words = {word for hit in found.hits for word in self._private(hit)} if self._kinds else set()
        pattern = concealed(words)

        def embed(texts: Sequence[str], *, queries: bool = False) -> Vectors:
            seen = [pattern.sub(_TAKEN_OUT, text) if pattern else text for text in texts]
            return self._embed(seen, queries=queries)

        return SentenceWeigher(embed=embed, needed=self._needed, at_once=True).weigh(question, found)

    def _private(self, hit: Hit) -> list[str]:
        """Return the words of what is private in a hit, whole or cut by its edges."""
        spans = [
            *private(hit.text, self._kinds),
            *torn(self._text_of(hit), hit.start, hit.end, self._kinds),
        ]
        return [word for span in spans for word in hit.text[span.start : span.end].split()]


def concealed(words: Collection[str]) -> re.Pattern[str] | None:
    """Return what finds these words, as long a one as there is; None for no words."""
    longest_first = sorted(words, key=lambda word: (-len(word), word))
    return re.compile("|".join(map(re.escape, longest_first))) if words else None
