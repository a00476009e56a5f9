"""What a source lists and hands over, and the protocol of every connector."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that a source lists.

    ``id`` is stable within the source and NFC. ``fingerprint`` changes whenever the bytes may have
    changed; equal fingerprints of one id mean that nothing has to be fetched. ``readers`` may be
    empty: then nobody reads it. ``size`` in bytes, where the source tells.
    """

    id: str
    fingerprint: str
    readers: tuple[str, ...]
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Raw:
    """The bytes of one item, with what the source knows about them.

    ``name`` (its suffix) and ``media_type`` decide the parser. ``title`` and ``modified`` (ISO 8601,
    UTC) override what the parser finds. ``link`` is where a person can open it. ``author``: who changed
    it last. ``unstructured``: formats (words of ``parsing.sniff``) that the second parser is to read, in
    the item and in its members; no connector sets it.
    """

    item: str
    data: bytes
    name: str
    media_type: str | None = None
    title: str | None = None
    link: str | None = None
    modified: str | None = None
    author: str | None = None
    unstructured: frozenset[str] = frozenset()


class Connector(Protocol):
    """Reads one source. Every one passes ``connectors.testing.ConnectorContract``.

    Laws:

    - ``list`` gives every item exactly once, or raises; a listing that stops half-way raises, so
      that what was not listed is never taken for deleted.
    - ``list`` fetches no content; ids and fingerprints are the same from run to run.
    - ``fetch`` gives the bytes of an item that ``list`` gave, or raises ``UnreadableDocument``
      (this item only) or ``SourceUnavailable`` (the source).
    - Only ``ConnectorError`` and its children leave either call.
    - One that is given to a sync with several fetchers allows ``fetch`` from several threads at once.

    Reasons of ``UnreadableDocument`` that a connector raises: ``vanished`` (gone since it was listed; what
    was indexed stays until a listing proves the deletion), ``unreachable`` (no answer after all tries, the
    rest of the source does answer; what was indexed stays, and the next index run tries again), ``denied``,
    ``too_large``, and those of ``parsing.failures``.
    """

    def list(self) -> Iterator[Item]: ...

    def fetch(self, item: Item) -> Raw: ...
