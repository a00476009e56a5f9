"""Answers by sentences of the hits, verbatim: the default answerer, offline, without an LLM."""

import re
from collections.abc import Sequence

from evals.grounding import Quote
from indexes.query import Found, Hit
from ragflow.answers import Rejected
from ragflow.asking import Draft, Evidence
from ragflow.cite import Proposed
from ragflow.deadlines import Deadline
from ragflow.passages import Candidate, Scored

NEAR_BEST = 0.92  # a further sentence must come so near to the best one's score
FEW = 3  # claims, unless the question asks for a list
_ASKS_FOR_LIST = re.compile(
    r"\b(?:list|enumerate|all (?:the|of|our|my)|what are|which are|what (?:kinds|types|sorts|steps|ways)"
    r"|name (?:the|all|some|\w+ )|examples of|steps)\b",
    re.IGNORECASE,
)


class ExtractiveAnswerer:
    """Proposes the sentences that answer the question. Satisfies ``asking.Answerer``.

    ``max_claims``: at most so many where the question asks for a list, else at most three.
    """

    name: str | None = None

    def __init__(self, *, max_claims: int = 6) -> None:
        self._max_claims = max_claims

    def draft(
        self,
        question: str,
        found: Found,
        evidence: Evidence,
        *,
        rejected: Sequence[Rejected] = (),  # noqa: ARG002 - the same sentences would be proposed again
        deadline: Deadline,  # noqa: ARG002 - it waits for nobody
    ) -> Draft:
        """Return the claims in reading order.

        Each claim is one candidate (see ``passages``), word for word, and its own quote; a table row
        cites the table's header too. No evidence: no claims.
        """
        limit = self._max_claims if _ASKS_FOR_LIST.search(question) else min(FEW, self._max_claims)
        best = chosen(evidence.ranked, limit)
        claims = tuple(_proposed(each.candidate, found.hits) for each in best)
        return Draft(claims, found.hits, evidence.missing)


def chosen(scored: Sequence[Scored], limit: int) -> list[Scored]:
    """Return the best candidate and those nearly as good, in reading order; none overlaps another.

    Reading order is that of the documents by their best sentence, then of the position.
    """
    kept: list[Scored] = []
    for each in scored:
        if len(kept) < limit and each.score >= NEAR_BEST * scored[0].score and not _repeats(each, kept):
            kept.append(each)
    order = list(dict.fromkeys(each.candidate.hit for each in kept))
    return sorted(kept, key=lambda each: (order.index(each.candidate.hit), each.candidate.start))


def _repeats(each: Scored, kept: Sequence[Scored]) -> bool:
    """Does it overlap one that was kept, or say nearly the same words?"""
    mine = each.candidate
    for other in (one.candidate for one in kept):
        if mine.hit == other.hit and mine.start < other.end and other.start < mine.end:
            return True
        if len(mine.terms & other.terms) > 0.8 * min(len(mine.terms), len(other.terms)):
            return True
    return False


def _proposed(candidate: Candidate, hits: Sequence[Hit]) -> Proposed:
    quotes = [Quote(candidate.hit, candidate.text, candidate.start)]
    if candidate.header is not None:
        start, end = candidate.header
        quotes.append(Quote(candidate.hit, hits[candidate.hit].text[start:end], start))
    return Proposed(" ".join(candidate.text.split()), tuple(quotes))
