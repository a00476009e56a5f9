"""Members of a zip archive, and files in memory, as places of files."""

import threading
import weakref
import zipfile
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from connectors.errors import AccessDenied, SourceMisconfigured, SourceUnavailable, UnreadableDocument
from connectors.parsing.failures import failure
from connectors.places import GONE, Blob, Entry

_ENCRYPTED = 0x1
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError)


class Archive:
    """A local zip archive. A member's fingerprint is its checksum (CRC-32) and size, both as recorded.

    A name that stands in it several times is its last member. Nothing is ever unpacked to disk, so a
    name that climbs out of the archive leads nowhere. The archive is held open between calls, and opened
    again when it was replaced.
    """

    def __init__(self, path: str) -> None:
        if not path.startswith("/"):
            raise SourceMisconfigured(
                f"no absolute path of an archive: {path!r}", hint="write zip:///PATH/ARCHIVE.zip"
            )
        self._path = path
        self._lock = threading.Lock()
        self._open: tuple[tuple[int, ...], zipfile.ZipFile] | None = None

    def entries(self) -> Iterator[Entry]:
        """Yield the members in the order of their names.

        Raises:
            SourceUnavailable: no such file, or it is cut short or no zip archive.
            AccessDenied: no right to read it.
        """
        with self._lock:
            archive = self._archive()
            members = {info.filename: info for info in archive.infolist() if not info.is_dir()}
        for name, info in sorted(members.items()):
            if name.split("/")[0] != "__MACOSX":
                yield Entry(name, f"{info.CRC:08x}-{info.file_size}", info.file_size)

    def read(self, name: str, most: int) -> Blob:
        """Return a member, unpacked no further than ``most`` + 1 bytes whatever it says of its size."""
        with self._lock:
            archive = self._archive()
            try:
                info = archive.getinfo(name)
            except KeyError:
                raise UnreadableDocument(f"{name} is gone", reason="vanished", hint=GONE) from None
            if info.flag_bits & _ENCRYPTED:
                raise failure("locked", f"{name} is encrypted")
            try:
                with archive.open(info) as stream:
                    data = stream.read(most + 1)
            except (*_BROKEN, RuntimeError) as error:
                raise failure("damaged", f"{name} cannot be unpacked: {error}") from error
            except OSError as error:
                raise SourceUnavailable(f"cannot read {self._path}: {error.strerror}", hint=_DISK) from error
        if len(data) < min(info.file_size, most + 1):
            raise failure("damaged", f"{name} is shorter than the archive says")
        return Blob(data, _recorded(info.date_time))

    def _archive(self) -> zipfile.ZipFile:
        """Return the archive, opened, as it is now."""
        try:
            about = Path(self._path).stat()
            seen = (about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns)
            if self._open is None or self._open[0] != seen:
                if self._open is not None:
                    self._open[1].close()
                    self._open = None
                archive = zipfile.ZipFile(self._path)
                self._open = seen, archive
                weakref.finalize(self, archive.close)
            return self._open[1]
        except PermissionError as error:
            raise AccessDenied(f"no right to read {self._path}", hint="give the right to read it") from error
        except OSError as error:
            raise SourceUnavailable(f"cannot read {self._path}: {error.strerror}", hint=_DISK) from error
        except _BROKEN as error:
            raise SourceUnavailable(
                f"{self._path} is no whole zip archive: {error}", hint="copy it again; is it being written?"
            ) from error


class Memory:
    """Files of fsspec's memory, which every part of one process shares: for trials and tests."""

    def __init__(self, path: str) -> None:
        from fsspec.implementations.memory import MemoryFileSystem

        self._files = MemoryFileSystem()
        self._root = "/" + path.strip("/")

    def entries(self) -> Iterator[Entry]:
        """Yield the files in the order of their names. Raises ``SourceUnavailable`` without a root."""
        if not self._files.exists(self._root):
            raise SourceUnavailable(f"there is no memory:/{self._root}", hint="check `path`")
        found = self._files.find(self._root, detail=True)
        for path, about in sorted(found.items()):
            name = path.removeprefix(self._root).lstrip("/") or path.rsplit("/", 1)[-1]
            stamp = self._files.modified(path).isoformat(timespec="microseconds")
            yield Entry(name, f"{about['size']}-{stamp}", int(about["size"]))

    def read(self, name: str, most: int) -> Blob:
        """Return a file."""
        path = f"{self._root.rstrip('/')}/{name}"
        if not self._files.isfile(path):
            path = self._root if self._root.rsplit("/", 1)[-1] == name else path
        try:
            data = self._files.cat_file(path, start=0, end=most + 1)
            modified = self._files.modified(path)
        except (FileNotFoundError, IsADirectoryError):
            raise UnreadableDocument(f"{name} is gone", reason="vanished", hint=GONE) from None
        return Blob(data, modified.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))


_DISK = "check that the path exists and that its disk is mounted"


def _recorded(date: tuple[int, int, int, int, int, int]) -> str | None:
    """Return a member's time; archives record it without a zone, so it is taken as UTC."""
    try:
        return datetime(*date, tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return None
