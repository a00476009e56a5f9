"""Columns of a row -> ids, text, fingerprints, readers: what the sql connector makes of values."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Self
from urllib.parse import quote, unquote
from uuid import UUID

from connectors.errors import SourceMisconfigured
from connectors.readers import READER

_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]+)\}|[{}]")
_BRACES = "write {column}, and {{ or }} for a brace itself"


@dataclass(frozen=True, slots=True)
class Template:
    """Text with ``{column}`` in it: names of columns and nothing else, no attributes, no formats.

    ``parts`` are (words, column) pairs: words first, then the column, None after the last words.
    """

    text: str
    parts: tuple[tuple[str, str | None], ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the template; ``{{`` and ``}}`` are braces.

        Raises:
            SourceMisconfigured: a brace that is neither doubled nor around a name.
        """
        parts: list[tuple[str, str | None]] = []
        words, end = "", 0
        for found in _TOKEN.finditer(text):
            words += text[end : found.start()]
            end = found.end()
            if found[1] is not None:
                parts.append((words, found[1]))
                words = ""
            elif len(found[0]) == 2:
                words += found[0][0]
            else:
                raise SourceMisconfigured(
                    f'the template {text!r} has a single "{found[0]}" at character {found.start() + 1}',
                    hint=_BRACES,
                )
        return cls(text, (*parts, (words + text[end:], None)))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns in it, each once, in the order of their first place."""
        return tuple(dict.fromkeys(column for _, column in self.parts if column is not None))

    def fill(self, values: Mapping[str, str]) -> str:
        """Return the text with each column's value; what stands in a value is never read as a template."""
        return "".join(words + ("" if column is None else values[column]) for words, column in self.parts)


def text_of(value: object) -> str:
    """Return a value as a person reads it: NULL is empty, times with a zone are UTC, lists by commas.

    Raises:
        UnicodeDecodeError: bytes that are no UTF-8.
    """
    if isinstance(value, str):
        return value
    for kinds, written in _AS_TEXT:
        if isinstance(value, kinds):
            return written(value)
    return "" if value is None else str(value)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=text_of)


def _list(value: Sequence[object]) -> str:
    nested = any(isinstance(one, dict | list) for one in value)
    return _json(value) if nested else ", ".join(text_of(one) for one in value)


# In this order: a truth value is a number too.
_AS_TEXT: Sequence[tuple[type | tuple[type, ...], Callable[[Any], str]]] = (
    (bool, lambda value: "true" if value else "false"),
    (Decimal, lambda value: format(value, "f")),
    (date, lambda value: moment(value) or ""),
    ((bytes, bytearray, memoryview), lambda value: bytes(value).decode()),
    ((list, tuple), _list),
    (dict, _json),
)


def moment(value: object) -> str | None:
    """Return a point in time as ISO 8601; with a zone as UTC and ``Z``; None where it is none.

    Text counts when it is ISO 8601 itself.
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return value.isoformat()
        return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
    return value.isoformat() if isinstance(value, date) else None


def tagged(value: object) -> str:
    """Return a value as text in which its type shows: equal only for equal values of one type."""
    for kinds, kind, written in _TAGGED:
        if isinstance(value, kinds):
            return f"{kind}:{written(value)}"
    return "null" if value is None else f"{type(value).__name__}:{text_of(value)}"


_TAGGED: Sequence[tuple[type | tuple[type, ...], str, Callable[[Any], str]]] = (
    ((bytes, bytearray, memoryview), "bytes", lambda value: bytes(value).hex()),
    (float, "float", repr),
    (datetime, "time", lambda value: moment(value) or ""),
    ((list, tuple), "list", lambda value: json.dumps([tagged(one) for one in value])),
    (dict, "object", lambda value: json.dumps(value, sort_keys=True, default=tagged)),
)


def digest(values: Iterable[object]) -> str:
    """Return 32 hex digits that differ where any value, its type or its place does."""
    whole = hashlib.sha256()
    for value in values:
        written = tagged(value).encode(errors="surrogatepass")
        whole.update(b"%d:" % len(written) + written)
    return whole.hexdigest()[:32]


def item_id(key: Mapping[str, Any]) -> str:
    """Return the id of a row: the key's columns as text, joined by ``/``.

    ``%`` is written ``%25``, in a key of several columns ``/`` is ``%2F``, and text that is not NFC has
    all but ASCII percent-escaped: every key has one id, and every id one key.

    Raises:
        SourceMisconfigured: a part is NULL, empty, or of a type that makes no id.
    """
    return "/".join(_part(column, value, several=len(key) > 1) for column, value in key.items())


def key_of(identity: str, columns: int) -> list[str] | None:
    """Return the parts of the key that an id was made of; None where it was made of another key."""
    parts = identity.split("/") if columns > 1 else [identity]
    try:
        return [unquote(part, errors="strict") for part in parts] if len(parts) == columns else None
    except UnicodeDecodeError:
        return None


def _part(column: str, value: object, *, several: bool) -> str:
    if value is None:
        raise SourceMisconfigured(
            f'the key column "{column}" is NULL in a row',
            hint=f"choose a key that every row has, or add `where {column} is not null` to the query",
        )
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal | UUID | date):
        raise SourceMisconfigured(
            f'the key column "{column}" holds a value of type {type(value).__name__}',
            hint=f"a key is text, a whole number, a decimal, a uuid or a date: cast {column} in the query",
        )
    text = text_of(value)
    if not text:
        raise SourceMisconfigured(
            f'the key column "{column}" is empty in a row', hint="choose a key that every row has"
        )
    text = text.replace("%", "%25")
    if several:
        text = text.replace("/", "%2F")
    if unicodedata.is_normalized("NFC", text):
        return text
    return "".join(char if char.isascii() else quote(char) for char in text)


@dataclass(frozen=True, slots=True)
class RowReaders:
    """Who may read a row, told by one of its columns.

    The column holds a list, a JSON list, or text that ``separator`` divides. Each value is a whole
    reader (``user:mia``, ``group:hr``, ``everyone``), or fills ``{value}`` of ``template``.
    """

    column: str
    separator: str = ","
    template: str | None = None

    def of(self, value: object) -> tuple[str, ...]:
        """Return the readers of a row; nobody where the value is empty or any part of it is no reader."""
        found = []
        for part in self._parts(value):
            if not isinstance(part, str) or not part.strip():
                return ()
            named = part.strip()
            reader = named if self.template is None else self.template.replace("{value}", named)
            if not READER.fullmatch(reader):
                return ()
            found.append(reader)
        return tuple(dict.fromkeys(found))

    def _parts(self, value: object) -> list[object]:
        if isinstance(value, list | tuple):
            return list(value)
        if not isinstance(value, str):
            return [] if value is None else [value]
        if value.lstrip().startswith("["):
            try:
                parsed = json.loads(value)
            except (ValueError, RecursionError):
                return [None]
            return parsed if isinstance(parsed, list) else [None]
        return [part for part in value.split(self.separator) if part.strip()]
