"""Sources of many small items, made for ``sync_scale.py``: of SQLite, of a JSON API, of no store at all.

``items.json`` in the work folder says how many there are, and how often the first hundred were changed.
"""

import hashlib
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from connectors.items import Connector, Item, Raw

CHANGED = 100
TEXTS = 2_000  # different ones, all of one title: the others are found in the cache of embeddings
GROUPS = 10


@dataclass(frozen=True, slots=True)
class Kind:
    """A source to measure. ``fill`` and ``change`` make ``items.json`` true of it.

    ``running`` keeps alive what it needs, and gives its section of ragflow.yaml. ``connector``: one of
    the benchmark's own that stands in for the section's.
    """

    fill: Callable[[Path], None]
    change: Callable[[Path], None]
    running: Callable[[Path], AbstractContextManager[str]]
    connector: Callable[[Path], Connector] | None = None


def state(folder: Path) -> tuple[int, int]:
    """Return how many items there are, and how often the first were changed."""
    items, changes = json.loads((folder / "items.json").read_text())
    return items, changes


def text(number: int, changes: int) -> str:
    """Return the text of an item."""
    if changes and number < CHANGED:
        return f"Note {number} was changed {changes} times. It says something that no other note says."
    rule = number % TEXTS
    return f"Rule {rule} is about folder {rule}. It is kept for seven years. Room {rule % 50} holds its copy."


def version(number: int, changes: int) -> int:
    """Return which version of an item this is, counted from 1."""
    return 1 + (changes if number < CHANGED else 0)


# -- memory: what is measured is the sync alone ----------------------------------------------------


class Made:
    """A connector that makes its items up."""

    def __init__(self, folder: Path) -> None:
        self._items, self._changes = state(folder)

    def list(self) -> Iterator[Item]:
        """Give the items; readers differ between ten groups."""
        for number in range(self._items):
            data = text(number, self._changes).encode()
            readers = ("everyone", f"group:g{number % GROUPS}")
            yield Item(f"note-{number:06}", hashlib.sha256(data).hexdigest(), readers, len(data))

    def fetch(self, item: Item) -> Raw:
        """Give one."""
        data = text(int(item.id[5:]), self._changes).encode()
        return Raw(item.id, data, f"{item.id}.txt", "text/plain", title="Rules")


def _nothing(_: Path) -> None:
    """Do nothing: what is in ``items.json`` is all that there is."""


# -- sql: a table of SQLite, with a column that changes and one of readers -------------------------

_SQL = """{type: sql, url: "sqlite:///items.sqlite", query: "SELECT id, body, changed_at, team FROM notes",
    key: id, text: "{body}", title: Note, updated: changed_at,
    readers_column: team, readers_template: "group:{value}"}"""


def _fill_table(folder: Path) -> None:
    items, changes = state(folder)
    rows = ((one, text(one, changes), _moment(one, changes), f"g{one % GROUPS}") for one in range(items))
    with closing(sqlite3.connect(folder / "items.sqlite")) as connection, connection:
        connection.execute(
            "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT, changed_at TEXT, team TEXT)"
        )
        connection.executemany("INSERT INTO notes VALUES (?, ?, ?, ?)", rows)


def _change_rows(folder: Path) -> None:
    items, changes = state(folder)
    rows = [(text(one, changes), _moment(one, changes), one) for one in range(min(items, CHANGED))]
    with closing(sqlite3.connect(folder / "items.sqlite")) as connection, connection:
        connection.executemany("UPDATE notes SET body = ?, changed_at = ? WHERE id = ?", rows)


def _moment(number: int, changes: int) -> str:
    return f"2026-03-{version(number, changes):02}T09:00:00Z"


# -- rest: a wiki's API on loopback, in a process of its own ---------------------------------------

_REST = """
    type: rest
    url: "{base}/content?limit=250&expand=version,restrictions"
    rate: 0
    items: results
    pages: {{style: next, path: _links.next}}
    item:
      version: [version.number]
      title: title
      modified: version.when
      author: version.by.displayName
      link: "https://wiki.example.org{{+_links.webui}}"
      url: "{base}/content/{{id}}?expand=version,body.storage"
    content: {{path: body.storage.value, format: storage}}
    access:
      users: ["restrictions.read.restrictions.user.results[].email"]
      groups: ["restrictions.read.restrictions.group.results[].name"]
      unrestricted: [group:staff]"""


@contextmanager
def _api(folder: Path) -> Iterator[str]:
    command = [sys.executable, str(Path(__file__).with_name("paged_api.py")), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield _REST.format(base=server.stdout.readline().strip())
        finally:
            server.terminate()


KINDS = {
    # The section is of another type; the measured process puts the connector in its place.
    "memory": Kind(
        _nothing, _nothing, lambda _: nullcontext("{type: beir, path: ., readers: [everyone]}"), Made
    ),
    "sql": Kind(_fill_table, _change_rows, lambda _: nullcontext(_SQL)),
    "rest": Kind(_nothing, _nothing, _api),
}
