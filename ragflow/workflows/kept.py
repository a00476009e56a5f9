"""What is kept of a step: its value or its error as JSON, redacted, with what it took.

An error is raised again as the type that it was: one of this program's by its name, another one by its
module and name where it can be made again of its arguments; else ``WorkflowFailed`` with its words.
"""

import json
import sys
from collections.abc import Collection
from importlib import import_module
from typing import Any

from ragflow.errors import RagflowError
from ragflow.records import canonical
from ragflow.redact import Kind, redact, redact_all
from ragflow.workflows.contracts import Json
from ragflow.workflows.errors import WorkflowFailed


def as_json(value: object, name: str) -> Json:
    """Return a value as JSON reads it. Raises ``WorkflowFailed`` where it is none."""
    try:
        written = canonical(value)
        written.encode()  # half a surrogate pair is no text that a database takes
        return json.loads(written)
    except (TypeError, ValueError, RecursionError) as error:
        raise WorkflowFailed(f"the step {name} gave what is no JSON: {error}") from error


def sayable(text: str) -> str:
    """Return a text that can be written as UTF-8: half a surrogate pair is told by its number."""
    return text.encode(errors="backslashreplace").decode()


def error_to_json(error: Exception, kinds: Collection[Kind]) -> dict[str, Any]:
    """Return an error as it is kept: type, module, words, hint, and what it is made of again."""
    kind = type(error)
    kept: dict[str, Any] = {
        "type": kind.__qualname__,
        "module": kind.__module__,
        "message": sayable(redact(str(error), kinds)),
        "hint": sayable(redact(str(getattr(error, "hint", "")), kinds)),
    }
    made_of = vars(error) if isinstance(error, RagflowError) else list(error.args)
    try:
        kept["made_of"] = redact_all(as_json(made_of, kind.__name__), kinds)
    except WorkflowFailed:
        kept["made_of"] = None
    return kept


def error_from_json(kept: dict[str, Any], *, importing: bool = True) -> Exception:
    """Return the error that was kept, of the same type where that can be.

    ``importing``: its module may be imported; else it must be there already.
    """
    try:
        found: Any = import_module(kept["module"]) if importing else sys.modules[kept["module"]]
        for part in kept["type"].split("."):
            found = getattr(found, part)
        if isinstance(found, type) and issubclass(found, RagflowError) and kept["made_of"] is not None:
            again = found.__new__(found)
            Exception.__init__(again, kept["message"])
            vars(again).update(kept["made_of"])
            return again
        if isinstance(found, type) and issubclass(found, Exception) and kept["made_of"] is not None:
            made: Exception = found(*kept["made_of"])
            if str(made) == kept["message"]:
                return made
    except Exception:  # noqa: BLE001, S110 - a foreign class may do anything; then its words stand for it
        pass
    hint = kept["hint"]
    return WorkflowFailed(f"{kept['type']}: {kept['message']}", hint=hint)
