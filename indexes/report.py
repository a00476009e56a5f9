"""The values that go into and come out of a sync."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Protocol, Self

from connectors.documents import Parsed, Unreadable
from connectors.items import Raw
from indexes.build import Chunking, Embedded, Seen
from indexes.flags import Flagged
from indexes.generations import Manifest
from indexes.plan import Brake, ParseKeys
from indexes.reembedding import Reembedding

Status = Literal["ok", "failed", "held"]


class Parsers(Protocol):
    """What parses items while it is entered: ``connectors.parsing.ParserPool``."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    def parse_all(self, raws: Iterable[Raw]) -> Iterator[tuple[str, Parsed]]: ...


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a phase is. ``total`` None: not known yet."""

    phase: str
    source: str | None
    done: int
    total: int | None


@dataclass(frozen=True, slots=True)
class Watch:
    """What is told while a sync goes on: how far it is, and the plan before anything of it is done.

    ``foreseen``: what another model or chunking costs, before anything is embedded.
    """

    progress: Callable[[Progress], None] = lambda _: None
    planned: Callable[["SyncPlan"], None] = lambda _: None
    foreseen: Callable[[Reembedding], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class GateDecision:
    """Whether a new generation may become live, and why. ``report`` is a plain object, kept with it."""

    promote: bool
    reason: str
    report: Mapping[str, Any] = field(default_factory=dict)


Gate = Callable[[Manifest, Manifest | None], GateDecision]
"""(the new generation, verified and not live yet; the live one or None) -> may it become live?"""


class Publisher(Protocol):
    """Brings generations to where others search them too. Each method may be called twice as well as once.

    Laws: nothing that is searched changes before ``switch``; whoever else writes there loses nothing by it.
    """

    def push(self, manifest: Manifest, progress: Callable[[int, int], None], /) -> int:
        """Bring all of a generation there; give how many rows were sent, 0 where it is there already."""
        ...

    def switch(self, manifest: Manifest, /) -> None:
        """Make it the live one there."""
        ...

    def keep(self, generations: Collection[str], /) -> None:
        """Remove what is there of other generations."""
        ...

    def erase(self, versions: Sequence[int], /) -> None:
        """Remove the rows of these versions from all generations that are there."""
        ...


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """How to sync. ``cited``: (document, revision) pairs that stay as evidence.

    ``gate`` None: what is built is promoted. ``settings``: the configuration as a plain object, kept in
    the manifest for people and for whoever opens the generation again. ``only``: for each source the items
    to read again, changed or not; then no other item is read, and nothing is deleted. ``publisher``: what
    brings each generation to a server before it may become live; None: the workspace alone holds it.
    ``hold``: what is built waits beside the live one until somebody promotes it; no gate is asked.
    ``measure`` as in ``Foreseeing``. ``seen``: what the model may see of a document; None: all of it.
    """

    run: str
    keys: ParseKeys
    chunking: Chunking
    brake: Brake = field(default_factory=Brake)
    keep_generations: int = 3
    full: bool = False
    allow_deletes: bool = False
    dry_run: bool = False
    cited: Collection[tuple[str, str]] = ()
    gate: Gate | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    only: Mapping[str, Collection[str]] | None = None
    publisher: Publisher | None = None
    hold: bool = False
    measure: bool = True
    seen: Seen | None = None


@dataclass(frozen=True, slots=True)
class SourceReport:
    """What a sync did, or is to do, to one source; counts are of items.

    ``unreadable`` counts documents, members too: those that cannot be read, or could not be had last time.
    """

    status: Status
    added: int = 0
    updated: int = 0
    deleted: int = 0
    moved: int = 0
    access_changed: int = 0
    unchanged: int = 0
    unreadable: int = 0
    bytes: int = 0
    error: str | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """What a sync is to do to each source, and how many seconds that may take.

    Sources that are not configured any more are there too: all of theirs is deleted. ``items``: to be
    fetched whose text is not known yet; ``characters``: an estimate of that text, in code points.
    ``notes``: what whoever syncs adds to it for people, a sentence each.
    """

    sources: Mapping[str, SourceReport]
    seconds: Mapping[str, float]
    characters: float = 0.0
    items: int = 0
    notes: tuple[str, ...] = ()

    @property
    def total_seconds(self) -> float:
        """Seconds that all of it may take."""
        return sum(self.seconds.values())


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a sync did. ``reason`` says why nothing was promoted, where that needs saying.

    ``generation``, ``documents`` and ``chunks`` are of the live one. ``gate`` is what a gate found, with
    ``candidate`` the generation that it was asked about; None where it was not asked. ``flagged``: what
    the documents of these sources hold that reads like orders to a program. ``proven_deleted``: documents
    that this sync deleted, each proven to be gone (see ``indexes.proof``). ``embedded``: its new vectors.
    ``held``: the generation that was built to wait; ``reembedding``: what another model or chunking asked
    for, or is to.
    """

    sources: Mapping[str, SourceReport]
    unreadable: tuple[Unreadable, ...]
    generation: str | None
    promoted: bool
    reason: str | None
    documents: int
    chunks: int
    candidate: str | None = None
    gate: Mapping[str, Any] | None = None
    flagged: tuple[Flagged, ...] = ()
    proven_deleted: int = 0
    embedded: Embedded = field(default_factory=Embedded)
    plan: SyncPlan = field(default_factory=lambda: SyncPlan({}, {}))
    held: str | None = None
    reembedding: Reembedding | None = None
