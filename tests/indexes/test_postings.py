"""Postings: laws that tie them to plain counting."""

from collections import Counter
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from indexes.analysis import analyse
from indexes.postings import Postings, PostingsBuilder, merge

Row = tuple[str, str, str]

words = st.sampled_from(["leave", "days", "policy", "refund", "10-K", "zürich", "über", "a", "the"])
texts = st.lists(words, max_size=6).map(" ".join)
rows = st.lists(st.tuples(texts, texts, texts), max_size=8)


def built(corpus: list[Row]) -> Postings:
    builder = PostingsBuilder()
    for body, title, headings in corpus:
        builder.add(body, title, headings)
    return builder.build()


def assert_same(left: Postings, right: Postings) -> None:
    for field in fields(Postings):
        ours, theirs = getattr(left, field.name), getattr(right, field.name)
        assert ours.dtype == theirs.dtype, field.name
        assert ours.tolist() == theirs.tolist(), field.name


@given(rows)
def test_each_term_has_the_rows_and_frequencies_that_counting_gives(corpus: list[Row]) -> None:
    postings = built(corpus)
    counts = [[Counter(analyse(text)) for text in row] for row in corpus]
    terms = {term for row in counts for field in row for term in field}
    assert [postings.term(number).decode() for number in range(postings.terms)] == sorted(terms)
    for term in terms:
        found = postings.lookup(term)
        expected = [
            (number, *(field[term] for field in row))
            for number, row in enumerate(counts)
            if any(f[term] for f in row)
        ]
        columns = (found.rows, found.body, found.title, found.headings)
        assert list(zip(*(column.tolist() for column in columns), strict=True)) == expected


@given(rows)
def test_lengths_count_the_terms_of_each_field(corpus: list[Row]) -> None:
    postings = built(corpus)
    lengths = (postings.body_lengths, postings.title_lengths, postings.headings_lengths)
    found = list(zip(*(column.tolist() for column in lengths), strict=True))
    assert found == [tuple(len(analyse(text)) for text in row) for row in corpus]
    assert postings.rows == len(corpus)


@given(rows, st.text(max_size=4))
def test_an_unknown_term_has_no_rows(corpus: list[Row], term: str) -> None:
    known = {term for row in corpus for text in row for term in analyse(text)}
    assert (len(built(corpus).lookup(term).rows) > 0) == (term in known)


@given(rows)
def test_what_is_saved_is_what_is_loaded(corpus: list[Row]) -> None:
    postings = built(corpus)
    with TemporaryDirectory() as name:
        paths = postings.save(Path(name))
        assert sorted(paths) == sorted(Path(name).iterdir())
        assert_same(Postings.load(Path(name)), postings)


@given(st.lists(rows, max_size=4), st.data())
def test_merging_is_building_anew_from_the_kept_rows(corpora: list[list[Row]], data: st.DataObject) -> None:
    keeps = [data.draw(st.lists(st.booleans(), min_size=len(c), max_size=len(c))) for c in corpora]
    parts = [(built(c), np.array(keep, np.bool_)) for c, keep in zip(corpora, keeps, strict=True)]
    kept = [
        row
        for c, keep in zip(corpora, keeps, strict=True)
        for row, stays in zip(c, keep, strict=True)
        if stays
    ]
    assert_same(merge(parts), built(kept))


def test_frequencies_stop_at_their_limits_and_lengths_do_not() -> None:
    postings = built([("leave " * 70_000, "leave " * 300, "leave " * 300)])
    found = postings.lookup("leav")
    assert (found.body.tolist(), found.title.tolist(), found.headings.tolist()) == ([65_535], [255], [255])
    assert postings.body_lengths.tolist() == [70_000]
    assert postings.title_lengths.tolist() == [300]


def test_rows_of_a_frequent_term_rise_in_a_large_index() -> None:
    postings = built([("leave policy", "", "refund") for _ in range(3_000)])
    for term in ("leav", "polici", "refund"):
        assert postings.lookup(term).rows.tolist() == list(range(3_000))
