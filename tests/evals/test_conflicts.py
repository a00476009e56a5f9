"""Two sentences that state the same thing differently, and the many that only look so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.conflicts import conflict

LEAVE = "Employees get 28 days of annual leave."


@pytest.mark.parametrize(
    ("a", "b", "differing"),
    [
        (LEAVE, "Employees get 30 days of annual leave.", "28 day and 30 day"),
        (LEAVE, "All employees get 30 days of annual leave.", "28 day and 30 day"),
        (LEAVE, "Employees get thirty days of annual leave.", "28 day and thirty day"),
        ("Claims are due by 31 March each year.", "Claims are due by 30 April each year.",
         "31 March and 30 April"),
        ("A hotel room may cost 130 euros.", "A hotel room may cost 1.3 thousand euros.",
         "130 eur and 1.3 eur"),
        (
            "Visitors are allowed in the server room.",
            "Visitors are not allowed in the server room.",
            "one says the opposite of the other",
        ),
    ],
)  # fmt: skip
def test_another_number_date_or_polarity_is_a_conflict(a, b, differing):
    assert conflict(a, b) == differing
    assert conflict(b, a) is not None


@pytest.mark.parametrize(
    "other",
    [
        LEAVE,
        "Employees get twenty-eight days of annual leave.",  # the same number
        "Interns get 12 days of annual leave.",  # somebody else
        "Employees get 3 days of parental leave at most in their first probation month.",  # something else
        "Employees get 5 days.",  # too little is shared to say
        "Employees get annual leave of 4 weeks.",  # another unit
        "Employees of the Kelby warehouse with shifts get 31 days of annual leave.",  # a condition
    ],
)
def test_what_only_looks_alike_is_none(other):
    assert conflict(LEAVE, other) is None


SENTENCES = st.lists(
    st.sampled_from(
        "employees get days annual leave not 3 5 28 euros office before after March 2024 closed open".split()
    ),
    max_size=9,
).map(" ".join)


@given(SENTENCES, SENTENCES)
def test_a_conflict_is_one_from_both_sides(a, b):
    assert (conflict(a, b) is None) == (conflict(b, a) is None)


@given(SENTENCES)
def test_nothing_conflicts_with_itself(text):
    assert conflict(text, text) is None
