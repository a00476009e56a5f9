"""Killed anywhere, an index run goes on; nobody who asks notices. Real processes, real signals."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

import ragflow
from indexes.locks import writer_lock

CONFIG = """\
version: 1
sources:
  docs: {type: files, path: docs, readers: [everyone]}
index: {keep_generations: 1}
"""
QUESTION = "How many days of annual leave does an employee get?"
Clone = Callable[[Path, Path], Path]
STATES = (
    "begun restricted planned access buried fetched stored scanned embedded segment compacted manifest"
    " promoted collected done"
).split()

# Runs `app.index()` and, once the given journal state is durable, kills or stops itself.
CHILD = """
import os, signal, sys
import ragflow
from indexes.sync import Sync

real = Sync._step

def step(self, state):
    real(self, state)
    if state == sys.argv[2]:
        os.kill(os.getpid(), getattr(signal, sys.argv[3]))

Sync._step = step
with ragflow.open(sys.argv[1]) as app:
    app.index()
"""


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a live generation and sources that have changed since, so that all states occur."""
    folder = tmp_path_factory.mktemp("crash") / "indexed"
    docs = folder / "docs"
    docs.mkdir(parents=True)
    (folder / "ragflow.yaml").write_text(CONFIG)
    (docs / "leave.md").write_text(
        "# Leave\n\nAn employee gets 28 days of annual leave in each calendar year.\n"
    )
    for number in range(12):
        (docs / f"rule-{number}.md").write_text(
            f"# Rule {number}\n\nFolder {number} is kept for {number} years.\n"
        )
    with ragflow.open(folder) as app:
        assert app.index().exit_code == 0
    for number in range(4):
        (docs / f"rule-{number}.md").unlink()
    (docs / "rule-5.md").write_text("# Rule 5\n\nFolder 5 is burnt at once.\n")
    (docs / "new.html").write_text("<h1>Shoes</h1><p>Safety shoes are worn in the warehouse.</p>")
    return folder


@pytest.fixture
def folder(indexed: Path, tmp_path: Path, clone: Clone) -> Path:
    """A copy of the changed workspace, times kept."""
    return clone(indexed, tmp_path / "workspace")


@pytest.fixture
def marked() -> Iterator[dict[str, str]]:
    """An environment by which descendants are found again, whoever their parent is by then."""
    mark = f"mark-{uuid.uuid4().hex}"
    yield {**os.environ, "TEST_MARK": mark}
    for process in living({"TEST_MARK": mark}):
        process.kill()


def living(environment: dict[str, str]) -> list[psutil.Process]:
    """The processes that bear the mark."""
    found = []
    for process in psutil.process_iter():
        try:
            if (
                process.environ().get("TEST_MARK") == environment["TEST_MARK"]
                and process.status() != "zombie"
            ):
                found.append(process)
        except (psutil.AccessDenied, psutil.NoSuchProcess):
            continue
    return found


def shown(folder: Path) -> list[tuple[str, float, str]]:
    """What an asker sees: the hits of a question, with their texts."""
    with ragflow.open(folder) as app:
        return [(hit.chunk, hit.score, hit.text) for hit in app.search(QUESTION, readers=["everyone"], k=50)]


def documents(folder: Path) -> set[str]:
    with ragflow.open(folder) as app:
        return {row.document for row in app.documents(readers=["everyone"])}


def expected(folder: Path) -> set[str]:
    return {f"docs/{path.name}" for path in (folder / "docs").iterdir()}


def assert_nothing_lives(folder: Path, environment: dict[str, str]) -> None:
    """Within two seconds of the kill the lock is free and no child lives."""
    end = time.monotonic() + 2
    while living(environment) and time.monotonic() < end:
        time.sleep(0.02)
    assert living(environment) == []
    with writer_lock(folder / ".ragflow" / "lock", wait=max(0.0, end - time.monotonic())):
        pass


def assert_goes_on(folder: Path, fresh: Path) -> None:
    """The next index run ends with exactly the right documents, found as if nothing had happened."""
    with ragflow.open(folder) as app:
        report = app.index()
        assert report.exit_code == 0
        assert all(check.status == "ok" for check in app.health(fix=False))
    assert documents(folder) == expected(folder)
    assert shown(folder) == shown(fresh)


@pytest.fixture(scope="module")
def fresh(indexed: Path, tmp_path_factory: pytest.TempPathFactory, clone: Clone) -> Path:
    """What the sources give when indexed once, without any accident."""
    folder = clone(indexed, tmp_path_factory.mktemp("fresh") / "workspace")
    shutil.rmtree(folder / ".ragflow")
    with ragflow.open(folder) as app:
        assert app.index().exit_code == 0
    return folder


@pytest.mark.parametrize("state", STATES)
def test_a_kill_at_each_journal_state_loses_nothing(
    folder: Path, fresh: Path, marked: dict[str, str], state: str
) -> None:
    before = shown(folder)
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(folder), state, "SIGKILL"], env=marked, check=False
    )
    assert child.returncode == -signal.SIGKILL
    assert_nothing_lives(folder, marked)
    after = shown(folder)
    if STATES.index(state) < STATES.index("buried"):
        assert after == before
    elif STATES.index(state) < STATES.index("promoted"):  # proven deletes hold; all else is as it was
        gone = {f"docs/rule-{number}.md" for number in range(4)}
        texts = {chunk: text for chunk, _, text in before if chunk.partition("@")[0] not in gone}
        assert {chunk: text for chunk, _, text in after} == texts
    else:
        assert after == shown(fresh)
    assert_goes_on(folder, fresh)


def test_kills_at_random_moments_lose_nothing(
    folder: Path,
    fresh: Path,
    marked: dict[str, str],
    rounds: Callable[..., int],
    tmp_path: Path,
    clone: Clone,
) -> None:
    command = [sys.executable, "-m", "ragflow.cli", "-C"]
    began = time.monotonic()
    spare = clone(folder, tmp_path / "spare")
    subprocess.run([*command, str(spare), "index"], env=marked, check=True, capture_output=True)
    whole = time.monotonic() - began
    chance = random.Random(7)
    before = shown(folder)
    for number in range(rounds(fast=5, soak=100)):
        again = clone(folder, tmp_path / f"killed-{number}")
        process = subprocess.Popen(
            [*command, str(again), "index"], env=marked, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(chance.uniform(0.2, 1.0) * whole)
        process.kill()
        process.wait()
        assert_nothing_lives(again, marked)
        assert {text for _, _, text in shown(again)} - {text for _, _, text in shown(fresh)} <= {
            text for _, _, text in before
        }
        assert_goes_on(again, fresh)
        shutil.rmtree(again)


def run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "ragflow.cli", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_second_index_run_names_the_holder_or_waits(folder: Path, marked: dict[str, str]) -> None:
    holder = subprocess.Popen([sys.executable, "-c", CHILD, str(folder), "stored", "SIGSTOP"], env=marked)
    process = psutil.Process(holder.pid)
    end = time.monotonic() + 60
    while process.status() != psutil.STATUS_STOPPED and time.monotonic() < end:
        time.sleep(0.05)
    refused = run(folder, "index", "--json")
    assert refused.returncode == 4
    error = json.loads(refused.stdout)["error"]
    assert error["type"] == "LockHeld"
    assert str(holder.pid) in error["message"]
    waiting = subprocess.Popen(
        [sys.executable, "-m", "ragflow.cli", "-C", str(folder), "index", "--wait", "60"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(1)
    assert waiting.poll() is None
    holder.send_signal(signal.SIGCONT)
    assert holder.wait() == 0
    assert waiting.wait() == 0
    assert documents(folder) == expected(folder)


def test_many_may_ask_while_one_indexes_compacts_and_collects(folder: Path) -> None:
    command = [sys.executable, "-m", "ragflow.cli", "-C", str(folder), "ask", QUESTION, "--json"]
    asking = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(8)
    ]
    removed = 0
    with ragflow.open(folder) as app:
        for number in range(6):
            for path in sorted((folder / "docs").glob("rule-*.md"))[:2]:
                path.unlink()
            (folder / "docs" / f"more-{number}.txt").write_text(
                f"The gate {number} opens at {number} o'clock."
            )
            assert app.index(allow_deletes=True).exit_code == 0
            removed += 1
    for process in asking:
        out, err = process.communicate()
        assert process.returncode == 0, err
        answer = json.loads(out)
        assert (answer["outcome"], answer["citations"][0]["document"]) == ("answered", "docs/leave.md")
    with ragflow.open(folder) as app:
        assert len([row for row in app.runs(100, app.asker()) if row["kind"] == "ask"]) == len(asking)
        app.index()
        assert removed == 6
        assert documents(folder) == expected(folder)


def test_an_interrupt_ends_in_one_line_and_a_whole_state(
    folder: Path, fresh: Path, marked: dict[str, str]
) -> None:
    child = CHILD.replace("with ragflow.open(sys.argv[1]) as app:\n    app.index()\n", "")
    child += "from ragflow.cli import main\nsys.exit(main(['-C', sys.argv[1], 'index']))\n"
    ended = subprocess.run(
        [sys.executable, "-c", child, str(folder), "fetched", "SIGINT"],
        env=marked,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 130
    assert "Traceback" not in ended.stderr
    assert_nothing_lives(folder, marked)
    assert_goes_on(folder, fresh)
