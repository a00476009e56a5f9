"""A test collection in the BEIR layout as a source (Thakur et al. 2021, arXiv 2104.08663)."""

import hashlib
import json
import os
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from connectors.errors import AccessDenied, SourceMisconfigured, SourceUnavailable, UnreadableDocument
from connectors.items import Item, Raw

_HINT = "each line of corpus.jsonl is an object with `_id`, `text` and perhaps `title`"


class Beir:
    """Lists ``corpus.jsonl`` of a folder: one item a line, its id the ``_id``, its text plain.

    Listing reads the file once and keeps each line's place, so that fetching reads one line.
    """

    def __init__(self, path: str | os.PathLike[str], *, readers: Sequence[str]) -> None:
        given = Path(path)
        self._corpus = given if given.suffix == ".jsonl" else given / "corpus.jsonl"
        self._readers = tuple(readers)
        self._places: dict[str, tuple[int, int]] = {}

    def list(self) -> Iterator[Item]:
        """Yield an item for each line, in the file's order; blank lines are none.

        Raises:
            SourceMisconfigured: a line that is not such an object, or an id given twice, with its number.
            SourceUnavailable: the file is missing or cannot be read.
            AccessDenied: no right to read it.
        """
        self._places.clear()
        position = 0
        try:
            with self._corpus.open("rb") as file:
                for number, line in enumerate(file, start=1):
                    if line.strip():
                        yield self._item(line, number, position)
                    position += len(line)
        except PermissionError as error:
            raise AccessDenied(
                f"no right to read {self._corpus}", hint="give the right to read it"
            ) from error
        except OSError as error:
            raise SourceUnavailable(
                f"cannot read {self._corpus}: {error.strerror}", hint="the folder holds corpus.jsonl"
            ) from error

    def fetch(self, item: Item) -> Raw:
        """Return the text of one line.

        Raises:
            UnreadableDocument: ``vanished`` where the line is gone or another one now.
            SourceUnavailable: the file is missing or cannot be read.
        """
        if item.id not in self._places:
            for _ in self.list():
                pass
        start, length = self._places.get(item.id, (0, 0))
        try:
            with self._corpus.open("rb") as file:
                file.seek(start)
                line = file.read(length)
        except OSError as error:
            raise SourceUnavailable(f"cannot read {self._corpus}", hint="try again") from error
        if not length or _fingerprint(line) != item.fingerprint:
            raise UnreadableDocument(
                f"{item.id} has changed since it was listed", reason="vanished", hint="index again"
            )
        entry = json.loads(line)
        return Raw(
            item=item.id,
            # A lone surrogate is no character: JSON can write it, UTF-8 cannot.
            data=entry["text"].encode(errors="ignore"),
            name=f"{item.id}.txt",
            media_type="text/plain; charset=utf-8",
            title=entry.get("title") or None,
        )

    def _item(self, line: bytes, number: int, position: int) -> Item:
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise self._wrong(number, "not JSON") from error
        if not isinstance(entry, dict) or not isinstance(entry.get("_id"), str) or not entry["_id"]:
            raise self._wrong(number, "no `_id`, or not a text")
        if not isinstance(entry.get("text"), str):
            raise self._wrong(number, "no `text`, or not a text")
        if not isinstance(entry.get("title", ""), str | None):
            raise self._wrong(number, "`title` is not a text")
        name = unicodedata.normalize("NFC", entry["_id"])
        if name in self._places:
            raise self._wrong(number, f"the id {name!r} stands there for the second time")
        self._places[name] = position, len(line)
        return Item(name, _fingerprint(line), self._readers, len(line))

    def _wrong(self, number: int, what: str) -> SourceMisconfigured:
        return SourceMisconfigured(f"{self._corpus}, line {number}: {what}", hint=_HINT)


def _fingerprint(line: bytes) -> str:
    return hashlib.sha256(line.rstrip(b"\r\n")).hexdigest()
