"""Plain text and separated values: bytes of an unknown encoding -> lines."""

import codecs
import csv
import io
import re

from connectors.parsing.draft import Draft
from connectors.parsing.failures import failure

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\x0b\x0c\x1b"))
_CHARSET = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9_.:-]{2,40})""", re.IGNORECASE)
# A file must not choose these: they are no character sets, or slow on long input.
_NOT_CHOSEN = frozenset(
    {"utf-7", "idna", "punycode", "unicode-escape", "unicodeescape", "raw-unicode-escape"}
)
_LONGEST_FIELD = 10_000_000


def decode(data: bytes, *, declared: str = "", says_itself: bool = False) -> str:
    """Return the text of some bytes.

    Tried in order: byte order mark; UTF-16 shown by its zero bytes; what is declared (and with
    ``says_itself``, what the first 2,048 bytes declare, as HTML and XML do); UTF-8; Windows-1252.

    Raises:
        UnreadableDocument: ``unsupported`` when the bytes are not text.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, errors="replace")
    if wide := _zero_pattern(data):
        return data.decode(wide, errors="replace")
    if len(data[:65536].translate(None, _CONTROLS)) < 0.99 * len(data[:65536]):
        raise failure("unsupported", "the bytes are not text")
    named = _CHARSET.search(data[:2048]) if says_itself else None
    for encoding in (declared, named[1].decode("ascii") if named else "", "utf-8"):
        text = _strictly(data, encoding)
        if text is not None:
            return text
    # Five bytes mean nothing in Windows-1252: there Latin-1's controls, which canonical text drops.
    return "".join(_WINDOWS[byte] for byte in data)


def _zero_pattern(data: bytes) -> str:
    """Return UTF-16's name where every other byte is mostly zero: Latin text without a byte order mark."""
    sample = data[: min(len(data), 4096) & ~1]
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if odd > 0.7 * len(sample) / 2 and even < 0.05 * len(sample):
        return "utf-16-le"
    return "utf-16-be" if even > 0.7 * len(sample) / 2 and odd < 0.05 * len(sample) else ""


def _strictly(data: bytes, encoding: str) -> str | None:
    try:
        if not encoding or codecs.lookup(encoding).name in _NOT_CHOSEN:
            return None
        return data.decode(encoding)
    except (LookupError, ValueError):
        return None


_WINDOWS = tuple(
    bytes([byte]).decode("cp1252" if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else "latin-1")
    for byte in range(256)
)


def read_text(data: bytes, *, declared: str = "", lines: bool = False) -> Draft:
    """Read plain text as it stands; ``lines`` notes those of the file."""
    draft = Draft("text/1")
    draft.write(decode(data, declared=declared))
    if lines:
        draft.stands_verbatim()
    return draft


def read_separated(data: bytes, *, tabs: bool = False) -> Draft:
    """Read separated values as one table; the separator is the one most seen in the first lines."""
    draft = Draft("separated/1")
    text = decode(data)
    separator = "\t" if tabs else _separator(text)
    # A field may be as long as the file; the module's own limit is for the whole process.
    csv.field_size_limit(_LONGEST_FIELD)
    try:
        draft.table(enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=separator), start=1))
    except csv.Error as error:
        raise failure("damaged", f"not separated values: {error}") from error
    return draft


def _separator(text: str) -> str:
    lines = [line for line in text[:20_000].splitlines() if line.strip()][:20]
    seen = {mark: [line.count(mark) for line in lines] for mark in ",;\t|"}
    return max(seen, key=lambda mark: (sum(map(bool, seen[mark])), sum(seen[mark])))
