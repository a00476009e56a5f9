"""What a guard's figures say, by hand-counted examples."""

import pytest

from evals.guards import Detection, by_family, detection, flagged_claims


def test_marks_are_held_against_labels() -> None:
    labels = [True, True, True, False, False, False, False]
    marked = [True, True, False, True, False, False, False]
    assert detection(labels, marked) == Detection(2 / 3, 2 / 3, 1 / 4, 3, 4)


def test_what_cannot_be_known_is_none_and_never_a_number() -> None:
    assert detection([], []) == Detection(None, None, None, 0, 0)
    assert detection([False], [False]) == Detection(None, None, 0.0, 0, 1)


def test_families_are_counted_apart() -> None:
    found = by_family([("b", True, False), ("a", True, True), ("a", True, False)])
    assert list(found) == ["a", "b"]
    assert (found["a"].recall, found["b"].recall) == (0.5, 0.0)


def test_a_claim_is_flagged_by_any_of_its_citations() -> None:
    assert flagged_claims([[False, True], [False], [], [True]]) == 0.5
    assert flagged_claims([]) is None


def test_a_label_without_a_mark_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        detection([True], [])
