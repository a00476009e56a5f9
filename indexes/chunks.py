"""Documents -> chunks: spans that are embedded and searched.

A chunk is only a span: ``document.text[start:end]`` is its text, always. What the embedder and the
lexical index see besides (title, heading path, a table's header) is context, kept apart.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from connectors.documents import Anchor, Document
from indexes.sentences import sentences

CHUNKER = "structure-1"
"""Changes whenever the same document may give other chunks."""

Mode = Literal["structure", "document"]
TokenOffsets = Callable[[str], Sequence[tuple[int, int]]]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A span of the canonical text, with its heading path and, inside a table, the table's header."""

    start: int
    end: int
    headings: tuple[str, ...] = ()
    header: str = ""


def embedded_text(title: str, chunk: Chunk, text: str) -> str:
    """Return the exact string that the embedder sees: title, heading path, table header, then text."""
    path = " > ".join(chunk.headings)
    return "\n".join(part for part in (title, path, chunk.header, text) if part)


def chunk_document(
    document: Document, *, mode: Mode, tokens: int, overlap: int, token_offsets: TokenOffsets
) -> tuple[Chunk, ...]:
    """Return the chunks of a document, by start. Every character but white space is in one at least.

    ``document`` mode gives the whole text as one chunk. ``structure`` mode packs whole sentences and
    table rows, up to ``tokens`` tokens of title, heading path, table header and text together; what
    stands around the text may take half of that at most before text is favoured. A chunk:

    - lies inside one sheet, slide or message, and inside one section, except that a heading without
      text of its own joins the section after it, and adjacent sections of at most a quarter of
      ``tokens`` each share a chunk; pages are crossed freely, since sentences cross them;
    - repeats up to ``overlap`` tokens of whole sentences of the chunk before, in the same section;
    - cuts a sentence only if that alone is longer than a chunk, at white space where there is any;
    - that begins inside a table names the table's first row as its ``header``.

    No span begins or ends with white space; empty text gives none. Time grows with the text's length
    plus that of its anchors.
    """
    if mode == "document":
        whole = _strip(document.text, 0, len(document.text))
        return (Chunk(*whole),) if whole else ()
    measure = _Measure(document.text, token_offsets)
    atoms = _atoms(document)
    sections = _sections(document)
    packer = _Packer(measure, tokens=tokens, overlap=overlap)
    chunks: list[Chunk] = []
    place = 0
    for section in _merge_small(sections, measure, tokens):
        first = place
        while place < len(atoms) and atoms[place].start < section.end:
            place += 1
        context = measure.count_text(embedded_text(document.title, Chunk(0, 0, section.headings), ""))
        chunks += packer.pack(atoms[first:place], section.headings, context)
    return tuple(chunks)


@dataclass(frozen=True, slots=True)
class _Atom:
    """What is not cut if it can be helped: a sentence, or a table's row.

    ``table``: the span of its table's first row, for the rows after it; ``row``: it is a row.
    """

    start: int
    end: int
    row: bool = False
    table: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class _Section:
    """A span under one heading path inside one sheet, slide or message (``unit``)."""

    start: int
    end: int
    unit: tuple[Anchor, ...]
    path: tuple[Anchor, ...]

    @property
    def headings(self) -> tuple[str, ...]:
        return tuple(anchor.label for anchor in self.path)


class _Measure:
    """Counts tokens in spans of a text that was tokenised once. A token counts wherever a part of it is."""

    def __init__(self, text: str, token_offsets: TokenOffsets) -> None:
        self.text = text
        self._token_offsets = token_offsets
        offsets = token_offsets(text)
        self._starts = [start for start, _ in offsets]
        self._ends = [end for _, end in offsets]
        self._known: dict[str, int] = {}

    def count(self, start: int, end: int) -> int:
        return max(0, bisect_left(self._starts, end) - bisect_right(self._ends, start))

    def count_text(self, text: str) -> int:
        """Count the tokens of a string that is not in the text, such as a title."""
        if text not in self._known:
            self._known[text] = len(self._token_offsets(text))
        return self._known[text]

    def cut(self, start: int, end: int, tokens: int) -> Iterator[tuple[int, int]]:
        """Cut a span into pieces of at most ``tokens`` tokens, at white space where there is any."""
        while self.count(start, end) > tokens:
            limit = self._starts[bisect_right(self._ends, start) + tokens]
            space = limit
            while space > start and not self.text[space - 1].isspace():
                space -= 1
            piece = _strip(self.text, start, space) or _strip(self.text, start, limit)
            if piece is None or piece[1] <= start:
                break
            yield piece
            start = piece[1]
        rest = _strip(self.text, start, end)
        if rest:
            yield rest


class _Packer:
    """Packs the atoms of one section after another into chunks."""

    def __init__(self, measure: _Measure, *, tokens: int, overlap: int) -> None:
        self._measure = measure
        self._tokens = tokens
        self._overlap = overlap

    def pack(self, atoms: Sequence[_Atom], headings: tuple[str, ...], context: int) -> Iterator[Chunk]:
        """Give the chunks of one section, filled in order. ``context``: tokens of title and path."""
        pieces = self._pieces(atoms, context)
        first = 0
        while first < len(pieces):
            room = self._room(pieces[first], context)
            last = first
            while last + 1 < len(pieces) and self._tokens_of(pieces, first, last + 1) <= room:
                last += 1
            header = pieces[first].table
            yield Chunk(
                pieces[first].start,
                pieces[last].end,
                headings,
                self._measure.text[header[0] : header[1]] if header else "",
            )
            if last + 1 == len(pieces):
                return
            first = self._step_back(pieces, first, last, room)

    def _pieces(self, atoms: Sequence[_Atom], context: int) -> list[_Atom]:
        """Cut the atoms that alone are longer than a chunk."""
        return [
            _Atom(start, end, atom.row, atom.table)
            for atom in atoms
            for start, end in self._measure.cut(atom.start, atom.end, self._room(atom, context))
        ]

    def _room(self, atom: _Atom, context: int) -> int:
        """Tokens left for the text of a chunk that begins with ``atom``."""
        header = self._measure.count(*atom.table) if atom.table else 0
        return max(1, self._tokens // 2, self._tokens - context - header)

    def _tokens_of(self, pieces: Sequence[_Atom], first: int, last: int) -> int:
        return self._measure.count(pieces[first].start, pieces[last].end)

    def _step_back(self, pieces: Sequence[_Atom], first: int, last: int, room: int) -> int:
        """Return where the next chunk begins: back over whole sentences, as far as the overlap goes.

        It always holds more than the overlap: the piece after ``last`` must fit as well.
        """
        following = last + 1
        start = following
        while (
            start - 1 > first
            and not pieces[start - 1].row
            and not pieces[following].row
            and self._tokens_of(pieces, start - 1, last) <= self._overlap
            and self._tokens_of(pieces, start - 1, following) <= room
        ):
            start -= 1
        return start


def _strip(text: str, start: int, end: int) -> tuple[int, int] | None:
    """Return the span without white space around it; None where nothing is left."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return (start, end) if start < end else None


_UNITS = ("sheet", "slide", "message")


def _atoms(document: Document) -> list[_Atom]:
    """Return the text's rows and sentences in order, parted at every edge of a section or a row."""
    rows = _rows(document)
    atoms = sorted([*rows, *_outside(sentences(document.text), rows)], key=lambda atom: atom.start)
    edges = sorted(
        edge
        for anchor in document.anchors
        if anchor.kind == "heading" or anchor.kind in _UNITS
        for edge in (anchor.start, anchor.end)
    )
    parted: list[_Atom] = []
    place = 0
    for atom in atoms:
        start = atom.start
        while place < len(edges) and edges[place] < atom.end:
            span = _strip(document.text, start, edges[place])
            if span:
                parted.append(_Atom(*span, atom.row, atom.table))
            start = max(start, edges[place])
            place += 1
        span = _strip(document.text, start, atom.end)
        if span:
            parted.append(_Atom(*span, atom.row, atom.table))
    return parted


def _rows(document: Document) -> list[_Atom]:
    """Return the tables' rows, disjoint and in order; each but a table's first knows that one."""
    rows: list[_Atom] = []
    for anchor in document.anchors:
        span = _strip(document.text, anchor.start, anchor.end) if anchor.kind == "row" else None
        if span is None or (rows and span[0] < rows[-1].end):
            continue
        table = None
        between = document.text[rows[-1].end : span[0]] if rows else "\n\n"
        if not between.strip() and between.count("\n") <= 1:
            table = rows[-1].table or (rows[-1].start, rows[-1].end)
        rows.append(_Atom(*span, row=True, table=table))
    return rows


def _outside(spans: Sequence[tuple[int, int]], rows: Sequence[_Atom]) -> Iterator[_Atom]:
    """Give what of the spans lies in no row."""
    place = 0
    for span_start, end in spans:
        start = span_start
        while place < len(rows) and rows[place].end <= start:
            place += 1
        following = place
        while following < len(rows) and rows[following].start < end:
            if start < rows[following].start:
                yield _Atom(start, rows[following].start)
            start = max(start, rows[following].end)
            following += 1
        if start < end:
            yield _Atom(start, end)


def _sections(document: Document) -> list[_Section]:
    """Part the text wherever a heading's section, a sheet, a slide or a message begins or ends."""
    anchors = [anchor for anchor in document.anchors if anchor.kind == "heading" or anchor.kind in _UNITS]
    length = len(document.text)
    edges = sorted({0, length, *(edge for anchor in anchors for edge in (anchor.start, anchor.end))})
    sections: list[_Section] = []
    active: list[Anchor] = []
    place = 0
    for start, end in pairwise(edges):
        while place < len(anchors) and anchors[place].start <= start:
            active.append(anchors[place])
            place += 1
        active = [anchor for anchor in active if anchor.end > start]
        sections.append(
            _Section(
                start,
                end,
                tuple(anchor for anchor in active if anchor.kind in _UNITS),
                tuple(anchor for anchor in active if anchor.kind == "heading"),
            )
        )
    return sections


def _merge_small(sections: Sequence[_Section], measure: _Measure, tokens: int) -> Iterator[_Section]:
    """Join a bare heading to the section after it, and adjacent small sections to each other.

    The joined section's path is what its parts share, or the later path where it goes on from the
    earlier one.
    """
    held: _Section | None = None
    small = True
    for section in sections:
        size = measure.count(section.start, section.end)
        if held is None:
            held, small = section, size <= tokens // 4
            continue
        bare = "\n" not in measure.text[held.start : held.end].strip()
        joined = measure.count(held.start, section.end)
        below = section.path[: len(held.path)] == held.path
        alike = small and size <= tokens // 4 and joined <= tokens
        if held.unit == section.unit and (alike or (bare and below and held.path)):
            shared = _shared(held.path, section.path)
            path = section.path if below and bare else shared
            held = _Section(held.start, section.end, held.unit, path)
            small = alike
        else:
            yield held
            held, small = section, size <= tokens // 4
    if held is not None:
        yield held


def _shared(one: tuple[Anchor, ...], other: tuple[Anchor, ...]) -> tuple[Anchor, ...]:
    """Return the longest common beginning."""
    count = 0
    while count < min(len(one), len(other)) and one[count] == other[count]:
        count += 1
    return one[:count]
