"""Web sites as a source: the pages behind start addresses and sitemaps."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from connectors.crawling import memory, sitemaps
from connectors.crawling.crawl import Crawl, Found, Reach
from connectors.crawling.main_content import extraction_key
from connectors.crawling.site import Site
from connectors.crawling.spool import Spool
from connectors.crawling.urls import Scope, host_of, normalised, origin_of, pages, path_of, with_query
from connectors.crawling.visits import Visitor
from connectors.errors import SourceMisconfigured, UnreadableDocument
from connectors.globs import ReadersRule, globs
from connectors.items import Item, Raw
from connectors.outbound import Outbound

_NOT_SEEN = "a page that was there when the site was listed is gone: the next index run notices it"


@dataclass(frozen=True, slots=True)
class WebPages:
    """Which pages a source has, and how they are read.

    - ``start``: pages from which links are followed; ``sitemap``: a file that lists pages. One is needed.
    - ``include`` and ``exclude``: globs over paths without the first slash, or over path``?``query.
    - ``hosts``: further hosts whose pages belong to the source, ``name`` or ``name:port``. Every host is
      asked by one scheme, that of the first start page on it.
    - ``robots``: whether robots.txt, its Crawl-delay too, is obeyed.
    - ``main_content``: cut HTML down to what it is about.
    """

    start: tuple[str, ...] = ()
    sitemap: str | None = None
    include: tuple[str, ...] = ("**/*",)
    exclude: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    robots: bool = True
    main_content: bool = True
    max_bytes: int = 100_000_000


@dataclass(frozen=True, slots=True)
class Access:
    """Who reads the pages, and what is shown to the site.

    ``readers_by``: the first rule whose glob matches wins over ``readers``. ``credentials``: headers that
    only the origins of ``start`` and ``sitemap`` get.
    """

    readers: tuple[str, ...] = ()
    readers_by: Sequence[ReadersRule] = ()
    credentials: Mapping[str, str] = field(default_factory=dict)


class Web:
    """Lists the pages of a site and reads them.

    - The id of a page is its address: the canonical one that it names, if that is a page of the source on
      the same host, else where its address led; in one spelling, ASCII. Pages with one canonical are one.
    - ``list`` crawls: pages and documents they link to are asked for, in full the first time, then only for
      whether they have changed. A fingerprint is the SHA-256 of the bytes to index.
    - What says that it is gone (404, 410, ``noindex``, robots.txt, no link any more) is not listed; what
      gives no answer stays listed as it was. A page that was never read and gives none, or is refused or
      too large, is listed too, so that fetching it reports why.
    - ``state`` keeps validators, links and digests between runs, never text; None: nothing is kept.

    Raises ``SourceMisconfigured``: neither start nor sitemap, an address or a glob that is none.
    """

    def __init__(
        self,
        web: WebPages,
        *,
        outbound: Outbound,
        access: Access,
        reach: Reach,
        state: Path | None = None,
    ) -> None:
        starts = pages(web.start, "start")
        self._sitemaps = pages([web.sitemap] if web.sitemap else [], "sitemap")
        if not starts and not self._sitemaps:
            raise SourceMisconfigured("neither `start` nor `sitemap` is given", hint="give one of them")
        own = (*starts, *self._sitemaps)
        scheme = own[0].partition(":")[0]
        more = pages([f"{scheme}://{host}/" for host in web.hosts], "hosts")
        schemes = {host_of(url): url.partition(":")[0] for url in reversed((*own, *more))}
        self._scope = Scope(schemes, globs(web.include), globs(web.exclude))
        self._starts = tuple(dict.fromkeys(map(self._scope.own, starts)))
        self._site = Site(
            outbound,
            credentials=access.credentials,
            trusted=frozenset(map(origin_of, own)),
            obey=web.robots,
        )
        self._visitor = Visitor(self._site, self._scope, main=web.main_content, max_bytes=web.max_bytes)
        self._access = access
        self._reach = reach
        self._state = state
        self._key = memory.key_of(extraction_key() if web.main_content else "whole", sorted(schemes.items()))
        self._spool = Spool()

    def list(self) -> Iterator[Item]:
        """Crawl, then yield every page by its id.

        Raises:
            SourceUnavailable: the site, robots.txt or a sitemap gives no answer; or a page that may hide
                others gives none.
            SourceMisconfigured: a start page or sitemap is not there; there are more than ``max_pages``.
            AccessDenied, AddressRefused: a start page or a sitemap is not for us.
        """
        found = self._crawled()
        for url, page in found.pages.items():
            yield Item(url, page.digest, self._readers(url), page.size)
        for url, trouble in found.troubles.items():
            # The site's word on who may read it is no: whatever is indexed of it is nobody's, at once.
            yield Item(url, trouble.reason, () if trouble.reason == "denied" else self._readers(url))

    def fetch(self, item: Item) -> Raw:
        """Return a page's bytes: those that the listing read, else what the site gives now.

        Raises:
            UnreadableDocument: ``vanished``, ``denied``, ``unreachable``, ``too_large``.
            SourceUnavailable: the site cannot be reached.
        """
        if normalised(item.id) != item.id or not self._scope.on_site(item.id):
            raise UnreadableDocument(
                f"{item.id} is no page of this source", reason="vanished", hint=_NOT_SEEN
            )
        kept = self._spool.get(item.id)
        return (self._visitor.content(item.id) if kept is None else kept).raw(item.id)

    def _crawled(self) -> Found:
        self._site.forget_robots()
        remembered = memory.load(self._state, self._key)
        self._spool = Spool()
        crawl = Crawl(self._site, self._visitor, self._scope, self._reach, remembered, self._spool)
        try:
            listed = [url for sitemap in self._sitemaps for url in sitemaps.addresses(self._site, sitemap)]
            return crawl.run(self._starts, listed)
        finally:
            # Also what a crawl that failed has learned: the next one goes on from there.
            memory.save(self._state, self._key, remembered)

    def _readers(self, url: str) -> tuple[str, ...]:
        forms = (path_of(url), with_query(url))
        for glob, readers in self._access.readers_by:
            if any(glob.fullmatch(form) for form in forms):
                return readers
        return self._access.readers
