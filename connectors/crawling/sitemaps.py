"""Sitemaps (sitemaps.org) -> the addresses that they name; indexes of sitemaps and packed ones too."""

import zlib
from typing import TYPE_CHECKING

from connectors.crawling.site import Site
from connectors.crawling.urls import normalised
from connectors.errors import AccessDenied, SourceMisconfigured, SourceUnavailable, UnreadableDocument

if TYPE_CHECKING:
    from lxml.etree import _Element

LARGEST = 52_428_800
_MOST = 1_000
_GZIP = b"\x1f\x8b"


def addresses(site: Site, sitemap: str) -> frozenset[str]:
    """Return every page that a sitemap names, normalised; at least one.

    What of it cannot be had is never taken for pages that are gone: any part that fails, fails all.

    Raises:
        SourceUnavailable: it, or one that it names, gives no answer or is broken.
        SourceMisconfigured: there is none, or it names no page.
        AccessDenied: it may not be had.
    """
    found: set[str] = set()
    seen: set[str] = set()
    waiting = [sitemap]
    while waiting:
        place = waiting.pop()
        if place in seen:
            continue
        seen.add(place)
        if len(seen) > _MOST:
            raise SourceMisconfigured(
                f"{sitemap} names more than {_MOST} sitemaps", hint="name a smaller one"
            )
        root = _root(_packed(_body(site, place), place), place)
        named = {
            url
            for entry in root.iterfind("./{*}*/{*}loc")
            if (url := normalised(entry.text or "", place)) is not None
        }
        if root.tag.rpartition("}")[2] == "sitemapindex":
            waiting += sorted(named)
        else:
            found |= named
    if not found:
        raise SourceMisconfigured(
            f"{sitemap} names no page", hint="check the address, or give `start` instead"
        )
    return frozenset(found)


def _body(site: Site, place: str) -> bytes:
    if not site.allows(place):
        raise AccessDenied(
            f"robots.txt forbids {place}", hint="ask who runs the site, or give `start` instead"
        )
    try:
        reply = site.get(place, max_bytes=LARGEST)
    except UnreadableDocument as error:
        raise SourceUnavailable(str(error), hint="name a sitemap of at most 50 MB") from error
    if reply.status in (401, 403):
        raise AccessDenied(f"{place} answered {reply.status}", hint="check `token_env` and the site's rights")
    if reply.status in (404, 410):
        raise SourceMisconfigured(f"{place} answered {reply.status}", hint="check the address of `sitemap`")
    if reply.status != 200:
        raise SourceUnavailable(f"{place} answered {reply.status}", hint="try again later")
    return reply.body


def _packed(body: bytes, place: str) -> bytes:
    """Return a sitemap unpacked, if it is packed, up to the size that the standard allows."""
    if not body.startswith(_GZIP):
        return body
    unpacker = zlib.decompressobj(wbits=31)
    try:
        text = unpacker.decompress(body, LARGEST + 1)
    except zlib.error as error:
        raise SourceUnavailable(f"{place} is packed and broken: {error}", hint="try again later") from error
    if len(text) > LARGEST or not unpacker.eof:
        raise SourceUnavailable(f"{place} is cut short or over 50 MB", hint="try again later")
    return text


def _root(body: bytes, place: str) -> "_Element":
    from lxml import etree

    # No entity is resolved and nothing is fetched: a sitemap is a stranger's file.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(body.strip(), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise SourceUnavailable(
            f"{place} is no sitemap: {error}", hint="check the address; else try again later"
        ) from error
    if root.tag.rpartition("}")[2] not in ("urlset", "sitemapindex"):
        raise SourceUnavailable(
            f"{place} is no sitemap but <{root.tag}>", hint="check the address of `sitemap`"
        )
    return root
