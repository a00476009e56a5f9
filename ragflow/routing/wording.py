"""Words and phrases of a question, whatever their case and inflection.

A text is compared as its *run*: its terms in order, each between marks, as one string. So a phrase stands
in a question when its run does, and a thousand rules look at a long question in milliseconds.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from indexes.analysis import analyse

# Where one written word ends: white space and marks. A comma or full stop inside a number ends nothing.
_BETWEEN = re.compile(r"[\s/()\[\]{}<>\"“”„«»‹›–—;:!?¿¡]+|[,.](?!\d)")
_NO_PART = re.compile(r"[^\w'’-]+")
_MARK = "\0"


@lru_cache(maxsize=4_096)
def run(text: str) -> str:
    """Return the run of a text, "" where no word is in it.

    Terms are stems; a word that the analyser drops stands as it is, in lower case, or in capitals if it is
    written in capitals ("IT"), so that it is told from the small word.
    """
    found: list[str] = []
    for written in _BETWEEN.split(text):
        word = _NO_PART.sub("", written)
        stems = analyse(word)
        if stems:
            found += stems
        elif any(letter.isalnum() for letter in word):
            found.append(word if len(word) > 1 and word.isupper() else word.casefold())
    return f"{_MARK}{_MARK.join(found)}{_MARK}" if found else ""


def question_run(text: str) -> str:
    """Return the run of a question; one that shouts says nothing by its capitals."""
    return run(text.casefold() if text.isupper() else text)


def says(asked: str, phrase: str) -> bool:
    """Tell whether the run of a phrase stands in that of a question; an empty one stands nowhere.

    A phrase with a word in capitals needs them in the question; any other takes both.
    """
    return phrase != "" and (phrase in asked or phrase in _small(asked))


def parts(phrase: str) -> Iterator[str]:
    """Give every run that the run of a phrase says, with repeats."""
    terms = phrase.strip(_MARK).split(_MARK) if phrase else []
    for start in range(len(terms)):
        for end in range(start + 1, len(terms) + 1):
            part = f"{_MARK}{_MARK.join(terms[start:end])}{_MARK}"
            yield part
            yield _small(part)


@lru_cache(maxsize=64)
def _small(asked: str) -> str:
    return asked.casefold()
