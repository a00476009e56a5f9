"""The one loop: every case is measured, or says why not; what a system raises stays with its case."""

import math
import subprocess
import sys

import pytest

import evals
from evals.cases import Case, Ranked, Response
from evals.errors import UnknownMetric
from evals.metrics import parse
from evals.running import KEPT, NOT_REVIEWED, Report, rows

METRICS = ["nDCG@10", "R@100", "token_F1", "CRAG"]


def case(name, **gold):
    return Case(name, f"Where is {name}?", judgements={f"docs/{name}.md": 1}, **gold)


def finding(asked):
    """Finds every gold document first, in a ranking of fifty."""
    others = (Ranked(f"docs/other-{number}.md", 1 - number / 100) for number in range(49))
    return Response((Ranked(f"docs/{asked.id}.md", 1.0, text="here"), *others))


def test_every_case_is_measured_and_a_figure_is_given_for_every_metric():
    report = evals.run([case("a"), case("b")], finding, METRICS)
    assert isinstance(report, Report)
    assert list(report.figures) == METRICS
    assert (report.figures["nDCG@10"].value, report.figures["nDCG@10"].n) == (1.0, 2)
    assert [row.case for row in report.rows] == ["a", "b"]


def test_a_metric_without_what_it_needs_leaves_the_case_out_and_says_why():
    report = evals.run([case("a")], finding, METRICS)
    assert math.isnan(report.figures["token_F1"].value)
    assert report.figures["token_F1"].left_out == {"this system gives no answer": 1}
    assert report.rows[0].left_out["CRAG"] == "this system gives no answer"


def test_a_case_whose_system_raises_counts_as_failed_and_the_rest_goes_on():
    def half(asked):
        if asked.id == "a":
            raise ConnectionError("no\nanswer")
        return finding(asked)

    report = evals.run([case("a"), case("b")], half, METRICS)
    first, second = report.rows
    assert (first.error, first.response, first.numbers["nDCG@10"]) == (
        "ConnectionError: no answer",
        None,
        (0.0,),
    )
    assert second.error is None
    assert (report.figures["nDCG@10"].value, report.figures["nDCG@10"].failed) == (0.5, 1)


@pytest.mark.parametrize("given", [None, "docs/a.md", Response(ranking=("docs/a.md",))])
def test_what_is_no_response_fails_its_case_alone(given):
    report = evals.run([case("a"), case("b")], lambda one: given if one.id == "a" else finding(one), METRICS)
    assert [row.error is None for row in report.rows] == [False, True]


def test_what_stops_a_program_stops_the_loop():
    def interrupted(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evals.run([case("a")], interrupted, METRICS)


def test_what_nobody_has_reviewed_is_not_asked():
    asked = []

    def asking(one):
        asked.append(one.id)
        return finding(one)

    report = evals.run([case("a", reviewed=False), case("b")], asking, METRICS)
    assert asked == ["b"]
    assert report.figures["nDCG@10"].n == 1
    assert NOT_REVIEWED == "nobody has reviewed it yet"


def test_without_any_case_no_figure_is_a_number():
    report = evals.run([], finding, METRICS)
    assert {(figure.n, math.isnan(figure.value)) for figure in report.figures.values()} == {(0, True)}


def test_an_unknown_metric_is_told_before_anything_is_asked():
    def never(_):
        raise AssertionError

    with pytest.raises(UnknownMetric):
        evals.run([case("a")], never, ["nDCG@10", "nDGC@10"])


def test_numbers_are_taken_from_the_whole_ranking_of_which_the_first_ten_are_kept():
    def last(asked):
        found = finding(asked).ranking
        return Response((*found[1:], found[0]))

    (row,) = evals.run([case("a")], last, ["R@100", "R@10"]).rows
    assert row.numbers == {"R@100": (1.0,), "R@10": (0.0,)}
    assert len(row.response.ranking) == KEPT == 10


def test_cases_that_are_done_are_passed_over():
    cases = [case("a"), case("b"), case("c")]
    found = rows(cases, finding, "dense", parse(METRICS), done={"a", "c"})
    assert [(row.system, row.case) for row in found] == [("dense", "b")]


def test_a_row_is_there_as_soon_as_its_case_is_measured():
    asked = []

    def asking(one):
        asked.append(one.id)
        return finding(one)

    found = rows([case("a"), case("b")], asking, "dense", parse(METRICS))
    next(found)
    assert asked == ["a"]


def test_a_system_that_only_retrieves_never_fails_to_answer():
    def broken(_):
        raise OSError("gone")

    (row,) = rows([case("a", answer="here")], broken, "dense", parse(METRICS), answers=False)
    assert set(row.numbers) == {"nDCG@10", "R@100"}
    assert row.left_out["token_F1"] == "this system gives no answer"


def test_the_pinned_name_is_the_function_whoever_imports_the_module():
    script = "from evals.running import rows\nimport evals\nassert evals.run.__name__ == 'run'"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_the_validator_of_ask_does_not_load_the_harness():
    script = "import sys, evals.grounding\nassert 'evals.running' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_a_name_that_is_not_there_is_said_to_be():
    with pytest.raises(AttributeError, match="has no attribute"):
        evals.ran  # noqa: B018
