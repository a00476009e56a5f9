"""Steps: done once, their values and errors the same in every execution, nothing kept that did not happen."""

import errno
import json
import signal
import sys

import engine_kit
import pytest
from engine_kit import command, did
from hypothesis import given
from hypothesis import strategies as st

import ragflow
from ragflow import errors as base
from ragflow.errors import DiskFull, RagflowError
from ragflow.redact import redact_all
from ragflow.workflows import errors, executing, places
from ragflow.workflows.contracts import Suspended
from ragflow.workflows.dbos_engine import sqlite_engine
from ragflow.workflows.durable import DurableSteps, Stopped
from ragflow.workflows.kept import error_from_json, error_to_json
from ragflow.workflows.outcomes import of_error, of_value

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda one: st.lists(one) | st.dictionaries(st.text(), one),
)
OWN = sorted(
    {
        kind
        for module in (base, errors)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, RagflowError)
    },
    key=lambda kind: kind.__name__,
)
MORE = {
    "ToolRefused": {"kind": "budget"},
    "NotApproved": {"status": "expired"},
    "ToolFailed": {"kind": "garbage", "happened": False, "curable": True},
}


@pytest.fixture
def folder(tmp_path):
    return engine_kit.workspace(tmp_path / "w", "runs: {redact: [secret]}\n")


@pytest.fixture
def opened(folder, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "flows", raising=False)
    with ragflow.open(folder) as app, app.orchestration() as running:
        yield running


@pytest.fixture
def mia(opened):
    return opened._app.asker()


@pytest.mark.parametrize("kind", OWN, ids=lambda kind: kind.__name__)
def test_an_error_of_the_program_is_kept_whole(kind):
    error = kind("what happened", hint="what to do", **MORE.get(kind.__name__, {}))
    again = error_from_json(json.loads(json.dumps(error_to_json(error, ()))))
    assert type(again) is kind
    assert (str(again), again.hint, again.exit_code) == ("what happened", "what to do", kind.exit_code)
    assert vars(again) == vars(error)


@given(st.sampled_from([ValueError, KeyError, RuntimeError, OSError]), st.lists(st.text(), max_size=2))
def test_a_foreign_error_is_of_its_type_again_or_its_words_stand(kind, arguments):
    error = kind(*arguments)
    again = error_from_json(json.loads(json.dumps(error_to_json(error, ()))))
    assert type(again) is kind or isinstance(again, errors.WorkflowFailed)
    assert str(error) in str(again)


def test_what_an_error_says_can_be_written_whatever_it_is():
    """Else the run could never end: a name that is no UTF-8 stands in many an error."""
    error = ValueError("no file \udcff")
    for told in (error_to_json(error, ()), of_error(error).output):
        assert (
            "no file \\udcff"
            in json.loads(json.dumps(told.get("error", told), ensure_ascii=False).encode())["message"]
        )


@given(JSON)
def test_redacting_keeps_shape_and_keys_and_is_the_same_twice(value):
    once = redact_all({"a": value, "b": ["password=hunter22222"]}, ["secret"])
    assert once["b"] == ["password=[secret]"]
    assert redact_all(once, ["secret"]) == once
    assert redact_all(value, ()) == value


def test_an_execution_after_a_crash_meets_the_same_errors(opened, folder, mia):
    whole = opened.start("errors", {}, asker=mia).record
    assert command(folder, "run", "errors", kill="before:7").returncode == -signal.SIGKILL
    resumed = opened.resume("last", mia).record
    assert resumed["output"] == whole["output"]
    caught = whole["output"]["caught"]
    assert [one[0] for one in caught] == [
        "ToolRefused", "ToolFailed", "KeyError", "WorkflowFailed", "WorkflowFailed", "WorkflowFailed",
        "WorkflowFailed",
    ]  # fmt: skip
    assert caught[0][1:] == ["no role", {"hint": "ask for one", "kind": "role"}]
    assert caught[1][1] == "timed out with password=[secret]"
    assert caught[3][1] == "Odd: 1 and 2"
    assert all("what is no JSON" in one[1] for one in caught[4:])
    assert [step["status"] for step in whole["steps"]] == ["failed"] * 7 + ["ok"]
    assert whole["steps"][0]["output"]["error"]["type"] == "ToolRefused"
    assert did(folder) == ["last", "last"]


def test_a_step_in_a_step_or_in_another_thread_is_refused(opened, folder, mia):
    found = opened.start("nested", {}, asker=mia).record["output"]["found"]
    assert len(found) == 2
    assert all("was taken inside another one, or by another thread" in one for one in found)
    assert did(folder) == []


def test_values_are_as_json_reads_them_already_the_first_time(opened, folder, mia):
    seen = opened.start("values", {}, asker=mia).record["output"]["seen"]
    assert seen[0] == [1, 2.0, {"a": ["b"]}, None]
    assert command(folder, "run", "values", kill="after:1").returncode == -signal.SIGKILL
    steps = opened.resume("last", mia).record
    assert steps["output"]["seen"][2] == steps["run"]
    assert steps["output"]["seen"][1].startswith(steps["steps"][1]["output"][:19])


def test_a_full_disk_ends_the_command_and_not_the_run(opened, folder, mia, monkeypatch):
    """What could not be kept did not happen: the workflow's own code never hears of it."""
    made = sqlite_engine

    def small(path):
        engine = made(path)
        with engine.connect() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()

        @orchestration_event(engine)
        def limit(connection, _):
            connection.execute(f"PRAGMA max_page_count = {pages + 20}")

        engine.dispose()
        return engine

    opened.start("count", {}, asker=mia)
    opened.close()
    monkeypatch.setattr(places, "sqlite_engine", small)
    with pytest.raises(DiskFull):
        opened.start("large", {}, asker=mia)
    (left, _) = opened._app.runs(9, mia)
    assert left["status"] == "running"
    opened.close()
    monkeypatch.setattr(places, "sqlite_engine", made)
    assert opened.resume(left["run"], mia).record["output"] == {"size": 1_000_000}
    assert did(folder) == ["0", "1", "2", "first"]


def orchestration_event(engine):
    from sqlalchemy import event

    return event.listens_for(engine, "connect")


def test_a_record_that_cannot_be_written_leaves_a_run_that_can_go_on(opened, folder, mia, monkeypatch):
    add = executing.RunStore.add

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(executing.RunStore, "add", full)
    with pytest.raises(DiskFull):
        opened.start("count", {"n": 1}, asker=mia)
    monkeypatch.setattr(executing.RunStore, "add", add)
    assert opened.resume("last", mia).record["status"] == "done"
    assert did(folder) == ["0"]
    assert len(opened._app.runs(9, mia)) == 1


def test_waiting_cannot_be_caught():
    assert not issubclass(Suspended, Exception)


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("done", 0), ("answered", 0), ("no_answer", 6), ("not_found", 6), ("blocked", 6), ("no_model", 5),
        ("refused", 8), ("limit", 1), ("failed", 1),
    ],
)  # fmt: skip
def test_an_outcome_that_a_workflow_gives_has_its_exit_code(word, code):
    assert of_value({"outcome": word}).exit_code == code


def test_a_step_counts_as_begun_before_it_is_asked_whether_it_may():
    """Else a run could be given up as idle in the moment in which its next step begins."""
    seen = []

    def guard():
        seen.append(steps.busy)
        raise Stopped(None)

    steps = DurableSteps(guard, most=1)
    with pytest.raises(Stopped):
        steps.take("one", lambda _: None)
    assert (seen, steps.busy, steps.next) == ([True], False, 0)


def test_an_error_of_a_record_from_elsewhere_imports_nothing():
    kept = {"message": "no", "hint": "", "made_of": ["no"]}
    strange = {**kept, "module": "wsgiref.validate", "type": "WSGIWarning"}
    assert isinstance(error_from_json(strange, importing=False), errors.WorkflowFailed)
    assert "wsgiref.validate" not in sys.modules
    known = {**kept, "module": "builtins", "type": "ValueError"}
    assert type(error_from_json(known, importing=False)) is ValueError
