"""``--set amount=90`` -> the arguments of an action as a person changed them."""

import math
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from ragflow.approvals.comparing import same
from ragflow.approvals.gathering import concealed
from ragflow.complaints import near
from ragflow.config import typed
from ragflow.errors import UsageError
from ragflow.workflows.contracts import Object

Reads = Callable[[Object, Object], Object]
"""(arguments before, after) -> the latter as the tool's schema reads them. Raises ``RagflowError``."""

Fits = Callable[[str], Reads | None]
"""(tool) -> what reads its arguments; None where that cannot be told here, and the run looks at them."""


def revised(
    arguments: Object, changes: Sequence[str], *, may_add: bool, closed: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the arguments with ``KEY=VALUE`` changes made: dotted keys, values as YAML reads a scalar.

    ``may_add``: a change may name an argument that is not there, since a schema will look at it. ``closed``:
    the ``names`` and ``kinds`` that are kept out of records, and so out of a decision.

    Raises:
        UsageError: a change is not written so, names what is not there or what is closed, or nothing would
            change.
    """
    made = deepcopy(dict(arguments))
    for change in changes:
        key, value = _read(change)
        if set(key.split(".")) & set(closed["names"]) or concealed(value, (), closed["kinds"]) != value:
            raise UsageError(
                f"--set {key}: this is kept out of records, and so out of decisions",
                hint="reject the action, and begin again with other arguments",
            )
        _put(made, key, value, may_add=may_add)
    if same(made, arguments):
        raise unchanged()
    return made


def unchanged() -> UsageError:
    """Return the error of a revision that revises nothing."""
    return UsageError(
        "nothing would change: the arguments are these already",
        hint="ragflow approvals approve agrees to them as they are",
    )


def _read(change: str) -> tuple[str, Any]:
    key, equals, written = change.partition("=")
    if not equals or not key.strip():
        raise UsageError(f"--set {change}: write ARGUMENT=VALUE", hint='for example --set "amount=90"')
    value = typed(written)
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"--set {change}: this is no number that JSON knows")
    return key.strip(), value


def _put(made: dict[str, Any], key: str, value: Any, *, may_add: bool) -> None:
    if key in made or "." not in key:
        _set(made, key, value, key, may_add=may_add)
        return
    inside: Any = made
    *path, last = key.split(".")
    for step in path:
        inside = _inside(inside, step, key)
    _set(inside, last, value, key, may_add=may_add)


def _inside(value: Any, step: str, key: str) -> Any:
    if isinstance(value, dict) and step in value:
        return value[step]
    if isinstance(value, list) and step.isdecimal() and int(step) < len(value):
        return value[int(step)]
    raise UsageError(f"--set {key}: there is no {step} in the arguments{_near(step, value)}", hint=_HINT)


def _set(inside: Any, step: str, value: Any, key: str, *, may_add: bool) -> None:
    if isinstance(inside, list) and step.isdecimal() and int(step) < len(inside):
        inside[int(step)] = value
    elif isinstance(inside, dict) and (may_add or step in inside):
        inside[step] = value
    else:
        raise UsageError(f"--set {key}: there is no argument {key}{_near(step, inside)}", hint=_HINT)


def _near(step: str, value: Any) -> str:
    return near(step, tuple(value)) if isinstance(value, Mapping) else ""


_HINT = "ragflow approvals show A shows the arguments as they are"
