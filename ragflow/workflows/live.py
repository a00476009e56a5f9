"""Runs in progress as records: what ``runs list`` and ``runs show`` tell before a run has ended.

Reading alone: no lease is taken, no table is made, and a workspace without workflows is left as it is.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, create_engine, inspect, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from ragflow.config import Config
from ragflow.records import Run, canonical
from ragflow.workflows.database import server_engine
from ragflow.workflows.dbos_engine import answering
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
            return [_shown(connection, row) for row in rows if owner in (None, row.actor[0])]

    def get(self, run: str) -> Run | None:
        """Return a run, or None. Raises ``DatabaseGone``."""
        with self._reading() as connection:
            if connection is None:
                return None
            found = connection.execute(select(flows).where(flows.c.run == run)).one_or_none()
            if found is None:
                return None
            row = row_of(found)
            return _shown(connection, row) if row.live or row.record is not None else None

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
            with self._file() as connection:
                yield connection
            return
        name = self._config.database.password_env
        engine = server_engine(url, None if name is None else self._config.secret(name), connections=1)
        try:
            with answering(engine), engine.connect() as connection:
                yield connection if inspect(connection).has_table(flows.name) else None
        finally:
            engine.dispose()

    @contextmanager
    def _file(self) -> Iterator[Connection | None]:
        if not self._path.exists():
            yield None
            return
        # A WAL database in a folder that cannot be written opens only as immutable.
        for mode in ("mode=ro", "mode=ro&immutable=1"):
            engine = create_engine(
                f"sqlite:///file:{quote(str(self._path.absolute()))}?{mode}&uri=true", poolclass=NullPool
            )
            try:
                connection = engine.connect()
                there = inspect(connection).has_table(flows.name)
            except OperationalError:
                continue
            with connection:
                yield connection if there else None
            return
        yield None  # damaged, or not to be read: the records say so


def _shown(connection: Connection, row: FlowRow) -> Run:
    if row.record is not None:
        return Run.from_json(row.record)
    return live_record(row, requests_of(connection, row.run))
