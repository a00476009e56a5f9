"""Local folders and single files as a source."""

import os
import stat
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from connectors.errors import AccessDenied, SourceMisconfigured, SourceUnavailable, UnreadableDocument
from connectors.globs import ReadersRule, selection
from connectors.items import Item, Raw
from connectors.naming import ids_of, readable
from connectors.parsing.failures import failure
from connectors.places import protocol_of

_NOT_SEEN = "a file that was there when the source was listed is gone: the next index run notices it"


class Files:
    """Lists a folder (or one file) and reads its files.

    - The id of a file is its path below the root, POSIX, NFC; of a single file, its name. Bytes that are
      no UTF-8 are written ``%XX``. Names of one folder that would get the same id all survive: the one
      whose name is the id itself keeps it (else the first by bytes), the others get ``~`` and 8 hex
      digits of their name's SHA-256.
    - ``include`` and ``exclude``: globs against the id, case-insensitive, ``**`` for any depth with none;
      exclude wins. ``readers_by``: the first glob that matches an id gives its readers, in place of
      ``readers``. Names that start with a dot are hidden and left out, folders with all they hold.
    - A link to a file counts when that file lies inside the root and is not hidden; links to folders are
      not followed: inside the root their files are listed at their own place. Sockets, pipes and devices
      are left out.
    - A file over ``max_bytes`` is listed, and refused when fetched, so that it is reported.

    Raises:
        SourceMisconfigured: a URL of another protocol, or a glob that is none.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        readers: Sequence[str],
        include: Sequence[str] = ("**/*",),
        exclude: Sequence[str] = ("**/~$*",),
        readers_by: Sequence[ReadersRule] = (),
        max_bytes: int = 100_000_000,
    ) -> None:
        self._root = Path(_local(os.fspath(path))).absolute()
        self._selection = selection(readers, include=include, exclude=exclude, readers_by=readers_by)
        self._max_bytes = max_bytes
        self._paths: dict[str, Path] = {}
        self._lock = threading.Lock()

    def list(self) -> Iterator[Item]:
        """Yield each file, sorted by name within its folder.

        Raises:
            SourceUnavailable: the root is missing, or the disk fails; also half-way.
            AccessDenied: a folder may not be listed: what it holds must not be taken for deleted.
        """
        self._paths.clear()
        try:
            before = self._root.stat()
            if stat.S_ISDIR(before.st_mode):
                yield from self._folder(self._root, "")
                self._still_there(before)
            else:
                yield from self._file(self._root, readable(self._root.name))
        except PermissionError as error:
            raise AccessDenied(
                f"no right to list {readable(str(error.filename))}",
                hint="give the right to read it, or leave it out by naming a narrower path",
            ) from error
        except OSError as error:
            raise SourceUnavailable(
                f"cannot list {readable(str(self._root))}: {error.strerror or error}",
                hint="check that the path exists and that its disk is mounted",
            ) from error

    def fetch(self, item: Item) -> Raw:
        """Return the bytes of a listed file.

        Raises:
            UnreadableDocument: ``too_large``, ``vanished``, or ``denied``.
            SourceUnavailable: the disk fails.
        """
        path = self._path_of(item)
        try:
            with path.open("rb") as file:
                about = os.fstat(file.fileno())
                # One byte more than allowed shows a file that has grown since it was measured.
                data = b"" if about.st_size > self._max_bytes else file.read(self._max_bytes + 1)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise UnreadableDocument(f"{item.id} is gone", reason="vanished", hint=_NOT_SEEN) from error
        except PermissionError as error:
            hint = "give the right to read the file, or leave it out with `exclude`"
            raise UnreadableDocument(f"no right to read {item.id}", reason="denied", hint=hint) from error
        except OSError as error:
            raise SourceUnavailable(
                f"cannot read {item.id}: {error.strerror}", hint="check the disk"
            ) from error
        if about.st_size > self._max_bytes or len(data) > self._max_bytes:
            raise failure("too_large", f"{item.id} has more than {self._max_bytes} bytes")
        modified = datetime.fromtimestamp(about.st_mtime_ns // 1_000_000_000, UTC).strftime(
            "%Y-%m-%dT%H:%M:%SZ"
        )
        return Raw(item=item.id, data=data, name=item.id.rsplit("/", 1)[-1], modified=modified)

    def _path_of(self, item: Item) -> Path:
        with self._lock:
            if item.id not in self._paths:
                for _ in self.list():
                    if item.id in self._paths:
                        break
            if item.id not in self._paths:
                raise UnreadableDocument(f"{item.id} is gone", reason="vanished", hint=_NOT_SEEN)
            return self._paths[item.id]

    def _folder(self, folder: Path, prefix: str) -> Iterator[Item]:
        # os rather than fsspec: its listing rounds times to floats and hides which folder was refused.
        with os.scandir(folder) as scan:
            entries = {os.fsencode(entry.name): entry for entry in scan if not entry.name.startswith(".")}
        for raw_name, name in ids_of(entries).items():
            entry = entries[raw_name]
            try:
                if entry.is_dir(follow_symlinks=False):
                    yield from self._folder(Path(entry.path), f"{prefix}{name}/")
                elif not entry.is_symlink() or self._inside(Path(entry.path)):
                    yield from self._file(Path(entry.path), prefix + name)
            except FileNotFoundError:
                # Deleted while we looked: the next entry; a root that goes is noticed at the end.
                continue

    def _file(self, path: Path, name: str) -> Iterator[Item]:
        about = path.stat()
        if stat.S_ISREG(about.st_mode) and self._selection.wants(name):
            self._paths[name] = path
            readers = self._selection.readers_of(name)
            yield Item(name, f"{about.st_size}-{about.st_mtime_ns}", readers, about.st_size)

    def _inside(self, path: Path) -> bool:
        """Say whether a link leads to a place below the root that is not hidden."""
        try:
            target = path.resolve(strict=True)
        except (OSError, RuntimeError):
            # Leads nowhere, or round in a circle.
            return False
        root = self._root.resolve()
        return target.is_relative_to(root) and not any(
            part.startswith(".") for part in target.relative_to(root).parts
        )

    def _still_there(self, before: os.stat_result) -> None:
        after = self._root.stat()
        if (after.st_dev, after.st_ino) != (before.st_dev, before.st_ino):
            raise SourceUnavailable(
                f"{readable(str(self._root))} was replaced while it was listed", hint="try again"
            )


def _local(path: str) -> str:
    protocol, rest = protocol_of(path)
    if protocol != "file":
        raise SourceMisconfigured(
            f"`{protocol}://` is no local folder: {path}", hint="give the path of a local folder or file"
        )
    return rest
