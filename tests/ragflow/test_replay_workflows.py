"""A recorded workflow is executed again: its steps give what they gave, its asks and checks are done anew."""

import json
import socket
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import ragflow
import ragflow.config
from ragflow.answering import AskOptions
from ragflow.app import App
from ragflow.config import Config
from ragflow.identity import Asker
from ragflow.records import Run, canonical, forgetting
from ragflow.redact import redact_all
from ragflow.replaying.replay import Replayed
from ragflow.replaying.runs import Ways, replayed_run
from ragflow.replaying.steps import Knowing, RecordedSteps
from ragflow.runs import RunStore
from ragflow.steps import Step
from ragflow.workflows import Workflow, workflow
from ragflow.workflows.contracts import About, Caller, Json, Object, Steps
from ragflow.workflows.errors import ToolRefused, WorkflowFailed
from ragflow.workflows.flow import Flow, Means
from ragflow.workflows.remembering import RememberedSteps

CONFIG = """\
version: 1
sources:
  hr: {type: files, path: hr, readers: [everyone]}
answer: {min_confidence: 0.2}
"""
LEAVE = "# Leave\n\nEvery full-time employee gets 28 days of paid annual leave in each calendar year.\n"
QUESTION = "How many days of paid annual leave does every full-time employee get?"
NOBODY: Any = None


class Given(BaseModel):
    amount: int


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("desk")
    (folder / "hr").mkdir()
    (folder / "hr" / "leave.md").write_text(LEAVE)
    (folder / "ragflow.yaml").write_text(CONFIG)
    with ragflow.open(folder) as app:
        assert app.index().exit_code == 0
    return folder


def configured(folder: Path, *overrides: str) -> Config:
    return ragflow.config.load(folder / "ragflow.yaml", overrides=overrides, environ={})


class LiveReading:
    """Asks the index and hands the tape over."""

    def __init__(self, app: App) -> None:
        self._app = app

    def ask(self, question: str, caller: Caller, *, tier: str | None = None) -> tuple[Object, Object | None]:
        asker = Asker(caller.actor, caller.readers)
        answer = self._app.answer(question, asker=asker, options=AskOptions(explain=True, tier=tier))
        tape = RunStore(self._app.workspace / "runs.sqlite").tape(str(answer.run))
        spent = {"cost_usd": 0.0, "tokens": 0}
        return {**answer.to_json(), "run": caller.run, "spent": spent}, json.loads(tape or b"null")

    search = route = fetch = NOBODY


class Capped:
    """Tools under one rule: no amount above ``most``. What is done is noted in ``done``."""

    def __init__(self, most: int, done: list[Object]) -> None:
        self._most, self._done = most, done

    offers = NOBODY

    def call(self, tool: str, arguments: Object, *, steps: Steps, caller: Caller, about: About) -> Json:
        del caller, about

        def check(_: Step) -> Json:
            if arguments["amount"] > self._most:
                raise ToolRefused(f"{arguments['amount']} is more than {self._most}", kind="arguments")
            return {"action": {"tool": tool, "arguments": dict(arguments), "policy": str(self._most)}}

        def do(_: Step) -> Json:
            self._done.append(arguments)
            return {"refunded": arguments["amount"]}

        steps.take(f"policy {tool}", check, kind="policy")
        return steps.take(f"tool {tool}", do, kind="tool")


def means(steps: Steps, reading: Any, most: int, done: list[Object]) -> Means:
    calls = Capped(most, done)
    return Means(steps, reading, calls, NOBODY, NOBODY, clock=lambda: datetime.now(UTC))


CALLER = Caller("user:mia", ("everyone", "user:mia"), ("user:mia",), "r-20261129T000000-abcdef", "desk")


def desk(flow: Flow, given: Given) -> Json:
    answer = flow.ask(QUESTION)
    flow.now()
    note = flow.step("note", dict, [["said", answer["answer"]]])
    try:
        done = flow.tool("refund", amount=given.amount)
    except ToolRefused as refused:
        done = {"refused": str(refused)}
    return {"outcome": answer["outcome"], "note": note, "done": done}


DESK = workflow("desk", takes=Given)(desk)


def recorded(folder: Path, found: Workflow, amount: int = 90, most: int = 100) -> Run:
    """Execute a workflow for real and return its record, as a run that ends is recorded."""
    steps, output = RememberedSteps(), dict[str, Any]()
    with App(configured(folder)) as app:
        flow = Flow(means(steps, LiveReading(app), most, []), CALLER)
        try:
            output = found.function(flow, Given(amount=amount))
        except Exception as error:  # noqa: BLE001 - it is how the run ends
            output = failed(error)
    given = {
        "workflow": found.name,
        "source_digest": found.digest,
        "policy": "p",
        "input": {"amount": amount},
    }
    return Run(
        run=CALLER.run, kind="workflow", created="2026-11-29T00:00:00Z", actor=("user:mia", "everyone"),
        status="failed" if "error" in output else "done", outcome=None, exit_code=0, config_digest="c",
        generation="g", version="0", input=given,
        output=output, steps=tuple(map(shown, steps.kept)),
    )  # fmt: skip


def shown(kept: Mapping[str, Any]) -> dict[str, Any]:
    error = kept["error"]
    output = json.loads(kept["value"]) if error is None else {"error": told(error)}
    status = "ok" if error is None else "failed"
    return {"name": kept["name"], "kind": kept["kind"], "status": status, "output": output, "ms": 1}


def told(error: Exception) -> dict[str, Any]:
    made_of = {"kind": getattr(error, "kind", None)}
    return {"type": type(error).__name__, "message": str(error), "made_of": made_of}


def again_raised(error: Object) -> Exception:
    if error["type"] == "ToolRefused":
        return ToolRefused(error["message"], kind=error["made_of"]["kind"])
    return WorkflowFailed(error["message"])


def failed(error: Exception) -> dict[str, Any]:
    return {"error": {"type": type(error).__name__, "message": str(error)}}


def again(
    record: Run, folder: Path, found: Workflow = DESK, *overrides: str, most: int = 100, policy: str = "p"
) -> tuple[Replayed, list[Object]]:
    """Replay with a workflow and rules of today; also what tools did, which must be nothing."""
    done: list[Object] = []
    config = configured(folder, *overrides)
    knowing = Knowing(config, config.runs.redact, again_raised, {found.name: found})

    def around(steps: RecordedSteps) -> Means:
        return means(steps, steps.reading, most, done)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a replay reached for a socket")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "socket", refuse)
        return replayed_run(record, Ways(knowing, around, dict, failed, policy)), done


def test_a_workflow_replays_byte_for_byte_and_does_nothing(workspace: Path) -> None:
    record = recorded(workspace, DESK)
    assert [step["kind"] for step in record.steps] == ["ask", "clock", "step", "policy", "tool"]
    replayed, done = again(record, workspace)
    assert (replayed.same, replayed.changes, replayed.diff, replayed.notes) == (True, (), (), ())
    assert done == []


def test_a_step_is_not_done_again(workspace: Path) -> None:
    calls: list[int] = []

    def counting(flow: Flow, given: Given) -> Json:
        del given
        return {"number": flow.step("count", lambda: len(calls) + (calls.append(1) or 0))}

    found = workflow("counting", takes=Given)(counting)
    replayed, _ = again(recorded(workspace, found), workspace, found)
    assert (replayed.same, calls) == (True, [1])


def test_an_answer_that_the_rules_of_today_would_not_give_is_shown(workspace: Path) -> None:
    replayed, done = again(recorded(workspace, DESK), workspace, DESK, "answer.min_confidence=0.999")
    assert replayed.exit_code == 8
    assert 'step 0, ask: outcome: "answered" became "not_found"' in replayed.changes
    assert 'output: outcome: "answered" became "not_found"' in replayed.changes
    assert any(line.startswith("--- recorded answer of step 0") for line in replayed.diff)
    assert done == []


@pytest.mark.parametrize(("amount", "then", "now"), [(90, 100, 50), (90, 50, 100)])
def test_a_check_that_comes_out_otherwise_today_is_shown(
    workspace: Path, amount: int, then: int, now: int
) -> None:
    replayed, done = again(recorded(workspace, DESK, amount, then), workspace, most=now)
    assert replayed.exit_code == 8
    assert any(line.startswith("step 3, policy refund:") for line in replayed.changes)
    assert done == []


def test_rules_of_another_digest_that_say_the_same_are_the_same(workspace: Path) -> None:
    replayed, _ = again(recorded(workspace, DESK), workspace, most=101)
    assert replayed.same is True


def test_that_the_rules_have_changed_is_told(workspace: Path) -> None:
    replayed, _ = again(recorded(workspace, DESK), workspace, policy="q")
    assert replayed.same is True
    assert replayed.notes == ("the rules of tools and approvals have changed since",)


def test_what_other_runs_used_up_is_no_rule(workspace: Path) -> None:
    record = recorded(workspace, DESK, 90, 50)
    step = record.steps[3]
    error = {**step["output"]["error"], "made_of": {"kind": "rate"}}
    steps = (*record.steps[:3], {**step, "output": {"error": error}})
    replayed, _ = again(replace(record, steps=steps), workspace, most=100)
    assert replayed.same is True


def changed(name: str) -> Workflow:
    def otherwise(flow: Flow, given: Given) -> Json:
        try:
            flow.ask(QUESTION)
            flow.step(name, dict, [["said", "x"]])
        except Exception:  # noqa: BLE001 - a workflow may catch everything
            return {"outcome": "caught"}
        return {"outcome": "answered", "amount": given.amount}

    return workflow("desk", takes=Given)(otherwise)


@pytest.mark.parametrize("name", ["note", "remark"])
def test_another_step_is_named_and_no_workflow_can_catch_it(workspace: Path, name: str) -> None:
    replayed, _ = again(recorded(workspace, DESK), workspace, changed(name))
    assert replayed.changes == (f"step 1 would be {name} (step); it was now (clock)",)


def test_a_changed_source_is_told_and_replayed_all_the_same(workspace: Path) -> None:
    replayed, _ = again(recorded(workspace, DESK), workspace, replace(DESK, digest="0" * 64))
    assert (replayed.same, replayed.notes) == (True, ("the source of the workflow desk has changed since",))


def test_a_run_that_failed_fails_again_the_same_way(workspace: Path) -> None:
    def failing(flow: Flow, given: Given) -> Json:
        del given
        return flow.step("fetch", dict, ["not a pair"])

    found = workflow("failing", takes=Given)(failing)
    record = recorded(workspace, found)
    error = record.steps[0]["output"]["error"]
    output = {"error": {"type": "WorkflowFailed", "message": error["message"]}}
    replayed, _ = again(replace(record, output=output), workspace, found)
    assert (replayed.same, replayed.changes) == (True, ())


@pytest.mark.parametrize("kept", range(5))
def test_a_cancelled_run_replays_as_far_as_it_came(workspace: Path, kept: int) -> None:
    record = recorded(workspace, DESK)
    cut = replace(record, status="cancelled", outcome="cancelled", output={}, steps=record.steps[:kept])
    assert again(cut, workspace)[0].same is True
    done = replace(cut, status="done", outcome="done")
    assert again(done, workspace)[0].exit_code == 8


def test_recorded_steps_that_are_not_taken_are_counted(workspace: Path) -> None:
    def short(flow: Flow, given: Given) -> Json:
        del given
        flow.ask(QUESTION)
        return {}

    replayed, _ = again(recorded(workspace, DESK), workspace, workflow("desk", takes=Given)(short))
    assert "4 of the recorded steps would not be taken" in replayed.changes


def test_a_workflow_that_is_gone_cannot_be_said(workspace: Path) -> None:
    record = recorded(workspace, DESK)
    replayed, _ = again(record, workspace, replace(DESK, name="other"))
    assert (replayed.same, replayed.exit_code) == (None, 9)


def test_another_question_is_shown_beside_the_recorded_one(workspace: Path) -> None:
    def other(flow: Flow, given: Given) -> Json:
        del given
        return {"answer": flow.ask("What else?")["answer"]}

    replayed, _ = again(recorded(workspace, DESK), workspace, workflow("desk", takes=Given)(other))
    assert "step 0, ask: something else would be asked" in replayed.changes
    assert "+What else?" in replayed.diff


def test_what_was_blanked_in_an_answer_is_blanked_again(tmp_path: Path) -> None:
    (tmp_path / "hr").mkdir()
    (tmp_path / "hr" / "leave.md").write_text(
        f"# Portal\n\nThe password: hunter2hunter2 opens it.\n\n{LEAVE}"
    )
    (tmp_path / "ragflow.yaml").write_text(CONFIG)
    with ragflow.open(tmp_path) as app:
        assert app.index().exit_code == 0
    record = recorded(tmp_path, DESK)
    assert "hunter2" in canonical(record.steps[0]["output"]["answer"])
    output = {
        **record.steps[0]["output"],
        "answer": redact_all(record.steps[0]["output"]["answer"], ["secret"]),
    }
    assert "hunter2" not in canonical(output["answer"])
    steps = ({**record.steps[0], "output": output}, *record.steps[1:])
    assert again(replace(record, steps=steps), tmp_path)[0].same is True


def test_a_record_survives_its_json(workspace: Path) -> None:
    record = recorded(workspace, DESK)
    assert again(Run.from_json(json.loads(canonical(record.to_json()))), workspace)[0].same is True


def test_forgetting_a_document_empties_the_steps_from_where_it_was_read(
    workspace: Path, tmp_path: Path
) -> None:
    def late(flow: Flow, given: Given) -> Json:
        flow.now()
        answer = flow.ask(QUESTION)
        return {"said": flow.step("note", dict, [["said", answer["answer"]]]), "amount": given.amount}

    record = recorded(workspace, workflow("late", takes=Given)(late))
    approval = {
        "approval": "a-1",
        "tool": "refund",
        "arguments": {"note": LEAVE[:40]},
        "before": {"note": LEAVE},
        "comment": "28 days",
        "status": "executed",
    }
    store = RunStore(tmp_path / "runs.sqlite")
    added = store.add(replace(record, approvals=(approval,)))
    store.add(replace(record, run="r-other", steps=record.steps[:1], output={"amount": 1}))
    assert (
        "hr/leave.md",
        json.loads(canonical(record.steps[1]["output"]))["answer"]["citations"][0]["revision"],
    ) in store.cited()
    forget = replace(record, run="r-forget", kind="forget", output=None, steps=())
    gone = store.erase("hr/leave.md", forget=forget)
    assert list((gone.output or {})["erased"]) == [added.run]
    left = store.get(added.run)
    assert left is not None
    assert [step["output"] is None for step in left.steps] == [False, True, True]
    assert (left.output, left.input) == (None, record.input)
    assert left.approvals[0] == {**approval, "arguments": None, "before": None, "comment": None}
    assert set(left.erased or {}) == {"steps.1", "steps.2", "output", "approvals.0"}
    assert left.digest == added.digest
    assert [store.check(one) for one in (added.run, "r-other", "r-forget")] == ["intact"] * 3
    assert store.cited() == set()
    raw = b"".join(path.read_bytes() for path in tmp_path.glob("runs.sqlite*"))
    assert b"28 days of paid" not in raw


def test_what_was_emptied_and_by_no_forgetting_is_changed(workspace: Path, tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs.sqlite")
    added = store.add(recorded(workspace, DESK))
    assert store.check(added.run) == "intact"
    emptied = forgetting("hr/leave.md", added)
    assert emptied != added
    with sqlite3.connect(store.path) as connection:
        connection.execute("UPDATE runs SET record = ?", [canonical(emptied.to_json())])
        connection.execute("DELETE FROM cited")
    assert store.check(added.run) == "changed"
