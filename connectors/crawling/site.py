"""Asking a site politely: robots.txt first, no faster than it asks, credentials to its own hosts only."""

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from connectors.crawling.urls import origin_of
from connectors.errors import (
    AccessDenied,
    AddressRefused,
    ConnectorError,
    LedAstray,
    ResponseTooLarge,
    SourceUnavailable,
    UnreadableDocument,
)
from connectors.outbound import Outbound, Reply

if TYPE_CHECKING:
    from protego import Protego

AGENT = "ragflow"
_LARGEST_ROBOTS = 2_000_000
_LONGEST_DELAY = 120.0


class Site:
    """Makes the requests of one source. Safe for several threads.

    ``credentials`` are headers for the origins of ``trusted`` and nobody else. ``obey``: whether robots.txt
    counts.
    """

    def __init__(
        self,
        outbound: Outbound,
        *,
        credentials: Mapping[str, str],
        trusted: frozenset[str],
        obey: bool,
    ) -> None:
        self._outbound = outbound
        self._credentials = dict(credentials)
        self._trusted = trusted
        self._obey = obey
        self._rules: dict[str, Protego] = {}
        self._lock = threading.Lock()

    def forget_robots(self) -> None:
        """Ask for robots.txt again before the next request."""
        with self._lock:
            self._rules.clear()

    def allows(self, url: str) -> bool:
        """Say whether robots.txt of the page's host lets us ask for it; one that is not there lets all.

        Raises ``SourceUnavailable`` while robots.txt cannot be had: then nothing may be asked (RFC 9309).
        """
        if not self._obey:
            return True
        origin = origin_of(url)
        with self._lock:
            if origin not in self._rules:
                self._rules[origin] = self._robots(origin)
            return bool(self._rules[origin].can_fetch(url, AGENT))

    def get(
        self, url: str, headers: Mapping[str, str] | None = None, *, max_bytes: int | None = None
    ) -> Reply:
        """Return the answer for an address, after redirects.

        Raises:
            AddressRefused: the address, or one that it leads to, must not be reached.
            UnreadableDocument: ``too_large``; ``unreachable``: it redirects for ever, or to where nothing is.
            Unanswered: this page gives no answer, the site as such does.
            SourceUnavailable: the site cannot be reached.
        """
        try:
            return self._request(url, headers or {}, max_bytes)
        except LedAstray as error:
            raise UnreadableDocument(str(error), reason="unreachable", hint=error.hint) from error

    def still_there(self, url: str, trouble: ConnectorError) -> None:
        """Raise ``SourceUnavailable`` if the host of a page that failed does not answer at all."""
        try:
            self._request(f"{origin_of(url)}/robots.txt", {}, _LARGEST_ROBOTS)
        except (SourceUnavailable, AddressRefused) as error:
            raise SourceUnavailable(str(trouble), hint=trouble.hint) from error
        except ResponseTooLarge:
            return

    def _request(self, url: str, headers: Mapping[str, str], max_bytes: int | None) -> Reply:
        return self._outbound.request(
            "GET",
            url,
            headers=headers,
            credentials=self._credentials if origin_of(url) in self._trusted else {},
            max_bytes=max_bytes,
        )

    def _robots(self, origin: str) -> "Protego":
        from protego import Protego

        place = f"{origin}/robots.txt"
        try:
            reply = self._request(place, {}, _LARGEST_ROBOTS)
        except ResponseTooLarge as error:
            raise SourceUnavailable(f"{place} has more than {_LARGEST_ROBOTS} bytes", hint=_ROBOTS) from error
        except SourceUnavailable as error:
            raise SourceUnavailable(
                f"{error}; without robots.txt nothing is asked", hint=error.hint
            ) from error
        if reply.status >= 500 or not (reply.status < 300 or reply.status >= 400):
            raise SourceUnavailable(f"{place} answered {reply.status}", hint=_ROBOTS)
        rules = Protego.parse(reply.body.decode("utf-8", "replace") if reply.status < 300 else "")
        delay = rules.crawl_delay(AGENT)
        if delay and delay > _LONGEST_DELAY:
            raise AccessDenied(f"{place} asks for {delay:.0f} s between requests", hint=_ROBOTS)
        if delay and delay > 0:
            self._outbound.slow_to(1 / delay)
        return rules


_ROBOTS = "try again later, or ask who runs the site; `robots: false` is for sites of your own"
