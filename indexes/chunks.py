"""Documents -> chunks: spans that are embedded and searched.

A chunk is only a span: ``document.text[start:end]`` is its text, always. What the embedder and the
lexical index see besides (title, heading path, a table's header) is context, kept apart.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from connectors.documents import Document

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
