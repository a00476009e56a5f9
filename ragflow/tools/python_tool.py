"""A Python function as a tool: parameters are the schema of its arguments, its return type of the result."""

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from ragflow.errors import ConfigError
from ragflow.importing import found
from ragflow.tools.declared import State
from ragflow.tools.schemas import SchemaUnfit, of_fields
from ragflow.workflows.contracts import Caller, Json
from ragflow.workflows.errors import ToolFailed

KEY = "idempotency_key"
_STATES: Mapping[object, State] = {
    known: State(known) for known in typing.get_args(State.__annotations__["known"])
}


@dataclass(frozen=True, slots=True)
class PythonTool:
    """Satisfies ``declared.Performer``.

    ``whole``: the one parameter that takes the model itself; None where each argument is a parameter.
    ``gives``: what its result is read as.
    """

    name: str
    function: Callable[..., object]
    takes: type[BaseModel]
    whole: str | None
    takes_key: bool
    gives: TypeAdapter[Any]
    state_of: Callable[[str], object] | None
    lasts: bool = True

    @property
    def about(self) -> str:
        return next(iter((inspect.getdoc(self.function) or "").splitlines()), "")

    @property
    def can_be_asked(self) -> bool:
        return self.state_of is not None

    def perform(self, arguments: BaseModel, key: str, caller: Caller) -> Json:  # noqa: ARG002
        fields = type(arguments).model_fields
        given: dict[str, Any] = (
            {self.whole: arguments}
            if self.whole is not None
            else {field.alias or name: getattr(arguments, name) for name, field in fields.items()}
        )
        value = self.function(**given, **({KEY: key} if self.takes_key else {}))
        return self._result(value)

    def state(self, arguments: BaseModel, key: str) -> State:  # noqa: ARG002
        told = None if self.state_of is None else self.state_of(key)
        if told is None:
            return State("unknown")
        if isinstance(told, str) and told in _STATES:
            return _STATES[told]
        return State("done", self._result(told))

    def _result(self, value: object) -> Json:
        try:
            return self.gives.dump_python(self.gives.validate_python(value), mode="json")
        except (ValidationError, PydanticUserError, TypeError, ValueError) as error:
            said = error.errors(include_url=False, include_input=False) if _told(error) else ()
            why = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in said) or str(error)
            raise ToolFailed(
                f"the tool {self.name} was done, and gave what is not its result: {why.removeprefix(': ')}",
                kind="garbage",
                happened=True,
                hint="its return annotation says what it gives; mend the function",
            ) from error


def _told(error: Exception) -> typing.TypeGuard[ValidationError]:
    return isinstance(error, ValidationError)


def python_tool(name: str, folder: Path, path: str) -> PythonTool:
    """Return the tool that a function ``module:function`` is.

    Its parameters are annotated; one that is a pydantic model takes all arguments. A keyword parameter
    ``idempotency_key`` gets the key. ``function.state_of(key)`` says whether a key was done.

    Raises:
        ConfigError: it cannot be imported, or its signature is no tool's.
    """
    function = found(folder, path)
    if not callable(function) or inspect.isclass(function):
        raise ConfigError(f"tools.{name}: {path} is no function", hint="write package.module:function")
    if inspect.iscoroutinefunction(function):
        raise _unfit(name, path, "is async: a tool is a plain function")
    parameters = dict(inspect.signature(function).parameters)
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError) as error:
        raise _unfit(name, path, f"has an annotation that is unknown: {error}") from error
    for one, parameter in parameters.items():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise _unfit(name, path, f"takes {parameter}: each argument of a tool has a name")
        if one not in hints:
            raise _unfit(name, path, f"does not say the type of {one}")
    takes_key = parameters.pop(KEY, None) is not None
    takes, whole = _takes(name, path, parameters, hints)
    state_of = getattr(function, "state_of", None)
    if state_of is not None and not callable(state_of):
        raise _unfit(name, path, "has a state_of that is no function")
    try:
        gives: TypeAdapter[Any] = TypeAdapter(hints.get("return", Any))
    except PydanticUserError as error:
        raise _unfit(name, path, f"returns what cannot be checked: {error.message}") from error
    return PythonTool(name, function, takes, whole, takes_key, gives, state_of)


def _takes(
    name: str, path: str, parameters: Mapping[str, inspect.Parameter], hints: Mapping[str, Any]
) -> tuple[type[BaseModel], str | None]:
    if len(parameters) == 1:
        (only,) = parameters
        if isinstance(hints[only], type) and issubclass(hints[only], BaseModel):
            return hints[only], only
    fields = {
        one: (hints[one], ... if parameter.default is parameter.empty else parameter.default)
        for one, parameter in parameters.items()
    }
    try:
        return of_fields(name, fields), None
    except SchemaUnfit as error:
        raise _unfit(name, path, f"has an argument that cannot be checked: {error}") from error


def _unfit(name: str, path: str, what: str) -> ConfigError:
    return ConfigError(
        f"tools.{name}: the function {path} {what}",
        hint="annotate each parameter, or take one pydantic model; docs/tools.md shows both",
    )
