"""Fit and judge the scores of the router: python benchmarks/routing.py DATA [--cache DIR].

DATA holds mtrag_un/: router_mtrag_human.jsonl (777 questions of 110 conversations with the right one of
four sources), tasks.jsonl (other conversations; those whose answer is in the corpus are fitted on too)
and corpus.jsonl, of which the index is made, one chunk a passage; scifact/, npl/ and tatqa/ give
questions that it is not about. Two-fold cross-fitting by the pinned rule over conversations. Examples are
the questions of the fold that was fitted on, without those of the question's own conversation. Prints the
figures and what belongs into ragflow/routing/scores.py; takes some minutes, most of it for vectors.
"""

import argparse
import hashlib
import json
import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.cases import Case, Response
from evals.metrics import parse
from evals.routes import golds
from evals.statistics import interval
from indexes.analysis import analyse
from indexes.codes import Codes
from indexes.embedding import Vectors
from indexes.lexical import readable_idf
from indexes.onnx_embedder import OnnxEmbedder
from indexes.postings import PostingsBuilder
from indexes.query import Found, Hit, Ranking, Scores
from indexes.ranking import Analysed, rank
from indexes.segments import Rows, Segment, Slice
from indexes.weights import find
from ragflow.route_evaluation import WANTED, Choice, level, reached
from ragflow.routing.scores import DEPTH, LEAST_TERMS, Described, cosine_and_words, profiled, softmax
from ragflow.routing.source_features import NAMES, Profile, measure

Floats = NDArray[np.float64]
RIDGE = 10.0
ALARMS = 0.008  # of the questions about the corpus on the fitting fold, so that it stays below .01 elsewhere
SETTINGS = {"evidence only": "", "descriptions": "d", "examples": "e", "descriptions, examples": "de"}
# Named as a person would who knows the four collections and has seen no question.
DESCRIPTIONS = {
    "clapnq": "Wikipedia: encyclopedia articles about history, people, countries and places, sports, films, "
    "music, science and nature.",
    "cloud": "IBM Cloud documentation: how to set up and use its services, plans and pricing, APIs and "
    "command line, clusters, security, databases, assistants and speech.",
    "fiqa": "Answers from a personal finance forum: investing, stocks and funds, taxes, banks, loans, "
    "mortgages, credit cards, insurance, jobs and small businesses.",
    "govt": "Web pages of United States federal and state agencies: public services, licences and permits, "
    "benefits, health, consumer protection, parks, environment and space exploration.",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of a set, what it found, its vector, and whether its gold passage is in the index."""

    case: Case
    found: Found
    vector: Vectors
    gold: bool

    @property
    def fold(self) -> int:
        """The pinned one, by conversation."""
        return self.case.fold


class Remembering:
    """Embeds, keeping every vector in a file, for fitting is done more than once."""

    def __init__(self, cache: Path) -> None:
        checkpoint = find("all-MiniLM-L6-v2")
        self._embedder = OnnxEmbedder.open(checkpoint.folder, precision="fp32", cache=cache)
        self._file = cache / "routing.pickle"
        self._known: dict[str, Vectors] = pickle.loads(self._file.read_bytes()) if self._file.exists() else {}

    def __call__(self, texts: Sequence[str], *, queries: bool = False) -> Vectors:  # noqa: ARG002
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known.update(zip(new, self._embedder.embed(new), strict=True))
            self._file.write_bytes(pickle.dumps(self._known))
        return np.stack([self._known[text] for text in texts])


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Give the objects of a file of JSON lines."""
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def named(source: str) -> str:
    """Return a source's name as the questions have it."""
    return "cloud" if source == "ibmcloud" else source


class Corpus:
    """The passages of mtrag as one index."""

    def __init__(self, data: Path, embed: Remembering) -> None:
        self._embed = embed
        passages = list(lines(data / "corpus.jsonl"))
        texts = [(each["title"], each["text"].strip()) for each in passages]
        vectors = embed(["\n".join(filter(None, each)) for each in texts])
        builder = PostingsBuilder()
        for title, text in texts:
            builder.add(text, title, "")
        count = len(passages)
        rows = Rows(np.arange(count), np.zeros(count, np.int32), np.zeros(count, np.int32))
        segment = Segment(Path(), rows, vectors, Codes.of(vectors), builder.build())
        self._slices = [Slice(segment, np.ones(count, np.bool_))]
        self._names = [f"{named(each['metadata']['source'])}/{each['_id']}" for each in passages]
        self.sources = tuple(sorted(DESCRIPTIONS))
        self.ids = {each["_id"] for each in passages}

    def search(self, question: str) -> Found:
        """Give what a hybrid search finds over all four sources."""
        terms, vector = analyse(question), self._embed([question])[0]
        best = rank(
            self._slices,
            Analysed(terms, partial(np.asarray, vector)),
            ranking=Ranking(),
            k=DEPTH,
            system="hybrid",
            name=lambda _, places: [self._names[place] for place in places],
        )
        hits = tuple(
            Hit(
                rank=number, chunk=one.chunk, document=one.chunk, revision="", start=0, end=0, title="",
                headings=(), anchors=(), link=None, modified=None, text="", score=one.score,
                scores=Scores(one.lexical, one.dense),
            )
            for number, one in enumerate(best, start=1)
        )  # fmt: skip
        return Found(hits, "", readable_idf(self._slices, terms), len(self._names), self.sources)

    def asked(self, each: Mapping[str, Any], gold: Sequence[str]) -> Asked:
        """Return an object of a question file, searched for."""
        case = Case(
            each["id"], each["question"], source=named(each["source"]), group=each["id"].split("<::>")[0]
        )
        vector = self._embed([case.question])[0]
        return Asked(case, self.search(case.question), vector, not self.ids.isdisjoint(gold))


# -- features ------------------------------------------------------------------------------------


class Configured:
    """What is configured of each source: descriptions, and the questions of others as examples."""

    def __init__(self, embed: Remembering, examples: Sequence[Asked]) -> None:
        self._whole = profiled({name: Described(text, ()) for name, text in DESCRIPTIONS.items()}, embed)
        self._examples = examples

    def features(self, one: Asked, kinds: str, *, half: bool = False) -> Floats:
        """Return the features of a question's sources; ``kinds`` holds d, e, both or none.

        ``half``: of each source the one, the other, both or nothing is configured, drawn by a digest.
        """
        profiles = {}
        for source in one.found.sources:
            drawn = hashlib.sha256(f"{one.case.id} {source}".encode()).digest()[0] if half else 3
            profiles[source] = self._profile(one, source, kinds, drawn)
        return measure(one.found, one.vector, profiles)

    def _profile(self, one: Asked, source: str, kinds: str, drawn: int) -> Profile:
        found = self._whole[source] if "d" in kinds and drawn & 1 else Profile()
        if "e" not in kinds or not drawn & 2:
            return found
        mine = [
            (other.vector, other.case.question)
            for other in self._examples
            if other.case.source == source and other.case.group != one.case.group
        ]
        return replace(
            found, examples=np.stack([vector for vector, _ in mine]), asked=tuple(text for _, text in mine)
        )


def fitting(questions: Sequence[Asked], configured: Configured) -> tuple[Floats, NDArray[np.int64], Floats]:
    """Return features, the row of the gold source, and weights: each question in five configurations."""
    ways = [(kinds, False) for kinds in SETTINGS.values()] + [("de", True)]
    features = [configured.features(one, kinds, half=half) for kinds, half in ways for one in questions]
    gold = [one.found.sources.index(one.case.source or "") for one in questions] * len(ways)
    return np.array(features), np.array(gold), np.full(len(gold), 1 / len(ways))


def fitted(features: Floats, gold: NDArray[np.int64], weights: Floats) -> Floats:
    """Return the weights of a conditional logit: ridge-penalised maximum likelihood by Newton's method."""
    spread = features.std((0, 1)) + 1e-9
    design = features / spread
    found = np.zeros(design.shape[2])
    chosen = design[np.arange(len(gold)), gold]
    for _ in range(30):
        shares = softmax(design @ found)
        mean = np.einsum("ns,nsd->nd", shares, design)
        slope = weights @ (chosen - mean) - RIDGE * found
        curve = np.einsum("n,ns,nsd,nse->de", weights, shares, design, design, optimize=True)
        curve -= np.einsum("n,nd,ne->de", weights, mean, mean)
        found += np.linalg.solve(curve + RIDGE * np.eye(len(found)), slope)
    rescaled: Floats = found / spread
    return rescaled


def choice(one: Asked, features: Floats, weights: Floats) -> Choice:
    """Return the sources of a question, best first, with their probabilities."""
    order = np.argsort(-(shares := softmax(features @ weights)), kind="stable")
    return Choice(
        golds(one.case), tuple(one.found.sources[at] for at in order), tuple(shares[order].tolist())
    )


# -- figures -------------------------------------------------------------------------------------


def crossed(
    routed: Sequence[Asked], tasks: Sequence[Asked], embed: Remembering
) -> tuple[dict[str, dict[str, Choice]], list[float]]:
    """Return each setting's choices by question, each fold scored with what the other fitted, and levels."""
    choices: dict[str, dict[str, Choice]] = {name: {} for name in SETTINGS}
    levels = []
    for fold in (0, 1):
        train = [one for one in routed if one.fold != fold]
        configured = Configured(embed, train)
        weights = fitted(*fitting([*train, *(one for one in tasks if one.fold != fold)], configured))
        seen = [
            choice(one, configured.features(one, kinds), weights)
            for kinds in SETTINGS.values()
            for one in train
        ]
        levels.append(level(seen, WANTED))
        for name, kinds in SETTINGS.items():
            for one in routed:
                if one.fold == fold:
                    choices[name][one.case.id] = choice(one, configured.features(one, kinds), weights)
    return choices, levels


def table(name: str, asked: Sequence[Asked], responses: Sequence[Response]) -> None:
    """Print a setting's figures with their 95 % intervals, over all and where the gold is in the corpus."""
    shown = []
    for metric in parse(["route_top1", "route_recall", "route_searched"]):
        taken = [metric.take(one.case, given) for one, given in zip(asked, responses, strict=True)]
        for inside in (False, True):
            numbers = np.array([t for t, one in zip(taken, asked, strict=True) if one.gold or not inside])
            low, high = interval(metric, numbers.astype(np.float64))
            shown.append(f"{numbers.mean():.3f} ({low:.3f} to {high:.3f})")
    print(f"{name:24}", *(f"{each:24}" for each in shown))


def response(chosen: Choice, reach: float) -> Response:
    """Return a choice as what metrics take."""
    count = reached(chosen, reach)
    return Response(
        sources=chosen.sources[:count], best_source=chosen.sources[0], searched=count / len(chosen.sources)
    )


def baseline(one: Asked, leg: str) -> Response:
    """Return the source of the passage that is first by one leg alone; nothing else is searched."""
    best = max(one.found.hits, key=lambda hit: getattr(hit.scores, leg) or 0.0)
    source = best.document.partition("/")[0]
    return Response(sources=(source,), best_source=source, searched=1 / len(one.found.sources))


def strangers(data: Path, corpus: Corpus) -> dict[str, list[Found]]:
    """Search for questions of other sets: claims of biomedicine, queries of physics, financial tables."""
    tables = json.loads((data / "tatqa" / "tatqa_dataset_dev.json").read_text())
    texts = {
        "scifact": [each["text"] for each in lines(data / "scifact" / "queries.jsonl")][:300],
        "npl": [each["text"] for each in lines(data / "npl" / "queries.jsonl")],
        "tatqa": [each["questions"][0]["question"] for each in tables][:200],
    }
    return {name: [corpus.search(text) for text in each] for name, each in texts.items()}


def off_topic(routed: Sequence[Asked], others: Mapping[str, Sequence[Found]]) -> None:
    """Fit and print the log odds that nothing is about a question; tatqa, money like fiqa, is not fitted."""
    about, folds = seen([one.found for one in routed]), np.array([one.fold for one in routed])
    away = {name: seen(each) for name, each in others.items()}
    strange = np.concatenate([away["scifact"], away["npl"]])
    half = np.arange(len(strange)) % 2
    alarms: list[bool] = []
    told: dict[str, list[bool]] = {name: [] for name in away}
    for fold in (0, 1):
        weights, start = strange_from(about[folds != fold], strange[half != fold])
        alarms += list(odds(about[folds == fold], weights) > start)
        for name, each in away.items():
            told[name] += list(odds(each[np.arange(len(each)) % 2 == fold], weights) > start)
    print(f"off topic: {np.mean(alarms):.4f} of the questions about the corpus;", end=" ")
    print(", ".join(f"{np.mean(each):.3f} of {name}" for name, each in told.items()))
    weights, start = strange_from(about, strange)
    for name, value in zip(("intercept", "cosine", "words"), weights, strict=True):
        print(f'"{name}": {value:.3f},')
    print(f"_OFF_TOPIC_FROM = {start:.3f}")


def seen(found: Sequence[Found]) -> Floats:
    """Return cosine and words of each question, NaN where it has too few terms to tell."""
    bare = np.zeros((1, len(NAMES)))
    unknown = (np.nan, np.nan)
    return np.array(
        [cosine_and_words(one, bare) if len(one.idf) >= LEAST_TERMS else unknown for one in found]
    )


def odds(rows: Floats, weights: Floats) -> Floats:
    """Return log odds; what cannot be told is not strange."""
    found: Floats = np.nan_to_num(weights[0] + rows @ weights[1:], nan=-np.inf)
    return found


def strange_from(about: Floats, strange: Floats) -> tuple[Floats, float]:
    """Return the weights of a logistic regression, both classes counting the same, and the level."""
    known, others = about[~np.isnan(about[:, 0])], strange[~np.isnan(strange[:, 0])]
    rows = np.concatenate([known, others])
    design = np.c_[np.ones(len(rows)), rows]
    truth = np.r_[np.zeros(len(known)), np.ones(len(others))]
    weights = np.where(truth == 1, 0.5 / truth.mean(), 0.5 / (1 - truth.mean()))
    ridge, found = np.array([0, 0.1, 0.1]), np.zeros(3)
    for _ in range(30):
        guess = 1 / (1 + np.exp(-design @ found))
        curve = design.T @ (design * (weights * guess * (1 - guess))[:, None]) + np.diag(ridge)
        found -= np.linalg.solve(curve, design.T @ (weights * (guess - truth)) + ridge * found)
    return found, float(np.quantile(odds(about, found), 1 - ALARMS))


def main() -> None:
    """Fit, judge and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--cache", type=Path, default=Path(".benchmarks"))
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    embed, data = Remembering(options.cache), options.data / "mtrag_un"
    corpus = Corpus(data, embed)
    routed = [
        corpus.asked(each, each["gold_passage_ids"]) for each in lines(data / "router_mtrag_human.jsonl")
    ]
    tasks = [
        corpus.asked(each, each["context_ids"])
        for each in lines(data / "tasks.jsonl")
        if each["answerability"] in ("ANSWERABLE", "PARTIAL")
    ]
    choices, levels = crossed(routed, tasks, embed)
    print(f"{len(routed)} questions, of {sum(one.gold for one in routed)} the gold passage is in the corpus")
    heads = [
        f"{name}, {which}" for name in ("top-1", "recall", "searched") for which in ("all", "gold there")
    ]
    print(f"{'':24}", *(f"{each:24}" for each in heads))
    table("BM25", routed, [baseline(one, "lexical") for one in routed])
    table("MiniLM", routed, [baseline(one, "dense") for one in routed])
    for name, found in choices.items():
        table(name, routed, [response(found[one.case.id], levels[one.fold]) for one in routed])
    off_topic(routed, strangers(options.data, corpus))
    configured = Configured(embed, routed)
    weights = fitted(*fitting([*routed, *tasks], configured))
    for name, value in zip(NAMES, weights.tolist(), strict=True):
        print(f'"{name}": {value:.4f},')
    seen = [
        choice(one, configured.features(one, kinds), weights) for kinds in SETTINGS.values() for one in routed
    ]
    print(f"REACH = {level(seen, WANTED):.4f}")


if __name__ == "__main__":
    main()
