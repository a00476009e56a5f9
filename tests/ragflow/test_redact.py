"""A question is recorded without secrets and, where asked for, without personal data."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragflow.redact import redact

SECRETS = [
    "AKIA" + "ABCDEFGHIJKLMNOP",
    "ghp_" + "a1B2" * 9,
    "sk-" + "abcd1234" * 4,
    "xoxb-" + "1234567890-abcdef",
    "AIza" + "x" * 35,
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----",
    "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl",
]
PERSONAL = [
    "mia.berg@example.com",
    "DE89 3704 0044 0532 0130 00",
    "4111 1111 1111 1111",
    "+49 30 901820",
    "(030) 901820-55",
]
HARMLESS = [
    "How many days of leave do I get in 2025?",
    "What did invoice 2024-03-15 cost, 1,200.50 EUR?",
    "Is order 4111 1111 1111 1112 late?",
    "What is the token limit of the embedder?",
    "Which pages of hr/leave.docx@9f2c31ab04de name 28 days?",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_goes(secret: str) -> None:
    assert redact(f"why does {secret} fail?", ["secret"]) == "why does [secret] fail?"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("curl -H 'Authorization: Bearer abcdef0123456789abcdef'", "abcdef0123456789abcdef"),
        ("postgres://app:hunter22@db/prod", "hunter22"),
        ("my password: hunter22 is old", "hunter22"),
    ],
)
def test_a_secret_goes_and_what_it_was_stays(text: str, left: str) -> None:
    shown = redact(text, ["secret"])
    assert left not in shown
    assert "[secret]" in shown
    assert shown[:8] == text[:8]


@pytest.mark.parametrize("datum", PERSONAL)
def test_personal_data_goes_only_where_asked_for(datum: str) -> None:
    text = f"who is {datum} ?"
    assert datum not in redact(text, ["personal"])
    assert redact(text, ["secret"]) == text


@pytest.mark.parametrize("text", HARMLESS)
def test_the_rest_stays(text: str) -> None:
    assert redact(text, ["secret", "personal"]) == text


@given(st.text(alphabet="aA1@.-+ 0/:=() [secrt]", max_size=60))
def test_redacting_twice_is_redacting_once(text: str) -> None:
    once = redact(text, ["secret", "personal"])
    assert redact(once, ["secret", "personal"]) == once
