"""Fit and judge the confidence: python benchmarks/abstention.py DATA [--cache DIR].

DATA holds clapnq/ and mtrag_un/. For each set, one index of all its passages, one chunk each; a question
is positive when the set says that its passages answer it. Two-fold cross-fitting by the pinned rule (the
first byte of the SHA-256 of the question's group). Prints the area under the ROC curve, the shares
answered and refused at 0.5, how often what is shown is a sentence that people chose, and the
coefficients over all questions, which belong into ragflow/confidence.py.
"""

import argparse
import hashlib
import json
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexes.analysis import analyse
from indexes.codes import Codes
from indexes.embedding import Vectors
from indexes.onnx_embedder import OnnxEmbedder
from indexes.postings import PostingsBuilder
from indexes.query import Found, Hit, Ranking, Scores
from indexes.ranking import Analysed, Candidate, Slice, rank, readable_idf
from indexes.segments import Rows, Segment
from indexes.weights import find
from ragflow.extractive import ExtractiveAnswerer
from ragflow.pipeline import Draft

RIDGE = 10.0
WEIGHT = {"clapnq": 600.0, "mtrag_un": 300.0}  # the turns of mtrag lack their history
PRIOR = 0.5  # of an answerable question: refusing and answering weigh the same
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of a set; ``chosen`` are the sentences that people chose as its answer."""

    text: str
    answerable: bool
    group: str
    chosen: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Set:
    """A set's passages as (id, title, text), and its questions."""

    name: str
    passages: list[tuple[str, str, str]]
    questions: list[Asked]


class Remembering:
    """Embeds, keeping every vector in a file, for fitting is done more than once."""

    def __init__(self, cache: Path) -> None:
        checkpoint = find("all-MiniLM-L6-v2")
        self._embedder = OnnxEmbedder.open(checkpoint.folder, precision="fp32", cache=cache)
        self._file = cache / "vectors.pickle"
        self._known: dict[str, Vectors] = pickle.loads(self._file.read_bytes()) if self._file.exists() else {}

    def embed(self, texts: Sequence[str]) -> Vectors:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known.update(zip(new, self._embedder.embed(new), strict=True))
        return np.stack([self._known[text] for text in texts])

    def save(self) -> None:
        self._file.write_bytes(pickle.dumps(self._known))


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Give the objects of a file of JSON lines."""
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def clapnq(data: Path) -> Set:
    """Read ClapNQ: the passage of each question, answerable or not, is in the index."""
    passages: dict[tuple[str, str], str] = {}
    questions = []
    for name in ("answerable", "unanswerable"):
        for each in lines(data / "clapnq" / f"clapnq_dev_{name}.jsonl"):
            passage = each["passages"][0]
            passages.setdefault((passage["title"], passage["text"]), f"p{len(passages)}")
            group = hashlib.sha256(passage["text"].encode()).hexdigest()
            chosen = tuple(each["output"][0]["selected_sentences"])
            questions.append(Asked(each["input"], name == "answerable", group, chosen))
    return Set("clapnq", [(number, title, text) for (title, text), number in passages.items()], questions)


def mtrag(data: Path) -> Set:
    """Read MTRAG-UN, without partial and underspecified tasks and without history."""
    passages = [
        (each["_id"], each["title"], each["text"].strip())
        for each in lines(data / "mtrag_un" / "corpus.jsonl")
    ]
    questions = [
        Asked(each["question"], each["answerability"] == "ANSWERABLE", each["id"].split("<::>")[0])
        for each in lines(data / "mtrag_un" / "tasks.jsonl")
        if each["answerability"] in ("ANSWERABLE", "UNANSWERABLE")
    ]
    return Set("mtrag_un", passages, questions)


def searched(each: Set, embed: Remembering) -> Iterator[Found]:
    """Give what each question finds: the ten best chunks of an index of all passages."""
    vectors = embed.embed(["\n".join(filter(None, (title, text))) for _, title, text in each.passages])
    builder = PostingsBuilder()
    for _, title, text in each.passages:
        builder.add(text, title, "")
    count = len(each.passages)
    rows = Rows(np.arange(count), np.zeros(count, np.int32), np.zeros(count, np.int32))
    slices = [
        Slice(Segment(Path(), rows, vectors, Codes.of(vectors), builder.build()), np.ones(count, np.bool_))
    ]
    asked = embed.embed([question.text for question in each.questions])
    for question, vector in zip(each.questions, asked, strict=True):
        terms = analyse(question.text)
        best = rank(
            slices,
            Analysed(terms, partial(np.asarray, vector)),
            ranking=Ranking(),
            k=10,
            system="hybrid",
            name=lambda _, places: [each.passages[place][0] for place in places],
        )
        hits = tuple(hit(number, one, each.passages[one.row]) for number, one in enumerate(best, start=1))
        yield Found(hits, "", readable_idf(slices, terms), count, (each.name,))


def hit(number: int, one: Candidate, passage: tuple[str, str, str]) -> Hit:
    """Return a ranked passage as the hit that a search gives."""
    name, title, text = passage
    return Hit(
        rank=number, chunk=name, document=name, revision="", start=0, end=len(text), title=title,
        headings=(), anchors=(), link=None, modified=None, text=text, score=one.score,
        scores=Scores(one.lexical, one.dense),
    )  # fmt: skip


def fitted(features: Floats, truth: Floats, weights: Floats) -> Floats:
    """Return intercept and coefficients on the features' own scale: ridge regression by Newton's method."""
    mean, spread = features.mean(0), features.std(0) + 1e-9
    design = np.c_[np.ones(len(features)), (features - mean) / spread]
    ridge = np.eye(design.shape[1]) * RIDGE
    ridge[0, 0] = 0
    found = np.zeros(design.shape[1])
    for _ in range(30):
        guess = 1 / (1 + np.exp(-design @ found))
        slope = design.T @ (weights * (guess - truth)) + ridge @ found
        found -= np.linalg.solve(
            design.T @ (design * (weights * guess * (1 - guess))[:, None]) + ridge, slope
        )
    coefficients = found[1:] / spread
    whole: Floats = np.r_[found[0] - coefficients @ mean, coefficients]
    return whole


def probability(features: Floats, coefficients: Floats) -> Floats:
    """Return the probability of each row of features."""
    odds: Floats = np.exp(coefficients[0] + features @ coefficients[1:])
    return odds / (1 + odds)


def area(scores: Floats, truth: Floats) -> float:
    """Return the share of (positive, negative) pairs in the right order, ties as halves."""
    positive, negative = scores[truth == 1], scores[truth == 0]
    wins = (positive[:, None] > negative).mean() + 0.5 * (positive[:, None] == negative).mean()
    return float(wins)


def shown_right(drafts: Sequence[Draft], questions: Sequence[Asked]) -> tuple[float, float]:
    """Return the share of drafts whose every / any claim is a sentence that people chose."""

    def bare(text: str) -> str:
        return " ".join(text.split())

    whole, some, count = 0, 0, 0
    for draft, question in zip(drafts, questions, strict=True):
        if question.chosen and draft.claims:
            wanted = [bare(text) for text in question.chosen]
            right = [
                any(text in each or each in text for each in wanted) for text in map(bare, claimed(draft))
            ]
            whole, some, count = whole + all(right), some + any(right), count + 1
    return whole / max(count, 1), some / max(count, 1)


def claimed(draft: Draft) -> list[str]:
    """Return the wording of the claims."""
    return [claim.text for claim in draft.claims]


def main() -> None:
    """Fit, judge and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--cache", type=Path, default=Path(".benchmarks"))
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    embed = Remembering(options.cache)
    answerer = ExtractiveAnswerer(embed=embed.embed)
    features, truth, folds, weights, names, sets = [], [], [], [], [], []
    for each in (clapnq(options.data), mtrag(options.data)):
        drafts = [
            answerer.draft(question.text, found)
            for question, found in zip(each.questions, searched(each, embed), strict=True)
        ]
        embed.save()
        share = np.mean([question.answerable for question in each.questions])
        for question, draft in zip(each.questions, drafts, strict=True):
            names = list(draft.features)
            features.append(list(draft.features.values()))
            truth.append(float(question.answerable))
            folds.append(hashlib.sha256(question.group.encode()).digest()[0] % 2)
            within = PRIOR / share if question.answerable else (1 - PRIOR) / (1 - share)
            weights.append(WEIGHT[each.name] * within / len(drafts))
            sets.append(each.name)
        whole, some = shown_right(drafts, each.questions)
        if whole or some:
            print(f"{each.name}: every claim chosen by people {whole:.3f}, any claim {some:.3f}")
    report(np.array(features), np.array(truth), np.array(folds), np.array(weights), np.array(sets))
    coefficients = fitted(np.array(features), np.array(truth), np.array(weights))
    print(f"INTERCEPT = {coefficients[0]:.4f}")
    for name, value in zip(names, coefficients[1:], strict=True):
        print(f'"{name}": {value:.4f},')


def report(features: Floats, truth: Floats, folds: Floats, weights: Floats, sets: NDArray[np.str_]) -> None:
    """Print, for each set, how well the half that was not fitted on is told apart."""
    crossed = np.zeros(len(truth))
    for fold in (0, 1):
        train = folds != fold
        crossed[~train] = probability(features[~train], fitted(features[train], truth[train], weights[train]))
    for name in np.unique(sets):
        scores, right = crossed[sets == name], truth[sets == name]
        answered, refused = (scores[right == 1] >= 0.5).mean(), (scores[right == 0] < 0.5).mean()
        print(
            f"{name}: AUROC {area(scores, right):.3f}, answered {answered:.3f} of the answerable, "
            f"refused {refused:.3f} of the others"
        )


if __name__ == "__main__":
    main()
