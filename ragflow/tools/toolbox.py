"""The tools of one workspace under policy: what may be called, the call itself, and what became of one."""

import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from ragflow.errors import OutsideCause
from ragflow.records import canonical, sha256
from ragflow.redact import CLOSED
from ragflow.steps import Step
from ragflow.tool_sections import Tool
from ragflow.tools.counting import Counts
from ragflow.tools.declared import Performer, State
from ragflow.tools.hiding import Hiding, hiding
from ragflow.tools.making import performer
from ragflow.tools.policy import listed, may_call, policy_digest
from ragflow.tools.sending import MOST_BYTES
from ragflow.workflows.contracts import Action, Caller, Json, Object, Offer, Reading
from ragflow.workflows.database import Database
from ragflow.workflows.errors import StepTimedOut, ToolFailed, ToolRefused
from ragflow.workflows.trying import within

if TYPE_CHECKING:
    from ragflow.config import Config

_WAIT_S, _BACKOFF = 0.5, 2.0
_SLACK_S = 5.0  # for what keeps its own time, but not while it looks a host up


class Toolbox:
    """All configured tools. What it raises and returns is redacted.

    ``policy``: the digest of the rules. ``sleep``: waits between tries.

    Raises ``ConfigError`` where a tool cannot be made.
    """

    def __init__(
        self,
        config: "Config",
        *,
        reading: Reading,
        database: Database,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._config = config
        self._tools: Mapping[str, Tool] = config.tools
        self._made: Mapping[str, Performer] = {
            name: performer(config, name, reading) for name in config.tools
        }
        self._counts = Counts(database)
        self._sleep = sleep
        self.policy = policy_digest(config)

    def offers(self, caller: Caller) -> tuple[Offer, ...]:
        """Return the tools that a caller may call, by name."""
        return tuple(
            Offer(
                name, tool.description or self._made[name].about, tool.effect, _schema(self._made[name].takes)
            )
            for name, tool in sorted(self._tools.items())
            if may_call(tool, caller)
        )

    def check(self, tool: str, arguments: Object, caller: Caller, call: str) -> Action:
        """Let one exact call through, and count it. Its arguments are redacted; ``filled`` puts them back.

        Raises:
            ToolRefused: it is not listed, the caller has no role, the arguments do not fit, rate or budget
                are used up. Nothing was counted.
        """
        rules = listed(self._tools, tool, caller)
        real = self._validated(tool, arguments)
        shown = self._hiding.value(real, rules.redact)
        self._counts.count(tool, rules, caller.run, call, real)
        key = sha256([caller.run, call, tool, shown])[:32]
        return Action(tool, rules.effect, shown, call, self.policy, key)

    def release(self, call: str, caller: Caller) -> None:
        """Give back what a call took of its budget: it was not done, and will not be."""
        self._counts.release(caller.run, call)

    def filled(self, action: Action, given: Object, arguments: Object | None = None) -> dict[str, Any]:
        """Return arguments (None: the action's) with all that was redacted put back from ``given``.

        ``given``: what the workflow called with. ``arguments``: those that a person put in place.

        Raises:
            ToolRefused: a redacted argument cannot be put back, or a person changed one.
        """
        redact = self._tools[action.tool].redact
        wanted = dict(action.arguments if arguments is None else arguments)
        real, hide = self._validated(action.tool, given), self._hiding
        hidden = hide.value(real, redact)
        for name, value in wanted.items():
            if name in hidden and hidden[name] == value:
                wanted[name] = real[name]
            elif hide.value({name: value}, redact) != {name: value}:
                raise ToolRefused(
                    f'the argument "{name}" of "{action.tool}" is redacted, so it cannot be changed here',
                    kind="arguments",
                    hint="reject the action, and begin again with other arguments",
                )
            elif value == CLOSED:
                raise ToolRefused(f'the argument "{name}" of "{action.tool}" is gone', kind="arguments")
        return wanted

    def has(self, tool: str) -> bool:
        """Tell whether a tool is listed."""
        return tool in self._tools

    def takes_key(self, tool: str) -> bool:
        """Tell whether doing something again with the same key does it once."""
        return self._made[tool].takes_key

    def patience(self, tool: str) -> float:
        """Return for how many seconds a try may go on elsewhere, so that ``not_done`` is too early."""
        return self._tools[tool].timeout if self._made[tool].lasts else 0.0

    def lingers(self, tool: str) -> bool:
        """Tell whether a try that took too long goes on in this process."""
        return not self._keeps_time(tool)

    def attempt(self, action: Action, caller: Caller, step: Step | None = None) -> Json:
        """Do it and return the validated, redacted result. The action's arguments must be the filled ones.

        A try that fails is followed by another where ``retries`` says so, and where that is safe.

        Raises:
            ToolRefused: the arguments do not fit. Nothing was done.
            ToolFailed: its ``happened`` says what is known.
        """
        tool, made = self._tools[action.tool], self._made[action.tool]
        step = step or Step()
        arguments = self._read(action.tool, action.arguments)
        safe = action.effect == "read" or made.takes_key
        for more in reversed(range(tool.retries + 1)):
            step.tries += 1
            try:
                value = self._once(action, lambda: made.perform(arguments, action.key, caller))
                return self._result(action.tool, value)
            except ToolFailed as error:
                told = self._told(error)
                if not (more and error.curable and safe):
                    raise told from None
            self._sleep(_WAIT_S * _BACKOFF ** (step.tries - 1))
        raise AssertionError("the last try returns or raises")

    def state(self, action: Action) -> State:
        """Ask the tool whether an action was done. ``unknown`` where it cannot say."""
        tool, made = self._tools[action.tool], self._made[action.tool]
        if not made.can_be_asked:
            return State("unknown")
        arguments = self._read(action.tool, action.arguments)
        told: list[State] = []
        try:
            within(
                lambda: told.append(made.state(arguments, action.key)), tool.timeout + _SLACK_S, action.tool
            )
            (state,) = told
        except Exception:  # noqa: BLE001 - whatever it is, the tool has not said: a person will be asked
            return State("unknown")
        try:
            return State(state.known, self._result(action.tool, state.result))
        except ToolFailed:
            return State(state.known)  # it has said whether; what it gave is no result

    def send(self, tool: str, arguments: Object) -> Json:
        """Let the program itself call a tool that ``notify`` names: no role is asked for, nothing is counted.

        The same message has the same key: told twice is told once, where the tool knows keys.

        Raises ``ToolRefused`` (arguments that do not fit) and ``ToolFailed``.
        """
        nobody = Caller(actor="", readers=(), roles=(), run="", workflow="")
        rules = self._tools[tool]
        key = sha256([tool, dict(arguments)])[:32]
        return self.attempt(Action(tool, rules.effect, dict(arguments), "", self.policy, key), nobody)

    # -- one try ---------------------------------------------------------------------------------

    def _once(self, action: Action, perform: Callable[[], Json]) -> Json:
        tool = self._tools[action.tool]
        unsure = None if action.effect == "write" else False
        try:
            if tool.use in ("search", "ask", "fetch"):
                return perform()  # an answer keeps its own time, and the index its own thread
            watched = self._keeps_time(action.tool) or tool.use == "mail"  # their sockets have time-outs
            slack = _SLACK_S if watched else 0
            return within(perform, tool.timeout + slack, action.tool)
        except ToolFailed as error:
            if action.effect == "read":
                error.happened = False
            raise
        except StepTimedOut as error:
            raise ToolFailed(
                f"the tool {action.tool} took longer than {tool.timeout:g} s",
                kind="time_out",
                happened=unsure,
                curable=True,
                hint="raise its timeout in ragflow.yaml, or look at what it waits for",
            ) from error
        except Exception as error:
            raise ToolFailed(
                f"the tool {action.tool}: {type(error).__name__}: {error}",
                happened=unsure,
                curable=isinstance(error, (OSError, OutsideCause)),
            ) from error

    def _keeps_time(self, name: str) -> bool:
        return self._tools[name].http is not None or self._tools[name].use == "webhook"

    def _result(self, name: str, value: object) -> Json:
        """Return what a tool gave as JSON that can be kept, redacted. Raises ``ToolFailed``."""
        try:
            text = canonical(value)
            if len(text.encode()) > MOST_BYTES:  # half a surrogate pair is no text that a database takes
                raise ToolFailed(
                    f"the tool {name} was done, and gave more than {MOST_BYTES:,} bytes",
                    kind="too_large",
                    happened=True,
                )
            return self._hiding.value(json.loads(text), self._tools[name].redact)
        except (TypeError, ValueError, RecursionError) as error:
            raise ToolFailed(
                f"the tool {name} was done, and gave what is no JSON: {error}", kind="garbage", happened=True
            ) from error

    def _told(self, error: ToolFailed) -> ToolFailed:
        hide = self._hiding
        return ToolFailed(
            hide.text(str(error)),
            kind=error.kind,
            happened=error.happened,
            curable=error.curable,
            hint=hide.text(error.hint),
        )

    # -- arguments -------------------------------------------------------------------------------

    @property
    def _hiding(self) -> Hiding:
        return hiding(self._config)

    def _validated(self, tool: str, arguments: Object) -> dict[str, Any]:
        shown: dict[str, Any] = _whole(self._read(tool, arguments).model_dump(mode="json", by_alias=True))
        return shown

    def _read(self, tool: str, arguments: Object) -> BaseModel:
        """Return arguments as the tool's model. Raises ``ToolRefused``."""
        takes = self._made[tool].takes
        try:
            text = canonical(dict(arguments))
        except (TypeError, ValueError) as error:
            raise self._unfit(tool, f"they are no JSON: {error}") from None
        if len(text.encode(errors="replace")) > MOST_BYTES:
            raise self._unfit(tool, f"they have more than {MOST_BYTES:,} bytes")
        extra = "allow" if takes.model_config.get("extra") == "allow" else "forbid"
        try:
            return takes.model_validate_json(text, strict=True, extra=extra)  # type: ignore[arg-type]
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False, include_context=False)
            told = [f"{'.'.join(map(str, one['loc'])) or 'all'}: {one['msg']}" for one in found[:5]]
            raise self._unfit(tool, "; ".join(told)) from None

    def _unfit(self, tool: str, why: str) -> ToolRefused:
        return ToolRefused(
            f'the arguments of "{tool}" do not fit: {self._hiding.text(why)}',
            kind="arguments",
            hint="call it as its schema says",
        )


def _schema(takes: type[BaseModel]) -> dict[str, Any]:
    schema = takes.model_json_schema(by_alias=True)
    if takes.model_config.get("extra") != "allow":
        schema["additionalProperties"] = False
    return schema


def _whole(value: Json) -> Json:
    """Return JSON with 140.0 as 140: the same amount has one digest, whoever wrote it."""
    if isinstance(value, dict):
        return {key: _whole(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_whole(one) for one in value]
    exact = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return int(value) if exact else value
