"""A BEIR folder is read strictly: what is judged is asked, and what is odd is said."""

import json

import pytest

from evals.beir import read_qrels
from evals.cases import Case
from evals.datasets import load
from evals.errors import DatasetInvalid

HEAD = "query-id\tcorpus-id\tscore"


def write(folder, *, corpus=("a", "b", "c"), queries=None, qrels=(HEAD, "q1\ta\t1"), split="test"):
    (folder / "qrels").mkdir(exist_ok=True)
    queries = (
        [{"_id": "q1", "text": "first?"}, {"_id": "q2", "text": "second?"}] if queries is None else queries
    )
    rows = {
        "corpus.jsonl": [{"_id": name, "title": "", "text": "t"} for name in corpus],
        "queries.jsonl": queries,
    }
    for name, found in rows.items():
        text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in found)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "qrels" / f"{split}.tsv").write_text("".join(line + "\n" for line in qrels), encoding="utf-8")
    return folder


def refused(folder, split="test"):
    with pytest.raises(DatasetInvalid) as caught:
        load(folder, split=split)
    assert caught.value.hint
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_judgements_are_read_in_the_beir_form(tmp_path):
    path = tmp_path / "test.tsv"
    path.write_bytes(b"query-id\tcorpus-id\tscore\r\nq1\ta\t1\r\nq1\tb\t2\r\n\r\nq2\tc\t0\r\nq2\td\t-1\r\n")
    assert read_qrels(path) == {"q1": {"a": 1, "b": 2}, "q2": {"c": 0, "d": -1}}


def test_only_judged_questions_are_cases_and_grades_are_kept(tmp_path):
    found = load(write(tmp_path, qrels=[HEAD, "q2\tb\t2", "q2\ta\t0"]))
    assert found.cases == (Case(id="q2", question="second?", judgements={"b": 2, "a": 0}),)
    assert (found.kind, found.notes, found.path) == ("beir", (), str(tmp_path))


def test_another_split_is_another_file_and_a_missing_one_names_those_there(tmp_path):
    write(tmp_path)
    write(tmp_path, qrels=[HEAD, "q2\tb\t1"], split="dev")
    assert [case.id for case in load(tmp_path, split="dev").cases] == ["q2"]
    with pytest.raises(DatasetInvalid, match=r"^qrels/train\.tsv:1: there is no such file") as caught:
        load(tmp_path, split="train")
    assert "dev, test" in caught.value.hint
    assert "there is no such file" in refused(tmp_path, split="../queries")


@pytest.mark.parametrize(
    ("lines", "line", "said"),
    [
        ([], 1, "no judgement in it"),
        ([HEAD], 1, "no judgement in it"),
        (["q1\ta\t1"], 1, "the first line is not the head"),
        (["q1 0 a 1"], 1, "the first line is not the head"),
        ([HEAD, "q1 a 1"], 2, "1 column instead of three"),
        ([HEAD, "", "q1\t0\ta\t1"], 3, "4 columns instead of three"),
        ([HEAD, "q1\ta\t1.0"], 2, 'the grade "1.0" is not a whole number'),
        ([HEAD, "q1\ta\t\u0661"], 2, "is not a whole number"),
        ([HEAD, "q1\ta\t1000000000"], 2, "is not a whole number up to 1,000"),
        ([HEAD, "\ta\t1"], 2, "no question id"),
        ([HEAD, "q1\t\t1"], 2, "no document id"),
        (
            [HEAD, "q1\ta\t1", "q1\ta\t2"],
            3,
            '"a" is judged again for "q1" with another grade (first on line 2)',
        ),
        ([HEAD, "q1\ta\t1", "q9\ta\t1"], 3, 'question "q9" is not in queries.jsonl'),
    ],
)
def test_a_wrong_judgement_is_named(tmp_path, lines, line, said):
    message = refused(write(tmp_path, qrels=lines))
    assert message.startswith(f"qrels/test.tsv:{line}: ")
    assert said in message


@pytest.mark.parametrize(
    ("queries", "line", "said"),
    [
        ([], 1, "no question in it"),
        (["{"], 1, "not JSON"),
        (
            [{"_id": "q1", "text": "?"}, {"_id": "q1", "text": "!"}],
            2,
            "for the second time (first on line 1)",
        ),
        ([{"text": "?"}], 1, '"_id" is missing or empty'),
        ([{"_id": 1, "text": "?"}], 1, '"_id" is the number 1'),
        ([{"_id": "q1"}], 1, '"text" is missing or empty'),
        ([{"_id": "q1", "text": ["?"]}], 1, '"text" is a list'),
        ([{"_id": "q1", "text": "x" * 8_001}], 1, "8,001 characters"),
    ],
)
def test_a_wrong_question_is_named(tmp_path, queries, line, said):
    message = refused(write(tmp_path, queries=queries))
    assert message.startswith(f"queries.jsonl:{line}: ")
    assert said in message


def test_a_question_that_is_not_judged_may_be_empty_or_long(tmp_path):
    queries = [{"_id": "q1", "text": "?"}, {"_id": "q2", "text": ""}, {"_id": "q3", "text": "x" * 9_000}]
    assert [case.id for case in load(write(tmp_path, queries=queries)).cases] == ["q1"]


def test_a_broken_or_repeated_document_is_named(tmp_path):
    assert refused(write(tmp_path, corpus=["a", "b", "a"])) == (
        'corpus.jsonl:3: the id "a" stands here for the second time (first on line 1)'
    )
    write(tmp_path)
    (tmp_path / "corpus.jsonl").write_text('{"_id": "a", "text": ""}\n{"_id": \n', encoding="utf-8")
    assert refused(tmp_path).startswith("corpus.jsonl:2: not JSON")
    (tmp_path / "corpus.jsonl").write_text("[]\n", encoding="utf-8")
    assert refused(tmp_path).startswith("corpus.jsonl:1: ")


def test_a_judged_document_that_the_corpus_lacks_stays_relevant_and_is_said(tmp_path):
    found = load(write(tmp_path, qrels=[HEAD, "q1\ta\t1", "q1\tgone\t1", "q2\taway\t1"]))
    assert found.cases[0].judgements == {"a": 1, "gone": 1}
    (note,) = found.notes
    lacking = "corpus.jsonl lacks the documents of 2 judgements, which count all the same"
    assert note == f'{lacking} (first: "gone", qrels/test.tsv:3)'


def test_what_is_judged_twice_alike_or_has_nothing_relevant_is_said(tmp_path):
    found = load(write(tmp_path, qrels=[HEAD, "q1\ta\t1", "q1\ta\t1", "q2\tb\t0"]))
    assert found.cases[0].judgements == {"a": 1}
    assert [note.partition(" (first")[0] for note in found.notes] == [
        "1 judgement given twice with the same grade",
        "retrieval metrics leave out 1 question without a relevant document",
    ]


def test_ids_are_composed_as_the_source_lists_them(tmp_path):
    found = load(write(tmp_path, corpus=["cafe\u0301"], qrels=[HEAD, "q1\tcafe\u0301\t1"]))
    assert found.cases[0].judgements == {"caf\u00e9": 1}
    assert found.notes == ()


def test_the_digest_is_of_questions_judgements_and_the_ids_of_the_corpus(tmp_path):
    first = load(write(tmp_path)).digest
    (tmp_path / "corpus.jsonl").write_text(
        "".join(f'{{"_id": "{name}", "text": "other"}}\n' for name in "abc"), encoding="utf-8"
    )
    assert load(tmp_path).digest == first
    assert load(write(tmp_path, corpus=["a", "b"])).digest != first
    assert load(write(tmp_path, qrels=[HEAD, "q1\ta\t2"])).digest != first
    assert load(write(tmp_path, queries=[{"_id": "q1", "text": "changed?"}])).digest != first


@pytest.mark.parametrize("missing", ["queries.jsonl", "corpus.jsonl"])
def test_a_folder_without_one_of_its_files_is_refused(tmp_path, missing):
    (write(tmp_path) / missing).unlink()
    assert missing in refused(tmp_path)


@pytest.mark.parametrize(("name", "questions", "judgements"), [("scifact", 300, 339), ("npl", 93, 2083)])
def test_public_collections_are_read_whole(real_data, name, questions, judgements):
    found = load(real_data / name)
    assert len(found.cases) == questions
    assert sum(len(case.judgements) for case in found.cases) == judgements
    assert found.notes == ()
