"""Word files: body in document order, headings by style or outline level, tables as rows."""

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from connectors.parsing.draft import Draft
from connectors.parsing.versions import named

if TYPE_CHECKING:
    from docx.document import Document as WordDocument

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_SIGNS = {
    _W + "tab": "\t",
    _W + "br": "\n",
    _W + "cr": "\n",
    _W + "noBreakHyphen": "-",
    _W + "softHyphen": "\u00ad",
}
# Deleted and moved-away text is not in the document any more; fallbacks repeat what stands beside them.
_GONE = frozenset({_W + "del", _W + "moveFrom", _MC + "Fallback", _W + "pPr", _W + "rPr", _W + "tbl"})
_WRAPPERS = frozenset(_W + name for name in ("sdt", "sdtContent", "customXml", "ins", "moveTo", "smartTag"))
_DEEPEST = 9


def read_word(data: bytes) -> Draft:
    """Read a docx: paragraphs, headings, lists, tables, content controls, text boxes, footnotes."""
    import docx

    document = docx.Document(io.BytesIO(data))
    draft = Draft(named("python-docx") + " docx/1")
    draft.title = document.core_properties.title or ""
    walk = _Body(draft, _levels(document))
    walk.blocks(document.element.body)
    draft.end_sections()
    for note in _notes(document):
        draft.line(note)
    return draft


def _levels(document: "WordDocument") -> dict[str, int]:
    """Return the heading level of each style id: 0 is the title, 1 the highest heading."""
    levels: dict[str, int] = {}
    for style in document.styles.element.iter(_W + "style"):
        name = style.find(_W + "name")
        shown = (name.get(_W + "val") if name is not None else "") or ""
        words = shown.lower().split()
        outline = style.find(f"{_W}pPr/{_W}outlineLvl")
        key = style.get(_W + "styleId") or ""
        if shown.lower() == "title":
            levels[key] = 0
        elif len(words) == 2 and words[0] == "heading" and words[1].isdecimal():
            levels[key] = int(words[1])
        elif outline is not None and (outline.get(_W + "val") or "9").isdecimal():
            levels[key] = int(outline.get(_W + "val") or 9) + 1
    for style in document.styles.element.iter(_W + "style"):
        base, key = style.find(_W + "basedOn"), style.get(_W + "styleId") or ""
        if base is not None and key not in levels and levels.get(base.get(_W + "val") or "", 0) > 0:
            levels[key] = levels[base.get(_W + "val") or ""]
    return {key: level for key, level in levels.items() if level <= _DEEPEST}


class _Body:
    """Walks the blocks of a body; tables are numbered by their own rows."""

    def __init__(self, draft: Draft, levels: dict[str, int]) -> None:
        self._draft = draft
        self._levels = levels

    def blocks(self, parent: Any) -> None:
        """Write every paragraph and table of ``parent``, looking into content controls."""
        for element in parent:
            if element.tag == _W + "p":
                self._paragraph(element)
            elif element.tag == _W + "tbl":
                self._table(element)
            elif element.tag in _WRAPPERS:
                self.blocks(element)

    def _paragraph(self, element: Any) -> None:
        text = paragraph_text(element)
        level, listed = self._properties(element)
        if not text.strip():
            self._draft.gap()
        elif level:
            self._draft.heading(level, text)
        elif listed:
            self._draft.line("- " + text)
        else:
            if level == 0 and not self._draft.title:
                self._draft.title = text
            self._draft.line(text)
            self._draft.gap()
        for box in element.iter(_W + "txbxContent"):
            if not any(above.tag == _MC + "Fallback" for above in box.iterancestors()):
                self.blocks(box)

    def _properties(self, element: Any) -> tuple[int | None, bool]:
        properties = element.find(_W + "pPr")
        if properties is None:
            return None, False
        style, outline = properties.find(_W + "pStyle"), properties.find(_W + "outlineLvl")
        level = self._levels.get(style.get(_W + "val") or "") if style is not None else None
        own = (outline.get(_W + "val") or "") if outline is not None else ""
        if own.isdecimal() and int(own) < _DEEPEST:
            level = int(own) + 1
        named = style is not None and (style.get(_W + "val") or "").lower().startswith("list")
        return level, named or properties.find(_W + "numPr") is not None

    def _table(self, element: Any) -> None:
        rows = (_cells(row) for row in _within(element, _W + "tr"))
        self._draft.table(enumerate(rows, start=1))


def _cells(row: Any) -> list[str]:
    """Return the cells of a row; one that spans columns is followed by empty ones, to keep the columns."""
    cells: list[str] = []
    for cell in _within(row, _W + "tc"):
        span = cell.find(f"{_W}tcPr/{_W}gridSpan")
        columns = (span.get(_W + "val") or "1") if span is not None else "1"
        cells += [
            _cell_text(cell),
            *[""] * (int(columns) - 1 if columns.isdecimal() and len(columns) < 3 else 0),
        ]
    return cells


def _within(parent: Any, tag: str) -> Iterator[Any]:
    """Give the children with ``tag``, those inside content controls too, in order."""
    for element in parent:
        if element.tag == tag:
            yield element
        elif element.tag in _WRAPPERS:
            yield from _within(element, tag)


def _cell_text(cell: Any) -> str:
    """Return a cell as one line; a table inside it is read as text."""
    return " ".join(paragraph_text(paragraph) for paragraph in cell.iter(_W + "p"))


def paragraph_text(element: Any) -> str:
    """Return the text of a paragraph as printed: insertions in, deletions and field codes out."""
    parts: list[str] = []
    _gather(element, parts)
    return "".join(parts)


def _gather(element: Any, parts: list[str]) -> None:
    for child in element:
        if child.tag == _W + "t":
            parts.append(child.text or "")
        elif child.tag in _SIGNS:
            parts.append(_SIGNS[child.tag])
        elif child.tag not in _GONE and child.tag != _W + "txbxContent":
            _gather(child, parts)


def _notes(document: "WordDocument") -> Iterator[str]:
    """Give the footnotes, then the endnotes, each with its number."""
    from docx.oxml import parse_xml

    for part in document.part.package.iter_parts():
        kind = str(part.partname).rsplit("/", 1)[-1]
        if kind not in ("footnotes.xml", "endnotes.xml"):
            continue
        for note in parse_xml(part.blob):
            number = note.get(_W + "id") or ""
            text = " ".join(paragraph_text(paragraph) for paragraph in note.iter(_W + "p")).strip()
            if text and note.get(_W + "type") in (None, "normal"):
                yield f"[{number}] {text}"
