"""Where the tables of runs and of DBOS are: files of the workspace, or the server of ``database.url``."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, inspect

from ragflow.config import Config
from ragflow.workflows.database import Database, server_engine
from ragflow.workflows.dbos_engine import answering, sqlite_engine
from ragflow.workflows.kept_steps import DBOS_FILE, looking
from ragflow.workflows.tables import flows

RUNS_FILE = "runs.sqlite"


def password(config: Config) -> str | None:
    """Return the password of the configured server; None where no variable holds one."""
    name = config.database.password_env
    return None if name is None else config.secret(name)


def database(config: Config) -> Database:
    """Open the tables of runs, made where they are absent. Close it. Raises ``DatabaseGone``."""
    url = config.database.url
    if url is None:
        return Database.of_file(config.workspace / RUNS_FILE)
    return Database.of_url(url, password(config))


def dbos_engine(config: Config, *, connections: int) -> Engine:
    """Return an engine for DBOS's tables; on a server, of at most so many connections."""
    url = config.database.url
    if url is None:
        return sqlite_engine(config.workspace / DBOS_FILE)
    return server_engine(url, password(config), connections=connections)


@contextmanager
def reading(config: Config) -> Iterator[Connection | None]:
    """Give a connection to look at the tables of runs; None where there are none. Nothing is made.

    A file that is damaged, or not to be read, counts as none: the records say so.

    Raises:
        DatabaseGone: the server does not answer.
    """
    url = config.database.url
    if url is None:
        with looking(config.workspace / RUNS_FILE) as connection:
            yield None if connection is None else _with_runs(connection)
        return
    engine = server_engine(url, password(config), connections=1)
    try:
        with answering(engine), engine.connect() as connection:
            yield _with_runs(connection)
    finally:
        engine.dispose()


def _with_runs(connection: Connection) -> Connection | None:
    return connection if inspect(connection).has_table(flows.name) else None
