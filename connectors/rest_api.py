"""How a JSON API is described: where its entries stand, and what stands where in an entry."""

import json
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from connectors.json_paths import Path, text_of
from connectors.paging import Ask, Entry, Listing
from connectors.rest_access import Access
from connectors.url_templates import Template

Format = Literal["html", "storage", "markdown", "text", "file"]
SINCE = "{since}"
_MILLISECONDS = 100_000_000_000


@dataclass(frozen=True, slots=True)
class About:
    """What an entry tells for a fetch. ``own``, ``content``: URLs; ``page``: where the entry stands."""

    own: str | None = None
    content: str | None = None
    page: Ask | None = None
    title: str | None = None
    modified: str | None = None
    author: str | None = None
    link: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Fields:
    """Where an entry of the listing tells what.

    ``version``: paths whose values change when the content does. ``url``: where the entry stands alone, with
    the same fields, and with its content where that has no URL of its own. ``only``, ``without``: an entry
    counts when all of the one and none of the other are there and not false, 0 or empty.
    """

    id: Path
    version: tuple[Path, ...]
    title: Path | None = None
    modified: Path | None = None
    author: Path | None = None
    link: Template | None = None
    url: Template | None = None
    only: tuple[Path, ...] = ()
    without: tuple[Path, ...] = ()

    def wanted(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Yield the entries that count."""
        for entry in entries:
            kept = all(path.one(entry) for path in self.only)
            if kept and not any(path.one(entry) for path in self.without):
                yield entry

    def named(self, entry: Entry) -> str | None:
        """Return an entry's id, NFC; None where it has none."""
        found = _text(self.id, entry)
        return None if found is None else unicodedata.normalize("NFC", found)

    def time(self, entry: Entry) -> datetime | None:
        """Return when an entry was modified, None where it does not say so in a way that is known."""
        return None if self.modified is None else _moment(self.modified.one(entry))


@dataclass(frozen=True, slots=True)
class Content:
    """Where an item's content is: at ``path`` of the JSON at ``url``; without ``url``, of the entry itself.

    ``format`` ``file``: the answer's bytes are the content, ``name`` is the path of the file's name in the
    entry. ``blocks``: the JSON is a listing, and each of its entries gives one paragraph. ``most``: bytes.
    """

    path: Path | None = None
    format: Format = "html"
    url: Template | None = None
    name: Path | None = None
    blocks: Listing | None = None
    most: int = 100_000_000


@dataclass(frozen=True, slots=True)
class Slim:
    """A cheaper listing of all ids; ``versions``: it has the fields of ``version`` too.

    ``changes``: entries changed since ``{since}``, written as ``form`` (strftime) in UTC, ``overlap`` seconds
    before what is known. Every ``full_every``-th listing is full, whatever is remembered.
    """

    listing: Listing
    versions: bool = False
    changes: Listing | None = None
    form: str = "%Y-%m-%dT%H:%M:%SZ"
    overlap: int = 86_400
    full_every: int = 20

    def since(self, changes: Listing, watermark: datetime) -> Listing:
        """Return the listing of what changed since ``overlap`` before a time."""
        told = (watermark.astimezone(UTC) - timedelta(seconds=self.overlap)).strftime(self.form)
        return changes.filled(SINCE, told)


@dataclass(frozen=True, slots=True)
class Api:
    """A source described. ``access`` None: the API does not tell who reads an item."""

    listing: Listing
    fields: Fields
    content: Content
    access: Access | None = None
    slim: Slim | None = None

    @property
    def described(self) -> str:
        """Return what decides, beside an item's version, what a fetch gives: other paths, other bytes."""
        fields, content = self.fields, self.content
        places = (content.path, content.url, content.name, fields.url)
        shown = (fields.title, fields.modified, fields.author, fields.link)
        blocks = None if content.blocks is None else content.blocks.items.text
        texts = [place and place.text for place in (*places, *shown)]
        return json.dumps([content.format, blocks, *texts])

    def about(self, entry: Entry, page: Ask | None) -> About:
        """Return what a fetch needs of an entry of the listing, or of one that stands alone (no ``page``)."""
        fields, content = self.fields, self.content
        if page is not None and fields.url is not None:
            return About(own=fields.url.filled(entry))
        link = None if fields.link is None else fields.link.filled(entry)
        modified = fields.time(entry)
        return About(
            content=None if content.url is None else content.url.filled(entry),
            page=page if content.url is None else None,
            title=_text(fields.title, entry),
            modified=None if modified is None else modified.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            author=_text(fields.author, entry),
            # A link is for people to open: a script in it would run in their browser.
            link=link if link is not None and link.startswith(("https://", "http://")) else None,
            name=_text(content.name, entry),
        )


class Clock:
    """Finds the time from which on changes are unknown, by the server's times alone: ours may be wrong."""

    def __init__(self) -> None:
        self._started: datetime | None = None
        self._latest: datetime | None = None
        self._pages = 0

    def page(self, date: datetime | None) -> None:
        """Hear the server's own time, told with a page."""
        self._started = date if self._pages == 0 else self._started
        self._pages += 1

    def saw(self, modified: datetime | None) -> None:
        """Hear when an entry was modified."""
        if modified is not None and (self._latest is None or modified > self._latest):
            self._latest = modified

    def watermark(self, before: datetime | None) -> datetime | None:
        """Return the last time modified that was seen, never later than the server's time at the start.

        So an entry from the future hides nothing. With nothing seen, it stays at ``before``. None where the
        server does not tell its time, or where that lies before ``before``: its clock was set back.
        """
        if self._started is None or (before is not None and self._started < before):
            return None
        if self._latest is None:
            return before
        seen = min(self._started, self._latest)
        return seen if before is None else max(before, seen)


def _text(path: Path | None, entry: Entry) -> str | None:
    found = "" if path is None else "".join(text_of(one) or "" for one in path.all(entry))
    return found.encode("utf-8", "replace").decode() or None


def _moment(value: object) -> datetime | None:
    """Return a time of JSON: ISO 8601 (UTC where it names no zone), or seconds or milliseconds since 1970."""
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value)
            return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000 if value > _MILLISECONDS else value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None
