"""One question to the models of a tier, one step of a run: which tool next, or what is the last word."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from ragflow.agents.choices import Choice, choice_shape, meant
from ragflow.agents.leaves import changed
from ragflow.agents.spending import Limit, Spent
from ragflow.agents.wording import View, compose, showing
from ragflow.assembling import hidden_from
from ragflow.complaints import near
from ragflow.config import Config
from ragflow.deadlines import Deadline
from ragflow.errors import ExtraMissing
from ragflow.masking import unmask
from ragflow.models import replies
from ragflow.models.calls import Message, Model, ModelFailed, Prompt
from ragflow.records import canonical
from ragflow.redact import redact
from ragflow.steps import Step
from ragflow.workflows.contracts import Json, Limits, Object, Offer

MAX_ARGUMENTS = 20_000  # characters of them as JSON
MAX_NAME = 100
Models = Callable[[str], Sequence[Model]]
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a model gave no choice; ``kind`` is a ``calls.Failure``."""

    model: str
    kind: str
    detail: str


@dataclass(slots=True)
class _Asked:
    """What one step came to so far, over all models that were asked in it. ``began``: the clock's seconds."""

    spent: Spent
    limits: Limits
    began: float
    model: str | None = None
    prompt: str | None = None
    choice: Object | None = None
    limit: Limit | None = None
    stopped: bool = False
    failures: list[Failure] = field(default_factory=list)
    tokens: int = 0
    usd: float = 0.0
    tries: int = 0

    def book(self, tokens: int, usd: float, tries: int = 1) -> None:
        self.tokens, self.usd, self.tries = self.tokens + tokens, self.usd + usd, self.tries + tries
        self.spent = self.spent.plus(tokens=tokens, usd=usd)

    def deadline(self, clock: Clock) -> Deadline:
        left = self.spent.seconds_left(self.limits) - (clock() - self.began)
        return Deadline(max(0.0, left), clock=clock)


@dataclass(frozen=True, slots=True)
class Questioner:
    """Asks the models of a tier in their order, each only where the limits leave room for its worst case."""

    config: Config
    models: Models
    clock: Clock

    def ask(self, step: Step, view: View, spent: Spent, limits: Limits, tier: str | None) -> dict[str, Json]:
        """Return the step's value: the choice, or why there is none; what it cost, and how many ms it took.

        ``model`` None: nobody was asked. Nothing in it is what ``runs.redact`` names.

        Raises:
            ConfigError: the prompt file is not usable.
        """
        asked = _Asked(spent, limits, self.clock(), limit=spent.over(limits))
        models, asked.failures = self._opened(tier)
        for model in () if asked.limit else models:
            self._one(model, step, view, asked, str(tier))
            if asked.choice is not None or asked.stopped:
                break
        step.cost_usd, step.tokens, step.tries = asked.usd, asked.tokens, asked.tries
        failures = [{"model": one.model, "kind": one.kind, "detail": one.detail} for one in asked.failures]
        return {
            "tier": tier,
            "model": asked.model,
            "prompt": asked.prompt,
            "choice": asked.choice,
            "limit": asked.limit if asked.choice is None else None,
            "failures": failures,
            "cost_usd": asked.usd,
            "tokens": asked.tokens,
            "ms": round((self.clock() - asked.began) * 1000, 3),
        }

    def _one(self, model: Model, step: Step, view: View, asked: _Asked, tier: str) -> None:
        how = showing(self.config, tier, hidden_from(model, self.config), model.count)
        prompt, table = compose(view, how)
        shape, deadline = choice_shape(view.offers), asked.deadline(self.clock)
        room = asked.spent.lacks(*_worst(model, prompt, shape), asked.limits)
        over: Limit | None = "seconds" if deadline.over else room
        if over is not None:
            asked.limit = over
            return  # the next model may be a cheaper one
        asked.model, asked.prompt = model.name, how.prompt.digest
        step.input = [[one.role, one.content] for one in prompt.messages]
        try:
            reply = model.ask(prompt, shape, deadline=deadline)
        except ModelFailed as failed:
            asked.book(failed.tokens, failed.cost_usd)
            asked.failures.append(Failure(model.name, failed.kind, failed.detail))
            asked.stopped = failed.then == "extractive"
            asked.limit = "seconds" if deadline.over else asked.limit
            return
        asked.book(reply.tokens_in + reply.tokens_out, reply.cost_usd, reply.tries)
        try:
            choice = Choice.model_validate(reply.value.model_dump(warnings=False))
        except ValidationError:  # a model behind another client may ignore the shape
            asked.failures.append(Failure(model.name, "bad_json", "the reply is not of the asked shape"))
            return
        said = changed(choice.model_dump(), lambda text: unmask(text, table))
        try:
            asked.choice = self._kept(said, view.offers)
        except ValueError:  # 1e999 is infinite to a reader, and no JSON
            asked.failures.append(Failure(model.name, "bad_json", "a number of the reply is infinite"))

    def _kept(self, said: dict[str, Any], offers: Sequence[Offer]) -> Object:
        """Return a choice as it goes into the record: one of its two sides, of bounded size, redacted."""
        hide = self.config.runs.redact
        said = changed(said, lambda text: redact(text, hide))
        if not said["tool"]:
            return {"answer": said["answer"].strip(), "citations": said["citations"] or []}
        tool, arguments, size = said["tool"], said["arguments"] or {}, len(canonical(said["arguments"] or {}))
        if size > MAX_ARGUMENTS:
            return {"tool": tool[:MAX_NAME], "arguments": {}, "size": size}
        for offer in offers:
            if offer.name == tool:
                arguments = meant(arguments, offer.schema)
        return {"tool": tool[:MAX_NAME], "arguments": arguments}

    def _opened(self, tier: str | None) -> tuple[Sequence[Model], list[Failure]]:
        """Return the tier's models; none, and why, where there are none that can be asked."""
        configured = self.config.models
        if tier is None:
            return (), [Failure("", "no_tier", "no tier is named: set answer.tier, or the agent's own tier")]
        if tier not in configured:
            said = f'no tier "{tier}" is configured under models{near(tier, tuple(configured))}'
            return (), [Failure("", "no_tier", said)]
        try:
            return self.models(tier), []
        except ModelFailed as failed:
            return (), [Failure(entry.model, failed.kind, failed.detail) for entry in configured[tier].try_]
        except ExtraMissing as absent:
            said = f"{absent}: {absent.hint}"
            return (), [Failure(entry.model, "not_installed", said) for entry in configured[tier].try_]


def _worst(model: Model, prompt: Prompt, shape: type[Choice]) -> tuple[int, float | None]:
    """Return the tokens and US dollars that asking once takes at most; the schema is sent along."""
    told = Message("system", canonical(replies.schema(shape)))
    estimate = model.estimate(Prompt((*prompt.messages, told), prompt.name))
    return estimate.tokens_in + estimate.tokens_out, estimate.usd
