"""Proposed questions are answered by the sentence they quote, stand alone, and wait for a person."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.proposals import Page, propose
from evals.questions import from_json, to_json
from evals.wording import question_of, question_of_heading
from indexes.analysis import analyse

LEAVE = """Annual leave

A full-time employee has 28 days of paid annual leave in each calendar year. This is more than the law asks.
To carry days over, tell People Services before 1 December.

Sick leave

If you are ill for more than three days, send a certificate to your manager. See the list below.

- The payroll team is responsible for sick pay.

How to register a child

Parents register a child with People Services
within two weeks of the birth.
"""


def page(name="hr/leave.md", text=LEAVE, *, readers=("everyone",), titles=()):
    spans = [(title, text.index(title), len(text)) for title in titles]
    return Page(name, readers, "Leave policy", text, tuple(spans), name.partition("/")[0])


def asked(cases):
    return {case.question: case for case in cases}


@pytest.mark.parametrize(
    ("sentence", "question"),
    [
        (
            "A full-time employee has 28 days of paid annual leave in each calendar year.",
            "How many days of paid annual leave does a full-time employee have in each calendar year?",
        ),
        ("To get a parking badge, fill in the form at reception.", "How do you get a parking badge?"),
        ("To measure print quality, we scan every tenth letter.", "How do we measure print quality?"),
        (
            "If your laptop is lost or stolen, call the service desk at once.",
            "What should you do if your laptop is lost or stolen?",
        ),
        (
            "If three receipts are missing, the card is suspended until they arrive.",
            "What happens if three receipts are missing?",
        ),
        (
            "Claims must be submitted within 30 days of the end of the journey.",
            "Within how many days of the end of the journey must claims be submitted?",
        ),
        ("A parallel run takes four to six weeks in winter.", "How long does a parallel run take?"),
        ("Each further sheet of paper costs 0.036 euros.", "How much does each further sheet of paper cost?"),
        ("The roster for a month is posted in Tally.", "Where is the roster for a month posted?"),
        ("Bonuses for referrals are paid in March of the next year.", "When are bonuses for referrals paid?"),
        (
            "The payroll team is responsible for sick pay and bonuses.",
            "Who is responsible for sick pay and bonuses?",
        ),
        ("The travel allowance is the amount paid for each day.", "What is the travel allowance?"),
        (
            "Please contact People Services if a payslip is wrong.",
            "Who should you contact if a payslip is wrong?",
        ),
        (
            "Staff must sign the safety form before entering the mill.",
            "What must staff sign before entering the mill?",
        ),
        ("Guests may not use the loading bay at gate 4.", "May guests use the loading bay at gate 4?"),
        ("The doors are locked because two thefts were reported.", "Why are the doors locked?"),
    ],
)
def test_a_plain_statement_is_turned_into_the_question_that_it_answers(sentence, question):
    worded = question_of(sentence, frozenset())
    assert worded is not None
    assert (worded.question, worded.answer) == (question, sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "This is more than the law asks of any employer.",
        "It takes three weeks to get a new badge printed.",
        "The steps below are the way to request a badge.",
        "To request access to the drive, fill out this form.",
        "How many days of leave does an employee have?",
        "A new starter has the following five documents:",
        "If you have questions about it, ask your manager.",
        "The limit is here.",
        "See https://example.com for the travel allowance of the year.",
        "To my mind, a manager has ten days of training a year.",
        "Running the tests takes patience and a good deal of coffee.",
        "",
    ],
)
def test_what_leans_on_its_neighbours_or_states_nothing_gives_no_question(sentence):
    assert question_of(sentence, frozenset()) is None


def test_names_keep_their_capital_inside_a_question():
    sentence = "Tally has two kinds of shift for each person."
    assert (
        question_of(sentence, {"Tally"}).question
        == "How many kinds of shift does Tally have for each person?"
    )
    sentence = "Federal Leave Board rules are the basis of all plans."
    assert question_of(sentence, frozenset()).question == "What are Federal Leave Board rules?"


@pytest.mark.parametrize(
    ("heading", "question"),
    [
        ("How to register a child", "How do you register a child?"),
        ("2.1 Booking a train ticket", "How do you book a train ticket?"),
        ("Filing and paying travel claims", "How do you file and pay travel claims?"),
        ("Who pays for parking at the mill?", "Who pays for parking at the mill?"),
        ("If you see smoke or fire", "What should you do if you see smoke or fire?"),
        ("Sick children", 'What does "Leave policy" say about sick children?'),
        ("Interview scorecard", 'What does "Leave policy" say about interview scorecard?'),
        ("Overview", None),
        ("Further resources", None),
        ("Before the visit", None),
        ("Leave policy", None),
        ("FAQ :smile: {#anchor}", None),
    ],
)
def test_a_heading_is_asked_in_the_way_it_is_put(heading, question):
    found = question_of_heading(heading, "Leave policy", frozenset())
    assert (found and found[0]) == question


def test_each_proposal_has_its_gold_and_is_marked_as_unreviewed():
    found = asked(propose([page(titles=["How to register a child"])], limit=20, seed=1))
    assert set(found) == {
        "How many days of paid annual leave does a full-time employee have in each calendar year?",
        "What should you do if you are ill for more than three days?",
        "Who is responsible for sick pay?",
        "How do you carry days over?",
        "How do you register a child?",
    }
    case = found["Who is responsible for sick pay?"]
    assert case.answer == "The payroll team is responsible for sick pay."
    assert case.quotes[0].quote == case.answer
    assert (case.tags, case.source, case.answerable) == (("proposed", "sentence"), "hr", "yes")
    wrapped = found["How do you register a child?"]
    assert wrapped.tags == ("proposed", "heading")
    assert wrapped.answer == "Parents register a child with People Services within two weeks of the birth."
    for one in found.values():
        assert not one.reviewed
        assert one.judgements == {"hr/leave.md": 1}
        assert one.quotes[0].quote in LEAVE


def test_proposals_are_lines_of_a_question_file():
    for case in propose([page()], limit=20, seed=1):
        assert from_json(json.loads(json.dumps(to_json(case))), "here:1") == case


def test_a_heading_whose_section_does_not_speak_of_it_is_not_asked():
    text = "Parking\n\nThe mill stands still from Friday until Monday.\n"
    assert propose([page(text=text, titles=["Parking"])], limit=5, seed=1) == []


WORDS = (
    "If To you must the badge within 30 days is a because have Contact HR not may cost then please".split()
)
MARKS = [",", ", ", " ", "\n", "\n\n", "- ", "1. ", "?", ".", ". ", "(", '"', "\u201c"]
PIECES = st.sampled_from([*WORDS, *MARKS])


@given(st.lists(PIECES, max_size=40).map(" ".join) | st.lists(PIECES, max_size=40).map("".join) | st.text())
def test_whatever_a_page_holds_its_questions_quote_it(text):
    label = text.strip().split("\n")[0]
    spans = ((label, text.index(label), len(text)),)
    for case in propose([Page("s/p", ("everyone",), text[:30], text, spans, "s")], limit=9, seed=0):
        assert case.quotes[0].quote in text
        assert case.question.endswith("?")
        assert from_json(to_json(case), "here:1") == case


def test_who_may_ask_is_who_may_read():
    pages = [
        page("hr/a", "To claim a bonus, write to the payroll office.", readers=("group:lead", "group:hr")),
        page(
            "hr/b", "To book a meeting room, use the calendar of reception.", readers=("user:mia", "everyone")
        ),
        page("hr/c", "To open the vault, turn the wheel three times.", readers=()),
    ]
    found = {case.group: case.readers for case in propose(pages, limit=9, seed=0)}
    assert found == {"hr/a": ("group:hr", "group:lead"), "hr/b": ("everyone",)}


def test_a_sentence_of_several_documents_has_no_single_gold_and_is_not_asked():
    line = "To report an injury, tell the supervisor of the shift."
    pages = [page("a/1", line), page("a/2", "Hello.\n\n- " + line), page("a/3", LEAVE)]
    assert {case.group for case in propose(pages, limit=20, seed=0)} == {"a/3"}


TOPICS = "badge desk laptop phone visa loan grant tutor garden bicycle locker uniform".split()


def many(count):
    return [
        page(
            f"s/{n:03}",
            f"To order a {TOPICS[n % 12]} of kind{n}, ask the warehouse{n} team.\n\n"
            f"The price{n} of a {TOPICS[n % 12]} is 10 euros for each worker{n}.",
        )
        for n in range(count)
    ]


@given(st.integers(1, 30), st.integers(0, 3))
def test_proposals_are_at_most_so_many_the_same_for_a_seed_and_spread_over_documents(limit, seed):
    pages = many(24)
    found = propose(pages, limit=limit, seed=seed)
    assert found == propose(iter(pages), limit=limit, seed=seed)
    assert len(found) == limit
    assert len({case.id for case in found}) == limit
    per_document = [sum(case.group == one.document for case in found) for one in pages]
    assert max(per_document) - min(per_document) <= 1


def test_no_two_proposals_ask_nearly_the_same():
    pages = [
        page("a/1", "To order a new badge, ask the reception of the mill."),
        page("a/2", "To order a badge, write to the office at Halvern."),
    ]
    assert len(propose(pages, limit=9, seed=0)) == 1


@pytest.mark.parametrize("count", [30, 400])
def test_another_seed_brings_other_questions_however_many_pages_there_are(count):
    pages = many(count)
    drawn = [{case.question for case in propose(pages, limit=5, seed=seed)} for seed in range(2)]
    assert drawn[0] != drawn[1]


@pytest.mark.parametrize("limit", [0, -1])
def test_nothing_wanted_or_nothing_there_gives_nothing(limit):
    assert propose([page()], limit=limit, seed=1) == []
    assert propose([], limit=5, seed=None) == []
    assert propose([page(text="")], limit=5, seed=None) == []


def test_a_real_handbook_gives_questions_that_stand_alone(real_data):
    root = real_data / "handbooks" / "18f" / "pages" / "travel-and-leave"
    pages = []
    for path in sorted(root.rglob("*.md")):
        text = path.read_text(encoding="utf-8").replace("**", "")
        heads = [line.lstrip("# ") for line in text.splitlines() if line.startswith("#")]
        spans = tuple((head, text.index(head), len(text)) for head in heads if head)
        pages.append(Page(f"h/{path.name}", ("everyone",), path.stem, text, spans, "h"))
    found = propose(pages, limit=30, seed=3)
    assert len(found) == 30
    texts = {one.document: one.text for one in pages}
    for case in found:
        assert case.question.endswith("?")
        assert len(analyse(case.question)) >= 2
        assert case.quotes[0].quote in texts[case.group]
    assert len({case.group for case in found}) >= 10
