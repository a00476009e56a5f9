"""What tables still hold of runs that have ended: emptied when a record is, removed when it is too old."""

from collections.abc import Collection

from sqlalchemy import Connection, select

from ragflow.approvals.erasing import empty_runs
from ragflow.workflows.database import Database
from ragflow.workflows.rows import LIVE
from ragflow.workflows.tables import calls, effects, flows


def scrub(database: Database, runs: Collection[str]) -> None:
    """Empty what requests and effects hold of runs that have ended; digests, names and times stay."""
    empty_runs(database, runs)
    with database.begin() as connection:
        for run in sorted(runs):
            connection.execute(effects.update().where(effects.c.run == run).values(result=None))


def expired(connection: Connection, before: str) -> list[str]:
    """Remove what tables have of runs that ended and began before a timestamp; return which."""
    old = flows.c.status.not_in(LIVE) & (flows.c.created < before)
    gone = list(connection.execute(select(flows.c.run).where(old)).scalars())
    for table in (effects, calls):
        connection.execute(table.delete().where(table.c.run.in_(select(flows.c.run).where(old))))
    connection.execute(flows.delete().where(old))
    return gone
