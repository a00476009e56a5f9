"""Approvers are told of a request by mail or webhook: that it is there, not what documents say.

Each entry of ``notify`` is told once. One that failed is noted for whoever looks at the request, and tried
again when the run opens it again; the request itself stands in any case. A process that dies in between
may tell twice: better than not at all.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from ragflow.approvals.rows import Asked, found
from ragflow.config import Config
from ragflow.records import canonical, timestamp
from ragflow.redact import redact
from ragflow.terminal import one_line
from ragflow.workflows.contracts import Object
from ragflow.workflows.database import Database
from ragflow.workflows.tables import requests

Tell = Callable[[str, Object], object]
"""(tool, arguments): call a configured tool, or raise. No policy, no approval: it asks for one."""

_LONGEST = 300  # characters of one argument in a message


def nobody(tool: str, arguments: Object) -> None:
    """Tell nobody."""


def notify(asked: Asked, config: Config, database: Database, tell: Tell, now: datetime) -> None:
    """Tell those who were not told yet, and note on the row what came of it."""
    if not config.notify or asked.status_at(now) != "pending":
        return
    told = list(asked.screen["told"])
    done = {one["entry"] for one in told if one["error"] is None}
    for at, entry in enumerate(config.notify):
        if at in done:
            continue
        tool = config.tools.get(entry.tool)
        said = fitted(message(asked), entry.arguments, event=tool is not None and tool.use == "webhook")
        error = _told(entry.tool, said, tell)
        error = error and redact(error, config.runs.redact)
        told = [one for one in told if one["entry"] != at]
        told.append({"entry": at, "tool": entry.tool, "at": timestamp(now), "error": error})
        _note(asked.approval, told, database)


def fitted(said: Object, fixed: Object, *, event: bool) -> dict[str, Any]:
    """Return a tool's arguments: fixed ones, and a message's ``subject`` and ``text``.

    ``event``: as a webhook takes them, a ``type`` and ``data``, which has the request's fields besides.
    """
    if event:
        data = {**said, **(fixed.get("data") or {})}
        return {"type": "approval.wanted", **fixed, "data": data}
    return {"subject": said["subject"], "text": said["text"], **fixed}


def _told(tool: str, arguments: Object, tell: Tell) -> str | None:
    try:
        tell(tool, arguments)
    except Exception as error:  # noqa: BLE001 - whatever it is stands on the request, which holds without it
        return one_line(f"{type(error).__name__}: {error}", _LONGEST)
    return None


def _note(approval: str, told: list[dict[str, Any]], database: Database) -> None:
    with database.begin() as connection:
        # Held: the screen must not come back as it was before somebody erased something of it.
        asked = found(connection, approval, hold=True)
        if asked is not None:
            screen = canonical({**asked.screen, "told": told})
            where = requests.c.approval == approval
            connection.execute(requests.update().where(where).values(screen=screen))


def message(asked: Asked) -> dict[str, Any]:
    """Return what is said of a request: ``subject`` and ``text`` for people, the rest for programs.

    Of documents it holds only what the action itself says. The same for the same request.
    """
    arguments = [
        f"  {one_line(name, 40)}: {one_line(value if isinstance(value, str) else canonical(value), _LONGEST)}"
        for name, value in sorted(asked.screen["arguments"].items())
    ]
    careful = ["", "It may have happened already: look at the other side first."]
    lines = [
        f"{asked.actor} asks in the run {asked.run} ({asked.screen['workflow']}): {asked.tool}",
        *arguments,
        *(careful if asked.kind == "unsettled" else []),
        "",
        f"It can be decided until {asked.expires} by {', '.join(asked.approvers)}"
        + (", not by the one who asks." if asked.four_eyes else "."),
        "All that there is to see, and how to decide:",
        f"  ragflow approvals show {asked.approval}",
    ]
    return {
        "subject": f"Approval wanted: {one_line(asked.tool, 60)} ({asked.approval})",
        "text": "\n".join(lines),
        "approval": asked.approval,
        "run": asked.run,
        "tool": asked.tool,
        "kind": asked.kind,
        "actor": asked.actor,
        "approvers": list(asked.approvers),
        "expires": asked.expires,
    }
