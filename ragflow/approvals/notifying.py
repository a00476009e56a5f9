"""Approvers are told of a request by mail or webhook: that it is there, not what documents say.

Each entry of ``notify`` is told once. One that failed is noted for whoever looks at the request, and tried
again when the run opens it again; the request itself stands in any case. A process that dies in between
may tell twice: better than not at all.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from ragflow.approval_sections import Notify
from ragflow.approvals.rows import Asked, found
from ragflow.records import canonical, timestamp
from ragflow.redact import redact
from ragflow.terminal import one_line
from ragflow.workflows.contracts import Object
from ragflow.workflows.database import Database
from ragflow.workflows.tables import requests

Tell = Callable[[str, Object], None]
"""(tool, arguments): call a configured tool, or raise. No policy, no approval: it asks for one."""

_LONGEST = 300  # characters of one argument in a message


def nobody(tool: str, arguments: Object) -> None:
    """Tell nobody."""


def notify(asked: Asked, entries: Sequence[Notify], database: Database, tell: Tell, now: datetime) -> None:
    """Tell those who were not told yet, and note on the row what came of it."""
    if not entries or asked.status_at(now) != "pending":
        return
    told = list(asked.screen["told"])
    done = {one["entry"] for one in told if one["error"] is None}
    missing = [at for at in range(len(entries)) if at not in done]
    for at in missing:
        error = _told(entries[at], message(asked), tell)
        error = error and redact(error, asked.screen["redact"]["kinds"])
        told = [one for one in told if one["entry"] != at]
        told.append({"entry": at, "tool": entries[at].tool, "at": timestamp(now), "error": error})
        _note(asked.approval, told, database)


def _told(entry: Notify, said: Object, tell: Tell) -> str | None:
    try:
        tell(entry.tool, {**said, **entry.arguments})
    except Exception as error:  # noqa: BLE001 - whatever it is stands on the request, which holds without it
        return one_line(f"{type(error).__name__}: {error}", _LONGEST)
    return None


def _note(approval: str, told: list[dict[str, Any]], database: Database) -> None:
    with database.begin() as connection:
        asked = found(connection, approval)
        if asked is not None:
            screen = canonical({**asked.screen, "told": told})
            where = requests.c.approval == approval
            connection.execute(requests.update().where(where).values(screen=screen))


def message(asked: Asked) -> dict[str, str]:
    """Return ``subject`` and ``text``: what, who, until when, how. Of documents only what the action says."""
    arguments = [
        f"  {one_line(name, 40)}: {one_line(value if isinstance(value, str) else canonical(value), _LONGEST)}"
        for name, value in asked.screen["arguments"].items()
    ]
    unsettled = asked.kind == "unsettled"
    lines = [
        f"{asked.actor} asks in the run {asked.run} ({asked.screen['workflow']}): {asked.tool}",
        *arguments,
        "",
        *(["It may have happened already: look at the other side first.", ""] if unsettled else []),
        f"It can be decided until {asked.expires} by {', '.join(asked.approvers)}"
        + (", not by the one who asks." if asked.four_eyes else "."),
        "All that there is to see, and how to decide:",
        f"  ragflow approvals show {asked.approval}",
    ]
    return {
        "subject": f"Approval wanted: {one_line(asked.tool, 60)} ({asked.approval})",
        "text": "\n".join(lines),
    }
