"""Workflows in the hands of the clumsy: a mistake is told in a sentence, and stdout holds results alone."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import engine_kit
import pytest

from ragflow.cli import main
from ragflow.workflows.declaring import Workflow, check_input, workflow
from ragflow.workflows.errors import InputUnfit

MODULE = """\
import sys
from pydantic import BaseModel, ConfigDict
from ragflow.workflows import workflow

print("while it is imported")

class Order(BaseModel):
    order: str = "A"
    note: str = ""

class Open(Order):
    model_config = ConfigDict(extra="ignore")

def said():
    print("in a step")

@workflow("chatty", takes=Order)
def chatty(flow, order):
    print("from the workflow")
    flow.step("say", said)
    sys.stdout.write("raw")
    return {"order": order.order}

@workflow("open", takes=Open)
def lax(flow, order):
    return {}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("misused", "flows"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / "misused.py").write_text(MODULE)
    (tmp_path / "ragflow.yaml").write_text(
        "version: 1\nsources: {docs: {type: files, path: ., readers: [everyone]}}\nworkflows: [misused]\n"
    )
    yield tmp_path
    sys.modules.pop("misused", None)


def run(folder: Path, capsys, *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["-C", str(folder), *arguments])
    return (code, *capsys.readouterr())


def test_what_a_workflow_prints_is_no_part_of_the_result(folder, capsys):
    code, out, err = run(folder, capsys, "run", "chatty", "--json")
    assert code == 0
    assert json.loads(out)["output"] == {"order": "A"}
    for words in ("while it is imported", "in a step", "from the workflow", "raw"):
        assert words in err


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--input", '{"order": NaN}'], "the input is no JSON: "),
        (["--input", '{"order": 1e999}'], "the input is no JSON: "),
        (["--input", "[1]"], "the input is no JSON object"),
        (["--input", '{"order": '], "the input is no JSON: "),
        (["ordr=B"], 'the workflow chatty takes no "ordr" (nearest: "order")'),
        (["--input", '{"order": 3}'], "the workflow chatty does not take this input: order: Input should be"),
        (["order"], "write KEY=VALUE, not order"),
    ],
)
def test_an_input_that_cannot_be_meant_begins_nothing(folder, capsys, given, words):
    code, out, err = run(folder, capsys, "run", "chatty", *given)
    assert (code, out) == (2, "")
    assert f"error: {words}" in err
    assert run(folder, capsys, "runs", "list", "--json")[1] == ""


@pytest.mark.parametrize(("written", "read"), [("17", "17"), ('"17"', "17"), ("[1]", "[1]"), ("", "")])
def test_a_text_may_look_like_a_number(folder, capsys, written, read):
    _, out, _ = run(folder, capsys, "run", "chatty", f"order={written}", "--json")
    assert json.loads(out)["output"] == {"order": read}


def test_a_model_that_says_so_ignores_what_it_does_not_know(folder, capsys):
    assert run(folder, capsys, "run", "open", "whatever=1")[0] == 0


def test_only_what_is_strange_at_the_front_door_is_told():
    from pydantic import BaseModel

    class Inner(BaseModel):
        a: int = 1

    class Outer(BaseModel):
        inner: Inner = Inner()

    found: Workflow = workflow("outer", takes=Outer)(lambda _flow, _given: None)
    check_input(found, {"inner": {"a": 2, "b": 3}})
    with pytest.raises(InputUnfit, match='takes no "innner"'):
        check_input(found, {"innner": {}})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import sys; sys.exit(0)", "SystemExit: 0"),
        ("import ragflow_is_not_there", "ModuleNotFoundError"),
        ("x = (", "SyntaxError"),
        ("x = 1", "holds no @workflow function"),
        ('@workflow("a", takes=dict)\ndef a(f, g): ...', 'takes of the workflow "a" is no pydantic model'),
        ("@workflow\ndef a(f, g): ...", "missing 1 required keyword-only argument: 'takes'"),
        ('@workflow(" ", takes=G)\ndef a(f, g): ...', "a workflow's name is a word or a few, not ' '"),
        ('@workflow("a\\x1b", takes=G)\ndef a(f, g): ...', "not 'a\\x1b'"),
        ('@workflow("a", takes=G)\nasync def a(f, g): ...', 'the workflow "a" is async'),
        ('@workflow("a", takes=G)\ndef a(f, g): yield', 'the workflow "a" yields'),
        ('@workflow("a", takes=G, steps=0)\ndef a(f, g): ...', 'the workflow "a" may take no step'),
        (
            '@workflow("a", takes=G)\ndef a(f, g): ...\n@workflow("a", takes=G)\ndef b(f, g): ...',
            'two workflows have the name "a"',
        ),
    ],
)
def test_a_module_that_no_workflow_can_come_of_is_told_before_anything_begins(folder, capsys, text, words):
    head = "from pydantic import BaseModel\nfrom ragflow.workflows import workflow\nclass G(BaseModel): ...\n"
    (folder / "misused.py").write_text(head + text + "\n")
    code, out, err = run(folder, capsys, "run", "a")
    assert (code, out) == (2, "")
    assert words in err.replace("\\\\", "\\")
    assert len(err.splitlines()) == 2
    assert run(folder, capsys, "runs", "list", "--json")[0] == 0  # looking goes on working


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")  # noqa: PTH110
@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_where_stdout_is_full_the_run_is_named_and_none_begins_anew(folder, capsys, flags):
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        command = [sys.executable, "-m", "ragflow.cli", "-C", str(folder), "run", "chatty", *flags]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    (one,) = run(folder, capsys, "runs", "list", "--json")[1].splitlines()
    assert done.returncode == 4
    named = json.loads(one)["run"]
    assert done.stderr.endswith(
        f"error: what became of {named} cannot be written: No space left on device\n"
        f"hint: ragflow runs show {named}\n"
    )


def test_closed_streams_are_no_bug(folder):
    for closed in (">&-", "<&-", ">&- <&- 2>&-"):
        line = f'"$0" -m ragflow.cli -C "$1" run chatty --input - {closed}'
        done = subprocess.run(
            ["sh", "-c", line, sys.executable, str(folder)],
            stderr=subprocess.PIPE, input='{"order": "B"}', text=True, check=False,
        )  # fmt: skip
        assert done.returncode == (2 if "<" in closed else 0), done.stderr
        assert "Traceback" not in done.stderr


def test_where_the_disk_is_full_the_hint_goes_on_with_the_run_that_was_begun(tmp_path):
    """The same command again would begin another run, and do again what this one did."""
    folder = engine_kit.workspace(tmp_path / "w")
    command = [sys.executable, "-m", "ragflow.cli", "-C", str(folder), "run", "large"]
    done = subprocess.run(
        ["sh", "-c", 'ulimit -f 1000; exec "$@"', "sh", *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 4, done.stderr
    (run,) = re.findall(r"^hint: .*ragflow runs resume (r-\S+)$", done.stderr, re.MULTILINE)
    assert "Traceback" not in done.stderr
    assert engine_kit.command(folder, "runs", "resume", run).returncode == 0
    assert engine_kit.did(folder) == ["first"]


def looked(folder: Path, capsys) -> dict[str, tuple[str, str]]:
    checks = json.loads(run(folder, capsys, "doctor", "--json")[1])["checks"]
    return {one["name"]: (one["status"], one["message"]) for one in checks}


def test_doctor_finds_modules_tools_and_runs_that_cannot_go_on(folder, capsys):
    assert looked(folder, capsys)["workflows"] == ("ok", "2 in misused")
    assert "runs" not in looked(folder, capsys)
    assert not (folder / ".ragflow").exists()
    (folder / "misused.py").write_text("raise ValueError('no')")
    sys.modules.pop("misused", None)
    with (folder / "ragflow.yaml").open("a") as stream:
        stream.write(
            "tools:\n  pay: {python: 'ragflow_nowhere:pay', roles: [everyone]}\n"
            "  look: {use: search}\n"
            "  tell: {use: webhook, effect: write, roles: [everyone],"
            " settings: {url: 'https://x.example/', secret_env: RAGFLOW_UNSET_HOOK}}\n"
        )
    found = looked(folder, capsys)
    status, message = found["workflows"]
    assert (status, "misused cannot be imported: ValueError: no" in message) == ("fail", True)
    status, message = found["tools"]
    assert (status, message.startswith("tools.pay: the module ragflow_nowhere")) == ("fail", True)
    assert found["variables"] == (
        "warn", "environment variables of tools are not set: RAGFLOW_UNSET_HOOK (tell)",
    )  # fmt: skip
    configured = (folder / "ragflow.yaml").read_text()
    (folder / "ragflow.yaml").write_text(re.sub("  pay: .*\n", "", configured))
    assert looked(folder, capsys)["tools"] == ("warn", "nobody may call look: no roles are named")


def test_doctor_tells_a_run_whose_process_died_from_one_that_goes_on(tmp_path, capsys):
    folder = engine_kit.workspace(tmp_path / "w")
    try:
        process = engine_kit.child(folder, "run", "slow")
        while not (folder / "looking").exists():
            assert process.poll() is None
            time.sleep(0.05)
        assert looked(folder, capsys)["runs"] == ("ok", "1 in progress, 0 waiting for a person")
        process.kill()
        process.wait()
        status, message = looked(folder, capsys)["runs"]
        assert (status, message.endswith("on 1 of those in progress nobody works")) == ("warn", True)
    finally:
        engine_kit.end_children()
        sys.modules.pop("flows", None)


def test_doctor_says_that_the_server_of_runs_does_not_answer(folder, capsys):
    with (folder / "ragflow.yaml").open("a") as stream:
        stream.write("database: {url: 'postgresql://owner@127.0.0.1:9/none'}\n")
    status, message = looked(folder, capsys)["runs"]
    assert status == "fail"
    assert message.startswith("runs in progress cannot be seen: the database postgresql")
