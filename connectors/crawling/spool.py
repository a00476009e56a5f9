"""Bodies that were read while a site was listed, kept for the fetches of the same sync and no longer."""

import tempfile
import threading
import weakref
import zlib
from dataclasses import replace

from connectors.crawling.pages import Content

LARGEST = 500_000_000


class Spool:
    """Keeps contents in a file without a name: it is gone when the process is. Safe for several threads.

    Past ``largest`` bytes, packed, nothing more is kept: such pages are asked for again.
    """

    def __init__(self, largest: int = LARGEST) -> None:
        self._largest = largest
        self._file = tempfile.TemporaryFile(prefix="ragflow-")  # noqa: SIM115 - lives as long as this
        self._kept: dict[str, tuple[int, int, Content]] = {}
        self._end = 0
        self._lock = threading.Lock()
        weakref.finalize(self, self._file.close)

    def keep(self, url: str, content: Content) -> None:
        """Keep a page's content, unless there is no room."""
        packed = zlib.compress(content.data, 1)
        with self._lock:
            if self._end + len(packed) > self._largest:
                return
            try:
                self._file.seek(self._end)
                self._file.write(packed)
            except OSError:
                # A full disk costs a second request for this page, and nothing else.
                return
            self._kept[url] = (self._end, len(packed), replace(content, data=b""))
            self._end += len(packed)

    def get(self, url: str) -> Content | None:
        """Return a page's content, or None."""
        with self._lock:
            if url not in self._kept:
                return None
            start, size, content = self._kept[url]
            try:
                self._file.seek(start)
                packed = self._file.read(size)
            except OSError:
                return None
        return replace(content, data=zlib.decompress(packed))
