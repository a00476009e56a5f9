"""A text's tokens, nearly: where to cut it for a model whose tokenizer is not here.

Tokenizers of vendors are downloaded by the libraries that use them, and differ from model to model. Chunks
need no more than an even measure, the same today and tomorrow; a model's limit needs one that is never too
low. The first is ``offsets``, the second ``ragflow.models.prices.count``.
"""

import re

from ragflow.models.prices import count

VERSION = "1"
"""Changes whenever offsets or cuts may: it is part of an embedder's key."""

_LETTERS = 4  # of one piece
# A run of letters or digits, one character of a script that writes no spaces, or any other sign.
_WIDE = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_PIECE = re.compile(rf"[{_WIDE}]|(?:(?![{_WIDE}])[^\W_])+|[^\w\s]|_")
# A single space goes with the word behind it, so a token reaches over five code points at most.
_LONGEST_TOKEN = 5


def offsets(text: str) -> list[tuple[int, int]]:
    """Return spans (code points, half-open) of pieces of at most four letters or digits; in order, apart.

    A character of a script without spaces is a piece of its own, and so is any sign; white space is in
    none. The same text gives the same pieces, and no network or file is asked. No text: none.
    """
    pieces: list[tuple[int, int]] = []
    for run in _PIECE.finditer(text):
        start, end = run.span()
        pieces.extend((at, min(at + _LETTERS, end)) for at in range(start, end, _LETTERS))
    return pieces


def cut(text: str, tokens: int) -> str:
    """Return the text, or the longest beginning of it, at the end of a piece, that has so many tokens.

    Tokens are estimated from above (see ``count``), so what is left is rather too short than too long.
    A first piece that is longer is returned as it is.
    """
    if count(text[: _LONGEST_TOKEN * tokens + 1]) <= tokens and len(text) <= _LONGEST_TOKEN * tokens:
        return text
    beginning = text[: _LONGEST_TOKEN * tokens]
    ends = [end for _, end in offsets(beginning)] or [len(beginning)]
    low, high = 0, len(ends) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if count(beginning[: ends[middle]]) <= tokens:
            low = middle
        else:
            high = middle - 1
    return beginning[: ends[low]]
