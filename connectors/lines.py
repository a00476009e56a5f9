"""Where a position in canonical text stands in the file that it was made of, and links that say so.

Lines are kept as (position, line) pairs, sorted: the line of a position is that of the last pair at or
before it, plus the line feeds between. So one pair says everything of a text that was taken as it stands,
and each further one tells of a place where lines were dropped or joined.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

Lines = tuple[tuple[int, int], ...]
"""((position in canonical text, line of the file from 1), ...), sorted by position; none: not known"""

LINE = "{line}"


def line_at(lines: Sequence[tuple[int, int]], text: str, position: int, *, start: int = 0) -> int | None:
    """Return the line of a position; None before the first pair. ``text`` begins at ``start``."""
    place = bisect_right(lines, position, key=lambda pair: pair[0]) - 1
    if place < 0:
        return None
    at, line = lines[place]
    return line + text.count("\n", max(0, at - start), position - start)


def kept(noted: Iterable[tuple[int, int]], text: str) -> Lines:
    """Return the pairs that are needed to tell the lines of all of these; the last of a position holds."""
    by_position = dict(sorted(noted, key=lambda pair: pair[0]))
    pairs: list[tuple[int, int]] = []
    at = told = 0
    for position, line in by_position.items():
        if position >= len(text):
            # What came after the text's end was dropped.
            break
        told += text.count("\n", at, position)
        if not pairs or told != line:
            pairs.append((position, line))
        at, told = position, line
    return tuple(pairs)


def within(lines: Lines, text: str, start: int, end: int) -> Lines:
    """Return the pairs that tell the lines of a span of the text."""
    first = line_at(lines, text, start)
    inner = tuple(pair for pair in lines if start < pair[0] < end)
    return inner if first is None else ((start, first), *inner)


def opened(link: str | None, line: int | None) -> str | None:
    """Return a link with its ``{line}`` filled in; without one, its fragment goes, or it opens line 1."""
    if link is None or LINE not in link:
        return link
    if line is None:
        link, _, fragment = link.partition("#")
        link = link if LINE in fragment else f"{link}#{fragment}" if fragment else link
    return link.replace(LINE, str(line or 1))
