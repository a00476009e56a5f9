"""How likely is it that a draft answers the question? A logistic regression over a few readable features.

Every feature is relative to what the asker may read: nothing of a hidden document enters, and none grows
with the number of documents.
"""

import math
from dataclasses import asdict, dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Features:
    """What was measured on the best sentence and the hits. Shares are 0 to 1, cosines -1 to 1.

    ``passage_cosine``: the highest of the hits. ``sentence_cosine``: the best sentence's.
    ``sentence_coverage``, ``passage_coverage``: share of the question's idf in the best sentence, and in
    its passage with title and headings. ``lexical_share``: highest BM25 per unit of the question's idf,
    0 to k1 + 1. ``rarest_missing``: idf of the rarest term that the passage lacks, relative to the
    question's rarest. ``figure_missing``: 1 where the question names a figure ("2024", "F3", "120 g") that
    the passage lacks. ``legs_agree``: 1 where words and vectors prefer the same hit. ``wrong_type``: 1
    where the question asks for a number, a date, a person or a place and the sentence holds none.
    """

    passage_cosine: float
    sentence_cosine: float
    sentence_coverage: float
    passage_coverage: float
    lexical_share: float
    rarest_missing: float
    figure_missing: float
    legs_agree: float
    wrong_type: float

    def shown(self) -> dict[str, float]:
        """Return the features by name, rounded to 1e-4."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


# Fitted by benchmarks/abstention.py (logistic regression, ridge 10) on 982 questions of two public sets,
# answerable and unanswerable ones weighing the same. Cross-fitted area under the ROC curve: .876 on
# clapnq, .851 on mtrag_un.
INTERCEPT = -5.5992
WEIGHTS = MappingProxyType(
    {
        "passage_cosine": 5.1325,
        "sentence_cosine": 3.1846,
        "sentence_coverage": 2.4548,
        "passage_coverage": -0.8411,
        "lexical_share": 0.7101,
        "rarest_missing": -0.3618,
        "figure_missing": -0.6130,
        "legs_agree": -0.1752,
        "wrong_type": -0.9176,
    }
)


def confidence(features: Features) -> float:
    """Return the probability, 0 to 1, rounded to 1e-4."""
    total = INTERCEPT + sum(weight * getattr(features, name) for name, weight in WEIGHTS.items())
    return round(1 / (1 + math.exp(-total)), 4)
