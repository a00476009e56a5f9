"""What parsing gives: canonical text with labelled spans."""

import hashlib
from dataclasses import dataclass
from typing import Literal

from connectors.lines import Lines

AnchorKind = Literal["page", "sheet", "cell", "slide", "heading", "message", "row"]


@dataclass(frozen=True, slots=True)
class Anchor:
    """A labelled span of a document's canonical text: code points, half-open.

    - ``page``, ``slide``: the label is its number from 1. ``sheet``: its name.
    - ``heading``: starts at the heading's own line and spans its whole section, sub-sections
      included; so the headings that contain a position are its heading path, outermost first.
    - ``row``: one row of a table, the label its number. Rows of one table are adjacent (one line
      feed between them); the first row of such a run is the table's header.
    - ``message``: one mail message, the label its subject.
    """

    kind: AnchorKind
    label: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Document:
    """An item, or a member of one, as canonical text. The title is metadata, not part of ``text``.

    ``item`` is the item's id, or ``item!/member``. ``anchors`` are sorted by (start, -end, kind).
    ``parser`` names everything that decides ``text`` and ``anchors``: library, version, our revision.
    ``author``: who changed it last, where the source tells. ``hidden``: spans of ``text`` that a person
    who opens the file would not see; ``dropped``: how many such passages were left out of it.
    ``author``: who changed it last, where the source tells. ``lines``: where its text stands in the file,
    see ``connectors.lines``; told only where ``link`` asks for it by ``{line}``, of plain text and Markdown.
    """

    item: str
    title: str
    text: str
    anchors: tuple[Anchor, ...]
    parser: str
    link: str | None = None
    modified: str | None = None
    author: str | None = None
    hidden: tuple[tuple[int, int], ...] = ()
    dropped: int = 0
    lines: Lines = ()

    @property
    def revision(self) -> str:
        """64 hex: SHA-256 of the UTF-8 canonical text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An item or member that gave no text, and why. ``reason`` is a stable word, ``hint`` the cure."""

    item: str
    reason: str
    hint: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """All that one item's bytes gave: the item itself first, then its members."""

    documents: tuple[Document, ...]
    unreadable: tuple[Unreadable, ...]
