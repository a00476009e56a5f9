"""Stands between the parts of an ask and what is outside, and keeps what passes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from connectors.documents import Anchor
from evals.entailment import Entailment, Inference
from indexes.query import Found, Hit, Index, Query
from ragflow.asking import Evidence, Weigher
from ragflow.assembling import Outside, TierModels
from ragflow.deadlines import Deadline
from ragflow.errors import ExtraMissing
from ragflow.models.calls import Estimate, Model, ModelFailed, Prompt, Reply, Shape
from ragflow.replaying import shapes
from ragflow.replaying.tape import Tape, prompt_digest
from ragflow.routing.router import Scored, Scorer


def recorded(outside: Outside, tape: Tape) -> Outside:
    """Return what is outside, with everything that it gives kept on the tape; see ``recorded_models`` too."""

    def readable(readers: frozenset[str]) -> tuple[str, ...]:
        found = outside.readable(readers)
        tape.readable = list(found)
        return found

    def text_of(hit: Hit) -> str:
        text = outside.text_of(hit)
        tape.texts[hit.revision] = text
        return text

    def anchors_of(hit: Hit) -> tuple[Anchor, ...]:
        found = outside.anchors_of(hit)
        tape.anchors.setdefault(f"{hit.document}@{hit.revision}", shapes.anchors_json(found))
        return found

    entailment = outside.entailment
    return replace(
        outside,
        index=_Index(outside.index, tape),
        readable=readable,
        scorer=_Scorer(outside.scorer, tape),
        weigher=_Weigher(outside.weigher, tape),
        text_of=text_of,
        anchors_of=anchors_of,
        entailment=None if entailment is None else _Entailment(entailment, tape),
        timer=lambda seconds: _Timer(outside.timer(seconds), tape),
    )


def recorded_models(models: TierModels, tape: Tape) -> TierModels:
    """Return the models, with every reply and failure kept on the tape."""

    def opened(tier: str) -> tuple[Model, ...]:
        try:
            return tuple(_Model(model, tape) for model in models(tier))
        except ModelFailed as failed:
            tape.tiers[tier] = {"kind": failed.kind, "detail": failed.detail}
            raise
        except ExtraMissing as absent:
            tape.tiers[tier] = {"kind": None, "detail": str(absent), "hint": absent.hint}
            raise

    return opened


class _Index:
    def __init__(self, index: Index, tape: Tape) -> None:
        self._index, self._tape = index, tape

    def search(self, query: Query) -> Found:
        found = self._index.search(query)
        self._tape.searches.append({"query": shapes.query_json(query), "found": shapes.found_json(found)})
        return found


class _Scorer:
    def __init__(self, scorer: Scorer, tape: Tape) -> None:
        self._scorer, self._tape = scorer, tape

    def score(self, question: str, readers: frozenset[str], sources: tuple[str, ...] | None) -> Scored:
        found = self._scorer.score(question, readers, sources)
        asked = None if sources is None else list(sources)
        self._tape.scores = [asked, [shapes.score_json(one) for one in found.scores], found.off_topic]
        return found


class _Weigher:
    def __init__(self, weigher: Weigher, tape: Tape) -> None:
        self._weigher, self._tape = weigher, tape

    def weigh(self, question: str, found: Found) -> Evidence:
        evidence = self._weigher.weigh(question, found)
        weighed: Sequence[str] = [hit.chunk for hit in found.hits]
        self._tape.evidence = {"chunks": weighed, **shapes.evidence_json(evidence)}
        return evidence


class _Model:
    def __init__(self, model: Model, tape: Tape) -> None:
        self.name, self.local, self.max_tokens = model.name, model.local, model.max_tokens
        self._model, self._tape = model, tape

    def ask(self, prompt: Prompt, shape: type[Shape], *, deadline: Deadline) -> Reply[Shape]:
        call: dict[str, Any] = {
            "model": self.name,
            "name": prompt.name,
            "digest": prompt_digest(prompt),
            "messages": [[message.role, message.content] for message in prompt.messages],
        }
        try:
            reply = self._model.ask(prompt, shape, deadline=deadline)
        except ModelFailed as failed:
            call["failed"] = {
                "kind": failed.kind,
                "detail": failed.detail,
                "then": failed.then,
                "cost_usd": failed.cost_usd,
                "tokens": failed.tokens,
            }
            self._tape.calls.append(call)
            raise
        call["reply"] = {
            "value": reply.value.model_dump(mode="json"),
            "model": reply.model,
            "cost_usd": reply.cost_usd,
            "tokens_in": reply.tokens_in,
            "tokens_out": reply.tokens_out,
            "tries": reply.tries,
            "priced": reply.priced,
        }
        self._tape.calls.append(call)
        return reply

    def estimate(self, prompt: Prompt) -> Estimate:
        return self._model.estimate(prompt)

    def count(self, text: str) -> int:
        return self._model.count(text)


class _Entailment:
    def __init__(self, entailment: Entailment, tape: Tape) -> None:
        self._entailment, self._tape = entailment, tape

    @property
    def entails(self) -> float:
        return self._entailment.entails

    @property
    def contradicts(self) -> float:
        return self._entailment.contradicts

    def infer(self, premise: str, hypothesis: str) -> Inference:
        found = self._entailment.infer(premise, hypothesis)
        scores = (found.entailment, found.neutral, found.contradiction)
        self._tape.inferences.append([premise, hypothesis, *scores])
        return found


class _Timer(Deadline):
    """A deadline of which it is kept whether it was over, where somebody asked."""

    def __init__(self, deadline: Deadline, tape: Tape) -> None:  # the clock is the other one's
        self._deadline, self._tape = deadline, tape

    def left(self) -> float:
        return self._deadline.left()

    @property
    def over(self) -> bool:
        over = self._deadline.over
        self._tape.over.append(over)
        return over
