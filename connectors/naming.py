"""Names of files in a source -> ids: NFC, readable, each its own."""

import hashlib
import os
import unicodedata
from collections.abc import Iterable


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
