"""``sources forget`` reaches runs in progress: no word of the document is left, in files or in tables."""

import json
import shutil
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import engine_kit
import pytest
import sqlalchemy as sa
from engine_kit import PASSWORD, child, command

import ragflow
from ragflow import forgetting, identity
from ragflow.cli import main
from ragflow.runs import RunStore
from ragflow.workflows import erasing
from ragflow.workflows.database import server_engine

PLACES = ["sqlite", "postgres"]
WORDS = "28 days of paid annual leave in each calendar year"
TEXT = f"# Leave\n\nEvery full-time employee gets {WORDS}.\n"
DOCUMENT = "docs/leave.md"
CONFIG = """\
version: 1
sources: {docs: {type: files, path: docs, readers: [everyone]}}
workflows: [flows]
answer: {min_confidence: 0.1}
tools:
  note: {python: "flows:note", effect: write, roles: ["user:LOGIN"], description: Notes a text}
approvals:
- {when: {tool: note}, skip: true}
"""
WORKFLOWS = '''\
import time
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel

from ragflow.workflows import Flow, workflow

HERE = Path(__file__).parent
QUESTION = "How much leave does every full-time employee get?"


class Given(BaseModel):
    n: int = 1


def note(text: str) -> dict:
    return {"noted": text}


@workflow("rests", takes=Given)
def rests(flow: Flow, given: Given):
    """Answer, and say the words again."""
    flow.now()
    words = flow.ask(QUESTION)["answer"]
    flow.step("draft", lambda: {"text": words})
    return flow.tool("note", text=words)


@workflow("waits", takes=Given)
def waits(flow: Flow, given: Given):
    """Answer, and have the words agreed to."""
    words = rests.function(flow, given)["noted"]
    flow.approve("publish", {"text": words}, approvers=["group:leads"], expires=timedelta(hours=1))


@workflow("else", takes=Given)
def elsewhere(flow: Flow, given: Given):
    """Have something else agreed to."""
    flow.step("first", lambda: {"n": given.n})
    flow.approve("publish", {"n": given.n}, approvers=["group:leads"], expires=timedelta(hours=1))


def stand():
    (HERE / "standing").touch()
    while not (HERE / "go").exists():
        time.sleep(0.02)


@workflow("stands", takes=Given)
def stands(flow: Flow, given: Given):
    """Answer, and be in a step until the file `go` is there."""
    flow.ask(QUESTION)
    flow.step("stand", stand)
    flow.step("never", (HERE / "never").touch)


def read():
    text = (HERE / "docs" / "leave.md").read_text()
    stand()
    return {"document": "docs/leave.md", "text": text}


@workflow("reads", takes=Given)
def reads(flow: Flow, given: Given):
    """Read the document in one long step, then wait for a person."""
    text = flow.step("read", read)["text"]
    flow.approve("publish", {"text": text}, approvers=["group:leads"], expires=timedelta(hours=1))
'''


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("indexed")
    (folder / "docs").mkdir()
    (folder / "docs" / "leave.md").write_text(TEXT)
    (folder / "docs" / "bikes.md").write_text("# Bikes\n\nThe shed has room for nine bikes.\n")
    (folder / "ragflow.yaml").write_text(CONFIG.replace("LOGIN", identity.login()))
    (folder / "flows.py").write_text(WORKFLOWS)
    assert main(["-C", str(folder), "index"]) == 0
    return folder


@pytest.fixture
def folder(
    indexed: Path,
    clone: Callable[[Path, Path], Path],
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Any:
    place = clone(indexed, tmp_path / "w")
    if getattr(request, "param", "sqlite") == "postgres":
        before, _, after = request.getfixturevalue("postgres").database().rpartition("@")
        url = f"{before.rpartition(':')[0]}@{after}"
        with (place / "ragflow.yaml").open("a") as stream:
            stream.write(f"database: {{url: '{url}', password_env: RUN_PASSWORD}}\n")
    monkeypatch.setenv("RUN_PASSWORD", PASSWORD)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "flows", raising=False)
    yield place
    engine_kit.end_children()


def run(folder: Path, name: str, **more: Any) -> tuple[str, int]:
    """Run a workflow in a process of its own; return its run and exit code."""
    done = command(folder, "run", name, **more)
    code = done.returncode
    return newest(folder)["run"], code


def newest(folder: Path) -> dict[str, Any]:
    with ragflow.open(folder) as app:
        return app.runs(1, app.asker())[0]


def shown(folder: Path, name: str) -> dict[str, Any]:
    with ragflow.open(folder) as app:
        return app.run(name, app.asker())


def held(folder: Path) -> str:
    """All that the workspace and its database hold, but the document itself and the model."""
    paths = [
        path for path in (folder / ".ragflow").rglob("*") if path.is_file() and "model" not in path.parts
    ]
    found = [path.read_bytes().decode("utf-8", "replace") for path in paths]
    with ragflow.open(folder) as app:
        url = app.config.database.url
    if url is not None:
        engine = server_engine(url, PASSWORD, connections=1)
        with engine.connect() as connection:
            for schema in ("public", "dbos"):
                for table in sa.inspect(connection).get_table_names(schema=schema):
                    rows = connection.exec_driver_sql(f'SELECT one::text FROM {schema}."{table}" AS one')
                    found += rows.scalars()
        engine.dispose()
    return "\n".join(found)


def forget(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = main(["-C", str(folder), "sources", "forget", DOCUMENT, "--json"])
    return code, json.loads(capsys.readouterr().out)


def until(path: Path) -> None:
    while not path.exists():
        time.sleep(0.02)


@pytest.mark.parametrize("folder", PLACES, indirect=True)
def test_no_word_of_a_forgotten_document_is_left_in_any_run(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done, code = run(folder, "rests")
    assert (code, WORDS in json.dumps(shown(folder, done))) == (0, True)
    waiting, code = run(folder, "waits")
    assert (code, WORDS in json.dumps(shown(folder, waiting)["approvals"])) == (7, True)
    orphan, code = run(folder, "rests", kill="inside:3")
    assert code == -signal.SIGKILL
    other, code = run(folder, "else")
    assert code == 7
    before = shown(folder, other)
    assert WORDS in held(folder)

    code, report = forget(folder, capsys)
    assert (code, report["held_by_runs"]) == (0, [])
    assert report["cancelled_runs"] == sorted([waiting, orphan])
    assert WORDS not in held(folder)

    for name in (waiting, orphan):
        record = shown(folder, name)
        assert (record["status"], record["outcome"]) == ("cancelled", "cancelled")
        assert record["output"]["error"]["message"].startswith("its evidence was erased")
        # What was done before the document was read stays told; what came after is empty.
        assert [step["output"] is None for step in record["steps"]][:3] == [False, True, True]
        assert {one["status"] for one in record["approvals"]} <= {"expired"}
    assert shown(folder, done)["output"] is None
    store = RunStore(folder / ".ragflow" / "runs.sqlite")
    assert [store.check(name) for name in (done, waiting, orphan)] == ["intact"] * 3
    assert shown(folder, other) == before
    capsys.readouterr()
    assert main(["-C", str(folder), "runs", "show", waiting]) == 0
    assert "Ended by EvidenceErased: its evidence was erased" in capsys.readouterr().out


@pytest.mark.parametrize("folder", PLACES, indirect=True)
def test_a_run_that_another_process_is_in_a_step_of_is_named_and_ends_without_a_word(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    process = child(folder, "run", "stands")
    until(folder / "standing")
    name = newest(folder)["run"]
    monkeypatch.setattr(forgetting, "WAIT_S", 0.2)
    code, report = forget(folder, capsys)
    assert (code, report["held_by_runs"], report["cancelled_runs"]) == (4, [name], [])
    assert WORDS in held(folder)  # of that run alone, as the report says
    (folder / "go").touch()
    out, err = process.communicate(timeout=120)
    assert "its evidence was erased" in out, err
    assert not (folder / "never").exists()
    assert shown(folder, name)["status"] == "cancelled"
    assert WORDS not in held(folder)


@pytest.mark.parametrize("folder", PLACES, indirect=True)
def test_a_step_that_had_read_it_before_leaves_no_word_when_it_ends_after(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    process = child(folder, "run", "reads")
    until(folder / "standing")
    code, report = forget(folder, capsys)
    assert (code, report["held_by_runs"]) == (0, [])
    (folder / "go").touch()
    out, err = process.communicate(timeout=120)
    assert "its evidence was erased" in out, err
    assert newest(folder)["status"] == "cancelled"
    assert WORDS not in held(folder)


@pytest.mark.parametrize("folder", PLACES, indirect=True)
def test_what_tables_hold_of_a_run_expires_with_its_record(folder: Path) -> None:
    name, code = run(folder, "rests")
    assert code == 0
    with ragflow.open(folder) as app:
        later = datetime.now(UTC) + timedelta(days=app.config.runs.keep_days + 1)
        app._runs.expire(app.config.runs.keep_days, now=later)
        erasing.expire(app.config, now=later)
    shutil.rmtree(folder / ".ragflow" / "segments")
    (folder / ".ragflow" / "store.sqlite").unlink()
    assert WORDS not in held(folder)
    assert RunStore(folder / ".ragflow" / "runs.sqlite").check(name) == "intact"
