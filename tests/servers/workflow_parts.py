"""Plain parts for workflows under test: each satisfies a protocol of ``ragflow.workflows.contracts``.

They keep in memory what durable parts keep in a database, so that a run can be cut anywhere and executed
again: give its ``World`` to a new ``flow``. What happened outside is in ``World.done``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ragflow.records import sha256
from ragflow.steps import Step
from ragflow.workflows.contracts import About, Action, Caller, Decision, Ended, Limits, Need, Offer, Request
from ragflow.workflows.declaring import Workflow
from ragflow.workflows.errors import ToolFailed
from ragflow.workflows.flow import Flow, Means, decided
from ragflow.workflows.remembering import RememberedSteps

MIA = Caller("user:mia", ("everyone",), ("user:mia", "group:desk", "everyone"), "r-test", "w")
NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)


class Cut(BaseException):
    """The process died here. No Exception: nothing of the run hears of it."""


@dataclass
class CutSteps(RememberedSteps):
    """Remembered steps that end the process at step number ``at``: before its work, or after it, unkept."""

    at: int = -1
    after: bool = False

    def take(self, name: str, work: Callable[[Step], Any], *, kind: str = "step") -> Any:
        if self.next == self.at and self.next == len(self.kept):
            if self.after:
                work(Step())
            raise Cut
        return super().take(name, work, kind=kind)


@dataclass
class MemoryGate:
    """Asks whom ``ask`` says, and keeps what ``decide`` told it."""

    ask: Callable[[Action], Need | None] = lambda _: None
    requests: dict[str, Request] = field(default_factory=dict)
    decisions: dict[str, Decision] = field(default_factory=dict)
    opened: int = 0

    def need(self, action: Action, caller: Caller, about: About) -> Need | None:
        return self.ask(action)

    def open(self, request: Request) -> str:
        approval = f"a-{request.action.key[:6]}"
        self.opened += approval not in self.requests
        self.requests.setdefault(approval, request)
        return approval

    def decide(self, status: str, by: str = "user:noor", **changed: Any) -> None:
        """Decide the one request that is open."""
        (approval,) = self.requests.keys() - self.decisions.keys()
        arguments = {**self.requests[approval].action.arguments, **changed}
        self.decisions[approval] = Decision(approval, status, arguments, by)  # type: ignore[arg-type]

    def decision(self, approval: str) -> Decision | None:
        return self.decisions.get(approval)

    def expires(self, approval: str) -> datetime:
        return NOON + timedelta(seconds=self.requests[approval].need.seconds)

    def executed(self, approval: str, *, settled: bool) -> None:
        pass


@dataclass
class MemoryCalls:
    """Does a tool once a key, as a tool does that takes an idempotency key; ``done`` counts the effects."""

    tools: Mapping[str, Callable[..., Any]]
    gate: MemoryGate
    done: dict[str, tuple[str, Any]] = field(default_factory=dict)

    def offers(self, caller: Caller) -> tuple[Offer, ...]:
        return tuple(Offer(name, "", "write", {}) for name in sorted(self.tools))

    def call(self, tool: str, arguments: Mapping[str, Any], *, steps, caller: Caller, about: About) -> Any:
        call = str(steps.next)
        key = sha256([caller.run, call, tool])
        action = Action(tool, "write", dict(arguments), call, "policy", key)
        steps.take(f"policy {tool}", lambda _: action.to_json(), kind="policy")
        if (need := self.gate.need(action, caller, about)) is not None:
            decision = decided(steps, self.gate, Request("action", action, need, caller, about))
            action = replace(action, arguments=decision.arguments)

        def work(step: Step) -> Any:
            step.input = action.to_json()
            if key not in self.done:
                self.done[key] = (tool, dict(action.arguments))
            return self.tools[tool](**action.arguments)

        return steps.take(f"tool {tool}", work, kind="tool")


@dataclass
class WrittenReading:
    """Gives answers that a test wrote down. ``asked`` counts."""

    answer: Mapping[str, Any] = field(default_factory=dict)
    found: Mapping[str, Any] = field(default_factory=dict)
    routed: Mapping[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def ask(self, question: str, caller: Caller, *, tier: str | None = None) -> tuple[Any, Any]:
        self.asked.append(question)
        return dict(self.answer), None

    def search(self, question: str, caller: Caller, *, k: int | None = None) -> Any:
        return {**self.found, "hits": list(self.found["hits"])[:k]}

    def route(self, question: str, caller: Caller) -> Any:
        return dict(self.routed)

    def fetch(self, document: str, caller: Caller) -> Any:
        raise ToolFailed(f"there is no {document}")


@dataclass
class ScriptedAgent:
    """Ends as it is told, and remembers the tasks and limits it was given."""

    ended: Ended = Ended("no_model", detail="no tier of models is configured")  # noqa: RUF009 - frozen
    given: list[Any] = field(default_factory=list)

    def work(
        self, task: str, *, steps, calls, caller: Caller, about: About, limits: Limits,
        tools: Sequence[str] | None = None, tier: str | None = None,
    ) -> Ended:  # fmt: skip
        self.given.append((task, caller.role, tuple(tools or ()), limits))
        steps.take("agent", lambda _: self.ended.to_json())
        return self.ended


@dataclass
class World:
    """What outlives an execution: kept steps, requests, effects."""

    tools: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    gate: MemoryGate = field(default_factory=MemoryGate)
    reading: WrittenReading = field(default_factory=WrittenReading)
    agent: ScriptedAgent = field(default_factory=ScriptedAgent)
    workflows: Mapping[str, Workflow] = field(default_factory=dict)
    kept: list[Any] = field(default_factory=list)
    clock: Callable[[], datetime] = lambda: NOON
    calls: MemoryCalls = field(init=False)

    def __post_init__(self) -> None:
        self.calls = MemoryCalls(self.tools, self.gate)

    @property
    def done(self) -> list[tuple[str, Any]]:
        """Every effect so far, in order, as (tool, arguments)."""
        return list(self.calls.done.values())

    def flow(self, *, cut: int = -1, after: bool = False) -> Flow:
        """Return the flow of one execution of the run, which dies at step ``cut`` where that is given."""
        steps = CutSteps(self.kept, at=cut, after=after)
        parts = Means(steps, self.reading, self.calls, self.gate, self.agent, self.workflows, "p", self.clock)
        return Flow(parts, MIA)

    @property
    def names(self) -> list[str]:
        """The names of the steps that were kept."""
        return [one["name"] for one in self.kept]
