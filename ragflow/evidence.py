"""What the hits are worth: the sentences that may answer a question, and how likely it is that they do."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from indexes.analysis import analyse
from indexes.embedding import Embed, Vectors
from indexes.query import Found, Hit
from ragflow.asking import Evidence
from ragflow.aspects import aspects, resolved
from ragflow.confidence import Nearness, confidence, covered, measure
from ragflow.passages import Candidate, Scored, candidates

READ_HITS = 6
# Sentences compared by vector, and how much of each (code points): nearly all of the time goes there. Of
# 299 answerable questions of ClapNQ, a sentence that people chose is among three shown for .823 with 3,
# .843 with 4 and .846 with 6; .866 with all of them and whole.
EMBEDDED = 4
COMPARED = 200
SAME = 1e-3  # a question no further from the title than this asks nothing of it
_WORTH = {"cosine": 0.5, "coverage": 0.3, "type": 0.08, "hit": 0.2}
_PROMISE = {"coverage": 1.0, "type": 0.15, "hit": 0.6}  # the same before any vector is known

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

    ``at_once``: everything that may be compared is embedded with one call, though not all of it is needed.

    ``embed`` gives unit vectors of texts; None compares by words alone. ``needed``: the confidence from
    which on a part of a compound question counts as answered.
    """

    def __init__(self, *, embed: Embed | None = None, needed: float = 0.5, at_once: bool = False) -> None:
        self._embed = embed
        self._needed = needed
        self._at_once = at_once

    def weigh(self, question: str, found: Found) -> Evidence:
        """Return the sentences, best first, and how likely it is that they answer the question.

        A compound question (see ``aspects``) is as good as its best part; the parts that are not good
        enough are ``missing`` where another is, and their sentences are left out. No hits, or nothing
        quotable: no sentences, confidence 0.
        """
        parts = aspects(question)
        if len(parts) < 2 or not found.hits:
            return self._weighed(question, found)
        weighed = [self._of_part(text, found) for text in resolved(question, parts)]
        best = max(weighed, key=lambda each: each.confidence)
        good = [each.confidence >= self._needed for each in weighed]
        if not any(good):
            return replace(best, ranked=_merged(weighed))
        return replace(
            best,
            ranked=_merged([each for each, is_good in zip(weighed, good, strict=True) if is_good]),
            missing=tuple(part for part, is_good in zip(parts, good, strict=True) if not is_good),
        )

    def _weighed(self, question: str, found: Found) -> Evidence:
        vectors = _Vectors(self._embed, question, at_once=self._at_once)
        scored = _scored(question, found, vectors)
        if not scored:
            return Evidence(0.0)
        near = vectors.nearness(scored[0], found.hits)
        features = measure(scored, near, found)
        return Evidence(confidence(features), features.shown(), tuple(scored))

    def _of_part(self, part: str, found: Found) -> Evidence:
        """Weigh one part of a question: as if the same hits had been found for it alone."""
        vectors = _Vectors(self._embed, part)
        asked = _of_part(found, part)
        dense = vectors.cosines([embedded(hit) for hit in found.hits])
        hits = [_matched(hit, found.idf_of(hit), asked.idf_of(hit)) for hit in found.hits]
        if dense:
            pairs = zip(hits, dense, strict=True)
            hits = [replace(hit, scores=replace(hit.scores, dense=cosine)) for hit, cosine in pairs]
        return self._weighed(part, replace(asked, hits=_fused(hits)))


class _Vectors:
    """Compares texts with one question, which is embedded once, when it is first needed."""

    def __init__(self, embed: Embed | None, question: str, *, at_once: bool = False) -> None:
        self._embed = embed
        self._question = question
        self._at_once = at_once
        self._vector: Vectors | None = None

    def cosines(self, texts: Sequence[str], later: Sequence[str] = ()) -> list[float]:
        """Return the cosines, rounded to 1e-6; [] without texts or without a model.

        ``later``: what ``nearness`` may need of these; an ``embed`` that remembers has it then.
        """
        if self._embed is None or not texts:
            return []
        with_them = list(filter(None, later)) if self._at_once else []
        asked, vectors = self._embedded(self._embed, [*texts, *with_them])
        return [_cosine(vector, asked) for vector in vectors[: len(texts)]]

    def nearness(self, best: Scored, hits: Sequence[Hit]) -> Nearness:
        """Return how near the best sentence is by itself; without a model, what is known of it already."""
        if self._embed is None:
            return Nearness(best.cosine, best.cosine)
        title = hits[best.candidate.hit].title
        asked, vectors = self._embedded(
            self._embed, [_start(best.candidate.text), *([title] if title else [])]
        )
        whole = _cosine(vectors[0], asked)
        if not title:
            return Nearness(whole, whole)
        rest = asked - (asked @ vectors[1]) * vectors[1]
        length = float(np.linalg.norm(rest))
        return Nearness(whole, _cosine(vectors[0], rest / length) if length > SAME else whole)

    def _embedded(self, embed: Embed, texts: Sequence[str]) -> tuple[Vectors, Vectors]:
        if self._vector is None:
            self._vector = embed([self._question], queries=True)[0]
        return self._vector, embed(texts)


def _cosine(one: Vectors, other: Vectors) -> float:
    return round(float(one @ other), 6)


def _scored(question: str, found: Found, vectors: _Vectors) -> list[Scored]:
    """Return the best candidates, best first, ties by their order in the hits."""
    hits = found.hits
    asked = next((answer for pattern, answer in _TYPES if pattern.search(question)), None)
    # The score that orders the hits says which are read; what they are worth was fitted on the fused one.
    read = sorted(sorted(range(len(hits)), key=lambda at: -hits[at].score)[:READ_HITS])
    all_found = [replace(each, hit=read[each.hit]) for each in candidates([hits[at] for at in read])]
    idf = {each: found.idf_of(hits[each.hit]) for each in all_found}
    contexts = {(_context(one, hits), hits[one.hit].language) for one in all_found}
    above = {context: frozenset(analyse(*context)) for context in contexts}
    wide = {
        each: _wide_coverage(each, above[_context(each, hits), hits[each.hit].language], idf[each])
        for each in all_found
    }
    typed = {each: asked is None or bool(asked.search(each.text)) for each in all_found}

    def worth(each: Candidate, weights: Mapping[str, float], cosine: float = 0.0) -> float:
        seen = {
            "cosine": cosine,
            "coverage": wide[each],
            "type": typed[each],
            "hit": hits[each.hit].fused,
        }
        return sum(weight * seen[name] for name, weight in weights.items())

    ranked = sorted(all_found, key=lambda each: -worth(each, _PROMISE))[:EMBEDDED]
    cosines = vectors.cosines(
        [f"{_context(each, hits)}\n{_start(each.text)}" for each in ranked],
        [text for each in ranked for text in (_start(each.text), hits[each.hit].title)],
    )
    cosines = cosines or [hits[each.hit].scores.dense or 0.0 for each in ranked]
    scored = [
        Scored(
            each, cosine, covered(each.terms, idf[each]), typed[each], round(worth(each, _WORTH, cosine), 6)
        )
        for each, cosine in zip(ranked, cosines, strict=True)
    ]
    return sorted(scored, key=lambda each: (-each.score, each.candidate.hit, each.candidate.start))


def _start(text: str) -> str:
    """Return what is compared of a text: whole words of its first ``COMPARED`` code points."""
    return text if len(text) <= COMPARED else text[:COMPARED].rpartition(" ")[0] or text[:COMPARED]


def _wide_coverage(each: Candidate, above: frozenset[str], idf: Mapping[str, float]) -> float:
    """Coverage with the terms of what stands over the candidate (see ``_context``), which count half."""
    return (covered(each.terms, idf) + covered(each.terms | above, idf)) / 2


def _context(each: Candidate, hits: Sequence[Hit]) -> str:
    """Return title, headings and, over a table row, the header: what the index embeds with a chunk too."""
    hit = hits[each.hit]
    header = hit.text[slice(*each.header)] if each.header else ""
    return "\n".join(part for part in (hit.title, " > ".join(hit.headings), header) if part)


def embedded(hit: Hit) -> str:
    """Return what the embedder saw of a hit, but for the header of a table that began before it."""
    return "\n".join(part for part in (hit.title, " > ".join(hit.headings), hit.text) if part)


def _of_part(found: Found, part: str) -> Found:
    """Return what was found with the idf of the part's terms alone."""

    def asked(idf: Mapping[str, float], language: str) -> dict[str, float]:
        terms = frozenset(analyse(part, language))
        return {term: weight for term, weight in idf.items() if term in terms}

    idfs = {language: asked(idf, language) for language, idf in found.idfs.items()}
    return replace(found, idf=asked(found.idf, found.language), idfs=idfs)


def _matched(hit: Hit, idf: Mapping[str, float], part: Mapping[str, float]) -> Hit:
    """Return the hit with the share of its lexical score that is owed to the part's words."""
    terms = frozenset(analyse(" ".join([hit.title, *hit.headings, hit.text]), hit.language))
    whole = sum(weight for term, weight in idf.items() if term in terms)
    share = sum(weight for term, weight in part.items() if term in terms) / whole if whole else 0.0
    return replace(hit, scores=replace(hit.scores, lexical=(hit.scores.lexical or 0.0) * share))


def _fused(hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """Return the hits with the mean of both scores after min-max, in their order (see ``indexes``)."""
    lexical = [hit.scores.lexical or 0.0 for hit in hits]
    dense = [hit.scores.dense or 0.0 for hit in hits]
    low, spread, most = min(dense), max(dense) - min(dense), max(lexical)
    return tuple(
        replace(
            hit,
            score=round(
                ((near - low) / spread if spread else 1.0) / 2 + (words / most if most else 1.0) / 2, 6
            ),
            scores=replace(hit.scores, fused=None),
        )
        for hit, words, near in zip(hits, lexical, dense, strict=True)
    )


def _merged(parts: Sequence[Evidence]) -> tuple[Scored, ...]:
    """Return the sentences of several parts as one ranking, in which the best of each part come first."""
    top = max((each.score for part in parts for each in part.ranked), default=0.0)
    merged: dict[Candidate, tuple[float, int, Scored]] = {}
    for number, part in enumerate(parts):
        for each in part.ranked:
            own = part.ranked[0].score
            score = round(each.score / own * top, 6) if own > 0 else each.score
            if each.candidate not in merged or score > merged[each.candidate][0]:
                merged[each.candidate] = (score, number, replace(each, score=score))
    order = sorted(merged.values(), key=lambda each: (-each[0], each[1]))
    return tuple(scored for _, _, scored in order)
