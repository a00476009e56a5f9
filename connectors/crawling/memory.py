"""What a crawl keeps for the next one: validators, links and digests of pages, and never their text.

It may be deleted at any time: the next crawl asks for every page in full. Whether it is there decides what a
page without an answer means, see ``crawl``.
"""

import gzip
import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path

from connectors.crawling.pages import Page
from connectors.errors import SourceUnavailable

_FILE = "pages.json.gz"


@dataclass(slots=True)
class Memory:
    """``pages`` by their own address; ``moved``: address -> the one that it redirects to.

    ``errors``: sketches of what each origin shows for an address that is not there. ``whole``: whether a
    crawl came to its end, so that every page that was ever given is known.
    """

    pages: dict[str, Page] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    errors: dict[str, tuple[int, ...]] = field(default_factory=dict)
    whole: bool = False


def load(folder: Path | None, key: str) -> Memory:
    """Return what is remembered; nothing where the file is absent or broken.

    ``key`` names what the digests depend on: under another one the pages are known, and asked for in full.
    """
    if folder is None:
        return Memory()
    try:
        held = json.loads(gzip.decompress((folder / _FILE).read_bytes()))
        pages = {url: _page(row, held["links"]) for url, row in held["pages"].items()}
        if held["key"] != key:
            pages = {url: replace(page, etag=None, changed=None) for url, page in pages.items()}
        errors = {origin: tuple(map(int, sketch)) for origin, sketch in held["errors"].items()}
        return Memory(pages, {str(a): str(b) for a, b in held["moved"].items()}, errors, bool(held["whole"]))
    except FileNotFoundError:
        return Memory()
    except (OSError, EOFError, zlib.error, ValueError, LookupError, TypeError, AttributeError):
        return Memory()


def save(folder: Path | None, key: str, memory: Memory) -> None:
    """Keep it for the next crawl. Raises ``SourceUnavailable`` if it cannot be written."""
    if folder is None:
        return
    links = sorted({link for page in memory.pages.values() for link in page.links})
    place = {link: number for number, link in enumerate(links)}
    held: Mapping[str, object] = {
        "links": links,
        "key": key,
        "whole": memory.whole,
        "pages": {
            url: (*astuple(page)[:2], [place[link] for link in page.links], *astuple(page)[3:])
            for url, page in sorted(memory.pages.items())
        },
        "moved": dict(sorted(memory.moved.items())),
        "errors": dict(sorted(memory.errors.items())),
    }
    packed = gzip.compress(json.dumps(held, separators=(",", ":")).encode(), 6, mtime=0)
    part = folder / f"{_FILE}.part"
    try:
        part.write_bytes(packed)
        part.replace(folder / _FILE)
    except OSError as error:
        raise SourceUnavailable(
            f"cannot write {folder / _FILE}: {error.strerror}", hint="check the disk and its rights"
        ) from error


def key_of(*parts: object) -> str:
    """Return a short name for what digests and links depend on."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _page(row: list[object], places: list[str]) -> Page:
    digest, size, links, canonical, listed, sketch, etag, changed = row
    if not isinstance(digest, str) or not isinstance(size, int) or not isinstance(links, list):
        raise TypeError("not a page")
    if not isinstance(sketch, list):
        raise TypeError("not a page")
    return Page(
        digest,
        size,
        tuple(str(places[number]) for number in links),
        None if canonical is None else str(canonical),
        bool(listed),
        tuple(map(int, sketch)),
        None if etag is None else str(etag),
        None if changed is None else str(changed),
    )
