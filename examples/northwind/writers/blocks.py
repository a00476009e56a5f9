"""The small markup of ``originals/`` and the blocks that every writer draws.

An original starts with ``key: value`` lines (title, author, date) and a blank line. Then come blocks
parted by blank lines: ``#`` and ``##`` headings, ``-`` and ``1.`` lists, ``|`` tables whose first row is
the header, ``Note:`` paragraphs (speaker notes), and plain paragraphs of one line each.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["heading", "paragraph", "bullets", "numbers", "table", "note"]


@dataclass(frozen=True, slots=True)
class Block:
    """One block: ``lines`` for text and lists, ``rows`` for a table. ``level`` is a heading's, from 1."""

    kind: Kind
    lines: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    level: int = 0

    @property
    def text(self) -> str:
        return " ".join(self.lines)


@dataclass(frozen=True, slots=True)
class Original:
    """What one file is made from. ``date`` is ISO 8601 and becomes every timestamp in the file."""

    title: str
    author: str
    date: str
    blocks: tuple[Block, ...]

    def sections(self) -> list[tuple[str, list[Block]]]:
        """The blocks under each first-level heading: the slides, sheets or chapters of the file."""
        found: list[tuple[str, list[Block]]] = []
        for block in self.blocks:
            if block.kind == "heading" and block.level == 1:
                found.append((block.text, []))
            else:
                found[-1][1].append(block)
        return found


def read_original(path: Path) -> Original:
    """Read one file of ``originals/``.

    Raises ``ValueError`` for markup that no writer knows: this folder is ours, so it is a bug.
    """
    head, _, body = path.read_text(encoding="utf-8").partition("\n\n")
    meta = dict(line.split(": ", 1) for line in head.splitlines())
    blocks = tuple(_block(part.strip("\n")) for part in re.split(r"\n{2,}", body) if part.strip())
    return Original(meta["title"], meta.get("author", "Northwind Paper & Post"), meta["date"], blocks)


def _block(part: str) -> Block:
    lines = part.split("\n")
    heading = re.fullmatch(r"(#{1,3}) (.+)", part)
    if heading:
        return Block("heading", (heading[2],), level=len(heading[1]))
    if all(line.startswith("|") for line in lines):
        cells = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]
        rows = tuple(row for row in cells if not all(re.fullmatch("-+", cell) for cell in row))
        if len({len(row) for row in rows}) != 1:
            raise ValueError(f"ragged table: {lines[0]}")
        return Block("table", rows=rows)
    if all(line.startswith("- ") for line in lines):
        return Block("bullets", tuple(line[2:] for line in lines))
    if all(re.match(r"\d+\. ", line) for line in lines):
        return Block("numbers", tuple(lines))
    if len(lines) != 1:
        raise ValueError(f"a paragraph is one line: {lines[0]}")
    if part.startswith("Note: "):
        return Block("note", (part.removeprefix("Note: "),))
    return Block("paragraph", (part,))
