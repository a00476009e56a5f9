"""Arguments of a call -> what the tool's schema reads in them. Needs neither database nor tool."""

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ValidationError

from ragflow.records import canonical
from ragflow.tools.hiding import Hiding
from ragflow.tools.sending import MOST_BYTES
from ragflow.workflows.contracts import Json, Object
from ragflow.workflows.errors import ToolRefused

_MOST_TOLD = 5  # complaints about one call


Place = tuple[str | int, ...]


def everywhere(_: Place) -> bool:
    """Judge all of the arguments."""
    return True


def read(
    tool: str,
    takes: type[BaseModel],
    arguments: Object,
    hide: Hiding,
    *,
    judged: Callable[[Place], bool] = everywhere,
) -> BaseModel:
    """Return arguments as a tool's model. The keys that it does not know are refused, unless it allows them.

    ``judged``: whether a complaint about a place in them is heard.

    Raises:
        ToolRefused: they do not fit.
        Unjudged: they fit but for what is not judged.
    """
    try:
        text = canonical(dict(arguments))
    except (TypeError, ValueError, RecursionError) as error:
        raise _unfit(tool, f"they are no JSON: {error}", hide) from None
    if len(text.encode(errors="replace")) > MOST_BYTES:
        raise _unfit(tool, f"they have more than {MOST_BYTES:,} bytes", hide)
    extra = "allow" if takes.model_config.get("extra") == "allow" else "forbid"
    try:
        return takes.model_validate_json(text, strict=True, extra=extra)  # type: ignore[arg-type]
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
    heard = [one for one in found if judged(one["loc"])]
    if not heard:
        raise Unjudged(tool)
    told = [f"{'.'.join(map(str, one['loc'])) or 'all'}: {one['msg']}" for one in heard[:_MOST_TOLD]]
    raise _unfit(tool, "; ".join(told), hide) from None


class Unjudged(Exception):
    """Arguments do not fit where they are not to be judged."""


def as_read(arguments: BaseModel) -> dict[str, Any]:
    """Return arguments that were read as JSON, defaults filled in."""
    shown: dict[str, Any] = _whole(arguments.model_dump(mode="json", by_alias=True))
    return shown


def _unfit(tool: str, why: str, hide: Hiding) -> ToolRefused:
    return ToolRefused(
        f'the arguments of "{tool}" do not fit: {hide.text(why)}',
        kind="arguments",
        hint="call it as its schema says",
    )


def _whole(value: Json) -> Json:
    """Return JSON with 140.0 as 140: the same amount has one digest, whoever wrote it."""
    if isinstance(value, dict):
        return {key: _whole(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_whole(one) for one in value]
    exact = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return int(value) if exact else value
