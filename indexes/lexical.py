"""The lexical leg: BM25 over readable rows alone, each row asked in the language that it is written in.

Where all readable rows are of one language, a question is the set of its terms. Where they are of several, it
is a sequence of words, each with a term in every language (``analysis.question_words``): a row is looked up
by the terms of its own language, and a word's document frequency counts the readable rows that hold it in
any language. So a name that all languages share counts once, and the same rows among fewer languages keep
the very same scores.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexes.analysis import LANGUAGES
from indexes.postings import Posting, Postings
from indexes.query import Ranking
from indexes.segments import Slice

Floats = NDArray[np.float64]
Words = Sequence[Mapping[str, str]]
"""A question word by word: language -> its term."""


@dataclass(frozen=True, slots=True)
class _Sought:
    """What to look up: a term, and the only language whose rows count (its place), None for all rows.

    ``alike``: what stands for the same words in any language, itself included, as places in the list.
    """

    term: str
    language: int | None
    alike: tuple[int, ...]


_Found = list[list[Posting]]
"""By slice, by what is sought: the readable entries."""


def bm25(
    slices: Sequence[Slice], terms: Sequence[str], words: Words, ranking: Ranking
) -> list[tuple[NDArray[np.int64], Floats]]:
    """Return for each slice the readable rows that hold a term, rising, and their BM25 scores.

    Of a slice whose ``among`` names rows, those alone; the statistics are of all readable rows even so.

    With ``words``, ``terms`` are not looked at. tf is body + title_boost * title + heading_boost *
    headings and a row's length likewise; the score is the sum over the question's different terms, in
    sorted order, of idf * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / average length)). A term that
    the question repeats counts once. Robertson & Zaragoza 2009, with the idf that is never negative.
    """
    sought = _by_language(words) if words else _plain(terms)
    found = _looked_up(slices, sought)
    empty = (np.empty(0, np.int64), np.empty(0, np.float64))
    if not any(len(posting.rows) for each in found for posting in each):
        return [empty for _ in slices]
    count = _count(slices)
    idfs = [_idf(count, frequency) for frequency in _frequencies(sought, found)]
    average = _average_length(slices, count, ranking)
    scored = []
    for each, postings in zip(slices, found, strict=True):
        totals = np.zeros(len(each.mask))
        for idf, posting in zip(idfs, _worth(each, postings), strict=True):
            norms = _norms(each.segment.postings, posting.rows, average, ranking)
            totals[posting.rows] += idf * _saturated(posting, norms, ranking)
        held = np.flatnonzero(totals)
        scored.append((held, totals[held]))
    return scored


def readable_idf(slices: Sequence[Slice], terms: Sequence[str]) -> dict[str, float]:
    """Return BM25's idf of each different term, over readable rows alone: ln(1 + (N - df + .5)/(df + .5)).

    A term that no readable row holds has df 0. The order is that of the sorted terms.
    """
    sought = _plain(terms)
    count, frequencies = _count(slices), _frequencies(sought, _looked_up(slices, sought))
    return {one.term: _idf(count, df) for one, df in zip(sought, frequencies, strict=True)}


def readable_idfs(
    slices: Sequence[Slice], words: Words, languages: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Return for each of the languages the idf of its terms, as ``readable_idf`` does for a single one.

    df counts the rows that hold the term's words in any language. Languages and terms are sorted.
    """
    sought = _by_language(words)
    count, frequencies = _count(slices), _frequencies(sought, _looked_up(slices, sought))
    found: dict[str, dict[str, float]] = {name: {} for name in sorted(languages)}
    for one, frequency in zip(sought, frequencies, strict=True):
        if one.language is not None:
            found[LANGUAGES[one.language]][one.term] = _idf(count, frequency)
    return found


def _plain(terms: Sequence[str]) -> list[_Sought]:
    return [_Sought(term, None, (place,)) for place, term in enumerate(sorted(set(terms)))]


def _by_language(words: Words) -> list[_Sought]:
    """Return the words' different terms by (term, language): a language's own ones are in sorted order."""
    pairs = sorted({(term, LANGUAGES.index(name)) for word in words for name, term in word.items()})
    place = {pair: at for at, pair in enumerate(pairs)}
    alike: list[set[int]] = [set() for _ in pairs]
    for word in words:
        members = {place[term, LANGUAGES.index(name)] for name, term in word.items()}
        for at in members:
            alike[at] |= members
    return [
        _Sought(term, language, tuple(sorted(same)))
        for (term, language), same in zip(pairs, alike, strict=True)
    ]


def _looked_up(slices: Sequence[Slice], sought: Sequence[_Sought]) -> _Found:
    wanted: dict[str, set[int | None]] = {}
    for one in sought:
        wanted.setdefault(one.term, set()).add(one.language)
    found = []
    for each in slices:
        known = {
            (term, language): posting
            for term, languages in wanted.items()
            for language, posting in _readable(each, each.segment.postings.lookup(term), languages).items()
        }
        found.append([known[one.term, one.language] for one in sought])
    return found


def _readable(each: Slice, posting: Posting, languages: set[int | None]) -> dict[int | None, Posting]:
    """Return the entries of a posting whose rows are readable, by language; under None those of all rows."""
    posting = _picked(posting, each.mask[posting.rows])
    if not languages - {None}:
        return {None: posting}
    of_rows = each.segment.postings.languages[posting.rows]
    return {one: posting if one is None else _picked(posting, of_rows == one) for one in languages}


def _picked(posting: Posting, mask: NDArray[np.bool_]) -> Posting:
    if mask.all():
        return posting
    # Numbers, not a mask: four arrays are picked from, and a mask is read anew for each.
    kept = np.flatnonzero(mask)
    return Posting(posting.rows[kept], posting.body[kept], posting.title[kept], posting.headings[kept])


def _worth(each: Slice, postings: Sequence[Posting]) -> Sequence[Posting]:
    """Return the entries of the rows that are to be scored."""
    if each.among is None:
        return postings
    wanted = np.zeros(len(each.mask), np.bool_)
    wanted[each.among] = True
    return [_picked(posting, wanted[posting.rows]) for posting in postings]


def _frequencies(sought: Sequence[_Sought], found: _Found) -> list[int]:
    """Return for each term how many readable rows hold what stands for the same words."""
    return [sum(_holding(sought, one, by_term) for by_term in found) for one in sought]


def _holding(sought: Sequence[_Sought], one: _Sought, by_term: Sequence[Posting]) -> int:
    languages = {sought[at].language for at in one.alike}
    if len(languages) == len(one.alike):  # a row is of one language: none is in two of these
        return sum(len(by_term[at].rows) for at in one.alike)
    return len(np.unique(np.concatenate([by_term[at].rows for at in one.alike])))


def _count(slices: Sequence[Slice]) -> int:
    return sum(int(np.count_nonzero(each.mask)) for each in slices)


def _idf(count: int, frequency: int) -> float:
    return math.log(1 + (count - frequency + 0.5) / (frequency + 0.5))


def _average_length(slices: Sequence[Slice], count: int, ranking: Ranking) -> float:
    """Return the mean length of the readable rows, from whole-number sums: no order of adding shows."""
    body = title = headings = 0
    for each in slices:
        postings = each.segment.postings
        body += int((postings.body_lengths * each.mask).sum(dtype=np.int64))
        title += int((postings.title_lengths * each.mask).sum(dtype=np.int64))
        headings += int((postings.headings_lengths * each.mask).sum(dtype=np.int64))
    return (body + ranking.title_boost * title + ranking.heading_boost * headings) / count or 1.0


def _norms(postings: Postings, rows: NDArray[np.int32], average: float, ranking: Ranking) -> Floats:
    """Return BM25's k1 * (1 - b + b * length / average) of these rows."""
    lengths = _weighted(
        postings.body_lengths[rows], postings.title_lengths[rows], postings.headings_lengths[rows], ranking
    )
    norms = ranking.k1 * (1 - ranking.b + ranking.b * (lengths / average))
    # Where a field has no weight, or k1 is 0, a frequency of 0 would be divided by 0.
    return np.maximum(norms, np.finfo(np.float64).tiny)


def _saturated(posting: Posting, norms: Floats, ranking: Ranking) -> Floats:
    """Return BM25's term weight, without idf, of each entry."""
    frequency = _weighted(posting.body, posting.title, posting.headings, ranking)
    below = frequency + norms
    frequency *= ranking.k1 + 1
    frequency /= below
    return frequency


def _weighted(
    body: NDArray[np.integer], title: NDArray[np.integer], headings: NDArray[np.integer], ranking: Ranking
) -> Floats:
    weighted = body.astype(np.float64)
    for boost, field in ((ranking.title_boost, title), (ranking.heading_boost, headings)):
        if field.any():
            weighted += boost * field
    return weighted
