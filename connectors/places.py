"""Where files can lie: which URLs are read, and the protocol of what is no local folder."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from connectors.errors import SourceMisconfigured


@dataclass(frozen=True, slots=True)
class Entry:
    """A file below the root: its name there (POSIX), what changes with its bytes, its size in bytes."""

    name: str
    fingerprint: str
    size: int


@dataclass(frozen=True, slots=True)
class Blob:
    """The bytes of a file. ``modified``: ISO 8601, UTC."""

    data: bytes
    modified: str | None = None
    media_type: str | None = None


class Place(Protocol):
    """Where files lie.

    Laws:

    - ``entries`` gives every file once, or raises; folders and their markers are none.
    - ``read`` gives at most ``most`` + 1 bytes: one too many tells that the file is over the limit.
      ``UnreadableDocument`` with ``vanished`` where there is no such file. Several threads may call it.
    - Only ``ConnectorError`` and its children leave either.
    """

    def entries(self) -> Iterator[Entry]: ...

    def read(self, name: str, most: int) -> Blob: ...


_LOCAL = ("file", "local")
_ALLOWED = "a local path, file://, s3://BUCKET/PREFIX, zip:///PATH/ARCHIVE.zip or memory://"


def protocol_of(url: str) -> tuple[str, str]:
    """Return the protocol and the rest of a path or fsspec URL; a path without one is ``file``.

    Raises ``SourceMisconfigured`` for protocols that are not on the list, and for chained URLs (``::``).
    """
    from fsspec.core import split_protocol

    protocol, rest = split_protocol(url)
    if "::" in url and (protocol is not None or url.split("::", maxsplit=1)[0].isidentifier()):
        raise SourceMisconfigured(f"chained URLs are not read: {shown(url)}", hint=f"give {_ALLOWED}")
    if protocol in (None, *_LOCAL):
        return "file", str(rest)
    if protocol not in ("s3", "zip", "memory"):
        raise SourceMisconfigured(
            f"`{protocol}://` is not among what can be read: {shown(url)}", hint=f"give {_ALLOWED}"
        )
    return str(protocol), str(rest)


def shown(url: str) -> str:
    """Return a URL for a message, without what may be a password in it."""
    head, mark, rest = url.partition("://")
    return (head + mark + rest.rpartition("@")[2] if mark else url)[:200]


GONE = "a file that was there when the source was listed is gone: the next index run notices it"
