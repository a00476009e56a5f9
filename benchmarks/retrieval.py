"""nDCG@10 on SciFact and NPL, as `beir` sources through the whole program, beside plain rank-bm25.

``python benchmarks/retrieval.py --data DATA [--sets scifact npl] [--work FOLDER] [--json]``

DATA holds the BEIR folders. The first run embeds every document (some minutes a set); with ``--work``
the workspaces stay there and the next run only asks. One chunk is one document; all questions are scored,
those without a hit as 0. Published: BM25 .679 and all-MiniLM-L6-v2 .645 on SciFact.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from rank_bm25 import BM25Okapi

import ragflow
from evals.beir import read_qrels
from evals.retrieval import score
from indexes.analysis import analyse
from ragflow import starter

SYSTEMS = ("lexical", "dense", "hybrid")
MUST = {
    ("scifact", "lexical"): 0.680,
    ("scifact", "dense"): 0.635,
    ("scifact", "hybrid"): 0.725,
    ("npl", "lexical"): 0.435,
    ("npl", "hybrid"): 0.485,
}
DEPTH = 100
METRICS = ["nDCG@10", "R@100"]


def questions(folder: Path) -> dict[str, str]:
    """The judged questions' texts by id."""
    rows = map(json.loads, (folder / "queries.jsonl").read_text(encoding="utf-8").splitlines())
    return {str(row["_id"]): row["text"] for row in rows}


def baseline(folder: Path, asked: dict[str, str]) -> dict[str, dict[str, float]]:
    """What rank-bm25 finds with the same words."""
    rows = [json.loads(line) for line in (folder / "corpus.jsonl").read_text(encoding="utf-8").splitlines()]
    index = BM25Okapi([analyse(f"{row.get('title', '')} {row['text']}") for row in rows])
    run = {}
    for question, text in asked.items():
        scores = index.get_scores(analyse(text))
        best = scores.argsort()[::-1][:DEPTH]
        run[question] = {str(rows[i]["_id"]): float(scores[i]) for i in best if scores[i] > 0}
    return run


def measure(folder: Path, work: Path) -> dict[str, dict[str, float]]:
    """Index one set, ask all of its questions of each system, and score them."""
    workspace = work / folder.name
    if not (workspace / "ragflow.yaml").exists():
        starter.write(workspace, beir=folder, login="nobody")
    qrels = read_qrels(folder / "qrels" / "test.tsv")
    asked = {key: text for key, text in questions(folder).items() if key in qrels}
    figures = {"bm25": score(baseline(folder, asked), qrels, METRICS)}
    with ragflow.open(workspace) as app:
        began = time.perf_counter()
        app.index()
        print(f"{folder.name}: indexed in {time.perf_counter() - began:.0f} s", file=sys.stderr)
        for system in SYSTEMS:
            run = {}
            for question, text in asked.items():
                hits = app.find(text, readers=["everyone"], k=DEPTH, system=system).hits
                run[question] = {hit.document.partition("/")[2]: hit.score for hit in reversed(hits)}
            figures[system] = score(run, qrels, METRICS)
    return figures


def main() -> int:
    """Print a table; exit 8 when a figure is below what it must reach."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--sets", nargs="+", default=["scifact", "npl"])
    parser.add_argument("--work", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        figures = {name: measure((options.data / name).resolve(), work) for name in options.sets}
    if options.json:
        print(json.dumps(figures))
    else:
        for name, systems in figures.items():
            for system, metrics in systems.items():
                shown = "  ".join(f"{metric} {value:.4f}" for metric, value in metrics.items())
                least = MUST.get((name, system))
                print(f"{name:<8} {system:<8} {shown}{f'  (must reach {least:.3f})' if least else ''}")
    low = [
        key for key, least in MUST.items() if key[0] in figures and figures[key[0]][key[1]]["nDCG@10"] < least
    ]
    return 8 if low else 0


if __name__ == "__main__":
    sys.exit(main())
