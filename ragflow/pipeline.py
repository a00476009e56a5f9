"""``ask``: from a question to an answer that proves itself, or an honest refusal, on one page."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from evals.entailment import Entailment
from evals.grounding import Passage, Quote, check, locate
from indexes.query import Found, Hit, Query
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
from ragflow.asking import (
    Answerer,
    Draft,
    Evidence,
    Guard,
    Lineup,
    NoDraft,
    Parts,
    Question,
    Routed,
    Rules,
    Verdict,
)
from ragflow.cite import Proposed, cite
from ragflow.conflicts import reconcile
from ragflow.deadlines import Deadline
from ragflow.errors import NoModel
from ragflow.steps import Record

MAX_RELATED = 3


def ask(question: Question, *, parts: Parts, record: Record, rules: Rules) -> Answer:
    """Answer from the index alone, or say that it cannot be answered.

    Every claim carries a citation whose quote stands in a document that the asker may read. A claim that
    fails this is dropped, never mended. What is forbidden and what is absent take the same path.

    Raises:
        NoModel: only models were to answer, and none did.
    """
    deadline = parts.timer(rules.seconds)
    with record.step("guard") as step:
        inspected = parts.guard.question(question.text)
        step.input, step.output = question.text, {"blocked": inspected.blocked is not None}
    with record.step("route") as step:
        routed = parts.router.route(question, deadline) if not inspected.blocked else BLOCKED
        step.input, step.output = question.text, {"sources": routed.sources, "by": routed.by}
        step.cost_usd, step.tokens = routed.cost_usd, routed.tokens
    with record.step("search") as step:
        found = parts.guard.passages(parts.index.search(_query(question, routed, rules.k)))
        step.input, step.output = question.text, {"hits": len(found.hits)}
    with record.step("weigh") as step:
        evidence = parts.weigher.weigh(question.text, found) if found.hits else Evidence(0.0)
        step.input = [hit.chunk for hit in found.hits]
        step.output = {"confidence": evidence.confidence}
    outcome, reason = expect(routed, found, evidence, min_confidence=rules.min_confidence)
    lineup, proven = parts.casting.lineup(question, routed), NOTHING
    if reason is None:
        run = _Run(parts.guard, record, deadline, parts.entailment)
        proven = prove(question.text, found, evidence, lineup, run)
        proven = compare(question.text, found, evidence, proven, run)
        outcome, reason = conclude(proven)
    with record.step("cite") as step:
        claims, citations = cite(proven.claims, proven.passages)
        step.input, step.output = outcome, {"citations": len(citations)}
    answer = Answer(
        question=question.text,
        actor=question.actor,
        readers=tuple(sorted(question.readers)),
        outcome=outcome,
        reason=reason,
        confidence=evidence.confidence,
        route=_shown(routed, lineup, found),
        generation=found.generation,
        created=record.created,
        run=record.run,
        missing=proven.missing,
        model=proven.model,
        warnings=(*question.warnings, *inspected.warnings, *proven.warnings),
        timings_ms=record.timings_ms(),
        explanation=Explanation(proven.rejected, found.hits, evidence.features, proven.passages)
        if rules.explain
        else None,
    )
    return complete(answer, claims, citations, found.hits)


BLOCKED = Routed((), by="all", because="the question was blocked", reason="input_blocked")


def _query(question: Question, routed: Routed, k: int) -> Query:
    if routed.reason is not None:
        # Nobody reads anything: this only tells which generation it is.
        return Query(question.text, frozenset(), k=k, system="lexical")
    # Equal ones only: what differs by a word may be the other side of a conflict.
    return Query(question.text, question.readers, sources=routed.sources, k=k, merge="equal")


def expect(
    routed: Routed, found: Found, evidence: Evidence, *, min_confidence: float
) -> tuple[Outcome, Reason | None]:
    """Return what is known before anything is drafted: a refusal with its reason, or "answered"."""
    if routed.reason is not None:
        return ("blocked" if routed.reason == "input_blocked" else "not_found"), routed.reason
    if not found.hits:
        return "not_found", "no_hits"
    if evidence.confidence < min_confidence:
        return "not_found", "low_confidence"
    return "answered", None


@dataclass(frozen=True, slots=True)
class Proven:
    """What was proven of the draft that is shown, and what was rejected in all of them.

    ``model`` None: no model's words are shown. ``missing``: parts of the question that stay open.
    ``conflicts``: what the documents disagree about, a line each.
    """

    claims: tuple[Proposed, ...] = ()
    passages: tuple[Hit, ...] = ()
    missing: tuple[str, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    warnings: tuple[str, ...] = ()
    model: str | None = None
    conflicts: tuple[str, ...] = ()


NOTHING = Proven()


@dataclass(frozen=True, slots=True)
class _Run:
    guard: Guard
    record: Record
    deadline: Deadline
    entailment: Entailment | None


def prove(question: str, found: Found, evidence: Evidence, lineup: Lineup, run: _Run) -> Proven:
    """Let one answerer after the other draft, until claims are proven.

    A model whose claims do not all hold is asked once more with what was found; what then holds is kept.
    One that fails, or of which nothing holds, gives way to the next. A model that finds no answer in the
    passages is believed. The last of a line-up is extractive, unless the asker refused that.

    Raises:
        NoModel: the line-up ended without a single draft.
    """
    rejected: list[Rejected] = []
    warnings: list[str] = []
    attempt, drafted, skip = 0, False, False
    for answerer in lineup.answerers:
        if answerer.name is not None and (skip or run.deadline.over):
            continue
        told: tuple[Rejected, ...] = ()
        best: tuple[Draft, Verdict] | None = None
        for _ in range(1 if answerer.name is None else 2):
            attempt += 1
            draft = _draft(answerer, (question, found, evidence), told, attempt, run)
            if isinstance(draft, NoDraft):
                warnings.append(f"{answerer.name}: {draft.detail}")
                skip = skip or draft.skip_models
                break
            drafted = True
            verdict = _judged(question, draft, attempt, run)
            rejected += verdict.rejected
            if best is None or len(verdict.claims) > len(best[1].claims):
                best = draft, verdict
            told = verdict.rejected
            if not told:
                break
        if best is not None and (best[1].claims or (answerer.name is not None and not told)):
            draft, verdict = best
            return Proven(
                verdict.claims, draft.passages, draft.missing, tuple(rejected),
                (*warnings, *draft.warnings), draft.model,
            )  # fmt: skip
    if not drafted:
        raise NoModel("; ".join(warnings) or "no model is configured for this tier")
    return Proven(rejected=tuple(rejected), warnings=tuple(warnings))


def _draft(
    answerer: Answerer,
    asked: tuple[str, Found, Evidence],
    told: tuple[Rejected, ...],
    attempt: int,
    run: _Run,
) -> Draft | NoDraft:
    with run.record.step("generate", attempt=attempt) as step:
        question, found, evidence = asked
        step.input = [hit.chunk for hit in found.hits]
        try:
            draft = answerer.draft(question, found, evidence, rejected=told, deadline=run.deadline)
        except NoDraft as failed:
            step.status, step.cost_usd, step.tokens = "failed", failed.cost_usd, failed.tokens
            step.output = {"model": answerer.name, "failure": failed.kind}
            return failed
        step.cost_usd, step.tokens = draft.cost_usd, draft.tokens
        step.output = {"model": draft.model, "claims": len(draft.claims)}
        if draft.model is not None:
            read = draft.tokens - draft.tokens_out
            step.output |= {"tokens_in": read, "tokens_out": draft.tokens_out}
    return draft


def _judged(question: str, draft: Draft, attempt: int, run: _Run) -> Verdict:
    with run.record.step("validate", attempt=attempt) as step:
        verdict = judge(draft.claims, draft.passages, run.guard, question=question, entailment=run.entailment)
        step.input = [claim.text for claim in draft.claims]
        step.output = {
            "claims": len(verdict.claims),
            "rejected": [rejected.finding for rejected in verdict.rejected],
        }
    return verdict


def judge(
    claims: Sequence[Proposed],
    hits: Sequence[Hit],
    guard: Guard,
    *,
    question: str = "",
    entailment: Entailment | None = None,
) -> Verdict:
    """Keep the claims without a finding, each quote narrowed to the exact span where it stands."""
    passages = [Passage(hit.text, _rows(hit), hit.title) for hit in hits]
    kept: list[Proposed] = []
    rejected: list[Rejected] = []
    for claim in claims:
        findings = check(claim.text, claim.quotes, passages, question=question, entailment=entailment)
        findings = findings or guard.claim(claim, hits)
        if findings:
            rejected += [Rejected(claim.text, finding.kind, finding.detail) for finding in findings]
        else:
            kept.append(Proposed(claim.text, tuple(_placed(quote, passages) for quote in claim.quotes)))
    return Verdict(tuple(kept), tuple(rejected))


def compare(question: str, found: Found, evidence: Evidence, proven: Proven, run: _Run) -> Proven:
    """Set beside what was proven what other documents say against it."""
    with run.record.step("compare") as step:
        both = reconcile(question, proven.claims, proven.passages, evidence.ranked, found.hits)
        step.input, step.output = len(proven.claims), {"conflicts": len(both.conflicts)}
    if not both.conflicts:
        return proven
    verdict = judge(both.claims, both.passages, run.guard, question=question, entailment=run.entailment)
    disagree = tuple(f"the documents disagree: {line}" for line in both.conflicts)
    return replace(
        proven,
        claims=verdict.claims,
        passages=both.passages,
        rejected=(*proven.rejected, *verdict.rejected),
        warnings=(*proven.warnings, *disagree),
        conflicts=both.conflicts,
    )


def conclude(proven: Proven) -> tuple[Outcome, Reason | None]:
    """Return the outcome of what was proven and, where there is no answer, the reason."""
    if not proven.claims:
        return "not_found", "no_valid_claim"
    if proven.conflicts and len({claim.quotes for claim in proven.claims}) > 1:
        return "conflicting", None
    return ("partial" if proven.missing else "answered"), None


def complete(
    answer: Answer,
    claims: tuple[Claim, ...],
    citations: tuple[Citation, ...],
    hits: Sequence[Hit],
) -> Answer:
    """Return the answer with its text, and the nearest documents that it does not cite (at most three)."""
    cited = {citation.document for citation in citations}
    related = tuple(dict.fromkeys(hit.document for hit in hits if hit.document not in cited))[:MAX_RELATED]
    flagged = tuple(
        f"[{citation.id}] touches text that reads like an order to a program"
        for citation in citations
        if citation.flagged
    )
    return replace(
        answer,
        warnings=(*answer.warnings, *flagged),
        answer=render(claims),
        claims=claims,
        citations=citations,
        related=related,
    )


def _shown(routed: Routed, lineup: Lineup, found: Found) -> Route:
    if routed.reason is not None:
        return Route(sources=(), workflow=routed.workflow, rule=routed.rule)
    return Route(
        sources=found.sources,
        workflow=routed.workflow,
        prompt=lineup.prompt,
        prompt_digest=lineup.prompt_digest,
        tier=lineup.tier,
        rule=routed.rule,
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
