"""The durable engine under test: a workspace with workflows, and commands in it that are killed on the way.

A child is ``python engine_kit.py KILL ARGUMENT...``: the command line, which ends itself by SIGKILL where
KILL says: ``-`` nowhere; ``before:N``, ``inside:N``, ``after:N``: step N (from 0) is about to be taken, has
been done but is not kept, has been kept; ``record:0``: the record stands, the run's row does not know yet.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

from ragflow.records import timestamp
from ragflow.workflows.tables import requests

WORKFLOWS = '''\
"""Workflows that leave a line in the file did.txt for each thing that they really do."""

import os
import threading
import time
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel

from ragflow.workflows import Flow, NotApproved, ToolFailed, ToolRefused, workflow
from ragflow.workflows.errors import WorkflowFailed

HERE = Path(__file__).parent


class Given(BaseModel):
    n: int = 3
    text: str = ""


def do(what):
    with (HERE / "did.txt").open("a") as stream:
        stream.write(f"{what}\\n")
    return {"did": what}


@workflow("count", takes=Given)
def count(flow: Flow, given: Given):
    """Take n steps."""
    return {"did": [flow.step(f"step {at}", do, at)["did"] for at in range(given.n)], "text": given.text}


@workflow("slow", takes=Given, steps=10_000)
def slow(flow: Flow, given: Given):
    """Take n steps of some time each, until the file `go` is there."""
    for at in range(given.n):
        flow.step(f"step {at}", do, at)
        while not flow.step("look", may_go):
            pass
    return {"did": given.n}


def may_go():
    (HERE / "looking").touch()
    time.sleep(1 if (HERE / "slowly").exists() else 0.05)
    return (HERE / "go").exists()


@workflow("gate", takes=Given)
def gate(flow: Flow, given: Given):
    """Do something, ask, do something else."""
    flow.step("first", do, "first")
    agreed = flow.approve("publish", {"n": given.n}, approvers=["group:leads"], expires=timedelta(hours=1))
    flow.step("second", do, "second")
    return {"agreed": agreed}


@workflow("short", takes=Given)
def short(flow: Flow, given: Given):
    """Ask for what expires at once."""
    try:
        flow.approve("publish", {}, approvers=["group:leads"], expires=timedelta(seconds=1))
    except NotApproved as error:
        return {"outcome": "nobody", "status": error.status}


@workflow("loop", takes=Given, seconds=0.3)
def loop(flow: Flow, given: Given):
    """Loop without a step."""
    flow.step("first", do, "first")
    while True:
        time.sleep(0.001)


@workflow("greedy", takes=Given, steps=5)
def greedy(flow: Flow, given: Given):
    """Take steps for ever, whatever is raised."""
    while True:
        try:
            flow.step("again", do, "again")
        except Exception:
            pass


@workflow("raises", takes=Given)
def raises(flow: Flow, given: Given):
    """Raise after a step."""
    flow.step("first", do, "first")
    raise ValueError("the customer of bearer abcdefghijklmnop1234 is unknown")


class Odd(Exception):
    def __init__(self, one, *, other):
        super().__init__(f"{one} and {other}")


def refuse():
    raise ToolRefused("no role", kind="role", hint="ask for one")


def fail():
    raise ToolFailed("timed out with password=hunter22222", kind="time_out", happened=None, curable=True)


def wrong():
    raise KeyError("order", 7)


def odd():
    raise Odd(1, other=2)


@workflow("errors", takes=Given)
def errors(flow: Flow, given: Given):
    """Catch what steps raise, and tell all that can be told of it."""
    caught = []
    for function in (refuse, fail, wrong, odd, lambda: object(), lambda: float("nan"), lambda: "\\ud800"):
        try:
            flow.step("try", function)
        except Exception as error:
            told = {key: value for key, value in vars(error).items()}
            caught.append([type(error).__name__, str(error), told])
    flow.step("last", do, "last")
    return {"caught": caught}


@workflow("nested", takes=Given)
def nested(flow: Flow, given: Given):
    """Take a step inside a step, and one in another thread."""
    found = []
    for function in (lambda: flow.step("inner", do, "inner"), lambda: in_thread(flow)):
        try:
            flow.step("outer", function)
        except WorkflowFailed as error:
            found.append(str(error))
    return {"found": found}


def in_thread(flow):
    raised = []

    def take():
        try:
            flow.step("inner", do, "inner")
        except WorkflowFailed as error:
            raised.append(error)

    thread = threading.Thread(target=take)
    thread.start()
    thread.join()
    raise raised[0]


@workflow("values", takes=Given)
def values(flow: Flow, given: Given):
    """Give what JSON gives back in another shape."""
    value = flow.step("value", lambda: (1, 2.0, {"a": ("b",)}, None))
    return {"seen": [value, flow.now().isoformat(), flow.run]}


@workflow("large", takes=Given)
def large(flow: Flow, given: Given):
    """Keep much."""
    flow.step("first", do, "first")
    return {"size": len(flow.step("large", lambda: "x" * 1_000_000))}


@workflow("fork", takes=Given)
def fork(flow: Flow, given: Given):
    """Go another way each time."""
    flow.step(f"way {os.getpid()}", do, "way")
    flow.step("first", do, "first")
'''


def decide(database, run, status="approved"):
    """Decide the pending request of a run."""
    with database.begin() as connection:
        pending = (requests.c.run == run) & (requests.c.status == "pending")
        values = {"status": status, "decided_by": "user:noor", "decided": timestamp()}
        assert connection.execute(requests.update().where(pending).values(**values)).rowcount == 1


def workspace(folder: Path, more: str = "") -> Path:
    """Make a workspace with the workflows above."""
    folder.mkdir(exist_ok=True)
    (folder / "ragflow.yaml").write_text(
        f"version: 1\nsources: {{docs: {{type: files, path: docs}}}}\nworkflows: [flows]\n{more}"
    )
    (folder / "flows.py").write_text(WORKFLOWS)
    return folder


def did(folder: Path) -> list[str]:
    """What was really done, in order."""
    log = folder / "did.txt"
    return log.read_text().split() if log.exists() else []


def child(folder: Path, *arguments: str, kill: str = "-") -> "subprocess.Popen[str]":
    """Start a command in a process of its own."""
    repository = Path(__file__).resolve().parents[2]
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "PGPASSWORD") if key in os.environ}
    process = subprocess.Popen(
        [sys.executable, __file__, kill, "-C", str(folder), *arguments],
        env=kept | {"PYTHONPATH": str(repository), "COLUMNS": "80", "RUN_PASSWORD": PASSWORD},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    _started.append(process)
    return process


def end_children() -> None:
    """End what a test that failed has left."""
    while _started:
        process = _started.pop()
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def command(folder: Path, *arguments: str, kill: str = "-") -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    process = child(folder, *arguments, kill=kill)
    out, err = process.communicate(timeout=120)
    assert "Traceback" not in err, err
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


PASSWORD = "h%nter two/2@"
_started: "list[subprocess.Popen[str]]" = []


def _die():
    os.kill(os.getpid(), signal.SIGKILL)


def _plugged(kill: str) -> None:
    """Have this process end itself where ``kill`` says."""
    from ragflow.workflows import durable, executing

    when, _, number = kill.partition(":")
    take, done, add = durable.DurableSteps.take, durable.DurableSteps._done, executing.Executor._close_row

    def taken(self, name, work, *, kind="step"):
        at = self.next
        if when == "before" and at == int(number):
            _die()
        try:
            return take(self, name, work, kind=kind)
        finally:
            if when == "after" and at == int(number):
                _die()

    def finished(self, *arguments):
        kept = done(self, *arguments)
        if when == "inside" and self.next - 1 == int(number):
            _die()
        return kept

    def closed(self, *arguments):
        if when == "record":
            _die()
        add(self, *arguments)

    durable.DurableSteps.take, durable.DurableSteps._done = taken, finished
    executing.Executor._close_row = closed


if __name__ == "__main__":
    from ragflow.cli import main

    if sys.argv[1] != "-":
        _plugged(sys.argv[1])
    sys.exit(main(sys.argv[2:]))
