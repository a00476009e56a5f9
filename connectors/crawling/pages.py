"""What a server answered for an address -> a page: its bytes to index, its links, what it says of itself."""

import hashlib
import heapq
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from connectors.crawling.main_content import main_content, shown, words_of
from connectors.crawling.urls import normalised, path_of
from connectors.errors import UnreadableDocument
from connectors.items import Raw
from connectors.outbound import Reply
from connectors.parsing import sniff
from connectors.parsing.failures import failure
from connectors.parsing.plain import decode

if TYPE_CHECKING:
    from lxml.html import HtmlElement

LARGEST_HTML = 20_000_000
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")
_ANYTHING = frozenset({"", "application/octet-stream", "binary/octet-stream", "application/x-download"})
# Formats of documents: pictures, archives and data that pages only use are left out.
_DOCUMENTS = {
    word: word
    for word in "html csv tsv pdf docx xlsx pptx odt ods odp doc xls ppt msg rtf epub rst org tex".split()
} | {"text": "txt", "markdown": "md", "mail": "eml"}
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_REFERENCE = re.compile(r"&#(?:[xX]([0-9a-fA-F]+)|([0-9]+));?")
_SKETCH = 64
_ALIKE = 0.9


@dataclass(frozen=True, slots=True)
class Page:
    """A page that was read, or is remembered: all but its bytes, and nothing of its text.

    ``canonical``: the address that it names for itself. ``listed``: whether it may be indexed. ``digest``:
    SHA-256 of the bytes to index. ``sketch``: hashes by which two pages' texts are compared.
    """

    digest: str
    size: int
    links: tuple[str, ...] = ()
    canonical: str | None = None
    listed: bool = True
    sketch: tuple[int, ...] = ()
    etag: str | None = None
    changed: str | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of a page to index, with what its address and its head say."""

    data: bytes
    name: str
    media_type: str
    title: str | None = None
    modified: str | None = None

    def raw(self, url: str) -> Raw:
        """Return it as what a connector fetches."""
        return Raw(url, self.data, self.name, self.media_type, self.title, url, self.modified)


@dataclass(frozen=True, slots=True)
class _Said:
    """What a page says to robots, in its head or its headers."""

    words: frozenset[str] = field(default_factory=frozenset)

    def __contains__(self, word: str) -> bool:
        return word in self.words or "none" in self.words


def read_page(reply: Reply, url: str, *, main: bool) -> tuple[Page, Content] | None:
    """Return the page in an answer (status 200) and its content; None if it is no document.

    ``url``: the page's own normalised address. ``main``: cut HTML down to its main content.

    Raises ``UnreadableDocument``: ``too_large`` for HTML over 20 MB, ``damaged`` for what no parser takes.
    """
    from lxml import etree

    try:
        return _read(reply, url, main=main)
    except (etree.LxmlError, ValueError, TypeError, AssertionError, RecursionError) as error:
        # The libraries raise whatever their authors never met: this page's trouble, told when it is fetched.
        raise failure(
            "damaged", f"{url.partition('?')[0]} cannot be taken apart ({type(error).__name__})"
        ) from error


def _read(reply: Reply, url: str, *, main: bool) -> tuple[Page, Content] | None:
    media_type = reply.headers.get("content-type", "")
    kind = _kind(reply, url, media_type)
    if kind not in _DOCUMENTS:
        return None
    changed = reply.headers.get("last-modified")
    name = _name(url, kind)
    if kind == "html":
        page, content = _html(reply, url, main=main)
    else:
        page = Page(hashlib.sha256(reply.body).hexdigest(), len(reply.body), canonical=_linked(reply, url))
        content = Content(reply.body, name, media_type)
    said = _robots_header(reply.headers.get("x-robots-tag", ""))
    return (
        Page(
            page.digest,
            page.size,
            () if "nofollow" in said else page.links,
            page.canonical,
            page.listed and "noindex" not in said,
            page.sketch,
            _sendable(reply.headers.get("etag")),
            _sendable(changed),
        ),
        Content(content.data, name, content.media_type, content.title, _moment(changed)),
    )


def alike(one: Sequence[int], other: Sequence[int]) -> bool:
    """Say whether two pages have nearly the same text, by their sketches; without words, never."""
    if not one or not other:
        return False
    smallest = heapq.nsmallest(_SKETCH, {*one, *other})
    both = {*one} & {*other}
    return sum(value in both for value in smallest) >= _ALIKE * len(smallest)


def _kind(reply: Reply, url: str, media_type: str) -> str:
    bare = media_type.partition(";")[0].strip().lower()
    last = urlsplit(url).path.rsplit("/", 1)[-1]
    if bare not in _ANYTHING:
        kind = sniff.by_media_type(bare)
        # A Markdown file is served as plain text by most servers.
        return sniff.by_name(last) if kind == "text" and sniff.by_name(last) in _DOCUMENTS else kind
    named = sniff.by_name(last)
    return "html" if named == "unknown" and reply.body.lstrip()[:1] == b"<" else named


def _name(url: str, kind: str) -> str:
    last = path_of(url).rsplit("/", 1)[-1] or "index"
    return last if sniff.by_name(last) == kind else f"{last}.{_DOCUMENTS[kind]}"


def _html(reply: Reply, url: str, *, main: bool) -> tuple[Page, Content]:
    if len(reply.body) > LARGEST_HTML:
        raise failure("too_large", f"{url.partition('?')[0]} has more than {LARGEST_HTML} bytes of HTML")
    media_type = reply.headers.get("content-type", "") or "text/html"
    root = _root(reply.body, media_type)
    if root is None:
        empty = Page(hashlib.sha256(reply.body).hexdigest(), len(reply.body))
        return empty, Content(reply.body, "", media_type)
    said = _meta_robots(root)
    content = main_content(root)
    data = shown(root, content) if main else reply.body
    page = Page(
        hashlib.sha256(data).hexdigest(),
        len(data),
        () if "nofollow" in said else _links(root, url),
        _linked(reply, url) or _canonical(root, url),
        "noindex" not in said,
        _sketch(words_of(content), url),
    )
    return page, Content(data, "", "text/html; charset=utf-8" if main else media_type, _title(root))


def _root(body: bytes, media_type: str) -> "HtmlElement | None":
    from lxml import etree, html

    declared = _CHARSET.search(media_type)
    try:
        text = decode(body, declared=declared[1] if declared else "", says_itself=True)
        parser = html.HTMLParser(remove_comments=True, remove_pis=True, no_network=True)
        return html.document_fromstring(_fit(_DECLARATION.sub("", text)), parser=parser)
    except (etree.ParserError, ValueError, UnreadableDocument):
        # No text, or no element in it: what the parser says of it is told when the item is read.
        return None


def _fit(text: str) -> str:
    """Return a page without the characters that lxml reads from references, and then takes from nobody."""

    def kept(reference: re.Match[str]) -> str:
        digits = (reference[1] or reference[2]).lstrip("0") or "0"
        number = int(digits, 16 if reference[1] else 10) if len(digits) < 8 else 0
        return reference[0] if number <= 0x10FFFF and not _UNFIT.match(chr(number)) else ""

    return _REFERENCE.sub(kept, _UNFIT.sub("", text))


def _links(root: "HtmlElement", url: str) -> tuple[str, ...]:
    base = _base(root, url)
    found = set()
    for anchor in root.iter("a"):
        if "nofollow" not in (anchor.get("rel") or "").lower().split() and anchor.get("href") is not None:
            found.add(normalised(anchor.get("href"), base))
    # Most pages of a site share their menu: each address is held once.
    return tuple(sys.intern(link) for link in sorted(found - {None, url}, key=str) if link is not None)


def _base(root: "HtmlElement", url: str) -> str:
    element = root.find(".//base[@href]")
    return url if element is None else normalised(element.get("href"), url) or url


def _canonical(root: "HtmlElement", url: str) -> str | None:
    for link in root.iterfind(".//head/link[@href]"):
        if "canonical" in (link.get("rel") or "").lower().split():
            return normalised(link.get("href"), _base(root, url))
    return None


def _linked(reply: Reply, url: str) -> str | None:
    """Return the canonical address that a ``Link`` header names: a pdf has no other place for it."""
    for target, rest in re.findall(r"<([^>]*)>([^<]*)", reply.headers.get("link", "")):
        if re.search(r";\s*rel\s*=\s*\"?canonical\b", rest, re.IGNORECASE):
            return normalised(target, url)
    return None


def _meta_robots(root: "HtmlElement") -> _Said:
    words: set[str] = set()
    for meta in root.iterfind(".//meta[@name]"):
        if meta.get("name").strip().lower() in ("robots", "ragflow"):
            words.update(re.split(r"[\s,]+", (meta.get("content") or "").lower()))
    return _Said(frozenset(words))


def _robots_header(value: str) -> _Said:
    """Return what a header says to all robots; parts that name another robot are not for us."""
    words: set[str] = set()
    ours = True
    for part in value.lower().split(","):
        name, colon, rest = (one.strip() for one in part.partition(":"))
        if colon and name not in ("unavailable_after", "max-snippet", "max-image-preview"):
            ours = name == "ragflow"
        if ours:
            words.add(rest or name)
    return _Said(frozenset(words))


def _title(root: "HtmlElement") -> str | None:
    """Return a page's title; its only heading instead where the title is that with the site's name."""
    title = " ".join((root.findtext(".//head/title") or "").split())
    headings = [" ".join("".join(one.itertext()).split()) for one in root.iter("h1")]
    if len(headings) == 1 and headings[0] and (not title or headings[0] in title):
        return headings[0]
    return title or None


def _sketch(words: Sequence[str], url: str) -> tuple[int, ...]:
    """Return the smallest hashes of a text's word pairs; an error page may repeat the address it is given."""
    own = set(re.findall(r"\w+", unquote(url).lower()))
    text = [word for word in words if word not in own]
    pairs = {" ".join(pair) for pair in zip(text, text[1:] or text, strict=False)}
    hashes = {int.from_bytes(hashlib.blake2b(pair.encode(), digest_size=6).digest()) for pair in pairs}
    return tuple(heapq.nsmallest(_SKETCH, hashes))


def _sendable(value: str | None) -> str | None:
    """Return a validator, if a request's header can hold what an answer's did."""
    return value if value and value.isascii() and value.isprintable() and len(value) < 1_000 else None


def _moment(value: str | None) -> str | None:
    """Return an HTTP date as ISO 8601 in UTC; None for what is none."""
    try:
        moment = parsedate_to_datetime(value) if value else None
        return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment and moment.tzinfo else None
    except (ValueError, TypeError, OverflowError):
        return None
