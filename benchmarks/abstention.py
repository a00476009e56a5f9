"""Fit and judge the confidence: python benchmarks/abstention.py DATA [--cache DIR].

DATA holds clapnq/ and mtrag_un/. For each set, one index of all its passages, one chunk each; a question
is positive when the set says that its passages answer it. MTRAG-UN's questions are the last turns of
conversations: they are asked as they stand, and made standalone from the turns before.

Everything is cross-fitted: two folds by the pinned rule (the first byte of the SHA-256 of the question's
group: a passage, a conversation), each scored with what was fitted on the other, the ridge and the
operating point too. Intervals are of 1,000 bootstrap samples of groups. The last lines are the
coefficients over all questions, which belong into ragflow/confidence.py.
"""

import argparse
import hashlib
import json
import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.cases import Turn
from evals.refusals import auroc, risk_coverage
from evals.scaling import brier, expected_error, reliability
from indexes.analysis import analyse
from indexes.codes import Codes
from indexes.embedding import Vectors
from indexes.lexical import readable_idf
from indexes.onnx_embedder import OnnxEmbedder
from indexes.postings import PostingsBuilder
from indexes.query import Found, Hit, Ranking, Scores
from indexes.ranking import Analysed, Candidate, rank
from indexes.segments import Rows, Segment, Slice
from indexes.weights import find
from ragflow.asking import Draft, Evidence
from ragflow.deadlines import Deadline
from ragflow.evidence import SentenceWeigher
from ragflow.extractive import ExtractiveAnswerer
from ragflow.routing.threads import standalone

RIDGES = (1.0, 3.0, 10.0, 30.0, 100.0)
# What a set weighs in the fit; within it, answerable and unanswerable questions weigh the same.
WEIGHT = {"clapnq": 450.0, "mtrag_un": 225.0, "mtrag_un standalone": 225.0}
CLASSES = {"ANSWERABLE": 1.0, "UNANSWERABLE": 0.0}
RESAMPLES = 1000
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of a set; ``kind`` as in MTRAG-UN; ``chosen`` are the sentences people chose as answer."""

    text: str
    kind: str
    group: str
    chosen: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Set:
    """A set's passages as (id, title, text), and its questions."""

    name: str
    passages: list[tuple[str, str, str]]
    questions: list[Asked]


@dataclass(frozen=True, slots=True)
class Table:
    """One row a question of all sets: features, truth (NaN: neither), fold, set, group and weight."""

    features: Floats
    truth: Floats
    fold: NDArray[np.int64]
    name: NDArray[np.str_]
    group: NDArray[np.str_]
    kind: NDArray[np.str_]
    weight: Floats

    def of(self, rows: Flags) -> "Table":
        return Table(
            self.features[rows], self.truth[rows], self.fold[rows], self.name[rows],
            self.group[rows], self.kind[rows], self.weight[rows],
        )  # fmt: skip


class Remembering:
    """Embeds, keeping every vector in a file, for fitting is done more than once."""

    def __init__(self, cache: Path) -> None:
        checkpoint = find("all-MiniLM-L6-v2")
        self.plain = OnnxEmbedder.open(checkpoint.folder, precision="fp32", cache=cache)
        self._file = cache / "vectors.pickle"
        self._known: dict[str, Vectors] = pickle.loads(self._file.read_bytes()) if self._file.exists() else {}

    def embed(self, texts: Sequence[str], *, queries: bool = False) -> Vectors:  # noqa: ARG002 - no prompts
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known.update(zip(new, self.plain.embed(new), strict=True))
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
            questions.append(Asked(each["input"], name.upper(), group, chosen))
    return Set("clapnq", [(number, title, text) for (title, text), number in passages.items()], questions)


def mtrag(data: Path, *, with_history: bool) -> Set:
    """Read MTRAG-UN; with their history the questions are made standalone."""
    folder = data / "mtrag_un"
    passages = [(each["_id"], each["title"], each["text"].strip()) for each in lines(folder / "corpus.jsonl")]
    questions = []
    for each in lines(folder / "tasks.jsonl"):
        text = each["question"]
        if with_history:
            turns = [Turn("user" if who == "user" else "assistant", said) for who, said in each["history"]]
            text = standalone(text, turns).text
        questions.append(Asked(text, each["answerability"], each["id"].split("<::>")[0]))
    return Set("mtrag_un standalone" if with_history else "mtrag_un", passages, questions)


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


def table(sets: Sequence[Set], weighed: Sequence[Sequence[Evidence]]) -> Table:
    """Put the features of all sets together. A question without any sentence is left out."""
    columns: list[tuple[Any, ...]] = []
    for each, evidence in zip(sets, weighed, strict=True):
        truth = [CLASSES.get(question.kind, float("nan")) for question in each.questions]
        share = float(np.nanmean(truth))
        for question, one, right in zip(each.questions, evidence, truth, strict=True):
            if not one.features:
                continue
            fold = hashlib.sha256(question.group.encode()).digest()[0] % 2
            within = 0.5 / (share if right else 1 - share)
            weight = WEIGHT[each.name] * within / float(np.isfinite(truth).sum())
            columns.append(
                (list(one.features.values()), right, fold, each.name, question.group, question.kind, weight)
            )
    features, truths, folds, names, groups, kinds, weights = zip(*columns, strict=True)
    return Table(
        np.array(features), np.array(truths), np.array(folds), np.array(names),
        np.array(groups), np.array(kinds), np.array(weights),
    )  # fmt: skip


def fitted(train: Table, ridge: float) -> Floats:
    """Return intercept and coefficients on the features' own scale: ridge regression by Newton's method."""
    mean, spread = train.features.mean(0), train.features.std(0) + 1e-9
    design = np.c_[np.ones(len(train.truth)), (train.features - mean) / spread]
    penalty = np.eye(design.shape[1]) * ridge
    penalty[0, 0] = 0
    found = np.zeros(design.shape[1])
    for _ in range(30):
        guess = 1 / (1 + np.exp(-design @ found))
        slope = design.T @ (train.weight * (guess - train.truth)) + penalty @ found
        curve = design.T @ (design * (train.weight * guess * (1 - guess))[:, None]) + penalty
        found -= np.linalg.solve(curve, slope)
    coefficients = found[1:] / spread
    whole: Floats = np.r_[found[0] - coefficients @ mean, coefficients]
    return whole


def logit(features: Floats, coefficients: Floats) -> Floats:
    """Return the log odds of each row of features."""
    odds: Floats = coefficients[0] + features @ coefficients[1:]
    return odds


def chosen_ridge(train: Table) -> float:
    """Return the ridge of the smallest weighted log loss, by folds of its own within the rows."""
    inner = np.array([hashlib.sha256(group.encode()).digest()[1] % 2 for group in train.group])

    def loss(ridge: float) -> float:
        odds = np.zeros(len(inner))
        for fold in (0, 1):
            coefficients = fitted(train.of(inner != fold), ridge)
            odds[inner == fold] = logit(train.features[inner == fold], coefficients)
        return float((train.weight * np.logaddexp(0, np.where(train.truth == 1, -odds, odds))).sum())

    return min(RIDGES, key=loss)


def operating_point(train: Table, scores: Floats) -> float:
    """Return the log odds at which the worst of the shares answered and refused is highest.

    The questions of a conversation count as they are asked by ``ask --thread``: made standalone.
    """
    here = [at & np.isfinite(train.truth) for at in _by_set(train) if train.name[at][0] != "mtrag_un"]

    def worst(point: float) -> float:
        shares = [
            figure(train.truth[at], scores[at] - point) for at in here for figure in (answered, refused)
        ]
        return min(shares)

    points = np.unique(np.round(scores, 2))
    worth = np.array([worst(point) for point in points])
    return float(points[worth >= worth.max() - 1e-9].mean())


def learnt(train: Table) -> tuple[Floats, float]:
    """Return coefficients whose 0 log odds are the operating point, and the ridge."""
    ridge = chosen_ridge(train)
    coefficients = fitted(train, ridge)
    coefficients[0] -= operating_point(train, logit(train.features, coefficients))
    return coefficients, ridge


def crossed(whole: Table) -> Floats:
    """Return the log odds of every row, by what was learnt on the other fold's rows."""
    scores = np.zeros(len(whole.truth))
    for fold in (0, 1):
        coefficients, _ = learnt(whole.of(np.isfinite(whole.truth) & (whole.fold != fold)))
        scores[whole.fold == fold] = logit(whole.features[whole.fold == fold], coefficients)
    return scores


def _by_set(train: Table) -> list[Flags]:
    return [train.name == name for name in dict.fromkeys(train.name.tolist())]


def answered(truth: Floats, odds: Floats) -> float:
    """Return the share of the answerable that are answered."""
    return float((odds[truth == 1] >= 0).mean())


def refused(truth: Floats, odds: Floats) -> float:
    """Return the share of the unanswerable that are refused."""
    return float((odds[truth == 0] < 0).mean())


FIGURES: dict[str, Callable[[Floats, Floats], float]] = {
    "AUROC": auroc,
    "answered": answered,
    "refused": refused,
    "refusal precision": lambda truth, scores: float((truth[scores < 0] == 0).mean()),
    "accuracy": lambda truth, scores: float(((scores >= 0) == (truth == 1)).mean()),
}


def interval(figure: Callable[[Floats, Floats], float], rows: Table, scores: Floats) -> tuple[float, float]:
    """Return the 95 % bootstrap interval, whole groups drawn with replacement."""
    members = [np.flatnonzero(rows.group == group) for group in np.unique(rows.group)]
    draw = np.random.default_rng(0)
    drawn = []
    for _ in range(RESAMPLES):
        at = np.concatenate([members[one] for one in draw.integers(0, len(members), len(members))])
        drawn.append(figure(rows.truth[at], scores[at]))
    low, high = np.nanquantile(drawn, (0.025, 0.975))
    return float(low), float(high)


def even_error(said: Floats, right: Flags, weights: Floats) -> float:
    """Return the expected calibration error in ten bins, of weighted questions."""
    places = np.clip((said * 10).astype(int), 0, 9)
    gaps = [abs((weights * (said - right))[places == place].sum()) for place in range(10)]
    return float(sum(gaps) / weights.sum())


def report(whole: Table, scores: Floats) -> None:
    """Print, for each set, how well the fold that was not fitted on is told apart."""
    for at in _by_set(whole):
        rows, odds = whole.of(at & np.isfinite(whole.truth)), scores[at & np.isfinite(whole.truth)]
        count = int(rows.truth.sum())
        print(f"\n{rows.name[0]}: {count} answerable, {len(rows.truth) - count} unanswerable")
        for name, figure in FIGURES.items():
            low, high = interval(figure, rows, odds)
            print(f"  {name:18} {figure(rows.truth, odds):.3f}  {low:.3f} to {high:.3f}")
        for name, same in (("answer all", np.ones_like(odds)), ("refuse all", -np.ones_like(odds))):
            shares = (
                f"{one} {FIGURES[one](rows.truth, same):.3f}" for one in ("answered", "refused", "accuracy")
            )
            print(f"  {name:18} AUROC .500,", ", ".join(shares))
        trust(1 / (1 + np.exp(-odds)), rows.truth == 1)
        for kind in ("PARTIAL", "UNDERSPECIFIED"):
            here = at & (whole.kind == kind)
            if here.any():
                print(f"  {kind.lower()} ({int(here.sum())}): answered {(scores[here] >= 0).mean():.3f}")


def trust(probability: Floats, right: Flags) -> None:
    """Print whether the confidence means what it says, and what answering less saves."""
    bins = reliability(probability.tolist(), right.tolist())
    even = 0.5 / np.where(right, right.mean(), 1 - right.mean())
    print(
        f"  ECE {expected_error(bins):.3f}, Brier {brier(probability, right):.3f}; as if answerable and "
        f"unanswerable were as frequent: ECE {even_error(probability, right, even):.3f}"
    )
    print("  said -> was:", *(f"{one.mean_confidence:.2f}->{one.accuracy:.2f}" for one in bins))
    curve = risk_coverage(probability.tolist(), right.tolist())
    print(f"  AURC {curve.area:.3f}; coverage: threshold, unanswerable among the answered")
    for share in np.arange(1, 11) / 10:
        i = int(np.argmin(np.abs(np.array(curve.coverages) - share)))
        print(f"    {curve.coverages[i]:.2f}: {curve.thresholds[i]:.2f}, {curve.risks[i]:.3f}")


def shown(each: Set, drafts: Sequence[Draft], passed: Flags) -> None:
    """Print how often a sentence that people chose is among those shown."""

    def bare(text: str) -> str:
        return " ".join(text.split())

    right, whole, count = [], [], []
    for draft, question in zip(drafts, each.questions, strict=True):
        wanted = [bare(text) for text in question.chosen]
        hits = [
            any(text in one or one in text for one in wanted)
            for text in (bare(claim.text) for claim in draft.claims)
        ]
        right.append(any(hits))
        whole.append(sum(hits) / max(1, len(hits)))
        count.append(len(hits))
    gold = np.array([question.kind == "ANSWERABLE" and bool(question.chosen) for question in each.questions])
    for name, at in (("all, as if forced", gold), ("answered alone", gold & passed)):
        print(
            f"  a chosen sentence among at most {max(count)} shown: {np.array(right)[at].mean():.3f} "
            f"({name}, {int(at.sum())}; {np.array(count)[at].mean():.2f} shown, "
            f"{np.array(whole)[at].mean():.3f} of them chosen)"
        )


def timed(each: Set, found: Sequence[Found], embed: Remembering) -> None:
    """Print what weighing costs with the model as it is, beside one sentence embedded."""
    weigher, spent, single = SentenceWeigher(embed=embed.plain.embed), [], []
    for question, one in list(zip(each.questions, found, strict=True))[:100]:
        began = time.perf_counter()
        evidence = weigher.weigh(question.text, one)
        ended = time.perf_counter()
        embed.plain.embed([evidence.ranked[0].candidate.text])
        spent.append(ended - began)
        single.append(time.perf_counter() - ended)
    both = f"weigh {np.median(spent) * 1e3:.1f} ms, one sentence embedded {np.median(single) * 1e3:.1f} ms"
    print(f"  p50 of {len(spent)}: {both}")


def transferred(known: Table) -> None:
    """Print the figures of each set by what was fitted on the other alone, on all of its questions."""
    print("\ntransfer")
    for source in ("clapnq", "mtrag_un"):
        mine = np.char.startswith(known.name, source)
        odds = logit(known.features, learnt(known.of(mine))[0])
        for at in _by_set(known):
            if not mine[at].any():
                figures = (
                    f"{name} {figure(known.truth[at], odds[at]):.3f}" for name, figure in FIGURES.items()
                )
                print(f"  {source} -> {known.name[at][0]}:", ", ".join(figures))


def main() -> None:
    """Fit, judge and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--cache", type=Path, default=Path(".benchmarks"))
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    embed = Remembering(options.cache)
    sets = [
        clapnq(options.data),
        *(mtrag(options.data, with_history=with_history) for with_history in (False, True)),
    ]
    weigher, answerer = SentenceWeigher(embed=embed.embed), ExtractiveAnswerer(max_claims=3)
    found = [list(searched(each, embed)) for each in sets]
    weighed = [
        [weigher.weigh(question.text, one) for question, one in zip(each.questions, founds, strict=True)]
        for each, founds in zip(sets, found, strict=True)
    ]
    embed.save()
    whole = table(sets, weighed)
    scores = crossed(whole)
    report(whole, scores)
    print("\nclapnq, what is shown")
    drafts = [
        answerer.draft(question.text, one, evidence, deadline=Deadline(60))
        for question, one, evidence in zip(sets[0].questions, found[0], weighed[0], strict=True)
    ]
    shown(sets[0], drafts, scores[: len(drafts)] >= 0)
    timed(sets[0], found[0], embed)
    known = whole.of(np.isfinite(whole.truth))
    transferred(known)
    coefficients, ridge = learnt(known)
    print(f"\nridge {ridge}\nINTERCEPT = {coefficients[0]:.4f}")
    for name, value in zip(weighed[0][0].features, coefficients[1:], strict=True):
        print(f'"{name}": {value:.4f},')


if __name__ == "__main__":
    main()
