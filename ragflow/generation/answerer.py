"""A model that drafts: passages packed, private data masked, one question to the model, its reply read."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from connectors.documents import Anchor
from evals.grounding import Quote
from indexes.analysis import analyse
from indexes.query import Found, Hit
from ragflow.answers import Rejected
from ragflow.asking import Draft, Evidence, NoDraft
from ragflow.aspects import aspects
from ragflow.cite import Proposed
from ragflow.deadlines import Deadline
from ragflow.generation.packing import pack
from ragflow.generation.shapes import AnswerShape, answer_shape
from ragflow.generation.widening import header_of
from ragflow.generation.wording import TEXTS, Wording, compose, shown
from ragflow.masking import mask, torn, unmask
from ragflow.models.calls import Estimate, Model, ModelFailed, Prompt, Reply
from ragflow.redact import Kind, Private

HEAD_TOKENS = 60  # what the tags around a passage take, about

_NUMBERS = re.compile(r"(?: ?\[\d{1,3}\])+(?=[.!?]?$)")
_PLAIN = re.compile(r"[\w\s.,;?%&$€£@'\u2019\"()/-]+")


@dataclass(frozen=True, slots=True)
class Documents:
    """Where the text and the anchors of a hit's whole document come from, by the hit."""

    text_of: Callable[[Hit], str]
    anchors_of: Callable[[Hit], tuple[Anchor, ...]]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one draft may hold. ``context``: tokens of passages. ``redact``: what no outside model is shown.

    ``capped``: the configuration limits what may be spent.
    """

    max_claims: int = 6
    context: int = 3000
    redact: tuple[Kind, ...] = ("secret",)
    capped: bool = False


@dataclass(frozen=True, slots=True)
class Asking:
    """A prompt, the passages that it shows, and what its placeholders stand for."""

    prompt: Prompt
    passages: tuple[Hit, ...]
    table: Mapping[str, str]


class LLMAnswerer:
    """Lets a model propose claims. Satisfies ``asking.Answerer``."""

    def __init__(self, model: Model, wording: Wording, documents: Documents, limits: Limits) -> None:
        self.name: str | None = model.name
        self._model = model
        self._wording = wording
        self._documents = documents
        self._limits = limits

    def draft(
        self,
        question: str,
        found: Found,
        evidence: Evidence,
        *,
        rejected: Sequence[Rejected] = (),
        deadline: Deadline,
    ) -> Draft:
        """Return what the model proposes, its quotes as it gave them: whether they stand is found later.

        At most ``max_claims``, the first ones. No claims: it finds no answer in the passages. Raises
        ``NoDraft``.
        """
        asking = self.asking(question, found, evidence, rejected)
        if not asking.passages:
            raise NoDraft("bad_request", "no passage fits into the tokens that it may be shown")
        try:
            reply = self._model.ask(asking.prompt, answer_shape(self._limits.max_claims), deadline=deadline)
        except ModelFailed as failed:
            raise NoDraft(
                failed.kind,
                failed.detail,
                skip_models=failed.then == "extractive",
                cost_usd=failed.cost_usd,
                tokens=failed.tokens,
            ) from failed
        return Draft(
            claims=_claims(reply.value, asking.table)[: self._limits.max_claims],
            passages=asking.passages,
            missing=_missing(reply.value, question, asking.table),
            model=reply.model,
            prompt=self._wording.name,
            prompt_digest=self._wording.digest,
            cost_usd=reply.cost_usd,
            tokens=reply.tokens_in + reply.tokens_out,
            tokens_out=reply.tokens_out,
            warnings=self._warnings(reply),
        )

    def estimate(self, question: str, found: Found, evidence: Evidence) -> Estimate:
        """Return what one draft would cost at most; a second after a rejection, about the same."""
        return self._model.estimate(self.asking(question, found, evidence).prompt)

    def asking(
        self, question: str, found: Found, evidence: Evidence, rejected: Sequence[Rejected] = ()
    ) -> Asking:
        """Return exactly what the model is asked."""
        passages = self._packed(found, evidence)
        shows = [shown(hit, header=self._header(hit)) for hit in passages]
        kinds = () if self._model.local else self._limits.redact
        told = [text for one in rejected for text in (one.text, _uncut(one.detail) if kinds else one.detail)]
        texts = [question, *told, *(text for one in shows for text in one.texts)]
        known: list[tuple[Private, ...]] = [() for _ in texts]
        for at, hit in enumerate(passages):
            whole = 1 + len(told) + at * TEXTS + TEXTS - 1  # its own text is the last of what is shown of it
            known[whole] = torn(self._documents.text_of(hit), hit.start, hit.end, kinds)
        masked = mask(texts, kinds, known=known)
        given = iter(masked.texts)
        question = next(given)
        rejected = [replace(one, text=next(given), detail=next(given)) for one in rejected]
        shows = [one.saying([next(given) for _ in one.texts]) for one in shows]
        return Asking(compose(self._wording, question, shows, rejected), passages, masked.table)

    def _packed(self, found: Found, evidence: Evidence) -> tuple[Hit, ...]:
        focus: dict[str, int] = {}
        for one in evidence.ranked:
            hit = found.hits[one.candidate.hit]
            focus.setdefault(hit.chunk, hit.start + one.candidate.start)
        return pack(
            found.hits,
            budget_tokens=self._limits.context,
            count=lambda text: self._model.count(text) + HEAD_TOKENS,
            text_of=self._documents.text_of,
            anchors_of=self._documents.anchors_of,
            focus=focus,
        )

    def _header(self, hit: Hit) -> str:
        return header_of(hit, self._documents.text_of(hit), self._documents.anchors_of)

    def _warnings(self, reply: Reply[AnswerShape]) -> tuple[str, ...]:
        if reply.priced or not self._limits.capped:
            return ()
        return (f"{reply.model}: its price is not known, so what it costs is not held to the limit",)


def _claims(reply: AnswerShape, table: Mapping[str, str]) -> tuple[Proposed, ...]:
    """Return the reply's claims, each on one line, none twice; passages are counted from 0 from here on.

    Passage numbers that a model puts at the end of its sentence, as many do, are no part of it.
    """
    claims = {
        Proposed(
            _NUMBERS.sub("", " ".join(unmask(claim.text, table).split())),
            tuple(Quote(quote.passage - 1, unmask(quote.text, table)) for quote in claim.quotes),
        ): None
        for claim in reply.claims
    }
    return tuple(claims)


def _uncut(detail: str) -> str:
    """Return a finding's detail without a quote that was shortened: half a secret looks like none."""
    return detail.partition(": ")[0] if "\u2026" in detail else detail


def _missing(reply: AnswerShape, question: str, table: Mapping[str, str]) -> tuple[str, ...]:
    """Return what the reply leaves open, each once, in the question's own words.

    Anything else would reach the reader without a citation. What a model says in words of its own counts
    as the part of a compound question that it is plainly about, and is dropped where there is none.
    """
    said = [" ".join(unmask(one, table).split()) for one in reply.missing]
    return tuple(dict.fromkeys(part for one in said if (part := _asked(one, question))))


def _asked(said: str, question: str) -> str | None:
    terms = set(analyse(said))
    if terms and terms <= set(analyse(question)) and _PLAIN.fullmatch(said):
        return said
    parts = {part: set(analyse(part)) for part in aspects(question)}
    shared = {part: len(terms & words) for part, words in parts.items()}
    best = max(shared, key=lambda part: shared[part], default="")
    if len(parts) < 2 or list(shared.values()).count(shared[best]) > 1:
        return None
    return best if 2 * shared[best] >= len(parts[best]) > 0 else None


class Unavailable:
    """Stands for a model that cannot be asked at all. Satisfies ``asking.Answerer``."""

    def __init__(self, name: str, kind: str, detail: str) -> None:
        self.name: str | None = name
        self._kind, self._detail = kind, detail

    def draft(
        self,
        question: str,  # noqa: ARG002 - nobody is asked
        found: Found,  # noqa: ARG002
        evidence: Evidence,  # noqa: ARG002
        *,
        rejected: Sequence[Rejected] = (),  # noqa: ARG002
        deadline: Deadline,  # noqa: ARG002
    ) -> Draft:
        """Say why not. Raises ``NoDraft``, always."""
        raise NoDraft(self._kind, self._detail)
