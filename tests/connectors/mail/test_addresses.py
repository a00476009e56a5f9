"""Who reads a mail: only those whom its address headers name beyond doubt."""

import re
from email.utils import getaddresses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mail.addresses import addresses
from connectors.mail.letters import envelope

LOCAL = st.from_regex(r"[a-zA-Z0-9!#$%&'*+/_`{|}~-]{1,8}(\.[a-zA-Z0-9_-]{1,5}){0,2}", fullmatch=True)
DOMAIN = st.from_regex(r"[a-zA-Z0-9]{1,8}(\.[a-zA-Z0-9]{1,5}){0,2}", fullmatch=True)
ADDRESS = st.builds("{}@{}".format, LOCAL, DOMAIN)
PLAIN = st.from_regex(r"[A-Za-z0-9 .'=?_-]{0,12}", fullmatch=True)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=12)
QUOTED = TEXT.map(lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')
COMMENT = TEXT.map(lambda text: "(" + re.sub(r"([\\()])", r"\\\1", text) + ")")
SPOOF = st.sampled_from(
    [
        '"everyone"',
        '"eve@evil.example, mia" ',
        "everyone",
        "(eve@evil.example)",
        '"<eve@evil.example>"',
        "=?utf-8?q?eve=40x?=",
    ]
)
NAME = st.one_of(PLAIN, QUOTED, SPOOF, TEXT.map(lambda text: re.sub(r'[<>(),;:"\\]', "", text)))
SPACE = st.sampled_from(["", " ", "\t", "  "])


@st.composite
def entries(draw):
    """An entry as programs write it, and the address it holds."""
    address = draw(ADDRESS)
    space = draw(SPACE)
    if draw(st.booleans()):
        return f"{draw(NAME)}{space}<{address}>{space}{draw(st.one_of(st.just(''), COMMENT))}", address
    return f"{space}{address}{draw(st.one_of(st.just(''), COMMENT))}", address


@given(st.lists(entries(), max_size=6), st.booleans())
def test_a_sound_header_gives_exactly_the_addresses_that_it_was_made_of(found, grouped):
    value = ", ".join(written for written, _ in found)
    if grouped:
        value = f'"the team": {value};'
    clear = {address.lower() for _, address in found if "=?" not in address}
    assert addresses(value) == clear


@given(
    st.lists(st.sampled_from([*'<>(),;:"\\@. \tabé=?\0\r\n', "x@y", "eve@z", "everyone"]), max_size=40).map(
        "".join
    )
)
def test_whatever_stands_there_no_address_is_made_up(value):
    for found in addresses(value):
        assert found.count("@") == 1
        assert found in value.lower()
        assert re.fullmatch(r"user:[^\s,]+", f"user:{found}")
        assert found != "everyone"


@given(
    st.lists(
        st.tuples(st.sampled_from(["From", "To", "Cc", "Bcc", "Sender"]), st.lists(entries(), max_size=3)),
        max_size=4,
    ),
    st.lists(
        st.tuples(st.sampled_from(["Reply-To", "X-To", "Subject", "Delivered-To"]), entries()), max_size=3
    ),
    st.sampled_from(["", "\x00", '"', "(", "<", "To", "\\", ": ,", "\r"]),
    st.integers(0, 200),
)
def test_participants_are_among_the_addresses_of_the_address_headers(addressed, others, junk, place):
    lines = [f"{name}: {', '.join(written for written, _ in found)}" for name, found in addressed]
    lines += [f"{name}: {written}" for name, (written, _) in others]
    block = ("\r\n".join(lines) + "\r\n").encode()
    spoilt = block[:place] + junk.encode() + block[place:]
    true = {address.lower() for _, found in addressed for _, address in found}
    assert set(envelope(block).participants) <= true
    # One character too many may spoil an address; it makes none of what stands in other headers or names.
    outside = {address.lower() for _, (_, address) in others} | {"eve@evil.example", "everyone"}
    assert not set(envelope(spoilt).participants) & (outside - true)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("Mia@Example.ORG", {"mia@example.org"}),
        ("Mia <mia@example.org>, bob@example.org", {"mia@example.org", "bob@example.org"}),
        ('"Smith, Mia" <mia@example.org>', {"mia@example.org"}),
        ("mia@example.org (Mia (of \\) sales))", {"mia@example.org"}),
        ("team: mia@x, Bob <bob@x>; eve@x", {"mia@x", "bob@x", "eve@x"}),
        ("undisclosed-recipients:;", set()),
        ("", set()),
        ("mia@example.org,", {"mia@example.org"}),
        ("<>", set()),
        ("everyone", set()),
        ('"everyone" <x@y>', {"x@y"}),
        ("everyone <everyone>", set()),
        ('"mia smith"@example.org', set()),
        ('"a,b"@example.org', set()),
        ('"eve@evil" <mia@x>', {"mia@x"}),
        ("eve@evil.example <mia@x>", {"mia@x"}),
        ("<mia@x> eve@evil.example", set()),
        ("<mia@x><eve@evil.example>", set()),
        ("mia@x eve@evil.example", set()),
        ("alice@example.org)bob@example.org", set()),
        ("alice@example.org]<bob@example.org>", {"bob@example.org"}),
        ("<@relay.example:mia@x>", set()),
        ("mia@x; bob@x", set()),
        ("mia@x, (unclosed", set()),
        ('mia@x, "unclosed', set()),
        ("mia@x, <bob@x", set()),
        ("mia@x\x00", set()),
        ("mia@x\rBcc: eve@x", set()),
        ("=?utf-8?q?mia=40x?=", set()),
        ("=?utf-8?q?mia?=@example.org", set()),
        ("=?utf-8?q?eve=40evil?= <mia@x>", {"mia@x"}),
        ("mar\u212a@x", set()),
        ("mia@m\u00fcnchen.example", set()),
        ("mia@@x", set()),
        ("mia@x@y", set()),
        ("@x", set()),
        ("mia@", set()),
        ("user:mia@x", set()),
        ("a" * 250 + "@example.org", set()),
    ],
)
def test_what_is_not_clear_is_nobodys(value, found):
    assert addresses(value) == found


def test_on_sound_headers_the_standard_library_says_the_same():
    value = 'Mia <mia@example.org>, "Smith, Bob" <bob@example.org>, eve@example.org (Eve)'
    assert addresses(value) == {address for _, address in getaddresses([value])}


def test_folded_headers_are_unfolded_and_broken_lines_end_the_headers():
    block = b"To: mia@x,\r\n\tbob@x\r\nCC: eve@x\r\nthis is no header\r\nBcc: late@x\r\n\r\n"
    assert envelope(block).participants == ("bob@x", "eve@x", "mia@x")


def test_headers_that_were_cut_name_nobody():
    assert envelope(b"To: mia@example.co", cut=True).participants == ()
    assert envelope(b"To: mia@example.co", cut=False).participants == ("mia@example.co",)
