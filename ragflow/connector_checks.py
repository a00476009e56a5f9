"""``connectors list`` and ``test``: which types of source there are, and whether each source works.

Nothing is written into the index, and no lock is held.
"""

import importlib.util
import time
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Any, Literal

from connectors.errors import ConnectorError, UnreadableDocument
from connectors.items import Item, Raw
from connectors.plugins import installed
from connectors.readers import READER
from indexes.plan import SourceSpec
from ragflow import sources
from ragflow.config import Config
from ragflow.errors import translate
from ragflow.source_sections import SOURCE_TYPES

CHECK_FAILED = 8
SAMPLE = 3
_SHOWN = 5
# Type -> (the extra that some of its sources need, the modules that it brings, which sources).
_EXTRAS: Mapping[str, tuple[str, tuple[str, ...], str]] = {
    "files": ("s3", ("s3fs",), "s3://"),
    "sql": ("postgres", ("psycopg",), "postgresql://"),
}


@dataclass(frozen=True, slots=True)
class TypeRow:
    """A type of source. ``by``: ``built-in``, or the distribution that brings it.

    ``extra``: what must be installed for those of its sources that ``extra_for`` tells; None: nothing.
    """

    type: str
    by: str
    sources: tuple[str, ...]
    extra: str | None = None
    extra_for: str | None = None
    installed: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return the object ``ragflow.connector/1``."""
        return {"schema": "ragflow.connector/1", **asdict(self), "sources": list(self.sources)}


@dataclass(frozen=True, slots=True)
class Tested:
    """What was found of one source. ``nobody``: items that no one may read. ``seconds`` of one listing.

    ``broken``: the laws of connectors that it breaks, in words. ``unreadable``: reasons of items that were
    tried and gave nothing. ``parsed``: the document that was read to its end.
    """

    source: str
    type: str
    status: Literal["ok", "failed"] = "ok"
    items: int = 0
    nobody: int = 0
    seconds: float = 0.0
    first: str | None = None
    fetched: int = 0
    unreadable: tuple[str, ...] = ()
    parsed: str | None = None
    characters: int = 0
    broken: tuple[str, ...] = ()
    error: str | None = None
    hint: str | None = None


def types(config: Config) -> list[TypeRow]:
    """Return the built-in types, then those that others bring, each with the sources that use it."""
    used: dict[str, list[str]] = {}
    for name, source in config.sources.items():
        used.setdefault(source.type, []).append(name)
    rows = []
    for kind in SOURCE_TYPES:
        extra, modules, wanted_for = _EXTRAS.get(kind, (None, (), None))
        here = all(importlib.util.find_spec(module) is not None for module in modules)
        rows.append(TypeRow(kind, "built-in", tuple(used.get(kind, ())), extra, wanted_for, here))
    return rows + [
        TypeRow(one.type, one.distribution, sources=tuple(used.get(one.type, ())))
        for one in installed()
        if one.type not in SOURCE_TYPES
    ]


def examine(config: Config, names: Sequence[str] | None) -> Iterator[Tested]:
    """Test each source (None: all of them), in the file's order.

    Raises:
        UnknownSource: one of them is not configured.
    """
    for name in config.choose(names):
        found = Tested(name, config.sources[name].type)
        try:
            yield _examined(config, sources.spec(config, name), found)
        except ConnectorError as error:
            yield replace(found, status="failed", error=str(error), hint=error.hint or _hint(error))


def to_json(found: Sequence[Tested]) -> dict[str, Any]:
    """Return the object ``ragflow.connectors_test/1``."""
    rows = {one.source: asdict(one) for one in found}
    for row in rows.values():
        del row["source"]
        row |= {key: list(row[key]) for key in ("unreadable", "broken")}
    return {"schema": "ragflow.connectors_test/1", "sources": rows}


def exit_code(found: Sequence[Tested]) -> int:
    """8 where a source failed, else 0."""
    return CHECK_FAILED if any(one.status == "failed" for one in found) else 0


def _hint(error: ConnectorError) -> str:
    known = translate(error)
    return known.hint if known is not None else ""


def _examined(config: Config, spec: SourceSpec, found: Tested) -> Tested:
    began = time.perf_counter()
    items: dict[str, Item] = {}
    broken: list[str] = []
    for item in spec.connector.list():
        if item.id in items:
            broken.append(f"it lists {item.id!r} twice")
        items[item.id] = item
    spent = round(time.perf_counter() - began, 3)
    broken += _lawless(items.values())
    broken += _unsteady(spec, items)
    found = replace(
        found,
        items=len(items),
        nobody=sum(1 for item in items.values() if not spec.admits(item.readers)),
        seconds=spent,
        first=next(iter(items), None),
    )
    raws, reasons, wrong = _fetched(spec, list(islice(items.values(), SAMPLE)))
    broken += wrong
    found = replace(found, fetched=len(raws), unreadable=tuple(reasons))
    for raw in raws[:1]:
        found = _parsed(config, replace(raw, unstructured=spec.unstructured), found)
    if broken:
        more = len(broken) - _SHOWN
        return replace(
            found,
            status="failed",
            broken=(*broken[:_SHOWN], *([f"and {more} more"] if more > 0 else [])),
            error="the connector breaks its laws",
            hint="report it to whoever wrote the connector, with these lines",
        )
    if reasons and not raws:
        hint = "look at these items in the source itself, and at the rights of the login"
        error = f"none of the {len(reasons)} items that were tried can be read"
        return replace(found, status="failed", error=error, hint=hint)
    return found


def _lawless(items: Iterable[Item]) -> list[str]:
    """Return which items have an id, a fingerprint or readers that are none."""
    words = []
    for item in items:
        if not item.id or not unicodedata.is_normalized("NFC", item.id):
            words.append(f"the id {item.id!r} is empty or not NFC")
        if not item.fingerprint:
            words.append(f"{item.id} has no fingerprint")
        words += [
            f"{item.id} has the reader {one!r}, which is none"
            for one in item.readers
            if not READER.fullmatch(one)
        ]
    return words


def _unsteady(spec: SourceSpec, first: Mapping[str, Item]) -> list[str]:
    """Return which fingerprints change by themselves: in the second listing, and again in a third.

    A source may truly change between two listings; an item that does so twice in a row hardly does.
    """
    second = {item.id: item.fingerprint for item in spec.connector.list()}
    changed = {name for name, item in first.items() if second.get(name, item.fingerprint) != item.fingerprint}
    if not changed:
        return []
    third = {item.id: item.fingerprint for item in spec.connector.list() if item.id in changed}
    return [
        f"the fingerprint of {name} is another in each listing"
        for name in sorted(changed)
        if third.get(name, second[name]) != second[name]
    ]


def _fetched(spec: SourceSpec, items: Sequence[Item]) -> tuple[list[Raw], list[str], list[str]]:
    """Return what could be fetched, the reasons of what could not, and laws that were broken."""
    raws, reasons, broken = [], [], []
    for item in items:
        try:
            raw = spec.connector.fetch(item)
        except UnreadableDocument as error:
            reasons.append(f"{item.id}: {error.reason}")
            continue
        if raw.item != item.id or not raw.name:
            broken.append(f"fetching {item.id} gives another item, or one without a name")
        raws.append(raw)
    return raws, reasons, broken


def _parsed(config: Config, raw: Raw, found: Tested) -> Tested:
    with sources.parsers(config) as pool:
        (_, parsed) = next(iter(pool.parse_all(iter([raw]))))
    for document in parsed.documents[:1]:
        return replace(found, parsed=raw.item, characters=len(document.text))
    reasons = [f"{one.item}: {one.reason}" for one in parsed.unreadable]
    return replace(found, unreadable=(*found.unreadable, *reasons))
