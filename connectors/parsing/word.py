"""Word files: body in document order, headings by style or outline level, tables as rows."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connectors.parsing.draft import Draft
from connectors.parsing.hidden import hide, unmarked, wholly
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
_TINY_HALF_POINTS = 2
_WHITE = re.compile("(?:f[b-f]){3}", re.IGNORECASE)
_GROUNDS = frozenset({_W + "tc", _W + "txbxContent"})


def read_word(data: bytes) -> Draft:
    """Read a docx: paragraphs, headings, lists, tables, content controls, text boxes, footnotes."""
    import docx

    document = docx.Document(io.BytesIO(data))
    draft = Draft(named("python-docx") + " docx/2")
    draft.title = document.core_properties.title or ""
    walk = _Body(draft, _levels(document), Ink.of(document))
    walk.blocks(document.element.body)
    draft.end_sections()
    for note in _notes(document, walk.ink):
        draft.line(note)
    for comment in _comments(document):
        draft.line(hide(comment))
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

    def __init__(self, draft: Draft, levels: dict[str, int], ink: "Ink") -> None:
        self._draft = draft
        self._levels = levels
        self.ink = ink

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
        text = paragraph_text(element, self.ink)
        level, listed = self._properties(element)
        if not text.strip():
            self._draft.gap()
        elif level:
            self._draft.heading(level, text)
        elif listed:
            self._draft.line(hide("- " + text) if wholly(text) else "- " + text)
        else:
            if level == 0 and not self._draft.title and not wholly(text):
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
        rows = (_cells(row, self.ink) for row in _within(element, _W + "tr"))
        self._draft.table(enumerate(rows, start=1))


def _cells(row: Any, ink: "Ink") -> list[str]:
    """Return the cells of a row; one that spans columns is followed by empty ones, to keep the columns."""
    cells: list[str] = []
    hidden = row_hidden(row)
    for cell in _within(row, _W + "tc"):
        span = cell.find(f"{_W}tcPr/{_W}gridSpan")
        columns = (span.get(_W + "val") or "1") if span is not None else "1"
        cells += [
            hide(_cell_text(cell, ink)) if hidden else _cell_text(cell, ink),
            *[""] * (int(columns) - 1 if columns.isdecimal() and len(columns) < 3 else 0),
        ]
    return cells


def row_hidden(row: Any) -> bool:
    """Tell whether a row of a table is hidden as a whole."""
    return _on(row.find(f"{_W}trPr/{_W}hidden"))


def _within(parent: Any, tag: str) -> Iterator[Any]:
    """Give the children with ``tag``, those inside content controls too, in order."""
    for element in parent:
        if element.tag == tag:
            yield element
        elif element.tag in _WRAPPERS:
            yield from _within(element, tag)


def _cell_text(cell: Any, ink: "Ink") -> str:
    """Return a cell as one line; a table inside it is read as text."""
    return " ".join(paragraph_text(paragraph, ink) for paragraph in cell.iter(_W + "p"))


def paragraph_text(element: Any, ink: "Ink") -> str:
    """Return the text of a paragraph: insertions in, deletions and field codes out, hidden runs marked."""
    parts: list[str] = []
    _gather(element, parts, ink, ink.style(element.find(f"{_W}pPr/{_W}pStyle")))
    return "".join(parts)


def _gather(element: Any, parts: list[str], ink: "Ink", unseen: bool) -> None:  # noqa: FBT001 - inherited
    for child in element:
        if child.tag == _W + "t":
            parts.append(unmarked(child.text or ""))
        elif child.tag in _SIGNS:
            parts.append(_SIGNS[child.tag])
        elif child.tag == _W + "r" and ink.unseen(child.find(_W + "rPr"), unseen=unseen):
            inside: list[str] = []
            _gather(child, inside, ink, unseen)
            text = "".join(inside)
            parts.append(hide(text) if text.strip() else text)
        elif child.tag not in _GONE and child.tag != _W + "txbxContent":
            _gather(child, parts, ink, unseen)


@dataclass(frozen=True, slots=True)
class Ink:
    """Which text of a document is printed so that nobody would see it.

    Hidden by its format (``vanish``) or a point high at most, by the run itself or by one of ``styles``, the
    ids of the styles that say so, those that build on them included. Or white by the run itself, where
    nothing that could be a ground is around it: no shading, no table, no text box.
    """

    styles: frozenset[str]

    @classmethod
    def of(cls, document: "WordDocument") -> "Ink":
        """Read the styles of a document."""
        found: set[str] = set()
        parents: dict[str, str] = {}
        for style in document.styles.element.iter(_W + "style"):
            key, base = style.get(_W + "styleId") or "", style.find(_W + "basedOn")
            parents[key] = (base.get(_W + "val") or "") if base is not None else ""
            if _small_or_gone(style.find(_W + "rPr")):
                found.add(key)
        for key, parent in parents.items():
            above, seen = parent, {key}
            while above and above not in seen:
                if above in found:
                    found.add(key)
                seen.add(above)
                above = parents.get(above, "")
        return cls(frozenset(found))

    def style(self, named: Any) -> bool:
        """Tell whether a reference to a style names one of them."""
        return named is not None and named.get(_W + "val") in self.styles

    def unseen(self, properties: Any, *, unseen: bool) -> bool:
        """Tell whether a run with these properties is unseen; ``unseen``: its paragraph's style says so."""
        if properties is None:
            return unseen
        vanish = properties.find(_W + "vanish")
        if vanish is not None and not _on(vanish):
            return False
        named = self.style(properties.find(_W + "rStyle"))
        return unseen or named or _small_or_gone(properties) or _white_on_nothing(properties)


def _small_or_gone(properties: Any) -> bool:
    if properties is None:
        return False
    size = properties.find(_W + "sz")
    half_points = (size.get(_W + "val") or "") if size is not None else ""
    return _on(properties.find(_W + "vanish")) or (
        half_points.isdecimal() and int(half_points) <= _TINY_HALF_POINTS
    )


def _white_on_nothing(properties: Any) -> bool:
    colour = properties.find(_W + "color")
    if colour is None or not _WHITE.fullmatch(colour.get(_W + "val") or ""):
        return False
    shaded = any(properties.find(_W + name) is not None for name in ("shd", "highlight"))
    return not shaded and not any(
        above.tag in _GROUNDS or above.find(f"{_W}pPr/{_W}shd") is not None
        for above in properties.iterancestors()
    )


def _on(switch: Any) -> bool:
    """Tell whether a switch of Word's is there and not turned off."""
    return switch is not None and (switch.get(_W + "val") or "1").lower() not in ("0", "false", "off")


def _comments(document: "WordDocument") -> Iterator[str]:
    """Give the comments of reviewers, each with its author."""
    from docx.oxml import parse_xml

    for part in document.part.package.iter_parts():
        if str(part.partname).rsplit("/", 1)[-1] != "comments.xml":
            continue
        for comment in parse_xml(part.blob).iter(_W + "comment"):
            shown = (paragraph_text(paragraph, Ink(frozenset())) for paragraph in comment.iter(_W + "p"))
            text = " ".join(shown).strip()
            if text:
                yield f"Comment by {comment.get(_W + 'author') or 'nobody'}: {text}"


def _notes(document: "WordDocument", ink: Ink) -> Iterator[str]:
    """Give the footnotes, then the endnotes, each with its number."""
    from docx.oxml import parse_xml

    for part in document.part.package.iter_parts():
        kind = str(part.partname).rsplit("/", 1)[-1]
        if kind not in ("footnotes.xml", "endnotes.xml"):
            continue
        for note in parse_xml(part.blob):
            number = note.get(_W + "id") or ""
            text = " ".join(paragraph_text(paragraph, ink) for paragraph in note.iter(_W + "p")).strip()
            if text and note.get(_W + "type") in (None, "normal"):
                yield f"[{number}] {text}"
