"""The steps that DBOS keeps of runs in progress, read from its tables: DBOS is not launched by looking."""

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, TableClause, column, create_engine, inspect, select, table
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool

from ragflow.workflows.database import Database
from ragflow.workflows.dbos_engine import KeptStep

DBOS_FILE = "dbos.sqlite"  # in the workspace, where no server has the tables
_SCHEMA = "dbos"
_AT_ONCE = 200
_COLUMNS = ("workflow_uuid", "function_id", "function_name", "output")


def steps_of(connection: Connection | None, runs: Collection[str]) -> Mapping[str, list[KeptStep]]:
    """Return the kept steps of each of these runs, in order; of one that DBOS knows nothing of, none.

    ``connection``: to DBOS's tables, or to where they will be; None where there is no file of them yet.
    """
    found: dict[str, list[KeptStep]] = {run: [] for run in runs}
    kept = None if connection is None else _table(connection)
    if connection is None or kept is None:
        return found
    names = sorted(found)
    for at in range(0, len(names), _AT_ONCE):
        wanted = select(kept).where(kept.c.workflow_uuid.in_(names[at : at + _AT_ONCE]))
        for row in connection.execute(wanted.order_by(kept.c.workflow_uuid, kept.c.function_id)):
            envelope = None if row.output is None else json.loads(row.output)
            if isinstance(envelope, dict):  # DBOS's own calls give none
                found[row.workflow_uuid].append(KeptStep(row.function_name, envelope))
    return found


def of_run(database: Database, workspace: Path, run: str) -> list[KeptStep]:
    """Return the kept steps of one run. Raises ``DatabaseGone``."""
    with database.begin() as connection, beside(connection, workspace) as kept:
        return steps_of(kept, [run])[run]


def known(connection: Connection | None) -> list[str]:
    """Return the runs of which a step is kept."""
    kept = None if connection is None else _table(connection)
    if connection is None or kept is None:
        return []
    return list(connection.execute(select(kept.c.workflow_uuid).distinct()).scalars())


def _table(connection: Connection) -> TableClause | None:
    schema = _SCHEMA if connection.dialect.name == "postgresql" else None
    if not inspect(connection).has_table("operation_outputs", schema=schema):
        return None
    return table("operation_outputs", *(column(name) for name in _COLUMNS), schema=schema)


@contextmanager
def beside(connection: Connection, workspace: Path) -> Iterator[Connection | None]:
    """Give a connection to DBOS's tables: the same one on a server, else to the workspace's file."""
    if connection.dialect.name == "postgresql":
        yield connection
        return
    with looking(workspace / DBOS_FILE) as found:
        yield found


@contextmanager
def looking(path: Path) -> Iterator[Connection | None]:
    """Open a SQLite file to read alone; None where it is absent, damaged, or not to be read."""
    if not path.exists():
        yield None
        return
    # A WAL database in a folder that cannot be written opens only as immutable.
    for mode in ("mode=ro", "mode=ro&immutable=1"):
        try:
            connection = _engine(path, mode).connect()
            inspect(connection).get_table_names()
        except DatabaseError:
            continue
        with connection:
            yield connection
        return
    yield None


def _engine(path: Path, mode: str) -> Engine:
    return create_engine(f"sqlite:///file:{quote(str(path.absolute()))}?{mode}&uri=true", poolclass=NullPool)
