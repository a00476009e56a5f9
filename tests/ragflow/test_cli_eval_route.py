"""``ragflow eval route``: figures of the router alone, what decided, what went wrong, and levels."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.cases import Case
from ragflow.asking import Routed, SourceScore
from ragflow.cli import main
from ragflow.cli.eval_route import routes
from ragflow.route_evaluation import WANTED, Choice, Sent, evaluate, level, levels, reached

SOURCES = ("hr", "it", "legal")
DOCUMENTS = {
    "hr/leave.md": "# Leave\n\nEmployees get 28 days of annual leave. It is booked in the calendar.\n",
    "hr/pay.md": "# Pay\n\nSalaries are paid on the 25th of each month by bank transfer.\n",
    "it/vpn.md": "# VPN\n\nThe VPN client is installed from the software centre.\n",
    "it/laptop.md": "# Laptops\n\nA broken laptop is swapped at the service desk on weekdays.\n",
}
QUESTIONS = (
    {"id": "q1", "question": "How many days of annual leave do I get?", "source": "hr"},
    {"id": "q2", "question": "When are salaries paid?", "source": "hr"},
    {"id": "q3", "question": "Where do I install the VPN client from?", "source": "it"},
    {"id": "q4", "question": "Who swaps a broken laptop?", "source": "it"},
    {"id": "q5", "question": "On which day does the annual leave of the laptop get paid?", "source": "it"},
)


def case(number, source="hr", **given_as):
    return Case(f"q{number}", f"Question {number}?", source=source, **given_as)


def scored(best, *, chosen=None, by="scores", reason=None):
    """A route by scores: ``best`` has .8, the others share the rest."""
    order = [best, *(name for name in SOURCES if name != best)]
    scores = tuple(SourceScore(name, share) for name, share in zip(order, (0.8, 0.15, 0.05), strict=True))
    return Sent(Routed(chosen, by, "because", reason=reason, scores=scores), SOURCES)


def measured(cases, sent):
    return evaluate(cases, lambda one: sent[one.id], reach=0.9, progress=lambda *_: None)


# -- measuring -------------------------------------------------------------------------------------


def test_a_route_is_judged_by_its_best_source_by_what_was_searched_and_how_much():
    cases = [case(1), case(2), case(3, "it"), case(4, "it", tags=("also:legal",))]
    sent = {
        "q1": scored("hr", chosen=("hr",)),
        "q2": scored("it", chosen=("it", "hr")),
        "q3": scored("it", chosen=None, by="all"),
        "q4": scored("legal", chosen=("legal",)),
    }
    found = measured(cases, sent)
    values = {name: one.value for name, one in found.figures.items()}
    assert values["route_top1"] == 0.75
    assert values["route_recall"] == 0.75
    assert values["route_searched"] == pytest.approx((1 / 3 + 2 / 3 + 1 + 1 / 3) / 4)
    assert found.by == {"scores": 3, "all": 1}
    assert found.confusion == {"hr": {"hr": 1, "it": 1}, "it": {"it": 1}, "legal": {"legal": 1}}
    assert [one.case.id for one in found.wrong] == ["q2", "q4"]
    assert found.wrong[1].sources == ("legal",)


def test_a_question_that_is_sent_nowhere_misses_and_a_router_that_raises_fails():
    sent = {
        "q1": scored("hr", chosen=(), by="off_topic", reason="off_topic"),
        "q2": Sent(Routed((), "empty", "x"), ()),
    }
    found = measured([case(1), case(2), case(3)], sent)
    assert found.figures["route_recall"].value == 0
    assert found.figures["route_recall"].failed == 1
    assert [(one.case.id, one.best) for one in found.wrong] == [
        ("q1", "hr"),
        ("q2", "nowhere"),
        ("q3", "nowhere"),
    ]
    assert found.wrong[2].error.startswith("KeyError")


def test_what_nobody_reviewed_is_not_asked_and_without_sources_there_is_no_figure():
    found = measured([case(1, reviewed=False), case(2, None)], {"q2": scored("hr")})
    assert math.isnan(found.figures["route_top1"].value)
    assert found.to_json()["metrics"]["route_top1"]["value"] is None
    assert found.wrong == ()
    assert found.levels is None


# -- levels ----------------------------------------------------------------------------------------


@st.composite
def choices(draw):
    shares = sorted(draw(st.lists(st.floats(0.01, 1), min_size=3, max_size=3)), reverse=True)
    golds = draw(st.sets(st.sampled_from(SOURCES), min_size=1, max_size=2))
    return Choice(frozenset(golds), SOURCES, tuple(share / sum(shares) for share in shares))


@given(st.lists(choices(), min_size=1, max_size=60), st.sampled_from([0.5, 0.8, WANTED]))
def test_a_fitted_level_reaches_every_gold_source_in_the_share_that_was_wanted(chosen, wanted):
    found = level(chosen, wanted)
    right = [one.golds <= set(one.sources[: reached(one, found)]) for one in chosen]
    assert sum(right) >= min(len(chosen), math.ceil((len(chosen) + 1) * wanted)) or found == 1.0
    lower = max(0.0, found - 1e-4)
    fewer = [one.golds <= set(one.sources[: reached(one, lower)]) for one in chosen]
    assert sum(fewer) <= sum(right)


def test_a_gold_source_that_cannot_be_read_is_reached_by_no_level():
    unreachable = Choice(frozenset({"board"}), ("hr", "it"), (0.9, 0.1))
    assert level([unreachable], 0.4) == 1.0
    assert level([], WANTED) == 1.0


def test_levels_are_cross_fitted_and_need_thirty_questions_of_each_fold():
    easy = Choice(frozenset({"hr"}), SOURCES, (0.8, 0.15, 0.05))
    hard = Choice(frozenset({"it"}), SOURCES, (0.8, 0.15, 0.05))
    assert levels([(0, easy)] * 29 + [(1, easy)] * 40, 0.9) is None
    found = levels([(0, easy)] * 60 + [(1, hard)] * 60, 0.9)
    assert found.n == 120
    assert (found.shipped.level, found.shipped.recall) == (0.9, 1.0)
    assert found.shipped.searched == pytest.approx(2 / 3)
    # Each fold is judged by what the other needs: the hard ones are missed, the easy ones over-searched.
    assert found.fitted.recall == 0.5
    assert found.fitted.searched == pytest.approx(0.5)


# -- what is printed -------------------------------------------------------------------------------


def test_the_lines_tell_figures_what_decided_confusions_and_the_first_ten_that_went_wrong():
    cases = [case(number, tags=("x",)) for number in range(12)]
    found = measured(cases, {one.id: scored("it", chosen=("it",)) for one in cases})
    lines = list(routes(found.to_json(), 80))
    text = "\n".join(lines)
    assert lines[1].split() == ["best", "source", "is", "right", "0.000", "0.000", "to", "0.000", "12"]
    assert "decided by: scores 12" in text
    assert "12 went wrong, the first 10:" in text
    assert text.count("right hr; best it; searched it (by scores)") == 10
    assert "right one \\ best  hr  it" in text
    assert max(map(len, lines)) <= 80


def test_what_a_question_holds_is_escaped():
    found = measured([Case("q1", "Red \x1b[31m?", source="hr")], {"q1": scored("it")})
    found_wrong = measured([Case("q1", "Red \x1b[31m?", source="hr")], {"q1": scored("it", chosen=("it",))})
    assert "\x1b" not in "".join([*routes(found.to_json(), 80), *routes(found_wrong.to_json(), 80)])


# -- the command -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """Two sources of two documents, indexed, and questions that name their source."""
    folder = tmp_path_factory.mktemp("routes")
    for name, text in DOCUMENTS.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (folder / "ragflow.yaml").write_text(
        "version: 1\n"
        "sources:\n"
        "  hr: {type: files, path: hr, readers: [everyone], description: Leave and pay}\n"
        "  it: {type: files, path: it, readers: [everyone], description: Computers and networks}\n"
    )
    (folder / "questions.jsonl").write_text("".join(json.dumps(one) + "\n" for one in QUESTIONS))
    (folder / "bare.jsonl").write_text('{"id": "q1", "question": "How many days of leave?"}\n')
    assert main(["-C", str(folder), "index"]) == 0
    return folder


def test_the_command_asks_the_router_alone(workspace, capsys):
    capsys.readouterr()
    assert main(["-C", str(workspace), "eval", "route", "questions.jsonl", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["schema"] == "ragflow.eval_route/1"
    assert {"metrics", "by", "confusion", "levels", "wrong"} <= shown.keys()
    assert shown["metrics"]["route_top1"]["n"] == len(QUESTIONS)
    assert shown["metrics"]["route_recall"]["value"] >= 0.8
    assert sum(shown["by"].values()) == len(QUESTIONS)
    assert sum(sum(row.values()) for row in shown["confusion"].values()) == len(QUESTIONS)
    assert shown["levels"] is None
    assert not list((workspace / ".ragflow").glob("evals/r-*"))


def test_the_command_prints_a_table_and_takes_some(workspace, capsys):
    capsys.readouterr()
    assert main(["-C", str(workspace), "eval", "route", "questions.jsonl", "--limit", "2"]) == 0
    out = capsys.readouterr().out
    assert "best source is right" in out
    assert "decided by: " in out


def test_without_a_gold_source_there_is_nothing_to_say(workspace, capsys):
    capsys.readouterr()
    assert main(["-C", str(workspace), "eval", "route", "bare.jsonl"]) == 9
    assert "no gold source" in capsys.readouterr().out
