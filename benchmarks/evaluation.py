"""How long ``ragflow eval run`` takes on SciFact's 300 questions, and whether its figures can be recomputed.

``python benchmarks/evaluation.py --data DATA [--work FOLDER] [--rounds 3] [--json]``

The whole command, cold: start, rank-bm25's index, four systems a thousand documents deep, six metrics with
bootstrap intervals, comparisons, results stored. The best round counts: others on the machine only add.
The index must be ready: the first time it is built (some minutes); with ``--work`` it stays there. Then
pytrec_eval recomputes every figure from the run files that ``--trec-run`` wrote.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import pytrec_eval

import ragflow
from evals.beir import read_qrels
from evals.trec import escape
from ragflow import starter

LIMIT_S = 20.0
MEASURES = {
    "nDCG@10": "ndcg_cut_10",
    "R@100": "recall_100",
    "P@5": "P_5",
    "Success@5": "success_5",
    "MAP": "map",
}


@dataclass(frozen=True, slots=True)
class Round:
    """One whole command: seconds on the clock, and of all processors together."""

    wall_s: float
    cpu_s: float


def command(work: Path, data: Path, *options: str) -> tuple[Round, dict[str, object]]:
    """Run ``ragflow eval run`` in a process of its own."""
    program = [sys.executable, "-m", "ragflow.cli", "-C", str(work), "eval", "run", str(data.resolve())]
    before, began = os.times(), time.perf_counter()
    done = subprocess.run([*program, "--fresh", "--json", *options], check=True, capture_output=True)
    wall, after = time.perf_counter() - began, os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return Round(round(wall, 1), round(spent, 1)), json.loads(done.stdout)


def recomputed(folder: Path, qrels: dict[str, dict[str, int]]) -> dict[str, dict[str, float]]:
    """Have pytrec_eval score the run files; a judged question without a hit counts 0."""
    gold = {escape(q): {escape(d): grade for d, grade in found.items()} for q, found in qrels.items()}
    evaluator = pytrec_eval.RelevanceEvaluator(gold, set(MEASURES.values()))
    figures = {}
    for path in sorted(folder.glob("*.trec")):
        with path.open(encoding="utf-8") as file:
            scored = evaluator.evaluate(pytrec_eval.parse_run(file))
        figures[path.stem] = {
            name: sum(one[measure] for one in scored.values()) / len(gold)
            for name, measure in MEASURES.items()
        }
    return figures


def furthest(told: dict[str, object], again: dict[str, dict[str, float]]) -> float:
    """Return by how much any reported figure differs from the recomputed one."""
    systems = told["systems"]
    return max(
        abs(systems[system]["metrics"][name]["mean"] - value)
        for system, found in again.items()
        for name, value in found.items()
    )


def measure(data: Path, work: Path, rounds: int) -> tuple[list[Round], dict[str, object], float]:
    """Index where that is not done, time the command, recompute its figures."""
    if not (work / "ragflow.yaml").exists():
        starter.write(work, beir=data, login="nobody")
        with ragflow.open(work) as app:
            app.index()
    timed = [command(work, data)[0] for _ in range(rounds)]
    with tempfile.TemporaryDirectory() as name:
        _, told = command(work, data, "--trec-run", name)
        again = recomputed(Path(name), read_qrels(data / "qrels" / "test.tsv"))
    return timed, told, furthest(told, again)


def main() -> int:
    """Print a table, or JSON; exit 8 when the command is too slow or a figure cannot be recomputed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds scifact/")
    parser.add_argument("--work", type=Path, help="keep the workspace here")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = options.work or Path(scratch) / "scifact"
        timed, told, apart = measure(options.data / "scifact", work, options.rounds)
    best = min(timed, key=lambda one: one.wall_s)
    if options.json:
        shown = {"rounds": [asdict(one) for one in timed], "apart": apart, "systems": told["systems"]}
        print(json.dumps(shown, indent=1))
    else:
        for one in timed:
            print(f"eval run, 300 questions, four systems: {one.wall_s} s ({one.cpu_s} s of processors)")
        for system, found in told["systems"].items():
            values = "  ".join(f"{name} {one['mean']:.4f}" for name, one in found["metrics"].items())
            print(f"{system:>8}  {values}")
        print(f"pytrec_eval differs by at most {apart:.1e} (must be below 1e-6)")
        print(f"best {best.wall_s} s (must be below {LIMIT_S:.0f} s)")
    return 0 if best.wall_s < LIMIT_S and apart < 1e-6 else 8


if __name__ == "__main__":
    sys.exit(main())
