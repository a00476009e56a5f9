"""Words and phrases of a question, whatever their case and inflection."""

import re
from collections.abc import Sequence
from functools import lru_cache

from indexes.analysis import analyse

# Where one written word ends: white space and marks. A comma or full stop inside a number ends nothing.
_BETWEEN = re.compile(r"[\s/()\[\]{}<>\"“”„«»‹›–—;:!?¿¡]+|[,.](?!\d)")


@lru_cache(maxsize=4_096)
def terms(text: str) -> tuple[str, ...]:
    """Return the stems of a text in order; a word that the analyser drops stands as it is, in lower case.

    A word in capitals that it drops ("IT") stands in capitals, so that it is told from the small word.
    """
    found: list[str] = []
    for word in _BETWEEN.split(text):
        stems = analyse(word)
        if stems:
            found += stems
        elif any(letter.isalnum() for letter in word):
            found.append(word if len(word) > 1 and word.isupper() else word.casefold())
    return tuple(found)


def question_terms(text: str) -> tuple[str, ...]:
    """Return the terms of a question; one that shouts says nothing by its capitals."""
    return terms(text.casefold() if text.isupper() else text)


def says(asked: Sequence[str], phrase: Sequence[str]) -> bool:
    """Tell whether the terms of a phrase stand in a row among those of a question.

    A capital word of the phrase needs capitals in the question; a small one takes both. An empty phrase
    stands nowhere.
    """
    length = len(phrase)
    return length > 0 and any(
        all(_same(term, wanted) for term, wanted in zip(asked[at : at + length], phrase, strict=True))
        for at in range(len(asked) - length + 1)
    )


def _same(term: str, wanted: str) -> bool:
    return term == wanted or (not wanted.isupper() and term.casefold() == wanted)
