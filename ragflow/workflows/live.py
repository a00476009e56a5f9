"""Runs in progress as records: what ``runs list`` and ``runs show`` tell before a run has ended.

Reading alone: no lease is taken, no table is made, and a workspace without workflows is left as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from ragflow.config import Config
from ragflow.records import Run, canonical
from ragflow.workflows.kept_steps import beside, steps_of
from ragflow.workflows.leases import living
from ragflow.workflows.places import reading
from ragflow.workflows.rows import LIVE, FlowRow, row_of
from ragflow.workflows.run_records import live_record, requests_of
from ragflow.workflows.tables import flows


@dataclass(frozen=True, slots=True)
class Going:
    """How many runs go on; ``left``: those of them on which no process works; ``waiting``: for a person."""

    running: int
    left: int
    waiting: int


class LiveRuns:
    """The runs of the database that no record of this machine holds: in progress, or ended elsewhere."""

    def __init__(self, config: Config, runs: Path) -> None:
        self._config = config
        self._path = runs

    def newest(self, limit: int, owner: str | None) -> list[Run]:
        """Return at most ``limit`` runs, newest first, of one owner or of all. Raises ``DatabaseGone``."""
        wanted = select(flows).order_by(flows.c.created.desc(), flows.c.run.desc())
        wanted = wanted.where(flows.c.status.in_(("running", "waiting")) | flows.c.record.is_not(None))
        if owner is not None:
            wanted = wanted.where(flows.c.actor.startswith(canonical([owner])[:-1], autoescape=True))
        with reading(self._config) as connection:
            if connection is None:
                return []
            rows = [row_of(one) for one in connection.execute(wanted.limit(limit))]
            return self._shown(connection, [row for row in rows if owner in (None, row.actor[0])])

    def get(self, run: str) -> Run | None:
        """Return a run, or None. Raises ``DatabaseGone``."""
        with reading(self._config) as connection:
            if connection is None:
                return None
            found = connection.execute(select(flows).where(flows.c.run == run)).one_or_none()
            if found is None:
                return None
            row = row_of(found)
            shown = self._shown(connection, [row] if row.live or row.record is not None else [])
            return next(iter(shown), None)

    def _shown(self, connection: Connection, rows: Sequence[FlowRow]) -> list[Run]:
        """Return the records of runs as they are now; those that have ended elsewhere have one."""
        live = [row.run for row in rows if row.record is None]
        with beside(connection, self._path.parent) as kept:
            steps = steps_of(kept, live)
        return [
            live_record(row, requests_of(connection, row.run), steps[row.run])
            if row.record is None
            else Run.from_json(row.record)
            for row in rows
        ]

    def going(self, folder: Path) -> "Going | None":
        """Count the runs in progress; None where none was ever begun. ``folder``: of leases.

        Raises ``DatabaseGone``.
        """
        wanted = select(flows.c.status, flows.c.owner).where(flows.c.status.in_(LIVE))
        with reading(self._config) as connection:
            if connection is None:
                return None
            rows = connection.execute(wanted).all()
            owners = {row.owner for row in rows if row.owner is not None}
            dead = {one for one in owners if not living(one, connection, folder)}
        running = [row.owner for row in rows if row.status == "running"]
        return Going(
            running=len(running),
            left=sum(owner is None or owner in dead for owner in running),
            waiting=len(rows) - len(running),
        )
