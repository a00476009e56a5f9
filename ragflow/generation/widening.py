"""Where a passage is cut, and how it is made whole: to the sentence's, list's or table row's own ends."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from connectors.documents import Anchor
from indexes.query import Flag, Hit
from indexes.sentences import sentences

Span = tuple[int, int]

MAX_ADDED = 600  # code points on either side
_ITEM = re.compile(
    r"(?:[-*+\u2022\u2023\u25e6\u25aa\u25cf\u25cb\u2013\u2014\u00b7]|\(?(?:\d{1,3}|[A-Za-z]|[ivxIVX]{1,5})[.)])\s+\S"
)


def widen(hit: Hit, text: str) -> Span:
    """Return the hit's span in its document, taken on to where what it cuts begins and ends.

    A table row or a sentence that is torn is made whole; a list that is cut from the sentence that opens
    it gets that sentence, and one that opens a list gets the list's items. At most 600 code points are
    added on either side; where that does not reach, the side stays as it is.
    """
    # A sentence that runs into an end of this window lies farther away than anything that is added.
    low, high = max(0, hit.start - MAX_ADDED - 200), hit.end + MAX_ADDED + 200
    spans = [(low + start, low + end) for start, end in sentences(text[low:high])]
    rows = [(one.start, one.end) for one in hit.anchors if one.kind == "row"]
    start = _start(hit.start, rows, spans, text)
    end = _end(hit.end, rows, spans, text)
    if hit.start - start > MAX_ADDED:
        start = hit.start
    return start, end if end - hit.end <= MAX_ADDED else hit.end


def lengthened(hit: Hit, span: Span, text: str, anchors: Sequence[Anchor], flags: Sequence[Flag]) -> Hit:
    """Return the hit over another span of its document: text, id, headings, anchors and flags with it."""
    start, end = span
    if span == (hit.start, hit.end):
        return hit
    headings = hit.headings
    if start != hit.start:
        headings = tuple(
            one.label for one in anchors if one.kind == "heading" and one.start <= start < one.end
        )
    return replace(
        hit,
        chunk=f"{hit.document}@{hit.revision[:12]}:{start}-{end}",
        start=start,
        end=end,
        text=text[start:end],
        headings=headings,
        anchors=tuple(one for one in anchors if one.start < end and start < one.end),
        flags=tuple(dict.fromkeys(flag for flag in flags if flag.start < end and start < flag.end)),
    )


def fitted(text: str, span: Span, focus: int, fits: Callable[[Span], bool]) -> Span | None:
    """Return the largest run of whole sentences around ``focus`` that fits; None where nothing does.

    It grows by one sentence after the other, forward first, from the one at ``focus`` (an offset of the
    text) or the nearest after it. If that one alone is too long, it is cut at white space.
    """
    spans = [(span[0] + start, span[0] + end) for start, end in sentences(text[slice(*span)])]
    if not spans:
        return None
    first = next((at for at, one in enumerate(spans) if focus < one[1]), len(spans) - 1)
    last = first
    if not fits(spans[first]):
        return _shortened(text, spans[first], fits)
    grown = True
    while grown:
        grown = False
        if last + 1 < len(spans) and fits((spans[first][0], spans[last + 1][1])):
            last, grown = last + 1, True
        if first > 0 and fits((spans[first - 1][0], spans[last][1])):
            first, grown = first - 1, True
    return spans[first][0], spans[last][1]


def _shortened(text: str, span: Span, fits: Callable[[Span], bool]) -> Span | None:
    """Return the span's longest beginning of whole words that fits: halved in, so not one by one."""
    ends = [span[0] + found.end() for found in re.finditer(r"\S+", text[slice(*span)])]
    low, high = 0, len(ends)
    while low < high:
        middle = (low + high + 1) // 2
        if fits((span[0], ends[middle - 1])):
            low = middle
        else:
            high = middle - 1
    return (span[0], ends[low - 1]) if low else None


def _start(start: int, rows: Sequence[Span], spans: Sequence[Span], text: str) -> int:
    for row in rows:
        if row[0] < start < row[1]:
            return row[0]
    at = next((place for place, one in enumerate(spans) if start < one[1]), None)
    if at is None:
        return start
    first = min(start, spans[at][0])
    if _is_item(text, spans[at]) and first == spans[at][0]:
        return _opening(text, spans, at)
    return first


def _opening(text: str, spans: Sequence[Span], at: int) -> int:
    """Return where the sentence starts that opens the list of the item ``at``; its own start if none does."""
    for place in range(at - 1, -1, -1):
        if text[spans[place][1] : spans[place + 1][0]].count("\n") > 2:
            break
        if text[slice(*spans[place])].endswith(":") and not _is_item(text, spans[place]):
            return spans[place][0]
        if not _is_item(text, spans[place]):
            break
    return spans[at][0]


def _end(end: int, rows: Sequence[Span], spans: Sequence[Span], text: str) -> int:
    for row in rows:
        if row[0] < end < row[1]:
            return row[1]
    at = next((place for place in range(len(spans) - 1, -1, -1) if spans[place][0] < end), None)
    if at is None:
        return end
    last = max(end, spans[at][1])
    opens = text[slice(*spans[at])].endswith(":") or _is_item(text, spans[at])
    while opens and at + 1 < len(spans) and _is_item(text, spans[at + 1]):
        if text[spans[at][1] : spans[at + 1][0]].count("\n") > 2 or spans[at + 1][1] - end > MAX_ADDED:
            break
        at += 1
        last = spans[at][1]
    return last


def _is_item(text: str, span: Span) -> bool:
    return _ITEM.match(text, span[0], span[1]) is not None


def header_of(hit: Hit, text: str, anchors_of: Callable[[Hit], Sequence[Anchor]]) -> str:
    """Return the header of the table that the hit begins inside of: its first row; "" where there is none.

    Rows of one table follow each other with a line feed between them at most.
    """
    begun = any(one.kind == "row" and one.start <= hit.start < one.end for one in hit.anchors)
    if not begun or text[hit.start : hit.end] != hit.text:
        return ""
    rows = sorted(
        (one.start, one.end) for one in anchors_of(hit) if one.kind == "row" and one.start <= hit.start
    )
    if not rows:
        return ""
    first = rows[-1]
    for row in reversed(rows[:-1]):
        if text[row[1] : first[0]].strip(" \t") not in ("\n", ""):
            break
        first = row
    return "" if first == rows[-1] else text[slice(*first)].strip()
