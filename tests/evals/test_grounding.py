"""What the validator lets through and what it stops: honest claims, and lies of each kind."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.folding import fold, locate, whole
from evals.grounding import Passage, Quote, check

LEAVE = (
    "Full-time employees receive 28 days of paid leave per calendar year. Part-time employees receive "
    "14 days of paid leave per calendar year. Unused leave may not be carried over after 31 March 2025."
)
TRAVEL = (
    "Hotel costs are reimbursed up to €120 per night in Germany and up to €180 per night in Switzerland. "
    "Flights above $1.2 million in total annual spend must be approved by Maria Keller before booking."
)
FIGURES = (
    "Revenue increased by 4.5% to 1,200 million dollars in 2023, while operating costs fell by 2 percent."
)
SECURITY = (
    "Visitors must wear a badge at all times inside the building. Contractors are not allowed to enter the "
    "server room without an escort. Remote access is optional for warehouse staff and mandatory for "
    "engineers."
)
TABLE = "Plan | Seats | Price\nBasic | 5 | €20\nTeam | 25 | €90"
PASSAGES = [
    Passage(LEAVE),
    Passage(TRAVEL),
    Passage(FIGURES),
    Passage(SECURITY),
    Passage(TABLE, ((0, 20), (21, 36), (37, 52))),
]

FULL = "Full-time employees receive 28 days of paid leave per calendar year."
PART = "Part-time employees receive 14 days of paid leave per calendar year."
CARRY = "Unused leave may not be carried over after 31 March 2025."
HOTEL = "Hotel costs are reimbursed up to €120 per night in Germany and up to €180 per night in Switzerland."
FLIGHT = "Flights above $1.2 million in total annual spend must be approved by Maria Keller before booking."
BADGE = "Visitors must wear a badge at all times inside the building."
ESCORT = "Contractors are not allowed to enter the server room without an escort."
REMOTE = "Remote access is optional for warehouse staff and mandatory for engineers."

HONEST = [
    (FULL, 0, FULL),
    (PART, 0, PART),
    (CARRY, 0, CARRY),
    (HOTEL, 1, HOTEL),
    (FLIGHT, 1, FLIGHT),
    (FIGURES, 2, FIGURES),
    (BADGE, 3, BADGE),
    (ESCORT, 3, ESCORT),
    (REMOTE, 3, REMOTE),
    (f"{FULL} {PART}", 0, f"{FULL} {PART}"),
    ("Full-time employees receive 28 days of leave.", 0, FULL),
    ("Full-time employees get twenty-eight days of paid leave.", 0, FULL),
    ("Employees who work full-time receive 28 days of paid leave each calendar year.", 0, FULL),
    ("Part-time employees receive 14 days of leave.", 0, f"{FULL} {PART}"),
    ("Unused leave may not be carried over after March 31, 2025.", 0, CARRY),
    ("Unused leave may not be carried over after 2025-03-31.", 0, CARRY),
    ("Unused leave can't be carried over after 31 March.", 0, CARRY),
    ("Hotel costs in Germany are reimbursed up to 120 euros per night.", 1, HOTEL),
    ("Hotel costs are reimbursed up to EUR 180 per night in Switzerland.", 1, HOTEL),
    ("Flights above 1.2 million dollars in annual spend must be approved before booking.", 1, FLIGHT),
    ("Maria Keller must approve flights above $1,200,000 in annual spend.", 1, FLIGHT),
    ("Revenue increased by 4.5 percent in 2023.", 2, FIGURES),
    ("Operating costs fell by 2%.", 2, FIGURES),
    ("Revenue increased to 1.2 billion dollars.", 2, FIGURES),
    ("Visitors must wear a badge inside the building.", 3, BADGE),
    ("Contractors are not allowed to enter the server room alone, without an escort.", 3, ESCORT),
    ("Remote access is mandatory for engineers.", 3, REMOTE),
    ("Basic | 5 | €20", 4, "Basic | 5 | €20"),
    ("Team | 25 | €90", 4, "Team | 25 | €90"),
]

LYING = [
    # the quote is not there
    (FULL, 0, FULL.replace("28", "30"), "fabricated"),
    (FULL, 0, "All employees are entitled to unlimited paid leave every year.", "fabricated"),
    (FULL, 0, FULL.upper(), "fabricated"),
    (FULL, 0, FULL.replace("days of paid leave", "days of unpaid leave"), "fabricated"),
    (HOTEL, 1, HOTEL.replace("€120", "€12O"), "fabricated"),
    (
        "Costs of 200 million dollars in 2023 rose.",
        2,
        "200 million dollars in 2023, while operating costs",
        "fabricated",
    ),
    (FIGURES, 2, FIGURES.replace("4.5", "45"), "fabricated"),
    (FULL, 0, "", "fabricated"),
    # it is elsewhere
    (FULL, 1, FULL, "misattributed"),
    (HOTEL, 0, HOTEL, "misattributed"),
    (BADGE, 7, BADGE, "misattributed"),
    (BADGE, -1, BADGE, "misattributed"),
    # it is put together
    (
        "Employees receive 14 days.",
        0,
        "Full-time employees receive ... 14 days of paid leave per calendar year.",
        "stitched",
    ),
    (
        "Employees receive leave.",
        0,
        "Full-time employees receive […] Unused leave may not be carried over",
        "stitched",
    ),
    (FULL, 0, "Full-time employees receive 14 days of paid leave per calendar year.", "stitched"),
    ("Visitors enter the server room.", 3, "Visitors must wear a badge to enter the server room", "stitched"),
    # numbers
    ("Full-time employees receive 30 days of paid leave.", 0, FULL, "number_mismatch"),
    ("Full-time employees receive 28 weeks of paid leave.", 0, FULL, "number_mismatch"),
    ("Full-time employees receive 14 days of paid leave.", 0, f"{FULL} {PART}", "number_mismatch"),
    ("Hotel costs in Switzerland are reimbursed up to €120 per night.", 1, HOTEL, "number_mismatch"),
    ("Hotel costs are reimbursed up to $120 per night in Germany.", 1, HOTEL, "number_mismatch"),
    ("Hotel costs are reimbursed up to €1,200 per night in Germany.", 1, HOTEL, "number_mismatch"),
    ("Unused leave may not be carried over after 31 May 2025.", 0, CARRY, "number_mismatch"),
    ("Unused leave may not be carried over after 30 March 2025.", 0, CARRY, "number_mismatch"),
    ("Unused leave may not be carried over after 31 March 2026.", 0, CARRY, "number_mismatch"),
    ("Revenue increased by 45% in 2023.", 2, FIGURES, "number_mismatch"),
    ("Revenue increased by 4.5% in 2024.", 2, FIGURES, "number_mismatch"),
    ("Revenue increased to 1,200 dollars in 2023.", 2, FIGURES, "number_mismatch"),
    ("Revenue increased by -4.5% in 2023.", 2, FIGURES, "number_mismatch"),
    ("Flights above $1.2 billion in annual spend must be approved.", 1, FLIGHT, "number_mismatch"),
    # nothing of it is said
    ("Employees enjoy generous sabbaticals and a company car.", 0, FULL, "unsupported"),
    ("Peter Lang approves flights above $1.2 million in annual spend.", 1, FLIGHT, "unsupported"),
    ("Hotel costs in Austria are reimbursed up to €120 per night.", 1, HOTEL, "unsupported"),
    ("Visitors of the NASA building must wear a badge inside.", 3, BADGE, "unsupported"),
    ("28 days of paid leave", 0, "28 days of paid leave", "unsupported"),
    ("The badge", 3, "a badge", "unsupported"),
    ("Seats cost €20.", 4, "5 | €20", "unsupported"),
    # the opposite is said
    ("Unused leave may be carried over after 31 March 2025.", 0, CARRY, "contradicted"),
    ("Contractors are allowed to enter the server room without an escort.", 3, ESCORT, "contradicted"),
    ("Visitors need not wear a badge inside the building.", 3, BADGE, "contradicted"),
    ("Visitors may wear a badge inside the building at all times.", 3, BADGE, "contradicted"),
    ("Revenue decreased by 4.5% in 2023.", 2, FIGURES, "contradicted"),
    ("Operating costs rose by 2 percent.", 2, FIGURES, "contradicted"),
    ("Flights below $1.2 million in total annual spend must be approved.", 1, FLIGHT, "contradicted"),
    ("Flights above $1.2 million must be approved by Maria Keller after booking.", 1, FLIGHT, "contradicted"),
    ("Remote access is mandatory for warehouse staff.", 3, REMOTE, "contradicted"),
    (
        "Allowed to enter the server room without an escort",
        3,
        "allowed to enter the server room without an escort",
        "contradicted",
    ),
]


@pytest.mark.parametrize(("claim", "passage", "quote"), HONEST)
def test_an_honest_claim_has_no_finding(claim: str, passage: int, quote: str) -> None:
    assert check(claim, [Quote(passage, quote)], PASSAGES) == ()


@pytest.mark.parametrize(("claim", "passage", "quote", "kind"), LYING)
def test_a_lie_is_found_and_named(claim: str, passage: int, quote: str, kind: str) -> None:
    assert kind in {finding.kind for finding in check(claim, [Quote(passage, quote)], PASSAGES)}


def test_a_claim_that_cites_nothing_is_unsupported() -> None:
    assert [finding.kind for finding in check(FULL, [], PASSAGES)] == ["unsupported"]


def test_a_row_may_bring_its_header() -> None:
    quotes = [Quote(4, "Team | 25 | €90"), Quote(4, "Plan | Seats | Price")]
    assert check("Team | 25 | €90", quotes, PASSAGES) == ()


def test_one_bad_quote_beside_a_good_one_is_still_a_finding() -> None:
    quotes = [Quote(0, FULL), Quote(0, "Employees also receive a free lunch on every working day.")]
    assert [finding.kind for finding in check(FULL, quotes, PASSAGES)] == ["fabricated"]


def test_evidence_is_the_quote_and_not_the_rest_of_its_passage() -> None:
    found = check("Part-time employees receive 14 days of paid leave.", [Quote(0, FULL)], PASSAGES)
    assert "number_mismatch" in {finding.kind for finding in found}


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        ("paid leave", "paid \n  leave"),
        ("employees", "em\u00adployees"),
        ("employees", "em-\nployees"),
        ("the employee's leave", "the employee\u2019s leave"),
        ('a "fair" rule', "a \u201cfair\u201d rule"),
        ("official office", "o\ufb03cial o\ufb03ce"),
        ("first flat", "\ufb01rst \ufb02at"),
    ],
)
def test_copying_differences_are_folded(quote: str, text: str) -> None:
    assert locate(quote, text) == (0, len(text))


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        ("10 2", "10\u00b2"),
        ("102", "10\u00b2"),
        ("employees", "Employees"),
        ("cafe", "caf\u00e9"),
        ("5 degrees", "at -5 degrees"),
        ("200 euros", "1,200 euros"),
        ("1,200", "1,200.50"),
        ("art", "party"),
        ("le", "\ufb02e"),
        ("half", "\u00bd"),
        ("a-b", "a\u2212b"),
        ("well known", "well-known"),
        ("A-\nB", "AB"),
        ("", "anything"),
        (" ", "any thing"),
    ],
)
def test_nothing_else_is_folded_and_nothing_is_cut(quote: str, text: str) -> None:
    assert locate(quote, text) is None


TEXTS = st.text(alphabet="ab1,. -\n\u00ad\u2019\u201c\ufb01\ufb03-é", max_size=40)


@given(TEXTS)
def test_the_folded_text_maps_back_in_order(text: str) -> None:
    folded = fold(text)
    assert len(folded.text) == len(folded.starts) == len(folded.ends)
    assert all(0 <= start < end <= len(text) for start, end in zip(folded.starts, folded.ends, strict=True))
    assert list(folded.starts) == sorted(folded.starts)


@given(TEXTS, st.integers(0, 40), st.integers(0, 40))
def test_every_whole_slice_is_located_as_itself(text: str, start: int, end: int) -> None:
    quote = text[start:end]
    if quote.strip() and whole(text, start, min(end, len(text))):
        span = locate(quote, text)
        assert span is not None
        assert text[span[0] : span[1]] == quote


@given(TEXTS, TEXTS)
def test_a_located_span_folds_to_the_folded_quote(quote: str, text: str) -> None:
    span = locate(quote, text)
    if span is not None:
        assert fold(text[span[0] : span[1]]).text.strip() == fold(quote).text.strip() or quote in text


@pytest.mark.parametrize("shift", [-1, 1])
def test_a_quote_that_cuts_a_word_stands_nowhere_even_where_it_says_it_does(shift: int) -> None:
    passage = Passage(
        "The rule is old. Employees of the firm get 28 days of paid leave each year. It is kept."
    )
    sentence = "Employees of the firm get 28 days of paid leave each year."
    start = passage.text.index(sentence) + shift
    shifted = passage.text[start : start + len(sentence)]
    kinds = [one.kind for one in check(sentence, [Quote(0, shifted, start)], [passage])]
    # One to the left takes the blank before and loses the full stop: the same words, whole.
    assert kinds == (["fabricated"] if shift == 1 else [])
