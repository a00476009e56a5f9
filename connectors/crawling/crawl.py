"""The crawl: from start pages and a sitemap along the links, level by level, to the pages of a source.

What a page without an answer means is decided so that nothing is taken for gone that may be there:

- One that is remembered stays as it was, with the links it had.
- One that is not may hide others behind it. So every remembered page that was not met is asked for itself;
  and where no crawl was ever finished (or the memory was deleted), there is no telling what it hides: the
  listing fails.
"""

from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from connectors.crawling.absent import ErrorPage, check_start, error_page
from connectors.crawling.canonical import standing_for
from connectors.crawling.memory import Memory
from connectors.crawling.pages import Page
from connectors.crawling.site import Site
from connectors.crawling.spool import Spool
from connectors.crawling.urls import Scope, host_of, origin_of
from connectors.crawling.visits import GONE, Trouble, Visit, Visitor
from connectors.errors import SourceMisconfigured, SourceUnavailable, UnreadableDocument

_SILENT = 3
_BATCH = 8


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a crawl goes: links away from where it starts, pages asked for, requests at once."""

    depth: int = 3
    max_pages: int = 1000
    parallel: int = 2


@dataclass(frozen=True, slots=True)
class Found:
    """The pages of a source by their ids, each once, and the addresses that gave trouble, with why."""

    pages: dict[str, Page]
    troubles: dict[str, Trouble]


@dataclass(slots=True)
class Crawl:
    """One crawl; ``run`` it once. ``memory`` is brought up to date, also by a crawl that fails."""

    site: Site
    visitor: Visitor
    scope: Scope
    reach: Reach
    memory: Memory
    spool: Spool
    _starts: frozenset[str] = field(init=False, default=frozenset())
    _fronts: set[str] = field(init=False, default_factory=set)
    _pages: dict[str, Page] = field(init=False, default_factory=dict)
    _moved: dict[str, str] = field(init=False, default_factory=dict)
    _troubles: dict[str, Trouble] = field(init=False, default_factory=dict)
    _hiding: list[str] = field(init=False, default_factory=list)
    _seen: set[str] = field(init=False, default_factory=set)
    _errors: dict[str, ErrorPage] = field(init=False, default_factory=dict)
    _silent: int = field(init=False, default=0)

    def run(self, starts: Collection[str], listed: Iterable[str]) -> Found:
        """Crawl from the start pages and from those that a sitemap lists.

        Raises:
            SourceUnavailable: the site does not answer, or answers everything alike, or a page that may hide
                others does not.
            SourceMisconfigured: a start page is not there or elsewhere; there are more than ``max_pages``.
            AccessDenied, AddressRefused: a start page is not for us.
        """
        self._starts = frozenset(starts)
        level = [*starts, *(url for url in self._new(listed) if url not in self._starts)]
        for _ in range(self.reach.depth + 1):
            links: set[str] = set()
            while level:
                beside: set[str] = set()
                for visit in self._visited(level):
                    for page in self._taken(visit):
                        links.update(page.links)
                        beside.update([page.canonical] if page.canonical else [])
                level = self._new(beside)
            level = self._new(links)
        if self._hiding:
            self._look_behind()
        if not self._pages:
            raise SourceUnavailable("none of the pages that the sitemap names can be read", hint=_SITEMAP)
        return self._finished()

    def _new(self, urls: Iterable[str]) -> list[str]:
        own = {self.scope.own(url) for url in urls}
        return sorted(url for url in own - self._seen if self.scope.worth_asking(url))

    def _visited(self, urls: list[str]) -> Iterator[Visit]:
        """Visit pages, some at once, and give what became of each, in order."""
        self._seen.update(urls)
        if len(self._seen) > self.reach.max_pages:
            raise SourceMisconfigured(
                f"there are over {self.reach.max_pages} pages: nothing is listed, since the rest must not"
                " be taken for deleted",
                hint="raise `max_pages`, or narrow the source with `include`, `exclude` or `depth`",
            )
        for url in urls:
            self._error_page(url)

        def visit(url: str) -> Visit:
            return self.visitor.visit(url, self.memory, self.spool)

        with ThreadPoolExecutor(self.reach.parallel) as pool:
            for at in range(0, len(urls), _BATCH):
                yield from pool.map(visit, urls[at : at + _BATCH])

    def _error_page(self, url: str) -> ErrorPage:
        origin = origin_of(url)
        if origin not in self._errors:
            self._errors[origin] = error_page(self.visitor, url, self.memory)
        return self._errors[origin]

    def _taken(self, visit: Visit) -> list[Page]:
        """Enter what a visit found; give the page whose links are to be followed, if there is one."""
        if visit.trouble is not None:
            return self._troubled(visit, visit.trouble)
        self._silent = 0
        start = visit.url in self._starts
        if start:
            self._check(visit)
        page, final = visit.page, visit.final
        if page is None or not (self.scope.on_site(final) if start else self.scope.holds(final)):
            return []
        if not start and final not in self._fronts and self._error_page(final).is_like(final, page):
            return []
        if start:
            self._fronts.add(final)
        self._enter(visit.url, final, page)
        return [page]

    def _enter(self, url: str, final: str, page: Page) -> None:
        self._pages[final] = self.memory.pages[final] = page
        self._moved.pop(url, None)
        self.memory.moved.pop(url, None)
        if final != url:
            self._moved[url] = self.memory.moved[url] = final

    def _troubled(self, visit: Visit, trouble: Trouble) -> list[Page]:
        if visit.url in self._starts:
            if isinstance(trouble.error, UnreadableDocument):
                raise SourceUnavailable(str(trouble.error), hint=trouble.error.hint) from trouble.error
            raise trouble.error
        if trouble.reason == "unreachable":
            self._silent += 1
            if self._silent % _SILENT == 0:
                self.site.still_there(visit.url, trouble.error)
        place = self.memory.moved.get(visit.url, visit.url)
        known = self.memory.pages.get(place)
        if known is not None and trouble.reason == "unreachable":
            self._enter(visit.url, place, known)
            return [known]
        self._troubles[visit.url] = trouble
        if known is None:
            self._hiding.append(visit.url)
            return []
        return [known]

    def _check(self, visit: Visit) -> None:
        """Raise unless a start page is a page of this site."""
        if not self.scope.on_site(visit.final):
            raise SourceMisconfigured(
                f"{visit.url} leads to another host, {host_of(visit.final)}",
                hint=f"write {visit.final} as `start`, or add {host_of(visit.final)} to `hosts`",
            )
        if not self.site.allows(visit.url) or not self.site.allows(visit.final):
            raise SourceMisconfigured(f"robots.txt forbids {visit.url}", hint=_ROBOTS)
        if visit.page is None:
            said = "is not there" if visit.status in GONE else "is no page"
            raise SourceMisconfigured(f"{visit.url} {said}", hint="check the address of `start`")
        check_start(visit, visit.page, self._error_page(visit.final))

    def _look_behind(self) -> None:
        """Ask for every remembered page that was not met: a page without an answer may have led to it."""
        passing = [url for url in self._hiding if self._troubles[url].passing]
        if passing and not self.memory.whole:
            some = ", ".join(sorted(passing)[:3]) + (" and others" if len(passing) > 3 else "")
            raise SourceUnavailable(
                f"no answer from {some}; what lies behind cannot be told from what was deleted",
                hint="try again later; a page that is always so, leave out with `exclude`",
            )
        for visit in self._visited(self._new(self.memory.pages)):
            self._taken(visit)

    def _finished(self) -> Found:
        kept, moved = dict(self._pages), dict(self._moved)
        for url in self._troubles:
            place = self.memory.moved.get(url, url)
            if place in self.memory.pages:
                kept[place] = self.memory.pages[place]
                moved.update({url: place} if place != url else {})
        self.memory.pages, self.memory.moved = kept, moved
        self.memory.whole = True
        named = {
            url: self._canonical(url, page)
            for url, page in self._pages.items()
            if page.listed and self.scope.holds(url)
        }
        ids = sorted(set(standing_for(named, self._moved).values()))
        troubles = {
            url: trouble
            for url, trouble in sorted(self._troubles.items())
            if url not in self._pages and self.scope.holds(url)
        }
        return Found({one: self._pages[one] for one in ids}, troubles)

    def _canonical(self, url: str, page: Page) -> str | None:
        same_host = page.canonical is not None and host_of(page.canonical) == host_of(url)
        return self.scope.own(page.canonical) if page.canonical and same_host else None


_ROBOTS = "start elsewhere, or ask who runs the site; `robots: false` is for sites of your own"
_SITEMAP = "open one of them in a browser: they may want a login"
