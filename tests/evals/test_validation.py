"""The validator against subtle lies and loose but honest claims, each with the rule that it is about."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.answers import groundedness
from evals.cases import Response, Span, Statement
from evals.folding import fold, plain
from evals.grounding import Passage, Quote, check
from evals.opposites import negative_of, sides
from evals.polarity import clauses
from evals.slots import names
from indexes.sentences import sentences

ASTRONOMY = (
    "The comet was first described by Clara Voss in 1871 at Bergen. She published two papers on it. In 1902 "
    "Henrik Lund measured its period as 33 years at Uppsala. The comet may be a fragment of a larger body."
)
COUNCIL = (
    "The Harbour Council fined the Norden Shipping Company 40,000 euros in March 2019. The fine increased by "
    "12 % in 2020. Most captains accept the rule. No Man's Pier is a public landing in the northern basin."
)
TABLE = "Region | 2019 | 2018\nNordic sales | 14.2 | 11.9\nBaltic sales | 7.5 | 6.1"
TABLE_ROWS = ((0, 20), (21, 47), (48, 72))

VOSS = "The comet was first described by Clara Voss in 1871 at Bergen."
SHE = "She published two papers on it."
LUND = "In 1902 Henrik Lund measured its period as 33 years at Uppsala."
FRAGMENT = "The comet may be a fragment of a larger body."
FINED = "The Harbour Council fined the Norden Shipping Company 40,000 euros in March 2019."
ROSE = "The fine increased by 12 % in 2020."
MOST = "Most captains accept the rule."
PIER = "No Man's Pier is a public landing in the northern basin."
NORDIC, HEADER = "Nordic sales | 14.2 | 11.9", "Region | 2019 | 2018"


def kinds(claim: str, *quotes: str, text: str = "", title: str = "", question: str = "") -> set[str]:
    whole = text or next(each for each in (ASTRONOMY, COUNCIL, TABLE) if quotes[0] in each)
    passage = Passage(whole, TABLE_ROWS if whole == TABLE else (), title)
    found = check(claim, [Quote(0, quote) for quote in quotes], [passage], question=question)
    return {finding.kind for finding in found}


@pytest.mark.parametrize(
    ("claim", "quotes"),
    [
        ("Clara Voss first described the comet in 1871.", [VOSS]),
        ("The Norden Shipping Company was fined 40,000 euros by the Harbour Council.", [FINED]),
        ("In March 2019 the Harbour Council fined Norden 40,000 euros.", [FINED]),
        ("No Man's Pier is a public landing.", [PIER]),
        ("Most captains do accept the rule.", [MOST]),
        ("Some captains accept the rule.", [MOST]),
        ("The comet could be a fragment of a larger body.", [FRAGMENT]),
        ("Nordic sales were 14.2 in 2019.", [NORDIC, HEADER]),
        ("Nordic sales were 11.9 in 2018 and 14.2 in 2019.", [NORDIC, HEADER]),
        ("Voss described the comet at Bergen, Lund measured its period at Uppsala.", [VOSS, LUND]),
        ("Clara Voss published two papers on the comet.", [VOSS, SHE]),
    ],
)
def test_a_loose_but_honest_claim_passes(claim: str, quotes: list[str]) -> None:
    assert kinds(claim, *quotes) == set()


@pytest.mark.parametrize(
    ("claim", "quotes", "kind"),
    [
        # a name that no quote has; another's place; two that changed places
        ("The comet was first described by Emil Rask in 1871 at Bergen.", [VOSS], "unsupported"),
        ("The comet was first described by Henrik Lund in 1871 at Bergen.", [VOSS, LUND], "unsupported"),
        ("The Norden Shipping Company fined the Harbour Council 40,000 euros.", [FINED], "unsupported"),
        # numbers: in words, another unit, another scale, another's place, another column
        ("Henrik Lund measured its period as thirty-four years at Uppsala.", [LUND], "number_mismatch"),
        ("The fine increased by 12 percentage points in 2020.", [ROSE], "number_mismatch"),
        ("The Harbour Council fined the company 40 million euros in March 2019.", [FINED], "number_mismatch"),
        ("The comet was first described by Clara Voss in 1902.", [VOSS, LUND], "number_mismatch"),
        ("Nordic sales were 11.9 in 2019.", [NORDIC, HEADER], "number_mismatch"),
        # the opposite: listed words, a negating prefix, more than is said, a fact for a guess
        ("The fine decreased by 12 % in 2020.", [ROSE], "contradicted"),
        ("No Man's Pier is a private landing in the northern basin.", [PIER], "contradicted"),
        ("No Man's Pier is a public landing in the southern basin.", [PIER], "contradicted"),
        ("All captains accept the rule.", [MOST], "contradicted"),
        ("Most captains do not accept the rule.", [MOST], "contradicted"),
        ("The comet is a fragment of a larger body.", [FRAGMENT], "contradicted"),
    ],
)
def test_a_subtle_lie_is_found(claim: str, quotes: list[str], kind: str) -> None:
    assert kind in kinds(claim, *quotes)


def test_a_name_is_granted_by_the_title_or_by_a_question_that_the_passage_is_about() -> None:
    quote = "It has a period of about 33 years and was seen in Bergen."
    text = f"The Voss comet is faint and far away from us all today. Much is unknown. {'-' * 300}\n\n{quote}"
    claim = "The Voss comet has a period of about 33 years."
    asked = "How long is the period of the Voss comet?"
    elsewhere = text.replace("Voss", "Lund")
    assert kinds(claim, quote, text=text) == {"unsupported"}
    assert kinds(claim, quote, text=text, question=asked) == set()
    assert kinds(claim, quote, text=elsewhere, question=asked) == {"unsupported"}
    assert kinds(claim, quote, text=elsewhere, title="Voss (comet)") == set()


def test_a_name_right_before_a_pronoun_is_what_it_means() -> None:
    assert kinds("Clara Voss published two papers on it.", SHE, text=ASTRONOMY) == set()
    assert kinds("Henrik Lund published two papers on it.", SHE, text=ASTRONOMY) == {"unsupported"}


@pytest.mark.parametrize(
    ("claim", "quote"),
    [
        (
            "The UN adopted a plan for every member state.",
            "The United Nations adopted a plan for each member state.",
        ),
        ("Japan exports steel and ships to Norway.", "Japanese steel and ships are exported to Norway."),
        ("The Wal-Mart stores sell food in Arkansas.", "The Walmart stores sell food and toys in Arkansas."),
        ("The U.S. Navy sold four ships.", "The US Navy sold four old ships in spring."),
    ],
)
def test_another_way_of_writing_a_name_is_that_name(claim: str, quote: str) -> None:
    assert kinds(claim, quote, text=quote) == set()


def test_a_part_of_another_word_is_no_name() -> None:
    quote = "The Sourcegraph editor finds every symbol of a large code base."
    assert kinds("The Source editor finds every symbol.", quote, text=quote) == {"unsupported"}


@given(
    st.lists(st.sampled_from([VOSS, SHE, LUND, FRAGMENT, FINED, ROSE, MOST, PIER]), min_size=1, max_size=5)
)
def test_a_claim_that_is_its_quote_is_never_turned_down(picked: list[str]) -> None:
    passage = Passage(" ".join(picked))
    quotes = [Quote(0, quote) for quote in dict.fromkeys(picked)]
    for quote in quotes:
        assert check(quote.text, [quote], [passage]) == ()
        assert check(quote.text, quotes, [passage]) == ()


@given(st.text(max_size=200), st.text(max_size=80))
def test_any_text_is_a_claim_and_what_is_its_own_quote_is_only_ever_too_short(
    text: str, question: str
) -> None:
    found = check(text, [Quote(0, text)], [Passage(text)], question=question)
    assert {finding.kind for finding in found} <= {"unsupported", "fabricated", "contradicted"}
    for slot in names(text):
        assert text[slice(*slot.span)].strip() == text[slice(*slot.span)] != ""
    assert all(clauses(text))


@given(st.text(alphabet="ab1 -\n\u00ad\u2019\u201c\ufb01\ufb03", max_size=40))
def test_the_quick_fold_is_the_fold(text: str) -> None:
    assert plain(text) == fold(text).text


@given(st.sampled_from(sorted({*"increase may public before all able north paid".split()})))
def test_opposites_are_opposites_of_each_other(word: str) -> None:
    assert all(word in sides(other) for other in sides(word))
    assert all(word in negative_of(other) for other in negative_of(word) if len(word) >= 5)


def test_the_verdict_on_an_answer_is_the_same_when_it_is_made_and_when_it_is_measured() -> None:
    claims = [
        ("Clara Voss first described the comet in 1871.", VOSS),
        ("Henrik Lund first described the comet in 1871.", VOSS),
        ("All captains accept the rule.", MOST),
        (FINED, FINED),
    ]
    texts = {quote: ASTRONOMY if quote in ASTRONOMY else COUNCIL for _, quote in claims}
    online = [not check(claim, [Quote(0, quote)], [Passage(texts[quote])]) for claim, quote in claims]
    spans = tuple(Span("d", 0, 0, quote, texts[quote]) for _, quote in claims)
    offline = [
        groundedness(Response(outcome="answered", claims=(Statement(claim, (at,)),), citations=spans))
        for at, (claim, _) in enumerate(claims)
    ]
    assert online == [bool(one) for one in offline] == [True, False, False, True]


def test_sentences_of_real_pages_prove_themselves(real_data: Path) -> None:
    pages = sorted((real_data / "handbooks").rglob("*.md"))[::40]
    assert pages
    for page in pages:
        text = page.read_text("utf-8", errors="replace")[:1500]
        for start, end in sentences(text):
            kinds_found = {
                one.kind
                for one in check(text[start:end], [Quote(0, text[start:end], start)], [Passage(text)])
            }
            assert kinds_found <= {"unsupported", "contradicted"}, text[start:end]
