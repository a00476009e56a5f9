"""What an evaluation is made of: a case with its gold, and what a system gave for it."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Answerable = Literal["yes", "no", "partial", "underspecified"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier turn of a conversation."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class GoldQuote:
    """A span that proves the answer: ``quote`` stands in the document's canonical text."""

    document: str
    quote: str


@dataclass(frozen=True, slots=True)
class Case:
    """A question with what is known of its right answer; None where nothing is known.

    ``judgements``: document (``<source>/<item>``) -> grade, 1 and up is relevant; an empty mapping says
    that no document is. ``readers`` None: the actor's own. A case that is not ``reviewed`` is no gold:
    it may be asked, and no metric counts it.
    """

    id: str
    question: str
    history: tuple[Turn, ...] = ()
    readers: tuple[str, ...] | None = None
    answerable: Answerable | None = None
    judgements: Mapping[str, int] | None = None
    quotes: tuple[GoldQuote, ...] | None = None
    answer: str | None = None
    source: str | None = None
    tags: tuple[str, ...] = ()
    group: str | None = None
    reviewed: bool = True

    @property
    def fold(self) -> int:
        """0 when the first byte of SHA-256 of ``group``, else of ``id``, is even, else 1."""
        return hashlib.sha256((self.group or self.id).encode()).digest()[0] % 2


@dataclass(frozen=True, slots=True)
class Dataset:
    """Cases in file order. ``digest``: 64 hex over what was read; ``path`` as it was given.

    ``notes``: what a person should know of it and what stops nothing (a judged document is not in the
    corpus). In a BEIR folder a judgement names the item (``_id``), elsewhere ``<source>/<item>``.
    """

    path: str
    kind: Literal["beir", "questions"]
    digest: str
    cases: tuple[Case, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ranked:
    """A chunk found. ``text`` is "" where it was not asked for; offsets are code points, half-open."""

    document: str
    score: float
    chunk: str = ""
    start: int = 0
    end: int = 0
    title: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """What a citation points at, with its passage and its document's title.

    ``anchors``: (kind, label) of those that overlap it.
    """

    document: str
    start: int
    end: int
    quote: str
    passage: str = ""
    anchors: tuple[tuple[str, str], ...] = ()
    title: str = ""


@dataclass(frozen=True, slots=True)
class Statement:
    """A claim of an answer, with the positions (from 0) of its citations in ``Response.citations``."""

    text: str
    citations: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Response:
    """What a system gave for a case.

    ``ranking`` best first. ``outcome`` None: the system only retrieves. ``confidence`` in [0, 1].
    ``sources``: the route it took; None: it does not route. ``best_source``: the likeliest of all that may
    be read, None where none is. ``searched``: the share of those that was searched, in [0, 1].
    ``everything``: the documents that searching all of them finds, best first.
    ``timings_ms``: by step, ``total`` for all.
    """

    ranking: tuple[Ranked, ...] = ()
    outcome: Literal["answered", "partial", "conflicting", "not_found", "blocked"] | None = None
    reason: str | None = None
    answer: str = ""
    claims: tuple[Statement, ...] = ()
    citations: tuple[Span, ...] = ()
    confidence: float | None = None
    sources: tuple[str, ...] | None = None
    best_source: str | None = None
    searched: float | None = None
    everything: tuple[str, ...] | None = None
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    cost_usd: float = 0.0
    tokens: int = 0


System = Callable[[Case], Response]
"""What is measured. Anything that it raises is recorded, and the case counts as failed."""
