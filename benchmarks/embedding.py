"""Embedding throughput and agreement: ours (fp32, int8, and one text at a time by torch) and theirs.

Theirs is sentence-transformers as it comes, which batches.

Runs are interleaved, so that a machine's mood strikes all alike; figures are medians over rounds.
Passages are real text cut to the wanted number of tokens.

    python benchmarks/embedding.py --data ../shared/data [--json]
"""

import argparse
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexes.bert import Precision
from indexes.embedding import Embedder
from indexes.onnx_embedder import OnnxEmbedder
from indexes.transformers_embedder import TransformersEmbedder
from indexes.weights import find

Vectors = NDArray[np.float32]
Engine = Callable[[list[str]], Vectors]
PRECISIONS: tuple[Precision, ...] = ("fp32", "int8")
TORCH = "embed.engine torch"
OURS = (*PRECISIONS, TORCH)
THEIRS = "sentence-transformers"


def passages(data: Path, embedder: Embedder, *, count: int, tokens: int) -> list[str]:
    """Return ``count`` passages of ``tokens`` tokens each, special tokens included."""
    return list(itertools.islice(_cut(data, embedder, tokens - 2), count))


def _cut(data: Path, embedder: Embedder, tokens: int) -> Iterator[str]:
    with (data / "scifact" / "corpus.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            text = json.loads(line)["text"]
            offsets = embedder.token_offsets(text)
            if len(offsets) >= tokens:
                yield text[: offsets[tokens - 1][1]]


def measure(engines: dict[str, Engine], texts: list[str], *, rounds: int) -> dict[str, float]:
    """Return each engine's passages per second: the median over interleaved rounds."""
    rates: dict[str, list[float]] = {name: [] for name in engines}
    for engine in engines.values():
        engine(texts[:2])
    for _ in range(rounds):
        for name, engine in engines.items():
            start = time.perf_counter()
            engine(texts)
            rates[name].append(len(texts) / (time.perf_counter() - start))
    return {name: statistics.median(values) for name, values in rates.items()}


def figures(data: Path, *, count: int, tokens: int, rounds: int) -> dict[str, Any]:
    """Measure everything that this benchmark prints."""
    import torch
    from sentence_transformers import SentenceTransformer

    cores = torch.get_num_threads()
    checkpoint = find("all-MiniLM-L6-v2")
    theirs = SentenceTransformer(str(checkpoint.folder), device="cpu")
    with tempfile.TemporaryDirectory() as cache:
        ours: dict[str, Embedder] = {
            precision: OnnxEmbedder.open(
                checkpoint.folder, precision=precision, cache=Path(cache), expected_sha256=checkpoint.sha256
            )
            for precision in PRECISIONS
        }
        ours[TORCH] = TransformersEmbedder.open(checkpoint.folder, device="cpu", cache=Path(cache))

        def reference_engine(batch: list[str]) -> Vectors:
            torch.set_num_threads(cores)  # our engine has one for each text
            return np.asarray(theirs.encode(batch, show_progress_bar=False))

        texts = passages(data, ours["fp32"], count=count, tokens=tokens)
        engines: dict[str, Engine] = {
            THEIRS: reference_engine,
            **{name: embedder.embed for name, embedder in ours.items()},
        }
        rates = measure(engines, texts, rounds=rounds)
        reference = engines[THEIRS](texts)
        return {
            "passages": len(texts),
            "tokens": tokens,
            "rounds": rounds,
            "per_second": rates,
            "ratio": {name: rates[name] / rates[THEIRS] for name in OURS},
            "cosine": {name: _cosine(ours[name].embed(texts), reference) for name in OURS},
            "alone_and_in_company": {name: _company(ours[name], texts) for name in OURS},
        }


def _cosine(one: Vectors, other: Vectors) -> float:
    other = other / np.linalg.norm(other, axis=1, keepdims=True)
    return float((one * other).sum(axis=1).mean())


def _company(embedder: Embedder, texts: list[str]) -> float:
    """Return the smallest cosine between a text embedded alone and among short and long others."""
    mixed = [part for text in texts[:8] for part in (text, text[:40])]
    together = embedder.embed(mixed)
    alone = np.vstack([embedder.embed([text]) for text in mixed])
    return float((together * alone).sum(axis=1).min()) if not np.array_equal(together, alone) else 1.0


def main() -> None:
    """Measure, and print a table or one JSON object."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data"), help="folder that holds scifact/"
    )
    parser.add_argument("--passages", type=int, default=48)
    parser.add_argument("--tokens", type=int, default=250)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = figures(options.data, count=options.passages, tokens=options.tokens, rounds=options.rounds)
    if options.json:
        print(json.dumps(result))
        return
    print(f"{'engine':24}{'passages/s':>12}{'ratio':>8}{'cosine':>10}{'company':>10}")
    print(f"{THEIRS:24}{result['per_second'][THEIRS]:12.1f}{1:8.2f}")
    for name in OURS:
        row = [result[key][name] for key in ("per_second", "ratio", "cosine", "alone_and_in_company")]
        print(f"{name:24}{row[0]:12.1f}{row[1]:8.2f}{row[2]:10.5f}{row[3]:10.5f}")


if __name__ == "__main__":
    main()
