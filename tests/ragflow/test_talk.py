"""What is said to the program is told from what is asked of the documents."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexes.analysis import analyse
from ragflow.routing.talk import smalltalk


@pytest.mark.parametrize(
    "text",
    """hello;Hi!;hey there;Good morning;HELLO?;thanks!;Thank you so much!;oh thanks;OK. Thank you!
    how are you?
    How’s it going;what's up?;bye;Hello, how are you today?;great, thanks;ok;Hallo;Guten Morgen!;vielen Dank
    wie geht's?;tschüss;Bonjour;merci beaucoup !;ça va ?;¡Hola!;¿Qué tal?;muchas gracias;buenos días
    Hello!!! :-);thanks 👍""".replace("\n", ";").split(";"),
)
def test_small_talk_goes_nowhere(text: str) -> None:
    talk = smalltalk(text.strip())
    assert talk is not None
    assert (talk.by, talk.reason, talk.because) == ("small_talk", "off_topic", "it is small talk")


@pytest.mark.parametrize(
    "text",
    ["What can you do?", "who are you", "Help!", "are you a bot?", "Hi, can you help me?", "Was kannst du?"],
)
def test_questions_about_the_program_go_nowhere_and_say_so(text: str) -> None:
    talk = smalltalk(text)
    assert talk is not None
    assert talk.because == "it asks about this program, not about the documents"


@pytest.mark.parametrize("text", ["?", "...", "what is it?", "Why?", "and who", "🙂", "\u200b", "- -"])
def test_what_names_nothing_is_underspecified(text: str) -> None:
    talk = smalltalk(text)
    assert talk is not None
    assert (talk.by, talk.reason) == ("empty", "underspecified")


@pytest.mark.parametrize(
    "text",
    """Hello, how many days of leave do I get?;thanks, and the price?;Good morning Vietnam;Who is IT?
    hi-fi;What does "thank you" cost?;help desk hours;How are you paid?;welcome package;ok button
    What can you do about mice?;Danke Brennholt;theses;who are you insured with?;7;Ö;休暇
    hello kitty""".replace("\n", ";").split(";"),
)
def test_one_word_of_a_subject_makes_a_question(text: str) -> None:
    assert smalltalk(text.strip()) is None


def real_questions(data: Path) -> Iterator[str]:
    """Every question of the public sets: about 4,000."""

    def lines(path: Path) -> Iterator[Any]:
        with path.open(encoding="utf-8") as file:
            yield from map(json.loads, file)

    for name in ("answerable", "unanswerable"):
        yield from (one["input"] for one in lines(data / "clapnq" / f"clapnq_dev_{name}.jsonl"))
    for name in ("tasks", "router_mtrag_human"):
        yield from (one["question"] for one in lines(data / "mtrag_un" / f"{name}.jsonl"))
    for name in ("scifact", "npl"):
        yield from (one["text"] for one in lines(data / name / "queries.jsonl"))
    for document in json.loads((data / "tatqa" / "tatqa_dataset_dev.json").read_text(encoding="utf-8")):
        yield from (one["question"] for one in document["questions"])
    for path in (data / "kgrag_sec10q").rglob("qna*.csv"):
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from (row["Question"] for row in csv.DictReader(file))


def test_no_real_question_is_taken_for_small_talk(real_data: Path) -> None:
    questions = list(real_questions(real_data))
    assert len(questions) > 4_000
    told = [(talk.by, text) for text in questions if (talk := smalltalk(text)) is not None]
    assert [text for by, text in told if by == "small_talk"] == []
    # One turn of a conversation, "there should be one", does name nothing.
    assert len(told) <= 1


@given(st.text(max_size=200))
def test_what_names_something_is_never_empty(text: str) -> None:
    talk = smalltalk(text)
    assert talk is None or talk.by == "small_talk" or not analyse(text)
