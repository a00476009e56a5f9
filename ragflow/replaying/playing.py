"""Gives what a tape holds in place of what is outside: no index, no embedder, no model, no network.

What the tape does not hold raises ``OffTape``: with the rules of today the ask goes another way than it did.
"""

import json
from collections.abc import Callable, Iterator, Sequence

from pydantic import ValidationError

from connectors.documents import Anchor
from evals.entailment import Inference
from indexes.query import Found, Hit, Query
from ragflow.asking import Evidence
from ragflow.assembling import Outside
from ragflow.config import Config
from ragflow.deadlines import Deadline
from ragflow.errors import ExtraMissing
from ragflow.model_sections import ModelEntry
from ragflow.models import prices
from ragflow.models.calls import Estimate, Model, ModelFailed, Prompt, Reply, Shape
from ragflow.models.providers import is_local
from ragflow.replaying import shapes
from ragflow.replaying.differing import said, unified
from ragflow.replaying.tape import Json, Tape, prompt_digest
from ragflow.routing.scores import SourceScores, decided

_NO_TIME = 1e9  # seconds: on a tape nobody is waited for


class OffTape(Exception):
    """Something is wanted that the tape does not hold. ``diff``: how it differs from what it holds."""

    def __init__(self, message: str, diff: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.diff = tuple(diff)


def played(tape: Tape, config: Config) -> Outside:
    """Return what is outside, as the tape has it; which models there are comes from the configuration."""
    entailment = config.answer.entailment
    return Outside(
        index=TapeIndex(tape),
        readable=lambda _: _readable(tape),
        scorer=TapeScorer(tape),
        weigher=TapeWeigher(tape),
        models=TapeModels(tape, config),
        text_of=lambda hit: _text(tape, hit),
        anchors_of=lambda hit: _anchors(tape, hit),
        entailment=None
        if entailment is None
        else TapeEntailment(tape, entailment.entails, entailment.contradicts),
        timer=_timer(tape),
    )


def _readable(tape: Tape) -> tuple[str, ...]:
    if tape.readable is None:
        raise OffTape("which sources may be read was not looked up then")
    return tuple(tape.readable)


def _text(tape: Tape, hit: Hit) -> str:
    if hit.revision not in tape.texts:
        raise OffTape(f"the text of {hit.document} was not read then")
    return tape.texts[hit.revision]


def _anchors(tape: Tape, hit: Hit) -> tuple[Anchor, ...]:
    kept = tape.anchors.get(f"{hit.document}@{hit.revision}")
    if kept is None:
        raise OffTape(f"the anchors of {hit.document} were not read then")
    return shapes.read_anchors(kept)


class TapeIndex:
    """Satisfies ``indexes.query.Index`` for the searches that were made."""

    def __init__(self, tape: Tape) -> None:
        self._searches = tape.searches

    def search(self, query: Query) -> Found:
        """Return what was found. Raises ``OffTape``: another search was made then."""
        asked = shapes.query_json(query)
        for search in self._searches:
            if search["query"] == asked:
                return shapes.read_found(search["found"])
        for search in self._searches:
            made = search["query"]
            told = [
                f"{key} {said(asked[key])}, not {said(made[key])}" for key in asked if asked[key] != made[key]
            ]
            raise OffTape(f"another search would be made: {'; '.join(told)}", unified(made, asked, "search"))
        raise OffTape("a search would be made, and none was made then")


class TapeScorer:
    """Satisfies ``router.Scorer``: the scores are the recorded ones, what they choose is decided again."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    def score(self, question: str, readers: frozenset[str], sources: tuple[str, ...] | None) -> SourceScores:
        """Return the scores. Raises ``OffTape``: none were taken, or of other sources."""
        del question, readers  # the tape is of one question
        if self._tape.scores is None:
            raise OffTape("the sources would be scored, and were not scored then")
        asked, scores, off_topic = self._tape.scores
        if asked != (None if sources is None else list(sources)):
            raise OffTape(f"other sources would be scored: {said(sources)}, not {said(asked)}")
        return decided([shapes.read_score(one) for one in scores], off_topic=off_topic)


class TapeWeigher:
    """Satisfies ``asking.Weigher`` for the hits that were weighed."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    def weigh(self, question: str, found: Found) -> Evidence:
        """Return the evidence. Raises ``OffTape``: other passages were weighed."""
        del question
        kept = self._tape.evidence
        if kept is None:
            raise OffTape("the passages would be weighed, and were not weighed then")
        chunks = [hit.chunk for hit in found.hits]
        if chunks != list(kept["chunks"]):
            told = f"{len(chunks)} passages would be weighed, not the {len(kept['chunks'])} of then"
            raise OffTape(told, unified(list(kept["chunks"]), chunks, "passages"))
        return shapes.read_evidence(kept, found)


class TapeModels:
    """Opens the tiers of the configuration; their models reply what the tape holds.

    The same prompt asked twice gets its replies in the order in which they came.
    """

    def __init__(self, tape: Tape, config: Config) -> None:
        self._tape, self._config = tape, config
        self._given: dict[tuple[str, str], Iterator[Json]] = {}

    def __call__(self, tier: str) -> tuple[Model, ...]:
        """Return the models of a tier. Raises as it was raised then."""
        failed = self._tape.tiers.get(tier)
        if failed is not None and failed["kind"] is None:
            raise ExtraMissing(failed["detail"], hint=failed["hint"])
        if failed is not None:
            raise ModelFailed(failed["kind"], failed["detail"])
        return tuple(TapeModel(entry, self._next) for entry in self._config.models[tier].try_)

    def _next(self, model: str, prompt: Prompt) -> Json:
        digest = prompt_digest(prompt)
        calls = [call for call in self._tape.calls if call["model"] == model]
        same = (call for call in calls if call["digest"] == digest)
        call = next(self._given.setdefault((model, digest), same), None)
        if call is not None:
            return call
        if not calls:
            raise OffTape(f"{model} would be asked, and was not asked then")
        asked = _prompt_lines(prompt.name, [[one.role, one.content] for one in prompt.messages])
        made = _prompt_lines(calls[-1]["name"], calls[-1]["messages"])
        raise OffTape(f"{model} would be asked something else", unified(made, asked, "prompt"))


def _prompt_lines(name: str, messages: list[list[str]]) -> list[str]:
    return [name, *(line for role, content in messages for line in (f"[{role}]", *content.splitlines()))]


class TapeModel:
    """Satisfies ``calls.Model``."""

    def __init__(self, entry: ModelEntry, given: Callable[[str, Prompt], Json]) -> None:
        self.name, self.local, self.max_tokens = entry.model, is_local(entry), entry.max_tokens
        self._given = given

    def ask(self, prompt: Prompt, shape: type[Shape], *, deadline: Deadline) -> Reply[Shape]:
        """Return the reply, or raise the failure, of then. Raises ``OffTape``."""
        del deadline
        call = self._given(self.name, prompt)
        if "failed" in call:
            failed = call["failed"]
            raise ModelFailed(
                failed["kind"],
                failed["detail"],
                then=failed["then"],
                spent=(failed["cost_usd"], failed["tokens"]),
            )
        reply = dict(call["reply"])
        try:
            value = shape.model_validate_json(json.dumps(reply.pop("value")))
        except ValidationError as error:
            raise OffTape(f"the reply of {self.name} has not the shape of today: {error}") from error
        return Reply(value, **reply)

    def estimate(self, prompt: Prompt) -> Estimate:
        """Say that it costs nothing."""
        return Estimate(self.name, prices.count_prompt(prompt.messages), self.max_tokens, 0.0)

    def count(self, text: str) -> int:
        """Return what the model itself counts."""
        return prices.count(text)


class TapeEntailment:
    """Satisfies ``evals.entailment.Entailment``: scores of then, bounds of today."""

    def __init__(self, tape: Tape, entails: float, contradicts: float) -> None:
        self.entails, self.contradicts = entails, contradicts
        self._known = {(premise, hypothesis): scores for premise, hypothesis, *scores in tape.inferences}

    def infer(self, premise: str, hypothesis: str) -> Inference:
        """Return the scores. Raises ``OffTape``: the pair was not asked about."""
        scores = self._known.get((premise, hypothesis))
        if scores is None:
            raise OffTape(f"whether a claim follows would be asked, and was not: {said(hypothesis)}")
        return Inference(*scores)


def _timer(tape: Tape) -> Callable[[float], Deadline]:
    said_over = iter(tape.over)
    return lambda _: _Timer(said_over)


class _Timer(Deadline):
    def __init__(self, over: Iterator[bool]) -> None:
        super().__init__(_NO_TIME)
        self._over = over

    @property
    def over(self) -> bool:
        return next(self._over, False)
