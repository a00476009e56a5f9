"""What is going on now: runs in progress, requests to people, and runs that ended on other machines.

Looking makes nothing: without a database there is nothing going on.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from ragflow.records import Run
from ragflow.watching.tallies import percentiles
from ragflow.workflows.tables import flows, requests

_DECIDED = frozenset({"approved", "revised", "rejected", "executed", "unsettled"})
_AT_ONCE = 20


@dataclass(slots=True)
class Live:
    """Requests by status, how long those that were decided had waited (s), runs that are not over."""

    requests: Counter[str] = field(default_factory=Counter)
    waited: list[float] = field(default_factory=list)
    pending: int = 0
    runs: Counter[str] = field(default_factory=Counter)

    def approvals_json(self) -> dict[str, Any]:
        """Return the object ``approvals`` of ``ragflow.stats/1``."""
        return {
            "requests": self.requests.total(),
            "statuses": dict(sorted(self.requests.items())),
            "pending": self.pending,
            "waited_s": percentiles(self.waited),
        }

    def runs_json(self) -> dict[str, int]:
        """Return the object ``live`` of ``ragflow.stats/1``."""
        return {status: self.runs[status] for status in ("running", "waiting")}


def now(connection: Connection, *, actor: str | None, since: str, moment: str) -> Live:
    """Count requests opened since then, and what is going on at this moment; of one actor, or of all.

    One that nobody decided in time has expired, whether somebody noted it or not.
    """
    live = Live()
    wanted = select(
        requests.c.status, requests.c.created, requests.c.decided, requests.c.expires, requests.c.actor
    )
    for row in connection.execution_options(yield_per=_AT_ONCE).execute(wanted):
        if actor is not None and row.actor != actor:
            continue
        pending = row.status == "pending" and row.expires > moment
        live.pending += pending
        if row.created < since:
            continue
        live.requests["expired" if row.status == "pending" and not pending else row.status] += 1
        if row.decided is not None and row.status in _DECIDED:
            live.waited.append(_seconds(row.created, row.decided))
    going = select(flows.c.status, flows.c.actor).where(flows.c.status.in_(("running", "waiting")))
    for status, who in connection.execute(going):
        if actor is None or json.loads(who)[0] == actor:
            live.runs[status] += 1
    return live


def elsewhere(connection: Connection, *, since: str, known: Callable[[str], bool]) -> Iterator[Run]:
    """Give the runs that have ended, as the database holds them, but for those that are known already."""
    ended = flows.c.record.is_not(None) & (flows.c.created >= since)
    wanted = select(flows.c.run, flows.c.record).where(ended).order_by(flows.c.created, flows.c.run)
    for row in connection.execution_options(yield_per=_AT_ONCE).execute(wanted):
        if not known(row.run):
            yield Run.from_json(json.loads(row.record))


def _seconds(begin: str, end: str) -> float:
    return max(0.0, (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds())
