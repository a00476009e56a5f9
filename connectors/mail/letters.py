"""What listing learns of one message from its headers, and the id that it gets."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from connectors.mail.addresses import addresses

MOST_HEADERS = 262_144
"""Bytes of headers that are read of one message at most."""
ADDRESSED = ("from", "sender", "to", "cc", "bcc")
FIELDS = ("message-id", "date", *ADDRESSED, "subject")
"""The headers that listing reads, in lower case."""

_LONGEST_ID = 250
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)
_END = re.compile(rb"(?:\A|\n)\r?\n")
_ANGLE = re.compile(r"<([^<>]*)>")
_TAGGED = re.compile(r"~(?:[0-9a-f]{8}|[0-9a-f]{64})\Z")
Place = TypeVar("Place")


@dataclass(frozen=True, slots=True)
class Envelope:
    """``message_id``: fit for an item's id, empty without one. ``participants``: addresses, sorted.

    ``digest``: SHA-256 of the listed headers, 64 hex; white space does not count.
    """

    message_id: str
    participants: tuple[str, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class Letter(Generic[Place]):
    """One copy of a message where it lies.

    ``content``: 64 hex that stand for what the message says; copies of one Message-ID with equal content
    are one item. ``fingerprint`` is that of ``items.Item``. ``size`` in bytes.
    """

    message_id: str
    participants: tuple[str, ...]
    content: str
    fingerprint: str
    size: int
    place: Place


def split_headers(start: bytes) -> tuple[bytes, bytes] | None:
    """Return the headers, each with its line break, and the rest; None where they do not end."""
    match = _END.search(start)
    if match is None:
        return None
    cut = match.start() + 1 if match.start() else 0
    return start[:cut], start[cut:]


def fields(headers: bytes) -> list[tuple[str, str]]:
    """Return the listed headers as (lower-case name, unfolded value), in order.

    They end at an empty line, and at one that is no header: what stands behind it is the body's.
    """
    found: list[tuple[str, bytes]] = []
    wanted = False
    for number, ended in enumerate(headers.split(b"\n")):
        line = ended.removesuffix(b"\r")
        if not line:
            break
        if line[:1] in (b" ", b"\t"):
            if wanted:
                found[-1] = (found[-1][0], found[-1][1] + line)
            continue
        match = _FIELD.fullmatch(line)
        if match is None:
            if number == 0 and line.startswith((b"From ", b">From ")):
                continue
            break
        name = match[1].decode("ascii").lower()
        wanted = name in FIELDS
        if wanted:
            found.append((name, match[2]))
    return [(name, value.decode("utf-8", "surrogateescape").strip(" \t")) for name, value in found]


def envelope(headers: bytes, *, cut: bool = False) -> Envelope:
    """Return what the headers say. ``cut``: they were too long and do not end; then nobody is named."""
    listed = fields(headers)
    told = hashlib.sha256()
    who: set[str] = set()
    message_id = ""
    for name, value in listed:
        told.update(f"{name}:{' '.join(value.split())}\n".encode("utf-8", "surrogateescape"))
        if name in ADDRESSED and not cut:
            who |= addresses(value)
        elif name == "message-id" and not message_id:
            message_id = _readable(value)
    return Envelope(message_id, tuple(sorted(who)), told.hexdigest())


def weighed(said: Envelope, size: int) -> str:
    """Return the content of a message of which headers and size alone are known, 64 hex."""
    return hashlib.sha256(f"{said.digest} {size}".encode()).hexdigest()


def named(letters: Iterable[Letter[Place]]) -> dict[str, Letter[Place]]:
    """Return one copy of each message under its item's id, whatever the order they come in.

    The id is the Message-ID, else ``sha256-`` and 16 hex digits of the content. Different messages of one
    Message-ID get ``~`` and 8 hex digits of their content, all of them: an id never passes from one
    message to another that merely claims it.
    """
    groups: dict[str, dict[str, Letter[Place]]] = {}
    for letter in letters:
        same = groups.setdefault(letter.message_id or f"sha256-{letter.content[:16]}", {})
        kept = same.get(letter.content)
        if kept is None or letter.fingerprint < kept.fingerprint:
            same[letter.content] = letter
    result: dict[str, Letter[Place]] = {}
    for base, same in groups.items():
        # One that looks like a tagged id could else be mistaken for it.
        plain = len(same) == 1 and not _TAGGED.search(base)
        digits = 8 if len({content[:8] for content in same}) == len(same) else 64
        for content, letter in same.items():
            result[base if plain else f"{base}~{content[:digits]}"] = letter
    return result


def _readable(value: str) -> str:
    """Return a Message-ID as it may stand in an item's id: what cannot be seen, and ``!/``, as ``%XX``."""
    match = _ANGLE.search(value)
    bare = unicodedata.normalize("NFC", match[1].strip() if match else value)
    if len(bare) > _LONGEST_ID:
        return ""
    text = bare
    if not bare.isprintable() or " " in bare:
        text = "".join(char if char.isprintable() and char != " " else _percent(char) for char in bare)
    # Members of an item are named `item!/member`: no message may pass for one of another's.
    return unicodedata.normalize("NFC", text).replace("!/", "!%2F")


def _percent(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogateescape"))
