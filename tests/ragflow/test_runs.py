"""Run records: chained, provable after erasure, written by many at once."""

import hashlib
import json
import multiprocessing
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexes.errors import StoreDamaged, StoreNotWritable, StoreTooNew
from ragflow.records import FIRST, Run, canonical, digest_of, new_id, sha256
from ragflow.runs import RunStore
from ragflow.workflows.database import Database

QUOTE = "Employees receive 28 days of paid leave."
REVISION = "a" * 64


def a_run(
    run: str, *, owner: str = "user:mia", document: str = "hr/leave.md", created: str | None = None
) -> Run:
    citation = {
        "id": 1, "document": document, "revision": REVISION, "start": 0, "end": len(QUOTE), "quote": QUOTE,
        "anchors": [{"kind": "heading", "label": "Leave", "start": 0, "end": 90}], "link": None,
    }  # fmt: skip
    output = {
        "schema": "ragflow.ask/1", "answer": f"{QUOTE} [1]", "claims": [{"text": QUOTE, "citations": [1]}],
        "citations": [citation], "warnings": ["the documents disagree: 28 days of Leave and 30"],
    }  # fmt: skip
    return Run(
        run=run, kind="ask", created=created or "2026-11-22T18:30:00Z", actor=(owner, "everyone"),
        status="done", outcome="answered", exit_code=0, config_digest="c", generation="g-1", version="0.1.0",
        input={"question": "How many days?"}, output=output,
        steps=({"name": "search", "output": {"hits": 3}, "ms": 4},),
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs.sqlite")


def change(store: RunStore, statement: str, *values: object) -> None:
    connection = sqlite3.connect(store.path)
    with connection:
        connection.execute(statement, values)
    connection.close()


def forget(run: str = "r-forget") -> Run:
    return replace(a_run(run), output=None, steps=())


def test_a_file_that_others_made_first_holds_no_run(store: RunStore) -> None:
    with Database.of_file(store.path):
        pass
    assert (store.list(10), store.get("r-1"), store.check("r-1"), store.cited()) == ((), None, None, set())
    assert list(store.each()) == []
    assert store.add(a_run("r-1")).previous == FIRST
    assert [one.run for one in store.each()] == ["r-1"]


def test_each_gives_the_runs_of_an_owner_since_a_time_oldest_first(store: RunStore) -> None:
    for name, owner, day in (("r-1", "user:mia", 3), ("r-2", "user:lea", 4), ("r-3", "user:mia", 4)):
        store.add(a_run(name, owner=owner, created=f"2026-11-0{day}T00:00:00Z"))
    assert [one.run for one in store.each()] == ["r-1", "r-2", "r-3"]
    assert [one.run for one in store.each(owner="user:mia")] == ["r-1", "r-3"]
    assert [one.run for one in store.each(owner="user:mia", since="2026-11-04T00:00:00Z")] == ["r-3"]


def test_an_unwritten_store_is_empty_and_reading_makes_no_file(store: RunStore) -> None:
    assert (store.list(5), store.get("r"), store.check("r")) == ((), None, None)
    assert store.cited() == set()
    assert not store.path.exists()


def test_each_run_is_chained_to_the_one_before(store: RunStore) -> None:
    runs = [store.add(a_run(f"r-{number}")) for number in range(3)]
    assert [run.previous for run in runs] == [FIRST, runs[0].digest, runs[1].digest]
    assert [store.check(run.run) for run in runs] == ["intact"] * 3
    assert store.list(2) == (runs[2], runs[1])
    assert store.get("r-1") == runs[1]


def test_the_last_run_is_the_owners_own(store: RunStore) -> None:
    store.add(a_run("r-1"))
    store.add(a_run("r-2", owner="user:jo"))
    (found,) = store.list(1, owner="user:mia")
    assert found is not None
    assert found.run == "r-1"
    assert [run.run for run in store.list(9, owner="user:jo")] == ["r-2"]


def test_the_file_is_private(store: RunStore) -> None:
    store.add(a_run("r-1"))
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600


def test_the_digest_is_the_pinned_one(store: RunStore) -> None:
    shown = store.add(a_run("r-1")).to_json()
    bare = {key: value for key, value in shown.items() if key != "digest"}
    bare |= {"input": sha256(shown["input"]), "output": sha256(shown["output"])}
    bare["steps"] = [{**step, "output": sha256(step["output"])} for step in shown["steps"]]
    assert shown["digest"] == sha256(bare)


def test_any_changed_character_of_a_record_is_found(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs.sqlite")
    for number in range(3):
        store.add(a_run(f"r-{number}"))
    run = store.get("r-1")
    assert run is not None
    record = canonical(run.to_json())
    connection = sqlite3.connect(store.path)
    for place in range(0, len(record), 7):
        other = "x" if record[place] != "x" else "y"
        with connection:
            connection.execute(
                "UPDATE runs SET record = ? WHERE run = 'r-1'", [record[:place] + other + record[place + 1 :]]
            )
        assert store.check("r-1") == "changed", record[max(0, place - 9) : place + 9]
    connection.close()


@pytest.mark.parametrize("column", ["owner", "kind", "created"])
def test_a_changed_column_is_found(store: RunStore, column: str) -> None:
    store.add(a_run("r-1"))
    change(store, f"UPDATE runs SET {column} = 'other'")
    assert store.check("r-1") == "changed"


def test_a_record_rewritten_with_a_new_digest_breaks_the_chain(store: RunStore) -> None:
    for number in range(2):
        store.add(a_run(f"r-{number}"))
    run = store.get("r-0")
    assert run is not None
    forged = replace(run, outcome="not_found")
    forged = replace(forged, digest=digest_of(forged.to_json()))
    change(store, "UPDATE runs SET record = ? WHERE run = 'r-0'", canonical(forged.to_json()))
    assert store.check("r-0") == "changed"


def test_a_removed_run_breaks_the_chain(store: RunStore) -> None:
    for number in range(3):
        store.add(a_run(f"r-{number}"))
    change(store, "DELETE FROM runs WHERE run = 'r-1'")
    assert store.check("r-2") == "changed"


def test_a_record_that_is_no_json_is_damaged_and_changed(store: RunStore) -> None:
    store.add(a_run("r-1"))
    change(store, "UPDATE runs SET record = '{'")
    assert store.check("r-1") == "changed"
    with pytest.raises(StoreDamaged):
        store.get("r-1")


def test_erasing_leaves_no_wording_and_a_provable_record(store: RunStore) -> None:
    store.add(a_run("r-1"))
    store.add(a_run("r-2", document="hr/other.md"))
    named = store.erase("hr/leave.md", forget=forget())
    assert named.output is not None
    assert list(named.output["erased"]) == ["r-1"]
    erased = store.get("r-1")
    assert erased is not None
    assert QUOTE not in canonical(erased.to_json())
    assert "Leave" not in canonical(erased.to_json()["output"])
    assert len(erased.to_json()["output"]["citations"][0]["quote_sha256"]) == 64
    assert [store.check(run) for run in ("r-1", "r-2", "r-forget")] == ["intact"] * 3
    other = store.get("r-2")
    assert other is not None
    assert QUOTE in canonical(other.to_json())


def test_erased_wording_is_not_left_in_the_file(store: RunStore) -> None:
    store.add(a_run("r-1"))
    store.erase("hr/leave.md", forget=forget())
    assert all(b"28 days of paid" not in file.read_bytes() for file in store.path.parent.iterdir())


def test_a_rewritten_output_that_no_forget_names_is_a_changed_record(store: RunStore) -> None:
    run = store.add(a_run("r-1"))
    store.add(a_run("r-2"))
    assert run.output is not None
    forged = replace(
        run, output={**run.output, "answer": "No leave. [1]"}, erased={"output": sha256(run.output)}
    )
    change(store, "UPDATE runs SET record = ? WHERE run = 'r-1'", canonical(forged.to_json()))
    assert store.check("r-1") == "changed"


def test_erasing_twice_is_erasing_once(store: RunStore) -> None:
    store.add(a_run("r-1"))
    store.erase("hr/leave.md", forget=forget())
    once = store.get("r-1")
    again = store.erase("hr/leave.md", forget=forget("r-again"))
    assert again.output is not None
    assert again.output["erased"] == {}
    assert store.get("r-1") == once


def test_expired_runs_lose_content_and_stay_provable(store: RunStore) -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    store.add(a_run("r-old", created="2025-01-01T00:00:00Z"))
    store.add(a_run("r-new", document="hr/new.md", created="2026-11-21T00:00:00Z"))
    assert store.expire(365, now=now) == 1
    assert store.expire(365, now=now) == 0
    old = store.get("r-old")
    assert old is not None
    assert (old.input, old.output, old.steps[0]["output"]) == (None, None, None)
    assert [store.check(run) for run in ("r-old", "r-new")] == ["intact", "intact"]
    assert store.cited() == {("hr/new.md", REVISION)}


def test_a_newer_schema_is_refused(store: RunStore) -> None:
    store.add(a_run("r-1"))
    change(store, "PRAGMA user_version = 99")
    with pytest.raises(StoreTooNew):
        store.list(1)
    with pytest.raises(StoreTooNew):
        store.add(a_run("r-2"))


def test_a_file_that_is_no_database_is_damaged(store: RunStore) -> None:
    store.path.write_bytes(b"not a database, whatever its name says" * 100)
    with pytest.raises(StoreDamaged):
        store.list(1)


def test_a_folder_that_is_not_there_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(StoreNotWritable):
        RunStore(tmp_path / "none" / "runs.sqlite").add(a_run("r-1"))


def look_only(path: str) -> None:
    """Exit 0 when a user without rights reads the run, finds it intact, and cannot write."""
    if os.geteuid() == 0:
        os.setuid(65534)
    store = RunStore(Path(path))
    intact = [run.run for run in store.list(5)] == ["r-1"] and store.check("r-1") == "intact"
    try:
        store.add(a_run("r-2"))
    except StoreNotWritable:
        os._exit(0 if intact else 1)
    os._exit(2)


def test_a_read_only_folder_can_be_read_and_not_written() -> None:
    with tempfile.TemporaryDirectory() as folder:  # where another user may look, unlike tmp_path
        store = RunStore(Path(folder) / "runs.sqlite")
        store.add(a_run("r-1"))
        store.path.chmod(0o444)
        store.path.parent.chmod(0o555)
        looker = multiprocessing.get_context("fork").Process(target=look_only, args=(str(store.path),))
        looker.start()
        looker.join()
        store.path.parent.chmod(0o700)
    assert looker.exitcode == 0


def add_some(path: str, first: int) -> None:
    for number in range(5):
        RunStore(Path(path)).add(a_run(f"r-{first}-{number}"))


def test_eight_processes_write_at_once_and_the_chain_holds(store: RunStore) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=add_some, args=(str(store.path), number)) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * 8
    runs = store.list(100)
    assert len(runs) == 40
    assert all(late.previous == early.digest for late, early in pairwise(runs))
    assert {store.check(run.run) for run in runs} == {"intact"}


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2100, 1, 1)))  # noqa: DTZ001
def test_an_id_bears_its_moment_in_utc(moment: datetime) -> None:
    moment = moment.replace(tzinfo=UTC) + timedelta(0)
    assert new_id("g", now=moment).startswith(f"g-{moment:%Y%m%dT%H%M%S}-")


def test_a_run_survives_its_json(store: RunStore) -> None:
    run = store.add(a_run("r-1"))
    assert Run.from_json(json.loads(json.dumps(run.to_json()))) == run


SCHEMA_1 = """
CREATE TABLE runs (seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, run VARCHAR NOT NULL UNIQUE,
 kind VARCHAR NOT NULL, owner VARCHAR NOT NULL, created VARCHAR NOT NULL, record TEXT NOT NULL);
CREATE INDEX runs_of_owner ON runs (owner, seq);
CREATE TABLE cited (run VARCHAR NOT NULL, document VARCHAR NOT NULL, revision VARCHAR NOT NULL,
 PRIMARY KEY (run, document, revision));
CREATE INDEX cited_document ON cited (document);
PRAGMA user_version = 1;
"""


@pytest.fixture
def older(store: RunStore) -> RunStore:
    """A file of schema 1, with one run in it."""
    run = replace(a_run("r-old"), previous=FIRST)
    run = replace(run, digest=digest_of(run.to_json()))
    connection = sqlite3.connect(store.path)
    with connection:
        connection.executescript(SCHEMA_1)
        row = (run.run, run.kind, run.actor[0], run.created, canonical(run.to_json()))
        connection.execute("INSERT INTO runs (run, kind, owner, created, record) VALUES (?, ?, ?, ?, ?)", row)
        connection.execute("INSERT INTO cited VALUES (?, ?, ?)", (run.run, "hr/leave.md", REVISION))
    connection.close()
    return store


def version(store: RunStore) -> int:
    connection = sqlite3.connect(store.path)
    (number,) = connection.execute("PRAGMA user_version").fetchone()
    connection.close()
    return int(number)


def test_a_file_of_before_is_read_as_it_is(older: RunStore) -> None:
    assert older.check("r-old") == "intact"
    assert (older.tape("r-old"), older.has_tape("r-old"), older.rules("p")) == (None, False, None)
    assert [found for _, _, found in older.check_all()] == ["intact"]
    assert version(older) == 1


def test_the_first_write_gives_a_file_of_before_what_it_lacks(older: RunStore) -> None:
    tape = canonical({"schema": "ragflow.tape/1"}).encode()
    rules = canonical({"answer": {}})
    added = replace(a_run("r-new"), tape=hashlib.sha256(tape).hexdigest(), policy=sha256({"answer": {}}))
    older.add(added, tape=tape, rules=rules)
    assert version(older) == 2
    assert (older.tape("r-new"), older.rules(str(added.policy))) == (tape, {"answer": {}})
    assert [older.check(run) for run in ("r-old", "r-new")] == ["intact"] * 2
    older.erase("hr/leave.md", forget=forget())
    assert [older.check(run) for run in ("r-old", "r-new", "r-forget")] == ["intact"] * 3


def test_rules_are_kept_once_for_all_runs(store: RunStore) -> None:
    for number in range(3):
        store.add(replace(a_run(f"r-{number}"), policy="p"), rules="{}")
    connection = sqlite3.connect(store.path)
    assert connection.execute("SELECT count(*) FROM rules").fetchone() == (1,)
    connection.close()


@pytest.mark.parametrize("held", ['"document":"hr/leave.md"', '"also":["hr/leave.md@0123456789ab:0-5"]'])
def test_a_tape_that_holds_a_document_goes_with_it(store: RunStore, held: str) -> None:
    for name, text in (("r-1", held), ("r-2", '"document":"hr/leave.md.txt"')):
        tape = f"{{{text}}}".encode()
        run = replace(a_run(name, document="hr/other.md"), tape=hashlib.sha256(tape).hexdigest())
        store.add(run, tape=tape)
    gone = store.erase("hr/leave.md", forget=forget())
    assert (gone.output or {})["tapes"] == ["r-1"]
    assert (store.tape("r-1"), store.has_tape("r-2")) == (None, True)
    assert (store.forgotten("r-1"), store.forgotten("r-2")) == ("r-forget", None)
    assert [store.check(run) for run in ("r-1", "r-2", "r-forget")] == ["intact"] * 3


LEAVE_WAL = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=0)
print(connection.execute("PRAGMA journal_mode = DELETE").fetchone())
"""


def test_writing_a_record_leaves_the_locks_of_other_connections_of_the_process(store: RunStore) -> None:
    """A descriptor of the file that is closed would drop them: another process could remove the log."""
    store.add(a_run("r-1"))
    with closing(sqlite3.connect(store.path)) as other:
        other.execute("SELECT count(*) FROM runs").fetchone()
        store.add(a_run("r-2"))
        command = [sys.executable, "-c", LEAVE_WAL, str(store.path)]
        tried = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "database is locked" in tried.stderr, tried.stdout
