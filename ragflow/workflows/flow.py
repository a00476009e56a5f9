"""``Flow``: what a workflow does its work with. Everything here is a step that is done once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from ragflow.records import sha256, timestamp
from ragflow.steps import Step
from ragflow.workflows.contracts import (
    About,
    Action,
    Agent,
    Caller,
    Calls,
    Decision,
    Ended,
    Gate,
    Json,
    Limits,
    Need,
    Object,
    Reading,
    Request,
    Steps,
    Suspended,
)
from ragflow.workflows.declaring import Workflow, read_input
from ragflow.workflows.errors import NotApproved, UnknownWorkflow, WorkflowChanged
from ragflow.workflows.keeping import keeping
from ragflow.workflows.trying import ONCE, Retry, attempted


@dataclass(frozen=True, slots=True)
class Means:
    """The parts that reach outside a run: durable ones, or those of a replay."""

    steps: Steps
    reading: Reading
    calls: Calls
    gate: Gate
    agent: Agent
    workflows: Mapping[str, Workflow] = field(default_factory=dict)
    policy: str = ""
    clock: Callable[[], datetime] = datetime.now


class Flow:
    """The steps of one run. A workflow gets one and does through it all that must happen once.

    A step's result is JSON. After a crash the workflow's function is executed again from its beginning, and
    what was done already is not done again: its result is given back.
    """

    def __init__(self, means: Means, caller: Caller) -> None:
        self._means = means
        self._caller = caller
        self._about = About()

    @property
    def run(self) -> str:
        """The id of the run; DBOS knows the workflow by it too."""
        return self._caller.run

    @property
    def actor(self) -> str:
        """The user for whom the run works."""
        return self._caller.actor

    # -- anything --------------------------------------------------------------------------------

    def step(
        self,
        name: str,
        function: Callable[..., Json],
        *arguments: Json,
        timeout: float = 60.0,
        retry: Retry = ONCE,
        fallback: Callable[..., Json] | None = None,
    ) -> Json:
        """Do something once: ``function(*arguments)``, which gives JSON.

        ``timeout``: seconds of one try. ``retry``: which errors are tried again, how often, after what pause.
        ``fallback``: called with the same arguments, as a step of its own, where all tries failed; without
        one the last error is raised.

        Raises:
            WorkflowFailed: the function gave what is no JSON.
            StepTimedOut: each try took too long.
        """

        def work(step: Step) -> Json:
            step.input = [name, list(arguments)]
            return attempted(lambda: function(*arguments), step, retry=retry, timeout=timeout, name=name)

        if fallback is None:
            return self._means.steps.take(name, work)
        try:
            return self._means.steps.take(name, work)
        except Exception:  # noqa: BLE001 - whatever it was is in the record, and the fallback stands for it
            return self.step(f"{name}.fallback", fallback, *arguments, timeout=timeout)

    def now(self) -> datetime:
        """Return the time of day, UTC: in every execution the one of the first."""
        told = self._means.steps.take("now", lambda _: timestamp(self._means.clock()), kind="clock")
        return datetime.fromisoformat(told)

    # -- reading ---------------------------------------------------------------------------------

    def ask(self, question: str, *, tier: str | None = None) -> dict[str, Any]:
        """Ask the index and return ``ragflow.ask/1``. Later actions of the run rest on this answer."""

        def work(step: Step) -> Json:
            step.input = question
            answer, tape = self._means.reading.ask(question, self._caller, tier=tier)
            spent = answer.get("spent", {})
            step.cost_usd, step.tokens = spent.get("cost_usd", 0.0), spent.get("tokens", 0)
            return {"answer": answer, "tape": tape}

        answer: dict[str, Any] = self._means.steps.take("ask", work, kind="ask")["answer"]
        self._about = About(answer, answer["route"]["rule"], answer["confidence"], answer["outcome"])
        return answer

    def search(self, question: str, *, k: int | None = None) -> dict[str, Any]:
        """Search the index and return ``ragflow.search/1``."""

        def work(step: Step) -> Json:
            step.input = [question, k]
            return dict(self._means.reading.search(question, self._caller, k=k))

        found: dict[str, Any] = self._means.steps.take("search", work, kind="search")
        return found

    def route(self, question: str) -> dict[str, Any]:
        """Return where a question goes, and why: ``ragflow.route/1``."""

        def work(step: Step) -> Json:
            step.input = question
            return dict(self._means.reading.route(question, self._caller))

        routed: dict[str, Any] = self._means.steps.take("route", work, kind="route")
        return routed

    # -- acting ----------------------------------------------------------------------------------

    def tool(self, name: str, **arguments: Json) -> Json:
        """Call a tool under policy and return its result; a person may be asked before.

        Raises ``ToolRefused``, ``NotApproved``, ``ToolFailed``, ``Unsettled``.
        """
        means = self._means
        return means.calls.call(name, arguments, steps=means.steps, caller=self._caller, about=self._about)

    def approve(
        self,
        what: str,
        details: Object,
        *,
        approvers: Sequence[str],
        expires: timedelta,
        four_eyes: bool = True,
    ) -> dict[str, Any]:
        """Wait until a person agrees to something that no tool does; return the details as they were agreed.

        Raises ``NotApproved``: it was rejected, or nobody decided in time.
        """
        if isinstance(approvers, str) or not approvers:
            raise TypeError("approvers of flow.approve is a list of who may agree, like ['group:leads']")
        if not isinstance(expires, timedelta):
            raise TypeError("expires of flow.approve is a timedelta, like timedelta(hours=72)")
        call = str(self._means.steps.next)
        shown = dict(details)
        key = sha256([self.run, call, what, shown])[:32]
        action = Action(what, "write", shown, call, self._means.policy, key)
        need = Need(tuple(approvers), four_eyes, expires.total_seconds())
        request = Request("gate", action, need, self._caller, self._about)
        decision = decided(self._means.steps, self._means.gate, request)
        return dict(decision.arguments)

    def agent(
        self,
        task: str,
        *,
        role: str | None = None,
        tools: Sequence[str] | None = None,
        limits: Limits = Limits(),  # noqa: B008 - a frozen value
        tier: str | None = None,
    ) -> Ended:
        """Let a model work on a task with the tools of a role, within limits; None: of any of the actor's."""
        means = self._means
        caller = replace(self._caller, role=role)
        return means.agent.work(
            task, steps=means.steps, calls=means.calls, caller=caller, about=self._about,
            limits=limits, tools=tools, tier=tier,
        )  # fmt: skip

    def go(self, name: str, given: Object) -> Json:
        """Go on with another workflow, as part of this run; its source is held like the run's own.

        Raises:
            UnknownWorkflow: there is none of that name.
            InputUnfit: it does not take this.
            WorkflowChanged: its source is not what it was when the run came here first.
        """
        found = self._means.workflows.get(name)
        if found is None:
            raise UnknownWorkflow(f'there is no workflow "{name}"')
        held = self._means.steps.take(f"workflow {name}", lambda _: found.digest)
        if held != found.digest:
            raise changed(name, held, found.digest)
        return found.function(self, read_input(found, dict(given)))


def changed(name: str, then: str, now: str) -> WorkflowChanged:
    """Return the error of a workflow whose source is another one than when the run began."""
    return WorkflowChanged(f"the source of the workflow {name} has changed: it was {then}, it is {now}")


def decided(steps: Steps, gate: Gate, request: Request) -> Decision:
    """Ask a person and return what was decided: approved, or revised. Two steps: the request, the decision.

    The steps' results tell the whole of it, so that a record needs no other table: what was asked, of whom
    and until when; what was decided, by whom, and with which arguments the run goes on.

    Raises:
        Suspended: nobody has decided yet; the next execution looks again.
        NotApproved: it was rejected, or has expired.
    """
    action, need = request.action, request.need

    def ask(step: Step) -> Json:
        step.input = action.to_json()
        with keeping():
            opened = gate.open(request)
        return {
            "approval": opened,
            "kind": request.kind,
            "arguments": dict(action.arguments),
            "approvers": list(need.approvers),
            "four_eyes": need.four_eyes,
            "expires": timestamp(gate.expires(opened)),
        }

    approval: str = steps.take(f"request {action.tool}", ask, kind="approval")["approval"]

    def look(step: Step) -> Json:
        step.input = approval
        with keeping():
            found = gate.decision(approval)
            if found is None:
                raise Suspended(approval, gate.expires(approval))
        return found.to_json()

    told = steps.take(f"decision {action.tool}", look, kind="approval")
    decision = Decision(**told)
    if decision.status in ("rejected", "expired"):
        by = f" by {decision.by}" if decision.by else ""
        why = f": {decision.comment}" if decision.comment else ""
        expired = decision.status == "expired"
        said = (
            f"nobody decided on {action.tool} in time" if expired else f"{action.tool} was rejected{by}{why}"
        )
        raise NotApproved(
            f"{said} ({approval})",
            status="expired" if expired else "rejected",
            hint=f"ragflow approvals show {approval}; ragflow runs retry RUN asks anew",
        )
    return decision
