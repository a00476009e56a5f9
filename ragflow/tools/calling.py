"""``PolicedCalls``: a tool's call, step by step: policy, a person where one must agree, the tool itself.

Everything that reaches outside is inside a step. Between steps only what steps gave is looked at, so that
every execution of a run goes the same way.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from ragflow.steps import Step
from ragflow.tools.declared import State
from ragflow.tools.effects import Claim, Effects, Ending
from ragflow.tools.toolbox import Toolbox
from ragflow.workflows.contracts import (
    About,
    Action,
    Caller,
    Decision,
    Gate,
    Json,
    Need,
    Object,
    Offer,
    Request,
    Steps,
)
from ragflow.workflows.errors import NotApproved, ToolFailed, ToolRefused, Unsettled
from ragflow.workflows.flow import decided
from ragflow.workflows.keeping import keeping

Settled = Literal["asked", "missed", "repeated"]
"""Asked, it had been done; asked, it had not and was done then; done again with the same key, unasked."""
UNSETTLED_SECONDS = 72 * 3600.0  # for which a person is asked where no rule says how long


@dataclass(slots=True)
class _Call:
    """One call on its way. ``given``: as the workflow made it; ``wanted``: as a person changed it.

    ``agreed``: whom the last decision was asked of, and what it was. ``repeats``: how often a person had it
    done again; ``asked``: how often people were asked.
    """

    tool: str
    given: Object
    steps: Steps
    caller: Caller
    about: About
    name: str
    action: Action | None = None
    wanted: Object | None = None
    agreed: "tuple[Need, Decision] | None" = None
    repeats: int = 0
    asked: int = 0

    @property
    def approval(self) -> str | None:
        return None if self.agreed is None else self.agreed[1].approval


class PolicedCalls:
    """Satisfies ``contracts.Calls``. ``sleep``: waits until a tool that was asked can know."""

    def __init__(
        self,
        toolbox: Toolbox,
        gate: Gate,
        effects: Effects,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._toolbox, self._gate, self._effects, self._sleep = toolbox, gate, effects, sleep

    def offers(self, caller: Caller) -> tuple[Offer, ...]:
        """Return the tools that this caller may call, by name."""
        return self._toolbox.offers(caller)

    def call(self, tool: str, arguments: Object, *, steps: Steps, caller: Caller, about: About) -> Json:
        """Check, ask where a person must agree, do, and return the result. See ``contracts.Calls``."""
        call = _Call(tool, arguments, steps, caller, about, str(steps.next))
        while True:
            action, need = self._policy(call)
            if need is not None and not _agreed(need, call):
                self._ask(call, action, need)
                if call.wanted is not None or call.agreed is None:
                    continue  # what a person put in place, or other rules, are looked at like a new call
            done = self._tool(call, action)
            if "result" in done:
                return done["result"]
            if "unsettled" in done:
                self._unsettled(call, action, need, done["unsettled"])
            else:  # the rules are not those that let it through
                call.agreed = None

    # -- policy ----------------------------------------------------------------------------------

    def _policy(self, call: _Call) -> tuple[Action, Need | None]:
        before, wanted = call.action, call.wanted

        def work(step: Step) -> Json:
            step.input = call.tool
            with keeping():
                arguments = call.given
                try:
                    if before is not None and self._toolbox.has(call.tool):
                        arguments = self._toolbox.filled(before, call.given, wanted)
                    action = self._toolbox.check(call.tool, arguments, call.caller, call.name)
                    step.input = action.to_json()
                    need = self._need(action, call)
                except ToolRefused:  # what it counted for when it was looked at first, too
                    self._toolbox.release(call.name, call.caller)
                    raise
            return {"action": action.to_json(), "need": None if need is None else _need_json(need)}

        told = call.steps.take(f"policy {call.tool}", work, kind="policy")
        call.action, call.wanted = Action(**told["action"]), None
        need = told["need"]
        return call.action, None if need is None else Need(**{**need, "approvers": tuple(need["approvers"])})

    def _need(self, action: Action, call: _Call) -> Need | None:
        need = self._gate.need(action, call.caller, call.about)
        if need is not None and not need.approvers:
            raise ToolRefused(f'nobody may approve "{call.tool}": no approver, no action', kind="no_approver")
        return need

    def _ask(self, call: _Call, action: Action, need: Need) -> None:
        # Each time that somebody is asked is a request of its own: revised back is not the first again.
        named = action if not call.asked else replace(action, call=f"{action.call}+{call.asked}")
        call.asked += 1
        request = Request("action", named, need, call.caller, call.about)
        try:
            decision = decided(call.steps, self._gate, request)
        except NotApproved:
            call.steps.take(
                f"release {call.tool}", lambda _: self._released(action.call, call.caller), kind="policy"
            )
            raise
        call.agreed = None if decision.status == "outdated" else (need, decision)
        if decision.status == "revised":
            call.wanted = decision.arguments

    def _released(self, call: str, caller: Caller) -> None:
        with keeping():
            self._toolbox.release(call, caller)

    # -- the tool itself -------------------------------------------------------------------------

    def _tool(self, call: _Call, action: Action) -> dict[str, Any]:
        """Return ``result``, or ``unsettled`` with why, or ``policy`` where that has changed since."""
        key = action.key if not call.repeats else f"{action.key}.{call.repeats}"

        def work(step: Step) -> Json:
            step.input = action.to_json()
            if self._toolbox.policy != action.policy and self._effects.state(key) is None:
                step.status = "policy_changed"
                return {"policy": self._toolbox.policy}
            if not self._toolbox.has(action.tool):
                return {"unsettled": "the tool is not listed any more"}
            real = replace(action, arguments=self._toolbox.filled(action, call.given))
            if action.effect == "read":
                done: dict[str, Any] = {"result": self._toolbox.attempt(real, call.caller, step)}
            else:
                effect = _Effect(self._toolbox, self._effects, real, call.caller, self._sleep)
                try:
                    done = effect.once(key, step, again=call.repeats > 0)
                except ToolFailed as error:
                    if error.happened is False:
                        self._released(action.call, call.caller)
                    else:
                        self._executed(call, settled=True)
                    raise
            self._executed(call, settled="result" in done)
            step.status = "ok" if "result" in done else "unsettled"
            return done

        told: dict[str, Any] = call.steps.take(f"tool {call.tool}", work, kind="tool")
        return told

    def _executed(self, call: _Call, *, settled: bool) -> None:
        if call.approval is not None:
            with keeping():
                self._gate.executed(call.approval, settled=settled)

    def _unsettled(self, call: _Call, action: Action, need: Need | None, why: str) -> None:
        """Put it before a person: to approve is to do it again, to reject is to leave it."""
        call.repeats += 1
        # Asked about each repetition anew: the decision on one is none on the next.
        asked = replace(action, call=f"{action.call}.{call.repeats}")
        who = need or Need((call.caller.actor,), four_eyes=False, seconds=UNSETTLED_SECONDS)
        request = Request("unsettled", asked, who, call.caller, call.about, note=why)
        try:
            decision = decided(call.steps, self._gate, request)
        except NotApproved as error:
            raise Unsettled(f"nobody knows whether {action.tool} was done: {why}; {error}") from error
        call.agreed = (who, decision)
        if decision.status == "revised":
            call.wanted = decision.arguments


@dataclass(frozen=True, slots=True)
class _Effect:
    """Does one write at most once; exactly once where the tool takes a key or can be asked."""

    toolbox: Toolbox
    effects: Effects
    action: Action
    caller: Caller
    sleep: Callable[[float], None]

    def once(self, key: str, step: Step, *, again: bool) -> dict[str, Any]:
        """Claim, execute, settle. Return ``result``, or ``unsettled`` with why. Raises ``ToolFailed``.

        ``settled`` says beside the result how it was come by, where that was not by doing it the first time.

        ``again``: a person had it repeated, though it may have happened before.
        """
        claim = self.effects.claim(key, self.action, self.caller)
        if claim.state in ("settled", "failed"):
            return _kept(claim)
        if claim.state == "unsettled":
            return {"unsettled": claim.outcome["unsettled"]}
        how: Settled | None = None
        if claim.state == "claimed" or again:
            known = self._asked(0.0 if self._keyed else max(0.0, self._patience - claim.age))
            if known.known == "done":
                return self._settled(key, known.result, "asked")
            if known.known == "unknown" and claim.state == "claimed" and not self._keyed:
                return self._left(key, "the process ended while it was being done")
            if known.known == "not_done":
                how = "missed"
            elif claim.state == "claimed":
                how = "repeated"
        try:
            result = self.toolbox.attempt(self.action, self.caller, step)
        except ToolRefused as error:
            self.effects.end(
                key, self.caller, "failed", {"error": _told(ToolFailed(str(error), happened=False))}
            )
            raise
        except ToolFailed as error:
            return self._failed(key, error)
        return self._settled(key, result, how)

    @property
    def _keyed(self) -> bool:
        return self.toolbox.takes_key(self.action.tool)

    @property
    def _patience(self) -> float:
        return self.toolbox.patience(self.action.tool)

    def _failed(self, key: str, error: ToolFailed) -> dict[str, Any]:
        if error.happened is None:
            known = self._asked(self._patience)
            if known.known == "done":
                return self._settled(key, known.result, "asked")
            # What was left behind may still come to its end.
            late = error.kind == "time_out" and self.toolbox.lingers(self.action.tool)
            if known.known == "unknown" or late:
                return self._left(key, str(error))
            error.happened = False
        ending: Ending = "settled" if error.happened else "failed"
        self.effects.end(key, self.caller, ending, {"error": _told(error)})
        raise error

    def _asked(self, wait: float) -> State:
        """Ask the tool; once more after ``wait`` seconds where it says ``not_done`` and may be too early."""
        known = self.toolbox.state(self.action)
        if known.known == "not_done" and wait:
            self.sleep(wait)
            known = self.toolbox.state(self.action)
        return known

    def _settled(self, key: str, result: Json, how: Settled | None) -> dict[str, Any]:
        outcome = {"result": result} if how is None else {"result": result, "settled": how}
        self.effects.end(key, self.caller, "settled", outcome)
        return outcome

    def _left(self, key: str, why: str) -> dict[str, Any]:
        self.effects.end(key, self.caller, "unsettled", {"unsettled": why})
        return {"unsettled": why}


def _kept(claim: Claim) -> dict[str, Any]:
    if "error" in claim.outcome:
        raise ToolFailed(**claim.outcome["error"])
    return dict(claim.outcome)


def _told(error: ToolFailed) -> dict[str, Any]:
    return {
        "message": str(error),
        "kind": error.kind,
        "happened": error.happened,
        "curable": error.curable,
        "hint": error.hint,
    }


def _need_json(need: Need) -> dict[str, Any]:
    return {
        "approvers": list(need.approvers),
        "four_eyes": need.four_eyes,
        "seconds": need.seconds,
        "rule": need.rule,
    }


def _agreed(need: Need, call: _Call) -> bool:
    """Tell whether who decided last is one that these rules want, so that nobody need be asked again."""
    if call.agreed is None:
        return False
    asked, decision = call.agreed
    if need.four_eyes and not asked.four_eyes and decision.by == call.caller.actor:
        return False
    return decision.by in need.approvers or set(asked.approvers) <= set(need.approvers)
