"""An evaluation run as JUnit XML, CSV and Markdown: whole, valid, and nothing in it is run."""

import csv
import io
from math import isnan, nan
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from evals import exports
from evals.cases import Case, Response
from evals.results import Comparison, EvalRun, Figure, Row, Setup

SYSTEMS = ("bm25", "hybrid")
FORMULA = tuple("=+-@\t\r\n")
# Any text a file can hold: halves of surrogate pairs are no characters.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
HOSTILE = TEXT | st.sampled_from(
    [
        "=1+1",
        "+A1",
        "-2",
        "@SUM(A1)",
        "\t=x",
        "\r=x",
        "a|b",
        "<script>",
        "]]>",
        "&lt;",
        "\x00\x1b[2J",
        "\ufffe",
    ]
)


def setup(**changes):
    values = {
        "run": "r-20261122T183000-7f3a9c",
        "created": "2026-11-22T18:30:00Z",
        "dataset": "questions.jsonl",
        "kind": "questions",
        "digest": "d" * 64,
        "questions": 2,
        "fold": None,
        "limit": None,
        "seed": None,
        "systems": SYSTEMS,
        "metrics": ("nDCG@10", "AUROC"),
        "config": {},
        "config_digest": "c" * 64,
        "generation": "g-20261122T183011-1c9e02",
        "version": "0.1.0",
        "actor": ("user:mia",),
        "status": "done",
    }
    return Setup(**(values | changes))


def row(system, case, numbers=None, **more):
    return Row(
        system, case, {"nDCG@10": (0.5,), "AUROC": (0.25, 1.0)} if numbers is None else numbers, **more
    )


def a_run(*rows, questions=("How many days?", "Who pays?"), **changes):
    cases = tuple(Case(f"q{at}", text) for at, text in enumerate(questions, 1))
    return EvalRun(setup(questions=len(cases), **changes), cases, rows)


def response(answer="28 days", **more):
    return Response(outcome="answered", answer=answer, confidence=0.83, timings_ms={"total": 1500.0}, **more)


RUN = a_run(
    row("hybrid", "q2", {"nDCG@10": (nan,)}, response=response()),
    row("hybrid", "q1", response=response()),
    row("bm25", "q1", {}, left_out={"nDCG@10": "no gold document", "AUROC": "this system gives no answer"}),
    row("bm25", "q2", {"nDCG@10": (0.0,)}, error="ValueError: too\x1b long\nsecond line"),
)
FIGURES = {
    "bm25": {"nDCG@10": Figure(0.0, 0.0, 0.0, 1, 1, 0, {"no gold document": 1})},
    "hybrid": {"nDCG@10": Figure(0.5, 0.4, 0.6, 1, 0, 1), "AUROC": Figure(nan, nan, nan, 0, 0, 0)},
}


def read(text):
    return list(csv.reader(io.StringIO(text, newline="")))


# -- JUnit ---------------------------------------------------------------------------------------


def test_junit_has_a_suite_a_system_and_a_case_a_question_in_their_order():
    root = ET.fromstring(exports.junit(RUN, FIGURES))
    suites = root.findall("testsuite")
    assert [suite.get("name") for suite in suites] == ["bm25", "hybrid"]
    assert [[case.get("name") for case in suite.findall("testcase")] for suite in suites] == [
        ["q1", "q2"]
    ] * 2
    assert suites[1].find("properties/property[@name='nDCG@10']").get("value") == "0.5"
    assert suites[1].findall("testcase")[0].get("time") == "1.500"


def test_junit_counts_what_it_holds():
    root = ET.fromstring(exports.junit(RUN, FIGURES))
    for element in (root, *root.findall("testsuite")):
        for attribute, tag in (
            ("tests", "testcase"),
            ("failures", "failure"),
            ("errors", "error"),
            ("skipped", "skipped"),
        ):
            assert int(element.get(attribute)) == len(list(element.iter(tag)))
    assert (root.get("tests"), root.get("failures"), root.get("errors"), root.get("skipped")) == tuple("4111")


def test_junit_tells_why_a_case_failed_without_control_characters():
    root = ET.fromstring(exports.junit(RUN, FIGURES))
    failure = root.find(".//failure")
    assert failure.get("message") == "ValueError: too long second line"
    assert failure.text == "ValueError: too long\nsecond line"
    assert "nDCG@10" in root.find(".//error").get("message")
    assert root.find(".//skipped").get("message") == "no gold document; this system gives no answer"


@given(HOSTILE, HOSTILE, HOSTILE)
def test_junit_is_valid_xml_whatever_is_in_it(question, error, system):
    run = a_run(row(system, "q1", error=error), questions=[question], systems=(system,))
    case = ET.fromstring(exports.junit(run, {})).find("testsuite/testcase")
    kept = "".join(sign for sign in error if sign in "\t\n\r" or (sign >= " " and sign not in "\ufffe\uffff"))
    # A parser reads CR and CR LF as LF.
    assert (case.find("failure").text or "").replace("\r", "\n") == kept.replace("\r\n", "\n").replace(
        "\r", "\n"
    )


# -- CSV -----------------------------------------------------------------------------------------


def test_csv_has_a_row_a_system_and_case_and_a_column_a_number():
    heads, *rows = read(exports.csv(RUN))
    assert heads[-3:] == ["nDCG@10", "AUROC[0]", "AUROC[1]"]
    assert [line[:2] for line in rows] == [["bm25", "q1"], ["bm25", "q2"], ["hybrid", "q1"], ["hybrid", "q2"]]
    assert rows[0][-3:] == ["", "", ""]
    assert rows[2][-3:] == ["0.5", "0.25", "1.0"]
    assert isnan(float(rows[3][-3]))
    assert dict(zip(heads, rows[2], strict=True))["confidence"] == "0.83"


@given(HOSTILE, HOSTILE)
def test_csv_gives_every_text_back_and_no_cell_begins_as_a_formula(question, answer):
    run = a_run(row("hybrid", "q1", response=response(answer)), questions=[question])
    heads, line = read(exports.csv(run))
    cells = dict(zip(heads, line, strict=True))
    for text, cell in ((question, cells["question"]), (answer, cells["answer"])):
        assert not cell.startswith(FORMULA)
        assert cell == (f"'{text}" if text.startswith((*FORMULA, *"＝＋－＠")) else text)


@given(st.floats(allow_nan=False, width=64))
def test_a_number_is_a_number_in_csv_negative_ones_too(value):
    _, line = read(exports.csv(a_run(row("hybrid", "q1", {"nDCG@10": (value,)}), questions=["why?"])))
    assert float(line[-2]) == value


# -- Markdown ------------------------------------------------------------------------------------


def cells(page):
    """The text of every table cell of a page, as a reader of Markdown sees it."""
    tokens = MarkdownIt("commonmark").enable("table").parse(page)
    inside = False
    for token in tokens:
        inside = token.type in {"th_open", "td_open"} or (inside and token.type == "inline")
        if inside and token.type == "inline":
            yield "".join(child.content for child in token.children)


def test_markdown_has_a_table_a_system_and_the_comparisons():
    one = Comparison("bm25", "hybrid", "nDCG@10", "", 2, 0.0, 0.5, 0.5, 0.4, 0.6, 0.01, 0.2, "better")
    page = exports.markdown(RUN, FIGURES, [one])
    found = list(cells(page))
    assert found[6:12] == ["nDCG@10", "0.000", "0.000 to 0.000", "1", "1", "0"]
    assert found[-9:] == [
        "bm25",
        "hybrid",
        "nDCG@10",
        "",
        "2",
        "+0.500",
        "+0.400 to +0.600",
        "0.010",
        "better",
    ]
    assert "left out 1: no gold document (nDCG@10)" in page
    assert "nan" not in page


@given(HOSTILE)
def test_markdown_cells_hold_the_text_and_no_mark_up(metric):
    page = exports.markdown(RUN, {"hybrid": {metric: Figure(0.5, 0.4, 0.6, 1, 0, 0)}})
    found = [cell for cell in cells(page) if cell][6 + 6 :]
    shown = " ".join(
        "".join(" " if sign < " " or "\x7f" <= sign <= "\x9f" else sign for sign in metric).split()
    )
    wanted = [shown] if shown.replace("\u2028", "").replace("\u2029", "").strip() else []
    assert [" ".join(cell.split()) for cell in found[: len(wanted)]] == wanted
    assert found[len(wanted) :] == ["0.500", "0.400 to 0.600", "1", "0", "0"]


# -- words and numbers ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.73149, "0.731"),
        (0.0, "0.000"),
        (-0.05, "-0.050"),
        (12.34, "12.3"),
        (12345.6, "12,346"),
        (0.00042, "0.0004"),
    ],
)
def test_a_figure_is_short_and_honest(value, shown):
    assert exports.number(value) == shown


def test_no_number_is_a_dash():
    assert exports.number(nan) == exports.number(float("inf")) == exports.span(nan, 0.5) == "-"
    assert exports.span(-0.1, 0.2, signed=True) == "-0.100 to +0.200"
