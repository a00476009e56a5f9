"""Reranking: what the search found first is read again, each passage beside the question, and reordered.

It stands around an index and sees hits alone: access, deletions and sources are applied before, so that no
text which the asker may not read ever comes to the model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from indexes.index import Place
from indexes.merging import Merging
from indexes.query import Found, Hit, Index, Query

_SPARE = 10  # hits behind the first k that are fetched at once, to stand in for merged ones
_BEHIND = 0.49  # times a fused score: below a half, where what was reranked begins


class Reranker(Protocol):
    """Says how well each passage answers a question.

    Laws:

    - ``score`` gives a finite number for each passage, more is better, rounded to 1e-6; none: none.
    - A passage gives the same number in any company and order: a hidden document must not be able to change
      a visible score.
    - ``bounded``: all numbers lie in [0, 1]; else they are of any size.
    - ``key`` changes whenever a number may.
    """

    @property
    def key(self) -> str: ...

    @property
    def bounded(self) -> bool: ...

    def score(self, question: str, passages: Sequence[str]) -> Sequence[float]: ...


class RerankedIndex:
    """An index whose hybrid search ends with a reranker; satisfies ``Index``.

    The first ``candidates`` hits are ordered by (the reranker's score falling, chunk id rising); the others
    follow as they were. Near-duplicates are merged after that, so that the best by the new order stands
    for the others. ``lexical`` and ``dense`` stay as they are.

    ``Hit.score``, 0 to 1, says the order and no probability: (1 + p) / 2 for a hit that was reranked, where
    p is the reranker's score if that is bounded, else x / (1 + |x|) brought to [0, 1]; 0.49 of the fused
    score for the others. ``scores.rerank`` is the reranker's own number, ``scores.fused`` the fused score.
    """

    def __init__(self, index: Index, reranker: Reranker, *, candidates: int) -> None:
        self._index = index
        self._reranker = reranker
        self._candidates = candidates
        # Of the last question: an evaluation ranks it more than once, and merging may look deeper.
        self._known: tuple[str, dict[str, float]] = "", {}

    def search(self, query: Query) -> Found:
        """Find as the index does, then rerank, then merge. Raises what either raises."""
        if query.system != "hybrid":
            return self._index.search(query)
        depth = max(self._candidates, query.k + (_SPARE if query.merge != "none" else 0))
        while True:
            found, hits = self._ranked(query, depth)
            merging = Merging(query.merge)
            merging.add(hits, query.k)
            if len(merging) >= query.k or len(hits) < depth:
                return replace(found, hits=merging.hits())
            depth *= 4

    def places(self, query: Query, *, texts: int = 10) -> tuple[list[Place], list[str]]:
        """Give what ``search`` finds unmerged: the first ``texts`` with text, of the rest the documents."""
        _, hits = self._ranked(query, max(self._candidates, query.k))
        found = hits[: query.k]
        return [_place(hit) for hit in found[:texts]], [hit.document for hit in found[texts:]]

    def _ranked(self, query: Query, depth: int) -> tuple[Found, list[Hit]]:
        """Return what the index found, ``depth`` deep, and its hits in their new order, ranked."""
        found = self._index.search(replace(query, k=depth, merge="none"))
        first, rest = found.hits[: self._candidates], found.hits[self._candidates :]
        scores = self._scores(query.text, first)
        judged = [_judged(hit, scores[passage(hit)], bounded=self._reranker.bounded) for hit in first]
        judged.sort(key=lambda hit: (-(hit.scores.rerank or 0.0), hit.chunk))
        ordered = [*judged, *(_left(hit) for hit in rest)]
        return found, [replace(hit, rank=rank) for rank, hit in enumerate(ordered, start=1)]

    def _scores(self, question: str, hits: Sequence[Hit]) -> Mapping[str, float]:
        """Return the score of each hit's passage; the same text is read once."""
        asked, known = self._known
        if asked != question:
            known = {}
        new = [text for text in dict.fromkeys(map(passage, hits)) if text not in known]
        if new:
            known.update(zip(new, self._reranker.score(question, new), strict=True))
        self._known = question, known
        return known


def passage(hit: Hit) -> str:
    """Return what is read of a hit, as the embedder reads it: title, heading path, text, a line each."""
    return "\n".join(part for part in (hit.title, " > ".join(hit.headings), hit.text) if part)


def _judged(hit: Hit, given: float, *, bounded: bool) -> Hit:
    share = given if bounded else (1 + given / (1 + abs(given))) / 2
    scores = replace(hit.scores, rerank=given, fused=hit.score)
    return replace(hit, score=(1 + share) / 2, scores=scores)


def _left(hit: Hit) -> Hit:
    return replace(hit, score=_BEHIND * hit.score, scores=replace(hit.scores, fused=hit.score))


def _place(hit: Hit) -> Place:
    return Place(
        hit.chunk,
        hit.document,
        hit.revision,
        hit.start,
        hit.end,
        hit.title,
        hit.score,
        hit.text,
        hit.language,
    )
