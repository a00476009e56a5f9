"""Hidden text of a file, marked inside the file itself, for a parser that does not tell what is hidden.

The marks (see ``hidden``) are characters that pass through such a parser; marks that the file itself holds
are taken out first.
"""

import io
from html import escape
from html.parser import HTMLParser

from connectors.parsing.hidden import hide, unmarked
from connectors.parsing.sight import Sight, told
from connectors.parsing.word import Ink, row_hidden

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_RAW = frozenset({"script", "style"})


def veiled_page(page: str) -> tuple[str, str]:
    """Return a page whose hidden text is marked, with its title; everything else stays as it is."""
    marker = _Marker()
    marker.feed(unmarked(page))
    marker.close()
    return "".join(marker.parts), " ".join(marker.title.split())


class _Marker(HTMLParser):
    """Writes a page again as it comes, but for its title, which is kept apart."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.title = ""
        self._sight = Sight()
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._sight.enter(tag, dict(attrs))
        self.parts.append(self.get_starttag_text() or "")
        if tag in _RAW or (tag == "title" and not self.title):
            self._inside = tag
        elif tag == "body":
            # What ends a head, and a title, whose end tags were left out.
            self._sight.leave("head")
            self._inside = ""

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # In HTML a slash closes only void elements.
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        self._sight.leave(tag)
        self.parts.append(f"</{tag}>")
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "title":
            self.title += data
        elif self._inside == "style":
            self._sight.learn(data)
        if self._inside in _RAW:
            self.parts.append(data)
            return
        # A reference may have stood for a mark.
        text = unmarked(data)
        unseen = self._sight.unseen and text.strip() and not self._inside
        self.parts.append(escape(hide(text) if unseen else text, quote=False))

    def handle_comment(self, data: str) -> None:
        if told(data):
            self.parts.append(escape(hide(" " + " ".join(data.split()) + " "), quote=False))

    def handle_decl(self, decl: str) -> None:
        self.parts.append(f"<!{decl}>")


def veiled_word(data: bytes) -> tuple[bytes, str]:
    """Return a docx whose hidden runs are marked, with the title that it gives itself."""
    import docx

    document = docx.Document(io.BytesIO(data))
    ink = Ink.of(document)
    changed = False
    for paragraph in document.element.body.iter(_W + "p"):
        gone = any(row_hidden(row) for row in paragraph.iterancestors(_W + "tr"))
        unseen = ink.style(paragraph.find(f"{_W}pPr/{_W}pStyle"))
        for run in paragraph.iter(_W + "r"):
            veil = gone or ink.unseen(run.find(_W + "rPr"), unseen=unseen)
            for piece in run.iter(_W + "t"):
                bare = unmarked(piece.text or "")
                text = hide(bare) if veil and bare.strip() else bare
                changed = changed or text != (piece.text or "")
                piece.text = text
    title = document.core_properties.title or ""
    if not changed:
        return data, title
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue(), title
