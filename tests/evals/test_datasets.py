"""Which cases are asked: folds part them, limits draw the same ones for the same seed."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.cases import Case, Dataset
from evals.datasets import load, sample
from evals.errors import DatasetInvalid


def dataset(count, *, unreviewed=()):
    cases = tuple(Case(f"q{n}", "?", group=f"g{n // 2}", reviewed=n not in unreviewed) for n in range(count))
    return Dataset("q.jsonl", "questions", "0" * 64, cases, ("a note",))


def ids(found):
    return [case.id for case in found.cases]


def test_without_limits_all_are_asked():
    whole = dataset(9)
    assert sample(whole, fold=None, limit=None, seed=None) == whole
    assert sample(whole, fold=None, limit=9, seed=4) == whole
    assert sample(whole, fold=None, limit=1_000, seed=4) == whole


def test_folds_part_the_cases_by_the_first_byte_of_their_group():
    whole = dataset(40)
    parts = [sample(whole, fold=fold, limit=None, seed=None) for fold in (0, 1)]
    assert sorted(ids(parts[0]) + ids(parts[1])) == sorted(ids(whole))
    for fold, part in enumerate(parts):
        assert part.cases
        assert all(hashlib.sha256(case.group.encode()).digest()[0] % 2 == fold for case in part.cases)


@given(st.integers(0, 30), st.integers(1, 30), st.integers(0, 5), st.sampled_from([None, 0, 1]))
def test_a_limit_draws_so_many_in_file_order_and_the_same_for_a_seed(count, limit, seed, fold):
    whole = dataset(count)
    drawn = sample(whole, fold=fold, limit=limit, seed=seed)
    pool = ids(sample(whole, fold=fold, limit=None, seed=None))
    assert len(drawn.cases) == min(limit, len(pool))
    assert ids(drawn) == [name for name in pool if name in set(ids(drawn))]
    assert drawn == sample(whole, fold=fold, limit=limit, seed=seed)
    assert (drawn.digest, drawn.path, drawn.notes) == (whole.digest, whole.path, whole.notes)


def test_another_seed_draws_others_and_no_seed_is_a_seed_too():
    whole = dataset(200)
    assert ids(sample(whole, fold=None, limit=20, seed=1)) != ids(sample(whole, fold=None, limit=20, seed=2))
    assert sample(whole, fold=None, limit=20, seed=None) == sample(whole, fold=None, limit=20, seed=0)


def test_what_nobody_reviewed_uses_up_no_limit_and_stays_to_be_named():
    drawn = sample(dataset(10, unreviewed={0, 5}), fold=None, limit=3, seed=7)
    assert sum(case.reviewed for case in drawn.cases) == 3
    assert {"q0", "q5"} <= set(ids(drawn))


@pytest.mark.parametrize("name", ["questions.csv", "questions", "corpus.tsv"])
def test_a_file_of_another_kind_is_refused(tmp_path, name):
    (tmp_path / name).write_text("x", encoding="utf-8")
    with pytest.raises(DatasetInvalid, match="no kind of question file"):
        load(tmp_path / name)


def test_a_folder_that_is_no_collection_is_refused(tmp_path):
    with pytest.raises(DatasetInvalid, match=rf"^{tmp_path.name}:1: a folder without corpus\.jsonl"):
        load(tmp_path)


def test_a_name_that_no_file_can_have_is_refused_like_one_that_is_not_there(tmp_path):
    with pytest.raises(DatasetInvalid, match="cannot be read: File name too long"):
        load(tmp_path / f"{'q' * 300}.jsonl")
