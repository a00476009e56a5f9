"""Rows of SQLite and of a real PostgreSQL server as items."""

import datetime as dt
import gc
import json
import random
import sqlite3
import threading
import unicodedata
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from postgres import PASSWORD

from connectors.errors import (
    AccessDenied,
    ConnectorError,
    ExtraMissing,
    SourceMisconfigured,
    SourceUnavailable,
    UnreadableDocument,
)
from connectors.items import Item
from connectors.retrying import Patience
from connectors.sql import Rows, Sql, SqlLimits
from connectors.sql_rows import RowReaders, Template, digest, item_id, key_of, moment, tagged, text_of
from connectors.testing import ConnectorContract

TICKETS = Rows("SELECT * FROM tickets", ("id",), "{subject}\n\n{body}")
QUICK = Patience(tries=8, first=0.001, longest=0.01)
NASTY = [
    "'; DROP TABLE tickets; --",
    '" OR 1=1 --',
    "%s %(x)s %%",
    ":x ?1 $1",
    "{subject}",
    "a/b",
    "\\'",
    "é",
]


class SqliteFile:
    """A database file that tests write and the connector reads."""

    def __init__(self, path):
        self.path = path
        self.url = f"sqlite:///{quote(str(path))}"
        self.run("PRAGMA journal_mode=WAL")

    def run(self, statement, values=None, *, many=False):
        connection = sqlite3.connect(self.path)
        try:
            with connection:
                execute = connection.executemany if many else connection.execute
                return execute(statement.replace("%s", "?"), values or ()).fetchall()
        finally:
            connection.close()


class PostgresDatabase:
    def __init__(self, server):
        self.server = server
        self.url = server.database()

    def run(self, statement, values=None, *, many=False):
        return self.server.run(self.url, statement, values, many=many)


@pytest.fixture
def sqlite(tmp_path):
    return SqliteFile(tmp_path / "odd name #1?%41.db")


@pytest.fixture
def pg(postgres):
    return PostgresDatabase(postgres)


@pytest.fixture(params=["sqlite", "pg"])
def db(request):
    return request.getfixturevalue(request.param)


def tickets(db, count=3):
    db.run("CREATE TABLE tickets (id integer primary key, subject text, body text, who text, updated text)")
    rows = [
        (i, f"Subject {i}", f"Body {i}", "user:mia", f"2026-01-{i % 28 + 1:02}") for i in range(1, count + 1)
    ]
    db.run("INSERT INTO tickets VALUES (%s, %s, %s, %s, %s)", rows, many=True)
    return db


def sql(db, rows=TICKETS, **settings):
    limits = settings.pop("limits", SqlLimits(patience=QUICK))
    return Sql(getattr(db, "url", db), rows, **{"readers": ["everyone"], "limits": limits, **settings})


def everything(source):
    """What a sync would end with: each item with its bytes."""
    return {item.id: (item, source.fetch(item).data) for item in source.list()}


def failing(db, rows=TICKETS, **settings):
    with pytest.raises(ConnectorError) as caught:
        list(sql(db, rows, **settings).list())
    assert caught.value.hint
    assert PASSWORD not in str(caught.value)
    return caught.value


class TestSqliteContract(ConnectorContract):
    @pytest.fixture(autouse=True)
    def _source(self, sqlite):
        self.db = tickets(sqlite)

    def connector(self):
        return sql(self.db)


class TestPostgresContract(ConnectorContract):
    @pytest.fixture(autouse=True)
    def _source(self, pg):
        pg.run("CREATE TABLE parts (project text, number int, body text, who text[], updated timestamptz)")
        values = [
            (f"p/{i % 3}", i, f"Body {i}", ["mia", "bo"], dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
            for i in range(30)
        ]
        pg.run("INSERT INTO parts VALUES (%s, %s, %s, %s, %s)", values, many=True)
        self.db = pg

    def connector(self):
        rows = Rows("SELECT * FROM parts", ("project", "number"), "{body}", updated="updated")
        return sql(self.db, rows, row_readers=RowReaders("who", template="user:{value}"))


# -- rows ----------------------------------------------------------------------------------------------


def test_a_row_becomes_an_item_and_its_text(db):
    rows = replace(
        TICKETS,
        title="{subject} ({id})",
        link="https://desk.example.org/{subject}?n={id}",
        author="who",
        modified="updated",
        updated="updated",
    )
    source = sql(tickets(db, 1), rows, row_readers=RowReaders("who"))
    (item,) = source.list()
    raw = source.fetch(item)
    assert (item.id, item.readers) == ("1", ("everyone", "user:mia"))
    assert (raw.data, raw.name, raw.media_type) == (
        b"Subject 1\n\nBody 1",
        "1.txt",
        "text/plain; charset=utf-8",
    )
    assert (raw.title, raw.author, raw.modified) == ("Subject 1 (1)", "user:mia", "2026-01-02T00:00:00")
    assert raw.link == "https://desk.example.org/Subject%201?n=1"


@pytest.mark.parametrize(("form", "name"), [("text", "1.txt"), ("html", "1.html"), ("markdown", "1.md")])
def test_the_format_decides_the_parser(sqlite, form, name):
    source = sql(tickets(sqlite, 1), replace(TICKETS, format=form))
    assert source.fetch(next(source.list())).name == name


def test_a_new_value_of_the_watermark_is_a_new_fingerprint_and_nothing_else_is(db):
    source = sql(tickets(db), replace(TICKETS, updated="updated"))
    before = {item.id: item.fingerprint for item in source.list()}
    assert len(set(before.values())) == 3
    db.run("UPDATE tickets SET subject = 'other', who = 'user:bo' WHERE id = 1")
    assert {item.id: item.fingerprint for item in source.list()} == before
    db.run("UPDATE tickets SET updated = '2027' WHERE id = 1")
    after = {item.id: item.fingerprint for item in source.list()}
    assert {name for name in before if before[name] != after[name]} == {"1"}


def test_without_a_watermark_the_columns_of_the_templates_decide(db):
    source = sql(tickets(db))
    before = {item.id: item.fingerprint for item in source.list()}
    db.run("UPDATE tickets SET updated = '2027', who = 'user:bo'")
    assert {item.id: item.fingerprint for item in source.list()} == before
    db.run("UPDATE tickets SET body = 'other' WHERE id = 2")
    after = {item.id: item.fingerprint for item in source.list()}
    assert {name for name in before if before[name] != after[name]} == {"2"}


def test_another_template_format_or_query_is_another_fingerprint(db):
    tickets(db, 1)
    marked = replace(TICKETS, updated="updated")
    variants = [
        marked,
        replace(marked, text="{body}"),
        replace(marked, title="{body}"),
        replace(marked, format="html"),
        replace(marked, query="SELECT id, subject, upper(body) AS body, updated FROM tickets"),
        TICKETS,
    ]
    assert len({next(sql(db, rows).list()).fingerprint for rows in variants}) == len(variants)


@pytest.mark.parametrize("end", [";", " ; \n", " -- all of them", "\n-- all;"])
def test_a_query_may_end_as_people_write_it(db, end):
    assert len(list(sql(tickets(db), replace(TICKETS, query=f"SELECT * FROM tickets{end}")).list())) == 3


def test_colons_percents_and_quotes_of_a_query_stay_what_they_are(db):
    words = "12:30 :x \\: %s 100% ?"
    rows = Rows(f"SELECT id, '{words}' AS body FROM tickets WHERE subject LIKE 'S%'", ("id",), "{body}")
    source = sql(tickets(db, 1), rows)
    assert source.fetch(next(source.list())).data == words.encode()


def test_casts_of_postgresql_are_no_parameters(pg):
    source = sql(tickets(pg, 1), Rows("SELECT id::text AS id, body::varchar FROM tickets", ("id",), "{body}"))
    assert source.fetch(next(source.list())).data == b"Body 1"


def test_nasty_values_are_only_values(db):
    db.run("CREATE TABLE tickets (id text primary key, subject text, body text)")
    db.run("INSERT INTO tickets VALUES (%s, %s, %s)", [(one, one, one) for one in NASTY], many=True)
    source = sql(db, replace(TICKETS, link="https://x.example.org/{id}"))
    found = {source.fetch(item).data.decode(): item for item in source.list()}
    assert sorted(found) == sorted(f"{one}\n\n{one}" for one in NASTY)
    for item in found.values():
        link = source.fetch(item).link.removeprefix("https://x.example.org/")
        assert set(link) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-~%")
    assert len(db.run("SELECT * FROM tickets")) == len(NASTY)


@pytest.mark.parametrize(
    "absent", ["1' OR '1'='1", "1 OR 1=1", "0", "01", "1.0", "x/y", "%FF", "9" * 40, "1\x00"]
)
def test_an_id_that_no_row_has_gives_no_row(db, absent):
    with pytest.raises(UnreadableDocument) as caught:
        sql(tickets(db)).fetch(Item(absent, "f", ()))
    assert caught.value.reason in {"vanished", "damaged"}


KEYS = {
    "integer": [0, -5, 2**31 - 1],
    "bigint": [2**53 + 1, -(2**63)],
    "numeric": [Decimal("1.50"), Decimal("-0.000001"), Decimal(10) ** 30],
    "text": ["", "5", "05", "100%", "a/b", "e\u0301", "\u00e9", " x "],
    "varchar(20)": ["mia", "MIA"],
    "uuid": [uuid.UUID(int=7)],
    "date": [dt.date(2026, 1, 31)],
    "timestamp": [dt.datetime(2026, 1, 31, 12, 0, 0, 123456)],  # noqa: DTZ001 - that is the type
    "timestamptz": [dt.datetime(2026, 1, 31, 12, tzinfo=dt.timezone(dt.timedelta(hours=5)))],
}


@pytest.mark.parametrize("kind", KEYS)
def test_a_key_of_any_usual_type_finds_its_row_again(pg, kind):
    pg.run(f"CREATE TABLE t (id {kind}, body text)")
    values = [value for value in KEYS[kind] if value != ""]
    pg.run(
        "INSERT INTO t VALUES (%s, %s)", [(value, f"row {n}") for n, value in enumerate(values)], many=True
    )
    source = sql(pg, Rows("SELECT * FROM t", ("id",), "{body}"))
    found = everything(source)
    assert sorted(data for _, data in found.values()) == sorted(b"row %d" % n for n in range(len(values)))
    assert all(unicodedata.is_normalized("NFC", name) for name in found)


def test_sqlite_finds_numbers_and_texts_whatever_the_column_is(sqlite):
    sqlite.run("CREATE TABLE t (id, body)")
    sqlite.run("INSERT INTO t VALUES (%s, %s)", [(5, "number"), ("x5", "text"), ("05", "zero")], many=True)
    for query in ("SELECT * FROM t", "SELECT id || '' AS id, body FROM t"):
        found = everything(sql(sqlite, Rows(query, ("id",), "{body}")))
        assert {name: data for name, (_, data) in found.items()} == {
            "5": b"number",
            "x5": b"text",
            "05": b"zero",
        }
    assert list(
        everything(
            sql(
                sqlite,
                Rows("SELECT length(body) * 10 AS id, body FROM t WHERE body = 'zero'", ("id",), "{body}"),
            )
        )
    ) == ["40"]


def test_types_of_postgresql_are_text_that_people_read(pg):
    shown = {
        "'2026-01-31'::date": "2026-01-31",
        "'2026-01-31 12:00+05'::timestamptz": "2026-01-31T07:00:00Z",
        "'12:30'::time": "12:30:00",
        "1.50": "1.50",
        "1e20::numeric": "100000000000000000000",
        "true": "true",
        "NULL": "",
        "convert_to('caf\u00e9', 'UTF8')": "caf\u00e9",
        "ARRAY['a', 'b']": "a, b",
        "ARRAY[1, NULL]": "1, ",
        """'{"b": [1, "\u00e9"], "a": null}'::jsonb""": '{"a": null, "b": [1, "\u00e9"]}',
        "'00000000-0000-0000-0000-000000000007'::uuid": "00000000-0000-0000-0000-000000000007",
        "'10.0.0.1'::inet": "10.0.0.1",
    }
    columns = ", ".join(f"{written} AS c{n}" for n, written in enumerate(shown))
    template = "|".join(f"{{c{n}}}" for n in range(len(shown)))
    source = sql(pg, Rows(f"SELECT 1 AS id, {columns}", ("id",), template))
    (item,) = source.list()
    assert source.fetch(item).data.decode().split("|") == list(shown.values())


def test_what_cannot_be_read_fails_its_row_alone(pg):
    values = "(1, '2026-01-01'::date, '\\x41'::bytea), (2, 'infinity', '\\xff')"
    query = f"SELECT * FROM (VALUES {values}) AS t (id, day, raw)"
    binary = sql(pg, Rows(query, ("id",), "{raw}"))
    one, two = binary.list()
    assert binary.fetch(one).data == b"A"
    with pytest.raises(UnreadableDocument, match="no UTF-8") as caught:
        binary.fetch(two)
    assert caught.value.reason == "damaged"
    dated = sql(pg, Rows(f"SELECT *, 1 AS mark FROM ({query}) AS q", ("id",), "{day}", updated="mark"))
    one, two = dated.list()
    assert dated.fetch(one).data == b"2026-01-01"
    with pytest.raises(UnreadableDocument) as caught:
        dated.fetch(two)
    assert caught.value.reason == "damaged"


def test_text_of_sqlite_that_is_no_utf8_fails_its_row_alone(sqlite):
    sqlite.run("CREATE TABLE t (id integer, body text, mark integer)")
    sqlite.run("INSERT INTO t VALUES (1, 'good', 1), (2, CAST(x'ff41' AS TEXT), 1)")
    source = sql(sqlite, Rows("SELECT * FROM t", ("id",), "{body}", updated="mark"))
    one, two = source.list()
    assert source.fetch(one).data == b"good"
    with pytest.raises(UnreadableDocument) as caught:
        source.fetch(two)
    assert caught.value.reason == "damaged"


def test_a_text_over_the_limit_is_refused_and_the_rest_is_read(db):
    tickets(db)
    db.run("UPDATE tickets SET body = %s WHERE id = 2", ("x" * 500,))
    source = sql(db, limits=SqlLimits(max_bytes=100, patience=QUICK))
    reasons = {}
    for item in source.list():
        try:
            source.fetch(item)
        except UnreadableDocument as error:
            reasons[item.id] = error.reason
    assert reasons == {"2": "too_large"}


def test_a_row_that_went_since_it_was_listed_has_vanished(db):
    source = sql(tickets(db))
    item = next(source.list())
    db.run("DELETE FROM tickets")
    with pytest.raises(UnreadableDocument) as caught:
        source.fetch(item)
    assert caught.value.reason == "vanished"


def test_several_threads_fetch_at_once(db):
    source = sql(tickets(db, 60), limits=SqlLimits(connections=3, patience=QUICK))
    items = list(source.list())
    with ThreadPoolExecutor(6) as pool:
        fetched = list(pool.map(lambda item: source.fetch(item).data, items))
    assert fetched == [f"Subject {item.id}\n\nBody {item.id}".encode() for item in items]


# -- readers -------------------------------------------------------------------------------------------

READERS = [
    ("user:mia", ("user:mia",)),
    ("user:mia, group:hr,user:mia", ("user:mia", "group:hr")),
    ("everyone", ("everyone",)),
    ("user:mia,", ("user:mia",)),
    ('["user:mia", "group:hr"]', ("user:mia", "group:hr")),
    (["user:mia"], ("user:mia",)),
    (None, ()),
    ("", ()),
    (" , ", ()),
    ("mia", ()),
    ("user:mia, mia", ()),
    ("user:mia group:hr", ()),
    ("EVERYONE", ()),
    ("user:", ()),
    ('["user:mia", 5]', ()),
    ('["user:mia", null]', ()),
    ('["user:mia"', ()),
    ('{"user": "mia"}', ()),
    ("[]", ()),
    ("[" * 100_000, ()),
    (5, ()),
    (True, ()),
    (["user:mia", ["everyone"]], ()),
    ({"user": "mia"}, ()),
]


@pytest.mark.parametrize(("value", "expected"), READERS)
def test_whoever_a_column_does_not_name_clearly_reads_nothing(value, expected):
    assert RowReaders("who").of(value) == expected


def test_a_template_makes_readers_of_names():
    named = RowReaders("who", separator=";", template="user:{value}")
    assert named.of("mia; bo") == ("user:mia", "user:bo")
    assert named.of("mia;Bo Li") == ()
    assert named.of("mia, bo") == ()
    assert named.of("everyone") == ("user:everyone",)


def test_the_sources_readers_read_every_row_besides(db):
    tickets(db)
    db.run("UPDATE tickets SET who = NULL WHERE id = 2")
    source = sql(db, readers=["group:all"], row_readers=RowReaders("who"))
    assert [item.readers for item in sorted(source.list(), key=lambda item: item.id)] == [
        ("group:all", "user:mia"),
        ("group:all",),
        ("group:all", "user:mia"),
    ]
    assert {item.readers for item in sql(db, readers=[], row_readers=RowReaders("who")).list()} == {
        (),
        ("user:mia",),
    }


@pytest.mark.parametrize(
    "who", ["ARRAY['user:mia', 'group:hr']", """'["user:mia", "group:hr"]'::jsonb""", "'user:mia,group:hr'"]
)
def test_arrays_and_json_of_postgresql_are_lists_of_readers(pg, who):
    source = sql(
        pg, Rows(f"SELECT 1 AS id, {who} AS who", ("id",), "{id}"), readers=[], row_readers=RowReaders("who")
    )
    assert next(source.list()).readers == ("user:mia", "group:hr")


# -- laws of values ------------------------------------------------------------------------------------

columns = st.text(st.characters(exclude_characters="{}"), min_size=1, max_size=8)
texts = st.text(max_size=20)


@given(st.lists(st.tuples(texts, columns | st.none()), max_size=6), st.data())
def test_a_template_is_its_words_and_its_values(parts, data):
    written = "".join(
        words.replace("{", "{{").replace("}", "}}") + ("" if column is None else f"{{{column}}}")
        for words, column in parts
    )
    template = Template.parse(written)
    used = [column for _, column in parts if column is not None]
    assert template.columns == tuple(dict.fromkeys(used))
    values = {column: data.draw(texts) for column in used}
    assert template.fill(values) == "".join(
        words + ("" if column is None else values[column]) for words, column in parts
    )


@given(st.text(alphabet="{}a.[]!: ", max_size=12))
def test_any_text_is_a_template_or_refused_with_its_place(text):
    left = text.replace("{{", "").replace("}}", "")
    try:
        columns = Template.parse(text).columns
    except SourceMisconfigured:
        assert "{" in text or "}" in text
    else:
        assert all("{" not in column and column in text for column in columns)
        assert columns or "{" not in left or "}" not in left


@pytest.mark.parametrize("text", ["{a.__class__}", "{a[0]}", "{a!r}", "{a:>10}"])
def test_a_template_knows_columns_only(text):
    template = Template.parse(text)
    assert template.columns == (text[1:-1],)
    assert template.fill({text[1:-1]: "{b}"}) == "{b}"


key_values = (
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
    | st.integers()
    | st.dates()
    | st.uuids()
)
keys_of_two = st.fixed_dictionaries({"a": key_values, "b": key_values})


@given(st.fixed_dictionaries({"a": key_values}) | keys_of_two)
def test_an_id_leads_back_to_its_key(key):
    name = item_id(key)
    assert unicodedata.is_normalized("NFC", name)
    assert key_of(name, len(key)) == [text_of(value) for value in key.values()]


@given(keys_of_two, keys_of_two)
def test_two_keys_have_two_ids(one, other):
    assume([text_of(value) for value in one.values()] != [text_of(value) for value in other.values()])
    assert item_id(one) != item_id(other)


any_value = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | texts
    | st.binary(max_size=5)
    | st.dates()
    | st.datetimes(timezones=st.none() | st.just(dt.UTC))
    | st.decimals(allow_nan=False, allow_infinity=False, places=2),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(texts, inside, max_size=3),
    max_leaves=6,
)


@given(st.lists(any_value, max_size=3), st.lists(any_value, max_size=3))
def test_equal_digests_are_of_equal_values(one, other):
    assert (digest(one) == digest(other)) == (
        [tagged(value) for value in one] == [tagged(value) for value in other]
    )


def test_types_and_places_are_told_apart():
    values = [
        [None],
        [""],
        ["None"],
        ["1"],
        [1],
        [True],
        [1.0],
        [Decimal(1)],
        [b"1"],
        ["1", ""],
        ["", "1"],
        [["1"]],
        [dt.date(2026, 1, 1)],
        ["2026-01-01"],
    ]
    assert len({digest(value) for value in values}) == len(values)


def test_one_moment_is_one_fingerprint_in_every_zone():
    plus5 = dt.timezone(dt.timedelta(hours=5))
    assert tagged(dt.datetime(2026, 1, 1, 5, tzinfo=plus5)) == tagged(dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    assert moment("2026-01-01T05:00:00+05:00") == "2026-01-01T00:00:00Z"
    assert (moment("yesterday"), moment(5), moment(None)) == (None, None, None)


# -- what goes wrong -----------------------------------------------------------------------------------


def test_a_table_without_the_key_column_is_named_with_what_is_there(db):
    error = failing(tickets(db), replace(TICKETS, key=("number",)))
    assert isinstance(error, SourceMisconfigured)
    assert str(error) == 'the query gives no column "number" (key); it gives: id, subject, body, who, updated'


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"text": "{bdy}"}, '"bdy" (text, title or link)'),
        ({"updated": "changed"}, '"changed" (updated)'),
        ({"author": "owner"}, '"owner" (author)'),
        ({"key": ("ID",)}, '"ID" (key)'),
    ],
)
def test_an_unknown_column_is_named_with_its_use(db, change, words):
    assert words in str(failing(tickets(db), replace(TICKETS, **change)))


def test_an_unknown_column_of_readers_fails_the_source(db):
    assert '"owners" (readers_column)' in str(failing(tickets(db), row_readers=RowReaders("owners")))


def test_a_missing_table_is_told_in_the_databases_own_words(db):
    error = failing(db)
    assert isinstance(error, SourceMisconfigured)
    assert "no such table: tickets" in str(error) or 'relation "tickets" does not exist' in str(error)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("(1, 'a'), (1, 'b')", '"id" is not unique'),
        ("(1, 'a'), (NULL, 'b')", '"id" is NULL'),
    ],
)
def test_a_key_that_is_none_fails_the_source(db, rows, words):
    db.run("CREATE TABLE t (id integer, body text)")
    db.run(f"INSERT INTO t VALUES {rows}")
    error = failing(db, Rows("SELECT * FROM t", ("id",), "{body}"))
    assert isinstance(error, SourceMisconfigured)
    assert words in str(error)


@pytest.mark.parametrize(
    ("value", "words"),
    [("''", "empty"), ("'\\x00'::bytea", "bytes"), ("1.5::float", "float"), ("true", "bool")],
)
def test_a_value_that_makes_no_id_fails_the_source(pg, value, words):
    assert words in str(failing(pg, Rows(f"SELECT {value} AS id", ("id",), "{id}")))


def test_a_key_that_came_twice_fails_the_fetch_too(db):
    source = sql(tickets(db))
    item = next(source.list())
    db.run("CREATE TABLE more AS SELECT * FROM tickets")
    twice = sql(db, replace(TICKETS, query="SELECT * FROM tickets UNION ALL SELECT * FROM more"))
    with pytest.raises(SourceMisconfigured, match="not unique"):
        twice.fetch(item)


def test_a_column_that_comes_twice_is_said(pg):
    assert 'more than one column "id"' in str(
        failing(tickets(pg), Rows("SELECT id, id FROM tickets", ("id",), "x"))
    )


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM tickets RETURNING *",
        "INSERT INTO tickets (id) VALUES (9) RETURNING *",
        "DROP TABLE tickets",
    ],
)
def test_a_query_that_writes_fails_and_writes_nothing(db, query):
    assert isinstance(failing(tickets(db), replace(TICKETS, query=query)), SourceMisconfigured)
    assert len(db.run("SELECT * FROM tickets")) == 3


def test_a_function_that_writes_fails_and_writes_nothing(pg):
    tickets(pg)
    pg.run("CREATE FUNCTION wipe() RETURNS int LANGUAGE sql AS 'DELETE FROM tickets RETURNING id'")
    error = failing(pg, replace(TICKETS, query="SELECT *, wipe() AS wiped FROM tickets"))
    assert "read-only transaction" in str(error)
    assert len(pg.run("SELECT * FROM tickets")) == 3
    off = "SELECT *, set_config('transaction_read_only', 'off', false) AS off, wipe() AS wiped FROM tickets"
    failing(pg, replace(TICKETS, query=off))
    assert len(pg.run("SELECT * FROM tickets")) == 3


def test_a_query_cannot_leave_its_brackets(db):
    tickets(db)
    failing(
        db, replace(TICKETS, query="SELECT * FROM tickets) AS q; DROP TABLE tickets; SELECT * FROM (SELECT 1")
    )
    assert len(db.run("SELECT * FROM tickets")) == 3


def test_a_wrong_password_and_a_right_that_lacks_are_denied(pg, postgres):
    tickets(pg)
    name = pg.url.rsplit("/", 1)[1]
    wrong = failing(postgres.of(name, password="hunter2"))
    assert isinstance(wrong, AccessDenied)
    assert "hunter2" not in str(wrong)
    assert isinstance(failing(postgres.of(name, password="")), AccessDenied)
    assert isinstance(failing(postgres.of(name, user="nobody")), AccessDenied)
    pg.run("CREATE ROLE clerk LOGIN PASSWORD 'clerk'")
    try:
        error = failing(postgres.of(name, user="clerk", password="clerk"))
    finally:
        pg.run("DROP ROLE clerk")
    assert isinstance(error, AccessDenied)
    assert "permission denied for table tickets" in str(error)


def test_a_database_that_is_not_there_is_misconfigured(postgres):
    assert isinstance(failing(postgres.of("nowhere")), SourceMisconfigured)


def test_a_host_that_is_down_is_unavailable_after_several_tries(postgres):
    pauses = []
    url = postgres.of("postgres").replace(f":{postgres.port}/", ":1/")
    error = failing(url, sleep=pauses.append)
    assert isinstance(error, SourceUnavailable)
    assert len(pauses) == QUICK.tries - 1
    source = sql(url, sleep=pauses.append)
    with pytest.raises(SourceUnavailable):
        source.fetch(Item("1", "f", ()))
    assert len(pauses) == 2 * (QUICK.tries - 1)


def test_a_file_that_is_not_there_is_not_made(tmp_path):
    error = failing(f"sqlite:///{tmp_path}/none.db")
    assert isinstance(error, SourceUnavailable)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_misconfigured(tmp_path):
    (tmp_path / "x.db").write_bytes(b"words " * 1000)
    assert "not a database" in str(failing(f"sqlite:///{tmp_path}/x.db"))


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:x?uri=true", "sqlite:///x.db?mode=rw"]
)
def test_only_a_plain_file_of_sqlite_is_opened(url):
    assert isinstance(failing(url), SourceMisconfigured)


def test_a_driver_that_is_not_installed_is_named(monkeypatch):
    assert "pymysql" in str(failing("mysql+pymysql://me:hunter2@db/x")).lower()
    assert isinstance(failing("mysql+pymysql://me:hunter2@db/x"), ExtraMissing)
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    error = failing("postgresql://me:hunter2@db/x")
    assert isinstance(error, ExtraMissing)
    assert "ragflow[postgres]" in error.hint
    assert isinstance(failing("nosuch://me:hunter2@db/x"), SourceMisconfigured)


@pytest.mark.parametrize("url", ["words", "postgresql://me:hunter2@db:port/x", ""])
def test_what_is_no_url_is_not_repeated(url):
    with pytest.raises(SourceMisconfigured) as caught:
        sql(url)
    assert "hunter2" not in str(caught.value)


def test_a_password_is_in_no_message_however_it_is_given(postgres):
    for url in (
        f"{postgres.url}?bogus=1",
        f"postgresql://owner@127.0.0.1:{postgres.port}/postgres?password=hunter2",
        "postgresql://owner:hunter2@127.0.0.1:1/hunter2",
    ):
        error = failing(url)
        assert "hunter2" not in str(error).replace("/hunter2", "")
        assert "two/2@" not in str(error)


def test_a_statement_that_takes_too_long_is_ended(db):
    tickets(db, 200)
    cross = ", ".join(f"tickets AS t{n}" for n in range(5))
    slow = f"SELECT count(*) AS id FROM {cross}"
    limits = SqlLimits(timeout=0.2, patience=QUICK)
    error = failing(db, Rows(slow, ("id",), "{id}"), limits=limits)
    assert isinstance(error, SourceUnavailable)
    assert "timeout" in error.hint
    with pytest.raises(UnreadableDocument) as caught:
        sql(db, Rows(slow, ("id",), "{id}"), limits=limits).fetch(Item("1", "f", ()))
    assert caught.value.reason == "unreachable"


def test_a_locked_sqlite_file_is_tried_again(sqlite):
    tickets(sqlite)
    sqlite.run("PRAGMA journal_mode=DELETE")
    other = sqlite3.connect(sqlite.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    pauses = []

    def pause(seconds):
        pauses.append(seconds)
        if other.in_transaction:
            other.execute("ROLLBACK")

    found = list(sql(sqlite, limits=SqlLimits(timeout=0.05, patience=QUICK), sleep=pause).list())
    other.close()
    assert (len(found), bool(pauses)) == (3, True)


# -- faults --------------------------------------------------------------------------------------------


def watched(source, monkeypatch, before):
    """Call ``before`` between the rows of a listing, and before a row is read."""
    database = source._database
    batches, rows = database.batches, database.rows

    def batches_watched(*arguments):
        for batch in batches(*arguments):
            before("list")
            yield batch
        before("list")

    def rows_watched(*arguments):
        before("fetch")
        return rows(*arguments)

    monkeypatch.setattr(database, "batches", batches_watched)
    monkeypatch.setattr(database, "rows", rows_watched)
    return source


@pytest.mark.parametrize("moment_of", ["list", "fetch"])
def test_a_server_that_crashes_and_comes_back_costs_time_only(pg, postgres, monkeypatch, moment_of):
    expected = everything(sql(tickets(pg, 2500)))
    down = []

    def crash(where):
        if where == moment_of and not down:
            down.append(where)
            postgres.crash()

    def pause(_):
        if len(down) == 1:
            down.append("up")
            postgres.start()

    source = watched(sql(pg, sleep=pause), monkeypatch, crash)
    items = list(source.list())
    assert {item.id: item for item in items} == {name: item for name, (item, _) in expected.items()}
    assert source.fetch(items[7]).data == expected[items[7].id][1]
    assert down == [moment_of, "up"]


def test_a_server_that_stays_away_fails_the_listing_and_gives_nothing(pg, postgres, monkeypatch):
    source = watched(
        sql(tickets(pg, 2500)), monkeypatch, lambda _: postgres.crash() if postgres._process else None
    )
    try:
        with pytest.raises(SourceUnavailable):
            next(source.list())
    finally:
        postgres.start()


def test_cut_connections_lead_to_the_same_state(pg, postgres, monkeypatch, rounds):
    monkeypatch.setattr("connectors.sql_database.BATCH", 50)
    tickets(pg, 300)
    everyone = replace(TICKETS, updated="updated")
    expected = everything(sql(pg, everyone, row_readers=RowReaders("who")))
    name = pg.url.rsplit("/", 1)[1]
    for seed in range(rounds(fast=3, soak=20)):
        chance, cuts = random.Random(seed), []

        def cut(_, chance=chance, cuts=cuts):
            if chance.random() < 0.1:
                query = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s"
                cuts.append(postgres.run(postgres.url, query, (name,)))

        limits = SqlLimits(patience=Patience(tries=15, first=0.001, longest=0.01))
        source = sql(pg, everyone, row_readers=RowReaders("who"), limits=limits)
        assert everything(watched(source, monkeypatch, cut)) == expected, seed
        assert len(cuts) > 10


def test_writes_during_a_listing_are_not_seen_by_it(db, monkeypatch):
    tickets(db, 3000)
    changes = []

    def change(_):
        if not changes:
            changes.append("made")
            db.run("UPDATE tickets SET who = 'user:bo'")
            db.run("DELETE FROM tickets WHERE id > 2900")
            db.run("INSERT INTO tickets (id, who) VALUES (-1, 'user:bo')")

    source = watched(sql(db, readers=[], row_readers=RowReaders("who")), monkeypatch, change)
    first = list(source.list())
    assert changes
    assert (len(first), {item.readers for item in first}) == (3000, {("user:mia",)})
    second = list(source.list())
    assert (len(second), {item.readers for item in second}) == (2901, {("user:bo",)})


def test_writers_all_the_while_never_tear_a_listing(db, rounds):
    tickets(db, 1500)
    stop = threading.Event()

    def write():
        number = 0
        while not stop.is_set():
            number += 1
            db.run("UPDATE tickets SET who = %s", (f"user:u{number}",))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        source = sql(db, readers=[], row_readers=RowReaders("who"))
        for _ in range(rounds(fast=4, soak=40)):
            assert len({item.readers for item in source.list()}) == 1
    finally:
        stop.set()
        writer.join()


def connections(postgres, pg):
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
    return postgres.run(postgres.url, query, (pg.url.rsplit("/", 1)[1],))[0][0]


def test_a_connector_that_is_gone_holds_no_connection(pg, postgres):
    source = sql(tickets(pg))
    items = list(source.list())
    source.fetch(items[0])
    half = source.list()
    next(half)
    half.close()
    assert connections(postgres, pg) == 1
    del source, half
    gc.collect()
    until = 200
    while connections(postgres, pg) and until:  # the server notices a moment later
        until -= 1
    assert until


def test_a_listing_keeps_its_rows_out_of_memory(sqlite, monkeypatch):
    monkeypatch.setattr("connectors.sql._IN_MEMORY", 1000)
    source = sql(tickets(sqlite, 500))
    assert [json.dumps(item.id) for item in source.list()] == [f'"{n}"' for n in range(1, 501)]
