"""``@workflow``: a Python function of durable steps, known by a name."""

import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from ragflow.complaints import near
from ragflow.workflows.contracts import Json
from ragflow.workflows.errors import InputUnfit

if TYPE_CHECKING:
    from ragflow.workflows.flow import Flow

Function = Callable[["Flow", Any], Json]


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow: ``function(flow, input)`` gives JSON.

    ``takes``: the pydantic model that the input is read as. ``steps``, ``seconds``: how many steps and how
    long one execution of it may take; waiting for a person does not count. ``digest``: SHA-256 of the source
    file that the function is in.
    """

    name: str
    function: Function
    takes: type[BaseModel]
    steps: int
    seconds: float
    digest: str

    @property
    def about(self) -> str:
        """The first line of its docstring."""
        return next(iter((inspect.getdoc(self.function) or "").splitlines()), "")


def workflow(
    name: str, *, takes: type[BaseModel], steps: int = 500, seconds: float = 600.0
) -> Callable[[Function], Workflow]:
    """Make a workflow of a function.

    The function must do all that reaches outside, or that another execution would do otherwise, through
    ``flow``: after a crash it is executed again, and every step that was kept gives what it gave before.

    Raises ``TypeError`` or ``ValueError`` where no run could come of it: known when the module is imported.
    """
    if not name or not name.isprintable() or name != name.strip():
        raise ValueError(f"a workflow's name is a word or a few, not {name!r}")
    model: object = takes
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise TypeError(f'takes of the workflow "{name}" is no pydantic model')
    if steps < 1 or not seconds > 0:
        raise ValueError(f'the workflow "{name}" may take no step or no time')

    def made(function: Function) -> Workflow:
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(f'the workflow "{name}" is async: a workflow is a plain function')
        if inspect.isgeneratorfunction(function):
            raise TypeError(f'the workflow "{name}" yields: a workflow returns its result')
        return Workflow(name, function, takes, steps, seconds, source_digest(function))

    return made


def check_input(found: Workflow, given: Mapping[str, Any]) -> None:
    """Look at what a person gives a workflow.

    Raises ``InputUnfit``: as ``read_input``; or it has a key that the model neither knows nor says that it
    ignores, which is mostly one that is misspelt.
    """
    read_input(found, given)
    if found.takes.model_config.get("extra") is not None:
        return
    try:
        found.takes.model_validate(given, extra="forbid")
    except ValidationError as error:
        strange = [str(one["loc"][0]) for one in error.errors() if _strange(one)]
    else:
        return
    if strange:
        known = tuple(field.alias or name for name, field in found.takes.model_fields.items())
        raise InputUnfit(
            f'the workflow {found.name} takes no "{strange[0]}"{near(strange[0], known)}',
            hint=f"it takes {', '.join(known) or 'nothing'}: ragflow run {found.name} --help-input",
        )


def _strange(complaint: Mapping[str, Any]) -> bool:
    return complaint["type"] == "extra_forbidden" and len(complaint["loc"]) == 1


def read_input(found: Workflow, given: object) -> BaseModel:
    """Return an input as the workflow takes it. Raises ``InputUnfit``, naming the first place."""
    try:
        return found.takes.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        about = f"{place}: " if place else ""
        raise InputUnfit(
            f"the workflow {found.name} does not take this input: {about}{first['msg']}",
            hint=f"ragflow run {found.name} --help-input shows what it takes",
        ) from error


def source_digest(function: Function) -> str:
    """Return the SHA-256 of the file that a function was read from."""
    file = inspect.getsourcefile(inspect.unwrap(function))
    if file is None:
        raise TypeError("a workflow must be written in a file")
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()
