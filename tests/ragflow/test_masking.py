"""What an outside model is not shown: it is masked, and put back letter for letter."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragflow.masking import mask, torn, unmask
from ragflow.redact import private, redact

MAIL = "mia.berg@example.com"
KEY = "sk-" + "abcd1234" * 4
CARD = "4111 1111 1111 1111"
BOTH = ("secret", "personal")

private_data = st.sampled_from(
    [
        MAIL, KEY, CARD, "DE89 3704 0044 0532 0130 00", "+49 30 901820", "AKIA" + "ABCDEFGHIJKLMNOP",
        "password: hunter22", "postgres://app:hunter22@db/prod", "bearer abcdefghijklmnop123",
    ]
)  # fmt: skip
filling = st.text(alphabet="aA1@.-+ 0/:=()[]\n", max_size=12)
placeholders = st.sampled_from(["[email 1]", "[secret 1]", "[phone 2]", "[email 1", "secret 1]", "[", "]"])
texts = st.lists(st.one_of(private_data, filling, placeholders), max_size=8).map("".join)


def test_the_same_value_is_the_same_placeholder_over_all_texts() -> None:
    masked = mask([f"Who is {MAIL}?", f"Write to {MAIL} or mo@example.com.", f"{MAIL}: {CARD}"], BOTH)
    assert masked.texts == (
        "Who is [email 1]?", "Write to [email 1] or [email 2].", "[email 1]: [card 1]",
    )  # fmt: skip
    assert masked.table == {"[email 1]": MAIL, "[email 2]": "mo@example.com", "[card 1]": CARD}


def test_a_text_that_uses_a_placeholder_already_is_not_confused() -> None:
    texts = [f"Write [email 1] in place of {MAIL}.", "[email 2] is free."]
    masked = mask(texts, BOTH)
    assert masked.texts[0] == "Write [email 1] in place of [email 3]."
    assert [unmask(text, masked.table) for text in masked.texts] == texts


def test_only_the_named_kinds_are_masked_and_none_leave_the_texts_alone() -> None:
    text = f"{MAIL} has {KEY}"
    assert mask([text], ["secret"]).texts == (f"{MAIL} has [secret 1]",)
    assert mask([text], ["personal"]).texts == (f"[email 1] has {KEY}",)
    assert mask([text], []).texts == (text,)


def test_what_was_said_of_a_secret_stays() -> None:
    assert mask(["password: hunter22 is old"], BOTH).texts == ("password: [secret 1] is old",)


def test_an_unknown_placeholder_stays_as_it_is() -> None:
    assert unmask("[email 7] and [email 1]", {"[email 1]": MAIL}) == f"[email 7] and {MAIL}"


def test_the_half_of_a_key_is_masked_where_a_passage_cuts_it() -> None:
    lines = "\n".join(f"{number:02}abcdefghijklmnopqrstuvwxyz" for number in range(40))
    text = f"Keep it.\n-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----\nIt is ours."
    start, end = text.index("20abc"), text.index("30abc")
    for low, high in ((start, end), (0, end), (start, len(text))):
        passage = text[low:high]
        masked = mask(["?", passage], ["secret"], known=[(), torn(text, low, high, ["secret"])])
        assert "abc" not in masked.texts[1]
        assert unmask(masked.texts[1], masked.table) == passage
    assert torn(text, 0, len(text), ["secret"]) == torn(text, start, end, []) == ()


@pytest.mark.parametrize("cut", range(1, len(CARD)))
def test_the_half_of_a_number_is_masked_where_a_passage_cuts_it(cut: int) -> None:
    text = f"{'Some words. ' * 60}My card is {CARD}. {'More words. ' * 60}"
    at = text.index(CARD) + cut
    for low, high in ((0, at), (at, len(text))):
        masked = mask([text[low:high]], ["personal"], known=[torn(text, low, high, ["personal"])])
        rest = text[low:high].removesuffix(CARD[:cut]).removeprefix(CARD[cut:])
        assert masked.texts[0] == (f"{rest}[card 1]" if low == 0 else f"[card 1]{rest}")
        assert unmask(masked.texts[0], masked.table) == text[low:high]


@given(st.lists(texts, max_size=4))
def test_unmasking_gives_every_text_back(given_texts: list[str]) -> None:
    masked = mask(given_texts, BOTH)
    assert [unmask(text, masked.table) for text in masked.texts] == given_texts


@given(st.lists(texts, min_size=1, max_size=4))
def test_nothing_private_is_left_but_placeholders(given_texts: list[str]) -> None:
    masked = mask(given_texts, BOTH)
    for text in masked.texts:
        placed = [found.span() for found in re.finditer(r"\[[a-z]+ \d+\]", text) if found[0] in masked.table]
        for one in private(text, BOTH):
            assert any(start <= one.start and one.end <= end for start, end in placed), (text, one)


@given(texts)
def test_what_is_redacted_is_private_and_what_is_private_is_redacted(text: str) -> None:
    found, redacted = private(text, BOTH), redact(text, BOTH)
    assert redacted == text or found
    assert redacted != text or all(re.match(r"\[[a-z]+\]?", text[one.start : one.end]) for one in found), (
        "only a label that stands there already is redacted to itself"
    )


@given(texts)
def test_private_spans_are_in_order_and_apart(text: str) -> None:
    spans = private(text, BOTH)
    assert all(one.start < one.end for one in spans)
    assert all(one.end <= other.start for one, other in pairwise(spans))
