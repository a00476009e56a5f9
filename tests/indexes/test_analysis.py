"""Terms: what must be found by what, and what must not be told apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexes.analysis import analyse


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("The companies' policies", ["compani", "polici"]),
        ("the company's policy", ["compani", "polici"]),
        ("a 10-K filing", ["10", "k", "10k", "file"]),
        ("version 3.5, or 1,000 of 12,345.60", ["version", "3.5", "1000", "12345.60"]),
        ("the U.S. office", ["us", "offic"]),
        ("US and e.g. u.s.a.", ["us", "eg", "usa"]),
        ("well-known co-workers", ["well", "known", "co", "worker"]),
        ("naïve Zürich ﬁnance", ["naiv", "zurich", "financ"]),
        ("reim\u00adburse reim-\nbursement", ["reimburs", "reimburs"]),
        ("don\u2019t O\u2019Brien", ["obrien"]),
        ("snake_case __init__", ["snake", "case", "init"]),
        ("2020-2024", ["2020", "2024"]),
        ("end of sentence 5. Next", ["end", "sentenc", "5", "next"]),
        ("...", []),
        ("what is the of?", []),
        ("", []),
    ],
)
def test_terms_of_what_people_write(text: str, terms: list[str]) -> None:
    assert analyse(text) == terms


def test_one_form_is_found_by_the_other() -> None:
    assert set(analyse("10K")) & set(analyse("Form 10-K"))
    assert set(analyse("10 K")) <= set(analyse("Form 10-K"))
    assert analyse("US") == analyse("U.S.")
    assert analyse("1000") == analyse("1,000")
    assert analyse("reimbursed") == analyse("Reimbursing")


@given(st.text())
def test_terms_are_never_empty_and_never_hold_white_space(text: str) -> None:
    assert all(term and not any(letter.isspace() for letter in term) for term in analyse(text))


@given(st.text())
def test_the_same_text_gives_the_same_terms_again(text: str) -> None:
    assert analyse(text) == analyse(text)


@given(st.lists(st.sampled_from(["leave", "U.S.", "10-K", "3.5", "the", "co-op", "isn't"]), max_size=6))
def test_texts_apart_by_a_blank_line_give_their_terms_one_after_the_other(words: list[str]) -> None:
    assert analyse("\n\n".join(words)) == [term for word in words for term in analyse(word)]


@given(st.text(alphabet=st.characters(max_codepoint=0x24F)))
def test_upper_case_is_no_difference_within_ascii(text: str) -> None:
    letters = text.encode("ascii", "ignore").decode()
    assert analyse(letters) == analyse(letters.upper())
