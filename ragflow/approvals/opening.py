"""Where requests are, and what tells who may read the documents that they cite. Looking makes neither."""

import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

from indexes.index import EmbeddedIndex
from indexes.store import Store
from ragflow.approvals.desk import Hidden
from ragflow.config import Config
from ragflow.library import Library
from ragflow.workflows import places
from ragflow.workflows.database import Database
from ragflow.workflows.tables import requests


def opened(config: Config) -> Database | None:
    """Open the database of a workspace; None where no run was ever begun there. Close it.

    Raises:
        DatabaseGone: the server of ``database.url`` does not answer.
    """
    there = config.database.url is not None or _holds_requests(file_of(config))
    return places.database(config) if there else None


def file_of(config: Config) -> Path:
    """Return where the requests of a workspace are, unless a server has them."""
    return config.workspace / places.RUNS_FILE


def _holds_requests(path: Path) -> bool:
    if not path.exists():
        return False
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        tables = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = ?", [requests.name])
        return bool(tables.fetchone()[0])


def hidden(config: Config) -> Hidden:
    """Return what tells which documents a reader may not know of, as the store says now.

    Where there is no store, as on a machine that only decides, nobody may read anything.
    """

    def of(named: Collection[str], readers: frozenset[str]) -> frozenset[str]:
        path = config.workspace / "store.sqlite"
        if not path.exists():
            return frozenset(named)
        with Store.open(path) as store:
            return Library(store, _no_index).hidden(named, readers)

    return of


def _no_index() -> EmbeddedIndex:
    raise AssertionError("who may read a document stands in the store")
