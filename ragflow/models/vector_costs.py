"""What embedding will cost, from counts alone: nothing is read, asked or sent here."""

import math
from dataclasses import dataclass

from ragflow.models.prices import NANO, Price

# Of English prose, by the upper estimate that requests are priced by; see ``prices.count``.
_CHARACTERS_OF_TOKEN = 3.0
_TOKENS_OF_TITLE = 12  # title and headings that go with each chunk


@dataclass(frozen=True, slots=True)
class Counts:
    """What waits for a vector.

    ``texts`` and ``tokens``: of the store, counted. ``cached``: texts whose vector is there already.
    ``characters`` and ``items``: of what is not fetched yet, estimated.
    """

    texts: int = 0
    tokens: int = 0
    cached: int = 0
    characters: float = 0.0
    items: int = 0


@dataclass(frozen=True, slots=True)
class Cost:
    """What is going to be sent. ``exact``: counted, and then it is an upper bound; else about so much.

    ``usd`` None: the price is not known. ``cached``: texts of the store that need no request.
    """

    model: str
    texts: int
    tokens: int
    cached: int
    usd: float | None
    exact: bool


def cost(counts: Counts, *, chunk: tuple[int, int] | None, model: str, price: Price | None) -> Cost:
    """Return what the counts come to.

    ``chunk``: tokens and overlap of a chunk; None: each document is one.
    """
    tokens = counts.characters / _CHARACTERS_OF_TOKEN
    if chunk is None:
        texts = counts.items
    else:
        size, overlap = chunk
        texts = max(math.ceil(tokens / (size - overlap)), counts.items) if tokens else 0
        tokens *= size / (size - overlap)
    whole = counts.tokens + math.ceil(tokens + texts * _TOKENS_OF_TITLE)
    usd = None if price is None else price.nano(whole, 0) / NANO
    return Cost(model, counts.texts + texts, whole, counts.cached, usd, exact=not counts.characters)
