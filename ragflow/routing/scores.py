"""Which sources hold the answer, and how likely it is: a conditional logit with weights shared by all.

A source's utility is the weighted sum of its features (``source_features``), and its probability the
softmax over the readable sources of the question (McFadden, Conditional Logit Analysis of Qualitative
Choice Behavior, 1974). So one set of weights serves any number of sources, configured in any way. The
chosen are the fewest whose probabilities reach a level that was fitted so that the right one is among
them (adaptive prediction sets: Romano, Sesia & Candès 2020).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from indexes.embedding import Embed, Vectors
from indexes.query import Found, Index, Query
from ragflow.asking import SourceScore
from ragflow.confidence import lexical_share
from ragflow.routing.source_features import NAMES, Profile, measure

Floats = NDArray[np.float64]

DEPTH = 100
"""Hits that are weighed, of all readable sources together."""

# Fitted by `python benchmarks/routing.py DATA` on mtrag's questions; no other set had a part in it.
WEIGHTS: Mapping[str, float] = {
    "nearest": 4.5246,
    "crowd": 0.1457,
    "words": 1.0823,
    "words_3": 0.4464,
    "fused_3": 2.2296,
    "first": 0.4021,
    "description": 3.7386,
    "description_words": 1.4090,
    "no_description": 0.3214,
    "examples": 0.7985,
    "examples_words": 6.4764,
    "no_examples": 0.7350,
    "description:near": -1.4341,
    "description_words:near": -1.4652,
    "no_description:near": 0.0016,
    "examples:near": -2.8608,
    "examples_words:near": 1.7519,
    "no_examples:near": -0.6044,
}
REACH = 0.9261
"""The probability that the chosen reach together."""

# Fitted by the same command: the log odds that nothing readable is about a question, and the level that
# 1 in 100 questions about it passes.
_OFF_TOPIC: Mapping[str, float] = {"intercept": 7.479, "cosine": -8.777, "words": -8.928}
_OFF_TOPIC_FROM = 1.902
# With few rows drawn from mtrag's corpus around their answer, so many of the questions that it answers
# were called off topic: .09 of 3 rows, .04 of 30, .014 of 100, .007 of 300, none of all 1,152.
LEAST_TERMS = 3
LEAST_ROWS = 300


@dataclass(frozen=True, slots=True)
class Described:
    """What is configured of a source: a sentence or two, and questions that it answers; both may be empty."""

    description: str
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SourceScores:
    """What the scores say of a question.

    ``scores``: the readable sources, best first, ties by name; their probabilities sum to 1.
    ``chosen``: the fewest of them, best first, whose probabilities reach ``REACH``. ``sure``: those are
    not all. ``off_topic``: nothing readable is about this. Nothing readable: no score, not off topic.
    """

    scores: tuple[SourceScore, ...]
    chosen: tuple[str, ...]
    sure: bool
    off_topic: bool


class SourceScorer:
    """Scores sources by what is configured of them and by what a search finds in them.

    Descriptions and examples are embedded once, when the first question is scored. ``embed`` gives unit
    vectors. Satisfies ``router.Scorer``.
    """

    def __init__(self, index: Index, embed: Embed, sources: Mapping[str, Described]) -> None:
        self._index = index
        self._embed = embed
        self._sources = {name: one for name, one in sources.items() if one.description or one.examples}
        self._profiles: Mapping[str, Profile] | None = None

    def score(self, question: str, readers: frozenset[str], sources: tuple[str, ...] | None) -> SourceScores:
        """Return how likely each of ``sources`` (None: all) that is readable holds the answer.

        Raises what ``Index.search`` raises.
        """
        found = self._index.search(Query(question, readers, sources, k=DEPTH, merge="none"))
        vector, profiles = None, self._known()
        if any(source in profiles for source in found.sources):
            vector = self._embed([question], queries=True)[0]
        return weighed(found, vector, profiles)

    def _known(self) -> Mapping[str, Profile]:
        if self._profiles is None:
            self._profiles = profiled(self._sources, self._embed)
        return self._profiles


def profiled(sources: Mapping[str, Described], embed: Embed) -> Mapping[str, Profile]:
    """Return the profile of each source of which something is configured, all texts embedded at once.

    Examples are questions, and embedded as such: they are compared with a question.
    """
    known = {name: one for name, one in sources.items() if one.description or one.examples}
    descriptions = [one.description for one in known.values() if one.description]
    examples = [text for one in known.values() for text in one.examples]
    about = iter(embed(descriptions) if descriptions else ())
    asked = iter(embed(examples, queries=True) if examples else ())
    return {
        name: Profile(
            next(about) if one.description else None,
            one.description,
            np.stack(list(islice(asked, len(one.examples)))) if one.examples else None,
            one.examples,
        )
        for name, one in known.items()
    }


def weighed(found: Found, question: Vectors | None, profiles: Mapping[str, Profile]) -> SourceScores:
    """Return the scores of what a search of all sources found; ``question`` as in ``measure``."""
    if not found.sources:
        return SourceScores((), (), sure=False, off_topic=False)
    features = measure(found, question, profiles)
    probabilities = softmax(features @ np.array([WEIGHTS[name] for name in NAMES]))
    scores = sorted(
        (
            SourceScore(source, float(probability), told(row))
            for source, probability, row in zip(
                found.sources, np.round(probabilities, 6), features.tolist(), strict=True
            )
        ),
        key=lambda one: (-one.probability, one.source),
    )
    return decided(scores, off_topic=strange(found, features))


def decided(scores: Sequence[SourceScore], *, off_topic: bool) -> SourceScores:
    """Return what is to be searched by these scores, best first: the fewest that reach ``REACH``."""
    count = reaching([one.probability for one in scores], REACH)
    return SourceScores(
        tuple(scores),
        tuple(one.source for one in scores[:count]),
        sure=count < len(scores),
        off_topic=off_topic,
    )


def told(row: Sequence[float]) -> dict[str, float]:
    """Return the features of a source that say something on their own: none of what is not configured."""
    named = dict(zip(NAMES, row, strict=True))
    absent = [name for name in ("description", "examples") if named[f"no_{name}"]]
    return {
        name: value
        for name, value in named.items()
        if ":" not in name and not name.startswith(("no_", *absent))
    }


def softmax(utilities: Floats) -> Floats:
    """Return probabilities along the last axis."""
    odds: Floats = np.exp(utilities - utilities.max(-1, keepdims=True))
    shares: Floats = odds / odds.sum(-1, keepdims=True)
    return shares


def reaching(probabilities: Sequence[float], level: float) -> int:
    """Return how many of the probabilities, falling, reach a level together; all where they do not."""
    below = np.cumsum(probabilities) < level
    return min(int(below.sum()) + 1, len(probabilities))


def strange(found: Found, features: Floats) -> bool:
    """Tell whether nothing readable is about the question; not of few terms, nor in a small index."""
    if not found.hits or len(found.idf) < LEAST_TERMS or found.rows < LEAST_ROWS:
        return False
    cosine, words = cosine_and_words(found, features)
    odds = _OFF_TOPIC["intercept"] + _OFF_TOPIC["cosine"] * cosine + _OFF_TOPIC["words"] * words
    return odds > _OFF_TOPIC_FROM


def cosine_and_words(found: Found, features: Floats) -> tuple[float, float]:
    """Return the best cosine with a hit, a description or the nearest examples, and the best BM25.

    The latter as a share of the question's idf. There is at least one hit.
    """
    shown = (NAMES.index("description"), NAMES.index("examples"))
    nearest = max(*(hit.scores.dense or 0.0 for hit in found.hits), float(features[:, shown].max()))
    return nearest, lexical_share(found)
