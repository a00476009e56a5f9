"""How the pool and its workers talk: length-prefixed frames of JSON and bytes over pipes.

JSON rather than pickle: what a worker sends back has touched hostile files and must not run in the parent.
"""

import json
import struct
from dataclasses import asdict
from typing import Any, BinaryIO, cast

from connectors.documents import Anchor, Document, Parsed, Unreadable
from connectors.items import Raw

_HEAD = struct.Struct(">QQ")


def write_frame(stream: BinaryIO, header: object, body: bytes = b"") -> None:
    """Write one frame; the caller flushes."""
    encoded = json.dumps(header, ensure_ascii=True, separators=(",", ":")).encode()
    stream.write(_HEAD.pack(len(encoded), len(body)))
    stream.write(encoded)
    stream.write(body)


def read_frame(stream: BinaryIO) -> tuple[object, bytes] | None:
    """Return the next frame, or None when the other side is gone, also in the middle of a frame."""
    head = _exactly(stream, _HEAD.size)
    if len(head) < _HEAD.size:
        return None
    size, length = _HEAD.unpack(head)
    encoded, body = _exactly(stream, size), _exactly(stream, length)
    if len(encoded) < size or len(body) < length:
        return None
    return json.loads(encoded), body


def _exactly(stream: BinaryIO, size: int) -> bytes:
    """Read ``size`` bytes, or what there was before the end; an unbuffered stream gives them in pieces."""
    parts: list[bytes] = []
    while size and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def raw_header(raw: Raw) -> list[object]:
    """Return all of ``raw`` but its bytes, as JSON takes it."""
    told = [raw.item, raw.name, raw.media_type, raw.title, raw.link, raw.modified, raw.author]
    return [*told, sorted(raw.unstructured)]


def raw_from(header: object, data: bytes) -> Raw:
    """Undo ``raw_header``."""
    item, name, media_type, title, link, modified, author, formats = cast(list[Any], header)
    return Raw(item, data, name, media_type, title, link, modified, author, frozenset(formats))


def parsed_header(parsed: Parsed) -> dict[str, object]:
    """Return ``parsed`` as JSON takes it."""
    return asdict(parsed)


def parsed_from(header: object) -> Parsed:
    """Undo ``parsed_header``."""
    told = cast(dict[str, list[dict[str, Any]]], header)
    documents = tuple(
        Document(
            **{
                **document,
                "anchors": tuple(Anchor(**anchor) for anchor in document["anchors"]),
                "hidden": tuple((start, end) for start, end in document["hidden"]),
                "lines": tuple((position, line) for position, line in document["lines"]),
            }
        )
        for document in told["documents"]
    )
    return Parsed(documents, tuple(Unreadable(**one) for one in told["unreadable"]))
