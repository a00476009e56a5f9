"""The pages of a JSON listing, in six styles, each to its end or not at all.

What a listing does not show is taken for deleted. So each style has an end that can be told from a fault:
a page that comes twice, an announced total that is not met, a `more` without a place to go on, an element
that has moved while we read are all a listing that broke off.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from urllib.parse import quote, unquote_plus, urljoin

from connectors.errors import SourceMisconfigured
from connectors.json_paths import Path, text_of

Style = Literal["single", "next", "header", "cursor", "offset", "page"]
Entry = dict[str, object]
_EMPTY_PAGES = 1000
_LINK = re.compile(r"<([^>]*)>([^<]*)")
_NEXT = re.compile(r";\s*rel\s*=\s*(?:\"(?:[^\"]*\s)?next(?:\s[^\"]*)?\"|next\b)", re.IGNORECASE)


class BrokeOff(Exception):
    """A listing that did not come to its end, or changed while it was read: begin again."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request for JSON: a GET, or a POST of ``body`` where there is one."""

    url: str
    body: str | None = None

    @classmethod
    def of(cls, url: str, body: Mapping[str, object] | None) -> "Ask":
        """Return the request for a URL with a body of JSON, or none."""
        return cls(url, None if body is None else json.dumps(body, ensure_ascii=False))

    def having(self, name: str, value: str | int) -> "Ask":
        """Return it with a parameter set: a key of the body, or of the query where there is no body."""
        if self.body is not None:
            return Ask.of(self.url, {**json.loads(self.body), name: value})
        head, _, query = self.url.partition("?")
        kept = [pair for pair in query.split("&") if pair and unquote_plus(pair.partition("=")[0]) != name]
        return Ask(
            "?".join((head, "&".join([*kept, f"{quote(name, safe='')}={quote(str(value), safe='')}"])))
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered: JSON, the ``Link`` header, the server's own time where it tells it."""

    url: str
    document: object
    link: str
    date: datetime | None


@dataclass(frozen=True, slots=True)
class Page:
    """The entries of a page that no page before had, and how to ask for it again."""

    ask: Ask
    entries: list[Entry]
    date: datetime | None


@dataclass(frozen=True, slots=True)
class Paging:
    """How a listing goes on.

    ``single``: it does not. ``next``: ``path`` is the next page's link, ``prefix`` put before it.
    ``header``: the same by ``Link: <...>; rel="next"``. ``cursor``: what stands at ``path`` becomes
    ``parameter``. ``offset``: ``parameter`` counts entries from ``first``; the last entry of a page is asked
    for again as the first of the next, so that a listing which has moved is noticed. ``page``: it counts
    pages. ``more``: path to true or false. ``total``: path to the number of all entries.
    """

    style: Style = "single"
    path: Path | None = None
    prefix: str = ""
    parameter: str = ""
    first: int = 0
    more: Path | None = None
    total: Path | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """A listing: how to ask, where its entries stand, what tells one from another, how it goes on."""

    ask: Ask
    items: Path
    id: Path
    paging: Paging = Paging()

    def begin(self) -> Ask:
        """Return how to ask for the first page."""
        counted = self.paging.style in ("offset", "page")
        return self.ask.having(self.paging.parameter, self.paging.first) if counted else self.ask

    def filled(self, place: str, value: str) -> "Listing":
        """Return it with ``place`` replaced wherever it stands in the URL or the body."""
        url = self.ask.url.replace(place, quote(value, safe=""))
        body = self.ask.body and self.ask.body.replace(place, json.dumps(value, ensure_ascii=False)[1:-1])
        return replace(self, ask=Ask(url, body))

    def entries(self, answer: Answer) -> list[Entry]:
        """Return the entries of a page. Raises ``SourceMisconfigured``: there is no list of objects."""
        found = self.items.one(answer.document)
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise SourceMisconfigured(
                f"the answer has no list of objects at `{self.items.text}`",
                hint="look at what the API answers, and set the path of its entries",
            )
        return found

    def pages(self, get: Callable[[Ask], Answer]) -> Iterator[Page]:
        """Yield the pages to the last, or raise.

        Raises:
            BrokeOff: it did not come to its end.
            SourceMisconfigured: there are no entries at ``items``, or something at a path is not what it
                must be.
        """
        return _Reading(self).pages(get)


class _Reading:
    """One reading of a listing: what was seen so far."""

    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self._paging = listing.paging
        self._seen = 0
        self._number = listing.paging.first
        self._total: int | None = None
        self._last: object = None

    def pages(self, get: Callable[[Ask], Answer]) -> Iterator[Page]:
        asked: set[Ask] = set()
        empty = 0
        ask: Ask | None = self._listing.begin()
        while ask is not None:
            if ask in asked:
                raise BrokeOff("its next page is one that was read before")
            asked.add(ask)
            answer = get(ask)
            found = self._listing.entries(answer)
            entries = self._new(found)
            self._seen += len(entries)
            self._count(answer)
            empty = 0 if entries else empty + 1
            if empty > _EMPTY_PAGES:
                raise BrokeOff(f"{_EMPTY_PAGES} of its pages in a row are empty")
            yield Page(ask, entries, answer.date)
            ask = self._next(answer, found, entries)
        if self._total is not None and self._seen < self._total:
            raise BrokeOff(f"it announced {self._total} entries and gave {self._seen}")

    def _new(self, found: list[Entry]) -> list[Entry]:
        """Return the entries of a page without the one that was asked for again."""
        if self._last is None:
            return found
        if not found or self._listing.id.one(found[0]) != self._last:
            raise BrokeOff("its entries moved while it was read")
        return found[1:]

    def _count(self, answer: Answer) -> None:
        if self._paging.total is None:
            return
        total = self._paging.total.one(answer.document)
        if not isinstance(total, int) or isinstance(total, bool) or total < 0:
            raise SourceMisconfigured(
                f"there is no number at `{self._paging.total.text}`", hint="correct `pages.total`, or drop it"
            )
        if self._total is not None and total < self._total:
            raise BrokeOff(f"it shrank from {self._total} to {total} entries while it was read")
        self._total = total

    def _next(self, answer: Answer, found: list[Entry], entries: list[Entry]) -> Ask | None:
        more = self._more(answer)
        match self._paging.style:
            case "single":
                going = None
            case "offset" | "page":
                going = self._counted(found, entries, more=more)
            case _:
                going = self._led(answer) if more is not False else None
        if going is None and more:
            raise BrokeOff("it says that there is more, and not where")
        return going

    def _counted(self, found: list[Entry], entries: list[Entry], *, more: bool | None) -> Ask | None:
        # A page without entries is the last; were more announced, whoever counts at the end says so.
        if more is False or not entries or (self._total is not None and self._seen >= self._total):
            return None
        if self._paging.style == "page":
            self._number += 1
        else:
            # A page of one has no room for an entry that is known already.
            again = len(found) > 1
            self._last = self._listing.id.one(found[-1]) if again else None
            self._number = self._paging.first + self._seen - (1 if again else 0)
        return self._listing.ask.having(self._paging.parameter, self._number)

    def _more(self, answer: Answer) -> bool | None:
        if self._paging.more is None:
            return None
        more = self._paging.more.one(answer.document)
        if not isinstance(more, bool):
            raise SourceMisconfigured(
                f"there is neither true nor false at `{self._paging.more.text}`",
                hint="correct `pages.more`, or drop it",
            )
        return more

    def _led(self, answer: Answer) -> Ask | None:
        if self._paging.style == "header":
            links = [place for place, about in _LINK.findall(answer.link) if _NEXT.search(about)]
            return Ask(urljoin(answer.url, links[0]), self._listing.ask.body) if links else None
        found = self._paging.path.one(answer.document) if self._paging.path is not None else None
        value = text_of(found)
        if found is not None and value is None:
            raise BrokeOff("what should say where it goes on is neither text nor number")
        if not value:
            return None
        if self._paging.style == "cursor":
            return self._listing.ask.having(
                self._paging.parameter, found if isinstance(found, int) else value
            )
        return Ask(urljoin(answer.url, self._paging.prefix + value), self._listing.ask.body)
