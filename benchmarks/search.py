"""Time warm hybrid search over some 100,000 chunks, and hold its hits against an exhaustive reference.

    python benchmarks/search.py --data ../shared/data --json

Text: the paragraphs of real handbooks, repeated until there are enough, a sixth of each copy's words
replaced by others of the same handbooks. Vectors: random unit vectors. They cost what real ones cost; no
figure here says anything of quality. Embedding the question (some 3 to 6 ms) is not part of the figures.
"""

import argparse
import json
import math
import multiprocessing
import random
import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexes.analysis import analyse
from indexes.postings import PostingsBuilder
from indexes.query import Ranking
from indexes.ranking import Analysed, rank
from indexes.segments import Rows, Slice, open_segment, write_segment

SEED = 20_261_122
DIMENSIONS = 384
CHUNK_CHARACTERS = 900
REPLACED = 1 / 6
K = 10
RANKING = Ranking()


@dataclass(frozen=True, slots=True)
class Row:
    """What one chunk brings to the lexical index."""

    body: str
    title: str
    headings: str


@dataclass(frozen=True, slots=True)
class Figure:
    """Milliseconds a question, median and 95th percentile, and how the hits compare."""

    readable: float
    questions: int
    p50_ms: float
    p95_ms: float
    reference: str


@dataclass(frozen=True, slots=True)
class Result:
    """All that one run of this benchmark found out; memory is the searching process's own, anonymous."""

    rows: int
    segments: int
    vectors: str
    build_s: float
    open_ms: float
    anonymous_mb: float
    figures: list[Figure]


def handbook_rows(folder: Path) -> list[Row]:
    """Return chunk-like rows of all Markdown pages, in the order of their paths."""
    rows = []
    for path in sorted(folder.rglob("*.md")):
        title, heading, held = path.stem.replace("-", " "), "", ""
        for paragraph in re.split(r"\n\s*\n", path.read_text(encoding="utf-8", errors="replace")):
            if paragraph.startswith("#"):
                heading = paragraph.partition("\n")[0].lstrip("# ")
            held = f"{held}\n\n{paragraph}"
            if len(held) > CHUNK_CHARACTERS:
                rows.append(Row(held, title, heading))
                held = ""
        if held.strip():
            rows.append(Row(held, title, heading))
    return rows


def varied(rows: Sequence[Row], count: int) -> Iterator[Row]:
    """Yield ``count`` rows: the originals, then copies of them with some words replaced."""
    chance = random.Random(SEED)
    words = [word for row in rows for word in row.body.split()]
    for number in range(count):
        row = rows[number % len(rows)]
        if number < len(rows):
            yield row
            continue
        body = [chance.choice(words) if chance.random() < REPLACED else word for word in row.body.split()]
        yield Row(" ".join(body), row.title, row.headings)


def asked(rows: Sequence[Row], count: int) -> list[str]:
    """Return questions: eight words in a row from somewhere in the handbooks."""
    chance = random.Random(SEED + 1)
    questions: list[str] = []
    while len(questions) < count:
        words = chance.choice(rows).body.split()
        start = chance.randrange(max(1, len(words) - 8))
        question = " ".join(words[start : start + 8])
        if len(set(analyse(question))) >= 3:
            questions.append(question)
    return questions


class Reference:
    """The same search, written plainly: every readable row, Python numbers, no postings, no pre-selection."""

    def __init__(self, questions: Sequence[str]) -> None:
        self._questions = [sorted(set(analyse(question))) for question in questions]
        self._wanted = {term for terms in self._questions for term in terms}
        self._rows: list[tuple[dict[str, float], float]] = []

    def add(self, row: Row) -> None:
        frequencies: dict[str, float] = {}
        length = 0.0
        for text, boost in (
            (row.body, 1.0),
            (row.title, RANKING.title_boost),
            (row.headings, RANKING.heading_boost),
        ):
            terms = analyse(text)
            length += boost * len(terms)
            for term, times in Counter(terms).items():
                if term in self._wanted:
                    frequencies[term] = frequencies.get(term, 0.0) + boost * times
        self._rows.append((frequencies, length))

    def hits(
        self, question: int, readable: Sequence[int], cosines: dict[int, float]
    ) -> list[tuple[str, float]]:
        """Return the chunk ids and scores of the first ``K``."""
        lexical = self._bm25(self._questions[question], readable)
        union = {row for row, _ in first(lexical)} | {row for row, _ in first(cosines)}
        best_lexical = dict(first(lexical))
        top = max(best_lexical.values(), default=1.0)
        low, high = min(cosines[row] for row in union), max(cosines[row] for row in union)
        weight = RANKING.dense_weight if lexical else 1.0
        fused = {
            row: round(
                weight * (cosines[row] - low) / (high - low)
                + (1 - weight) * best_lexical.get(row, 0.0) / top,
                6,
            )
            for row in union
        }
        return [(chunk_id(row), score) for row, score in first(fused)[:K]]

    def _bm25(self, terms: Sequence[str], readable: Sequence[int]) -> dict[int, float]:
        average = sum(self._rows[row][1] for row in readable) / len(readable)
        scores: dict[int, float] = {}
        for term in terms:
            holding = [row for row in readable if term in self._rows[row][0]]
            idf = math.log(1 + (len(readable) - len(holding) + 0.5) / (len(holding) + 0.5))
            for row in holding:
                frequency, length = self._rows[row][0][term], self._rows[row][1]
                norm = RANKING.k1 * (1 - RANKING.b + RANKING.b * length / average)
                scores[row] = scores.get(row, 0.0) + idf * frequency * (RANKING.k1 + 1) / (frequency + norm)
        return {row: round(score, 6) for row, score in scores.items()}


def first(scores: dict[int, float]) -> list[tuple[int, float]]:
    """Return the first hundred by (score falling, chunk id rising)."""
    return sorted(scores.items(), key=lambda item: (-item[1], chunk_id(item[0])))[: RANKING.candidates]


def chunk_id(row: int) -> str:
    """Return a chunk id for a row of the whole corpus."""
    return f"handbooks/{row % 997}.md@0123456789ab:{row}-{row + 1}"


def unit_vectors(count: int, seed: int) -> NDArray[np.float32]:
    """Return random vectors of length 1."""
    vectors = np.random.default_rng(seed).standard_normal((count, DIMENSIONS), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def build(folder: Path, rows: Iterator[Row], count: int, segments: int, reference: Reference) -> float:
    """Write ``segments`` segments below ``folder``; return the seconds that analysing and writing took."""
    spent, size = 0.0, math.ceil(count / segments)
    for number in range(segments):
        builder = PostingsBuilder()
        numbers = np.arange(number * size, min(count, (number + 1) * size))
        for _ in numbers:
            row = next(rows)
            reference.add(row)
            begun = time.perf_counter()
            builder.add(row.body, row.title, row.headings)
            spent += time.perf_counter() - begun
        begun = time.perf_counter()
        spans = Rows(numbers, numbers.astype(np.int32), (numbers + 1).astype(np.int32))
        write_segment(folder / str(number), spans, unit_vectors(len(numbers), SEED + number), builder.build())
        spent += time.perf_counter() - begun
    return spent


def masks(count: int, share: float) -> NDArray[np.bool_]:
    """Return which rows are readable: all, or a random share."""
    chosen: NDArray[np.bool_] = np.random.default_rng(SEED).random(count) < share
    return chosen


@dataclass(frozen=True, slots=True)
class Measured:
    """What the searching process sends back; ``hits`` by share, then by question."""

    open_ms: float
    anonymous_mb: float
    timings_ms: dict[float, list[float]]
    hits: dict[float, list[list[tuple[str, float]]]]


def measure(
    folder: Path, count: int, shares: Sequence[float], questions: Sequence[str], rounds: int
) -> Measured:
    """Search in a process of its own: its memory is that of searching alone."""
    begun = time.perf_counter()
    segments = [open_segment(path) for path in sorted(folder.iterdir(), key=lambda path: int(path.name))]
    open_ms = 1_000 * (time.perf_counter() - begun)
    firsts = np.cumsum([0, *(len(segment) for segment in segments)])
    vectors = unit_vectors(len(questions), SEED - 1)
    timings: dict[float, list[float]] = {share: [] for share in shares}
    hits: dict[float, list[list[tuple[str, float]]]] = {share: [] for share in shares}

    def name(number: int, rows: NDArray[np.int64]) -> list[str]:
        return [chunk_id(row) for row in (segments[number].rows.versions[rows]).tolist()]

    slices = {
        share: [
            Slice(s, masks(count, share)[at : at + len(s)]) for s, at in zip(segments, firsts, strict=False)
        ]
        for share in shares
    }
    for turn in range(rounds + 1):
        for question, vector in zip(questions, vectors, strict=True):
            for share in shares:
                begun = time.perf_counter()
                analysed = Analysed(analyse(question), partial(np.asarray, vector))
                found = rank(slices[share], analysed, ranking=RANKING, k=K, system="hybrid", name=name)
                spent = 1_000 * (time.perf_counter() - begun)
                if turn:
                    timings[share].append(spent)
                else:
                    hits[share].append([(each.chunk, each.score) for each in found])
    return Measured(open_ms, anonymous_mb(), timings, hits)


def anonymous_mb() -> float:
    """Return this process's anonymous memory (Linux only; elsewhere NaN)."""
    status = Path("/proc/self/status")
    if not status.exists():
        return math.nan
    found = re.search(r"RssAnon:\s+(\d+) kB", status.read_text(encoding="ascii"))
    return int(found.group(1)) / 1_024 if found else math.nan


def compared(folder: Path, reference: Reference, measured: Measured, share: float, checked: int) -> str:
    """Return for how many questions ids, order and scores are the reference's."""
    segments = [open_segment(path) for path in sorted(folder.iterdir(), key=lambda path: int(path.name))]
    stored = np.concatenate([segment.vectors for segment in segments])
    readable = np.flatnonzero(masks(len(stored), share)).tolist()
    same = 0
    for number, vector in enumerate(unit_vectors(checked, SEED - 1)):
        products = stored[readable].astype(np.float64) @ vector.astype(np.float64)
        cosines = {row: round(product, 6) for row, product in zip(readable, products.tolist(), strict=True)}
        expected = reference.hits(number, readable, cosines)
        found = measured.hits[share][number]
        alike = [chunk for chunk, _ in found] == [chunk for chunk, _ in expected]
        same += alike and all(abs(a[1] - b[1]) < 2e-6 for a, b in zip(found, expected, strict=True))
    return f"{same}/{checked} the same"


def run(options: argparse.Namespace) -> Result:
    """Build, search in another process, compare."""
    pages = handbook_rows(options.data / "handbooks")
    questions = asked(pages, options.questions)
    reference = Reference(questions[: options.checked])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build_s = build(folder, varied(pages, options.rows), options.rows, options.segments, reference)
        work = (folder, options.rows, options.readable, questions, options.rounds)
        # A spawned process: it inherits nothing of the memory that building took.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            measured = pool.apply(measure, work)
        figures = []
        for share in options.readable:
            times = sorted(measured.timings_ms[share])
            p95 = times[max(0, math.ceil(0.95 * len(times)) - 1)]
            same = compared(folder, reference, measured, share, options.checked)
            figures.append(Figure(share, len(times), round(statistics.median(times), 2), round(p95, 2), same))
    opened, anonymous = round(measured.open_ms, 1), round(measured.anonymous_mb)
    return Result(
        options.rows, options.segments, "random unit vectors", round(build_s, 1), opened, anonymous, figures
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table, or JSON; exit 0 when every compared question has the reference's hits, else 8."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[1] / ".." / "shared" / "data")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--segments", type=int, default=4)
    parser.add_argument("--questions", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3, help="timed rounds over all questions")
    parser.add_argument("--checked", type=int, default=5, help="questions held against the reference")
    parser.add_argument("--readable", type=float, nargs="+", default=[1.0, 0.01], help="shares of the rows")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if not (options.data / "handbooks").is_dir():
        parser.error(f"{options.data} has no folder handbooks: name the data folder with --data")
    result = run(options)
    if options.json:
        print(json.dumps(asdict(result), indent=1))
    else:
        print(f"{result.rows:,} rows in {result.segments} segments, {result.vectors}; {K} hits, hybrid")
        print(
            f"build {result.build_s} s, open {result.open_ms} ms, anonymous memory {result.anonymous_mb} MB"
        )
        print(f"{'readable':>8} {'searches':>9} {'p50 ms':>8} {'p95 ms':>8}  reference")
        for each in result.figures:
            row = f"{each.readable:>8.0%} {each.questions:>9} {each.p50_ms:>8} {each.p95_ms:>8}"
            print(f"{row}  {each.reference}")
    whole = f"{options.checked}/{options.checked} the same"
    return 0 if all(each.reference == whole for each in result.figures) else 8


if __name__ == "__main__":
    sys.exit(main())
