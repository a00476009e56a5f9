"""Which rows hold a term, how often and in which field: the lexical half of a segment."""

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexes.analysis import LANGUAGES, analyse, analysed_as

_BODY_LIMIT = 65_535
_SIDE_LIMIT = 255


@dataclass(frozen=True, slots=True)
class Posting:
    """One term's rows, rising, with its frequency in each field: four arrays of equal length."""

    rows: NDArray[np.int32]
    body: NDArray[np.uint16]
    title: NDArray[np.uint8]
    headings: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Postings:
    """An inverted index over rows 0 to ``rows`` - 1, its fields kept apart so that boosts apply later.

    Term number t is the UTF-8 bytes ``letters[letter_bounds[t]:letter_bounds[t + 1]]``; terms rise in
    byte order, which is code point order. Its postings are the entries ``bounds[t]:bounds[t + 1]`` of the
    four ``posting_*`` arrays. Frequencies stop at 65,535 in the body and 255 elsewhere. The ``*_lengths``
    count a row's terms by field. ``languages`` is what each row was analysed as, by its place in
    ``analysis.LANGUAGES``. Loaded from a folder, all arrays are maps of files.
    """

    letters: NDArray[np.uint8]
    letter_bounds: NDArray[np.int64]
    bounds: NDArray[np.int64]
    posting_rows: NDArray[np.int32]
    posting_body: NDArray[np.uint16]
    posting_title: NDArray[np.uint8]
    posting_headings: NDArray[np.uint8]
    body_lengths: NDArray[np.int32]
    title_lengths: NDArray[np.int32]
    headings_lengths: NDArray[np.int32]
    languages: NDArray[np.uint8]

    @property
    def rows(self) -> int:
        """How many rows there are, those without any term included."""
        return len(self.body_lengths)

    @property
    def terms(self) -> int:
        """How many different terms there are."""
        return len(self.letter_bounds) - 1

    def term(self, number: int) -> bytes:
        """Return a term's UTF-8 bytes."""
        return self.letters[self.letter_bounds[number] : self.letter_bounds[number + 1]].tobytes()

    def lookup(self, term: str) -> Posting:
        """Return the postings of a term, empty where no row holds it, by binary search."""
        wanted = term.encode()
        # Plain views: an array's item costs ten times as much to read one by one.
        letters, bounds = self.letters.data, self.letter_bounds.data
        low, high = 0, self.terms
        while low < high:
            middle = (low + high) // 2
            if bytes(letters[bounds[middle] : bounds[middle + 1]]) < wanted:
                low = middle + 1
            else:
                high = middle
        found = low < self.terms and self.term(low) == wanted
        span = slice(int(self.bounds[low]), int(self.bounds[low + 1])) if found else slice(0, 0)
        return Posting(
            self.posting_rows[span],
            self.posting_body[span],
            self.posting_title[span],
            self.posting_headings[span],
        )

    def save(self, folder: Path) -> list[Path]:
        """Write one ``.npy`` file an array into an existing folder and return their paths."""
        paths = []
        for field in fields(self):
            path = folder / f"{field.name}.npy"
            np.save(path, getattr(self, field.name), allow_pickle=False)
            paths.append(path)
        return paths

    @classmethod
    def load(cls, folder: Path) -> "Postings":
        """Map the files that ``save`` wrote; nothing is read before it is looked up.

        A folder of an older program has no languages: all its rows are English. Raises OSError where a
        file is missing and ValueError where one is not an array.
        """
        paths = [folder / f"{field.name}.npy" for field in fields(cls)]
        if not paths[-1].exists():
            lengths = np.load(paths[-2], mmap_mode="r")
            maps = [*(np.load(path, mmap_mode="r") for path in paths[:-1]), np.zeros(len(lengths), np.uint8)]
        else:
            maps = [np.load(path, mmap_mode="r") for path in paths]
        # A plain array over the map: np.memmap's own bookkeeping costs more than a small look-up does.
        return cls(*(np.asarray(array_map) for array_map in maps))


class PostingsBuilder:
    """Collects rows and makes postings of them; the same rows in the same order give the same bytes."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._terms = array("i")
        self._rows = array("i")
        self._frequencies = (array("H"), array("B"), array("B"))
        self._lengths = (array("i"), array("i"), array("i"))
        self._languages = array("B")

    def add(self, body: str, title: str, headings: str, *, language: str | None = "en") -> None:
        """Append one row, its texts in one language; rows are numbered from 0 in the order of adding."""
        row = len(self._lengths[0])
        self._languages.append(LANGUAGES.index(analysed_as(language)))
        analysed = [analyse(text, language) for text in (body, title, headings)]
        in_body, in_title, in_headings = (Counter(terms) for terms in analysed)
        for terms, lengths in zip(analysed, self._lengths, strict=True):
            lengths.append(len(terms))
        of_body, of_title, of_headings = self._frequencies
        for term in {**in_body, **in_title, **in_headings}:
            self._terms.append(self._numbers.setdefault(term, len(self._numbers)))
            self._rows.append(row)
            of_body.append(min(in_body[term], _BODY_LIMIT))
            of_title.append(min(in_title[term], _SIDE_LIMIT))
            of_headings.append(min(in_headings[term], _SIDE_LIMIT))

    def build(self) -> Postings:
        """Return the postings of all rows added so far; no row at all gives empty arrays."""
        words = sorted(self._numbers)
        places = np.empty(len(words), np.int32)
        places[[self._numbers[word] for word in words]] = np.arange(len(words), dtype=np.int32)
        terms = places[np.asarray(self._terms, np.int32)]
        # Stable: a term's entries stand in the order of their rows already.
        order = np.argsort(terms, kind="stable")
        letters, letter_bounds = _spelling([word.encode() for word in words])
        body, title, headings = self._frequencies
        return Postings(
            letters=letters,
            letter_bounds=letter_bounds,
            bounds=_bounds(np.bincount(terms, minlength=len(words))),
            posting_rows=np.asarray(self._rows, np.int32)[order],
            posting_body=np.asarray(body, np.uint16)[order],
            posting_title=np.asarray(title, np.uint8)[order],
            posting_headings=np.asarray(headings, np.uint8)[order],
            body_lengths=np.array(self._lengths[0], np.int32),
            title_lengths=np.array(self._lengths[1], np.int32),
            headings_lengths=np.array(self._lengths[2], np.int32),
            languages=np.array(self._languages, np.uint8),
        )


def merge(parts: Sequence[tuple[Postings, NDArray[np.bool_]]]) -> Postings:
    """Return postings over the masked rows of all parts, in order, without analysing a text again.

    A mask has one entry a row of its part. The result is byte for byte what building anew over the kept
    rows would give; terms that no kept row holds are gone. Peak memory: the result, and some 25 bytes an
    entry of the largest part.
    """
    kept = [_kept(postings, mask) for postings, mask in parts]
    spellings = sorted({spelling for part in kept for spelling in part.spellings})
    number = {spelling: place for place, spelling in enumerate(spellings)}
    numbers = [np.array([number[spelling] for spelling in part.spellings], np.int64) for part in kept]
    totals = np.zeros(len(spellings), np.int64)
    for part, terms in zip(kept, numbers, strict=True):
        totals[terms] += part.counts
    bounds = _bounds(totals)
    merged = _room(int(bounds[-1]))
    free = bounds[:-1].copy()
    first_row = 0
    for (postings, mask), part, terms in zip(parts, kept, numbers, strict=True):
        # The entries of a term stay together and in order, so each run moves as a whole.
        shifts = free[terms] - _bounds(part.counts)[:-1]
        places = np.arange(len(part.entries)) + np.repeat(shifts, part.counts)
        renumbered = np.cumsum(mask, dtype=np.int32) + np.int32(first_row - 1)
        merged.rows[places] = renumbered[postings.posting_rows[part.entries]]
        merged.body[places] = postings.posting_body[part.entries]
        merged.title[places] = postings.posting_title[part.entries]
        merged.headings[places] = postings.posting_headings[part.entries]
        free[terms] += part.counts
        first_row += int(np.count_nonzero(mask))
    letters, letter_bounds = _spelling(spellings)
    return Postings(
        letters=letters,
        letter_bounds=letter_bounds,
        bounds=bounds,
        posting_rows=merged.rows,
        posting_body=merged.body,
        posting_title=merged.title,
        posting_headings=merged.headings,
        body_lengths=_joined([postings.body_lengths[mask] for postings, mask in parts]),
        title_lengths=_joined([postings.title_lengths[mask] for postings, mask in parts]),
        headings_lengths=_joined([postings.headings_lengths[mask] for postings, mask in parts]),
        languages=np.concatenate(
            [np.empty(0, np.uint8), *(postings.languages[mask] for postings, mask in parts)]
        ),
    )


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a mask leaves of postings: entry numbers, and the terms that still have some, with counts."""

    entries: NDArray[np.int64]
    spellings: list[bytes]
    counts: NDArray[np.int64]


def _kept(postings: Postings, mask: NDArray[np.bool_]) -> _Kept:
    entries = np.flatnonzero(mask[postings.posting_rows])
    counts = np.diff(np.searchsorted(entries, postings.bounds))
    terms = np.flatnonzero(counts)
    return _Kept(entries, list(_spellings(postings, terms)), counts[terms])


def _spellings(postings: Postings, terms: NDArray[np.int64]) -> Iterator[bytes]:
    letters = postings.letters.tobytes()
    starts, ends = postings.letter_bounds[terms].tolist(), postings.letter_bounds[terms + 1].tolist()
    return (letters[start:end] for start, end in zip(starts, ends, strict=True))


def _room(entries: int) -> Posting:
    return Posting(
        np.empty(entries, np.int32),
        np.empty(entries, np.uint16),
        np.empty(entries, np.uint8),
        np.empty(entries, np.uint8),
    )


def _spelling(words: Sequence[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the words' bytes laid end to end, and where each begins and the last ends."""
    letters = np.frombuffer(b"".join(words), np.uint8).copy()
    return letters, _bounds(np.array([len(word) for word in words], np.int64))


def _bounds(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return counts summed from 0 on: one more entry than counts."""
    bounds = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=bounds[1:])
    return bounds


def _joined(lengths: Sequence[NDArray[np.int32]]) -> NDArray[np.int32]:
    return np.concatenate([np.empty(0, np.int32), *lengths])
