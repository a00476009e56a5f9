"""Analysed question + readable rows -> candidates, best first. Exact, deterministic, blind to the rest.

The law of this module: masked-out rows change nothing. For any masks the result equals, byte for byte,
that over segments which never held those rows, however the others are spread over segments. So every
statistic is a sum of whole numbers over readable rows, every score is computed by steps that see one row
at a time, and ties end at the chunk id. Where slices name the rows that are worth scoring (``among``), only
these are scored, by the same statistics.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from indexes.embedding import Vectors
from indexes.lexical import Words, bm25
from indexes.query import Ranking, System
from indexes.segments import Slice

Name = Callable[[int, NDArray[np.int64]], list[str]]
"""(number of a slice, rows of it) -> their chunk ids."""

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

# Below this share of readable rows, gathering them beats multiplying all: the row is what is read.
_GATHER_SHARE = 0.4
# From here on codes are read first; below, or for few rows of many, the floats themselves are as quick.
_CODED_ROWS = 16_384
_CODED_SHARE = 0.05
_ROUNDING = 2e-6  # scores are rounded to 1e-6; the rest is for float64's own errors
_EXACT_BLOCK = 128


@dataclass(frozen=True, slots=True)
class Analysed:
    """A question as the index sees it: terms from ``analyse``, and what gives its unit vector.

    ``words``, from ``analysis.question_words``: where readable rows are of several languages; then
    ``terms`` are not looked at. ``vector`` None, or no term that a readable row holds: that leg is empty.
    ``vector`` is called once, after the lexical leg is done, so that it may be computed meanwhile.
    """

    terms: Sequence[str]
    vector: Callable[[], NDArray[np.float32]] | None
    words: Words = ()


class Candidate(NamedTuple):
    """A row found: its slice's number, its row there, its chunk id and its scores.

    ``lexical`` is BM25 (0: the row is not among the first of that leg), ``dense`` the inner product; None
    where the leg took no part. ``score`` is in [0, 1]. All are rounded to 1e-6.
    """

    slice: int
    row: int
    chunk: str
    lexical: float | None
    dense: float | None
    score: float


def rank(
    slices: Sequence[Slice], question: Analysed, *, ranking: Ranking, k: int, system: System, name: Name
) -> list[Candidate]:
    """Return the best ``k`` candidates by (score falling, chunk id rising).

    Each leg gives its first ``ranking.candidates`` by (rounded score, chunk id); their union is fused
    (see ``_fused``), so a larger ``k`` never changes what a smaller one gave, and hybrid gives at most
    twice ``candidates``. With one leg alone, its first max(``candidates``, ``k``) are scored in the same
    way. No readable row, or no leg with any: ``[]``.
    """
    depth = ranking.candidates if system == "hybrid" else max(ranking.candidates, k)
    rows = _Rows.of(slices, name)
    lexical = _NOTHING if system == "dense" else rows.first(_lexical(rows, question, ranking), depth)
    vector = question.vector() if question.vector is not None and system != "lexical" else None
    dense = _NOTHING if vector is None else rows.first(_nearest(rows, vector, depth), depth)
    union = np.union1d(lexical.places, dense.places)
    if not len(union) or k <= 0:
        return []
    bm25 = _aligned(union, lexical) if len(lexical.places) else None
    cosines = None
    if vector is not None:  # alone, the dense leg has given each row of the union its score
        cosines = _exact(rows, union, vector) if len(lexical.places) else _aligned(union, dense)
    fused = _Scored(union, _fused(bm25, cosines, ranking.dense_weight))
    return _candidates(rows, rows.first(fused, k), _Legs(union, bm25, cosines))


@dataclass(frozen=True, slots=True)
class _Scored:
    """Places (see ``_Rows``) and a rounded score for each."""

    places: Places
    scores: Floats


_NOTHING = _Scored(np.empty(0, np.int64), np.empty(0, np.float64))


@dataclass(frozen=True, slots=True)
class _Legs:
    """What each leg gave the places of the union; None: it took no part."""

    union: Places
    bm25: Floats | None
    cosines: Floats | None


@dataclass(frozen=True, slots=True)
class _Rows:
    """All rows of all slices under one numbering: a place is a row plus its slice's first place."""

    slices: Sequence[Slice]
    firsts: list[int]
    name: Name

    @classmethod
    def of(cls, slices: Sequence[Slice], name: Name) -> "_Rows":
        firsts = [0]
        for each in slices:
            firsts.append(firsts[-1] + len(each.mask))
        return cls(slices, firsts, name)

    def at(self, places: Places) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the slice number and the row of each place."""
        numbers = np.searchsorted(self.firsts, places, side="right") - 1
        return numbers, places - np.asarray(self.firsts, np.int64)[numbers]

    def chunks(self, places: Places) -> list[str]:
        """Return the chunk id of each place, asking once a slice."""
        numbers, rows = self.at(places)
        names = [""] * len(places)
        for number in np.unique(numbers).tolist():
            here = np.flatnonzero(numbers == number)
            for place, chunk in zip(here.tolist(), self.name(number, rows[here]), strict=True):
                names[place] = chunk
        return names

    def first(self, scored: _Scored, count: int) -> _Scored:
        """Return the first ``count`` by (score falling, chunk id rising), in any order.

        Only rows that tie for the last places are named: naming reads the store.
        """
        if len(scored.places) <= count:
            return scored
        last = np.partition(scored.scores, -count)[-count]
        sure = np.flatnonzero(scored.scores > last)
        tied = np.flatnonzero(scored.scores == last)
        room = count - len(sure)
        if len(tied) > room:
            names = self.chunks(scored.places[tied])
            tied = tied[sorted(range(len(tied)), key=names.__getitem__)[:room]]
        kept = np.concatenate([sure, tied])
        return _Scored(scored.places[kept], scored.scores[kept])


def _lexical(rows: _Rows, question: Analysed, ranking: Ranking) -> _Scored:
    """Return the readable rows that hold a term, with their BM25 score, rounded; any order."""
    scored = bm25(rows.slices, question.terms, question.words, ranking)
    places = [held + first for first, (held, _) in zip(rows.firsts, scored, strict=False)]
    scores = [_rounded(each) for _, each in scored]
    return _Scored(np.concatenate([_NOTHING.places, *places]), np.concatenate([_NOTHING.scores, *scores]))


def _nearest(rows: _Rows, vector: NDArray[np.float32], depth: int) -> _Scored:
    """Return at least the ``depth`` nearest readable rows, all that tie included, with exact scores.

    Approximations choose and never score. ``depth`` rows taken by them give a score that the nearest
    reach at least; whatever may reach it, by the bound of its own row, is multiplied exactly.
    """
    found, near, slack = _approximate(rows, vector, depth)
    if len(found) > depth:
        some = np.argpartition(near, -depth)[-depth:]
        reached = _exact(rows, found[some], vector).min()
        found = found[near + slack >= reached - _ROUNDING]
    return _Scored(found, _exact(rows, found, vector))


def _approximate(rows: _Rows, vector: NDArray[np.float32], depth: int) -> tuple[Places, Vectors, Floats]:
    """Return places of readable rows, their inner products, and by how much each may be wrong.

    Missing are only rows that codes exclude from the ``depth`` nearest of their own slice.
    """
    counts = [
        int(np.count_nonzero(each.mask)) if each.among is None else len(each.among) for each in rows.slices
    ]
    places, slacks = [_NOTHING.places], [_NOTHING.scores]
    nears = [np.empty(0, np.float32)]
    for first, each, count in zip(rows.firsts, rows.slices, counts, strict=False):
        if each.among is None and sum(counts) > _CODED_ROWS and count > _CODED_SHARE * len(each.mask):
            held, near, slack = each.segment.codes.nearest(vector, each.mask, depth)
        else:
            held = np.flatnonzero(each.mask) if each.among is None else each.among
            near, slack = _multiplied(each, held, vector), len(vector) * float(np.finfo(np.float32).eps)
        places.append(held + first)
        nears.append(near)
        slacks.append(np.full(len(held), slack))
    return np.concatenate(places), np.concatenate(nears), np.concatenate(slacks)


def _multiplied(each: Slice, held: Places, vector: Vectors) -> Vectors:
    """Return float32 products of these rows with a unit vector.

    Their error is at most d * eps for unit vectors, in whatever order is added (Higham 2002, 3.1).
    ``einsum`` reads as fast as one thread can; the threads of a BLAS spin as they wait for each other.
    """
    vectors = np.asarray(each.segment.vectors)
    if len(held) > _GATHER_SHARE * len(vectors):
        products: Vectors = np.einsum("ij,j->i", vectors, vector)[held]
    else:
        products = np.einsum("ij,j->i", vectors[held], vector)
    return products


def _exact(rows: _Rows, places: Places, vector: NDArray[np.float32]) -> Floats:
    """Return the inner products in float64, rounded: a row's is the same in any company."""
    scores = np.empty(len(places))
    numbers, inside = rows.at(places)
    wide = vector.astype(np.float64)
    for number, each in enumerate(rows.slices):
        here = np.flatnonzero(numbers == number)
        vectors = np.asarray(each.segment.vectors)
        for at in range(0, len(here), _EXACT_BLOCK):
            block = here[at : at + _EXACT_BLOCK]
            scores[block] = _summed(vectors[inside[block]] * wide)
    return _rounded(scores)


def _summed(products: Floats) -> Floats:
    """Return each row's sum by folding halves: additions that are the same whatever the rows around.

    A matrix product, and even ``sum(axis=1)``, may add in another order for another shape of the array.
    """
    width = products.shape[1]
    while width > 1:
        half = (width + 1) // 2
        products[:, : width - half] += products[:, half:width]
        width = half
    return products[:, 0].copy()


def _rounded(scores: Floats) -> Floats:
    # Adding 0.0 turns -0.0 into 0.0: one number, one way to write it.
    return np.rint(scores * 1e6) / 1e6 + 0.0


def _aligned(union: Places, leg: _Scored) -> Floats:
    """Return the leg's scores in the order of the union, 0 for what the leg does not have."""
    scores = np.zeros(len(union))
    scores[np.searchsorted(union, leg.places)] = leg.scores
    return scores


def _fused(bm25: Floats | None, cosines: Floats | None, dense_weight: float) -> Floats:
    """Return the weighted sum of both legs after min-max over the union, rounded.

    The lexical minimum is 0, for an absent score is 0. A leg whose scores are all equal gives 1. An
    absent leg leaves the other alone. Bruch, Gai & Ingber 2023 for the convex combination.
    """
    if bm25 is not None and cosines is not None:
        dense, lexical = _spread(cosines, cosines.min()), _spread(bm25, 0.0)
        return _rounded(dense_weight * dense + (1 - dense_weight) * lexical)
    if bm25 is not None:
        return _rounded(_spread(bm25, 0.0))
    return _NOTHING.scores if cosines is None else _rounded(_spread(cosines, cosines.min()))


def _spread(scores: Floats, low: float) -> Floats:
    high = float(scores.max())
    if (scores == high).all():
        return np.ones(len(scores))
    spread: Floats = (scores - low) / (high - low)
    return spread


def _candidates(rows: _Rows, best: _Scored, legs: _Legs) -> list[Candidate]:
    """Return the candidates in their final order."""
    at = np.searchsorted(legs.union, best.places)
    numbers, inside = rows.at(best.places)
    unknown = [None] * len(at)
    lexical = unknown if legs.bm25 is None else legs.bm25[at].tolist()
    dense = unknown if legs.cosines is None else legs.cosines[at].tolist()
    chunks = rows.chunks(best.places)
    columns = (numbers.tolist(), inside.tolist(), chunks, lexical, dense, best.scores.tolist())
    found = list(map(Candidate, *columns))
    return sorted(found, key=lambda each: (-each.score, each.chunk))
