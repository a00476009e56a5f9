"""Which line of a Markdown file each block, and each line within one, of the rendered page comes from."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

ATTRIBUTE = "data-line"
_NEW_LINE = re.compile(r"\r\n?|\n")


def lines_of(file: str, start: int, tags: re.Pattern[str] | None) -> list[int]:
    """Return, for each line that Markdown's reader sees from ``start`` on, its line in the file, from 1.

    ``tags`` are taken out before, with the line breaks that they hold.
    """
    number, at = file.count("\n", 0, start) + 1, start
    found: list[int] = []
    taken = tags.finditer(file, start) if tags is not None else ()
    for tag in (*taken, None):
        found += [number] if not found else []
        for match in _NEW_LINE.finditer(file, at, len(file) if tag is None else tag.start()):
            number += "\n" in match[0]
            found.append(number)
        if tag is not None:
            number += tag[0].count("\n")
            at = tag.end()
    return found


def numbered(reader: "MarkdownIt", text: str, lines: Sequence[int]) -> str:
    """Return Markdown rendered to HTML whose blocks, and lines within them, carry their line of the file."""
    tokens = reader.parse(text)
    for token in tokens:
        if token.map is None or token.nesting < 0:
            continue
        first = token.map[0]
        if token.type == "inline":
            _number_breaks(token.children or [], lines[first:])
        elif token.type != "html_block":
            # The first line of a fence is the fence itself.
            token.attrSet(ATTRIBUTE, str(lines[min(first + (token.type == "fence"), len(lines) - 1)]))
    rendered: str = reader.renderer.render(tokens, reader.options, {})
    return rendered


def _number_breaks(children: "Sequence[Token]", lines: Sequence[int]) -> None:
    """Make each line break of a paragraph one that says which line follows; what is seen stays the same."""
    passed = 0
    for child in children:
        if child.type in ("softbreak", "hardbreak"):
            passed += 1
            if passed < len(lines):
                mark = f'<wbr {ATTRIBUTE}="{lines[passed]}">'
                child.content = ("<br />" if child.type == "hardbreak" else "") + "\n" + mark
                child.type = "html_inline"
