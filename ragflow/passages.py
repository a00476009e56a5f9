"""Hits -> candidates: the spans that may be shown as claims, each worth a quote of its own."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evals.grounding import MIN_QUOTE_WORDS, says_enough
from indexes.analysis import analyse
from indexes.query import Hit
from indexes.sentences import sentences

Span = tuple[int, int]

MAX_LIST = 700  # code points: how far a list is taken along with the sentence that opens it
_HEADING = re.compile(r"\s{0,3}(?:#{1,6}\s|={3,}\s*$|-{3,}\s*$)")
_MARKS = re.compile(r"^(?:[-*+•‣◦▪●○–—·]\s+|\(?\d{1,3}[.)]\s+|>\s+)+")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A span of a hit's text (code points, half-open). ``hit`` counts from 0; ``terms`` are analysed.

    ``header`` is the span of the table's header where the span is a table row.
    """

    hit: int
    start: int
    end: int
    text: str
    terms: frozenset[str]
    header: Span | None = None


@dataclass(frozen=True, slots=True)
class Scored:
    """A candidate with what speaks for it; ``score`` 0 to about 1."""

    candidate: Candidate
    cosine: float
    coverage: float
    typed: bool
    score: float


def candidates(hits: Sequence[Hit]) -> tuple[Candidate, ...]:
    """Return what may be quoted from the hits, hit by hit, in order of position; no wording twice.

    A table row is one candidate, whole; a header without figures is none. What has fewer than five
    content words, and is no sentence of three, is taken together with its neighbour, and a sentence
    that opens a list together with the list. Headings, questions, separators and the torn first
    sentence of a chunk are none, nor is what overlaps a flag of its hit.
    """
    seen: set[str] = set()
    found: list[Candidate] = []
    for number, hit in enumerate(hits):
        rows = _rows(hit)
        spans = [(span, _header(hit.text, span, rows)) for span in rows]
        headers = {
            header for _, header in spans if header and not any(map(str.isdigit, hit.text[slice(*header)]))
        }
        spans = [(span, header) for span, header in spans if span not in headers]
        spans += [(span, None) for span in _widened(hit, rows)]
        for (start, end), header in sorted(spans, key=lambda each: each[0]):
            if any(_flagged(hit, span) for span in ((start, end), header) if span):
                continue
            text = hit.text[start:end]
            wording = " ".join(text.split()).casefold()
            if wording and wording not in seen:
                seen.add(wording)
                found.append(
                    Candidate(number, start, end, text, frozenset(analyse(text, hit.language)), header)
                )
    return tuple(found)


def _flagged(hit: Hit, span: Span) -> bool:
    start, end = hit.start + span[0], hit.start + span[1]
    return any(flag.start < end and start < flag.end for flag in hit.flags)


def _rows(hit: Hit) -> list[Span]:
    """Return the hit's whole table rows, stripped, without those that hold no word."""
    spans = sorted(
        (anchor.start - hit.start, anchor.end - hit.start) for anchor in hit.anchors if anchor.kind == "row"
    )
    inside = [(start, end) for start, end in spans if 0 <= start < end <= len(hit.text)]
    stripped = [_stripped(hit.text, span) for span in inside]
    return [span for span in stripped if analyse(hit.text[span[0] : span[1]], hit.language)]


def _header(text: str, row: Span, rows: Sequence[Span]) -> Span | None:
    """Return the first of the adjacent rows that the row belongs to, None where that is itself."""
    first = row
    for span in reversed([each for each in rows if each < row]):
        if text[span[1] : first[0]].strip(" \t") not in ("\n", ""):
            break
        first = span
    return None if first == row else first


def _widened(hit: Hit, rows: Sequence[Span]) -> Iterator[Span]:
    """Give the spans of sentences outside of rows, each with five content words or more."""
    plain = [span for span in sentences(hit.text) if _plain(hit, span, rows)]
    plain = [span for at, span in enumerate(plain) if not _is_title(hit.text, plain, at)]
    for at, span in enumerate(plain):
        wide = _list_of(hit.text, plain, at) if hit.text[span[0] : span[1]].endswith(":") else span
        text = hit.text[wide[0] : wide[1]]
        if len(analyse(text, hit.language)) < MIN_QUOTE_WORDS and not says_enough(text):
            near = [plain[other] for other in (at + 1, at - 1) if 0 <= other < len(plain)]
            joined = [(min(wide[0], one), max(wide[1], other)) for one, other in near]
            wide = next((each for each in joined if _joined(hit.text, each)), (0, 0))
        if wide[1] and not hit.text[wide[0] : wide[1]].endswith((":", "?")):
            yield wide


def _plain(hit: Hit, span: Span, rows: Sequence[Span]) -> bool:
    start, end = span
    text = hit.text[start:end]
    bare = " ".join(_MARKS.sub("", text).split()).strip("#*_ ")
    if any(row[0] < end and start < row[1] for row in rows) or _HEADING.match(text):
        return False
    if bare in {hit.title, *hit.headings} or not any(sign.isalpha() for sign in bare):
        return False
    torn = start == 0 and hit.start > 0 and bare[:1].islower()
    return not torn and not text.rstrip("\"')*_").endswith("?")


def _is_title(text: str, spans: Sequence[Span], at: int) -> bool:
    """Is the span a short line without a stop, over a line that is no list item?

    So stand headings where the format does not mark them, as in a PDF.
    """
    start, end = spans[at]
    title = text[start:end]
    if at + 1 == len(spans) or title.endswith((".", "!", ":", ";")) or len(analyse(title)) >= MIN_QUOTE_WORDS:
        return False
    following = spans[at + 1]
    own_lines = text[end : following[0]].count("\n") == 1 and (start == 0 or text[start - 1] == "\n")
    return own_lines and not _MARKS.match(text[following[0] : following[1]])


def _list_of(text: str, spans: Sequence[Span], at: int) -> Span:
    """Return the span of the sentence ``at`` with the list that it opens, or its own."""
    start, end = spans[at]
    for following in spans[at + 1 :]:
        gap = text[end : following[0]]
        item = _MARKS.match(text[following[0] : following[1]])
        if following[1] - start > MAX_LIST or gap.count("\n") > 2 or not item:
            break
        end = following[1]
    return start, end


def _joined(text: str, span: Span) -> bool:
    """Is the span one paragraph or list with enough words, without a heading or a question inside?"""
    inner = text[span[0] : span[1]]
    lines = inner.split("\n")
    return (
        len(analyse(inner)) >= MIN_QUOTE_WORDS
        and "\n\n" not in inner
        and not any(_HEADING.match(line) or line.rstrip().endswith("?") for line in lines)
    )


def _stripped(text: str, span: Span) -> Span:
    inner = text[span[0] : span[1]]
    return span[0] + len(inner) - len(inner.lstrip()), span[0] + len(inner.rstrip())
