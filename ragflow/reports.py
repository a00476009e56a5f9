"""What ``index``, ``search`` and an estimate report: values with their JSON objects."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from indexes.query import Found, Hit
from ragflow.answers import Reason, Route, hit_json
from ragflow.models.calls import Estimate

if TYPE_CHECKING:
    from indexes.reembedding import Reembedding
    from indexes.report import SyncReport

_HELD_OR_FAILED = 4
_GATE_SAID_NO = 8
_GATE_CANNOT_TELL = 9
_NOTHING_READABLE = 6
_MOST_FLAGGED = 100


@dataclass(frozen=True, slots=True)
class IndexReport:
    """The object ``ragflow.index/1``. ``estimate_s``: with ``dry_run``, seconds that it would take.

    ``embedding``: what an embedding API was sent and cost; ``embedding_estimate``: what was foreseen of that.
    ``flagged`` lists at most a hundred documents and families; ``flagged_documents`` counts all documents.
    """

    run: str | None
    dry_run: bool
    sync: "SyncReport"
    timings_ms: Mapping[str, float]
    estimate_s: float | None = None
    embedding: Mapping[str, Any] | None = None
    embedding_estimate: Mapping[str, Any] | None = None

    @property
    def exit_code(self) -> int:
        """8 when a gate said no, 9 when it held and could not tell; 4 when a source failed or was held."""
        gate = self.sync.gate
        if gate is not None and not self.sync.promoted:
            return _GATE_SAID_NO if gate["status"] == "failed" else _GATE_CANNOT_TELL
        return 0 if all(one.status == "ok" for one in self.sync.sources.values()) else _HELD_OR_FAILED

    def to_json(self) -> dict[str, Any]:
        """Return the object ``ragflow.index/1``."""
        sources = {
            name: {
                "status": one.status,
                "added": one.added,
                "updated": one.updated,
                "deleted": one.deleted,
                "moved": one.moved,
                "access_changed": one.access_changed,
                "unchanged": one.unchanged,
                "unreadable": one.unreadable,
                "bytes": one.bytes,
                "error": one.error,
                "hint": one.hint,
            }
            for name, one in self.sync.sources.items()
        }
        return {
            "schema": "ragflow.index/1",
            "run": self.run,
            "dry_run": self.dry_run,
            "generation": self.sync.generation,
            "promoted": self.sync.promoted,
            "reason": self.sync.reason,
            "gate": None if self.sync.gate is None else dict(self.sync.gate),
            "held": self.sync.held,
            "reembedding": None if self.sync.reembedding is None else reembedding_json(self.sync.reembedding),
            "sources": sources,
            "unreadable": [
                {"document": one.item, "reason": one.reason, "hint": one.hint} for one in self.sync.unreadable
            ],
            "flagged": [
                {"document": one.document, "family": one.family, "count": one.count}
                for one in self.sync.flagged[:_MOST_FLAGGED]
            ],
            "flagged_documents": len({one.document for one in self.sync.flagged}),
            "proven_deleted": self.sync.proven_deleted,
            "documents": self.sync.documents,
            "chunks": self.sync.chunks,
            "estimate_s": self.estimate_s,
            "embedding": None if self.embedding is None else dict(self.embedding),
            "embedding_estimate": None if self.embedding_estimate is None else dict(self.embedding_estimate),
            "timings_ms": dict(self.timings_ms),
        }


def reembedding_json(one: "Reembedding") -> dict[str, Any]:
    """Return what another model or chunking asks for; ``seconds`` is null where the pace is not known."""
    return {
        "reason": one.reason,
        "changed": [{"key": key, "live": live, "configured": now} for key, live, now in one.changed],
        "chunks": one.chunks,
        "cached": one.cached,
        "characters": one.characters,
        "seconds": None if one.seconds is None else round(one.seconds, 1),
    }


@dataclass(frozen=True, slots=True)
class SearchReport:
    """The object ``ragflow.search/1``."""

    question: str
    readers: tuple[str, ...]
    system: str
    found: Found
    timings_ms: Mapping[str, float]

    @property
    def hits(self) -> tuple[Hit, ...]:
        """The hits, best first."""
        return self.found.hits

    @property
    def exit_code(self) -> int:
        """6 when nothing indexed is readable for the asker; a search without hits is 0."""
        return 0 if self.found.rows else _NOTHING_READABLE

    def to_json(self) -> dict[str, Any]:
        """Return the object ``ragflow.search/1``."""
        return {
            "schema": "ragflow.search/1",
            "question": self.question,
            "readers": list(self.readers),
            "generation": self.found.generation,
            "system": self.system,
            "hits": [hit_json(hit) for hit in self.found.hits],
            "timings_ms": dict(self.timings_ms),
        }


@dataclass(frozen=True, slots=True)
class EstimateReport:
    """The object ``ragflow.estimate/1``: what each model of the route would cost at most, in order.

    ``reason``: why no model would be asked, where the question would be refused first; else None.
    """

    question: str
    route: Route
    models: tuple[Estimate, ...]
    reason: Reason | None

    def to_json(self) -> dict[str, Any]:
        """Return the object ``ragflow.estimate/1``; ``usd`` is null where the price is not known."""
        return {
            "schema": "ragflow.estimate/1",
            "question": self.question,
            "tier": self.route.tier,
            "prompt": self.route.prompt,
            "sources": list(self.route.sources),
            "models": [
                {
                    "model": one.model,
                    "tokens_in": one.tokens_in,
                    "tokens_out": one.tokens_out,
                    "usd": one.usd,
                }
                for one in self.models
            ],
            "reason": self.reason,
        }
