"""An object ``ragflow.ask/1`` from outside -> an ``Answer``, or one sentence on what is wrong with it."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connectors.documents import Anchor, AnchorKind
from ragflow.answers import SCHEMA, Answer, Citation, Claim, Outcome, Reason, Route, render
from ragflow.errors import UsageError


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Anchor(_Strict):
    kind: AnchorKind
    label: str
    start: int
    end: int


class _Citation(_Strict):
    id: int = Field(ge=1)
    document: str
    revision: str = Field(pattern="^[0-9a-f]{64}$")
    start: int = Field(ge=0)
    end: int
    quote: str
    anchors: list[_Anchor]
    link: str | None
    modified: str | None = None
    flagged: bool = False


class _Claim(_Strict):
    text: str
    citations: list[int] = Field(min_length=1)


class _Route(_Strict):
    sources: list[str]
    workflow: str
    prompt: str | None
    tier: str | None
    rule: str | None
    prompt_digest: str | None = None


class _Answer(_Strict):
    schema_: Literal["ragflow.ask/1"] = Field(alias="schema")
    run: str | None
    created: str
    question: str
    actor: str
    readers: list[str]
    outcome: Outcome
    reason: Reason | None
    confidence: float = Field(ge=0, le=1)
    answer: str
    claims: list[_Claim]
    citations: list[_Citation]
    missing: list[str]
    related: list[str]
    route: _Route
    generation: str
    model: str | None
    warnings: list[str]
    thread: str | None = None
    standalone: str | None = None
    timings_ms: dict[str, float]
    # What only --explain adds proves nothing: it is let through, not read.
    rejected: list[dict[str, Any]] = []
    hits: list[dict[str, Any]] = []
    features: dict[str, float] = {}


def read_answer(shown: object) -> Answer:
    """Read an object ``ragflow.ask/1`` from outside, strictly; what ``--explain`` adds is left out.

    Raises:
        UsageError: it is not such an object, or its parts do not fit each other; the message names the
            first thing wrong.
    """
    answer = read_parts(shown)
    wrong = contradiction(answer)
    if wrong is not None:
        raise _not_an_answer(wrong)
    return answer


def read_parts(shown: object) -> Answer:
    """Read an object ``ragflow.ask/1`` whose parts may contradict each other. Raises ``UsageError``."""
    try:
        return _built(_Answer.model_validate(shown))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise _not_an_answer(f"{place}: {first['msg']}") from error


def contradiction(answer: Answer) -> str | None:
    """Say where an answer's parts do not fit: an id twice, a number without citation, other words."""
    ids = [citation.id for citation in answer.citations]
    if len(set(ids)) < len(ids):
        return "two citations bear the same id"
    if any(number not in ids for claim in answer.claims for number in claim.citations):
        return "a claim cites a number that is not among the citations"
    if render(answer.claims) != answer.answer:
        return "the answer's text is not that of its claims"
    return None


def _not_an_answer(what: str) -> UsageError:
    hint = "ragflow ask --json QUESTION | ragflow verify -"
    return UsageError(f"this is no {SCHEMA} object: {what}", hint=hint)


def _built(read: _Answer) -> Answer:
    return Answer(
        question=read.question,
        actor=read.actor,
        readers=tuple(read.readers),
        outcome=read.outcome,
        reason=read.reason,
        confidence=read.confidence,
        route=Route(**{**read.route.model_dump(), "sources": tuple(read.route.sources)}),
        generation=read.generation,
        created=read.created,
        run=read.run,
        answer=read.answer,
        claims=tuple(Claim(claim.text, tuple(claim.citations)) for claim in read.claims),
        citations=tuple(_cited(citation) for citation in read.citations),
        missing=tuple(read.missing),
        related=tuple(read.related),
        model=read.model,
        warnings=tuple(read.warnings),
        thread=read.thread,
        standalone=read.standalone,
        timings_ms=dict(read.timings_ms),
    )


def _cited(read: _Citation) -> Citation:
    anchors = tuple(Anchor(each.kind, each.label, each.start, each.end) for each in read.anchors)
    return Citation(**{**read.model_dump(), "anchors": anchors})
