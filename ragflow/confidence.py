"""How likely is it that the hits answer the question? A logistic regression over a few readable features.

Every feature is relative to what the asker may read: nothing of a hidden document enters, and none grows
with the number of documents.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType

from indexes.analysis import analyse
from indexes.query import Found
from ragflow.passages import Scored


@dataclass(frozen=True, slots=True)
class Nearness:
    """Cosines of one sentence, by itself, with the question, and with what the question adds to the title.

    That is the question's vector less its part along the title's: what is asked of the thing, not which
    thing is meant.
    """

    whole: float
    beyond_title: float


@dataclass(frozen=True, slots=True)
class Features:
    """What was measured on the best sentence and the hits. Shares are 0 to 1, cosines -1 to 1.

    ``passage_cosine``: the highest of the hits. ``sentence_cosine``: the best sentence's, by itself.
    ``beyond_title_cosine``: see ``Nearness``. ``sentence_coverage``: the highest share of the question's
    idf in one sentence. ``title_coverage``: the share in title and headings over the best sentence.
    ``lexical_share``: highest BM25 per unit of the question's idf, 0 to k1 + 1. ``passage_words``,
    ``sentence_words``: natural logarithm of one more than the words of the best sentence's passage, and
    than its own different terms: long texts meet words by chance. ``figure_missing``: 1 where the question
    names a figure ("2024", "F3", "120 g") that the passage lacks. ``legs_agree``: 1 where words and
    vectors prefer the same hit. ``wrong_type``: 1 where the question asks for a number, a date, a person
    or a place and the sentence holds none.
    """

    passage_cosine: float
    sentence_cosine: float
    beyond_title_cosine: float
    sentence_coverage: float
    title_coverage: float
    lexical_share: float
    passage_words: float
    sentence_words: float
    figure_missing: float
    legs_agree: float
    wrong_type: float

    def shown(self) -> dict[str, float]:
        """Return the features by name, rounded to 1e-4."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


# Fitted by benchmarks/abstention.py (logistic regression; the ridge, 10, is chosen inside the folds) on two
# public sets, answerable and unanswerable questions weighing the same. The intercept is moved so that 0.5 is
# the point where the worst of the shares answered and refused is highest. Cross-fitted at 0.5: area under
# the ROC curve .911 on ClapNQ (.893 of the answerable answered, .763 of the others refused), .880 on
# MTRAG-UN made standalone (.786, .835), .857 without its history (.719, .845).
INTERCEPT = -3.3092
WEIGHTS = MappingProxyType(
    {
        "passage_cosine": 5.4882,
        "sentence_cosine": 2.3910,
        "beyond_title_cosine": 2.1218,
        "sentence_coverage": 0.7151,
        "title_coverage": -0.6803,
        "lexical_share": 1.3322,
        "passage_words": -0.5362,
        "sentence_words": -0.1534,
        "figure_missing": -0.4587,
        "legs_agree": 0.2754,
        "wrong_type": -1.2591,
    }
)


def confidence(features: Features) -> float:
    """Return the probability, 0 to 1, rounded to 1e-4."""
    total = INTERCEPT + sum(weight * getattr(features, name) for name, weight in WEIGHTS.items())
    return round(1 / (1 + math.exp(-total)), 4)


def measure(ranked: Sequence[Scored], near: Nearness, found: Found) -> Features:
    """Return what the confidence is computed from.

    ``ranked``: the sentences, best first, at least one, of ``found.hits``; ``near``: the best one's.
    """
    hits, best = found.hits, ranked[0]
    hit = hits[best.candidate.hit]
    idf = found.idf_of(hit)
    titles = frozenset(analyse(" ".join([hit.title, *hit.headings]), hit.language))
    passage = titles.union(analyse(hit.text, hit.language))
    dense = [one.scores.dense or 0.0 for one in hits]
    lexical = [one.scores.lexical or 0.0 for one in hits]
    return Features(
        passage_cosine=max(dense),
        sentence_cosine=near.whole,
        beyond_title_cosine=near.beyond_title,
        sentence_coverage=max(each.coverage for each in ranked),
        title_coverage=covered(titles, idf),
        lexical_share=lexical_share(found),
        passage_words=math.log1p(len(hit.text.split())),
        sentence_words=math.log1p(len(best.candidate.terms)),
        figure_missing=float(any(term not in passage and any(map(str.isdigit, term)) for term in idf)),
        legs_agree=float(dense.index(max(dense)) == lexical.index(max(lexical))),
        wrong_type=float(not best.typed),
    )


def lexical_share(found: Found) -> float:
    """Return the highest BM25 per unit of the question's idf in a hit's language; 0 without a hit or term."""
    totals = {hit.language: sum(found.idf_of(hit).values()) for hit in found.hits}
    return max(
        (
            (hit.scores.lexical or 0.0) / totals[hit.language] if totals[hit.language] else 0.0
            for hit in found.hits
        ),
        default=0.0,
    )


def covered(terms: Collection[str], idf: Mapping[str, float]) -> float:
    """Return the share of the question's idf that the terms hold, 0 to 1; 0 where it has no term."""
    total = sum(idf.values())
    return sum(weight for term, weight in idf.items() if term in terms) / total if total else 0.0
