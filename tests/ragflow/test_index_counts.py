"""What an index run does is what has changed: counted in the source, at the parser, and at the model."""

import sqlite3
from collections import Counter

import pytest
from confluence_server import TOKEN, ConfluenceServer

from indexes.testing import InlinePool, World
from ragflow import sources
from ragflow.config import load

ITEMS = 300
WORDS = ("leave", "travel", "notice", "bonus", "parking", "laptop")
SQL = """
    type: sql
    url: "sqlite:///notes.sqlite"
    query: SELECT id, body, changed_at, team FROM notes
    key: id
    text: "{body}"
    title: Note
    updated: changed_at
    readers_column: team
    readers_template: "group:{value}"
"""
REST = """
    type: rest
    url: "%s?limit=100&expand=version,restrictions"
    auth: {token_env: WIKI_TOKEN}
    rate: 0
    items: results
    pages: {style: next, path: _links.next, prefix: /wiki}
    item: {version: [version.number], title: title, url: "%s/{id}?expand=version,body.storage"}
    content: {path: body.storage.value, format: storage}
    access:
      users: ["restrictions.read.restrictions.user.results[].email"]
      groups: ["restrictions.read.restrictions.group.results[].name"]
      unrestricted: [group:staff]
"""


class Table:
    """Notes in SQLite."""

    section = SQL

    def __init__(self, folder):
        self.connection = sqlite3.connect(folder / "notes.sqlite", isolation_level=None)
        self.connection.execute("PRAGMA synchronous=OFF")
        self.connection.execute(
            "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT, changed_at INTEGER, team TEXT)"
        )

    def put(self, number, text, version):
        row = (number, text, version, "hr")
        self.connection.execute("INSERT OR REPLACE INTO notes VALUES (?, ?, ?, ?)", row)

    def restrict(self, number):
        self.connection.execute("UPDATE notes SET team = 'board' WHERE id = ?", (number,))

    def asked(self):
        """Give what the source itself counted: SQLite counts nothing."""

    def close(self):
        self.connection.close()


class Wiki:
    """The same notes as pages of a wiki."""

    def __init__(self, server):
        self.server = server
        self.section = REST % (server.api, server.api)

    def put(self, number, text, version):
        self.server.put(str(number), body=f"<p>{text}</p>", groups=("hr",))

    def restrict(self, number):
        self.server.restrict(str(number), groups=["board"])

    def asked(self):
        """Give how many pages were asked for alone."""
        return self.server.asked["page"]

    def close(self):
        """Leave the server to who began it."""


@pytest.fixture(params=["sql", "rest"])
def notes(request, tmp_path, monkeypatch):
    monkeypatch.setenv("WIKI_TOKEN", TOKEN)
    with ConfluenceServer() as server:
        notes = Table(tmp_path) if request.param == "sql" else Wiki(server)
        for number in range(ITEMS):
            notes.put(number, f"The rule of {WORDS[number % len(WORDS)]} holds for everybody.", 1)
        yield notes
        notes.close()


class Counting:
    """An embedder that counts the texts it is given."""

    def __init__(self, embedder, counts):
        self.embedder, self.counts = embedder, counts
        self.key, self.dimensions, self.max_tokens = embedder.key, embedder.dimensions, embedder.max_tokens
        self.token_offsets = embedder.token_offsets

    def embed(self, texts, *, queries=False):
        self.counts["embedded"] += len(texts)
        return self.embedder.embed(texts, queries=queries)


@pytest.fixture
def index(notes, tmp_path, embedder, monkeypatch):
    """Run the index walk; give its report and counts of what it did."""
    (tmp_path / "ragflow.yaml").write_text(
        f"version: 1\nsources:\n  notes: {notes.section}\noutbound: {{allow: [127.0.0.1]}}\n"
    )
    config = load(tmp_path / "ragflow.yaml")
    counts = Counter()
    world = World(tmp_path / "world", Counting(embedder, counts))

    class Pool(InlinePool):
        def parse_all(self, raws):
            for one in super().parse_all(raws):
                counts["parsed"] += 1
                yield one

    monkeypatch.setattr("indexes.testing.InlinePool", Pool)

    def index():
        counts.clear()
        asked = notes.asked()
        spec = sources.spec(config, "notes")
        fetch = spec.connector.fetch

        def fetched(item):
            counts["fetched"] += 1
            return fetch(item)

        monkeypatch.setattr(spec.connector, "fetch", fetched)
        report = world.run([spec])
        if asked is not None:
            assert notes.asked() - asked == counts["fetched"]
        return report, (counts["fetched"], counts["parsed"], counts["embedded"])

    yield index
    world.close()


def test_each_item_is_fetched_once_and_each_text_embedded_once_and_then_nothing(index):
    first, counts = index()
    assert first.sources["notes"].added == first.chunks == ITEMS
    assert counts == (ITEMS, ITEMS, len(WORDS))
    again, counts = index()
    assert counts == (0, 0, 0)
    assert (again.promoted, again.generation) == (False, first.generation)
    assert again.sources["notes"].unchanged == ITEMS


def test_what_has_changed_is_fetched_parsed_and_embedded_and_no_more(index, notes):
    index()
    for number in (7, 150, 299):
        notes.put(number, f"Note {number} says something new.", 2)
    report, counts = index()
    assert counts == (3, 3, 3)
    assert (report.sources["notes"].updated, report.sources["notes"].unchanged) == (3, ITEMS - 3)
    assert index()[1] == (0, 0, 0)


def test_a_change_of_access_fetches_parses_and_embeds_nothing(index, notes):
    index()
    notes.restrict(7)
    report, counts = index()
    assert counts == (0, 0, 0)
    assert report.sources["notes"].access_changed == 1
