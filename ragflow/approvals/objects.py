"""A request as JSON: ``ragflow.approval/1``."""

from datetime import datetime
from typing import Any

from ragflow.approvals.gathering import concealed
from ragflow.approvals.rows import Asked
from ragflow.workflows.contracts import Object

SCHEMA = "ragflow.approval/1"


def approval(asked: Asked, now: datetime, *, screen: bool = False) -> dict[str, Any]:
    """Return the object of a request; ``screen`` adds all that a person sees of it.

    ``arguments``: those that hold, as they may be shown; ``before``: those that were asked for, where they
    were revised. ``digest`` is over what holds, before anything was taken out of it.
    """
    shown: dict[str, Any] = {
        "schema": SCHEMA,
        "approval": asked.approval,
        "run": asked.run,
        "status": asked.status_at(now),
        "tool": asked.tool,
        "effect": asked.effect,
        "arguments": as_shown(asked, asked.holding),
        "digest": asked.digest,
        "policy": asked.policy,
        "actor": asked.actor,
        "approvers": list(asked.approvers),
        "expires": asked.expires,
        "decided_by": asked.decided_by,
        "comment": asked.comment,
        "kind": asked.kind,
        "call": asked.call,
        "four_eyes": asked.four_eyes,
        "created": asked.created,
        "decided": asked.decided,
    }
    if asked.revised is not None:
        shown["before"] = as_shown(asked, asked.arguments)
    if screen:
        shown["screen"] = {key: value for key, value in asked.screen.items() if key != "redact"}
    return shown


def as_shown(asked: Asked, arguments: Object) -> dict[str, Any]:
    """Return arguments of a request without what its tool and ``runs.redact`` closed when it was opened."""
    closed = asked.screen["redact"]
    made: dict[str, Any] = concealed(arguments, closed["names"], closed["kinds"])
    return made
