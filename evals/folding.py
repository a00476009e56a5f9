"""Find a quote in a text: exactly, or with those differences that copying out of a file makes.

The list is short on purpose: white-space runs, the soft hyphen, a hyphen at a line's end between
lower-case letters, curly quotation marks, the Latin ligatures U+FB00 to U+FB06. No compatibility
normalisation, no case folding, and no digit or sign is ever changed: "10²" is not "102".
"""

import re
from dataclasses import dataclass

Span = tuple[int, int]

_LIGATURES = {
    "\ufb00": "ff",
    "\ufb01": "fi",
    "\ufb02": "fl",
    "\ufb03": "ffi",
    "\ufb04": "ffl",
    "\ufb05": "st",
    "\ufb06": "st",
}
_QUOTES = {**dict.fromkeys("\u2018\u2019\u201a\u201b", "'"), **dict.fromkeys("\u201c\u201d\u201e\u201f", '"')}
_REPLACED = {"\u00ad": "", **_LIGATURES, **_QUOTES}
_SPECIAL = re.compile(
    r"(?P<broken>(?<=[a-z])-[^\S\n]*\n\s*(?=[a-z]))|(?P<space>\s+)|[\u00ad\u2018-\u201f\ufb00-\ufb06]"
)


@dataclass(frozen=True, slots=True)
class Folded:
    """A folded text; ``starts[i]`` and ``ends[i]`` bound what its character i stands for in the original.

    The letters of one ligature share one span.
    """

    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]


def fold(text: str) -> Folded:
    """Return the text as it is compared, with the way back."""
    parts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    at = 0

    def put(written: str, start: int, end: int) -> None:
        parts.append(written)
        starts.extend([start] * len(written))
        ends.extend([end] * len(written))

    for found in _SPECIAL.finditer(text):
        parts.append(text[at : found.start()])
        starts.extend(range(at, found.start()))
        ends.extend(range(at + 1, found.start() + 1))
        if found["space"]:
            put(" ", found.start(), found.end())
        elif not found["broken"]:
            put(_REPLACED[found[0]], found.start(), found.end())
        at = found.end()
    parts.append(text[at:])
    starts.extend(range(at, len(text)))
    ends.extend(range(at + 1, len(text) + 1))
    return Folded("".join(parts), tuple(starts), tuple(ends))


def plain(text: str) -> str:
    """Return the text as it is compared, without the way back: ``fold(text).text``, several times faster."""
    return _SPECIAL.sub(_folded, text)


def _folded(found: re.Match[str]) -> str:
    if found["space"]:
        return " "
    return "" if found["broken"] else _REPLACED[found[0]]


def locate(quote: str, text: str) -> Span | None:
    """Return the span of the quote's first whole occurrence in the text, or None.

    Exact occurrences come before folded ones. Whole means that no word, number or ligature is cut:
    "200 euros" does not stand in "1,200 euros", nor "5 degrees" in "-5 degrees". Offsets are code
    points, half-open. An empty quote stands nowhere.
    """
    if not quote.strip():
        return None
    exact = _first(quote, text)
    if exact is not None:
        return exact
    needle = plain(quote)
    if not needle or needle not in plain(text):
        return None  # most often so, and the way back is what costs
    hay = fold(text)
    at = hay.text.find(needle)
    while at >= 0:
        last = at + len(needle) - 1
        start, end = hay.starts[at], hay.ends[last]
        cuts_ligature = (at > 0 and hay.starts[at - 1] == start) or (
            last + 1 < len(hay.text) and hay.ends[last + 1] == end
        )
        if not cuts_ligature and whole(text, start, end):
            return start, end
        at = hay.text.find(needle, at + 1)
    return None


def _first(quote: str, text: str) -> Span | None:
    at = text.find(quote)
    while at >= 0:
        if whole(text, at, at + len(quote)):
            return at, at + len(quote)
        at = text.find(quote, at + 1)
    return None


def whole(text: str, start: int, end: int) -> bool:
    """Say whether a span cuts no word and no number of the text."""
    return not (_cut_before(text, start, end) or _cut_after(text, start, end))


def _cut_before(text: str, start: int, end: int) -> bool:
    before, first = text[max(0, start - 2) : start], text[start : start + 1]
    if not before or start >= end or not first.isalnum():
        return False
    if before[-1].isalnum():
        return True
    if not first.isdigit():
        return False
    if before[-1] in ".,":
        return before[:-1].isdigit() or (before[-1] == "." and not before[:-1].isalnum())
    return before[-1] in "-\u2212" and not before[:-1].isalnum()


def _cut_after(text: str, start: int, end: int) -> bool:
    last, after = text[end - 1 : end], text[end : end + 2]
    if not after or start >= end or not last.isalnum():
        return False
    if after[0].isalnum():
        return True
    return last.isdigit() and after[0] in ".," and after[1:].isdigit()
