"""Rows of a database as a source: one query of the operator's, one row an item."""

import json
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from typing import IO, TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import quote

from connectors.errors import SourceMisconfigured, SourceUnavailable, Unanswered, UnreadableDocument
from connectors.items import Item, Raw
from connectors.parsing.failures import failure
from connectors.retrying import Passing, Patience, retried
from connectors.sql_database import LATER, Database
from connectors.sql_rows import RowReaders, Template, digest, item_id, key_of, moment, tagged, text_of

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Select, Subquery

_Given = TypeVar("_Given")
Format = Literal["text", "html", "markdown"]
_NAMES = {"text": ("txt", "text/plain"), "html": ("html", "text/html"), "markdown": ("md", "text/markdown")}
_IN_MEMORY = 2_000_000
_NOT_SEEN = "a row that was there when the source was listed is gone: the next index run notices it"


@dataclass(frozen=True, slots=True)
class Rows:
    """What a row is: the query, and which of its columns mean what.

    ``key``: the columns that name a row. ``updated``: a column that changes with every change of the row;
    None: the columns that are read are digested. ``text``, ``title`` and ``link`` are templates.
    """

    query: str
    key: Sequence[str]
    text: str
    title: str | None = None
    updated: str | None = None
    link: str | None = None
    author: str | None = None
    modified: str | None = None
    format: Format = "text"


@dataclass(frozen=True, slots=True)
class SqlLimits:
    """``connections`` at once; ``timeout`` in seconds of a statement; ``max_bytes`` of a row's text."""

    connections: int = 4
    timeout: float = 30.0
    max_bytes: int = 100_000_000
    patience: Patience = field(default_factory=Patience)


class Sql:
    """Lists the rows of a query and reads them one by one. ``fetch`` may be called from several threads.

    - The id of a row is its key as text; several columns are joined by ``/``, escaped.
    - The query is never put together from text: it stands as a subquery, keys are bound values.
    - ``readers`` may read every row; ``row_readers`` tells who else may.

    Raises:
        SourceMisconfigured: a template or the url is wrong. Nothing is connected to yet.
    """

    def __init__(
        self,
        url: str,
        rows: Rows,
        *,
        readers: Sequence[str],
        row_readers: RowReaders | None = None,
        limits: SqlLimits = SqlLimits(),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._database = Database(url, connections=limits.connections, timeout=limits.timeout)
        self._rows = rows
        self._key = tuple(rows.key)
        self._readers = tuple(readers)
        self._row_readers = row_readers
        self._limits = limits
        self._sleep = sleep
        self._text = Template.parse(rows.text)
        self._title = Template.parse(rows.title or "")
        self._link = Template.parse(rows.link or "")
        if rows.link is not None and not re.match(r"https?://[^/]", self._link.parts[0][0]):
            raise SourceMisconfigured(
                f"the link {rows.link!r} is no address", hint="begin it with https://HOST/"
            )
        self._settings = digest(
            [rows.text, rows.title, rows.link, rows.author, rows.modified, rows.format]
            + ([rows.query] if rows.updated else [])
        )
        self._checked = threading.Event()

    def list(self) -> Iterator[Item]:
        """Yield each row of one snapshot; the listing is whole before the first is given.

        Raises:
            SourceUnavailable: the database cannot be reached, or took too long.
            AccessDenied: it refuses the login.
            SourceMisconfigured: the query fails, a column is not there, a key is NULL or stands twice.
            ExtraMissing: the database's driver is not installed.
        """
        with tempfile.SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="utf-8") as spool:
            try:
                self._tried(lambda: self._spooled(spool))
                spool.seek(0)
                for line in spool:
                    name, fingerprint, readers = json.loads(line)
                    yield Item(name, fingerprint, tuple(readers))
            except UnreadableDocument as error:  # which row it is, the database does not say
                raise SourceMisconfigured(str(error), hint=error.hint) from error
            except OSError as error:
                raise SourceUnavailable(
                    f"the listing cannot be kept in a temporary file: {error.strerror}",
                    hint="free some space in the folder of temporary files",
                ) from error

    def fetch(self, item: Item) -> Raw:
        """Return the text of a row.

        Raises:
            UnreadableDocument: ``vanished``, ``too_large``, ``damaged`` (a value that cannot be read),
                or ``unreachable`` (no answer in time).
            SourceUnavailable: the database cannot be reached.
        """
        try:
            row = self._tried(lambda: self._row(item))
            return self._raw(item, row)
        except Unanswered as error:
            raise UnreadableDocument(f"{item.id}: {error}", reason="unreachable", hint=error.hint) from error
        except UnicodeDecodeError as error:
            raise UnreadableDocument(
                f"{item.id} holds bytes that are no UTF-8 text",
                reason="damaged",
                hint="leave the binary column out of the templates, or convert it in the query",
            ) from error

    def _tried(self, call: Callable[[], _Given]) -> _Given:
        try:
            return retried(call, self._limits.patience, sleep=self._sleep)
        except Passing as error:
            raise SourceUnavailable(str(error), hint=LATER) from error

    def _spooled(self, spool: IO[str]) -> None:
        """Write the whole listing; called again, it begins anew."""
        spool.seek(0)
        spool.truncate()
        seen: set[str] = set()
        with self._database.reading() as connection:
            self._check(connection)
            names = self._listed()
            with closing(self._database.batches(connection, self._select(names))) as batches:
                for row in chain.from_iterable(batches):
                    item = self._item(dict(zip(names, row, strict=True)))
                    if item.id in seen:
                        raise self._twice(item)
                    seen.add(item.id)
                    spool.write(json.dumps([item.id, item.fingerprint, item.readers]) + "\n")

    def _item(self, row: dict[str, Any]) -> Item:
        name = item_id({column: row[column] for column in self._key})
        if self._rows.updated is None:
            fingerprint = digest([self._settings, *(row[column] for column in self._read())])
        else:
            # The id is in it: rows of one moment are no copies of each other.
            fingerprint = digest([self._settings, name, tagged(row[self._rows.updated])])
        told = () if self._row_readers is None else self._row_readers.of(row[self._row_readers.column])
        return Item(name, fingerprint, tuple(dict.fromkeys((*self._readers, *told))))

    def _row(self, item: Item) -> dict[str, Any]:
        names = tuple(dict.fromkeys((*self._key, *self._read())))
        key = key_of(item.id, len(self._key))
        if key is None:
            raise _gone(item)
        with self._database.reading() as connection:
            if not self._checked.is_set():
                self._check(connection)
            found = self._database.rows(connection, self._select(names, key), 100)
        rows = [dict(zip(names, row, strict=True)) for row in found]
        same = [row for row in rows if item_id({name: row[name] for name in self._key}) == item.id]
        if not same:
            raise _gone(item)
        if len(same) > 1:
            raise self._twice(item)
        return same[0]

    def _raw(self, item: Item, row: dict[str, Any]) -> Raw:
        values = {column: text_of(row[column]) for column in self._filled()}
        suffix, media = _NAMES[self._rows.format]
        # A lone surrogate is no character: JSON can write it, UTF-8 cannot.
        data = self._text.fill(values).encode(errors="ignore")
        if len(data) > self._limits.max_bytes:
            raise failure("too_large", f"{item.id} has more than {self._limits.max_bytes} bytes")
        quoted = {column: quote(value, safe="", errors="ignore") for column, value in values.items()}
        author = text_of(row[self._rows.author]) if self._rows.author else ""
        return Raw(
            item=item.id,
            data=data,
            name=f"{item.id}.{suffix}",
            media_type=f"{media}; charset=utf-8",
            title=" ".join(self._title.fill(values).split()) or None,
            link=self._link.fill(quoted) if self._rows.link else None,
            modified=moment(row[self._rows.modified]) if self._rows.modified else None,
            author=author.strip() or None,
        )

    def _filled(self) -> tuple[str, ...]:
        """Return the columns of the templates."""
        return tuple(dict.fromkeys((*self._text.columns, *self._title.columns, *self._link.columns)))

    def _read(self) -> tuple[str, ...]:
        """Return the columns that a document is made of."""
        more = (one for one in (self._rows.author, self._rows.modified) if one is not None)
        return tuple(dict.fromkeys((*self._filled(), *more)))

    def _listed(self) -> tuple[str, ...]:
        """Return the columns that a listing needs."""
        readers = () if self._row_readers is None else (self._row_readers.column,)
        seen = self._read() if self._rows.updated is None else (self._rows.updated,)
        return tuple(dict.fromkeys((*self._key, *seen, *readers)))

    def _twice(self, item: Item) -> SourceMisconfigured:
        named = ", ".join(f'"{column}"' for column in self._key)
        return SourceMisconfigured(
            f"the key {named} is not unique: {item.id!r} stands in two rows",
            hint="name more columns in `key`, or let the query give each row once",
        )

    def _check(self, connection: "Connection") -> None:
        """Raise ``SourceMisconfigured`` where the query lacks a column, or gives one twice."""
        from sqlalchemy import literal_column, select

        everything: Select[Any] = select(literal_column("*")).select_from(self._subquery()).limit(0)
        known = self._database.columns(connection, everything)
        wanted = dict.fromkeys(self._key, "key")
        wanted |= {column: "text, title or link" for column in self._filled() if column not in wanted}
        named = {"updated": self._rows.updated, "author": self._rows.author, "modified": self._rows.modified}
        named["readers_column"] = self._row_readers.column if self._row_readers else None
        wanted |= {column: use for use, column in named.items() if column and column not in wanted}
        for column, use in wanted.items():
            if known.count(column) != 1:
                how = "gives no column" if column not in known else "gives more than one column"
                raise SourceMisconfigured(
                    f'the query {how} "{column}" ({use}); it gives: {", ".join(known)}',
                    hint="correct the name, or add `as NAME` in the query; capitals count",
                )
        self._checked.set()

    def _subquery(self) -> "Subquery":
        from sqlalchemy import text

        query = self._rows.query.strip().rstrip(";").rstrip()
        # No colon of it is a parameter. The line feed ends a comment in the last line.
        return text(query.replace(":", r"\:") + "\n").columns().subquery("ragflow_rows")

    def _select(self, names: Sequence[str], key: Sequence[str] | None = None) -> "Select[Any]":
        from sqlalchemy import column, select

        columns: list[Any] = [column(name) for name in names]
        query: Select[Any] = select(*columns).select_from(self._subquery())
        return query if key is None else query.where(*map(self._same, self._key, key))

    def _same(self, name: str, part: str) -> "ColumnElement[bool]":
        """Return that a column of the key is this, however its type writes it.

        The value is bound without a type, so that the database reads it as one of the column's. SQLite
        has values, not columns, of a type: there a number is looked for as such too.
        """
        from sqlalchemy import bindparam, column
        from sqlalchemy.types import NullType

        values: list[str | int] = [part]
        if self._database.is_sqlite and re.fullmatch(r"0|-?[1-9][0-9]{0,18}", part):
            number = int(part)
            values += [number] if -(2**63) <= number < 2**63 else []
        same = [column(name) == bindparam(None, value, type_=NullType(), unique=True) for value in values]
        return same[0] if len(same) == 1 else same[0] | same[1]


def _gone(item: Item) -> UnreadableDocument:
    return UnreadableDocument(f"{item.id} is gone", reason="vanished", hint=_NOT_SEEN)
