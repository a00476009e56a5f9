"""Do the statistics of evaluations keep their word? Simulated: python benchmarks/significance.py.

``python benchmarks/significance.py [--rounds 2000] [--seed 0]``

Pairs of systems answer the same simulated questions; of each pair the truth is known. Where both are
equally good (A/A): how often does the test say that they are not, for one metric (false alarms) and for
any of six after Holm (family error)? How often does a 95 % interval hold the truth (coverage)? Where they
differ: how often is it found (power)? Prints each figure with its bounds and exits 8 when one is missed.

The simulation: half of the rounds are like SciFact (one relevant document mostly, half of the questions
perfect, a sixth at 0), half like NPL (many relevant documents, a tenth perfect, a tenth at 0). Questions
differ in difficulty, which both systems share (their nDCG@10 correlate by some .8, as those of BM25
variants do), documents do, and the rest is each system's own noise. What is drawn is the rank of every
relevant document in each system's ranking; the metrics follow from the ranks by their definitions.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from evals.measures import Metric
from evals.metrics import parse
from evals.statistics import holm, interval, paired

Floats = NDArray[np.float64]

SIZES = (50, 300)
POWER_SIZES = (30, 50, 100, 300)
POWER_DIFFERENCES = (0.01, 0.02, 0.05, 0.1)
ALPHA = 0.05
MUST = {"false alarms": (0.035, 0.065), "family error": (0.0, 0.06), "coverage": (0.92, 0.97)}
BATCHES, BATCH = 40, 500  # questions: enough to call their mean the truth
NAMES = ("nDCG@10", "R@100", "MRR@10", "P@5", "Success@5", "MAP")


@dataclass(frozen=True, slots=True)
class World:
    """A kind of data set.

    The logarithm of a relevant document's rank is a sum of normal terms: of the question (mean ``level``,
    deviation ``difficulty``), of the document (``document``), and of the system's own, once for the
    question and once for the document (``noise``).
    """

    name: str
    relevant: Callable[[np.random.Generator, int], NDArray[np.int64]]
    level: float
    difficulty: float
    document: float
    noise: float


def few(generator: np.random.Generator, count: int) -> NDArray[np.int64]:
    """Draw how many documents are relevant: one for nine questions of ten, else two to four."""
    return 1 + (generator.random(count) < 0.1) * generator.integers(1, 4, count)


def many(generator: np.random.Generator, count: int) -> NDArray[np.int64]:
    """Draw how many documents are relevant: half of the time between 10 and 32."""
    return np.clip(np.rint(np.exp(generator.normal(2.9, 0.85, count))), 4, 60).astype(np.int64)


WORLDS = (World("scifact", few, -0.4, 2.7, 0.5, 0.6), World("npl", many, 3.4, 0.5, 1.4, 0.4))


@dataclass(frozen=True, slots=True)
class Truth:
    """What the systems' figures would be over all the questions there are."""

    a: float
    b: float


def asked(
    world: World, count: int, generator: np.random.Generator, *, ahead: float = 0.0
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Draw questions and return the metrics of both systems, each of shape (count, 1).

    ``ahead``: by how much system B's logarithms of ranks are lower; 0 makes the two equally good.
    """
    relevant = world.relevant(generator, count)
    width = int(relevant.max())
    base = world.level + world.difficulty * generator.standard_normal((count, 1))
    base = base + world.document * generator.standard_normal((count, width))
    found = []
    for lead in (0.0, ahead):
        own = generator.standard_normal((count, 1)) + generator.standard_normal((count, width))
        found.append(measured(ranks(base - lead + world.noise * own, relevant), relevant))
    return found[0], found[1]


def ranks(logarithms: Floats, relevant: NDArray[np.int64]) -> Floats:
    """Return the ranks of each question's relevant documents, best first, none twice; inf: no document."""
    places = np.arange(logarithms.shape[1])
    wished = np.where(places < relevant[:, None], np.floor(np.exp(np.minimum(logarithms, 20))), np.inf)
    # Two documents cannot share a rank: each stands at least one below the one before.
    placed: Floats = np.maximum.accumulate(np.sort(wished, 1) - places, 1) + places + 1
    return placed


def measured(placed: Floats, relevant: NDArray[np.int64]) -> dict[str, Floats]:
    """Return the six metrics of each question from the ranks of its relevant documents."""
    depth = np.where(np.isfinite(placed), placed, 1)
    ideal = np.cumsum(1 / np.log2(np.arange(2, 12)))[np.minimum(relevant, 10) - 1]
    first = placed[:, 0]
    values = {
        "nDCG@10": np.where(placed <= 10, 1 / np.log2(depth + 1), 0).sum(1) / ideal,
        "R@100": (placed <= 100).sum(1) / relevant,
        "MRR@10": np.where(first <= 10, 1 / first, 0),
        "P@5": (placed <= 5).sum(1) / 5,
        "Success@5": (first <= 5) * 1.0,
        "MAP": np.where(placed <= 1000, (np.arange(placed.shape[1]) + 1) / depth, 0).sum(1) / relevant,
    }
    return {name: value.astype(np.float64)[:, None] for name, value in values.items()}


@cache
def truth(world: World, ahead: float = 0.0) -> Truth:
    """Return the mean nDCG@10 of both systems over very many questions."""
    generator = np.random.default_rng(99)
    batches = [asked(world, BATCH, generator, ahead=ahead) for _ in range(BATCHES)]
    first, second = (float(np.mean([pair[side]["nDCG@10"] for pair in batches])) for side in (0, 1))
    return Truth(first, second if ahead else first)


@cache
def lead(world: World, difference: float) -> float:
    """Return the ``ahead`` that makes B better by this much nDCG@10, by bisection."""
    low, high = 0.0, 4.0
    for _ in range(10):
        middle = (low + high) / 2
        found = truth(world, middle)
        low, high = (middle, high) if found.b - found.a < difference else (low, middle)
    return (low + high) / 2


def equal_pairs(size: int, rounds: int, seed: int) -> dict[str, float]:
    """Return the shares of false alarms, family errors and covered truths of A/A pairs."""
    metrics = parse(NAMES)
    generator = np.random.default_rng((seed, size))
    counts = dict.fromkeys(("false alarms", "family error", "coverage, difference", "coverage, figure"), 0)
    for number in range(rounds):
        world = WORLDS[number % len(WORLDS)]
        a, b = asked(world, size, generator)
        results = [paired(metric, a[metric.name], b[metric.name], seed=number) for metric in metrics]
        low, high = interval(metrics[0], a[NAMES[0]], seed=number)
        counts["false alarms"] += results[0].p < ALPHA
        counts["family error"] += min(holm([result.p for result in results])) < ALPHA
        counts["coverage, difference"] += results[0].low <= 0 <= results[0].high
        counts["coverage, figure"] += low <= truth(world).a <= high
    return {name: count / rounds for name, count in counts.items()}


def unequal_pairs(world: World, size: int, difference: float, rounds: int, seed: int) -> tuple[float, float]:
    """Return the share of pairs whose difference is found, and of intervals that hold it."""
    metric: Metric = parse(NAMES[:1])[0]
    generator = np.random.default_rng((seed, size, round(difference * 1000)))
    ahead = lead(world, difference)
    wanted = truth(world, ahead)
    found = covered = 0
    for number in range(rounds):
        a, b = asked(world, size, generator, ahead=ahead)
        result = paired(metric, a[metric.name], b[metric.name], seed=number)
        found += result.p < ALPHA and result.low > 0
        covered += result.low <= wanted.b - wanted.a <= result.high
    return found / rounds, covered / rounds


def within(name: str, share: float, *, rounds: int | None = None) -> bool:
    """Tell whether a share keeps its bounds; few ``rounds`` widen them by three binomial errors."""
    low, high = MUST[name.partition(",")[0]]

    def slack(bound: float) -> float:
        return 3 * sqrt(bound * (1 - bound) / rounds) if rounds else 0.0

    return low - slack(low) <= share <= high + slack(high)


def main() -> int:
    """Print the figures; exit 8 when a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    began, missed = time.perf_counter(), 0
    print(f"{options.rounds} A/A pairs a size, half like SciFact, half like NPL; six metrics a family")
    for size in SIZES:
        for name, share in equal_pairs(size, options.rounds, options.seed).items():
            low, high = MUST[name.partition(",")[0]]
            kept = within(name, share)
            missed += not kept
            bounds = f"{low:.1%} to {high:.1%}"
            print(f"  n = {size:<4} {name:<21} {share:6.2%}   must be {bounds}{'' if kept else '   MISSED'}")
    rounds = max(1, options.rounds // 10)
    print(f"power: share of {rounds} pairs whose true nDCG@10 difference is found (p < .05), [coverage]")
    for world in WORLDS:
        print(f"  like {world.name:<9}" + "".join(f"{f'+{each:.2f}':>15}" for each in POWER_DIFFERENCES))
        for size in POWER_SIZES:
            cells = [unequal_pairs(world, size, each, rounds, options.seed) for each in POWER_DIFFERENCES]
            print(f"  n = {size:<10}" + "".join(f"{power:>8.0%} [{cover:.0%}]" for power, cover in cells))
    print(f"{time.perf_counter() - began:.0f} s")
    return 8 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
