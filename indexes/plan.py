"""What a sync would do to one source, decided before anything is done."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from connectors.errors import SourceMisconfigured
from connectors.items import Connector, Item
from indexes.ingest import KnownItem


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """A source to sync. Nobody outside ``ceiling`` may read anything of it, whatever items say.

    ``ceiling`` None: each item's own readers alone decide. ``fetchers``: how many threads may call the
    connector's ``fetch`` at once; one unless the connector is made for more.
    """

    name: str
    kind: str
    connector: Connector
    ceiling: frozenset[str] | None
    fetchers: int = 1

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
class ParseKeys:
    """Names of what parsing depends on. ``failed`` also names what a second try could depend on (OCR)."""

    read: str
    failed: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Items to fetch (``added``, ``changed``), to delete, and to give other readers.

    ``moved`` of the added ones look like deleted ones under a new id (same fingerprint, one to one);
    they do not count for the brake.
    """

    source: str
    added: tuple[Item, ...]
    changed: tuple[Item, ...]
    deleted: tuple[str, ...]
    readers: Mapping[str, tuple[str, ...]]
    unchanged: int
    moved: int
    known: int

    @property
    def bytes(self) -> int:
        """Bytes to fetch, as far as the source tells sizes."""
        return sum(item.size or 0 for item in (*self.added, *self.changed))

    def held_by(self, brake: Brake) -> bool:
        """Tell whether so many items are gone that a person should look first."""
        gone = len(self.deleted) - self.moved
        return gone > brake.documents and gone > brake.share * self.known


def list_items(spec: SourceSpec) -> dict[str, Item]:
    """List a source completely, or raise. Readers outside the ceiling are left out.

    Raises ``ConnectorError``; an id that comes twice is a ``SourceMisconfigured``.
    """
    found: dict[str, Item] = {}
    for item in spec.connector.list():
        if item.id in found:
            raise SourceMisconfigured(
                f"source {spec.name} lists {item.id!r} twice", hint="ids must be unique within a source"
            )
        found[item.id] = replace(item, readers=spec.admits(item.readers))
    return found


def make_plan(
    spec: SourceSpec,
    listed: Mapping[str, Item],
    known: Mapping[str, KnownItem],
    *,
    keys: ParseKeys,
    full: bool,
) -> Plan:
    """Compare what the source lists with what the store knows."""
    added, changed = [], []
    readers: dict[str, tuple[str, ...]] = {}
    for item in listed.values():
        before = known.get(item.id)
        if before is None:
            added.append(item)
            continue
        if before.readers != item.readers:
            readers[item.id] = item.readers
        expected = keys.failed if before.unreadable else keys.read
        if full or before.fingerprint != item.fingerprint or before.parsed_by != expected:
            changed.append(item)
    deleted = sorted(known.keys() - listed.keys())
    return Plan(
        source=spec.name,
        added=tuple(added),
        changed=tuple(changed),
        deleted=tuple(deleted),
        readers=readers,
        unchanged=len(listed) - len(added) - len(changed),
        moved=_moved(added, (known[one] for one in deleted)),
        known=len(known),
    )


def _moved(added: Iterable[Item], deleted: Iterable[KnownItem]) -> int:
    arrived: dict[str, int] = {}
    left: dict[str, int] = {}
    for item in added:
        arrived[item.fingerprint] = arrived.get(item.fingerprint, 0) + 1
    for gone in deleted:
        left[gone.fingerprint] = left.get(gone.fingerprint, 0) + 1
    return sum(1 for fingerprint, count in left.items() if count == arrived.get(fingerprint) == 1)
