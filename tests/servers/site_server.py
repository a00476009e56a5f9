"""A web site on loopback with everything that sites do, good and bad, for the web connector.

```python
with SiteServer(handbook(), faults=Faults(0.1, seed=3)) as server:
    ... # server.url
    server.pages["/new"] = Doc(page("New", "<p>Words.</p>"))
    del server.pages["/old"]
    assert server.statuses["/a"] == [200, 304]
```
Pages have an ETag, and a Last-Modified where ``Doc.modified`` is given. An address that is not there gives
404, unless ``soft`` is set.
"""

import gzip
import hashlib
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from faults import Faults, FaultyServer, QuietHandler


@dataclass(frozen=True, slots=True)
class Doc:
    """What the site holds at one address.

    ``validators``: whether it answers 304. ``hang``: hangs up without an answer. ``declared``: the length
    that it claims to have. ``packed``: sent gzipped.
    """

    body: bytes = b""
    status: int = 200
    content_type: str = "text/html; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    modified: str | None = None
    validators: bool = True
    hang: bool = False
    declared: int | None = None
    packed: bool = False


def page(
    title: str, body: str, *, links: Sequence[str] = (), head: str = "", canonical: str | None = None
) -> bytes:
    """A page in a typical theme: menu, content, footer; ``links`` stand in the menu."""
    menu = "".join(f'<li><a href="{link}">{link.rsplit("/", 1)[-1] or "home"}</a></li>' for link in links)
    named = f'<link rel="canonical" href="{canonical}">' if canonical else ""
    return (
        f'<!doctype html><html lang="en"><head><title>{title} | Northwind</title>{named}{head}</head><body>'
        f'<header><a href="/">Northwind</a><nav><ul>{menu}</ul></nav></header>'
        f"<main><h1>{title}</h1>{body}</main>"
        '<footer>Imprint. <a href="mailto:info@northwind.example">Write to us</a></footer></body></html>'
    ).encode()


def doc(title: str, body: str, **more: object) -> Doc:
    """A page of this title and content."""
    return Doc(page(title, body, **more))  # type: ignore[arg-type]


def redirect(target: str, status: int = 301) -> Doc:
    """A page that has moved."""
    return Doc(b"", status, headers={"Location": target})


def urlset(addresses: Sequence[str]) -> bytes:
    """A sitemap."""
    rows = "".join(f"<url><loc>{address}</loc></url>" for address in addresses)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{rows}</urlset>'
    ).encode()


def sitemap_index(addresses: Sequence[str]) -> bytes:
    """A sitemap of sitemaps."""
    rows = "".join(f"<sitemap><loc>{address}</loc></sitemap>" for address in addresses)
    return f'<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{rows}</sitemapindex>'.encode()


def packed(body: bytes) -> bytes:
    """The bytes of a .gz file."""
    return gzip.compress(body, mtime=0)


class SiteServer(FaultyServer):
    """Serves ``pages`` (path and query -> ``Doc``), which may change while it runs.

    ``soft``: makes the page for an address that is not there, from its path. ``requests`` counts by path;
    ``statuses`` are those sent for each; ``bodies``: bytes of pages sent; ``seen``: headers of each request.
    """

    def __init__(self, pages: Mapping[str, Doc], *, faults: Faults | None = None) -> None:
        super().__init__(_Handler, faults=faults)
        self.pages = dict(pages)
        self.soft: Callable[[str], Doc] | None = None
        self.statuses: dict[str, list[int]] = defaultdict(list)
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.bodies = 0
        self.lock = threading.Lock()

    def forget(self) -> None:
        """Count anew."""
        with self.lock:
            self.statuses.clear()
            self.seen.clear()
            self.bodies = 0


class _Handler(QuietHandler):
    server: SiteServer

    def do_GET(self) -> None:  # noqa: N802 - the name is its parent's
        server = self.server
        found = server.pages.get(self.path)
        if found is None:
            found = server.soft(urlsplit(self.path).path) if server.soft else Doc(b"not here", 404)
        with server.lock:
            server.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        if found.hang:
            self.close_connection = True
            return
        headers = {"Content-Type": found.content_type, **found.headers}
        tag = f'"{hashlib.sha256(found.body).hexdigest()[:12]}"'
        status, body = found.status, found.body
        if found.validators and status == 200:
            headers["ETag"] = tag
            if found.modified:
                headers["Last-Modified"] = found.modified
            if self._unchanged(tag, found.modified):
                status, body = 304, b""
        if found.packed and body:
            body = gzip.compress(body, mtime=0)
            headers["Content-Encoding"] = "gzip"
        if found.declared is not None:
            headers["Content-Length"] = str(found.declared)
        with server.lock:
            server.statuses[self.path].append(status)
            server.bodies += len(body) if found.status == 200 and not self.path.endswith(".txt") else 0
        server.faults.send(self, status, headers, body)

    def _unchanged(self, tag: str, modified: str | None) -> bool:
        asked = self.headers.get("If-None-Match")
        if asked is not None:
            return asked == tag
        return modified is not None and self.headers.get("If-Modified-Since") == modified


def handbook() -> dict[str, Doc]:
    """A small site: pages in three levels, a table as CSV, two addresses of one page, and forbidden ones."""
    menu = ["/", "/leave", "/travel", "/it/"]
    return {
        "/robots.txt": Doc(b"User-agent: *\nDisallow: /private/\n", content_type="text/plain"),
        "/": doc("Handbook", "<p>How we work at Northwind, from the first day on.</p>", links=menu),
        "/leave": doc(
            "Leave",
            "<p>Employees get 28 days of annual leave. Unused days lapse in March.</p>"
            '<p><a href="/leave/parental?utm_source=menu#top">Parental leave</a>,'
            ' <a href="/leave/old">as it was</a>, <a href="javascript:void(0)">open</a>'
            ' <a href="tel:555">call</a></p>',
            links=menu,
        ),
        "/leave/parental": doc(
            "Parental leave", "<p>Parents get 14 months, shared as they like.</p>", links=menu
        ),
        "/leave/old": redirect("/leave/archive"),
        "/leave/archive": doc(
            "Leave until 2020", "<p>Until 2020 there were 24 days of leave.</p>", links=menu
        ),
        "/travel": Doc(
            page(
                "Travel",
                "<p>Book trains before planes. Hotels above 140 euro need an approval.</p>"
                "<table><tr><th>City</th><th>Limit</th></tr><tr><td>Paris</td><td>180</td></tr></table>"
                '<p><a href="/files/rates.csv">Rates</a> <a href="/travel/print">Print</a>'
                ' <a href="/private/board">Board</a> <a rel="nofollow" href="/secret">x</a></p>',
                links=menu,
            ),
            modified="Wed, 04 Nov 2026 10:00:00 GMT",
            packed=True,
        ),
        "/travel/print": doc("Travel", "<p>Book trains before planes, in print.</p>", canonical="/travel"),
        "/it/": doc("Computers", '<p>Ask the help desk first.</p><a href="vpn">VPN</a>', links=menu),
        "/it/vpn": doc("VPN", "<p>Restart the client, then choose gateway 2.</p>", links=menu),
        "/files/rates.csv": Doc(b"city,rate\nParis,180\nRome,160\n", content_type="text/csv"),
        "/private/board": doc("Board", "<p>Only for the board.</p>"),
        "/secret": doc("Secret", "<p>Linked with nofollow alone.</p>"),
    }
