import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.canonical import canonical

ODD = "\r\n\t\x00\x0b\x0c\x1c\x1f\x7f\x85\xa0\xad \u0300\u0301\u0338\u034f\u061c\u1100\u1161\u11a8\u180e"
ODDER = "\u200b\u200c\u200d\u200e\u2028\u2029\u202e\u2060\u2066\u3000\ufb01\ufeff\ufffe\uffff\ud800\udfff"
ODDEST = "\U000e0041\U0001f468=a\u212b\u0958e"
TEXTS = st.text(
    st.one_of(st.sampled_from(ODD + ODDER + ODDEST), st.characters(exclude_categories=())), max_size=60
)


@given(TEXTS)
def test_is_idempotent(text: str) -> None:
    once = canonical(text).text
    assert canonical(once).text == once


@given(TEXTS)
def test_is_nfc_without_noise(text: str) -> None:
    form = canonical(text).text
    assert unicodedata.is_normalized("NFC", form)
    assert form.encode().decode() == form
    kinds = {unicodedata.category(char) for char in form if char not in "\t\n\u200c\u200d\xad"}
    assert "Cc" not in kinds
    assert not set(form) & set("\r\u200b\u202e\u2066\u2060\ufeff\u2028\U000e0041\ufffe\uffff")


@given(TEXTS)
def test_lines_have_no_tail_and_blank_lines_no_company(text: str) -> None:
    form = canonical(text).text
    assert all(line == line.rstrip() for line in form.split("\n"))
    assert "\n\n\n" not in form
    assert form == form.strip("\n")


@given(TEXTS)
def test_positions_keep_their_order_and_stay_in_bounds(text: str) -> None:
    form = canonical(text)
    places = [form.map(position) for position in range(len(text) + 1)]
    assert places == sorted(places)
    assert places[0] == 0
    assert places[-1] == len(form.text)


@given(TEXTS, TEXTS, TEXTS)
def test_a_marked_line_keeps_its_text(before: str, line: str, after: str) -> None:
    raw = f"{before}\nx{line}x\n{after}"
    start = len(before) + 1
    form = canonical(raw)
    marked = form.text[form.map(start) : form.map(start + len(line) + 2)]
    assert marked == canonical(f"x{line}x").text


def test_long_foreign_text_is_normalised_as_a_whole_would_be() -> None:
    text = "Ame\u0301lie \u1112\u1161\u11ab\u1100\u1173\u11af \u0915\u093c \u212b \u3042\u3099 " * 50
    assert canonical(text).text == unicodedata.normalize("NFC", text).rstrip()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("one\r\ntwo\rthree\x0bfour\x85five\u2028six", "one\ntwo\nthree\nfour\nfive\nsix"),
        ("a \t\n\n\n\n b\n\n", "a\n\n b"),
        ("pay\u202eesrever\u202c me\u200b now\ufeff", "payesrever me now"),
        ("hidden\U000e0041\U000e0042", "hidden"),
        ("\u0646\u200c\u0645 a\u200d 1\u200d2", "\u0646\u200c\u0645 a 12"),
        ("a\tb \xad", "a\tb \xad"),
        ("", ""),
        (" \n\t\n", ""),
    ],
)
def test_canonical_text(raw: str, expected: str) -> None:
    assert canonical(raw).text == expected


def test_deleted_text_leaves_both_neighbours_findable() -> None:
    raw = "alpha\u200b\u200b beta"
    form = canonical(raw)
    assert form.text[form.map(raw.index("beta")) :] == "beta"
    assert form.text[: form.map(raw.index("\u200b"))] == "alpha"
