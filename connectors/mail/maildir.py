"""A Maildir folder with its sub-folders: one file for each message."""

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from connectors.errors import AccessDenied, SourceMisconfigured, SourceUnavailable, UnreadableDocument
from connectors.mail.letters import MOST_HEADERS, Letter, envelope, split_headers, weighed
from connectors.mail.source import gone

_PARTS = ("new", "cur")
_TRIES = 10
_TICK = 20_000_000
Where = tuple[str, str]


class _Moving(Exception):
    """A mail program renamed or delivered while we looked."""


class Maildir:
    """The messages of a Maildir; place: its folder, and the part of its file's name that never changes.

    Reads ``new`` and ``cur`` of the folder and, at any depth, of each folder in it (``.Archive``, or
    ``Archive``); links are not followed. Messages flagged ``T`` (trashed) and all of ``tmp`` are left out.
    Listing reads the headers of each file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)

    def close(self) -> None:
        """Nothing stays open."""

    def letters(self) -> Iterator[Letter[Where]]:
        """Yield each message, folder by folder.

        Raises:
            SourceMisconfigured: there is no Maildir.
            SourceUnavailable: it is missing, cannot be read, or never stands still.
            AccessDenied: no right to read a folder, or a message: it must not be taken for deleted.
        """
        try:
            folders = sorted(self._folders(self._path))
            if not folders:
                raise SourceMisconfigured(
                    f"{self._path} is no Maildir: it holds no folders `new` and `cur`",
                    hint="name a Maildir folder or an mbox file; .eml files are read by `type: files`",
                )
            for folder in folders:
                yield from self._still(folder)
        except OSError as error:
            self._failed(error)

    def data(self, letter: Letter[Where]) -> bytes:
        """Return a listed message, under whatever name its flags give it now.

        Raises ``UnreadableDocument`` (``vanished``, ``denied``), ``SourceUnavailable``.
        """
        folder, unique = letter.place
        try:
            for _ in range(_TRIES):
                path = _files(folder).get(unique)
                if path is None:
                    break
                try:
                    return _listed(path, letter)
                except FileNotFoundError:
                    # It got another flag, and with it another name.
                    continue
        except PermissionError as error:
            raise UnreadableDocument(
                f"no right to read {letter.message_id}", reason="denied", hint="give the right to read it"
            ) from error
        except (FileNotFoundError, _Moving):
            pass
        except OSError as error:
            self._failed(error)
        raise gone(letter.message_id or letter.content[:16])

    def _folders(self, folder: Path) -> Iterator[str]:
        with os.scandir(folder) as scan:
            inside = {entry.name for entry in scan if entry.is_dir(follow_symlinks=False)}
        if inside.issuperset(_PARTS):
            yield str(folder)
        for name in inside - {*_PARTS, "tmp"}:
            yield from self._folders(folder / name)

    def _still(self, folder: str) -> list[Letter[Where]]:
        """Return a folder's messages at one moment: what moves while it is read would be missed."""
        for _ in range(_TRIES):
            before = _moments(folder)
            if 0 <= time.time_ns() - max(before) < _TICK:
                # Another change in the same tick of the file system's clock would not show.
                time.sleep(_TICK / 1e9)
            try:
                found = [_letter(path, (folder, unique)) for unique, path in _files(folder).items()]
            except (_Moving, FileNotFoundError):
                continue
            if _moments(folder) == before:
                return found
        raise SourceUnavailable(
            f"mail moves in {folder} faster than it can be listed", hint="index again in a quieter moment"
        )

    def _failed(self, error: OSError) -> NoReturn:
        where = error.filename or self._path
        if isinstance(error, PermissionError):
            raise AccessDenied(f"no right to read {where!s}", hint="give the right to read it") from error
        raise SourceUnavailable(
            f"cannot read {where!s}: {error.strerror or error}",
            hint="check that the path exists and that its disk is mounted",
        ) from error


def _files(folder: str) -> dict[str, str]:
    """Return the messages of one folder: the lasting part of each name, and its path now."""
    found: dict[str, str] = {}
    for part in _PARTS:
        with os.scandir(os.path.join(folder, part)) as scan:  # noqa: PTH118 - names may be no UTF-8
            for entry in scan:
                unique, _, flags = entry.name.partition(":2,")
                if entry.name.startswith(".") or "T" in flags or not entry.is_file(follow_symlinks=False):
                    continue
                if unique in found:
                    raise _Moving
                found[unique] = entry.path
    return found


def _moments(folder: str) -> list[int]:
    return [os.stat(f"{folder}/{part}").st_mtime_ns for part in _PARTS]  # noqa: PTH116


def _letter(path: str, place: Where) -> Letter[Where]:
    with open(path, "rb") as file:  # noqa: PTH123 - a Path for each of 100,000 names costs a second
        about = os.fstat(file.fileno())
        start = file.read(MOST_HEADERS)
    split = split_headers(start)
    whole = split is not None or about.st_size <= len(start)
    said = envelope(start if split is None else split[0], cut=not whole)
    return Letter(
        said.message_id,
        said.participants,
        weighed(said, about.st_size),
        _fingerprint(about),
        about.st_size,
        place,
    )


def _fingerprint(about: os.stat_result) -> str:
    return f"{about.st_size}-{about.st_mtime_ns}"


def _listed(path: str, letter: Letter[Where]) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode) or _fingerprint(about) != letter.fingerprint:
            raise _Moving
        return file.read(letter.size)
