"""What the hits are worth: the sentences that may answer a question, and how likely it is that they do."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence

from indexes.analysis import analyse
from indexes.embedding import Vectors
from indexes.query import Found, Hit
from ragflow.asking import Evidence
from ragflow.confidence import Features, confidence
from ragflow.passages import Candidate, Scored, candidates

Embed = Callable[[Sequence[str]], Vectors]

READ_HITS = 6
EMBEDDED = 12  # sentences compared by vector: 2 to 5 ms each
_WORTH = {"cosine": 0.5, "coverage": 0.3, "type": 0.08, "hit": 0.2}

_CAPITAL = r"(?<!^)(?<![.!?] )\b[A-Z][\w'-]+"
_SMALL_NUMBERS = "one|two|three|four|five|six|seven|eight|nine|ten|twelve|half|twice"
_RHYTHMS = "daily|weekly|monthly|quarterly|yearly|annually"
_MONTHS_AND_DAYS = (
    r"\b(?:Jan|Feb|Mar|Apr|June?|July?|Aug|Sep|Oct|Nov|Dec|Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)[a-z]*\b"
)
_PEOPLE = r"\b(?:manager|team|lead|head|director|officer|department|employee|staff|owner|board)s?\b"


def _asks(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


# What a question of a kind asks for, and what a sentence that answers it holds.
_TYPES = (
    (
        _asks(
            r"\bhow (?:many|much|long|far|old|tall|big|high|often|large|soon)\b"
            r"|\bwhat (?:percentage|amount|price)\b"
        ),
        _asks(rf"\d|\b(?:{_SMALL_NUMBERS}|{_RHYTHMS})\b"),
    ),
    (
        _asks(r"\bwhen\b|\b(?:what|which) (?:year|date|day|time|month)\b|\bdeadline\b"),
        re.compile(rf"\d|{_MONTHS_AND_DAYS}|\b(?:before|after|until|{_RHYTHMS})\b"),
    ),
    (_asks(r"\b(?:who|whom|whose)\b"), re.compile(rf"{_CAPITAL}|{_PEOPLE}|@")),
    (_asks(r"\bwhere\b"), re.compile(rf"{_CAPITAL}|\b(?:in|at|on|under|near)\b|/|@")),
)


class SentenceWeigher:
    """Weighs hits by their best sentences. Satisfies ``asking.Weigher``.

    ``embed`` gives unit vectors of texts; None compares by words alone.
    """

    def __init__(self, *, embed: Embed | None = None) -> None:
        self._embed = embed

    def weigh(self, question: str, found: Found) -> Evidence:
        """Return the sentences, best first, and how likely it is that they answer the question.

        No hits, or nothing quotable: no sentences, confidence 0.
        """
        scored = self._scored(question, found.hits[:READ_HITS], found.idf)
        if not scored:
            return Evidence(0.0)
        features = measure(scored[0], found)
        return Evidence(confidence(features), features.shown(), tuple(scored))

    def _scored(self, question: str, hits: Sequence[Hit], idf: Mapping[str, float]) -> list[Scored]:
        """Return the best candidates, best first, ties by their order in the hits."""
        asked = next((answer for pattern, answer in _TYPES if pattern.search(question)), None)
        found = candidates(hits)
        wide = {each: _wide_coverage(each, hits, idf) for each in found}
        ranked = sorted(found, key=lambda each: -wide[each] - 0.3 * hits[each.hit].score)[:EMBEDDED]
        cosines = self._cosines(question, ranked, hits)
        scored = []
        for each, cosine in zip(ranked, cosines, strict=True):
            typed = asked is None or bool(asked.search(each.text))
            score = (
                _WORTH["cosine"] * cosine
                + _WORTH["coverage"] * wide[each]
                + _WORTH["type"] * typed
                + _WORTH["hit"] * hits[each.hit].score
            )
            scored.append(Scored(each, cosine, covered(each.terms, idf), typed, round(score, 6)))
        return sorted(scored, key=lambda each: (-each.score, each.candidate.hit, each.candidate.start))

    def _cosines(self, question: str, ranked: Sequence[Candidate], hits: Sequence[Hit]) -> list[float]:
        if self._embed is None or not ranked:
            return [hits[each.hit].scores.dense or 0.0 for each in ranked]
        vectors = self._embed([question, *(f"{_context(each, hits)}\n{each.text}" for each in ranked)])
        return [round(float(vector @ vectors[0]), 6) for vector in vectors[1:]]


def covered(terms: Collection[str], idf: Mapping[str, float]) -> float:
    """Return the share of the question's idf that the terms hold, 0 to 1; 0 where it has no term."""
    total = sum(idf.values())
    return sum(weight for term, weight in idf.items() if term in terms) / total if total else 0.0


def _wide_coverage(each: Candidate, hits: Sequence[Hit], idf: Mapping[str, float]) -> float:
    """Coverage with what stands over the candidate (see ``_context``), which counts half."""
    terms = each.terms.union(analyse(_context(each, hits)))
    return (covered(each.terms, idf) + covered(terms, idf)) / 2


def _context(each: Candidate, hits: Sequence[Hit]) -> str:
    """Return title, headings and, over a table row, the header: what the index embeds with a chunk too."""
    hit = hits[each.hit]
    header = hit.text[slice(*each.header)] if each.header else ""
    return "\n".join(part for part in (hit.title, " > ".join(hit.headings), header) if part)


def measure(best: Scored, found: Found) -> Features:
    """Return what the confidence is computed from."""
    hits, idf = found.hits, found.idf
    hit = hits[best.candidate.hit]
    passage = frozenset(analyse(" ".join([hit.title, *hit.headings, hit.text])))
    dense = [one.scores.dense or 0.0 for one in hits]
    lexical = [one.scores.lexical or 0.0 for one in hits]
    missing = max((weight for term, weight in idf.items() if term not in passage), default=0.0)
    total, highest = sum(idf.values()), max(idf.values(), default=0.0)
    return Features(
        passage_cosine=max(dense),
        sentence_cosine=best.cosine,
        sentence_coverage=best.coverage,
        passage_coverage=covered(passage, idf),
        lexical_share=max(lexical) / total if total else 0.0,
        rarest_missing=missing / highest if highest else 0.0,
        figure_missing=float(any(term not in passage and any(map(str.isdigit, term)) for term in idf)),
        legs_agree=float(dense.index(max(dense)) == lexical.index(max(lexical))),
        wrong_type=float(not best.typed),
    )
