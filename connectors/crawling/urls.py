"""Addresses of pages: one spelling for each, and which of them belong to a source."""

import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote, unquote_to_bytes, urljoin, urlsplit

from connectors.errors import SourceMisconfigured
from connectors.targets import target

# What an address may hold as it is, beside letters, digits and ``-._~`` (RFC 3986).
_IN_PATH = "/:@!$&'()*+,;="
_IN_QUERY = _IN_PATH + "?"
# They name the visit, not the page: every one of them would make another address of the same page.
_TRACKING = re.compile(r"utm_\w+|gclid|fbclid|phpsessid|jsessionid", re.IGNORECASE)
_SESSION = re.compile(r";jsessionid=[^/;]*", re.IGNORECASE)
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_EDGES = "".join(map(chr, range(33)))
_NO_PAGES = frozenset(
    "7z aac apk atom avi avif bin bmp bz2 cab class css dll dmg deb eot exe flac gif gz ico ics iso jar jpeg"
    " jpg js json map mjs mkv mov mp3 mp4 mpeg mpg msi ogg ogv otf png rar rpm rss svg swf tar tgz tif tiff"
    " ttf vcf wasm wav webm webmanifest webp wmv woff woff2 xml xz zip zst".split()
)


def normalised(address: str, base: str | None = None) -> str | None:
    """Return the one spelling of an address, ASCII and without its fragment; None if it is no page's.

    Scheme and host in lower case, IDNA; the default port, dot segments and what tracks visits dropped; an
    escape that need not be one undone, the others in upper case. An escape's bytes are the server's own
    and stay as they are, whatever normal form they spell.
    """
    # As browsers do: blanks around and line breaks inside an address mean nothing, a backslash is a slash.
    text = re.sub(r"[\t\r\n]", "", address.strip(_EDGES)).partition("#")[0]
    before, mark, query = text.partition("?")
    text = before.replace("\\", "/") + mark + query
    try:
        parts = urlsplit(urljoin(base, text) if base else text)
        path = _escaped(_resolved(_SESSION.sub("", parts.path)), _IN_PATH)
        query = _escaped(_untracked(parts.query), _IN_QUERY)
        asked = target(f"{parts.scheme}://{parts.netloc}{path}" + (f"?{query}" if query else ""))
        return replace(asked, host=asked.host.removesuffix(".")).url
    except (SourceMisconfigured, ValueError):  # not http, or a host, a port or an escape that is none
        return None


def _resolved(path: str) -> str:
    """Return a path with its dot segments gone along (RFC 3986, 5.2.4); escaped dots are dots."""
    kept: list[str] = []
    parts = path.split("/")[1:] if path.startswith("/") else path.split("/")
    for place, part in enumerate(parts):
        dots = unquote(part) if len(part) <= 6 else part
        if dots == "..":
            kept = kept[:-1]
        elif dots != ".":
            kept.append(part)
        if dots in (".", "..") and place == len(parts) - 1:
            kept.append("")
    return "/" + "/".join(kept)


def _escaped(text: str, plain: str) -> str:
    words = []
    at = 0
    for escape in _ESCAPE.finditer(text):
        words.append(quote(text[at : escape.start()], safe=plain))
        byte = unquote_to_bytes(escape[0])
        free = re.fullmatch(rb"[A-Za-z0-9._~-]", byte)
        words.append(byte.decode("ascii") if free else escape[0].upper())
        at = escape.end()
    return "".join([*words, quote(text[at:], safe=plain)])


def _untracked(query: str) -> str:
    fields = query.split("&")
    return "&".join(field for field in fields if field and not _TRACKING.fullmatch(field.partition("=")[0]))


def host_of(url: str) -> str:
    """Return the host of a normalised address, with its port where it names one."""
    return urlsplit(url).netloc


def origin_of(url: str) -> str:
    """Return scheme, host and port of a normalised address, as they stand at its beginning."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def path_of(url: str) -> str:
    """Return what globs are matched with: the path without its first slash, readable, NFC."""
    return unicodedata.normalize("NFC", unquote(urlsplit(url).path.removeprefix("/")))


def with_query(url: str) -> str:
    """Return ``path_of`` followed by ``?`` and the query, where there is one."""
    query = urlsplit(url).query
    return path_of(url) + (f"?{unicodedata.normalize('NFC', unquote(query))}" if query else "")


@dataclass(frozen=True, slots=True)
class Scope:
    """Which pages belong to a source: those of its hosts whose path, or path and query, is chosen.

    ``schemes``: host -> the one scheme by which it is asked.
    """

    schemes: Mapping[str, str]
    include: tuple[re.Pattern[str], ...]
    exclude: tuple[re.Pattern[str], ...]

    def own(self, url: str) -> str:
        """Return an address with the scheme of its host: http and https of one host are one page."""
        scheme, colon, rest = url.partition(":")
        return self.schemes.get(host_of(url), scheme) + colon + rest

    def on_site(self, url: str) -> bool:
        """Say whether the page is on one of the hosts."""
        return host_of(url) in self.schemes

    def holds(self, url: str) -> bool:
        """Say whether the page belongs to the source."""
        forms = {path_of(url), with_query(url)}
        return (
            self.on_site(url)
            and any(glob.fullmatch(form) for glob in self.include for form in forms)
            and not any(glob.fullmatch(form) for glob in self.exclude for form in forms)
        )

    def worth_asking(self, url: str) -> bool:
        """Say whether the page belongs to the source, and its name does not say that it is no document."""
        last = urlsplit(url).path.rsplit("/", 1)[-1]
        return self.holds(url) and not ("." in last and last.rsplit(".", 1)[-1].lower() in _NO_PAGES)


def pages(addresses: Collection[str], key: str) -> tuple[str, ...]:
    """Return configured addresses in their one spelling, each once. Raises ``SourceMisconfigured``."""
    found = []
    for address in addresses:
        url = normalised(address)
        if url is None:
            shown = address.partition("?")[0].rpartition("@")[2][:200]
            raise SourceMisconfigured(
                f"`{key}` holds no http or https address: {shown!r}", hint="write https://HOST/PATH"
            )
        found.append(url)
    return tuple(dict.fromkeys(found))
