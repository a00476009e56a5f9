"""Zip files: members as items of their own, under limits that no bomb gets past."""

import io
import zipfile
import zlib

from connectors.documents import Unreadable
from connectors.items import Raw
from connectors.parsing.failures import failure, unreadable

MEMBERS = 2_000
TOTAL_BYTES = 200_000_000
RATIO = 200
_RATIO_FROM = 1_000_000


def read_archive(data: bytes, item: str) -> tuple[tuple[Raw, ...], tuple[Unreadable, ...]]:
    """Return the members in the order of their names, and those refused.

    Hidden members (a part of the path starts with a dot, or ``__MACOSX``) are left out like hidden files.
    At most 2,000 members and 200 MB unpacked; a member over 1 MB may be 200 times its packed size.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError) as error:
        raise failure("damaged", "not a whole zip file") from error
    members: list[Raw] = []
    refused: list[Unreadable] = []
    left = TOTAL_BYTES
    with archive:
        infos = [info for info in archive.infolist() if not info.is_dir() and not _hidden(info.filename)]
        if len(infos) > MEMBERS:
            raise failure("too_large", f"{len(infos)} members")
        for info in sorted(infos, key=lambda info: info.filename):
            name = f"{item}!/{info.filename}"
            content, reason = _member(archive, info, left)
            if reason:
                refused.append(unreadable(name, reason))
            else:
                left -= len(content)
                members.append(Raw(item=name, data=content, name=info.filename))
    if not members and not refused:
        raise failure("empty", "the archive holds no file")
    return tuple(members), tuple(refused)


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, left: int) -> tuple[bytes, str]:
    if info.flag_bits & 1:
        return b"", "locked"
    if info.file_size > left or info.file_size > max(_RATIO_FROM, RATIO * info.compress_size):
        return b"", "too_large"
    try:
        with archive.open(info) as stream:
            # The directory may lie about the size: never unpack more than it admits.
            content = stream.read(info.file_size + 1)
    except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, NotImplementedError, ValueError, EOFError):
        return b"", "damaged"
    return content, "damaged" if len(content) != info.file_size else ""


def _hidden(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)
