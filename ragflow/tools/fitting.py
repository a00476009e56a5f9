"""Whether arguments that a person put in place fit the tool: known before anything is decided."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ragflow.complaints import near
from ragflow.errors import ConfigError, UsageError
from ragflow.tools.arguments import Place, Unjudged, as_read, read
from ragflow.tools.hiding import hiding
from ragflow.tools.making import argument_names, performer
from ragflow.tools.reading_tools import NoReading
from ragflow.workflows.contracts import Object
from ragflow.workflows.errors import ToolRefused

if TYPE_CHECKING:
    from ragflow.config import Config

_HINT = """nothing was decided; a text that looks like a number stands in quotes: --set 'order="17"'"""

Reads = Callable[[Object, Object], Object]
"""(arguments as they were asked for, as they are to be) -> the latter as the tool's schema reads them."""


def fitting(config: "Config", tool: str) -> Reads | None:
    """Return what reads a tool's arguments; None where this machine cannot make the tool.

    It raises ``ToolRefused`` where they do not fit, and ``UsageError`` where one has no such name. What was
    redacted in the request and is not changed is trusted: it fitted before it was redacted.
    """
    if tool not in config.tools:
        return None
    try:
        made = performer(config, tool, NoReading())
    except ConfigError:
        return None  # a machine that only decides: the run looks at them when it goes on
    names, free = argument_names(made), made.takes.model_config.get("extra") == "allow"

    def reads(before: Object, after: Object) -> Object:
        for name in after:
            if name not in names and not free:
                raise UsageError(
                    f"{tool} takes no argument {name}{near(name, names)}",
                    hint=f"it takes {', '.join(names) or 'none'}",
                )
        try:
            found = read(
                tool, made.takes, after, hiding(config), judged=lambda place: _changed(before, after, place)
            )
        except Unjudged:
            return after
        except ToolRefused as error:
            raise ToolRefused(str(error), kind=error.kind, hint=_HINT) from None
        # A value that stands for a redacted one stays what it is, whatever the schema makes of it.
        return as_read(found) | {name: value for name, value in after.items() if value == before.get(name)}

    return reads


def _changed(before: Any, after: Any, place: Place) -> bool:
    """Tell whether what stands at a place of the new arguments is not what stood there."""
    for step in place:
        try:
            before, after = before[step], after[step]
        except (LookupError, TypeError):  # it is missing, or the place names a type: judged as what holds it
            break
    return bool(before != after)
