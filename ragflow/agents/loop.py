"""An agent: a model chooses tools until it has its answer, or a limit is reached. What it reads is data."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ragflow.agents.asking import Clock, Models, Questioner
from ragflow.agents.choices import without
from ragflow.agents.citing import proven
from ragflow.agents.spending import Spent
from ragflow.agents.wording import Turn, View
from ragflow.config import Config
from ragflow.records import sha256
from ragflow.steps import Step
from ragflow.workflows.contracts import (
    About,
    Caller,
    Calls,
    Ended,
    Json,
    Limits,
    Object,
    Offer,
    Steps,
)
from ragflow.workflows.errors import NotApproved, ToolFailed, ToolRefused, Unsettled

# How often a model is told of it; the next time ends the agent. ``unfit``: one after the other.
_TOLD = {"not_offered": 1, "unfit": 1, "refused": 3, "failed": 3}
_MOST_OF_DETAIL = 500
_SORT = {"rejected": "refused", "expired": "refused", "unsettled": "failed"}


@dataclass(frozen=True, slots=True)
class ConfiguredAgent:
    """Lets the models of a tier work with tools. Satisfies ``contracts.Agent``.

    Laws:

    - no tool is called that ``Calls.offers`` did not give, or that ``tools`` does not name;
    - calls of models and of tools together are never more than ``limits.steps``; nothing is called once a
      limit is reached, and no model whose worst case would pass what is left of tokens or cost;
    - what a tool gave changes neither limits nor tools, and is not in the system's message;
    - executed again with the steps that were kept, it asks no model and calls no tool a second time, and
      ends in the same way.

    ``models``: a tier's models by its name. ``clock``: seconds, on a clock that nobody sets back.
    """

    config: Config
    models: Models
    clock: Clock = time.monotonic

    def work(  # noqa: PLR0913 - each is a different thing
        self,
        task: str,
        *,
        steps: Steps,
        calls: Calls,
        caller: Caller,
        about: About,
        limits: Limits,
        tools: Sequence[str] | None = None,
        tier: str | None = None,
    ) -> Ended:
        """Work on the task. ``tier``: whose models, ``answer.tier`` unless told.

        Raises:
            ConfigError: the prompt file is not usable.
            Suspended: a person is being asked whether a tool may be called.
        """
        named = tier or self.config.answer.tier
        offers = self._offers(steps, calls, caller, tools)
        job = _Job(self.config, steps, calls, caller, limits, offers, self.clock, about)
        asked = Questioner(self.config, self.models, self.clock)
        while (over := job.spent.over(limits)) is None:
            left = (limits.steps - job.spent.steps - 1) // 2  # each with the model's word on it
            view = View(task, tuple(offers.values()), tuple(job.turns), left)
            tool_ms = job.tool_ms

            def ask(step: Step, view: View = view, tool_ms: float = tool_ms) -> Json:
                said = asked.ask(step, view, job.spent.plus(ms=tool_ms), limits, named)
                return {**said, "tool_ms": tool_ms}

            said: dict[str, Any] = steps.take("model", ask, kind="model")
            job.spent = job.spent.after(said)
            if said["limit"] is not None:
                return job.ended("limit", limit=said["limit"])
            if said["choice"] is None:
                return job.ended("no_model", detail=_unanswered(said["failures"], said["tier"]))
            ended = job.act(said["choice"])
            if ended is not None:
                return ended
        return job.ended("limit", limit=over)

    def _offers(
        self, steps: Steps, calls: Calls, caller: Caller, tools: Sequence[str] | None
    ) -> dict[str, Offer]:
        """Return the tools of this agent by name. A step: policy may be another in the next execution."""

        def look(step: Step) -> Json:
            step.input = [caller.role, None if tools is None else list(tools)]
            found = [one for one in calls.offers(caller) if tools is None or one.name in tools]
            return [
                {
                    "name": one.name,
                    "description": one.description,
                    "effect": one.effect,
                    "schema": without(one.schema, self._hidden(one.name)),
                }
                for one in found
            ]

        return {one["name"]: Offer(**one) for one in steps.take("offers", look)}

    def _hidden(self, tool: str) -> tuple[str, ...]:
        known = self.config.tools.get(tool)
        return known.redact if known else ()


@dataclass(slots=True)
class _Job:
    """One task in work. ``tool_ms``: how long the last tool took in this process; waits are no part of it."""

    config: Config
    steps: Steps
    calls: Calls
    caller: Caller
    limits: Limits
    offers: dict[str, Offer]
    clock: Clock
    about: About
    spent: Spent = field(default_factory=Spent)
    tool_ms: float = 0.0
    turns: list[Turn] = field(default_factory=list)
    _told: dict[str, int] = field(default_factory=dict)
    _closed: set[str] = field(default_factory=set)

    def act(self, choice: Object) -> Ended | None:
        """Do what the model chose. Return how the agent ended; None where the model is asked again."""
        self.tool_ms = 0.0
        if "answer" in choice:
            return self._answered(choice)
        tool, arguments = choice["tool"], choice["arguments"]
        if tool not in self.offers:
            listed = ", ".join(self.offers) or "none"
            return self._note(
                Turn(tool, arguments, "not_offered", f"there is no such tool; the tools: {listed}")
            )
        if "size" in choice:
            said = f"the arguments have {choice['size']} characters, which is too many"
            return self._note(Turn(tool, arguments, "unfit", said))
        if sha256([tool, arguments]) in self._closed:
            return self._note(Turn(tool, arguments, "refused", "this very call was turned down already"))
        over = self.spent.one_more().over(self.limits)  # nothing is done that the model could not tell of
        if over is not None:
            return self.ended("limit", limit=over)
        return self._note(self._call(tool, arguments))

    def _call(self, tool: str, arguments: Object) -> Turn:
        self.spent = self.spent.one_more()
        began = self.clock()
        try:
            result = self.calls.call(tool, arguments, steps=self.steps, caller=self.caller, about=self.about)
        except ToolRefused as error:
            turn = Turn(tool, arguments, "unfit" if error.kind == "arguments" else "refused", str(error))
        except NotApproved as error:
            turn = Turn(tool, arguments, error.status, str(error))
        except ToolFailed as error:
            turn = Turn(tool, arguments, "failed", str(error))
        except Unsettled as error:
            turn = Turn(tool, arguments, "unsettled", str(error))
        else:
            turn = Turn(tool, arguments, "done", result)
            self.about = self._rests_on(tool, result)
        if turn.outcome in ("rejected", "expired", "unsettled"):
            self._closed.add(sha256([tool, arguments]))  # no person is asked twice for one action
        self.tool_ms = round((self.clock() - began) * 1000, 3)
        return turn

    def _note(self, turn: Turn) -> Ended | None:
        """Keep a turn. It ends the agent where the model was told of its like as often as it may be."""
        self.turns.append(turn)
        sort = _SORT.get(turn.outcome, turn.outcome)
        if sort == "done":
            self._told.pop("unfit", None)
            return None
        self._told[sort] = self._told.get(sort, 0) + 1
        if self._told[sort] <= _TOLD[sort]:
            return None
        detail = f"{turn.tool}: {turn.result}"[:_MOST_OF_DETAIL]
        return self.ended("failed" if sort == "failed" else "refused", detail=detail)

    def _rests_on(self, tool: str, result: Json) -> About:
        """Return what later actions rest on: the shipped ``ask`` gives an answer, others may claim to."""
        known = self.config.tools.get(tool)
        if known is None or known.use != "ask" or not isinstance(result, dict):
            return self.about
        route = result.get("route")
        rule = route.get("rule") if isinstance(route, dict) else None
        return About(result, rule, result.get("confidence"), result.get("outcome"))

    def _answered(self, choice: Object) -> Ended:
        if not choice["answer"]:
            return self.ended("no_answer", detail="the model found no answer in what its tools gave")
        citations = proven(choice["citations"], self.turns)
        dropped = len(choice["citations"]) - len(citations)
        ended = self.ended("done", detail=f"citations left out: {dropped}" if dropped else "")
        return replace(ended, text=choice["answer"], citations=citations)

    def ended(self, outcome: Any, *, limit: Any = None, detail: str = "") -> Ended:
        """Return how it ended, with all that was called and spent."""
        if limit is not None:
            detail = f"the limit of {limit} was reached before there was an answer"
        made = tuple(
            {"tool": turn.tool, "outcome": turn.outcome, "digest": sha256(turn.arguments)}
            for turn in self.turns
        )
        return Ended(
            outcome, limit=limit, detail=detail, calls=made, cost_usd=self.spent.usd, tokens=self.spent.tokens
        )


def _unanswered(failures: Sequence[Object], tier: str | None) -> str:
    if failures and failures[0]["kind"] == "no_tier":
        return f"no model can be asked: {failures[0]['detail']}"
    said = "; ".join(f"{one['model']}: {one['kind']} ({one['detail']})" for one in failures)
    return f"no model of the tier {tier} answered: {said}"
