"""Runs that have not ended: looking at one tells its steps and what it waits for, and makes nothing."""

import json
import signal
import sys
from pathlib import Path
from typing import Any

import engine_kit
import pytest
from engine_kit import PASSWORD, command

import ragflow
from ragflow.cli import main

PLACES = ["sqlite", "postgres"]


@pytest.fixture
def folder(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    more = ""
    if getattr(request, "param", "sqlite") == "postgres":
        before, _, after = request.getfixturevalue("postgres").database().rpartition("@")
        more = f"database: {{url: '{before.rpartition(':')[0]}@{after}', password_env: RUN_PASSWORD}}\n"
    monkeypatch.setenv("RUN_PASSWORD", PASSWORD)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "flows", raising=False)
    yield engine_kit.workspace(tmp_path / "w", more)
    engine_kit.end_children()


def newest(folder: Path) -> dict[str, Any]:
    with ragflow.open(folder) as app:
        return app.runs(1, app.asker())[0]


def files(folder: Path) -> dict[Path, bytes]:
    """What is in the workspace; an empty log of SQLite's is none, and its index of one neither."""
    found = {path: path.read_bytes() for path in sorted((folder / ".ragflow").rglob("*")) if path.is_file()}
    return {path: held for path, held in found.items() if held and not path.name.endswith("-shm")}


@pytest.mark.parametrize("folder", PLACES, indirect=True)
def test_a_run_that_waits_tells_its_steps_and_the_command_that_shows_the_request(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = command(folder, "run", "gate", "n=5", "--json")
    assert asked.returncode == 7
    before = files(folder)
    shown = newest(folder)
    assert [(one["name"], one["kind"]) for one in shown["steps"]] == [
        ("first", "step"), ("request publish", "approval"),
    ]  # fmt: skip
    assert shown["steps"][0]["output"] == {"did": "first"}
    assert shown["steps"][1]["output"]["arguments"] == {"n": 5}
    assert shown == json.loads(asked.stdout)  # who begins it is told the same
    assert main(["-C", str(folder), "runs", "show", shown["run"]]) == 0
    story = capsys.readouterr().out
    (request,) = shown["approvals"]
    assert f"  ragflow approvals show {request['approval']}\n" in story
    assert "did  first" in story
    assert "Waits for group:leads to decide on:" in story
    assert files(folder) == before


@pytest.mark.parametrize("folder", PLACES, indirect=True)
def test_a_run_whose_process_died_tells_what_was_done(folder: Path) -> None:
    assert command(folder, "run", "count", "n=3", kill="inside:2").returncode == -signal.SIGKILL
    shown = newest(folder)
    assert shown["status"] == "running"
    assert [one["output"] for one in shown["steps"]] == [{"did": 0}, {"did": 1}]


@pytest.mark.parametrize("folder", PLACES, indirect=True)
def test_a_run_of_which_nothing_is_kept_yet_has_no_steps(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(folder, "run", "count", "--detach").returncode == 0
    before = files(folder)
    assert not [path for path in before if path.name.startswith("dbos")]
    assert newest(folder)["steps"] == []
    assert main(["-C", str(folder), "runs", "show", "last"]) == 0
    assert capsys.readouterr().out.endswith("It has not ended; no step of it is done yet.\n")
    assert files(folder) == before


def test_a_run_is_told_without_its_steps_where_their_file_is_damaged(folder: Path) -> None:
    assert command(folder, "run", "gate").returncode == 7
    for path in (folder / ".ragflow").glob("dbos.sqlite*"):
        path.write_bytes(b"no database at all" * 100)
    assert (newest(folder)["status"], newest(folder)["steps"]) == ("waiting", [])
