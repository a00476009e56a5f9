"""Visiting one page: asked for, if it may be, and told apart: there, gone, unchanged, in trouble."""

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.crawling.memory import Memory
from connectors.crawling.pages import Content, Page, read_page
from connectors.crawling.site import Site
from connectors.crawling.spool import Spool
from connectors.crawling.urls import Scope, normalised
from connectors.errors import (
    AccessDenied,
    AddressRefused,
    ConnectorError,
    SourceMisconfigured,
    Unanswered,
    UnreadableDocument,
)
from connectors.outbound import Reply

DENIED = frozenset({401, 403, 407, 451})
GONE = frozenset({404, 410})
_READ = frozenset({200, 203})


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a page could be neither read nor taken for gone. ``passing``: another try may cure it."""

    reason: str
    error: ConnectorError
    passing: bool = False


@dataclass(frozen=True, slots=True)
class Visit:
    """What became of an address. Neither ``page`` nor ``trouble``: there is no document.

    ``final``: where it led, normalised. ``status``: as the server said, 0 where it was not asked.
    """

    url: str
    final: str
    page: Page | None = None
    trouble: Trouble | None = None
    status: int = 0


class Visitor:
    """Visits the pages of a source. Safe for several threads.

    ``main``: whether HTML is cut down to its main content.
    """

    def __init__(self, site: Site, scope: Scope, *, main: bool, max_bytes: int) -> None:
        self._site = site
        self._scope = scope
        self._main = main
        self._max_bytes = max_bytes

    def visit(self, url: str, memory: Memory, spool: Spool | None) -> Visit:
        """Visit a page, asking only whether it has changed where it is remembered; never raises for a page.

        Raises ``SourceUnavailable`` for the site as such.
        """
        if not self._site.allows(url):
            return Visit(url, url)
        try:
            return self._visit(url, memory, spool)
        except AddressRefused as error:
            return Visit(url, url, trouble=Trouble("denied", error))
        except SourceMisconfigured as error:  # it leads to what is no http address
            return Visit(url, url, trouble=Trouble("unreachable", error))
        except UnreadableDocument as error:
            return Visit(url, url, trouble=Trouble(error.reason, error))
        except Unanswered as error:
            return Visit(url, url, trouble=Trouble("unreachable", error, passing=True))

    def content(self, url: str) -> Content:
        """Return what a page holds now.

        Raises:
            UnreadableDocument: ``vanished``, ``denied``, ``unreachable``, ``too_large``.
            SourceUnavailable: the site cannot be reached.
        """
        if not self._site.allows(url):
            raise UnreadableDocument(f"robots.txt forbids {url}", reason="denied", hint=_ROBOTS)
        try:
            reply = self._site.get(url, max_bytes=self._max_bytes)
        except (AddressRefused, SourceMisconfigured) as error:
            raise UnreadableDocument(str(error), reason="denied", hint=error.hint) from error
        except Unanswered as error:
            raise UnreadableDocument(str(error), reason="unreachable", hint=error.hint) from error
        found = None
        if reply.status in _READ and self._final(reply) == url:
            found = read_page(reply, url, main=self._main)
        elif (trouble := _trouble(reply, url)) is not None:
            raise UnreadableDocument(str(trouble.error), reason=trouble.reason, hint=trouble.error.hint)
        if found is None:
            raise UnreadableDocument(f"{url} is gone", reason="vanished", hint=_NOT_SEEN)
        return found[1]

    def _visit(self, url: str, memory: Memory, spool: Spool | None) -> Visit:
        place = memory.moved.get(url, url)
        known = memory.pages.get(place)
        reply = self._site.get(url, _validators(known), max_bytes=self._max_bytes)
        if reply.status == 304 and (known is None or self._final(reply) != place):
            # The validators were those of another page: what it now leads to is not unchanged, but unread.
            reply = self._site.get(url, max_bytes=self._max_bytes)
        elif reply.status == 304:
            return Visit(url, place, known, status=304)
        final = self._final(reply)
        if final != url and not (self._scope.on_site(final) and self._site.allows(final)):
            return Visit(url, final)
        found = read_page(reply, final, main=self._main) if reply.status in _READ else None
        if found is None:
            return Visit(url, final, trouble=_trouble(reply, url), status=reply.status)
        if spool is not None:
            spool.keep(final, found[1])
        return Visit(url, final, found[0], status=reply.status)

    def _final(self, reply: Reply) -> str:
        return self._scope.own(normalised(reply.url) or reply.url)


def _validators(known: Page | None) -> Mapping[str, str]:
    if known is None:
        return {}
    asked = {"If-None-Match": known.etag, "If-Modified-Since": known.changed}
    return {name: value for name, value in asked.items() if value}


def _trouble(reply: Reply, url: str) -> Trouble | None:
    """Return what is wrong with an answer that holds no page; None if it says that there is none."""
    if reply.status in _READ or reply.status in GONE:
        return None
    shown = url.partition("?")[0]
    if reply.status in DENIED:
        error = AccessDenied(
            f"{shown} answered {reply.status}", hint="check `token_env` and the site's rights"
        )
        return Trouble("denied", error)
    return Trouble(
        "unreachable",
        Unanswered(f"{shown} answered {reply.status}", hint=_LATER),
        passing=reply.status >= 500,
    )


_ROBOTS = "the next index run drops it; `robots: false` is for sites of your own"
_NOT_SEEN = "a page that was there when the site was listed is gone: the next index run notices it"
_LATER = "try again later; if it is always so, leave the page out with `exclude`"
