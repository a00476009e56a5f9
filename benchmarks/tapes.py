"""What a tape costs: python benchmarks/tapes.py.

The example company is indexed into a temporary folder and its questions are asked in one warm process, each
round in another order, recorded, as one who may read everything. Every ask is done twice in a row: with its
tape, and with what makes and keeps tapes taken out. Prints medians of both, of their difference, and bytes a
run.
"""

import argparse
import random
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import ragflow
from evals.datasets import load
from ragflow import answering
from ragflow.answering import AskOptions
from ragflow.identity import Asker
from ragflow.runs import RunStore

EXAMPLE = Path(__file__).parent.parent / "examples" / "northwind"
ASKER = Asker("user:bench", ("everyone", "group:engineering", "group:hr", "group:sales"))


def main() -> None:
    """Index, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "northwind"
        shutil.copytree(EXAMPLE, work, ignore=shutil.ignore_patterns(".ragflow"))
        with ragflow.open(work) as app:
            app.index()
            measure(app, [case.question for case in load(work / "questions.jsonl").cases], rounds)


def measure(app: ragflow.App, questions: list[str], rounds: int) -> None:
    """Ask all, print."""
    ways: dict[str, list[float]] = {"taped": [], "untaped": []}
    for round_ in range(rounds + 1):
        for question in random.Random(round_).sample(questions, len(questions)):
            names = list(ways)
            random.Random(f"{round_} {question}").shuffle(names)
            for name in names:
                forget_vectors(app)
                with untaped() if name == "untaped" else _as_it_is():
                    began = time.perf_counter()
                    app.answer(question, asker=ASKER, options=AskOptions())
                    spent = (time.perf_counter() - began) * 1_000
                if round_:  # the first only warms
                    ways[name].append(spent)
    middle = {name: statistics.median(spent) for name, spent in ways.items()}
    more = [one - other for one, other in zip(ways["taped"], ways["untaped"], strict=True)]
    print(f"{len(more)} questions, ms p50: {middle['taped']:.2f} with tape, {middle['untaped']:.2f} without")
    share = statistics.median(more) / middle["untaped"]
    print(f"  of one question: {statistics.median(more):+.2f} ms p50, {share:+.1%}")
    store = RunStore(app.workspace / "runs.sqlite")
    with sqlite3.connect(store.path) as connection:
        sizes = [size for (size,) in connection.execute("SELECT length(tape) FROM tapes")]
        records = [
            size for (size,) in connection.execute("SELECT length(record) FROM runs WHERE kind = 'ask'")
        ]
    print(f"  bytes: tape p50 {statistics.median(sizes):,.0f}, largest {max(sizes):,};", end=" ")
    print(f"record p50 {statistics.median(records):,.0f}")


def forget_vectors(app: Any) -> None:
    """Let the process be one that was never asked this before."""
    if app._opened_embedder is not None:  # noqa: SLF001 - nothing public forgets
        app._opened_embedder._known.clear()  # noqa: SLF001


@contextmanager
def untaped() -> Iterator[None]:
    """Take out what makes and keeps tapes."""
    made, kept, recorded = answering.packed, RunStore.add, answering.recorded
    models = answering.recorded_models

    def add(store: RunStore, run: Any, **_: Any) -> Any:
        return kept(store, replace(run, tape=None, policy=None))

    answering.packed = lambda _: b""
    answering.recorded = lambda outside, **_: outside
    answering.recorded_models = lambda models, _: models
    RunStore.add = add  # type: ignore[method-assign]
    try:
        yield
    finally:
        answering.packed, RunStore.add, answering.recorded = made, kept, recorded  # type: ignore[method-assign]
        answering.recorded_models = models


@contextmanager
def _as_it_is() -> Iterator[None]:
    yield


if __name__ == "__main__":
    main()
