"""``run``, ``runs cancel|resume|retry`` and ``worker`` as people meet them."""

import json
import sys

import engine_kit
import pytest

from ragflow.cli import main
from ragflow.cli.running import read_input
from ragflow.errors import UsageError
from ragflow.workflows import leases
from ragflow.workflows.errors import InputUnfit
from ragflow.workflows.executing import Executor
from ragflow.workflows.rows import Rows

LEAVE = "# Leave\n\n## Days\n\nEvery employee of the harbour office gets 28 days of paid leave in a year.\n"
TWICE = """
from ragflow.workflows import workflow
from pydantic import BaseModel

@workflow("answer", takes=BaseModel)
def f(flow, given):
    return 1
"""


@pytest.fixture
def folder(tmp_path):
    return engine_kit.workspace(tmp_path / "w")


@pytest.fixture
def cli(folder, monkeypatch, capsys):
    """Run a command in this process; returns exit code, stdout, stderr."""
    monkeypatch.setattr(sys, "path", list(sys.path))

    def call(*arguments):
        monkeypatch.delitem(sys.modules, "flows", raising=False)
        code = main(["-C", str(folder), *arguments])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return code, said.out, said.err

    return call


def test_a_list_names_each_workflow_with_its_first_sentence(cli):
    code, out, _ = cli("run", "--list")
    assert code == 0
    lines = out.splitlines()
    assert any(line.split(None, 1) == ["count", "Take n steps."] for line in lines)
    assert any(line.startswith("answer ") for line in lines)
    assert max(map(len, lines)) <= 80
    code, out, _ = cli("run", "--list", "--json")
    assert {"answer", "routed", "agent", "count"} <= {
        json.loads(line)["workflow"] for line in out.splitlines()
    }


def test_help_input_is_the_schema(cli):
    code, out, _ = cli("run", "count", "--help-input")
    assert code == 0
    assert json.loads(out)["properties"]["n"] == {"default": 3, "title": "N", "type": "integer"}


def test_a_result_is_shown_and_json_is_the_whole_record(cli):
    code, out, _ = cli("run", "count", "n=2", "text=of a word")
    assert code == 0
    assert '"text": "of a word"' in out
    code, out, _ = cli("run", "count", "--input", '{"n": 1}', "--json")
    record = json.loads(out)
    assert (code, record["schema"], record["kind"]) == (0, "ragflow.run/1", "workflow")
    assert record["input"]["input"] == {"n": 1}


def test_the_shipped_workflows_answer_from_the_documents(cli, folder):
    (folder / "docs").mkdir()
    (folder / "docs" / "leave.md").write_text(LEAVE)
    config = folder / "ragflow.yaml"
    config.write_text(config.read_text().replace("path: docs}", "path: docs, readers: [everyone]}"))
    assert cli("index")[0] == 0
    for name in ("answer", "routed"):
        code, out, _ = cli("run", name, "question=How many days of paid leave does an employee get?")
        assert code == 0
        assert "28 days of paid leave" in out
        assert "[1] docs/leave.md" in out
    code, out, _ = cli("run", "answer", "question=Who is the king of Norway?")
    assert code == 6
    kinds = [json.loads(line)["kind"] for line in cli("runs", "list", "--json")[1].splitlines()]
    assert kinds.count("ask") == 0  # nothing is recorded beside the runs
    assert kinds.count("workflow") == 3


def test_a_route_can_name_an_agent(cli, folder):
    (folder / "docs").mkdir()
    (folder / "docs" / "leave.md").write_text(LEAVE)
    config = folder / "ragflow.yaml"
    named = config.read_text().replace("path: docs}", "path: docs, readers: [everyone]}")
    rule = "{name: work, when: {any: [leave]}, sources: [docs], workflow: agent}"
    config.write_text(f"{named}routes: [{rule}]\n")
    assert cli("index")[0] == 0
    code, out, _ = cli(
        "run", "routed", "question=How many days of paid leave does an employee get?", "--json"
    )
    record = json.loads(out)
    assert (code, record["outcome"]) == (5, "no_model")  # it was the agent, and no model is configured
    assert record["steps"][0]["kind"] == "route"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("run",), 2, "name a workflow"),
        (("run", "cuont"), 2, 'there is no workflow "cuont" (nearest: "count")'),
        (("run", "count", "n=many"), 2, "the workflow count does not take this input: n:"),
        (("run", "count", "n"), 2, "write KEY=VALUE, not n"),
        (("run", "count", "--input", "[1]"), 2, "the input is no JSON object"),
        (("run", "count", "--input", "{"), 2, "the input is no JSON"),
        (("run", "raises"), 1, None),
        (("runs", "resume", "r-20260101T000000-abcdef"), 6, "not found: run"),
        (("runs", "cancel", "last"), 6, "not found: run last"),
        (("--set", "workflows=null", "run", "--list"), 2, None),
    ],
)
def test_what_is_wrong_is_one_sentence_and_its_exit_code(cli, arguments, code, words):
    found, _, err = cli(*arguments)
    assert found == code
    if words is not None:
        assert words in err
        assert err.startswith("error: ")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import nothing_of_this_name\n", "ModuleNotFoundError"),
        ("def broken(:\n", "SyntaxError"),
        ("x = 1\n", "holds no @workflow function"),
        (TWICE, 'two workflows have the name "answer"'),
    ],
)
def test_a_module_that_cannot_be_used_is_told(cli, folder, source, words):
    (folder / "flows.py").write_text(source)
    code, _, err = cli("run", "count")
    assert code == 2
    assert words in err


def test_a_failed_run_tells_the_whole_command_to_retry_it(cli):
    code, out, _ = cli("run", "raises")
    assert code == 1
    run = out.split(":")[0]
    assert f"ragflow runs retry {run}" in out
    code, out, _ = cli("runs", "retry", run)
    assert code == 1
    assert not out.startswith(run)


def test_a_run_that_waits_is_shown_listed_and_cancelled(cli):
    code, out, err = cli("run", "gate", "n=4")
    assert code == 7, err
    assert "waits for a person" in out
    run = out.split()[0]
    _, listed, _ = cli("runs", "list")
    assert "waiting" in listed
    assert "gate: waits for a-" in listed
    shown = json.loads(cli("runs", "show", run, "--json")[1])
    assert shown["status"] == "waiting"
    code, out, _ = cli("runs", "cancel", run)
    assert (code, out.strip()) == (0, f"{run}: cancelled")
    code, _, err = cli("runs", "cancel", run)
    assert code == 2
    assert "has ended: cancelled" in err


def test_a_run_that_a_worker_took_up_meanwhile_is_said_to_go_on_there(folder, cli, monkeypatch):
    others = []
    wait = Rows.wait

    def waited(self, row, suspended):
        """Just before this process looks whether it is decided, it is, and another has taken it up."""
        left = wait(self, row, suspended)
        engine_kit.decide(self._database, row.run)
        others.append(leases.take(self._database, folder / ".ragflow" / "leases", leases.new_executor()))
        Rows(self._database, others[-1]).take_over(row.run)
        return left

    with monkeypatch.context() as patched:
        patched.setattr(Rows, "wait", waited)
        code, out, _ = cli("run", "gate")
    run = out.split()[0]
    assert (code, out) == (
        4, f"{run} was decided, and another process goes on with it: ragflow runs show {run}\n",
    )  # fmt: skip
    code, out, err = cli("runs", "resume", run)
    assert (code, out) == (4, "")
    assert f"error: {run} is being worked on by the process" in err
    for other in others:
        other.close()
    assert cli("runs", "resume", run)[0] == 0


def test_a_run_that_was_decided_as_it_left_can_go_on(cli, monkeypatch):
    taken_again = Executor._taken_again

    def decided_after(self, row, approval):
        again = taken_again(self, row, approval)
        engine_kit.decide(self._database, row.run)
        return again

    with monkeypatch.context() as patched:
        patched.setattr(Executor, "_taken_again", decided_after)
        code, out, _ = cli("run", "gate")
    run = out.split()[0]
    assert (code, out) == (7, f"{run} can go on: ragflow runs resume {run}, or a worker takes it up\n")
    story = cli("runs", "show", run)[1]
    assert f"It can go on: ragflow runs resume {run}, or a worker takes it up." in story
    assert cli("runs", "resume", run)[0] == 0


def test_a_detached_run_is_left_to_a_worker(cli):
    code, out, _ = cli("run", "count", "--detach")
    assert code == 0
    assert "is left to a worker" in out
    code, _, err = cli("worker", "--once")
    assert code == 0
    assert "stopped: 1 taken up" in err
    assert json.loads(cli("runs", "show", out.split()[0], "--json")[1])["status"] == "done"


def test_input_is_read_from_text_file_and_pairs(tmp_path):
    file = tmp_path / "given.json"
    file.write_text('{"a": 1, "b": "x"}')
    assert read_input(str(file), ["b=[1, 2]", "c=true", "d=y = z", "e=1e999"]) == {
        "a": 1, "b": [1, 2], "c": True, "d": "y = z", "e": "1e999",
    }  # fmt: skip
    assert read_input(None, []) == {}
    file.write_text("[1]")
    with pytest.raises(InputUnfit, match="no JSON object"):
        read_input(str(file), [])
    with pytest.raises(UsageError, match="cannot be read"):
        read_input(str(tmp_path / "none.json"), [])
