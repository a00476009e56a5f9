"""What a format's reader writes: raw text with open and closed anchors, made canonical at the end."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from connectors.canonical import Canonical, canonical
from connectors.documents import Anchor, AnchorKind, Document
from connectors.items import Raw
from connectors.lines import LINE, kept
from connectors.parsing.hidden import Hidden, hide, regions, visible, wholly

CELLS = " | "
_FILE_NAME = re.compile(r"\S+\.[A-Za-z]{2,5}\d?")
_FIGURE = re.compile(r"[-+(]*[$€£¥]?\s?\d[\d,.\s]*%?\)?")
_BREAKS = re.compile("\r\n|[\n\r\v\f\x85\u2028\u2029]")
_GENERIC_TITLES = frozenset(
    "untitled,untitled document,document,document1,word document,powerpoint presentation,presentation,"
    "slide 1,workbook,book1,title,none,null".split(",")
)


class Draft:
    """Collects lines and anchors in reading order.

    ``title`` and ``modified`` are what the file itself says; the source's word goes before them.
    """

    def __init__(self, parser: str) -> None:
        self.parser = parser
        self.title = ""
        self.modified: str | None = None
        self._parts: list[str] = []
        self._length = 0
        self._anchors: list[Anchor] = []
        self._sections: list[tuple[int, str, int]] = []
        self._first_heading = ""
        self._noted: list[tuple[int, int]] = []
        self._next: list[tuple[int, int]] = []

    @property
    def position(self) -> int:
        """The raw position that the next character gets."""
        return self._length

    def write(self, text: str) -> None:
        """Append text as it is."""
        self._parts.append(text)
        self._length += len(text)

    def line(self, text: str) -> None:
        """Append one line; canonical text has no white space at its end."""
        self._noted += [(self._length + offset, line) for offset, line in self._next]
        self._next.clear()
        self.write(text + "\n")

    def stands_at(self, line: int, *, offset: int = 0) -> None:
        """Note that what ``line`` appends next stands in that line of the file, from ``offset`` on."""
        self._next.append((offset, line))

    def stands_verbatim(self) -> None:
        """Note that what was written is the file's own text, whose lines end in line feeds."""
        raw = "".join(self._parts)
        number = 1
        self._noted.append((0, 1))
        for match in _BREAKS.finditer(raw):
            # What else breaks a line in canonical text breaks none in the file.
            number += "\n" in match[0]
            self._noted.append((match.end(), number))

    def gap(self) -> None:
        """Append a blank line; several become one."""
        self.write("\n")

    def mark(self, kind: AnchorKind, label: str, start: int, end: int | None = None) -> None:
        """Add an anchor from ``start`` to ``end``, by default to here."""
        self._anchors.append(Anchor(kind, label, start, self._length if end is None else end))

    def heading(self, level: int, text: str) -> None:
        """Start a section: it lasts until the next heading of its level or a higher one (1 is highest).

        One that is hidden as a whole is a hidden line, and starts nothing.
        """
        if wholly(text):
            self.line(hide(text))
            return
        self.end_sections(level)
        self.gap()
        label = " ".join(visible(text).split())
        self._first_heading = self._first_heading or label
        self._sections.append((level, label, self._length))
        self.line(" ".join(text.split()))
        self.gap()

    def end_sections(self, level: int = 0) -> None:
        """Close the open sections whose level is ``level`` or deeper; all by default."""
        while self._sections and self._sections[-1][0] >= level:
            _, label, start = self._sections.pop()
            self.mark("heading", label, start)

    def row(self, cells: Iterable[str], number: int) -> None:
        """Append one row of a table as one line, cells joined by `` | ``; an empty row writes nothing."""
        line = CELLS.join(" ".join(cell.split()) for cell in cells)
        line = line.rstrip(" |")
        if line and wholly(line.replace(CELLS.strip(), "")):
            self.line(hide(line))
        elif line:
            start = self._length
            self.line(line)
            self.mark("row", str(number), start, self._length - 1)

    def table(
        self, rows: Iterable[tuple[int, Sequence[str]]], *, lines: Mapping[int, int] | None = None
    ) -> None:
        """Append a table of (row number, cells), set off by blank lines; ``lines``: of rows, in the file.

        Lines of one cell above it are its caption and stay apart, so that the first row of a run is the
        header; after an empty row, a row of names alone begins a table of its own.
        """
        self.gap()
        headed, previous = False, 0
        for number, cells in rows:
            filled = [cell.strip() for cell in cells if cell.strip()]
            apart = number > previous + 1 and not any(_FIGURE.fullmatch(cell) for cell in filled)
            if len(filled) > 1 and (not headed or apart):
                self.gap()
                headed = True
            if filled:
                if lines and number in lines:
                    self.stands_at(lines[number])
                self.row(cells, number)
                previous = number
        self.gap()

    def document(self, raw: Raw, *, hidden: Hidden = "drop") -> Document:
        """Return the canonical document: anchors mapped, trimmed of white space, the empty ones dropped."""
        self.end_sections()
        written = "".join(self._parts)
        unseen = [span for span in regions(written) if written[span[0] + 1 : span[1] - 1].strip()]
        form = canonical(written, without=regions(written) if hidden == "drop" else ())
        anchors = (
            _trimmed(form.text, anchor, form.map(anchor.start), form.map(anchor.end))
            for anchor in self._anchors
        )
        whole = {anchor for anchor in anchors if anchor.start < anchor.end}
        asked = raw.link is not None and LINE in raw.link
        return Document(
            item=raw.item,
            title=_one_line(raw.title or "") or self._own_title() or _one_line(stem(raw.name)),
            text=form.text,
            anchors=tuple(sorted(whole, key=lambda a: (a.start, -a.end, a.kind, a.label))),
            parser=self.parser,
            link=raw.link,
            modified=raw.modified or self.modified,
            author=_one_line(raw.author or "") or None,
            hidden=tuple(_spans(form, unseen)) if hidden == "flag" else (),
            dropped=len(unseen) if hidden == "drop" else 0,
            lines=kept(((form.map(at), line) for at, line in self._noted), form.text) if asked else (),
        )

    def _own_title(self) -> str:
        title = _one_line(visible(self.title))
        for program in ("Microsoft Word - ", "Microsoft PowerPoint - "):
            title = title.removeprefix(program)
        # A bare number or the name of the file it was printed from tells a reader nothing.
        told = any(char.isalpha() for char in title) and not _FILE_NAME.fullmatch(title)
        return title if told and title.lower() not in _GENERIC_TITLES else _one_line(self._first_heading)


def stem(name: str) -> str:
    """Return the last part of a path without its suffix; a name that is all suffix stays."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return last.rsplit(".", 1)[0] or last


def _spans(form: Canonical, unseen: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Give the canonical spans of what is hidden; those that only white space parts are one."""
    last: tuple[int, int] | None = None
    for start, end in unseen:
        span = form.map(start), form.map(end)
        if last is not None and not form.text[last[1] : span[0]].strip():
            last = last[0], span[1]
            continue
        if last is not None and last[0] < last[1]:
            yield last
        last = span
    if last is not None and last[0] < last[1]:
        yield last


def _one_line(text: str) -> str:
    return " ".join(canonical(text).text.split())[:300]


def _trimmed(text: str, anchor: Anchor, start: int, end: int) -> Anchor:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return replace(anchor, label=_one_line(anchor.label), start=start, end=end)
