"""Files that lie in no local folder: objects of an S3 bucket, members of a zip archive, memory."""

import os
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from connectors.errors import SourceMisconfigured, UnreadableDocument
from connectors.globs import Selection
from connectors.items import Item, Raw
from connectors.naming import apart, hidden
from connectors.parsing.failures import failure
from connectors.places import Blob, Entry, Place, protocol_of, shown

if TYPE_CHECKING:
    from connectors.outbound import Outbound
    from connectors.s3_bucket import S3Access


class RemoteFiles:
    """Lists the files of a place and reads them, by the rules of local folders.

    - An id is the path below the root, POSIX, NFC. Names that would get the same id all survive, see
      ``naming.ids_of``. ``include``, ``exclude``, ``readers`` and ``readers_by`` as for local folders.
    - What has a part that starts with a dot is hidden and left out; so is what climbs out (``../``).
    - A file over ``max_bytes`` is listed, and refused when fetched, so that it is reported.
    """

    def __init__(self, place: Place, selection: Selection, *, max_bytes: int = 100_000_000) -> None:
        self._place = place
        self._selection = selection
        self._max_bytes = max_bytes
        self._renamed: dict[str, str] | None = None
        self._lock = threading.Lock()

    def list(self) -> Iterator[Item]:
        """Yield each file, in the order of the place; those whose id is not their name come last.

        Raises as ``Place.entries`` does, also half-way.
        """
        renamed: dict[str, str] = {}
        for item_id, entry in apart(self._seen()):
            if item_id != entry.name:
                renamed[item_id] = entry.name
            if self._selection.wants(item_id):
                readers = self._selection.readers_of(item_id)
                yield Item(item_id, entry.fingerprint, readers, entry.size)
        self._renamed = renamed

    def fetch(self, item: Item) -> Raw:
        """Return the bytes of a listed file.

        Raises:
            UnreadableDocument: ``too_large``, ``vanished``, ``denied``, ``locked``, ``unreachable``.
            SourceUnavailable: the place cannot be reached.
            AccessDenied: the place refuses the credentials.
        """
        if item.size is not None and item.size > self._max_bytes:
            raise self._too_large(item)
        blob = self._read(item.id)
        if len(blob.data) > self._max_bytes:
            raise self._too_large(item)
        return Raw(
            item=item.id,
            data=blob.data,
            name=item.id.rsplit("/", 1)[-1],
            media_type=blob.media_type,
            modified=blob.modified,
        )

    def _seen(self) -> Iterator[tuple[bytes, Entry]]:
        for entry in self._place.entries():
            if entry.name and not hidden(entry.name):
                yield os.fsencode(entry.name), entry

    def _read(self, item_id: str) -> Blob:
        renamed = self._renamed
        try:
            return self._place.read((renamed or {}).get(item_id, item_id), self._max_bytes)
        except UnreadableDocument as error:
            if error.reason != "vanished" or renamed is not None:
                raise
        with self._lock:
            if self._renamed is None:
                # Which id stands for another name shows only at the end of a listing.
                for _ in self.list():
                    pass
        return self._read(item_id)

    def _too_large(self, item: Item) -> UnreadableDocument:
        return failure("too_large", f"{item.id} has more than {self._max_bytes} bytes")


def remote_place(url: str, access: "S3Access | None", outbound: "Outbound | None") -> Place:
    """Return the place that an fsspec URL names; s3 needs ``access`` and ``outbound``.

    Nothing is reached yet. Raises ``SourceMisconfigured``.
    """
    protocol, rest = protocol_of(url)
    if protocol == "s3":
        from connectors.s3_bucket import Bucket

        if access is None or outbound is None:
            raise SourceMisconfigured(
                "an S3 bucket needs credentials", hint="set `storage.key_env` and `storage.secret_env`"
            )
        return Bucket(url, access, outbound)
    if protocol == "zip":
        from connectors.archive_files import Archive

        return Archive(rest)
    if protocol == "memory":
        from connectors.archive_files import Memory

        return Memory(rest)
    raise SourceMisconfigured(f"a local path: {shown(url)}", hint="give it to a local source")
