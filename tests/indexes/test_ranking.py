"""Ranking: equal to a plain reference, blind to masked rows, and the same however rows are stored."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from rank_bm25 import BM25Okapi

from indexes import ranking as ranking_module
from indexes.analysis import analyse
from indexes.codes import Codes
from indexes.lexical import readable_idf
from indexes.postings import PostingsBuilder
from indexes.query import Ranking, System
from indexes.ranking import Analysed, Candidate, rank
from indexes.segments import Rows, Segment, Slice

DIMENSIONS = 5
WORDS = ["leave", "days", "policy", "refund", "office", "10-K", "holiday"]
SYSTEMS: tuple[System, ...] = ("hybrid", "lexical", "dense")


@pytest.fixture(params=["floats", "codes"], autouse=True, scope="module")
def first_read(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every law holds whichever is read first: the vectors themselves, or their codes."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "codes":
            patch.setattr(ranking_module, "_CODED_ROWS", 0)
            patch.setattr(ranking_module, "_CODED_SHARE", 0.0)
        yield


@dataclass(frozen=True)
class Chunk:
    """A row as a test states it: its id, its fields, a unit vector, and whether the asker may read it."""

    name: str
    body: str
    title: str
    headings: str
    vector: tuple[float, ...]
    readable: bool


@dataclass(frozen=True)
class Corpus:
    """Chunks stored in segments of given sizes."""

    slices: list[Slice]
    names: list[list[str]]

    @classmethod
    def stored(cls, groups: Sequence[Sequence[Chunk]]) -> "Corpus":
        slices = [Slice(segment(group), np.array([c.readable for c in group], np.bool_)) for group in groups]
        return cls(slices, [[c.name for c in group] for group in groups])

    def name(self, number: int, rows: NDArray[np.int64]) -> list[str]:
        return [self.names[number][row] for row in rows.tolist()]

    def rank(self, question: Analysed, ranking: Ranking, k: int, system: System) -> list[Candidate]:
        return rank(self.slices, question, ranking=ranking, k=k, system=system, name=self.name)


def segment(chunks: Sequence[Chunk]) -> Segment:
    builder = PostingsBuilder()
    for chunk in chunks:
        builder.add(chunk.body, chunk.title, chunk.headings)
    count = len(chunks)
    rows = Rows(np.arange(count), np.zeros(count, np.int32), np.ones(count, np.int32))
    vectors = np.array([chunk.vector for chunk in chunks], np.float32).reshape(count, DIMENSIONS)
    return Segment(Path("unwritten"), rows, vectors, Codes.of(vectors), builder.build())


def always(vector: NDArray[np.float32]) -> Callable[[], NDArray[np.float32]]:
    return lambda: vector


def unit(values: Sequence[float]) -> tuple[float, ...]:
    vector = np.array(values, np.float32)
    length = float(np.linalg.norm(vector))
    vector = vector / np.float32(length) if length else np.eye(DIMENSIONS, dtype=np.float32)[0]
    return tuple(vector.tolist())


def without_place(found: Sequence[Candidate]) -> list[Candidate]:
    return [each._replace(slice=0, row=0) for each in found]


def rounded(value: float) -> float:
    return round(value * 1e6) / 1e6


# ------------------------------------------------------------------ the reference, in plain Python


def plain_bm25(chunks: Sequence[Chunk], terms: Sequence[str], ranking: Ranking) -> dict[str, float]:
    boosts = (1.0, ranking.title_boost, ranking.heading_boost)
    counts = [[Counter(analyse(text)) for text in (c.body, c.title, c.headings)] for c in chunks]
    fields = [sum(field.total() for field in column) for column in zip(*counts, strict=True)]
    average = (fields[0] + boosts[1] * fields[1] + boosts[2] * fields[2]) / len(chunks)
    scores: dict[str, float] = {}
    for term in sorted(set(terms)):
        holding = [
            (c, row) for c, row in zip(chunks, counts, strict=True) if any(term in field for field in row)
        ]
        idf = math.log(1 + (len(chunks) - len(holding) + 0.5) / (len(holding) + 0.5))
        for chunk, (body, title, headings) in holding:
            frequency = body[term] + boosts[1] * title[term] + boosts[2] * headings[term]
            length = body.total() + boosts[1] * title.total() + boosts[2] * headings.total()
            norm = ranking.k1 * (1 - ranking.b + ranking.b * (length / average))
            scores[chunk.name] = scores.get(chunk.name, 0.0) + idf * (
                frequency * (ranking.k1 + 1) / (frequency + norm)
            )
    return {name: rounded(score) for name, score in scores.items()}


def plain_dense(chunks: Sequence[Chunk], vector: NDArray[np.float32]) -> dict[str, float]:
    return {
        c.name: rounded(math.fsum(a * b for a, b in zip(c.vector, vector.tolist(), strict=True)))
        for c in chunks
    }


def first(scores: dict[str, float], count: int) -> dict[str, float]:
    return dict(sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:count])


def spread(scores: dict[str, float], low: float) -> dict[str, float]:
    high = max(scores.values())
    if all(score == high for score in scores.values()):
        return dict.fromkeys(scores, 1.0)
    return {name: (score - low) / (high - low) for name, score in scores.items()}


def plain_rank(
    chunks: Sequence[Chunk], asked: Analysed, ranking: Ranking, k: int, system: System
) -> dict[str, float]:
    """Return chunk id -> score of the first ``k``, best first, as the design words it."""
    readable = [c for c in chunks if c.readable]
    depth = ranking.candidates if system == "hybrid" else max(k, ranking.candidates)
    lexical = plain_bm25(readable, asked.terms, ranking) if readable and system != "dense" else {}
    lexical = first(lexical, depth)
    everything = (
        plain_dense(readable, asked.vector()) if asked.vector is not None and system != "lexical" else {}
    )
    union = sorted({*lexical, *first(everything, depth)})
    if not union:
        return {}
    legs = []
    if everything:
        dense = {name: everything[name] for name in union}
        legs.append((ranking.dense_weight, spread(dense, min(dense.values()))))
    if lexical:
        legs.append((1 - ranking.dense_weight, spread({name: lexical.get(name, 0.0) for name in union}, 0.0)))
    if len(legs) == 1:
        legs = [(1.0, legs[0][1])]
    return first({name: rounded(sum(weight * leg[name] for weight, leg in legs)) for name in union}, k)


# ------------------------------------------------------------------ random corpora

texts = st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join)
# Few different directions, so that equal scores are common: ties are where orders go wrong.
vectors = st.lists(st.integers(-2, 2).map(float), min_size=DIMENSIONS, max_size=DIMENSIONS).map(unit)
chunks = st.lists(st.tuples(texts, texts, texts, vectors, st.booleans()), max_size=14).flatmap(
    lambda made: st.permutations(range(len(made))).map(
        lambda order: [Chunk(f"d/{n:02}@a:0-1", *fields) for n, fields in zip(order, made, strict=True)]
    )
)
questions = st.builds(
    Analysed,
    st.lists(st.sampled_from([*WORDS, "unknown"]), max_size=4).map(lambda words: analyse(" ".join(words))),
    st.none() | vectors.map(lambda vector: always(np.array(vector, np.float32))),
)
rankings = st.builds(
    Ranking,
    candidates=st.integers(1, 8),
    dense_weight=st.sampled_from([0.0, 0.3, 0.5, 1.0]),
    title_boost=st.sampled_from([0.5, 1.0, 2.0]),
    heading_boost=st.sampled_from([0.7, 2.0]),
    k1=st.sampled_from([0.5, 1.2]),
    b=st.sampled_from([0.0, 0.75, 1.0]),
)
depths = st.integers(1, 12)


def split(made: Sequence[Chunk], data: st.DataObject) -> list[list[Chunk]]:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(made)), max_size=3)))
    return [list(made[a:b]) for a, b in zip([0, *cuts], [*cuts, len(made)], strict=True)]


@given(chunks, questions, rankings, depths, st.sampled_from(SYSTEMS), st.data())
def test_equals_a_plain_reference(
    made: list[Chunk], asked: Analysed, ranking: Ranking, k: int, system: System, data: st.DataObject
) -> None:
    found = Corpus.stored(split(made, data)).rank(asked, ranking, k, system)
    expected = plain_rank(made, asked, ranking, k, system)
    assert {each.chunk: each.score for each in found} == pytest.approx(expected, abs=2.1e-6)
    if [each.score for each in found] == list(expected.values()):
        assert [each.chunk for each in found] == list(expected)


@given(chunks, questions, rankings, depths, st.sampled_from(SYSTEMS), st.data())
def test_masked_rows_change_nothing_and_splitting_changes_nothing(
    made: list[Chunk], asked: Analysed, ranking: Ranking, k: int, system: System, data: st.DataObject
) -> None:
    hidden = Corpus.stored(split(made, data)).rank(asked, ranking, k, system)
    never = [c for c in data.draw(st.permutations(made)) if c.readable]
    absent = Corpus.stored(split(never, data)).rank(asked, ranking, k, system)
    assert without_place(hidden) == without_place(absent)


@given(chunks, questions, rankings, st.sampled_from(SYSTEMS), st.data())
def test_no_masked_row_is_found_or_named(
    made: list[Chunk], asked: Analysed, ranking: Ranking, system: System, data: st.DataObject
) -> None:
    corpus = Corpus.stored(split(made, data))
    named: list[str] = []

    def name(number: int, rows: NDArray[np.int64]) -> list[str]:
        named.extend(corpus.name(number, rows))
        return corpus.name(number, rows)

    rank(corpus.slices, asked, ranking=ranking, k=5, system=system, name=name)
    assert set(named) <= {c.name for c in made if c.readable}


@given(chunks, questions, rankings, st.sampled_from(SYSTEMS), st.data())
def test_best_first_ties_by_chunk_id_scores_in_range_places_right(
    made: list[Chunk], asked: Analysed, ranking: Ranking, system: System, data: st.DataObject
) -> None:
    corpus = Corpus.stored(split(made, data))
    found = corpus.rank(asked, ranking, 6, system)
    assert found == sorted(found, key=lambda each: (-each.score, each.chunk))
    assert len(found) <= 6
    assert all(0 <= each.score <= 1 for each in found)
    assert all(corpus.names[each.slice][each.row] == each.chunk for each in found)
    shorter = corpus.rank(asked, ranking, 2, "hybrid")
    assert shorter == corpus.rank(asked, ranking, 6, "hybrid")[:2]


@given(chunks, st.lists(st.sampled_from(WORDS), max_size=4).map(lambda w: analyse(" ".join(w))), st.data())
def test_idf_is_that_of_the_readable_rows(made: list[Chunk], terms: list[str], data: st.DataObject) -> None:
    readable = [c for c in made if c.readable]
    expected = {}
    for term in set(terms):
        holding = sum(term in analyse(f"{c.body}\n\n{c.title}\n\n{c.headings}") for c in readable)
        expected[term] = math.log(1 + (len(readable) - holding + 0.5) / (holding + 0.5))
    assert readable_idf(Corpus.stored(split(made, data)).slices, terms) == expected


class OkapiWithOurIdf(BM25Okapi):  # type: ignore[misc]
    """rank-bm25's own scoring, with the idf that is never negative."""

    def _calc_idf(self, nd: dict[str, int]) -> None:
        self.idf = {term: math.log(1 + (self.corpus_size - n + 0.5) / (n + 0.5)) for term, n in nd.items()}


@given(
    st.lists(
        st.lists(st.sampled_from(WORDS), min_size=1, max_size=12).map(" ".join), min_size=1, max_size=12
    ),
    st.lists(st.sampled_from([*WORDS, "unknown"]), min_size=1, max_size=4, unique=True),
)
def test_bm25_equals_rank_bm25_on_the_same_terms_and_idf(bodies: list[str], words: list[str]) -> None:
    terms = sorted(set(analyse(" ".join(words))))
    oracle = OkapiWithOurIdf([analyse(body) for body in bodies], k1=1.2, b=0.75).get_scores(terms)
    made = [
        Chunk(f"{n:02}", body, "", "", unit([1.0] * DIMENSIONS), readable=True)
        for n, body in enumerate(bodies)
    ]
    found = Corpus.stored([made]).rank(Analysed(terms, None), Ranking(), len(made), "lexical")
    assert {each.chunk: each.lexical for each in found} == pytest.approx(
        {f"{n:02}": score for n, score in enumerate(oracle.tolist()) if score > 0}, abs=1e-6
    )


# ------------------------------------------------------------------ many rows: every way of multiplying


def crowd(count: int, readable: Callable[[int], bool]) -> list[Chunk]:
    chance = np.random.default_rng(7)
    rows = chance.standard_normal((count, DIMENSIONS)).astype(np.float32)
    rows[: count // 4] = rows[0]  # a crowd of equals at the cut
    names = chance.permutation(count).tolist()
    return [
        Chunk(f"{names[n]:05}", f"{WORDS[n % 7]} {WORDS[n % 3]}", "", "", unit(rows[n]), readable(n))
        for n in range(count)
    ]


@pytest.mark.parametrize("every", [1, 2, 50], ids=["all", "half", "few"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_many_rows_with_many_ties_equal_the_reference_and_hide_what_is_masked(
    every: int, system: System
) -> None:
    made = crowd(3_000, lambda n: n % every == 0)
    asked = Analysed(analyse("holiday leave"), always(np.array(made[0].vector, np.float32)))
    found = Corpus.stored([made[:1_000], [], made[1_000:]]).rank(asked, Ranking(), 40, system)
    expected = plain_rank(made, asked, Ranking(), 40, system)
    assert [each.chunk for each in found] == list(expected)
    assert [each.score for each in found] == pytest.approx(list(expected.values()), abs=2.1e-6)
    alone = Corpus.stored([[c for c in made if c.readable]]).rank(asked, Ranking(), 40, system)
    assert without_place(found) == without_place(alone)


@pytest.mark.parametrize("system", SYSTEMS)
def test_no_readable_row_finds_nothing_and_names_nothing(system: System) -> None:
    def name(number: int, rows: NDArray[np.int64]) -> list[str]:
        raise AssertionError("named a row that nobody may read")

    asked = Analysed(["leav"], always(np.array(unit([1.0] * DIMENSIONS), np.float32)))
    masked = Corpus.stored([crowd(20, lambda _: False)]).slices
    assert rank(masked, asked, ranking=Ranking(), k=5, system=system, name=name) == []
    assert rank([], asked, ranking=Ranking(), k=5, system=system, name=name) == []


def test_a_leg_that_took_no_part_has_no_score_and_leaves_the_other_alone() -> None:
    corpus = Corpus.stored([crowd(30, lambda _: True)])
    vector = np.array(unit([1.0, 2.0, 0.0, 0.0, 1.0]), np.float32)
    dense = corpus.rank(Analysed([], always(vector)), Ranking(), 5, "dense")
    assert corpus.rank(Analysed(["unknown"], always(vector)), Ranking(candidates=100), 5, "hybrid") == dense
    assert {each.lexical for each in dense} == {None}
    lexical = corpus.rank(Analysed(["leav"], None), Ranking(), 5, "hybrid")
    assert lexical == corpus.rank(Analysed(["leav"], always(vector)), Ranking(), 5, "lexical")
    assert {each.dense for each in lexical} == {None}


def test_a_term_that_the_question_repeats_counts_once() -> None:
    corpus = Corpus.stored([crowd(30, lambda _: True)])
    once = corpus.rank(Analysed(["leav", "holiday"], None), Ranking(), 9, "lexical")
    assert corpus.rank(Analysed(["holiday", "leav", "leav"], None), Ranking(), 9, "lexical") == once


def test_fields_without_weight_give_no_division_by_zero() -> None:
    made = [Chunk("a", "", "leave", "", unit([1.0] * DIMENSIONS), readable=True)]
    flat = Ranking(title_boost=0.0, heading_boost=0.0, k1=0.0)
    assert Corpus.stored([made]).rank(Analysed(["leav"], None), flat, 3, "lexical") == []


def test_the_lexical_minimum_is_nought_even_where_every_candidate_has_a_lexical_score() -> None:
    ahead, aside = (1.0, 0.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0, 0.0)
    made = [
        Chunk("a", "leave", "", "", ahead, readable=True),
        Chunk("b", "leave days policy refund", "", "", aside, readable=True),
    ]
    best, other = Corpus.stored([made]).rank(
        Analysed(["leav"], always(np.array(ahead, np.float32))), Ranking(), 2, "hybrid"
    )
    assert best.lexical is not None
    assert other.lexical is not None
    assert (best.chunk, best.score) == ("a", 1.0)
    assert (other.chunk, other.dense) == ("b", 0.0)
    assert other.score == pytest.approx(0.5 * other.lexical / best.lexical, abs=2e-6)
    assert other.score > 0.1
