"""sql sources as ragflow.yaml has them, and the page that describes them."""

import re
import sqlite3

import pytest
import yaml

from connectors.errors import SourceMisconfigured
from ragflow import sources
from ragflow.config import load
from ragflow.source_sections import SqlSource

QUERY = "query: SELECT * FROM t, key: id, text: '{body}'"


@pytest.fixture
def configured(tmp_path):
    def configured(words, **environ):
        file = tmp_path / "ragflow.yaml"
        file.write_text(f"sources:\n  s: {{type: sql, {words}}}\n")
        return load(file, environ=environ)

    return configured


@pytest.fixture
def table(tmp_path):
    folder = tmp_path / "50%41 data"
    folder.mkdir()
    connection = sqlite3.connect(folder / "x.db")
    connection.execute("CREATE TABLE t (id integer, body text, who text)")
    connection.execute("INSERT INTO t VALUES (1, 'one', 'mia'), (2, 'two', NULL)")
    connection.commit()
    connection.close()
    return folder


def test_a_relative_path_of_sqlite_starts_at_the_file(configured, table):
    spec = sources.spec(configured(f"url: 'sqlite:///50%2541 data/x.db', {QUERY}"), "s")
    assert [item.id for item in spec.connector.list()] == ["1", "2"]
    absolute = str(table).replace("%", "%25")
    spec = sources.spec(configured(f"url: 'sqlite:///{absolute}/x.db', {QUERY}"), "s")
    assert [item.id for item in spec.connector.list()] == ["1", "2"]


def test_the_column_decides_who_reads_and_the_sources_readers_read_all(configured, table):
    words = f"url: 'sqlite:///50%2541 data/x.db', {QUERY}, readers: [group:all]"
    alone = sources.spec(configured(words), "s")
    assert (alone.ceiling, alone.fetchers) == (frozenset({"group:all"}), 4)
    told = sources.spec(configured(f"{words}, readers_column: who, readers_template: 'user:{{value}}'"), "s")
    assert told.ceiling is None
    assert [told.admits(item.readers) for item in told.connector.list()] == [
        ("group:all", "user:mia"),
        ("group:all",),
    ]


def test_the_url_of_a_variable_is_read_when_the_source_is(configured, table, monkeypatch):
    config = configured(f"url_env: DESK, {QUERY}")
    monkeypatch.delenv("DESK", raising=False)
    for value in (None, "no url with hunter2 in it"):
        if value is not None:
            monkeypatch.setenv("DESK", value)
        spec = sources.spec(config, "s")  # a source that cannot be made does not stop the others
        with pytest.raises(SourceMisconfigured) as caught:
            list(spec.connector.list())
        assert "hunter2" not in str(caught.value)
    monkeypatch.setenv("DESK", "sqlite:///50%2541 data/x.db")
    assert len(list(sources.spec(config, "s").connector.list())) == 2


@pytest.fixture(scope="module")
def page(repository):
    return (repository / "docs" / "connectors" / "sql.md").read_text(encoding="utf-8")


def test_the_pages_configuration_is_one(page, tmp_path):
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    file = tmp_path / "ragflow.yaml"
    file.write_text(block)
    assert load(file, environ={}).sources["tickets"].own_readers
    assert set(yaml.safe_load(block)["sources"]["tickets"]) <= set(SqlSource.model_fields)


def test_the_page_names_every_key_with_its_default(page):
    common = {"type", "readers", "description", "examples", "parser"}
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|\s*`?([^|`]*?)`?\s*\|", page, re.MULTILINE)
    told = {name: default for names, default in rows for name in re.findall(r"\w+", names)}
    fields = {name: field for name, field in SqlSource.model_fields.items() if name not in common}
    assert set(told) == set(fields)
    for name, field in fields.items():
        default = "" if field.is_required() or field.default is None else str(field.default)
        assert told[name] == default, name
