"""What a follow-up finds, as asked and made standalone: python benchmarks/threads.py DATA [--cache DIR].

DATA holds mtrag_un/: conversations over four sources, the last question of each to be answered from
passages that people chose. One index of all passages, one chunk each. Prints recall at 5 and nDCG at 10,
with an interval of the difference from 2,000 resamplings of whole conversations, for the questions as they
are, with the question before put in front of each, and rewritten by ``ragflow.routing.threads``.
``--show N`` prints N of the rewritings.
"""

import argparse
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evals.cases import Turn
from indexes.analysis import analyse
from indexes.codes import Codes
from indexes.onnx_embedder import OnnxEmbedder
from indexes.postings import PostingsBuilder
from indexes.query import Ranking
from indexes.ranking import Analysed, rank
from indexes.segments import Rows, Segment, Slice
from indexes.weights import find
from ragflow.routing.threads import standalone

Floats = NDArray[np.float64]
RESAMPLED = 2_000


@dataclass(frozen=True, slots=True)
class Task:
    """The last question of a conversation, what was said before it, and the passages that answer it."""

    group: str
    question: str
    turns: tuple[Turn, ...]
    gold: frozenset[str]


def tasks(folder: Path) -> list[Task]:
    """Read the tasks that have a passage, in the file's order."""
    found = []
    for line in (folder / "tasks.jsonl").read_text(encoding="utf-8").splitlines():
        each = json.loads(line)
        turns = tuple(Turn("user" if role == "user" else "assistant", text) for role, text in each["history"])
        if each["context_ids"]:
            group = each["id"].partition("<::>")[0]
            found.append(Task(group, each["question"], turns, frozenset(each["context_ids"])))
    return found


class Searcher:
    """Finds passages for many questions at once; vectors are kept in a file between runs."""

    def __init__(self, folder: Path, cache: Path) -> None:
        lines = (folder / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
        passages = [json.loads(line) for line in lines]
        self._names = [each["_id"] for each in passages]
        texts = [(each["title"], each["text"].strip()) for each in passages]
        self._embedder = OnnxEmbedder.open(find("all-MiniLM-L6-v2").folder, precision="fp32", cache=cache)
        kept = cache / "threads.npy"
        if not kept.exists():
            np.save(kept, self._embedder.embed(["\n".join(filter(None, each)) for each in texts]))
        vectors = np.load(kept)
        builder = PostingsBuilder()
        for title, text in texts:
            builder.add(text, title, "")
        count = len(texts)
        rows = Rows(np.arange(count), np.zeros(count, np.int32), np.zeros(count, np.int32))
        segment = Segment(Path(), rows, vectors, Codes.of(vectors), builder.build())
        self._slices = [Slice(segment, np.ones(count, np.bool_))]
        self._vectors: dict[str, NDArray[np.float32]] = {}

    def ranked(self, question: str) -> list[str]:
        """Return the ids of the ten best passages, best first."""
        if question not in self._vectors:
            self._vectors[question] = self._embedder.embed([question])[0]
        best = rank(
            self._slices,
            Analysed(analyse(question), partial(np.asarray, self._vectors[question])),
            ranking=Ranking(),
            k=10,
            system="hybrid",
            name=lambda _, places: [self._names[place] for place in places],
        )
        return [self._names[one.row] for one in best]


def figures(ranked: Sequence[str], gold: frozenset[str]) -> tuple[float, float]:
    """Return recall at 5 and nDCG at 10."""
    discount = 1 / np.log2(np.arange(2, 12))
    gained = sum(discount[at] for at, name in enumerate(ranked[:10]) if name in gold)
    return len(gold.intersection(ranked[:5])) / len(gold), float(gained / discount[: len(gold)].sum())


def interval(difference: Floats, groups: Sequence[str]) -> tuple[float, float]:
    """Return the middle 95 % of the mean difference when whole conversations are drawn again."""
    names, which = np.unique(groups, return_inverse=True)
    sums, counts = np.bincount(which, difference), np.bincount(which)
    drawn = np.random.default_rng(0).integers(0, len(names), (RESAMPLED, len(names)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def fold(group: str) -> int:
    """Return the half that a conversation belongs to, by the pinned rule."""
    return hashlib.sha256(group.encode()).digest()[0] % 2


def before(task: Task) -> str:
    """Return the question behind the one before it."""
    asked = [turn.text for turn in task.turns if turn.role == "user"]
    return "\n".join([*asked[-1:], task.question])


def rewritten(task: Task) -> str:
    """Return the question as ``ask --thread`` would search for it."""
    return standalone(task.question, task.turns).text


def compare(asked: Sequence[Task], searcher: Searcher) -> None:
    """Print the figures of each way, over all tasks and over those that the rules rewrite."""
    ways: dict[str, Callable[[Task], str]] = {
        "as asked": lambda task: task.question,
        "question before in front": before,
        "rules": rewritten,
    }
    changed = [rewritten(task) != task.question for task in asked]
    first = [not task.turns for task in asked]
    slices = {
        "all": [True] * len(asked),
        "with history": [not one for one in first],
        "rewritten": changed,
        "left alone": [not one for one in changed],
        "fold 0": [fold(task.group) == 0 for task in asked],
        "fold 1": [fold(task.group) == 1 for task in asked],
    }
    scores = {
        name: np.array([figures(searcher.ranked(way(task)), task.gold) for task in asked])
        for name, way in ways.items()
    }
    print(f"{'questions':>14} {'n':>4}  {'way':<25} {'R@5':>5} {'nDCG@10':>7}  difference of nDCG@10")
    for where, chosen in slices.items():
        mask = np.array(chosen)
        groups = [task.group for task, one in zip(asked, chosen, strict=True) if one]
        for name, found in scores.items():
            recall, gain = found[mask].mean(0)
            apart = (found - scores["as asked"])[mask][:, 1]
            low, high = interval(apart, groups)
            said = "" if name == "as asked" else f"{apart.mean():+.3f} ({low:+.3f} to {high:+.3f})"
            print(f"{where:>14} {len(groups):>4}  {name:<25} {recall:>5.3f} {gain:>7.3f}  {said}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--cache", type=Path, default=Path(".benchmarks"))
    parser.add_argument("--show", type=int, default=0)
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    asked = tasks(options.data / "mtrag_un")
    compare(asked, Searcher(options.data / "mtrag_un", options.cache))
    for task in [one for one in asked if rewritten(one) != one.question][: options.show]:
        print(f"{task.question!r} -> {rewritten(task)!r}")


if __name__ == "__main__":
    main()
