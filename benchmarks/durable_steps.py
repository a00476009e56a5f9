"""What it costs that a step is done once: python benchmarks/durable_steps.py [--finished 10000] [--rounds 5].

Workflows of 50 steps and of 2, whose functions add one, on SQLite in a temporary folder. Three things:

1. a durable step (``flow.step`` in a workflow, as `ragflow run` executes it), beside the same function
   called bare and beside DBOS's own bare step, on a database as DBOS sets it up and on one in WAL mode as
   ours is; a process each, in turn, so that all meet the same machine;
2. the same step, and a whole new run of two steps, in a workspace with 200 finished runs and in a copy of
   it with 10,000, in turn. The first 200 are real runs; the rest are records and rows made of a real run's
   with another id, appended to the chain and the tables as a run that ends leaves them (DBOS holds nothing
   of a run that has ended);
3. `ragflow stats` over those 10,000.

Prints medians and 95th percentiles in ms, and ratios of medians.
"""

import argparse
import contextlib
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select, text

import ragflow
from ragflow.records import canonical, digest_of, new_id, timestamp
from ragflow.runs import RunStore
from ragflow.workflows.database import Database
from ragflow.workflows.tables import flows

STEPS = 50
REAL = 200
WARM = 5
FLOWS = '''\
"""Workflows of steps that do next to nothing; TIMES holds how long each step took, in s."""

import time

from pydantic import BaseModel

from ragflow.workflows import Flow, workflow

TIMES = []


class Nothing(BaseModel):
    pass


def add(number):
    return number + 1


def take(flow: Flow, steps: int):
    number = 0
    for _ in range(steps):
        began = time.perf_counter()
        number = flow.step("add", add, number)
        TIMES.append(time.perf_counter() - began)
    return {"number": number}


@workflow("fifty", takes=Nothing)
def fifty(flow: Flow, given: Nothing):
    """Take 50 steps."""
    return take(flow, 50)


@workflow("two", takes=Nothing)
def two(flow: Flow, given: Nothing):
    """Take two steps."""
    return take(flow, 2)
'''


def main() -> None:
    """Measure and print, or be one of the processes that are measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--finished", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--child", nargs=2, metavar=("WHAT", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        what, folder = given.child
        measured = {"ours": ours, "bare": bare, "dbos": dbos, "dbos-wal": dbos, "fill": fill}[what]
        print(json.dumps(measured(Path(folder), what)))
        return
    with tempfile.TemporaryDirectory() as place:
        steps(Path(place), given.rounds)
        crowded(Path(place), given.rounds, given.finished)


def steps(place: Path, rounds: int) -> None:
    """Compare one step with its peers."""
    workspace = made(place / "steps")
    found: dict[str, list[float]] = {}
    for round_ in range(rounds):
        for what in ("ours", "bare", "dbos", "dbos-wal"):
            folder = workspace if what in ("ours", "bare") else place / f"{what}-{round_}"
            found.setdefault(what, []).extend(child(what, folder)["step"])
    print(f"a step ({rounds} processes each, {STEPS * 2} steps a process)            p50 ms    p95 ms")
    for what, words in (
        ("bare", "the function called bare"),
        ("ours", "flow.step"),
        ("dbos", "DBOS's own step, its database as DBOS makes it"),
        ("dbos-wal", "DBOS's own step, its database in WAL mode"),
    ):
        print(f"  {words:54} {shown(found[what])}")
    ratio = statistics.median(found["ours"]) / statistics.median(found["dbos-wal"])
    print(f"  flow.step / DBOS's own step in WAL mode: {ratio:.2f}")


def crowded(place: Path, rounds: int, finished: int) -> None:
    """Compare a workspace with few finished runs with one that has many."""
    few, many = made(place / "few"), place / "many"
    child("fill", few)
    shutil.copytree(few, many)
    began = time.perf_counter()
    multiply(many, finished)
    print(f"\n{finished:,} finished runs ({REAL} real, the rest made in {time.perf_counter() - began:.0f} s)")
    found: dict[str, dict[str, list[float]]] = {"few": {}, "many": {}}
    for round_ in range(rounds):
        order = [("few", few), ("many", many)]
        for name, folder in order if round_ % 2 else reversed(order):
            for key, values in child("ours", folder).items():
                found[name].setdefault(key, []).extend(values)
    print(f"{'':40}{f'{REAL} runs: p50 p95':>22}{f'{finished:,} runs: p50 p95':>26}   ratio")
    for key, words in (("step", "a step"), ("run", "a whole new run of two steps")):
        a, b = found["few"][key], found["many"][key]
        ratio = statistics.median(b) / statistics.median(a)
        print(f"  {words:40}{shown(a):>20}{shown(b):>26}   {ratio:.2f}")
    counted(many)


def counted(folder: Path) -> None:
    """Count all runs, on the clock and then watched by tracemalloc."""
    with ragflow.open(folder) as app:
        asker = app.asker()
        began = time.perf_counter()
        total = app.stats(asker)["runs"]
        took = time.perf_counter() - began
        tracemalloc.start()
        app.stats(asker, by="day")
        _, peak = tracemalloc.get_traced_memory()
    print(f"stats over {total:,} runs: {took:.1f} s, {peak / 1e6:.1f} MB of Python's objects at most")


# -- the processes that are measured -------------------------------------------------------------


def ours(folder: Path, _: str) -> dict[str, list[float]]:
    """Take steps in workflows, and run whole workflows; ms."""
    with ragflow.open(folder) as app, app.orchestration() as orchestration:
        asker = app.asker()

        def run(name: str) -> float:
            began = time.perf_counter()
            report = orchestration.start(name, {}, asker=asker)
            assert report.record["status"] == "done", report.record["output"]
            return (time.perf_counter() - began) * 1_000

        for _ in range(WARM):
            run("two")
        times = sys.modules["bench_flows"].TIMES
        times.clear()
        run("fifty")
        run("fifty")
        taken = [one * 1_000 for one in times]
        return {"step": taken, "run": [run("two") for _ in range(20)]}


def bare(folder: Path, _: str) -> dict[str, list[float]]:
    """Call the function of the steps; ms."""
    sys.path.insert(0, str(folder))
    import bench_flows  # type: ignore[import-not-found]

    def call() -> float:
        began = time.perf_counter()
        bench_flows.add(1)
        return (time.perf_counter() - began) * 1_000

    return {"step": [call() for _ in range(2 * STEPS)]}


def dbos(folder: Path, what: str) -> dict[str, list[float]]:
    """Take steps as DBOS has them, in a database of its own; ms."""
    import sqlite3

    from dbos import DBOS

    folder.mkdir(parents=True)
    file = folder / "dbos.sqlite"
    if what == "dbos-wal":
        with contextlib.closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
    DBOS(
        config={
            "name": "benchmark",
            "system_database_url": f"sqlite:///{file}",
            "log_level": "CRITICAL",
            "console_log_level": "CRITICAL",
        }
    )
    times: list[float] = []

    def add(number: int) -> int:
        return number + 1

    @DBOS.workflow()
    def count(steps: int) -> int:
        number = 0
        for _ in range(steps):
            began = time.perf_counter()
            number = DBOS.run_step({"name": "add"}, add, number)
            times.append((time.perf_counter() - began) * 1_000)
        return number

    DBOS.launch()
    for _ in range(WARM):
        count(2)
    times.clear()
    count(STEPS)
    count(STEPS)
    DBOS.destroy()
    return {"step": times}


def fill(folder: Path, _: str) -> dict[str, list[float]]:
    """Run real workflows."""
    with ragflow.open(folder) as app, app.orchestration() as orchestration:
        asker = app.asker()
        for _ in range(REAL):
            orchestration.start("two", {}, asker=asker)
    return {}


# -- making --------------------------------------------------------------------------------------


def made(folder: Path) -> Path:
    """Make a workspace with the workflows."""
    folder.mkdir()
    (folder / "bench_flows.py").write_text(FLOWS)
    (folder / "docs").mkdir()
    source = "docs: {type: files, path: docs, readers: [everyone]}"
    (folder / "ragflow.yaml").write_text(f"version: 1\nsources: {{{source}}}\nworkflows: [bench_flows]\n")
    return folder


def multiply(folder: Path, wanted: int) -> None:
    """Append what runs that ended leave, made of the newest real one, until there are as many as wanted."""
    path = folder / ".ragflow" / "runs.sqlite"
    store = RunStore(path)
    [before] = store.list(1)
    rows, records = [], []
    with Database.of_file(path) as database, database.begin() as connection:
        found = connection.execute(select(flows).where(flows.c.run == before.run)).mappings().one()
        for at in range(REAL, wanted):
            # A minute apart: ids have six random digits a second.
            moment = datetime.now(UTC) - timedelta(minutes=wanted - at)
            name, created = new_id("r", now=moment), timestamp(moment)
            run = replace(before, run=name, created=created, previous=before.digest)
            before = replace(run, digest=digest_of(run.to_json()))
            columns = {"run": run.run, "kind": run.kind, "owner": run.actor[0], "created": run.created}
            records.append({**columns, "record": canonical(before.to_json())})
            rows.append({**found, "run": run.run, "created": created})
        connection.execute(insert(flows), rows)
        connection.execute(
            text(
                "INSERT INTO runs (run, kind, owner, created, record)"
                " VALUES (:run, :kind, :owner, :created, :record)"
            ),
            records,
        )
    assert store.check(before.run) == "intact", "a made record must be one"


def child(what: str, folder: Path) -> dict[str, Any]:
    """Measure in a process of its own."""
    command = [sys.executable, __file__, "--child", what, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{what}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def shown(values: Sequence[float]) -> str:
    """Return the median and the 95th percentile."""
    return f"{statistics.median(values):9.4f} {statistics.quantiles(values, n=20)[-1]:9.4f}"


if __name__ == "__main__":
    main()
