"""TREC files: any tool can read them, whatever the names, and no tool can order them otherwise."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals import trec
from evals.cases import Ranked
from evals.errors import DatasetInvalid, ResultsNotWritable

names = st.text(st.characters(exclude_categories=["Cs"]))


def ranked(*documents):
    return [Ranked(document, 0.5) for document in documents]


@given(names)
def test_a_name_is_written_without_white_space_and_comes_back(name):
    written = trec.escape(name)
    assert written.split() == [written]
    assert trec.unescape(written) == name


@given(names, names)
def test_two_names_are_never_written_alike(one, other):
    assert (trec.escape(one) == trec.escape(other)) == (one == other)


def test_plain_names_are_written_as_they_are():
    assert trec.escape("hr/leave.docx!/Übersicht-10-K") == "hr/leave.docx!/Übersicht-10-K"
    assert trec.escape("hr/Leave policy 100%.docx") == "hr/Leave%20policy%20100%25.docx"


@given(st.dictionaries(names, st.lists(names, min_size=1, unique=True), max_size=4))
def test_what_is_written_is_read_in_the_same_order(tmp_path_factory, rankings):
    path = tmp_path_factory.getbasetemp() / "law.trec"
    trec.write(path, {question: ranked(*found) for question, found in rankings.items()}, "hybrid")
    read = trec.read(path)
    assert {question: [each.document for each in found] for question, found in read.items()} == rankings
    assert list(read) == list(rankings)


def test_a_run_file_looks_as_the_field_writes_it(tmp_path):
    path = tmp_path / "hybrid.trec"
    trec.write(path, {"q1": ranked("b", "a", "b", "c"), "q2": [], "q 3": ranked("d")}, "hybrid")
    assert path.read_text().splitlines() == [
        "q1 Q0 b 1 3 hybrid",
        "q1 Q0 a 2 2 hybrid",
        "q1 Q0 c 3 1 hybrid",
        "q%203 Q0 d 1 1 hybrid",
    ]


def test_scores_of_other_tools_are_read_and_ties_go_by_rank(tmp_path):
    path = tmp_path / "other.trec"
    path.write_text("q1 Q0 a 2 0.5 x\nq1 Q0 b 1 0.5 x\n\nq1\tQ0  c 3 7e-1 x\r\n")
    assert trec.read(path) == {"q1": [Ranked("c", 0.7), Ranked("b", 0.5), Ranked("a", 0.5)]}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("q1 Q0 a 1 0.5", "5 columns"),
        ("q1 Q0 a one 0.5 x", "run.trec:2: "),
        ("q1 Q0 a 1 high x", "high"),
        ("q1 Q0 a 1 nan x", "nan"),
        ("q1 Q0 b 1 1 x", "b stands twice for question q1"),
        ("q1 Q0 %FF 1 1 x", "run.trec:2: "),
    ],
)
def test_a_broken_line_is_named(tmp_path, line, message):
    path = tmp_path / "run.trec"
    path.write_text(f"q1 Q0 b 1 1 x\n{line}\n")
    with pytest.raises(DatasetInvalid, match=f"^run.trec:2: .*{message.removeprefix('run.trec:2: ')}"):
        trec.read(path)


def test_a_file_that_cannot_be_read_or_written_is_said(tmp_path):
    with pytest.raises(DatasetInvalid, match="cannot be read"):
        trec.read(tmp_path / "absent")
    (tmp_path / "latin").write_bytes(b"q1 Q0 \xfc 1 1 x\n")
    with pytest.raises(DatasetInvalid, match="UTF-8"):
        trec.read(tmp_path / "latin")
    with pytest.raises(ResultsNotWritable, match=os.strerror(2)):
        trec.write(tmp_path / "no" / "folder", {}, "x")
