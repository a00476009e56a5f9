"""HTML and Markdown -> what a reader of the page sees, with headings and table rows.

One walker serves both: Markdown is rendered to HTML first (CommonMark and tables), so HTML inside
Markdown needs nothing of its own.
"""

import re
from html.parser import HTMLParser

from connectors.parsing.draft import Draft
from connectors.parsing.front_matter import TAGS, front_matter
from connectors.parsing.hidden import hide, unmarked, wholly
from connectors.parsing.markdown_lines import ATTRIBUTE, lines_of, numbered
from connectors.parsing.plain import decode
from connectors.parsing.sight import Sight, told
from connectors.parsing.versions import named

_SKIPPED = frozenset("script style template noscript svg math object iframe select datalist head".split())
_VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())
_BLOCKS = frozenset(
    "address article aside blockquote body center dd details dialog dl dt fieldset figcaption figure footer"
    " form header hgroup html legend main nav p section summary option caption thead tbody tfoot".split()
)
_IN_HEAD = frozenset("title meta link base script style noscript template".split())
_LEVELS = {f"h{level}": level for level in range(1, 7)}
_WIDEST = 50
_HEADING_ID = re.compile(r"^(#{1,6}[ \t].*?)[ \t]*\{#[\w.:-]+\}[ \t]*$", re.MULTILINE)


def read_html(data: bytes, *, declared: str = "") -> Draft:
    """Read a page: text in source order, scripts, styles and forms' choices left out, hidden text marked."""
    draft = Draft("html/2")
    walk(decode(data, declared=declared, says_itself=True), draft)
    return draft


def read_markdown(data: bytes, *, declared: str = "", lines: bool = False) -> Draft:
    """Read Markdown as its reader sees it; front matter gives its title and nothing else.

    ``lines`` notes those of the file.
    """
    from markdown_it import MarkdownIt

    draft = Draft(named("markdown-it-py") + " markdown/2")
    text = file = decode(data, declared=declared)
    if front := front_matter(text):
        draft.title = front[0]
        # Only a generator's page has front matter; elsewhere such a tag may be what the text is about.
        text = TAGS.sub("", text[front[1] :])
    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    text = _HEADING_ID.sub(r"\1", text)
    if lines:
        where = lines_of(file, front[1], TAGS) if front else lines_of(file, 0, None)
        walk(numbered(reader, text, where), draft, lines=True)
    else:
        walk(reader.render(text), draft)
    return draft


def walk(page: str, draft: Draft, *, lines: bool = False) -> None:
    """Write the visible text of a page or a fragment into ``draft``; ``lines``: its elements tell theirs."""
    walker = _Walker(draft, lines=lines)
    walker.feed(page)
    walker.close()
    walker.finish()


class _Walker(HTMLParser):
    """Turns the events of a page into lines, headings and rows; unclosed and stray tags do no harm."""

    def __init__(self, draft: Draft, *, lines: bool) -> None:
        super().__init__(convert_charrefs=True)
        self._draft = draft
        self._numbered = lines
        self._text: list[str] = []
        self._skip: list[str] = []
        self._in_title = False
        self._pre = 0
        self._prefix = ""
        self._lists: list[int | None] = []
        self._level = 0
        self._tables: list[_Table] = []
        self._sight = Sight()
        self._noted: list[tuple[int, int]] = []

    def finish(self) -> None:
        """Write what is still open at the end of the page."""
        while self._tables:
            self._end_table()
        self._end_block()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._skip == ["head"] and tag not in _IN_HEAD:
            # Its end tag may be left out: the first thing that a head cannot hold ends it.
            self._skip.clear()
            self._sight.leave("head")
        self._sight.enter(tag, dict(attrs))
        if tag == "title" and not self._draft.title and "svg" not in self._skip:
            self._in_title = True
        elif tag == "body":
            self._skip.clear()
        elif tag in _SKIPPED:
            self._skip.append(tag)
        elif not self._skip and tag == "br":
            self._text.append("\n")
        elif not self._skip and tag not in _VOID:
            self._start(tag, dict(attrs))
            self._note(dict(attrs).get(ATTRIBUTE))
        elif not self._skip and tag == "wbr":
            self._note(dict(attrs).get(ATTRIBUTE))
        elif not self._skip and tag == "hr":
            self._end_block()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # In HTML a slash closes only void elements; elsewhere `<p/>` opens. Skipped ones end, as in XHTML.
        if tag not in _SKIPPED and tag != "title":
            self.handle_starttag(tag, attrs)

    def _note(self, line: str | None) -> None:
        if self._numbered and line and line.isdecimal():
            if self._tables:
                self._tables[-1].lines.setdefault(len(self._tables[-1].rows) + 1, int(line))
            else:
                self._noted.append((len(self._text), int(line)))

    def _start(self, tag: str, attrs: dict[str, str | None]) -> None:
        if tag in _LEVELS:
            self._end_block()
            self._level = 0 if self._tables else _LEVELS[tag]
        elif tag == "pre":
            self._end_block()
            self._pre += 1
        elif tag in ("ul", "ol", "menu", "dir"):
            self._end_block(tight=bool(self._lists))
            self._lists.append(_number(attrs.get("start")) if tag == "ol" else None)
        elif tag == "li":
            self._end_block(tight=True)
            self._prefix = self._item_prefix()
        elif tag == "table":
            self._end_block()
            self._tables.append(_Table())
        elif tag == "tr" and self._tables:
            self._end_row()
        elif tag in ("td", "th") and self._tables:
            self._end_cell()
            self._tables[-1].cell = True
            self._tables[-1].span = min(_number(attrs.get("colspan")), _WIDEST)
        elif tag in _BLOCKS or tag == "div":
            self._end_block(tight=bool(self._prefix) or tag in ("div", "dd", "dt", "option"))

    def handle_comment(self, data: str) -> None:
        if not self._skip and told(data):
            self._text.append(hide(" " + " ".join(data.split()) + " "))

    def handle_endtag(self, tag: str) -> None:
        self._sight.leave(tag)
        if tag == "title" and self._in_title:
            self._in_title = False
        elif tag in self._skip:
            del self._skip[len(self._skip) - 1 - self._skip[::-1].index(tag) :]
        elif not self._skip:
            self._end(tag)

    def _end(self, tag: str) -> None:
        if tag in _LEVELS or tag in _BLOCKS:
            self._end_block()
        elif tag == "pre":
            self._end_block()
            self._pre = max(0, self._pre - 1)
        elif tag in ("ul", "ol", "menu", "dir") and self._lists:
            self._end_block(tight=True)
            self._lists.pop()
            if not self._lists:
                self._end_block()
        elif tag in ("li", "div"):
            self._end_block(tight=True)
        elif tag in ("td", "th") and self._tables:
            self._end_cell()
        elif tag == "tr" and self._tables:
            self._end_row()
        elif tag == "table" and self._tables:
            self._end_table()

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self._draft.title += unmarked(data)
        elif self._skip[-1:] == ["style"]:
            self._sight.learn(data)
        elif not self._skip:
            text = unmarked(data if self._pre else re.sub(r"[ \t\r\n\f]+", " ", data))
            self._text.append(hide(text) if self._sight.unseen and text.strip() else text)

    def _item_prefix(self) -> str:
        depth = "  " * (len(self._lists) - 1)
        number = self._lists[-1] if self._lists else None
        if number is None:
            return depth + "- "
        self._lists[-1] = number + 1
        return f"{depth}{number}. "

    def _end_block(self, *, tight: bool = False) -> None:
        """Write the text gathered so far as a heading, a list item or a paragraph; none writes only a gap."""
        if self._tables:
            self._text.append("\n")
            return
        text = "".join(self._text)
        if not self._pre:
            text = _collapsed(text)
        if text.strip() and self._level:
            self._tell_lines(0)
            self._draft.heading(self._level, text)
        elif text.strip():
            indent = "  " * len(self._lists) if self._lists and not self._prefix else ""
            line = self._prefix + indent + text.strip("\n")
            self._tell_lines(len(self._prefix + indent))
            self._draft.line(hide(line) if wholly(text) else line)
            self._prefix = ""
        self._text.clear()
        if not tight:
            self._draft.gap()
        self._level = 0

    def _tell_lines(self, prefix: int) -> None:
        """Hand over the lines noted for the text gathered so far."""
        if self._pre and self._noted:
            text = "".join(self._text)
            line = self._noted[-1][1] + len(text) - len(text.lstrip("\n"))
            for number, offset in enumerate(_line_starts(text.strip("\n"))):
                self._draft.stands_at(line + number, offset=prefix + offset if offset else 0)
        else:
            before = last = 0
            for pieces, line in self._noted:
                part = _collapsed("".join(self._text[last:pieces]))
                before += len(part) + 1 if part else 0
                last = pieces
                self._draft.stands_at(line, offset=prefix + before if before else 0)
        self._noted.clear()

    def _end_cell(self) -> None:
        table = self._tables[-1]
        if table.cell or "".join(self._text).strip():
            # Empty cells after one that spans columns keep the columns in line.
            table.cells += ["".join(self._text), *[""] * (table.span - 1)]
        table.cell, table.span = False, 1
        self._text.clear()

    def _end_row(self) -> None:
        self._end_cell()
        table = self._tables[-1]
        if table.cells:
            table.rows.append(tuple(table.cells))
            table.cells.clear()

    def _end_table(self) -> None:
        """Write a table: rows with one filled cell at most are layout and become paragraphs."""
        self._end_row()
        table = self._tables.pop()
        rows, lines = table.rows, table.lines
        if self._tables:
            # A table inside a cell is read as that cell's text.
            self._text.append("\n".join(" ".join(row) for row in rows))
            return
        layout = all(sum(bool(cell.strip()) for cell in row) <= 1 for row in rows)
        if not layout:
            self._draft.table(enumerate(rows, start=1), lines=lines)
            return
        self._draft.gap()
        for line in "\n".join("".join(row) for row in rows).split("\n"):
            self._draft.line(" ".join(line.split()))
        self._draft.gap()


class _Table:
    """The rows of a table that is being read."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, ...]] = []
        self.cells: list[str] = []
        self.cell = False
        self.span = 1
        self.lines: dict[int, int] = {}


def _line_starts(text: str) -> list[int]:
    return [0, *(match.end() for match in re.finditer("\n", text))]


def _collapsed(text: str) -> str:
    return "\n".join(line.strip() for line in re.sub(" {2,}", " ", text).split("\n")).strip()


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 9 else 1
