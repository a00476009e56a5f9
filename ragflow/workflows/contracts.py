"""The values that pass between a run, its tools, its approvals and its record; the parts that make them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from ragflow.errors import RagflowError
from ragflow.steps import Step

Json = Any  # None, bool, int, float, str, and lists and string-keyed dicts of them
Object = Mapping[str, Any]
Effect = Literal["read", "write"]
Kind = Literal["step", "ask", "search", "route", "fetch", "model", "tool", "policy", "approval", "clock"]


class Suspended(BaseException):
    """A run leaves its process until a person has decided. No ``Exception``: nothing on the way catches it.

    ``approval`` is what it waits for, ``wake`` when it goes on in any case.
    """

    def __init__(self, approval: str, wake: datetime) -> None:
        super().__init__(approval)
        self.approval, self.wake = approval, wake


class Abandoned(BaseException):
    """This execution of a run ends here, and nothing of its step is kept; ``error`` tells the user why.

    Another process owns the run by now, or the database cannot note what happens. Who executes the run next
    does the step again. No ``Exception``: kept as a result, it would be the next execution's truth too.
    """

    def __init__(self, error: RagflowError) -> None:
        super().__init__(str(error))
        self.error = error


class Steps(Protocol):
    """Does each thing of a run once, and remembers what came of it.

    Laws:

    - ``take`` does ``work`` and gives what it gave; in a later execution of the same run it gives the same
      again without doing it, provided that the steps before were the same;
    - a step whose process died before its result was kept is done again: ``work`` must bear that;
    - an ``Exception`` of ``work`` is kept and raised again like a result; ``Suspended`` and ``Abandoned`` are
      not kept;
    - what ``work`` gives is JSON, and is given back as JSON would read it.

    ``name`` says what is done, in few words; ``work`` notes input, cost and tokens in the ``Step`` it gets.
    ``next`` is the number that the next step will have, from 0: the same in every execution.
    """

    @property
    def next(self) -> int: ...

    def take(self, name: str, work: Callable[[Step], Json], *, kind: Kind = "step") -> Json: ...


@dataclass(frozen=True, slots=True)
class Caller:
    """On whose behalf something is called.

    ``actor``: the user. ``readers``: whose documents may be read. ``roles``: the actor's principals, of
    which a tool wants one. ``role`` narrows an agent to the tools of that one. ``run``, ``workflow``: where
    from. ``executor``, ``fence``: who owns the run, compared when an effect is claimed.
    """

    actor: str
    readers: tuple[str, ...]
    roles: tuple[str, ...]
    run: str
    workflow: str
    executor: str = ""
    fence: int = 0
    role: str | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """One exact call that policy has let through, before anybody is asked.

    ``arguments`` are validated and as JSON reads them, ``call`` names the call within its run, ``policy`` is
    the digest of the rules that let it through. ``key``: the idempotency key, of run, call and arguments.
    """

    tool: str
    effect: Effect
    arguments: Object
    call: str
    policy: str
    key: str

    def to_json(self) -> dict[str, Any]:
        return {
            "tool": self.tool,
            "effect": self.effect,
            "arguments": dict(self.arguments),
            "call": self.call,
            "policy": self.policy,
            "key": self.key,
        }


@dataclass(frozen=True, slots=True)
class About:
    """What an action rests on: the newest answer of the run, as ``ragflow.ask/1``; None where there is none.

    ``route``: the name of the rule that routed the run's question.
    """

    answer: Object | None = None
    route: str | None = None
    confidence: float | None = None
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class Need:
    """A person must agree: one of ``approvers``, by ``four_eyes`` not the actor, within ``seconds``.

    ``rule``: which rule of ``approvals`` says so, counted from 0; None where none does and a write waits.
    """

    approvers: tuple[str, ...]
    four_eyes: bool
    seconds: float
    rule: int | None = None


Decided = Literal["approved", "revised", "rejected", "expired", "outdated"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a request. ``arguments``: those to go on with, changed where it was revised.

    ``outdated``: the rules are not those under which it was asked, and it must be asked anew.
    """

    approval: str
    status: Decided
    arguments: Object
    by: str | None = None
    comment: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "approval": self.approval,
            "status": self.status,
            "arguments": dict(self.arguments),
            "by": self.by,
            "comment": self.comment,
        }


@dataclass(frozen=True, slots=True)
class Request:
    """What a person is asked. ``kind``: an action, a gate of the workflow's own, or an unsettled effect."""

    kind: Literal["action", "gate", "unsettled"]
    action: Action
    need: Need
    caller: Caller
    about: About
    note: str = ""


class Gate(Protocol):
    """Knows which actions wait for whom, asks, and tells what was decided.

    Laws:

    - ``need`` is pure: the same action, caller and rules give the same; a write that no rule names waits for
      nobody only where a rule says ``skip``;
    - ``open`` twice with the same run, call, kind and digest is once, and gives the same id;
    - ``decision`` is None only while the request is pending and has not expired;
    - a decision, once given, never changes.
    """

    def need(self, action: Action, caller: Caller, about: About) -> Need | None: ...

    def open(self, request: Request) -> str: ...

    def decision(self, approval: str) -> Decision | None: ...

    def expires(self, approval: str) -> datetime: ...

    def executed(self, approval: str, *, settled: bool) -> None:
        """Note that the approved action was done, or that nobody knows whether it was."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A tool as an agent may know it. ``schema``: JSON Schema of its arguments."""

    name: str
    description: str
    effect: Effect
    schema: Object


class Calls(Protocol):
    """Calls tools under policy: what ``Flow.tool`` and an agent use."""

    def offers(self, caller: Caller) -> tuple[Offer, ...]:
        """Return the tools that this caller may call, by name."""

    def call(self, tool: str, arguments: Object, *, steps: Steps, caller: Caller, about: About) -> Json:
        """Check, ask where a person must agree, do, and return the validated, redacted result.

        Raises:
            ToolRefused: policy says no: not listed, no role, arguments that do not fit, rate, budget.
            NotApproved: a person rejected it, or nobody decided in time.
            ToolFailed: it was tried and failed, or what it gave is no result.
            Unsettled: nobody can tell whether it happened, and a person said to leave it.
            Suspended: a person is being asked.
        """


class Reading(Protocol):
    """What a run may read, as its readers may. Values are the JSON objects of docs/cli.md."""

    def ask(self, question: str, caller: Caller, *, tier: str | None = None) -> tuple[Object, Object | None]:
        """Return ``ragflow.ask/1`` with what ``--explain`` adds, and the tape that replays it."""

    def search(self, question: str, caller: Caller, *, k: int | None = None) -> Object:
        """Return ``ragflow.search/1``."""

    def route(self, question: str, caller: Caller) -> Object:
        """Return ``ragflow.route/1``."""

    def fetch(self, document: str, caller: Caller) -> Object:
        """Return document, revision, title and text. Raises ``NotFound``."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How far an agent may go. ``cost_usd`` counts what is known of prices; ``tokens`` of all its calls."""

    steps: int = 10
    seconds: float = 120.0
    tokens: int = 20_000
    cost_usd: float = 0.10


Ending = Literal["done", "no_answer", "limit", "refused", "failed", "no_model"]


@dataclass(frozen=True, slots=True)
class Ended:
    """How an agent ended. ``text``: its last word; ``limit``: which one; ``calls``: tools that it called."""

    outcome: Ending
    text: str = ""
    limit: Literal["steps", "seconds", "tokens", "cost"] | None = None
    detail: str = ""
    calls: tuple[Object, ...] = ()
    cost_usd: float = 0.0
    tokens: int = 0
    citations: tuple[Object, ...] = field(default_factory=tuple)

    def to_json(self) -> dict[str, Any]:
        return {
            "outcome": self.outcome,
            "text": self.text,
            "limit": self.limit,
            "detail": self.detail,
            "calls": [dict(one) for one in self.calls],
            "cost_usd": self.cost_usd,
            "tokens": self.tokens,
            "citations": [dict(one) for one in self.citations],
        }


class Agent(Protocol):
    """Works on a task with tools until it is done or a limit is reached."""

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
    ) -> Ended: ...
