"""An mbox file: messages one after the other, each behind a line ``From ...``."""

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NoReturn

from connectors.errors import AccessDenied, SourceMisconfigured, SourceUnavailable
from connectors.mail.letters import MOST_HEADERS, Letter, envelope, split_headers
from connectors.mail.source import gone

_BLOCK = 1 << 20
_LINE = 1000
_FROM = re.compile(rb"\nFrom ")
_SEPARATOR = re.compile(rb"From \S.*\d\d:\d\d.* \d{4}\b.*")
# What mail programs write into the file when somebody reads a message: no part of it.
_NOTES = re.compile(
    rb"^(?:Status|X-Status|X-Keywords|X-UID|X-Mozilla-Status2?):.*\n(?:[ \t].*\n)*",
    re.IGNORECASE | re.MULTILINE,
)
Span = tuple[int, int]


class Mbox:
    """The messages of an mbox file; place: where one starts, with its ``From`` line, and ends.

    A line ``From ...`` starts a message at the file's beginning, behind an empty line, and anywhere when
    it holds a time and a year: two messages taken for one would show one to the readers of the other.
    Marks of reading (``Status`` and the like) are left out. ``>From`` stays as it stands. The file is
    read in blocks, once a listing, whatever its size.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)

    def close(self) -> None:
        """Nothing stays open."""

    def letters(self) -> Iterator[Letter[Span]]:
        """Yield each message in the file's order.

        Raises:
            SourceMisconfigured: the file does not begin with a ``From`` line.
            SourceUnavailable: it is missing, cannot be read, or changes meanwhile.
            AccessDenied: no right to read it.
        """
        try:
            with self._path.open("rb") as scanned, self._path.open("rb") as file:
                before = _state(os.fstat(scanned.fileno()))
                for span in self._spans(scanned, before[0]):
                    yield _letter(file, span)
            after = _state(self._path.stat())
        except OSError as error:
            self._failed(error)
        if after != before:
            raise SourceUnavailable(
                f"{self._path} was changed while it was listed", hint="index again when no mail is delivered"
            )

    def data(self, letter: Letter[Span]) -> bytes:
        """Return a listed message. Raises ``UnreadableDocument`` (``vanished``), ``SourceUnavailable``."""
        try:
            with self._path.open("rb") as file:
                data = b"".join(_parts(file, letter.place))
        except OSError as error:
            self._failed(error)
        if hashlib.sha256(data).hexdigest() != letter.content:
            raise gone(letter.message_id or letter.content[:16])
        return data

    def _spans(self, file: BinaryIO, size: int) -> Iterator[Span]:
        start: int | None = None
        for found in _starts(file):
            if start is None:
                self._check_head(file, found)
            else:
                yield start, found
            start = found
        if start is not None:
            yield start, size
        elif size:
            self._check_head(file, size)

    def _check_head(self, file: BinaryIO, first: int) -> None:
        here = file.tell()
        file.seek(0)
        if first > _LINE or file.read(first).strip():
            raise SourceMisconfigured(
                f"{self._path} is no mbox file: it does not begin with `From `",
                hint="name an mbox file or a Maildir folder; .eml files are read by `type: files`",
            )
        file.seek(here)

    def _failed(self, error: OSError) -> NoReturn:
        if isinstance(error, PermissionError):
            raise AccessDenied(f"no right to read {self._path}", hint="give the right to read it") from error
        raise SourceUnavailable(
            f"cannot read {self._path}: {error.strerror or error}",
            hint="check that the path exists and that its disk is mounted",
        ) from error


def _state(about: os.stat_result) -> tuple[int, int, int]:
    return about.st_size, about.st_mtime_ns, about.st_ino


def _starts(file: BinaryIO) -> Iterator[int]:
    """Yield where each message starts. Reads on from the file's position only."""
    # As if an empty line stood before the file; `offset`: where the buffer begins in it.
    buffer, offset, done = b"\n\n", -2, 0
    while True:
        block = file.read(_BLOCK)
        buffer += block
        # A line is judged when all of it is in sight, and some of what stands before.
        sure = len(buffer) - _LINE if block else len(buffer)
        for match in _FROM.finditer(buffer, done):
            if match.start() >= sure:
                break
            line = buffer[match.start() + 1 : match.start() + 1 + _LINE].split(b"\n", 1)[0]
            before = buffer[max(0, match.start() - 2) : match.start() + 1]
            empty = before.endswith((b"\n\n", b"\n\r\n"))
            if empty or _SEPARATOR.match(line):
                yield offset + match.start() + 1
        if not block:
            return
        kept = max(0, sure - 3)
        buffer, offset, done = buffer[kept:], offset + kept, max(0, sure) - kept


def _parts(file: BinaryIO, span: Span) -> Iterator[bytes]:
    """Yield a message in blocks: the headers without marks of reading, then the rest."""
    start, end = span
    file.seek(max(start, end - 3))
    tail = file.read(end - max(start, end - 3))
    # The empty line before the next message belongs to the file.
    end -= 2 if tail.endswith(b"\n\r\n") else 1 if tail.endswith(b"\n\n") else 0
    file.seek(start)
    first = file.read(min(end - start, MOST_HEADERS))
    rest = end - start - len(first)
    _, _, first = first.partition(b"\n")
    split = split_headers(first)
    yield first if split is None else _NOTES.sub(b"", split[0]) + split[1]
    while rest > 0 and (block := file.read(min(rest, _BLOCK))):
        rest -= len(block)
        yield block


def _letter(file: BinaryIO, span: Span) -> Letter[Span]:
    told, size, headers, cut = hashlib.sha256(), 0, b"", False
    for number, part in enumerate(_parts(file, span)):
        if number == 0:
            split = split_headers(part)
            headers, cut = (part, span[1] - span[0] > MOST_HEADERS) if split is None else (split[0], False)
        told.update(part)
        size += len(part)
    said, content = envelope(headers, cut=cut), told.hexdigest()
    return Letter(said.message_id, said.participants, content, content[:32], size, span)
