"""What ``ask`` gives: claims, the citations that prove them, and the object ``ragflow.ask/1``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from connectors.documents import Anchor
from evals.grounding import Kind
from indexes.query import Hit

SCHEMA = "ragflow.ask/1"

Outcome = Literal["answered", "partial", "conflicting", "not_found", "blocked"]
Reason = Literal[
    "no_hits",
    "low_confidence",
    "no_valid_claim",
    "underspecified",
    "off_topic",
    "input_blocked",
]


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of an answer and the ids of the citations that support it: at least one."""

    text: str
    citations: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Citation:
    """The span that supports a claim: ``quote == revision's text[start:end]``, always.

    ``anchors`` are those that overlap the span, in document order. ``modified``: the document's date, if it
    has one. ``flagged``: the span reads like an order to a program.
    """

    id: int
    document: str
    revision: str
    start: int
    end: int
    quote: str
    anchors: tuple[Anchor, ...] = ()
    link: str | None = None
    modified: str | None = None
    flagged: bool = False


@dataclass(frozen=True, slots=True)
class Rejected:
    """A claim that was dropped, and the finding that dropped it."""

    text: str
    finding: Kind
    detail: str


@dataclass(frozen=True, slots=True)
class Route:
    """Which sources were searched, and how. ``rule`` names the rule that decided, if one did."""

    sources: tuple[str, ...]
    workflow: str = "answer"
    prompt: str | None = None
    tier: str | None = None
    rule: str | None = None
    prompt_digest: str | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an answer came out as it did: what was found, what was dropped, what was measured.

    ``passages``: those that the citations were taken from, hits or hits made longer; not shown.
    """

    rejected: tuple[Rejected, ...]
    hits: tuple[Hit, ...]
    features: Mapping[str, float]
    passages: tuple[Hit, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, or why there is none.

    ``readers`` are sorted. ``reason`` is None exactly when the outcome is answered, partial or
    conflicting. ``answer`` is "" and there are no claims and citations when it is not_found or
    blocked. ``confidence`` is 0 to 1. ``thread``: the run that the question follows, ``standalone``: how it
    was then understood. ``run`` is None when the run could not be recorded.
    """

    question: str
    actor: str
    readers: tuple[str, ...]
    outcome: Outcome
    reason: Reason | None
    confidence: float
    route: Route
    generation: str
    created: str
    run: str | None = None
    answer: str = ""
    claims: tuple[Claim, ...] = ()
    citations: tuple[Citation, ...] = ()
    missing: tuple[str, ...] = ()
    related: tuple[str, ...] = ()
    model: str | None = None
    warnings: tuple[str, ...] = ()
    thread: str | None = None
    standalone: str | None = None
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    explanation: Explanation | None = None

    @property
    def exit_code(self) -> int:
        """6 when nothing was answered, else 0."""
        return 6 if self.outcome in ("not_found", "blocked") else 0

    @staticmethod
    def from_json(shown: object) -> "Answer":
        """Read an object ``ragflow.ask/1`` from outside, strictly. Raises ``UsageError``."""
        from ragflow.answer_reading import read_answer  # models take long to make, and are seldom needed

        return read_answer(shown)

    def to_json(self) -> dict[str, Any]:
        """Return the object ``ragflow.ask/1``; with ``rejected``, ``hits``, ``features`` if explained."""
        shown: dict[str, Any] = {
            "schema": SCHEMA,
            "run": self.run,
            "created": self.created,
            "question": self.question,
            "actor": self.actor,
            "readers": list(self.readers),
            "outcome": self.outcome,
            "reason": self.reason,
            "confidence": self.confidence,
            "answer": self.answer,
            "claims": [{"text": claim.text, "citations": list(claim.citations)} for claim in self.claims],
            "citations": [citation_json(citation) for citation in self.citations],
            "missing": list(self.missing),
            "related": list(self.related),
            "route": {
                "sources": list(self.route.sources),
                "workflow": self.route.workflow,
                "prompt": self.route.prompt,
                "tier": self.route.tier,
                "rule": self.route.rule,
                "prompt_digest": self.route.prompt_digest,
            },
            "generation": self.generation,
            "model": self.model,
            "warnings": list(self.warnings),
            "thread": self.thread,
            "standalone": self.standalone,
            "timings_ms": dict(self.timings_ms),
        }
        if self.explanation is not None:
            shown["rejected"] = [
                {"text": each.text, "finding": each.finding, "detail": each.detail}
                for each in self.explanation.rejected
            ]
            shown["hits"] = [hit_json(hit) for hit in self.explanation.hits]
            shown["features"] = dict(self.explanation.features)
        return shown


def render(claims: tuple[Claim, ...]) -> str:
    """Return the answer as one line of text: each claim followed by its numbers, ``Sentence. [1]``."""
    return " ".join(
        " ".join([claim.text, *(f"[{number}]" for number in claim.citations)]) for claim in claims
    )


def anchor_json(anchor: Anchor) -> dict[str, Any]:
    """Return an anchor as it stands in every JSON object."""
    return {
        "kind": anchor.kind,
        "label": anchor.label,
        "start": anchor.start,
        "end": anchor.end,
    }


def citation_json(citation: Citation) -> dict[str, Any]:
    """Return a citation as it stands in ``ragflow.ask/1``."""
    return {
        "id": citation.id,
        "document": citation.document,
        "revision": citation.revision,
        "start": citation.start,
        "end": citation.end,
        "quote": citation.quote,
        "anchors": [anchor_json(anchor) for anchor in citation.anchors],
        "link": citation.link,
        "modified": citation.modified,
        "flagged": citation.flagged,
    }


def hit_json(hit: Hit) -> dict[str, Any]:
    """Return a hit as it stands in ``ragflow.search/1`` and in an explained answer."""
    return {
        "rank": hit.rank,
        "chunk": hit.chunk,
        "document": hit.document,
        "revision": hit.revision,
        "start": hit.start,
        "end": hit.end,
        "title": hit.title,
        "anchors": [anchor_json(anchor) for anchor in hit.anchors],
        "link": hit.link,
        "text": hit.text,
        "score": hit.score,
        "scores": {
            "lexical": hit.scores.lexical,
            "dense": hit.scores.dense,
            "rerank": hit.scores.rerank,
        },
        "also": list(hit.also),
    }
