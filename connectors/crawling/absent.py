"""What a site shows for an address that is not there: some answer 200, and say so only to people."""

import hashlib
from dataclasses import dataclass

from connectors.crawling.memory import Memory
from connectors.crawling.pages import Page, alike
from connectors.crawling.urls import origin_of
from connectors.crawling.visits import Visit, Visitor
from connectors.errors import AccessDenied, SourceUnavailable

_HINT = "open the address in a browser: it may want a login, or be down for maintenance"


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """A page that a site gives, as if it were one, for an address that is not there.

    ``place``: where it redirects to for that, if it does.
    """

    place: str | None = None
    sketch: tuple[int, ...] = ()

    def is_like(self, url: str, page: Page) -> bool:
        """Say whether a page is this one, or says nearly the same."""
        return url == self.place or alike(page.sketch, self.sketch)


def error_page(visitor: Visitor, near: str, memory: Memory) -> ErrorPage:
    """Ask once for an address beside ``near`` that cannot be there; a site that says 404 has no such page."""
    folder = near.partition("?")[0].rpartition("/")[0]
    url = f"{folder}/ragflow-{hashlib.sha256(near.encode()).hexdigest()[:16]}"
    visit = visitor.visit(url, Memory(), None)
    origin = origin_of(near)
    if visit.trouble is not None and visit.trouble.passing:
        return ErrorPage(sketch=memory.errors.get(origin, ()))
    if visit.page is None:
        memory.errors.pop(origin, None)
        return ErrorPage()
    memory.errors[origin] = visit.page.sketch
    return ErrorPage(None if visit.final == url else visit.final, visit.page.sketch)


def check_start(start: Visit, page: Page, absent: ErrorPage) -> None:
    """Raise when a start page is what the site shows for any address: then nothing it lists means a thing.

    A site may send unknown addresses to its front page; a start page that is itself sent away is none.
    """
    moved = start.final != start.url
    if not absent.is_like(start.final, page):
        return
    if moved and absent.place is not None:
        raise AccessDenied(f"{start.url} leads to the same page as an address that is not there", hint=_HINT)
    if absent.place is None:
        raise SourceUnavailable(f"{start.url} shows the same as an address that is not there", hint=_HINT)
