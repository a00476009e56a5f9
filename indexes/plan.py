"""What a sync would do to one source, decided before anything is done."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from connectors.errors import SourceMisconfigured
from connectors.items import Connector, Item
from indexes.ingest import KnownItem

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class ParseKeys:
    """Names of what parsing depends on. ``failed`` also names what a second try could depend on (OCR)."""

    read: str
    failed: str


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """A source to sync. Nobody outside ``ceiling`` may read anything of it, whatever items say.

    ``ceiling`` None: each item's own readers alone decide. ``fetchers``: how many threads may call the
    connector's ``fetch`` at once; one unless the connector is made for more. ``unstructured``: formats that
    the second parser reads (see ``connectors.items.Raw``); then ``keys`` name that, else they are None and
    those of the sync hold.
    """

    name: str
    kind: str
    connector: Connector
    ceiling: frozenset[str] | None
    fetchers: int = 1
    unstructured: frozenset[str] = frozenset()
    keys: ParseKeys | None = None

    def admits(self, readers: Iterable[str]) -> tuple[str, ...]:
        """Return those of an item's readers who may read in this source at all, sorted, each once."""
        named = set(readers)
        return tuple(sorted(named if self.ceiling is None else self.ceiling & named))


@dataclass(frozen=True, slots=True)
class Brake:
    """Deletions of one sync of one source are held when above both."""

    share: float = 0.2
    documents: int = 10


@dataclass(frozen=True, slots=True)
class Plan:
    """Items to fetch (``added``, ``changed``), to delete, and to give other readers.

    ``before`` is what the store knows of the ``changed`` and ``deleted`` ones. ``moved`` of the added ones
    look like deleted ones under a new id (same fingerprint, one to one); they do not count for the brake.
    ``again``: what is fetched is parsed, though the bytes turn out to be the same.
    """

    source: str
    added: tuple[Item, ...]
    changed: tuple[Item, ...]
    deleted: tuple[str, ...]
    readers: Mapping[str, tuple[str, ...]]
    before: Mapping[str, KnownItem]
    unchanged: int
    moved: int
    known: int
    again: bool = False

    @property
    def items(self) -> tuple[Item, ...]:
        """The items to fetch."""
        return (*self.added, *self.changed)

    @property
    def bytes(self) -> int:
        """Bytes to fetch, as far as the source tells sizes."""
        return sum(item.size or 0 for item in self.items)

    @property
    def unsized(self) -> int:
        """How many items to fetch are of a size that the source does not tell."""
        return sum(1 for item in self.items if item.size is None)

    def held_by(self, brake: Brake) -> bool:
        """Tell whether so many items are gone that a person should look first."""
        gone = len(self.deleted) - self.moved
        return gone > brake.documents and gone > brake.share * self.known


def list_items(spec: SourceSpec) -> dict[str, Item]:
    """List a source completely, or raise. Readers outside the ceiling are left out.

    Raises ``ConnectorError``; an id that comes twice, or is none, is a ``SourceMisconfigured``.
    """
    found: dict[str, Item] = {}
    # A hundred thousand items mostly share a few lists of readers: each is kept once.
    admitted: dict[tuple[str, ...], tuple[str, ...]] = {}
    for item in spec.connector.list():
        if item.id in found:
            raise SourceMisconfigured(
                f"source {spec.name} lists {item.id!r} twice", hint="ids must be unique within a source"
            )
        if not item.id or _SURROGATE.search(item.id):
            raise SourceMisconfigured(
                f"source {spec.name} lists an item with the id {item.id!r}",
                hint="every item needs an id of Unicode text: look at that item in the source",
            )
        readers = admitted.get(item.readers)
        if readers is None:
            readers = admitted[item.readers] = spec.admits(item.readers)
        found[item.id] = Item(item.id, item.fingerprint, readers, item.size)
    return found


def make_plan(
    spec: SourceSpec,
    listed: Mapping[str, Item],
    known: Iterable[KnownItem],
    *,
    keys: ParseKeys,
    full: bool = False,
    only: Collection[str] | None = None,
) -> Plan:
    """Compare what the source lists with what the store knows; ``known`` is read once, as it comes.

    ``only``: these items are fetched whether they have changed or not, no others, and nothing is deleted.
    """
    changed: list[Item] = []
    readers: dict[str, tuple[str, ...]] = {}
    before: dict[str, KnownItem] = {}
    deleted: list[str] = []
    seen: set[str] = set()
    total = 0
    for one in known:
        total += 1
        item = listed.get(one.item)
        if item is None:
            if only is None:
                deleted.append(one.item)
                before[one.item] = one
            continue
        seen.add(one.item)
        if one.readers != item.readers:
            readers[item.id] = item.readers
        if _wanted(one, item, keys, full=full) if only is None else one.item in only:
            changed.append(item)
            before[item.id] = one
    fresh = (item for item in listed.values() if item.id not in seen)
    added = tuple(item for item in fresh if only is None or item.id in only)
    return Plan(
        source=spec.name,
        added=added,
        changed=tuple(sorted(changed, key=_by_id)),
        deleted=tuple(sorted(deleted)),
        readers=readers,
        before=before,
        unchanged=len(seen) - len(changed),
        moved=_moved(added, (before[one] for one in deleted)),
        known=total,
        again=full or only is not None,
    )


def _wanted(before: KnownItem, item: Item, keys: ParseKeys, *, full: bool) -> bool:
    expected = keys.failed if before.unreadable else keys.read
    return full or before.fingerprint != item.fingerprint or before.parsed_by != expected


def _by_id(item: Item) -> str:
    return item.id


def _moved(added: Iterable[Item], deleted: Iterable[KnownItem]) -> int:
    arrived: dict[str, int] = {}
    left: dict[str, int] = {}
    for gone in deleted:
        left[gone.fingerprint] = left.get(gone.fingerprint, 0) + 1
    for item in added:
        if item.fingerprint in left:
            arrived[item.fingerprint] = arrived.get(item.fingerprint, 0) + 1
    return sum(1 for fingerprint, count in left.items() if count == arrived.get(fingerprint) == 1)
