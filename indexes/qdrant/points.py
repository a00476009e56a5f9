"""The rows of a generation as points of a collection: one point a living row, its id its chunk's own.

The sparse vector holds BM25's weight of each term but for the idf, which the server multiplies by, with k1,
b, boosts and the average length as they were when the generation was pushed. It serves to find candidates;
what a question is shown is scored by ``indexes.ranking``.
"""

import hashlib
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexes.analysis import LANGUAGES
from indexes.generations import ACL, SOURCE, VERSION, Manifest
from indexes.postings import Postings
from indexes.query import Ranking
from indexes.segments import Segment
from indexes.store import Store

DENSE, LEXICAL = "dense", "lexical"
"""The names of the two vectors of a point."""

NAMESPACE = uuid.UUID("6d0f6a5e-6b4c-5d7e-9f0a-2f6c7a1f4b11")
"""What point ids are UUIDv5 of, with the chunk id as the name."""

_BLOCK = 8_192  # rows whose postings are turned round at once


@dataclass(frozen=True, slots=True)
class Point:
    """One row. ``terms`` and ``weights`` are the sparse vector, terms rising; ``payload`` a plain object."""

    id: str
    vector: list[float]
    terms: list[int]
    weights: list[float]
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Generation:
    """A generation, opened: its manifest, what is alive in it (see ``generations``), its segments by name."""

    manifest: Manifest
    alive: NDArray[np.int64]
    segments: dict[str, Segment]

    def rows(self, segment: Segment) -> NDArray[np.int64]:
        """Return the living rows of a segment, rising."""
        return np.flatnonzero(np.isin(segment.rows.versions, self.alive[:, VERSION]))


def term_id(term: str) -> int:
    """Return the place of a term in the sparse vectors: 32 bits of its BLAKE2b.

    Two terms may share one (of a million, some hundred do): a candidate more, never a wrong score.
    """
    return int.from_bytes(hashlib.blake2b(term.encode(), digest_size=4).digest(), "little")


def points(generation: Generation, store: Store, ranking: Ranking) -> Iterator[Point]:
    """Give every living row as a point, in an order that is the same each time."""
    access = store.access()
    average = _average(generation, ranking)
    acls = dict(generation.alive[:, (VERSION, ACL)].tolist())
    sources = dict(generation.alive[:, (VERSION, SOURCE)].tolist())
    for name, segment in generation.segments.items():
        terms = _term_ids(segment.postings)
        rows = generation.rows(segment)
        for at in range(0, len(rows), _BLOCK):
            block = rows[at : at + _BLOCK]
            numbers = segment.rows.versions[block].tolist()
            versions = store.versions(sorted(set(numbers)))
            sparse = _sparse(segment.postings, terms, block, average, ranking)
            starts, ends = segment.rows.starts[block].tolist(), segment.rows.ends[block].tolist()
            languages = segment.postings.languages[block].tolist()
            vectors = np.asarray(segment.vectors[block], np.float32)
            for place, (row, number) in enumerate(zip(block.tolist(), numbers, strict=True)):
                version = versions[number]
                start, end = starts[place], ends[place]
                indices, weights = next(sparse)
                yield Point(
                    str(uuid.uuid5(NAMESPACE, version.chunk(start, end))),
                    vectors[place].tolist(),
                    indices,
                    weights,
                    {
                        "document": version.name,
                        "source": generation.manifest.sources[sources[number]],
                        "readers": sorted(access.readers.get(acls[number], ())),
                        "revision": version.revision,
                        "start": start,
                        "end": end,
                        "language": LANGUAGES[languages[place]],
                        "version": number,
                        "segment": name,
                        "row": row,
                    },
                )


def _term_ids(postings: Postings) -> NDArray[np.int64]:
    return np.fromiter(
        (term_id(postings.term(number).decode()) for number in range(postings.terms)), dtype=np.int64
    )


def _average(generation: Generation, ranking: Ranking) -> float:
    """Return the mean length of the living rows, boosts included; 1 where all are empty."""
    total, count = 0.0, 0
    for segment in generation.segments.values():
        rows = generation.rows(segment)
        total += float(_lengths(segment.postings, rows, ranking).sum())
        count += len(rows)
    return (total / count if count else 0.0) or 1.0


def _lengths(postings: Postings, rows: NDArray[np.int64], ranking: Ranking) -> NDArray[np.float64]:
    lengths: NDArray[np.float64] = (
        postings.body_lengths[rows]
        + ranking.title_boost * postings.title_lengths[rows]
        + ranking.heading_boost * postings.headings_lengths[rows]
    )
    return lengths


def _sparse(
    postings: Postings,
    terms: NDArray[np.int64],
    rows: NDArray[np.int64],
    average: float,
    ranking: Ranking,
) -> Iterator[tuple[list[int], list[float]]]:
    """Give the sparse vector of each of these rows (rising), from postings that are ordered by term."""
    place = np.full(postings.rows, -1, np.int64)
    place[rows] = np.arange(len(rows))
    entries = np.flatnonzero(place[postings.posting_rows] >= 0)
    held = place[postings.posting_rows[entries]]
    indices = terms[np.searchsorted(postings.bounds, entries, side="right") - 1]
    frequency = (
        postings.posting_body[entries].astype(np.float64)
        + ranking.title_boost * postings.posting_title[entries]
        + ranking.heading_boost * postings.posting_headings[entries]
    )
    length = _lengths(postings, rows, ranking)[held]
    norms = np.maximum(ranking.k1 * (1 - ranking.b + ranking.b * length / average), np.finfo(np.float64).tiny)
    weights = frequency * (ranking.k1 + 1) / (frequency + norms)
    order = np.lexsort((indices, held))
    bounds = np.searchsorted(held[order], np.arange(len(rows) + 1))
    for start, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        span = order[start:end]
        yield _merged(indices[span], weights[span])


def _merged(indices: NDArray[np.int64], weights: NDArray[np.float64]) -> tuple[list[int], list[float]]:
    """Return the vector with each index once: terms that share one are added, weights of 0 left out."""
    places, inverse = np.unique(indices, return_inverse=True)
    sums = np.bincount(inverse, weights, minlength=len(places))
    kept = sums > 0
    return places[kept].tolist(), sums[kept].tolist()


def sparse_question(terms: Sequence[str]) -> tuple[list[int], list[float]]:
    """Return a question's sparse vector: each different term once, weight 1; the server adds the idf."""
    found = sorted({term_id(term) for term in terms})
    return found, [1.0] * len(found)
