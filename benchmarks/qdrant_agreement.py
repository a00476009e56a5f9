"""Does a search through Qdrant find what the embedded index finds? Every question of SciFact, both ways.

    python benchmarks/qdrant_agreement.py --data ../shared/data --json

The corpus is indexed as `ragflow init --beir` and `ragflow index` do, and pushed into qdrant-client's local
mode (brute force, one process: it shows agreement, and nothing of a server's speed or its graph's recall).
With --url the same is done on a real server; its key is in QDRANT_API_KEY. Two askers: one who may read
everything, and one who may read a random half of the documents.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from connectors.beir import Beir
from connectors.items import Item, Raw
from evals.beir import read
from indexes import weights
from indexes.build import Chunking
from indexes.index import EmbeddedIndex
from indexes.onnx_embedder import OnnxEmbedder
from indexes.plan import SourceSpec
from indexes.qdrant.nominator import QdrantNominator
from indexes.qdrant.publisher import QdrantPublisher
from indexes.qdrant.server import Remote, Server
from indexes.query import Found, Query, Ranking
from indexes.recalling import Recalling
from indexes.testing import World

K = 10
EVERYONE, HALF = "everyone", "group:half"


@dataclass(frozen=True, slots=True)
class Figure:
    """Of all questions: the mean share of common chunks among both first ten, and how many are all alike.

    ``same_scores``: questions whose hits agree in order and in every score. Milliseconds are medians.
    """

    asker: str
    system: str
    questions: int
    agreement: float
    same_sets: int
    same_scores: int
    embedded_ms: float
    qdrant_ms: float


class Halved:
    """A source each second item of which the half may read too."""

    def __init__(self, source: Beir) -> None:
        self._source = source

    def list(self) -> Iterator[Item]:
        """Give the items with their readers."""
        for place, item in enumerate(self._source.list()):
            yield replace(item, readers=(EVERYONE, HALF) if place % 2 else (EVERYONE,))

    def fetch(self, item: Item) -> Raw:
        """Give an item's bytes."""
        return self._source.fetch(item)


def measure(
    questions: list[str], asker: str, system: Any, embedded: EmbeddedIndex, qdrant: EmbeddedIndex
) -> Figure:
    """Ask both every question, each once beforehand, so that neither pays for embedding it."""
    shares, sets, scores = [], 0, 0
    spent: dict[str, list[float]] = {"embedded": [], "qdrant": []}
    for text in questions:
        query = Query(text, frozenset({asker}), k=K, system=system)
        found: dict[str, Found] = {}
        for name, index in (("embedded", embedded), ("qdrant", qdrant)):
            index.search(replace(query, k=1))
            began = time.perf_counter()
            found[name] = index.search(query)
            spent[name].append((time.perf_counter() - began) * 1_000)
        ours, theirs = ({hit.chunk for hit in one.hits} for one in found.values())
        shares.append(len(ours & theirs) / max(1, len(ours | theirs)) if ours != theirs else 1.0)
        sets += ours == theirs
        scores += found["embedded"].hits == found["qdrant"].hits
    medians = {name: statistics.median(values) for name, values in spent.items()}
    return Figure(
        asker,
        system,
        len(questions),
        round(statistics.fmean(shares), 4),
        sets,
        scores,
        round(medians["embedded"], 2),
        round(medians["qdrant"], 2),
    )


def run(folder: Path, workspace: Path, url: str | None) -> tuple[dict[str, Any], list[Figure]]:
    """Index, push, ask."""
    known = weights.find("all-MiniLM-L6-v2")
    cache = workspace.parent / "model"
    opened = OnnxEmbedder.open(known.folder, precision="fp32", cache=cache, expected_sha256=known.sha256)
    embedder = Recalling(opened, kept=None)
    world = World(workspace, embedder, chunking=Chunking(mode="document"))
    remote, began = _remote(url), time.perf_counter()
    publisher = QdrantPublisher(remote, world.store, world.generations, Ranking())
    source = Halved(Beir(folder, readers=(EVERYONE,)))
    spec = SourceSpec("beir", "beir", source, None)
    world.run([spec], options=world.options())
    live = world.generations.manifest(world.generations.live() or "")
    indexed, began = time.perf_counter() - began, time.perf_counter()
    publisher.push(live)
    publisher.switch(live)
    about = {
        "chunks": live.chunks,
        "index_s": round(indexed, 1),
        "push_s": round(time.perf_counter() - began, 1),
    }
    questions = [case.question for case in read(folder, split="test").cases]
    with (
        closing(world),
        closing(world.index()) as embedded,
        closing(world.index(nominator=lambda store: QdrantNominator(remote, store))) as qdrant,
    ):
        figures = [
            measure(questions, asker, system, embedded, qdrant)
            for asker in (EVERYONE, HALF)
            for system in ("hybrid", "lexical", "dense")
        ]
    return about, figures


def _remote(url: str | None) -> Remote:
    if url is not None:
        return Remote(Server(url, api_key=os.environ.get("QDRANT_API_KEY"), alias="ragflow-agreement"))
    from qdrant_client import QdrantClient

    client = QdrantClient(":memory:")
    make: Callable[[], QdrantClient] = partial(_same, client)
    return Remote(Server("http://local.invalid", alias="ragflow-agreement"), client=make)


def _same(client: Any) -> Any:
    return client


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--url", help="a real server; without it qdrant-client's local mode")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # local mode has no use for payload indexes, and says so each time
    with tempfile.TemporaryDirectory() as folder:
        about, figures = run(given.data / "scifact", Path(folder) / "workspace", given.url)
    if given.json:
        print(json.dumps({**about, "figures": [asdict(one) for one in figures]}, indent=1))
        return
    print(", ".join(f"{name} {value}" for name, value in about.items()))
    heads = ("system", "n", "top-10", "same set", "same scores", "ms", "qdrant")
    widths = (9, 5, 8, 10, 13, 7, 8)
    print(f"{'asker':<11}" + "".join(f"{head:>{width}}" for head, width in zip(heads, widths, strict=True)))
    for one in figures:
        print(
            f"{one.asker:<11}{one.system:>9}{one.questions:>5}{one.agreement:>8.4f}{one.same_sets:>10}"
            f"{one.same_scores:>13}{one.embedded_ms:>7}{one.qdrant_ms:>8}"
        )


if __name__ == "__main__":
    main()
