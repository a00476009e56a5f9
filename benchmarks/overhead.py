"""What ``ask`` costs beyond search and model: python benchmarks/overhead.py.

The example company is indexed into a temporary folder and its questions are asked in one warm process, each
three times over, by the parts that `ragflow ask` uses. Of each answer, the time inside the index's searches
(the router's too) is taken off; nothing is written. What embedding sentences takes of the rest is shown
apart, beside the embedding of one question in the same run. Prints medians and 95th percentiles.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import ragflow
from evals.datasets import load
from indexes.embedding import Vectors
from indexes.index import EmbeddedIndex
from indexes.query import Found, Query
from indexes.recalling import Recalling
from indexes.store import Store
from ragflow import parts
from ragflow.asking import Question
from ragflow.pipeline import ask
from ragflow.steps import Record

EXAMPLE = Path(__file__).parent.parent / "examples" / "northwind"
ROUNDS = 3


class Searched(EmbeddedIndex):
    """An index that knows how long its searches took, in ms."""

    spent = 0.0

    def search(self, query: Query) -> Found:
        """Search, on the clock."""
        began = time.perf_counter()
        found = super().search(query)
        self.spent += (time.perf_counter() - began) * 1_000
        return found


def main() -> None:
    """Index, ask, print."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "northwind"
        shutil.copytree(EXAMPLE, work, ignore=shutil.ignore_patterns(".ragflow"))
        with ragflow.open(work) as app:
            app.index()
            app.search("holidays", readers=["everyone"])
            measure(app, [case.question for case in load(work / "questions.jsonl").cases])


def measure(app: ragflow.App, questions: Sequence[str]) -> None:
    """Ask every question as one who may read everything, and print."""
    embedder = parts.embedder(app.config)
    sentences = 0.0

    def embed(texts: Sequence[str], *, queries: bool = False) -> Vectors:
        nonlocal sentences
        began = time.perf_counter()
        vectors = recalling[0].embed(texts, queries=queries)
        sentences += (time.perf_counter() - began) * 1_000
        return vectors

    store = Store.open(app.workspace / "store.sqlite")
    recalling = [Recalling(embedder)]
    index = Searched(app.workspace, store, lambda: recalling[0], parts.ranking(app.config))
    workshop = parts.Workshop(app.config, index, embed)
    readers = frozenset({"everyone", "group:hr", "group:sales", "group:engineering"})
    rules = parts.rules(app.config, explain=False)
    rest, of_sentences, single, searches, bare = [], [], [], [], []
    for round_ in range(ROUNDS + 1):
        for question in questions:
            asking = Question(question, "user:bench", readers, tuple(app.config.sources))
            index.spent = sentences = 0.0
            recalling[0] = Recalling(embedder)  # as in a process that was never asked this before
            began = time.perf_counter()
            ask(asking, parts=workshop.parts(), record=Record("r-bench"), rules=rules)
            total = (time.perf_counter() - began) * 1_000
            if round_:  # the first only warms
                rest.append(total - index.spent)
                of_sentences.append(sentences)
                bare.append(rest[-1] - sentences)
                searches.append(index.spent)
                began = time.perf_counter()
                embedder.embed([question])
                single.append((time.perf_counter() - began) * 1_000)
    index.close()
    store.close()
    print(f"{len(rest)} answers, ms: p50, p95")
    for name, spent in (
        ("searches, the router's too", searches),
        ("everything else", rest),
        ("of that, embedding sentences", of_sentences),
        ("of that, the rest: no model's work", bare),
        ("one question embedded, for scale", single),
    ):
        print(f"  {name:34} {statistics.median(spent):6.1f} {statistics.quantiles(spent, n=20)[-1]:6.1f}")


if __name__ == "__main__":
    main()
