"""Workers: they take up what nobody works on, leave when they are told, and bear a server that goes away."""

import json
import signal
import sys
import threading
import time

import engine_kit
import pytest
from engine_kit import PASSWORD, child, command, decide, did
from postgres import Postgres

import ragflow
from ragflow.errors import DiskFull
from ragflow.workflows import leases, rows, working

PLACES = ["sqlite", "postgres"]


@pytest.fixture
def folder(tmp_path, request):
    more = ""
    if getattr(request, "param", "sqlite") == "postgres":
        url = request.getfixturevalue("postgres").database()
        more = _database(url)
    yield engine_kit.workspace(tmp_path / "w", more)
    engine_kit.end_children()


def _database(url):
    """The section of a server; its password stands in a variable."""
    before, _, after = url.rpartition("@")
    user = before.rpartition(":")[0]
    return f"database: {{url: '{user}@{after}', password_env: RUN_PASSWORD}}\n"


@pytest.fixture
def opened(folder, monkeypatch):
    monkeypatch.setenv("RUN_PASSWORD", PASSWORD)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "flows", raising=False)
    with ragflow.open(folder) as app, app.orchestration() as running:
        yield running


@pytest.fixture
def mia(opened):
    return opened._app.asker()


@pytest.mark.parametrize("folder", PLACES, indirect=True)
def test_a_worker_takes_up_detached_decided_due_and_orphaned_runs(folder, opened, mia):
    detached = opened.start("count", {"n": 2}, asker=mia, detach=True)
    assert (detached.record["status"], detached.exit_code) == ("running", 0)
    waiting = opened.start("gate", {}, asker=mia).record["run"]
    decided = opened.start("gate", {}, asker=mia).record["run"]
    due = opened.start("short", {}, asker=mia).record["run"]
    assert command(folder, "run", "count", "n=3", kill="after:0").returncode == -signal.SIGKILL
    (orphan,) = [
        one["run"] for one in opened._app.runs(9, mia) if one["input"]["input"] == {"n": 3}
    ]  # begun in the same second as the others, maybe
    decide(opened.database, decided)
    while opened._reach.gate.decision(opened._report(due).record["approvals"][0]["approval"]) is None:
        time.sleep(0.05)

    said = []
    assert opened.work(said.append, parallel=2, once=True) == 4
    ended = {run: opened._report(run).record for run in (detached.record["run"], decided, due, orphan)}
    assert {one["status"] for one in ended.values()} == {"done"}
    assert ended[due]["output"] == {"outcome": "nobody", "status": "expired"}
    assert [step["output"] for step in ended[orphan]["steps"]] == [{"did": at} for at in range(3)]
    assert opened._report(waiting).record["status"] == "waiting"
    assert said == []


@pytest.mark.parametrize("folder", PLACES, indirect=True)
def test_several_workers_share_runs_and_each_is_done_once(folder, opened, mia, rounds):
    count = rounds(fast=4, soak=60)
    runs = [opened.start("count", {"n": 2}, asker=mia, detach=True).record["run"] for _ in range(count)]
    workers = [child(folder, "worker", "--once", "--parallel", "2") for _ in range(3)]
    said = [worker.communicate(timeout=300)[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0, 0], said
    assert did(folder).count("0") == did(folder).count("1") == count
    assert {opened._report(run).record["status"] for run in runs} == {"done"}


def test_a_worker_that_is_told_to_stop_leaves_its_runs_to_others(folder, opened, mia):
    run = opened.start("slow", {"n": 2}, asker=mia, detach=True).record["run"]
    worker = child(folder, "worker")
    while not did(folder):
        time.sleep(0.02)
    worker.send_signal(signal.SIGTERM)
    _, err = worker.communicate(timeout=120)
    assert worker.returncode == 0, err
    assert "Traceback" not in err
    row = opened._executor(resuming=True).rows.get(run)
    assert (row.status, row.owner) == ("running", None)
    (folder / "go").touch()
    assert opened.resume(run, mia).record["status"] == "done"
    assert did(folder) == ["0", "1"]


def test_a_worker_killed_in_a_step_leaves_a_run_to_the_next_one(folder, opened, mia):
    run = opened.start("count", {"n": 2}, asker=mia, detach=True).record["run"]
    assert command(folder, "worker", kill="inside:1").returncode == -signal.SIGKILL
    assert opened.work(lambda _: None, once=True) == 1
    assert opened._report(run).record["output"]["did"] == [0, 1]
    assert did(folder) == ["0", "1", "1"]


def test_a_worker_says_once_why_it_leaves_a_run_as_it_is(folder, opened, mia):
    run = opened.start("count", {}, asker=mia, detach=True).record["run"]
    (folder / "flows.py").write_text((folder / "flows.py").read_text() + "\n# another one\n")
    done = command(folder, "worker", "--once")
    assert done.returncode == 0
    assert done.stderr.count("has changed: it was") == 1
    assert opened._report(run).record["status"] == "running"


def test_a_server_that_goes_away_and_comes_back_is_waited_for(tmp_path, monkeypatch):
    with Postgres() as server:
        folder = engine_kit.workspace(tmp_path / "w", _database(server.of("postgres")))
        monkeypatch.setenv("RUN_PASSWORD", PASSWORD)
        monkeypatch.setattr(sys, "path", list(sys.path))
        monkeypatch.delitem(sys.modules, "flows", raising=False)
        with ragflow.open(folder) as app, app.orchestration() as opened:
            run = opened.start("slow", {"n": 3}, asker=app.asker(), detach=True).record["run"]
            worker = child(folder, "worker")
            said: list[str] = []
            reader = threading.Thread(target=lambda: said.extend(iter(worker.stderr.readline, "")))
            reader.start()
            while not did(folder):
                time.sleep(0.02)
            server.stop()
            while not any("waiting for it" in line for line in said):
                time.sleep(0.02)
            server.start()
            while not any("answers again" in line for line in said):
                time.sleep(0.02)
            (folder / "go").touch()
            while opened._report(run).record["status"] != "done":
                time.sleep(0.1)
            worker.send_signal(signal.SIGTERM)
            worker.wait(60)
            reader.join()
            worker.stdout.close()
            worker.stderr.close()
    assert sum("waiting for it" in line for line in said) == 1, said
    assert not any("Traceback" in line for line in said), said
    assert sorted(set(did(folder))) == ["0", "1", "2"]


@pytest.mark.parametrize("folder", ["postgres"], indirect=True)
def test_another_machine_sees_the_whole_record_of_a_run_that_ended_elsewhere(folder, opened, mia, tmp_path):
    ended = opened.start("count", {"n": 1}, asker=mia).record
    opened.close()
    more = (folder / "ragflow.yaml").read_text().partition("workflows: [flows]\n")[2]
    elsewhere = engine_kit.workspace(tmp_path / "elsewhere", more)
    shown = command(elsewhere, "runs", "show", ended["run"], "--json")
    assert json.loads(shown.stdout) == ended
    again = command(elsewhere, "runs", "list", "--json")
    assert json.loads(again.stdout) == ended


def test_a_server_that_is_not_there_is_one_sentence(tmp_path):
    more = "database: {url: 'postgresql://owner@127.0.0.1:1/none'}\n"
    folder = engine_kit.workspace(tmp_path / "w", more)
    done = command(folder, "run", "count")
    assert done.returncode == 4
    assert "postgresql+psycopg://owner@127.0.0.1:1/none does not answer" in done.stderr


@pytest.mark.parametrize("folder", ["postgres"], indirect=True)
def test_a_process_that_was_left_behind_stops_before_its_next_step(folder, opened, mia):
    """It lost the session of its lease, not its life: another one has the run, and it writes nothing more."""
    (folder / "slowly").touch()
    process = child(folder, "run", "slow", "--input", '{"n": 2}')
    while not (folder / "looking").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGSTOP)  # in a step; it notices nothing until all is over
    (folder / "slowly").unlink()
    (one,) = opened._app.runs(1, mia)
    other = opened._executor(resuming=True).lease
    key = leases._key(opened._executor(resuming=True).rows.get(one["run"]).owner)
    cut = (
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
        f" AND (classid::bigint << 32 | objid::bigint) = {key}"
    )
    with opened.database.begin() as connection:
        assert connection.exec_driver_sql(cut).all() == [(True,)]
    with opened.database.begin() as connection:
        while other.alive(opened._executor(resuming=True).rows.get(one["run"]).owner, connection):
            time.sleep(0.01)
    (folder / "go").touch()
    assert opened.resume(one["run"], mia).record["status"] == "done"
    process.send_signal(signal.SIGCONT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 4, err
    assert "Traceback" not in err
    assert did(folder) == ["0", "1"]


def test_a_run_that_could_not_be_left_waiting_is_given_up_and_taken_up_again(opened, mia, monkeypatch):
    """A worker that lives must not keep what it does not execute."""
    run = opened.start("gate", {}, asker=mia, detach=True).record["run"]
    wait, failed = rows.Rows.wait, []

    def fails_once(self, *arguments):
        if not failed:
            failed.append("no space is left")
            raise DiskFull(failed[0])
        return wait(self, *arguments)

    monkeypatch.setattr(rows.Rows, "wait", fails_once)
    monkeypatch.setattr(working, "_AGAIN_S", 0.0)
    said = []
    assert opened.work(said.append, once=True) == 2
    assert said == [f"{run} is left as it is: no space is left"]
    assert opened._report(run).record["status"] == "waiting"
