"""Names of files in a source -> ids: NFC, readable, each its own."""

import hashlib
import os
import unicodedata
from collections.abc import Iterable, Iterator
from typing import TypeVar

_Entry = TypeVar("_Entry")


def readable(name: str) -> str:
    """Return a name as text: bytes that are no UTF-8 as ``%XX``, NFC."""
    text = "".join(f"%{ord(char) - 0xDC00:02X}" if "\udc80" <= char <= "\udcff" else char for char in name)
    return unicodedata.normalize("NFC", text)


def ids_of(names: Iterable[bytes]) -> dict[bytes, str]:
    """Return the id that each name gets, in the order of their bytes.

    Names that would get the same id all keep one: the one that is the id itself has it (else the first by
    bytes), the others get ``~`` and 8 hex digits of their name's SHA-256.
    """
    given: dict[bytes, str] = {}
    taken: set[str] = set()
    exact_first = sorted(names, key=lambda name: (readable(os.fsdecode(name)) != os.fsdecode(name), name))
    for name in exact_first:
        text = readable(os.fsdecode(name))
        given[name] = f"{text}~{hashlib.sha256(name).hexdigest()[:8]}" if text in taken else text
        taken.add(given[name])
    return dict(sorted(given.items()))


def apart(entries: Iterable[tuple[bytes, _Entry]]) -> Iterator[tuple[str, _Entry]]:
    """Yield each entry with its id, by the rule of ``ids_of``, without waiting for the end of the entries.

    Names that are their own id come at once, in the order given; the others after the last of them.
    """
    taken: set[str] = set()
    rest: dict[bytes, _Entry] = {}
    for name, entry in entries:
        text = os.fsdecode(name)
        if readable(text) == text:
            taken.add(text)
            yield text, entry
        else:
            rest[name] = entry
    for name in sorted(rest):
        text = readable(os.fsdecode(name))
        text = f"{text}~{hashlib.sha256(name).hexdigest()[:8]}" if text in taken else text
        taken.add(text)
        yield text, rest[name]


def hidden(path: str) -> bool:
    """Say whether a part of a POSIX path starts with a dot."""
    return path.startswith(".") or "/." in path
