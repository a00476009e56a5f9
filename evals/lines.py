"""Lines and JSON objects of a data set's files, read strictly: every mistake with its file and line."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from evals.errors import DatasetInvalid

MAX_LINE = 1_000_000
"""Bytes of a line of questions or judgements; a longer one is no such file."""

MAX_QUESTION = 8_000
"""Characters; what ``ask`` refuses can be no case."""

_BOM = b"\xef\xbb\xbf"
_SURROGATE = re.compile("[\ud800-\udfff]")
_LINE_HINT = "write one JSON object a line, in braces, with every text in double quotes"


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...


def invalid(where: str, what: str, hint: str) -> DatasetInvalid:
    """Return the error for one place (``name:LINE``) of a data set."""
    return DatasetInvalid(f"{where}: {what}", hint=hint)


def lines(
    path: Path, name: str, *, digest: _Digest | None = None, most: int = MAX_LINE
) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not blank, with their numbers from 1, without the line end.

    Lines end at a line feed alone, as JSON lines do; a byte order mark at the beginning is dropped.
    ``digest`` is fed every byte. ``most``: bytes that a line may have.

    Raises:
        DatasetInvalid: the file cannot be read, a line is too long or not UTF-8.
    """
    try:
        with path.open("rb") as file:
            number = 0
            while raw := file.readline(most + 1):
                number += 1
                if len(raw) > most:
                    hint = "one question, judgement or document a line; is this the right file?"
                    raise invalid(f"{name}:{number}", f"the line is longer than {most:,} bytes", hint)
                if digest is not None:
                    digest.update(raw)
                text = decoded(raw.removeprefix(_BOM) if number == 1 else raw, f"{name}:{number}")
                if text.strip():
                    yield number, text.rstrip("\r\n")
    except OSError as error:
        raise unreadable(name, error) from error


def decoded(raw: bytes, where: str) -> str:
    """Return bytes as text.

    Raises:
        DatasetInvalid: they are not UTF-8.
    """
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        what = f"not UTF-8: byte 0x{raw[error.start]:02x} at position {error.start + 1} of the line"
        raise invalid(where, what, "save the file as UTF-8") from error


def unreadable(name: str, error: OSError) -> DatasetInvalid:
    """Return the error for a file that is missing, a folder, or that one may not read."""
    hint = "is the path right?" if isinstance(error, FileNotFoundError) else "give the right to read it"
    return invalid(f"{name}:1", f"cannot be read: {error.strerror or error}", hint)


def parse_object(text: str, where: str) -> dict[str, Any]:
    """Return the JSON object that a line holds: keys once each, no NaN, whole characters only.

    Raises:
        DatasetInvalid: it holds anything else.
    """
    try:
        found = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except _Refused as error:
        raise invalid(where, str(error), _LINE_HINT) from error
    except json.JSONDecodeError as error:
        raise invalid(
            where, f"not JSON: {_lowered(error.msg)} at column {error.colno}", _LINE_HINT
        ) from error
    except ValueError as error:  # a number of thousands of digits
        raise invalid(where, "not JSON: a number that is too long", _LINE_HINT) from error
    except RecursionError as error:
        raise invalid(where, "nested too deeply", _LINE_HINT) from error
    if not isinstance(found, dict):
        raise invalid(where, f"not an object but {said(found)}", _LINE_HINT)
    # JSON can write half a character; no index, no report and no file can hold it.
    if "\\u" in text:
        check_characters(found, where)
    return found


def check_characters(found: object, where: str) -> None:
    """Refuse a lone surrogate anywhere in plain data.

    Raises:
        DatasetInvalid: there is one.
    """
    if _SURROGATE.search(json.dumps(found, ensure_ascii=False, default=str)):
        what = "half of a character (a lone surrogate, \\ud800 to \\udfff)"
        raise invalid(where, what, "write the character itself: the file is UTF-8")


def said(value: object) -> str:
    """Say in plain words what a value is."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'the text "{short(value)}"'
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    return f"the number {short(str(value))}"


def counted(number: int, noun: str) -> str:
    """Return ``1 question``, ``2 questions``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def short(text: str) -> str:
    """Return a text as a message can show it: one line, forty characters."""
    bare = " ".join(text.split())
    return bare if len(bare) <= 40 else bare[:39] + "\u2026"


class _Refused(Exception):
    """Something that Python's reader takes and JSON does not have."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _Refused(f'key "{short(key)}" is given twice')
        found[key] = value
    return found


def _no_number(name: str) -> None:
    raise _Refused(f"not JSON: {name} is no number")


def _lowered(message: str) -> str:
    return message[:1].lower() + message[1:]
