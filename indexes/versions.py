"""One content of one document, and how texts are packed in the store."""

import json
from dataclasses import dataclass

import zstandard

from connectors.lines import Lines
from indexes.errors import StoreDamaged


@dataclass(frozen=True, slots=True)
class Version:
    """One content of one document, as the store knows it. ``name`` is the document.

    ``language``: ISO 639-1, ``schema.UNDECIDED`` where it cannot be told, None where nobody looked yet.
    """

    id: int
    document_id: int
    name: str
    revision: str
    layout: str
    title: str
    link: str | None
    modified: str | None
    parser: str
    raw_digest: str
    author: str | None
    language: str | None
    hidden: str | None
    lines: bytes | None

    @property
    def unseen(self) -> tuple[tuple[int, int], ...]:
        """The spans of the text that a person who opens the file would not see."""
        return tuple((start, end) for start, end in json.loads(self.hidden)) if self.hidden else ()

    def chunk(self, start: int, end: int) -> str:
        """Return the id of the chunk at this span of the text."""
        return f"{self.name}@{self.revision[:12]}:{start}-{end}"

    def line_pairs(self) -> Lines:
        """Return where its text stands in the file. Raises ``StoreDamaged``."""
        if self.lines is None:
            return ()
        return tuple((position, line) for position, line in json.loads(unpack(self.lines, self.revision)))


def pack(text: str) -> bytes:
    """Compress a text."""
    return zstandard.ZstdCompressor(level=3).compress(text.encode())


def unpack(data: bytes, name: str) -> str:
    """Decompress what ``pack`` made. Raises ``StoreDamaged`` naming ``name``."""
    try:
        return zstandard.ZstdDecompressor().decompress(data).decode()
    except (zstandard.ZstdError, UnicodeDecodeError) as error:
        raise StoreDamaged(
            f"stored text {name[:12]} cannot be read: {error}",
            hint="ragflow index --full reads everything again",
        ) from error
