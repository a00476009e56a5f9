"""Runs of workflows: begun, killed, suspended, taken up by other processes, ended once."""

import json
import signal
import sqlite3
import sys
import time

import engine_kit
import pytest
from engine_kit import child, command, decide, did

import ragflow
from ragflow import orchestration
from ragflow.errors import NotFound, UsageError
from ragflow.identity import Asker
from ragflow.workflows.discovery import discover
from ragflow.workflows.errors import InputUnfit, RunHeld, UnknownWorkflow

KILLED, WAITING = -signal.SIGKILL, 7


@pytest.fixture
def folder(tmp_path):
    yield engine_kit.workspace(tmp_path / "w")
    engine_kit.end_children()


@pytest.fixture
def opened(folder, monkeypatch):
    """Open the orchestration of the workspace in this process."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "flows", raising=False)  # that of another test's workspace
    with ragflow.open(folder) as app, app.orchestration() as running:
        yield running


@pytest.fixture
def mia(opened):
    return opened._app.asker()


def kept_by_dbos(folder):
    """The number of rows in each of DBOS's tables that hold anything of a run."""
    with sqlite3.connect(folder / ".ragflow" / "dbos.sqlite") as connection:
        tables = ("workflow_status", "workflow_input", "workflow_output", "operation_outputs", "queues")
        return {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}


def test_a_run_is_recorded_once_with_every_step_and_leaves_nothing_with_dbos(folder, opened, mia):
    report = opened.start("count", {"n": 3, "text": "x"}, asker=mia)
    assert report.exit_code == 0
    record = opened._app.run(report.record["run"], mia)
    assert record == dict(report.record)
    assert (record["kind"], record["status"], record["outcome"]) == ("workflow", "done", "done")
    assert record["output"] == {"did": [0, 1, 2], "text": "x"}
    assert record["input"]["workflow"] == "count"
    assert record["input"]["input"] == {"n": 3, "text": "x"}
    assert record["input"]["source_digest"] == opened.workflow("count").digest
    assert [step["name"] for step in record["steps"]] == ["step 0", "step 1", "step 2"]
    assert [step["output"] for step in record["steps"]] == [{"did": at} for at in range(3)]
    assert {step["kind"] for step in record["steps"]} == {"step"}
    assert did(folder) == ["0", "1", "2"]
    assert set(kept_by_dbos(folder).values()) == {0}
    assert opened._runs.check(record["run"]) == "intact"


@pytest.mark.parametrize(
    ("name", "outcome", "words"),
    [
        ("loop", "failed", "longer than 0.3 s"),
        ("greedy", "failed", "more than 5 steps"),
        ("raises", "failed", "ValueError"),
    ],
)
def test_a_workflow_that_raises_or_runs_away_ends_typed(opened, mia, name, outcome, words):
    report = opened.start(name, {}, asker=mia)
    assert (report.exit_code, report.record["status"], report.record["outcome"]) == (1, "failed", outcome)
    assert words in report.record["output"]["error"]["message"]
    assert report.record["steps"][0]["status"] == "ok"


def test_what_is_redacted_is_nowhere(folder, opened, mia):
    told = "bearer abcdefghijklmnop1234"
    opened.start("count", {"n": 1, "text": told}, asker=mia)
    report = opened.start("raises", {"text": told}, asker=mia)
    assert "abcdefghijklmnop1234" not in json.dumps(report.record)
    opened.close()
    held = b"".join(path.read_bytes() for path in (folder / ".ragflow").iterdir() if path.is_file())
    assert b"abcdefghijklmnop1234" not in held


def test_an_unfit_input_and_an_unknown_workflow_begin_nothing(folder, opened, mia):
    with pytest.raises(InputUnfit, match="n: "):
        opened.start("count", {"n": "many"}, asker=mia)
    with pytest.raises(UnknownWorkflow, match='nearest: "count"'):
        opened.start("cuont", {}, asker=mia)
    assert opened._app.runs(10, mia) == []


@pytest.mark.parametrize("kill", ["before:0", "inside:1", "after:1", "before:2", "after:2", "record:0"])
def test_killed_anywhere_a_run_goes_on_in_another_process(folder, opened, mia, kill):
    assert command(folder, "run", "count", kill=kill).returncode == KILLED
    (left,) = opened._app.runs(1, mia)
    assert left["status"] == ("done" if kill == "record:0" else "running")
    report = opened.resume(left["run"], mia)
    assert report.exit_code == 0
    record = report.record
    assert record["output"]["did"] == [0, 1, 2]
    assert [step["name"] for step in record["steps"]] == ["step 0", "step 1", "step 2"]
    # A step whose process died before it was kept is done again; no other one is.
    assert did(folder) == (["0", "1", "1", "2"] if kill == "inside:1" else ["0", "1", "2"])
    assert opened._app.runs(9, mia) == [dict(record)]
    opened.close()
    assert set(kept_by_dbos(folder).values()) == {0}


def test_a_run_that_waits_leaves_its_process_and_goes_on_in_another(folder, opened, mia):
    asked = command(folder, "run", "gate", "--input", '{"n": 5}')
    assert asked.returncode == WAITING, asked.stderr
    (one,) = opened._app.runs(1, mia)
    run = one["run"]
    assert one["status"] == "waiting"
    assert [(each["status"], each["arguments"]) for each in one["approvals"]] == [("pending", {"n": 5})]
    assert f"ragflow approvals approve {one['approvals'][0]['approval']} --digest" in asked.stdout

    # To DBOS it is what a crashed run is: its row stays PENDING, and the step that waits is not there.
    with sqlite3.connect(folder / ".ragflow" / "dbos.sqlite") as connection:
        status = connection.execute("SELECT status FROM workflow_status").fetchall()
        steps = connection.execute("SELECT function_name FROM operation_outputs ORDER BY function_id")
        assert status == [("PENDING",)]
        assert [name for (name,) in steps] == ["first", "request publish"]

    assert command(folder, "runs", "resume", run).returncode == WAITING
    decide(opened.database, run)
    report = opened.go_on(run)
    assert report.exit_code == 0
    assert report.record["output"] == {"agreed": {"n": 5}}
    assert [each["status"] for each in report.record["approvals"]] == ["approved"]
    assert did(folder) == ["first", "second"]


@pytest.mark.parametrize(("status", "outcome"), [("rejected", "rejected"), ("expired", "expired")])
def test_what_nobody_agrees_to_ends_the_run(opened, mia, status, outcome):
    run = opened.start("gate", {}, asker=mia).record["run"]
    decide(opened.database, run, status)
    report = opened.go_on(run)
    assert (report.exit_code, report.record["outcome"]) == (8, outcome)


def test_a_decision_that_comes_while_the_run_is_leaving_is_not_lost(folder, opened, mia, monkeypatch):
    """Whoever decides then finds the run held, and goes away: the run itself must look again."""
    wait = orchestration.Executor.settle

    def decided_first(self, execution, left):
        if left.suspended is not None:
            decide(opened.database, execution.row.run)
            assert opened._executor(resuming=True).rows.standing(execution.row) == "mine"
        return wait(self, execution, left)

    monkeypatch.setattr(orchestration.Executor, "settle", decided_first)
    report = opened.start("gate", {}, asker=mia)
    assert report.record["status"] == "done"
    assert did(folder) == ["first", "second"]


def test_a_changed_source_is_refused_and_the_run_stays_as_it_was(folder, opened, mia):
    asked = command(folder, "run", "gate")
    assert asked.returncode == WAITING
    run = opened._app.runs(1, mia)[0]["run"]
    before = opened._executor(resuming=False).rows.get(run)
    source = (folder / "flows.py").read_text()
    (folder / "flows.py").write_text(source + "\n# another one\n")
    changed = command(folder, "runs", "resume", run)
    assert changed.returncode == 8
    assert before.source_digest in changed.stderr
    assert opened._executor(resuming=False).rows.get(run) == before
    (folder / "flows.py").write_text(source)
    decide(opened.database, run)
    assert command(folder, "runs", "resume", run).returncode == 0


def test_several_processes_resume_a_run_at_once_and_it_is_done_once(folder, opened, mia, rounds):
    for number in range(rounds(fast=2, soak=20)):
        run = opened.start("gate", {}, asker=mia).record["run"]
        decide(opened.database, run)
        going = [child(folder, "runs", "resume", run) for _ in range(4)]
        said = [(process.communicate(timeout=120), process.returncode) for process in going]
        codes = sorted(code for _, code in said)
        assert codes[0] == 0, said
        assert set(codes) <= {0, 4}, said  # done, by whomever, or held by another one
        assert did(folder) == ["first", "second"] * (number + 1)
        assert opened._app.run(run, mia)["status"] == "done"


def test_a_run_whose_process_lives_is_not_taken(folder, opened, mia):
    process = child(folder, "run", "slow", "--input", '{"n": 1}')
    try:
        run = _begun(opened, mia)
        with pytest.raises(RunHeld, match="is being worked on"):
            opened.resume(run, mia)
        assert opened.go_on(run).record["status"] == "running"
    finally:
        (folder / "go").touch()
        process.communicate(timeout=120)
    assert process.returncode == 0
    assert did(folder) == ["0"]


def test_a_run_that_waits_is_cancelled_and_its_request_expires(folder, opened, mia):
    run = opened.start("gate", {}, asker=mia).record["run"]
    report = opened.cancel(run, mia)
    assert (report.record["status"], report.record["outcome"]) == ("cancelled", "cancelled")
    assert [each["status"] for each in report.record["approvals"]] == ["expired"]
    assert [step["name"] for step in report.record["steps"]] == ["first", "request publish"]
    assert opened.resume(run, mia).record == report.record
    with pytest.raises(UsageError, match="has ended"):
        opened.cancel(run, mia)
    assert opened.go_on(run).record["status"] == "cancelled"


def test_a_run_that_goes_on_elsewhere_is_cancelled_before_its_next_step(folder, opened, mia):
    process = child(folder, "run", "slow")
    run = _begun(opened, mia)
    assert opened.cancel(run, mia).record["status"] == "running"
    process.communicate(timeout=120)
    assert opened._app.run(run, mia)["status"] == "cancelled"
    assert did(folder) == ["0"]


def test_a_retry_is_a_new_run_of_the_same_input(folder, opened, mia):
    failed = opened.start("raises", {"text": "x"}, asker=mia)
    again = opened.retry(failed.record["run"], mia)
    assert again.record["run"] != failed.record["run"]
    assert again.record["input"]["retry_of"] == failed.record["run"]
    assert again.record["input"]["input"] == failed.record["input"]["input"]
    assert did(folder) == ["first", "first"]
    done = opened.start("count", {}, asker=mia)
    with pytest.raises(UsageError, match="is done"):
        opened.retry(done.record["run"], mia)


def test_a_run_is_its_actors_alone(opened, mia):
    run = opened.start("gate", {}, asker=mia).record["run"]
    other = Asker("user:other", ("everyone", "user:other"))
    for call in (opened.resume, opened.cancel, opened.retry):
        with pytest.raises(NotFound):
            call(run, other)
    with pytest.raises(NotFound):
        opened.resume("r-20260101T000000-abcdef", mia)


def test_another_way_than_before_ends_the_run_and_names_the_step(folder, opened, mia):
    assert command(folder, "run", "fork", kill="after:0").returncode == KILLED
    report = opened.resume("last", mia)
    assert report.exit_code == 1
    assert "went another way than before: its step 1" in report.record["output"]["error"]["message"]
    assert did(folder) == ["way"]


def test_ctrl_c_leaves_a_run_that_can_be_resumed(folder, opened, mia):
    process = child(folder, "run", "slow")
    run = _begun(opened, mia)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert f"ragflow runs resume {run}" in err
    assert "Traceback" not in err
    (folder / "go").touch()
    assert opened.resume(run, mia).record["status"] == "done"
    assert did(folder) == ["0", "1", "2"]


def test_what_a_dead_process_left_is_swept(folder, opened, mia):
    """A crash after the record: DBOS's rows, the queue and the lock file are nobody's."""
    run = opened.start("gate", {}, asker=mia).record["run"]
    decide(opened.database, run)
    assert command(folder, "runs", "resume", run, kill="record:0").returncode == KILLED
    left = kept_by_dbos(folder)
    assert left["operation_outputs"] > 0
    opened.close()
    assert command(folder, "runs", "resume", run).returncode == 0
    assert set(kept_by_dbos(folder).values()) == {0}
    assert list((folder / ".ragflow" / "leases").iterdir()) == []


def _begun(opened, mia):
    """Wait until a child has begun a run and done a step of it; return its id."""
    while True:
        for one in opened._app.runs(1, mia):
            if one["status"] == "running" and did(opened._config.folder):
                return one["run"]
        time.sleep(0.02)


def test_each_workspace_of_a_process_has_its_own_workflows(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "flows", raising=False)
    sources = []
    for at in range(2):
        folder = engine_kit.workspace(tmp_path / f"w{at}")
        with (folder / "flows.py").open("a") as stream:
            stream.write(f"\n# of workspace {at}\n")
        sources.append(discover(("flows",), folder)["count"].digest)
    assert len(set(sources)) == 2
    (tmp_path / "w1" / "broken.py").write_text("1 / 0\n")
    with pytest.raises(UnknownWorkflow, match=r"workflows: the module broken .*ZeroDivisionError"):
        discover(("broken",), tmp_path / "w1")
