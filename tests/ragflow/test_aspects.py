"""What a compound question asks is told apart, and what is one question stays one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragflow.aspects import MAX_ASPECTS, aspects, resolved


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        (
            "How many days of leave do I get and how do I apply?",
            ("How many days of leave do I get", "how do I apply"),
        ),
        (
            "What is the notice period, and when does probation end?",
            ("What is the notice period", "when does probation end"),
        ),
        (
            "Where is the depot in Kelby and is it open on Sundays?",
            ("Where is the depot in Kelby", "is it open on Sundays"),
        ),
        (
            "What does the premium plan cost? Who may order it?",
            ("What does the premium plan cost", "Who may order it"),
        ),
        (
            "How is a damage claim filed, how long does the check take and who pays the fee?",
            ("How is a damage claim filed, how long does the check take", "who pays the fee"),
        ),
        (
            "What does parking at Tarn Quay cost and how do I pay? (Northwind)",
            ("What does parking at Tarn Quay cost", "how do I pay"),
        ),
    ],
)
def test_compound_questions_come_apart(question: str, parts: tuple[str, ...]) -> None:
    assert aspects(question) == parts


@pytest.mark.parametrize(
    "question",
    [
        "How many days of annual leave do I get?",
        "When and where was the treaty signed?",
        "Who wrote and who sang Imagine?",
        "Which mayor appointed the most and which mayor appointed the fewest judges?",
        "Who was the engineer who built the bridge and who died in 1900?",
        "Who was the doctor that led the research and was criticised for it?",
        "What is the difference between what the plan covers and what it costs?",
        "What are the terms and conditions of the premium plan?",
        "My grandmother passed away. How much time off is paid?",
        "How do I file a claim and why?",
        "Is the depot open on Saturday and Sunday?",
        "leave and holidays",
    ],
)
def test_single_questions_stay_whole(question: str) -> None:
    assert aspects(question) == (question,)


def test_nothing_has_no_part() -> None:
    assert aspects(" \n ") == ()


WORDS = st.sampled_from(
    "how what where who is are does and , ? . the leave cost of it they apply bridge 2024 (Kelby)".split()
)


@given(st.lists(WORDS, max_size=25).map(" ".join))
def test_parts_stand_in_the_question_in_order_and_apart(question: str) -> None:
    parts, at = aspects(question), 0
    assert len(parts) <= MAX_ASPECTS
    for part in parts:
        found = question.find(part, at)
        assert found >= at
        at = found + len(part)


@given(st.text(max_size=200))
def test_any_text_is_taken(question: str) -> None:
    parts = aspects(question)
    assert bool(parts) == bool(question.strip())
    assert len(resolved(question, parts)) == len(parts)


def test_a_part_that_points_back_gets_the_words_it_points_to() -> None:
    question = "Who bought the old London Bridge and where is it now?"
    first, second = resolved(question, aspects(question))
    assert first == "Who bought the old London Bridge"
    assert second.startswith("where is it now")
    assert {"London", "Bridge"} <= set(second.split())


def test_a_part_that_points_nowhere_stays_as_it_is() -> None:
    question = "What does parking at Tarn Quay cost and when does the canteen open?"
    assert resolved(question, aspects(question)) == aspects(question)


def test_a_bracket_at_the_end_belongs_to_every_part() -> None:
    question = "What does parking cost per month and when does the canteen open? (Tarn Quay)"
    assert all(part.endswith("Tarn Quay") for part in resolved(question, aspects(question)))
