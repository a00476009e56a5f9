"""Question files are read strictly, every mistake with its line, and cases survive being written."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.cases import Case, Dataset, GoldQuote, Turn
from evals.datasets import load
from evals.errors import DatasetInvalid
from evals.questions import from_json, to_json

FULL = {
    "id": "q1",
    "question": "How many days of leave?",
    "history": ["Hello", {"role": "assistant", "text": "Hello."}],
    "readers": ["everyone", "group:hr", "user:mia"],
    "answerable": True,
    "documents": ["hr/leave.docx", "hr/more.docx"],
    "quotes": [{"document": "hr/leave.docx", "quote": "28 days of leave"}],
    "answer": "28 days",
    "source": "hr",
    "tags": ["docx"],
    "group": "g",
    "reviewed": False,
}

visible = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(str.strip)
ascii_name = st.from_regex(r"[a-z]{1,3}/[a-z0-9 .]{1,4}x", fullmatch=True)


@st.composite
def cases(draw):
    judgements = draw(st.none() | st.dictionaries(ascii_name, st.integers(-2, 3), max_size=4))
    quoted = st.builds(
        GoldQuote, st.sampled_from(sorted(judgements or {"hr/x": 1})), st.just("as it is written")
    )
    return Case(
        id=draw(visible),
        question=draw(visible),
        history=tuple(
            draw(st.lists(st.builds(Turn, st.sampled_from(["user", "assistant"]), visible), max_size=3))
        ),
        readers=draw(st.none() | st.just(()) | st.just(("everyone", "user:mia"))),
        answerable=draw(st.sampled_from([None, "yes", "no", "partial", "underspecified"])),
        judgements=judgements,
        quotes=draw(st.none() | st.lists(quoted, max_size=2).map(tuple)) if judgements else None,
        answer=draw(st.none() | visible),
        source=draw(st.none() | st.just("hr")),
        tags=tuple(draw(st.lists(visible, max_size=2))),
        group=draw(st.none() | visible),
        reviewed=draw(st.booleans()),
    )


def write(folder, *lines, name="questions.jsonl"):
    path = folder / name
    path.write_bytes(b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines))
    return path


def question(**changed):
    return json.dumps({"id": "q1", "question": "How long?"} | changed)


def refused(path):
    with pytest.raises(DatasetInvalid) as caught:
        load(path)
    assert caught.value.hint
    return str(caught.value)


@given(cases())
def test_a_case_written_and_read_again_is_the_same_case(case):
    assert from_json(json.loads(json.dumps(to_json(case))), "here:1") == case


def test_every_key_of_a_question_arrives(tmp_path):
    (case,) = load(write(tmp_path, json.dumps(FULL))).cases
    assert case == Case(
        id="q1",
        question="How many days of leave?",
        history=(Turn("user", "Hello"), Turn("assistant", "Hello.")),
        readers=("everyone", "group:hr", "user:mia"),
        answerable="yes",
        judgements={"hr/leave.docx": 1, "hr/more.docx": 1},
        quotes=(GoldQuote("hr/leave.docx", "28 days of leave"),),
        answer="28 days",
        source="hr",
        tags=("docx",),
        group="g",
        reviewed=False,
    )
    assert to_json(case) == FULL


def test_an_id_and_a_question_are_enough_and_nothing_is_made_up(tmp_path):
    (case,) = load(write(tmp_path, question())).cases
    assert case == Case(id="q1", question="How long?")
    assert case.judgements is None
    assert case.quotes is None


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (True, "yes"),
        (False, "no"),
        ("partial", "partial"),
        ("underspecified", "underspecified"),
        (None, None),
    ],
)
def test_answerable_has_four_values_or_is_not_known(written, meant):
    assert from_json({"id": "q", "question": "?", "answerable": written}, "here:1").answerable == meant


def test_documents_follow_from_quotes_only_where_they_are_not_given(tmp_path):
    quotes = [{"document": "hr/a", "quote": "one"}, {"document": "hr/b", "quote": "two"}] * 2
    (case,) = load(write(tmp_path, question(quotes=quotes))).cases
    assert case.judgements == {"hr/a": 1, "hr/b": 1}
    assert refused(write(tmp_path, question(quotes=quotes, documents=["hr/a"]))).startswith(
        'questions.jsonl:1: "quotes" quotes "hr/b"'
    )


def test_grades_say_how_relevant_and_may_say_not_at_all(tmp_path):
    line = question(documents=["hr/a", "hr/b"], grades={"hr/b": 3, "hr/c": 0, "hr/d": -1})
    assert load(write(tmp_path, line)).cases[0].judgements == {"hr/a": 1, "hr/b": 3, "hr/c": 0, "hr/d": -1}


def test_names_and_quotes_are_composed_as_the_index_writes_them(tmp_path):
    quotes = [{"document": "hr/cafe\u0301", "quote": "le cafe\u0301"}]
    (case,) = load(write(tmp_path, question(quotes=quotes))).cases
    assert case.judgements == {"hr/caf\u00e9": 1}
    assert case.quotes == (GoldQuote("hr/caf\u00e9", "le caf\u00e9"),)


def test_empty_gold_is_a_note_with_the_first_line_unless_the_question_has_no_answer(tmp_path):
    lines = [
        question(documents=["hr/a"]),
        question(id="q2", documents=[], answerable=True),
        question(id="q3", documents=[], answerable=False),
        question(id="q4"),
    ]
    (note,) = load(write(tmp_path, *lines)).notes
    assert note == "retrieval metrics leave out 1 question without a relevant document (first: line 2)"


def test_blank_lines_a_byte_order_mark_and_other_languages_are_fine(tmp_path):
    path = write(
        tmp_path,
        b"\xef\xbb\xbf" + question(question="年次休暇は何日ですか。").encode(),
        "",
        "  \r",
        question(id="q2"),
    )
    assert [case.id for case in load(path).cases] == ["q1", "q2"]


def test_a_line_separator_inside_a_text_ends_no_line(tmp_path):
    raw = json.dumps({"id": "q1", "question": "one\u2028two\u0085three"}, ensure_ascii=False)
    assert load(write(tmp_path, raw)).cases[0].question == "one\u2028two\u0085three"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"id": "q1", "question": ', "not JSON: expecting value at column"),
        ("[1]", "not an object but a list"),
        ('"q1"', 'not an object but the text "q1"'),
        ('{"id": "a", "id": "b", "question": "?"}', 'key "id" is given twice'),
        ('{"id": "a", "question": "?", "answer": NaN}', "NaN is no number"),
        ('{"id": "a", "question": "?", "answer": -Infinity}', "-Infinity is no number"),
        ('{"id": ' + "9" * 5000 + "}", "a number that is too long"),
        ("[" * 100_000, "nested too deeply"),
        (question(question="\ud800"), "half of a character"),
        ('{"id": "a", "question": "?", "\\udc00": 1}', "half of a character"),
        (b'{"id": "a", "question": "\xff"}', "not UTF-8: byte 0xff at position"),
        ("x" * 1_000_001, "longer than 1,000,000 bytes"),
        (question(qestion="?"), 'unknown key "qestion" (nearest: "question")'),
        ('{"id": "q1", "Question": "?"}', 'unknown key "Question" (nearest: "question")'),
        (question(zzz=1), 'unknown key "zzz"'),
        (question(quotes=[{"document": "hr/a", "qoute": "x"}]), 'unknown key "qoute" (nearest: "quote")'),
        ('{"question": "?"}', '"id" is missing'),
        ('{"id": "q1"}', '"question" is missing'),
        (question(id=""), '"id" is empty'),
        (question(id=" q1"), '"id" begins or ends with white space'),
        (question(id="q\n1"), '"id" begins or ends with white space, or holds a line feed'),
        (question(id=7), '"id" must be text, not the number 7'),
        (question(question=" \n"), '"question" is empty'),
        (question(question="x" * 8_001), '"question" has 8,001 characters; the most is 8,000'),
        (question(answerable="yes"), '"answerable" must be true, false, partial or underspecified'),
        (
            question(answerable=1),
            '"answerable" must be true, false, partial or underspecified, not the number 1',
        ),
        (question(readers=["{0}"]), '"readers", entry 1 is not a reader: "{0}"'),
        (question(readers=["everyone", "user:"]), '"readers", entry 2 is not a reader: "user:"'),
        (question(readers="everyone"), '"readers" must be a list, not the text "everyone"'),
        (question(documents=["hr/a", "hr/b", "hr/a"]), '"documents" names "hr/a" twice'),
        (question(documents=["leave.docx"]), '"leave.docx" is not named <source>/<item>'),
        (question(documents=[""]), '"documents", entry 1 is empty'),
        (question(grades={"hr/a": 1.5}), '"grades", "hr/a" must be a whole number, not the number 1.5'),
        (question(grades={"hr/a": True}), '"grades", "hr/a" must be a whole number, not true'),
        (question(quotes=["x"]), '"quotes", entry 1 must be an object, not the text "x"'),
        (question(quotes=[{"document": "hr/a", "quote": " "}]), '"quotes", entry 1, "quote" is empty'),
        (question(history=[{"role": "bot", "text": "x"}]), '"role" must be user or assistant'),
        (question(history=None), '"history" must be a list, not null'),
        (question(source="HR dept"), '"source" is no name of a source: "HR dept"'),
        (question(reviewed="no"), '"reviewed" must be true or false, not the text "no"'),
    ],
)
def test_a_wrong_line_is_named_with_what_is_wrong(tmp_path, line, said):
    message = refused(write(tmp_path, question(id="good"), "", line))
    assert message.startswith("questions.jsonl:3: ")
    assert said in message
    assert "\n" not in message


def test_an_id_given_twice_names_both_lines(tmp_path):
    message = refused(write(tmp_path, question(), question(id="q2"), question()))
    assert message == 'questions.jsonl:3: the id "q1" stands here for the second time (first on line 1)'


def test_a_file_of_no_questions_and_one_that_is_not_there_are_refused(tmp_path):
    assert refused(write(tmp_path, "", " ")) == "questions.jsonl:1: no question in it"
    assert refused(write(tmp_path, "", name="q.yaml")) == "q.yaml:1: no question in it"
    assert refused(tmp_path / "absent.jsonl").startswith("absent.jsonl:1: cannot be read: No such file")
    assert refused(tmp_path / "absent.yaml").startswith("absent.yaml:1: cannot be read: No such file")


def test_a_line_of_a_beir_collection_tells_to_name_the_folder(tmp_path):
    with pytest.raises(DatasetInvalid) as caught:
        load(write(tmp_path, '{"_id": "1", "text": "?"}'))
    assert "folder" in caught.value.hint


YAML = """# questions of the first week
- id: q1
  question: How many days of leave?
  documents: [hr/leave.docx]
  answerable: true
  answer: "28"
  tags: [2026-01-01, docx]
- id: q2
  question: >
    Who pays
    for travel?
  answerable: partial
  quotes:
    - document: hr/travel.docx
      quote: "Travel: the company pays."
"""


def test_yaml_gives_the_cases_that_json_lines_give(tmp_path):
    lines = [
        question(
            question="How many days of leave?",
            documents=["hr/leave.docx"],
            answerable=True,
            answer="28",
            tags=["2026-01-01", "docx"],
        ),
        question(
            id="q2",
            question="Who pays for travel?\n",
            answerable="partial",
            quotes=[{"document": "hr/travel.docx", "quote": "Travel: the company pays."}],
        ),
    ]
    for name in ("q.yaml", "q.YML"):
        found = load(write(tmp_path, b"\xef\xbb\xbf" + YAML.encode(), name=name))
        assert found.cases == load(write(tmp_path, *lines)).cases
        assert found.kind == "questions"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("id: q1\n", 1, "not a list of questions"),
        ("- id: q1\n  question: a: b\n", 2, 'a ":" too much'),
        ("- id: q1\n\tquestion: x\n", 2, "not YAML"),
        ("- id: q1\n  question: x\n- id: q2\n  qestion: x\n", 3, 'unknown key "qestion"'),
        ("- id: q1\n  question: x\n  id: q2\n", 3, 'key "id" is given twice'),
        ("- id: 1\n  question: x\n", 1, '"id" must be text, not the number 1'),
        ("- id: q1\n  question: x\n\n- just text\n", 4, 'not an object but the text "just text"'),
        ("- &a {id: q1, question: x}\n- *a\n", 1, "alias"),
        ("- id: q1\n  question: !!python/name:os.system x\n", 2, "tag"),
        ("- id: q1\n  question: yes\n  answerable: yes\n", 1, '"answerable" must be true, false'),
        ('- id: q1\n  question: "\\ud800"\n', 1, "half of a character"),
        ("- id: q1\n  question: x\x07\n", 2, "not YAML"),
        ("- id: q1\n  question: x\n- ? [a]\n  : b\n", 3, "a key must be a word"),
        ("[" * 1_000, 1, "nested too deeply"),
    ],
)
def test_a_wrong_yaml_file_is_named_with_the_line(tmp_path, text, line, said):
    message = refused(write(tmp_path, text, name="q.yaml"))
    assert message.startswith(f"q.yaml:{line}: ")
    assert said in message
    assert "\n" not in message


def test_a_yaml_file_that_is_not_utf8_is_named_with_the_line(tmp_path):
    assert refused(write(tmp_path, b"- id: q1\n  question: \xff\n", name="q.yaml")).startswith(
        "q.yaml:2: not UTF-8"
    )


def test_the_digest_is_of_the_bytes(tmp_path):
    first = load(write(tmp_path, question()))
    assert isinstance(first, Dataset)
    assert len(first.digest) == 64
    assert load(write(tmp_path, question(), name="other.jsonl")).digest == first.digest
    assert load(write(tmp_path, question() + " ")).digest != first.digest


def test_the_questions_that_come_with_the_example_are_read(repository):
    found = load(repository / "examples" / "northwind" / "questions.jsonl")
    assert len(found.cases) == 60
    assert found.notes == ()
