"""``connectors list`` and ``connectors test``: what they print, and with which exit code."""

import json
import re
import sqlite3

import pytest

from ragflow.cli import main
from ragflow.source_sections import SOURCE_TYPES

CONFIG = """\
version: 1
sources:
  hr: {type: files, path: docs, readers: [everyone]}
  crm:
    type: sql
    url: sqlite:///crm.db
    query: SELECT * FROM tickets
    key: id
    text: "{body}"
    readers_column: who
  gone: {type: files, path: nowhere, readers: [everyone]}
  empty: {type: files, path: nothing, readers: [everyone]}
  shut: {type: sql, url_env: RAGFLOW_TEST_NO_SUCH_URL, query: SELECT 1, key: id, text: x}
"""
LIST = """\
type   by        needs                       sources
files  built-in  s3 for s3://                hr, gone, empty
beir   built-in
sql    built-in  postgres for postgresql://  crm, shut
"""
TEST = """\
hr (files): ok
  2 items listed in 0.0 s, the first is a\\x1b.md
  2 fetched; a\\x1b.md parsed, 3 characters
crm (sql): ok
  4 items listed in 0.0 s, the first is 1
  nobody may read 3 of them: the source names no readers for them
  3 fetched; 1 parsed, 6 characters
gone (files): failed
  error: cannot list FOLDER/nowhere: No such file or directory
  hint: check that the path exists and that its disk is mounted
empty (files): ok
  0 items listed in 0.0 s
shut (sql): failed
  error: the environment variable RAGFLOW_TEST_NO_SUCH_URL is not set
  hint: `url_env` names it: set it
"""


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "nothing").mkdir()
    (tmp_path / "docs" / "a\x1b.md").write_text("# One")
    (tmp_path / "docs" / "b.md").write_text("# Two")
    connection = sqlite3.connect(tmp_path / "crm.db")
    connection.execute("CREATE TABLE tickets (id integer, body text, who text)")
    rows = [(1, "Broken", "user:mia"), (2, "Slow", None), (3, "Lost", "mia"), (4, "Late", "")]
    connection.executemany("INSERT INTO tickets VALUES (?, ?, ?)", rows)
    connection.commit()
    connection.close()
    (tmp_path / "ragflow.yaml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def run(workspace, capsys):
    def run(*arguments):
        code = main(["-C", str(workspace), "connectors", *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_list_shows_types_needs_and_sources(run):
    code, out, _ = run("list")
    # Types that are built in later stand between these: the lines are compared, not the table.
    assert code == 0
    squeezed = {re.sub(r"  +", "  ", line) for line in out.splitlines()}
    assert {re.sub(r"  +", "  ", line) for line in LIST.splitlines()} <= squeezed
    assert all(len(line) <= 80 for line in out.splitlines())


def test_list_as_json_is_one_object_a_line(run):
    code, out, _ = run("list", "--json")
    rows = {row["type"]: row for row in map(json.loads, out.splitlines())}
    assert code == 0
    assert rows["sql"] == {
        "schema": "ragflow.connector/1",
        "type": "sql",
        "by": "built-in",
        "extra": "postgres",
        "extra_for": "postgresql://",
        "installed": True,
        "sources": ["crm", "shut"],
    }
    assert (rows["beir"]["extra"], rows["beir"]["sources"]) == (None, [])


def test_test_tells_of_each_source_and_the_code_says_no(run, workspace):
    code, out, err = run("test")
    assert (code, err) == (8, "")
    told = re.sub(r"in \d+\.\d s", "in 0.0 s", out)
    expected = TEST.replace("FOLDER", str(workspace))
    # White space apart: lines are folded after the folder's name, and within it where it is long.
    assert re.sub(r"\s+", "", told) == re.sub(r"\s+", "", expected)
    assert all(len(line) <= 80 or str(workspace) in line for line in out.splitlines())


def test_test_as_json_is_one_object(run):
    code, out, _ = run("test", "--json", "crm", "gone")
    told = json.loads(out)
    assert (code, told["schema"], list(told["sources"])) == (8, "ragflow.connectors_test/1", ["crm", "gone"])
    told["sources"]["crm"]["seconds"] = 0.1
    assert told["sources"]["crm"] == {
        "type": "sql",
        "status": "ok",
        "items": 4,
        "nobody": 3,
        "seconds": 0.1,
        "first": "1",
        "fetched": 3,
        "unreadable": [],
        "parsed": "1",
        "characters": 6,
        "broken": [],
        "error": None,
        "hint": None,
    }
    assert told["sources"]["gone"]["status"] == "failed"
    assert told["sources"]["gone"]["hint"]


def test_sources_that_work_are_0(run):
    assert run("test", "hr", "empty")[0] == 0


def test_a_source_that_is_not_there_is_a_mistake_of_the_call(run):
    code, out, err = run("test", "hr", "crn")
    assert (code, out) == (2, "")
    assert 'there is no source "crn" (nearest: "crm")' in err
    assert json.loads(run("test", "crn", "--json")[1])["error"]["type"] == "UnknownSource"


def test_testing_writes_no_index(run, workspace):
    before = sorted(path.name for path in workspace.iterdir())
    run("test")
    assert sorted(path.name for path in workspace.iterdir()) == before


def test_rows_that_cannot_be_read_fail_the_source(run, workspace):
    connection = sqlite3.connect(workspace / "crm.db")
    connection.execute("UPDATE tickets SET body = x'ff'")
    connection.commit()
    connection.close()
    code, out, _ = run("test", "crm", "--json")
    found = json.loads(out)["sources"]["crm"]
    assert (code, found["status"]) == (8, "failed")
    assert found["error"] == "none of the 3 items that were tried can be read"
    assert found["unreadable"] == ["1: damaged", "2: damaged", "3: damaged"]


def test_the_index_page_names_every_type(repository):
    page = (repository / "docs" / "connectors" / "README.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| \[(\w+)\]\(", page, re.MULTILINE))
    assert set(SOURCE_TYPES) <= listed
