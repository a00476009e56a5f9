"""What speaks for each source: what a search over all of them found there, and what is configured of it.

Every feature compares sources of one question with each other: what is the same for all of them says
nothing of which one holds the answer. Only hits and statistics of readable rows come in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from indexes.analysis import analyse
from indexes.embedding import Vectors
from indexes.query import Found

Floats = NDArray[np.float64]

NAMES = (
    "nearest",
    "crowd",
    "words",
    "words_3",
    "fused_3",
    "first",
    "description",
    "description_words",
    "no_description",
    "examples",
    "examples_words",
    "no_examples",
    "description:near",
    "description_words:near",
    "no_description:near",
    "examples:near",
    "examples_words:near",
    "no_examples:near",
)
"""The columns of ``measure``:

- ``nearest``: best cosine, minus the best of all sources (0 and below);
- ``crowd``: log of the share of the hits, each counted exp(cosine / 0.03): many near ones add up;
- ``words``, ``words_3``: best BM25, and mean of the best three, as shares of the question's idf, minus
  the best of all sources;
- ``fused_3``: mean of the three best fused scores (0 to 1);
- ``first``: share of the first 30 hits, each discounted by its rank as in nDCG;
- ``description``: cosine; ``description_words``: share of the question's idf in its words;
- ``examples``: mean cosine of the three nearest; ``examples_words``: mean overlap of words with the three
  that share most (Jaccard index, weighted by idf);
- ``no_description``, ``no_examples``: 1 where none is configured, and the features of it are 0;
- ``...:near``: the same times how near the best hit is, from -1 (cosine .25 and below) to 1 (.75 and
  above). Where a passage is close to the question, what is configured of a source counts less.
"""

_WARMTH = 0.03  # of a cosine: halving or doubling it changed no figure by more than .005
_BEST = 3
_FIRST = 30


@dataclass(frozen=True, slots=True)
class Profile:
    """What is configured of a source.

    ``description``: unit vector of shape (d,), None without one; ``said`` is its text.
    ``examples``: unit vectors of shape (n, d), n from 0; ``asked``: the text of each. Texts are analysed as
    the question that they are compared with is.
    """

    description: Vectors | None = None
    said: str = ""
    examples: Vectors | None = None
    asked: tuple[str, ...] = ()


NOTHING = Profile()


def measure(found: Found, question: Vectors | None, profiles: Mapping[str, Profile]) -> Floats:
    """Return the features of each readable source: shape (len(found.sources), len(NAMES)).

    ``question``: its unit vector; None where no readable source has a profile with vectors. A source
    without a hit is worth the worst of the hits.
    """
    features = np.zeros((len(found.sources), len(NAMES)))
    if found.hits and found.sources:
        features[:, :6] = _evidence(found)
    for row, source in enumerate(found.sources):
        known = profiles.get(source, NOTHING)
        features[row, 6:9] = _described(known, question, found)
        features[row, 9:12] = _exemplified(known, question, found)
    nearest = max((hit.scores.dense or 0.0 for hit in found.hits), default=0.0)
    features[:, 12:] = features[:, 6:12] * np.clip((nearest - 0.5) / 0.25, -1.0, 1.0)
    return np.round(features, 6)


def _evidence(found: Found) -> Floats:
    number = {source: at for at, source in enumerate(found.sources)}
    owner = np.array([number[hit.document.partition("/")[0]] for hit in found.hits])
    dense = np.array([hit.scores.dense or 0.0 for hit in found.hits])
    lexical = np.array([hit.scores.lexical or 0.0 for hit in found.hits])
    fused = np.array([hit.score for hit in found.hits])
    total = sum(found.idf.values()) or 1.0
    discount = 1 / np.log2(2 + np.arange(min(_FIRST, len(owner))))
    votes = np.exp((dense - dense.max()) / _WARMTH)
    lowest = votes.min()
    features = np.zeros((len(number), 6))
    for row in range(len(number)):
        mine = owner == row
        near = dense[mine] if mine.any() else dense[dense.argmin()][None]
        features[row] = (
            near.max() - dense.max(),
            np.log(max(float(votes[mine].sum()), float(lowest)) / float(votes.sum())),
            (_best(lexical[mine], 1) - lexical.max()) / total,
            (_best(lexical[mine], _BEST) - _best(lexical, _BEST)) / total,
            _best(fused[mine], _BEST),
            float(discount[mine[:_FIRST]].sum() / discount.sum()),
        )
    return features


def _best(scores: Floats, count: int) -> float:
    """Return the mean of the best ``count``; what is missing of them counts 0."""
    return float(np.sort(scores)[-count:].sum()) / count


def _described(known: Profile, question: Vectors | None, found: Found) -> tuple[float, float, float]:
    if known.description is None or question is None:
        return 0.0, 0.0, 1.0
    total, words = sum(found.idf.values()), _words(known.said, found.language)
    shared = sum(weight for term, weight in found.idf.items() if term in words)
    return float(known.description @ question), shared / total if total else 0.0, 0.0


def _exemplified(known: Profile, question: Vectors | None, found: Found) -> tuple[float, float, float]:
    if known.examples is None or question is None:
        return 0.0, 0.0, 1.0
    cosines = np.sort(known.examples @ question)[-_BEST:]
    overlaps = sorted(_overlap(_words(text, found.language), found.idf) for text in known.asked)[-_BEST:]
    return float(cosines.mean()), sum(overlaps) / len(overlaps), 0.0


@lru_cache(maxsize=4_096)
def _words(text: str, language: str) -> frozenset[str]:
    return frozenset(analyse(text, language))


def _overlap(words: frozenset[str], idf: Mapping[str, float]) -> float:
    """Return the weight of shared terms over that of all; a term that the question lacks weighs the mean."""
    total = sum(idf.values())
    if not total:
        return 0.0
    shared = [term for term in idf if term in words]
    return sum(idf[term] for term in shared) / (total + (len(words) - len(shared)) * total / len(idf))
