"""The values that go into and come out of a sync."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Protocol, Self

from connectors.documents import Parsed, Unreadable
from connectors.items import Raw
from indexes.build import Chunking
from indexes.plan import Brake, ParseKeys

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
class SyncOptions:
    """How to sync. ``cited``: (document, revision) pairs that stay as evidence."""

    run: str
    keys: ParseKeys
    chunking: Chunking
    brake: Brake = field(default_factory=Brake)
    keep_generations: int = 3
    full: bool = False
    allow_deletes: bool = False
    dry_run: bool = False
    cited: Collection[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class SourceReport:
    """What a sync did, or with ``dry_run`` would do, to one source; counts are of items."""

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
class SyncReport:
    """What a sync did. ``reason`` says why nothing was promoted, where that needs saying."""

    sources: Mapping[str, SourceReport]
    unreadable: tuple[Unreadable, ...]
    generation: str | None
    promoted: bool
    reason: str | None
    documents: int
    chunks: int
