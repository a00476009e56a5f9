"""Warm search and the memory of `ask` over a workspace of 100,000 chunks, through the whole program.

``python benchmarks/scale.py --data DATA [--chunks N] [--work FOLDER] [--python PYTHON]``

The texts are the paragraphs of ``handbooks/``, repeated with variations, in documents of eight paragraphs.
Their vectors are random unit vectors (embedding 100,000 chunks takes hours here); the question's is real,
and so is all else: store, generation, masks, both legs, fusion, texts and anchors of the hits. One reader
may read everything, another one document in a hundred. Embedding the question is inside the time.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from memory import peak
from search import Row, asked, handbook_rows, varied

import ragflow
from indexes.build import Chunking
from indexes.embedding import Embedder, Vectors
from indexes.testing import Planted, World
from ragflow.identity import login

CONFIG = f"""\
version: 1
identity: {{impersonate: [{login()}]}}
sources:
  pages: {{type: files, path: nowhere, readers: ["group:many", "group:few"]}}
"""
DOCUMENT_ROWS = 8
ROWS_A_CHUNK = 0.48  # a row of the handbooks gives two chunks and a bit
QUESTIONS = 200
MUST_P50, MUST_P95, MUST_MB = 20.0, 40.0, 400.0


class RandomVectors:
    """Gives random vectors under the real model's key; the tokens are the real ones."""

    def __init__(self, real: Embedder) -> None:
        self._real = real
        self._random = np.random.default_rng(11)
        self.key, self.dimensions, self.max_tokens = real.key, real.dimensions, real.max_tokens

    def embed(self, texts: Sequence[str], *, queries: bool = False) -> Vectors:  # noqa: ARG002
        """Random unit vectors."""
        vectors = self._random.standard_normal((len(texts), self.dimensions), dtype=np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def token_offsets(self, text: str) -> Sequence[tuple[int, int]]:
        """The real ones."""
        return self._real.token_offsets(text)


def planted(rows: Sequence[Row], count: int) -> list[Planted]:
    """Documents of eight varied paragraphs; one in a hundred is open to the few."""
    documents: list[Planted] = []
    waiting: list[str] = []
    for row in varied(rows, count):
        waiting.append(row.body)
        if len(waiting) == DOCUMENT_ROWS:
            readers = ("group:many", "group:few") if len(documents) % 100 == 0 else ("group:many",)
            documents.append(Planted(f"pages/{len(documents):06}", "\n\n".join(waiting), readers))
            waiting = []
    return documents


def build(folder: Path, rows: Sequence[Row], chunks: int) -> None:
    """Fill the workspace through a real sync."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ragflow.yaml").write_text(CONFIG)
    with ragflow.open(folder) as app:
        real = app._embedder()  # noqa: SLF001  the program has no face for this: it is a benchmark's need
    chunking = Chunking(tokens=200, overlap=40)
    world = World(folder / ".ragflow", RandomVectors(real), chunking=chunking)
    documents = planted(rows, int(chunks * ROWS_A_CHUNK))
    began = time.perf_counter()
    report = world.sync(documents, options=replace(world.options(), run="r-benchmark"))
    world.close()
    print(f"built {report.chunks:,} chunks in {time.perf_counter() - began:.0f} s", file=sys.stderr)


def timed(app: ragflow.App, questions: Sequence[str], reader: str) -> tuple[float, float]:
    """Median and 95th percentile of a warm search, in ms."""
    taken = []
    for text in questions:
        began = time.perf_counter()
        app.search(text, readers=[reader])
        taken.append((time.perf_counter() - began) * 1000)
    ordered = sorted(taken[10:])
    return statistics.median(ordered), ordered[int(len(ordered) * 0.95)]


def main() -> int:
    """Print the figures; exit 8 when one is not reached."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--python", type=Path, default=Path(sys.executable))
    options = parser.parse_args()
    rows = handbook_rows(options.data / "handbooks")
    questions = asked(rows, QUESTIONS)
    missed = False
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary) / "workspace"
        if not (work / "ragflow.yaml").exists():
            build(work, rows, options.chunks)
        with ragflow.open(work) as app:
            for reader, share in (("group:many", "100 %"), ("group:few", "1 %")):
                p50, p95 = timed(app, questions, reader)
                missed |= p50 > MUST_P50 or p95 > MUST_P95
                print(f"search, {share:>5} readable   p50 {p50:6.1f} ms  p95 {p95:6.1f} ms  (20, 40)")
        ask = [
            str(options.python),
            "-m",
            "ragflow.cli",
            "-C",
            str(work),
            "ask",
            questions[0],
            "--as",
            "group:many",
        ]
        figures = [peak(ask) for _ in range(5)]
    memory = max(one for one, _ in figures)
    seconds = statistics.median(one for _, one in figures)
    print(f"ask, whole process         peak {memory:5.0f} MB anonymous (400), median {seconds:.2f} s")
    return 8 if missed or memory > MUST_MB else 0


if __name__ == "__main__":
    sys.exit(main())
