"""Runs in progress as records: what ``runs list`` and ``runs show`` tell before a run has ended.

Reading alone: no lease is taken, no table is made, and a workspace without workflows is left as it is.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, inspect, select

from ragflow.config import Config
from ragflow.records import Run, canonical
from ragflow.workflows.database import server_engine
from ragflow.workflows.dbos_engine import answering
from ragflow.workflows.kept_steps import beside, looking, steps_of
from ragflow.workflows.leases import living
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
        with self._reading() as connection:
            if connection is None:
                return []
            rows = [row_of(one) for one in connection.execute(wanted.limit(limit))]
            return self._shown(connection, [row for row in rows if owner in (None, row.actor[0])])

    def get(self, run: str) -> Run | None:
        """Return a run, or None. Raises ``DatabaseGone``."""
        with self._reading() as connection:
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
        with self._reading() as connection:
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

    @contextmanager
    def _reading(self) -> Iterator[Connection | None]:
        url = self._config.database.url
        if url is None:
            with looking(self._path) as connection:  # damaged, or not to be read: the records say so
                yield None if connection is None else _with_runs(connection)
            return
        name = self._config.database.password_env
        engine = server_engine(url, None if name is None else self._config.secret(name), connections=1)
        try:
            with answering(engine), engine.connect() as connection:
                yield _with_runs(connection)
        finally:
            engine.dispose()


def _with_runs(connection: Connection) -> Connection | None:
    return connection if inspect(connection).has_table(flows.name) else None
