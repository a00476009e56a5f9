"""Elements of unstructured -> a draft: headings, lists, rows of tables; anchors of pages, sheets, slides.

An element says what it is (``category``), its text, and where it stands (``metadata``); offsets are made
here, from what is written, so that they are right whatever it says.
"""

from collections.abc import Iterable, Sequence
from typing import Literal, Protocol

from lxml import html

from connectors.documents import AnchorKind
from connectors.parsing.draft import Draft
from connectors.parsing.hidden import hide, wholly

_LEFT_OUT = frozenset({"Header", "Footer", "PageBreak", "PageNumber", "Image"})
_DEEPEST = 9
_WIDEST = 50

Parts = Literal["page", "slide", "sheet"]


class _Metadata(Protocol):
    """Where an element stands. ``page_number`` from 1; ``category_depth``: of a title 0 is the highest."""

    page_number: int | None
    page_name: str | None
    category_depth: int | None
    text_as_html: str | None


class Element(Protocol):
    """What is read of an element of unstructured."""

    category: str
    text: str

    @property
    def metadata(self) -> _Metadata: ...


def write_elements(
    elements: Iterable[Element], draft: Draft, *, parts: Parts = "page", grid: bool = False, lists: int = 0
) -> None:
    """Write elements in their order.

    ``parts``: what ``page_number`` counts; a sheet is known by its name. ``grid``: all is one table, whose
    every row counts; else rows of one cell at most are layout. ``lists``: the depth of an outermost item.
    Running heads and feet, page numbers and pictures are left out: they are not what the document says.
    """
    part = _Part(draft, parts)
    listed = False
    for element in elements:
        text = element.text or ""
        if element.category in _LEFT_OUT or not text.strip():
            continue
        part.enter(element.metadata)
        if listed and element.category != "ListItem":
            draft.gap()
        listed = element.category == "ListItem"
        if element.category == "Title":
            draft.heading(min(element.metadata.category_depth or 0, _DEEPEST - 1) + 1, text)
        elif element.category == "Table" and element.metadata.text_as_html:
            _write_table(table_rows(element.metadata.text_as_html), draft, grid=grid)
        elif listed:
            draft.line(_item(text, (element.metadata.category_depth or lists) - lists))
        else:
            draft.gap()
            draft.line(hide(text) if wholly(text) else text)
            draft.gap()
    part.leave()
    draft.end_sections()


def table_rows(markup: str) -> list[list[str]]:
    """Return the cells of a table; the places that one spans besides its first are empty cells."""
    below: dict[int, int] = {}
    rows = []
    for row in html.fragment_fromstring(markup, create_parent="div").iter("tr"):
        cells: list[str] = []
        _skip(cells, below)
        for cell in row.iterchildren("td", "th"):
            wide, high = _span(cell.get("colspan")), _span(cell.get("rowspan"))
            for place in range(len(cells), len(cells) + wide):
                if high > 1:
                    below[place] = high - 1
            cells += [" ".join(cell.itertext()), *[""] * (wide - 1)]
            _skip(cells, below)
        rows.append(cells)
    return rows


def _skip(cells: list[str], below: dict[int, int]) -> None:
    """Add empty cells where one of a row above reaches down."""
    while left := below.get(len(cells), 0):
        below[len(cells)] = left - 1
        cells.append("")


def _span(text: str | None) -> int:
    return max(1, min(int(text), _WIDEST)) if text and text.isdecimal() and len(text) < 9 else 1


def _write_table(rows: Sequence[Sequence[str]], draft: Draft, *, grid: bool) -> None:
    if grid or any(sum(bool(cell.strip()) for cell in row) > 1 for row in rows):
        draft.table(enumerate(rows, start=1))
        return
    draft.gap()
    for row in rows:
        draft.line(" ".join(" ".join(row).split()))
    draft.gap()


def _item(text: str, depth: int) -> str:
    """Return a line of a list; a number that the text brings along is its sign."""
    head = text.lstrip()
    sign = "" if head[:1].isdecimal() and head.split()[0][-1:] in ".)" else "- "
    line = "  " * max(0, min(depth, _DEEPEST)) + sign + head
    return hide(line) if wholly(text) else line


class _Part:
    """The page, slide or sheet that is being written; one without text leaves no anchor."""

    def __init__(self, draft: Draft, kind: AnchorKind) -> None:
        self._draft = draft
        self._kind: AnchorKind = kind
        self._label = ""
        self._start = 0

    def enter(self, where: _Metadata) -> None:
        """Go to where an element stands; what tells no place goes on where it is."""
        told = where.page_name if self._kind == "sheet" else where.page_number
        label = "" if told is None else str(told)
        if label and label != self._label:
            self.leave()
            self._label, self._start = label, self._draft.position

    def leave(self) -> None:
        """End the part; slides and sheets end the sections in them, a page does not."""
        if self._kind != "page":
            self._draft.end_sections()
        if self._label:
            self._draft.mark(self._kind, self._label, self._start)
        self._draft.gap()
