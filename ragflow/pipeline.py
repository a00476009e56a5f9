"""``ask``: from a question to an answer that proves itself, or an honest refusal, on one page."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from evals.grounding import Passage, Quote, check, locate
from indexes.query import Found, Hit, Index, Query
from ragflow.answers import (
    Answer,
    Citation,
    Claim,
    Explanation,
    Outcome,
    Reason,
    Rejected,
    Route,
    render,
)
from ragflow.cite import Proposed, cite
from ragflow.records import sha256, timestamp

MAX_RELATED = 3


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, by whom, and of which sources.

    ``actor`` is who acts, ``readers`` are the principals whose rights count. ``sources`` None means
    all that they may read.
    """

    text: str
    actor: str
    readers: frozenset[str]
    sources: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """How an answer is made. ``min_confidence`` in [0, 1]: below it the outcome is not_found."""

    k: int = 10
    min_confidence: float = 0.5
    explain: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """What an answerer proposes. ``confidence`` (0 to 1): the probability that this answers the question."""

    claims: tuple[Proposed, ...]
    confidence: float
    features: Mapping[str, float] = field(default_factory=dict)


class Answerer(Protocol):
    """Proposes claims.

    Laws:

    - every claim quotes at least one hit, verbatim;
    - the same question and hits give the same draft;
    - nothing but the question and the hits is used: hidden documents cannot change a draft.
    """

    def draft(self, question: str, found: Found) -> Draft: ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """The claims that were proven, every quote with its place, and those that were dropped."""

    claims: tuple[Proposed, ...]
    rejected: tuple[Rejected, ...]


@dataclass(slots=True)
class Step:
    """What one step of a run leaves: set while it runs, recorded when it ends. No document's wording."""

    input: Any = None
    output: Any = None
    cost_usd: float = 0
    tokens: int = 0


class Record:
    """Collects the steps of one run in order, with times in ms since the record was made.

    ``run`` is the id that the answer will bear, ``created`` when it began (ISO 8601, UTC).
    """

    def __init__(self, run: str, *, created: str | None = None) -> None:
        self.run = run
        self.created = created or timestamp()
        self._began = time.perf_counter()
        self._steps: list[dict[str, Any]] = []

    @contextmanager
    def step(self, name: str, *, attempt: int = 1) -> Iterator[Step]:
        """Time one step; a step that raises is recorded as ``failed`` and the error goes on."""
        step, started, status = Step(), time.perf_counter(), "failed"
        try:
            yield step
            status = "ok"
        finally:
            self._steps.append(
                {
                    "name": name,
                    "attempt": attempt,
                    "started_ms": round((started - self._began) * 1000),
                    "ms": round((time.perf_counter() - started) * 1000),
                    "status": status,
                    "input_digest": sha256(step.input),
                    "output": step.output,
                    "cost_usd": step.cost_usd,
                    "tokens": step.tokens,
                }
            )

    @property
    def steps(self) -> tuple[dict[str, Any], ...]:
        """The steps so far, as they stand in ``ragflow.run/1``."""
        return tuple(self._steps)

    def timings_ms(self) -> dict[str, float]:
        """Return milliseconds by step, and in ``total`` since the record was made."""
        spent: dict[str, float] = {}
        for step in self._steps:
            spent[step["name"]] = spent.get(step["name"], 0) + step["ms"]
        return {**spent, "total": round((time.perf_counter() - self._began) * 1000, 1)}


def ask(
    question: Question,
    *,
    index: Index,
    answerer: Answerer,
    record: Record,
    rules: Rules,
) -> Answer:
    """Answer from the index alone, or say that it cannot be answered.

    Every claim carries a citation whose quote stands in a chunk that the asker may read. A claim that
    fails this is dropped, never mended. What is forbidden and what is absent take the same path.
    """
    with record.step("route") as step:
        sources = choose(question)
        step.input, step.output = question.text, {"sources": sources and list(sources)}
    with record.step("search") as step:
        found = index.search(Query(question.text, question.readers, sources=sources, k=rules.k))
        step.input, step.output = question.text, {"hits": len(found.hits)}
    with record.step("generate") as step:
        draft = answerer.draft(question.text, found)
        step.input, step.output = (
            [hit.chunk for hit in found.hits],
            {"claims": len(draft.claims)},
        )
    with record.step("validate") as step:
        verdict = judge(draft.claims, found.hits)
        step.input = [claim.text for claim in draft.claims]
        step.output = {"claims": len(verdict.claims), "rejected": len(verdict.rejected)}
    outcome, reason = conclude(found, draft, verdict, min_confidence=rules.min_confidence)
    with record.step("cite") as step:
        claims, citations = cite(verdict.claims if outcome == "answered" else (), found.hits)
        step.input, step.output = outcome, {"citations": len(citations)}
    answer = Answer(
        question=question.text,
        actor=question.actor,
        readers=tuple(sorted(question.readers)),
        outcome=outcome,
        reason=reason,
        confidence=draft.confidence,
        route=Route(sources=found.sources),
        generation=found.generation,
        created=record.created,
        run=record.run,
        timings_ms=record.timings_ms(),
        explanation=Explanation(verdict.rejected, found.hits, draft.features) if rules.explain else None,
    )
    return complete(answer, claims, citations, found.hits)


def choose(question: Question) -> tuple[str, ...] | None:
    """Return the sources to search: those that were asked for, else None for all that may be read."""
    return question.sources


def judge(claims: Sequence[Proposed], hits: Sequence[Hit]) -> Verdict:
    """Keep the claims without a finding, each quote narrowed to the exact span where it stands."""
    passages = [Passage(hit.text, _rows(hit)) for hit in hits]
    kept: list[Proposed] = []
    rejected: list[Rejected] = []
    for claim in claims:
        findings = check(claim.text, claim.quotes, passages)
        if findings:
            rejected += [Rejected(claim.text, finding.kind, finding.detail) for finding in findings]
        else:
            kept.append(
                Proposed(
                    claim.text,
                    tuple(_placed(quote, passages) for quote in claim.quotes),
                )
            )
    return Verdict(tuple(kept), tuple(rejected))


def conclude(
    found: Found, draft: Draft, verdict: Verdict, *, min_confidence: float
) -> tuple[Outcome, Reason | None]:
    """Return the outcome and, where there is no answer, the reason."""
    if not found.hits:
        return "not_found", "no_hits"
    if draft.confidence < min_confidence:
        return "not_found", "low_confidence"
    if not verdict.claims:
        return "not_found", "no_valid_claim"
    return "answered", None


def complete(
    answer: Answer,
    claims: tuple[Claim, ...],
    citations: tuple[Citation, ...],
    hits: Sequence[Hit],
) -> Answer:
    """Return the answer with its text, and the nearest documents that it does not cite (at most three)."""
    cited = {citation.document for citation in citations}
    related = tuple(dict.fromkeys(hit.document for hit in hits if hit.document not in cited))[:MAX_RELATED]
    return replace(
        answer,
        answer=render(claims),
        claims=claims,
        citations=citations,
        related=related,
    )


def _rows(hit: Hit) -> tuple[tuple[int, int], ...]:
    spans = [
        (anchor.start - hit.start, anchor.end - hit.start) for anchor in hit.anchors if anchor.kind == "row"
    ]
    return tuple((start, end) for start, end in spans if start >= 0 and end <= len(hit.text))


def _placed(quote: Quote, passages: Sequence[Passage]) -> Quote:
    text = passages[quote.passage].text
    if quote.start is not None and text.startswith(quote.text, quote.start):
        return quote
    span = locate(quote.text, text)
    if span is None:
        raise AssertionError("a claim passed the check with a quote that does not stand in its passage")
    return Quote(quote.passage, text[span[0] : span[1]], span[0])
