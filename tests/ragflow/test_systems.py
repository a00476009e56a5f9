"""What is measured is what is shipped: the same search, the same answers, under the same rights."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import ragflow
from evals.cases import Case, Response, Turn
from evals.errors import UnknownSystem
from ragflow import systems
from ragflow.errors import QuestionError
from ragflow.functions import UnfitResponse, source_digest
from ragflow.remembering import Remembering
from ragflow.systems import Kit, asked, make

CONFIG = """\
version: 1
sources:
  open: {type: files, path: open, readers: [everyone]}
  hr: {type: files, path: hr, readers: [group:hr]}
"""
PAGES = {
    "open/leave.md": "# Annual leave\n\nEvery employee gets 28 days of paid annual leave in each year.\n",
    "open/travel.md": "# Travel\n\nTrains are booked before planes. Hotels above 140 euros need a yes.\n",
    "open/long.md": "# Moorings\n\n"
    + "\n\n".join(f"## Berth {n}\n\nBerth number {n} is moored with {n} ropes.\n" * 3 for n in range(24)),
    "hr/bands.md": "# Salary bands\n\nThe salary band of a senior engineer starts at 74,000 euros a year.\n",
}
LEAVE = Case("leave", "How many days of paid annual leave does every employee get?")
BANDS = Case("bands", "Where does the salary band of a senior engineer start?", readers=("group:hr",))
BERTHS = Case("berths", "How many ropes hold berth number 7?")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("systems")
    (folder / "ragflow.yaml").write_text(CONFIG)
    for name, text in PAGES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    with ragflow.open(folder) as app:
        assert app.index().exit_code == 0
    return folder


@pytest.fixture(scope="module")
def app(folder):
    with ragflow.open(folder) as opened:
        yield opened


@pytest.fixture(scope="module")
def new_kit(app) -> Callable[..., Kit]:
    questions = Remembering(app._embedder)
    index = app._open_index(lambda: questions)

    def make_kit(*, beir=False):
        readers = lambda case: frozenset({"everyone", *(case.readers or ())})  # noqa: E731
        return Kit(app.config, index, questions, actor="user:mia", readers=readers, beir=beir)

    yield make_kit
    index.close()


@pytest.mark.parametrize("system", ["lexical", "dense", "hybrid"])
@pytest.mark.parametrize("case", [LEAVE, BANDS, BERTHS], ids=lambda case: case.id)
def test_a_ranking_begins_with_the_hits_that_a_search_shows(app, new_kit, system, case):
    response = make(system, new_kit())(case)
    ranking, sources = response.ranking, response.sources  # hybrid searches what its route searches
    readers = ["everyone", *(case.readers or ())]
    hits = app.find(case.question, readers=readers, sources=sources, system=system).found.hits
    shown = [(one.document, one.chunk, one.start, one.end, one.title, one.text) for one in ranking[:10]]
    assert shown == [(hit.document, hit.chunk, hit.start, hit.end, hit.title, hit.text) for hit in hits]
    assert [one.score for one in ranking] == sorted((one.score for one in ranking), reverse=True)
    deep = app.find(case.question, readers=readers, sources=sources, system=system, k=1000).found.hits
    assert [one.document for one in ranking] == [hit.document for hit in deep]
    assert not any(one.text for one in ranking[10:])


@pytest.mark.parametrize("system", systems.BUILT_IN)
def test_nothing_is_found_that_the_readers_may_not_read(new_kit, system):
    asked = make(system, new_kit())
    hidden = Case("bands", BANDS.question)
    assert "hr/bands.md" in {one.document for one in asked(BANDS).ranking}
    assert "hr/bands.md" not in {one.document for one in asked(hidden).ranking}


def test_hybrid_answers_as_ask_does(app, new_kit):
    response = make("hybrid", new_kit())(LEAVE)
    answer = app.ask(LEAVE.question, readers=["everyone"])
    assert (response.outcome, response.reason, response.answer) == (answer.outcome, None, answer.answer)
    assert response.confidence == answer.confidence
    assert [claim.text for claim in response.claims] == [claim.text for claim in answer.claims]
    (claim,), (cited,) = response.claims, response.citations
    assert claim.citations == (0,)
    told = answer.citations[0]
    assert (cited.document, cited.start, cited.end, cited.quote) == (
        told.document,
        told.start,
        told.end,
        told.quote,
    )
    assert cited.quote in cited.passage
    assert ("heading", "Annual leave") in cited.anchors
    assert response.sources is None, "there is one source: nothing was chosen"


def test_a_route_is_measured_against_searching_everything(app, new_kit):
    response = make("hybrid", new_kit())(BANDS)
    assert (response.sources, response.best_source, response.searched) == (("hr",), "hr", 0.5)
    assert {name.partition("/")[0] for name in response.everything} == {"hr", "open"}
    assert {one.document for one in response.ranking} == {"hr/bands.md"}


def test_a_follow_up_is_asked_with_what_it_leaves_out(new_kit):
    history = (Turn("user", "How many ropes hold berth number 7?"), Turn("assistant", "Seven."))
    follow_up = Case("more", "And how about its moorings?", history=history)
    assert asked(follow_up) != follow_up.question
    assert "berth" in asked(follow_up).lower()
    assert asked(BERTHS) == BERTHS.question


def test_hybrid_refuses_as_ask_does(app, new_kit):
    moon = Case("moon", "Who painted the ceiling of the chapel on the moon?")
    response = make("hybrid", new_kit())(moon)
    assert (response.outcome, response.claims, response.answer) == ("not_found", (), "")
    assert response.reason == app.ask(moon.question, readers=["everyone"]).reason


def test_an_evaluation_leaves_no_run_of_each_question(app, new_kit):
    before = [one["run"] for one in app.runs(1000, app.asker())]
    make("hybrid", new_kit())(LEAVE)
    assert [one["run"] for one in app.runs(1000, app.asker())] == before


@pytest.mark.parametrize("system", systems.BUILT_IN)
def test_on_beir_data_nothing_is_answered_and_documents_are_items(new_kit, system):
    response = make(system, new_kit(beir=True))(LEAVE)
    assert response.outcome is None
    assert response.ranking[0].document == "leave.md"
    assert response.ranking[0].chunk.startswith("open/leave.md@")


@pytest.mark.parametrize("system", systems.BUILT_IN)
def test_a_ranking_goes_on_until_it_has_the_documents_wanted_or_all(new_kit, system, monkeypatch):
    whole = make(system, new_kit(beir=True))(BERTHS).ranking
    assert len(whole) > len({one.document for one in whole}), "several chunks of one document"
    monkeypatch.setattr(systems, "DEPTH", 2)
    cut = make(system, new_kit(beir=True))(BERTHS).ranking
    assert cut == whole[: len(cut)]
    assert len({one.document for one in cut}) == min(2, len({one.document for one in whole}))


def test_the_baseline_knows_titles_and_gives_rank_bm25s_scores(app, new_kit):
    from evals.bm25 import Baseline

    ranking = make("bm25", new_kit())(LEAVE).ranking
    readable = sorted(
        (one for one in app._index().chunks(frozenset({"everyone"}))), key=lambda one: one.chunk
    )
    expected = Baseline([(one.chunk, f"{one.title}\n{one.text}", "en") for one in readable])
    best = expected.rank(LEAVE.question, 1000)
    assert [(one.chunk, one.score) for one in ranking[:10]] == best[:10]
    assert [one.document for one in ranking] == [chunk.rpartition("@")[0] for chunk, _ in best]


def test_the_baseline_follows_what_the_readers_may_read(folder, tmp_path, clone):
    with ragflow.open(clone(folder, tmp_path / "copy")) as app:
        questions = Remembering(app._embedder)
        index = app._open_index(lambda: questions)
        kit = Kit(app.config, index, questions, "user:mia", lambda _: frozenset({"everyone"}), beir=False)
        baseline = make("bm25", kit)
        assert baseline(LEAVE).ranking[0].document == "open/leave.md"
        (app.config.folder / "open" / "leave.md").unlink()
        app.index(allow_deletes=True)
        assert "open/leave.md" not in {one.document for one in baseline(LEAVE).ranking}
        index.close()


def test_a_question_is_embedded_once_and_every_system_is_told_its_time(app):
    calls = []

    class Counting:
        key, dimensions, max_tokens = app._embedder().key, 384, 256

        def embed(self, texts, *, queries=False):
            calls.append((list(texts), queries))
            return app._embedder().embed(texts)

        def token_offsets(self, text):
            return app._embedder().token_offsets(text)

    questions = Remembering(Counting)
    index = app._open_index(lambda: questions)
    kit = Kit(app.config, index, questions, "user:mia", lambda _: frozenset({"everyone"}), beir=True)
    timings = [make(system, kit)(LEAVE).timings_ms for system in systems.BUILT_IN]
    index.close()
    assert calls == [([LEAVE.question], True)]
    bm25, lexical, dense, hybrid = timings
    assert set(bm25) == set(lexical) == {"search", "total"}
    assert dense["embed"] == hybrid["embed"] > 0
    assert all(one["total"] >= one["search"] + one.get("embed", 0) - 0.01 for one in timings)


def test_what_is_remembered_is_what_the_model_gives(app):
    questions = Remembering(app._embedder)
    questions.know("leave")
    assert np.array_equal(questions.embed(["leave"], queries=True), app._embedder().embed(["leave"]))
    assert np.array_equal(questions.embed(["leave"]), app._embedder().embed(["leave"]))
    assert np.array_equal(questions.embed(["leave", "x"]), app._embedder().embed(["leave", "x"]))
    assert questions.token_offsets("leave") == app._embedder().token_offsets("leave")
    mine = (questions.key, questions.dimensions, questions.max_tokens)
    assert mine == (app._embedder().key, app._embedder().dimensions, app._embedder().max_tokens)


@pytest.mark.parametrize("system", systems.BUILT_IN)
@pytest.mark.parametrize("question", ["", "  ", "x" * 8001, "\ud800"])
def test_what_cannot_be_asked_is_no_question(new_kit, system, question):
    with pytest.raises(QuestionError):
        make(system, new_kit())(Case("q", question))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("hybird", 'nearest: "hybrid"'),
        ("", "no system"),
        ("reranked", "no reranker is configured"),
        ("nosuchmodule:ask", "cannot be imported: ModuleNotFoundError"),
        ("json:nosuch", "cannot be imported: AttributeError"),
        (":ask", "cannot be imported"),
        ("json:", "cannot be imported"),
        ("sys:path", "is no function"),
    ],
)
def test_an_unknown_system_is_told(new_kit, name, said):
    with pytest.raises(UnknownSystem, match=said) as caught:
        make(name, new_kit())
    assert caught.value.hint


MODULE = """
from evals.cases import Ranked, Response, Statement

def good(case):
    return Response((Ranked("open/leave.md", 1.0),), timings_ms={"mine": 3.0})

def untimed(case):
    return Response((Ranked("open/leave.md", 1.0),))

def nothing(case):
    return None

def words(case):
    return Response(ranking=("open/leave.md",))

def numbered(case):
    return Response((Ranked("open/leave.md", "high"),))

def endless(case):
    return Response((Ranked("open/leave.md", float("nan")),))

def sure(case):
    return Response(outcome="not_found", confidence=2.0)

def unproven(case):
    return Response(outcome="answered", claims=(Statement("It is so.", (0,)),))

def told(case):
    return Response(outcome="maybe")

class Nested:
    @staticmethod
    def ask(case):
        return Response()
"""


@pytest.fixture
def theirs(tmp_path, monkeypatch):
    (tmp_path / "their_system.py").write_text(MODULE)
    (tmp_path / "their_broken.py").write_text("raise RuntimeError('no licence')")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "their_system", raising=False)
    monkeypatch.chdir(tmp_path)


def test_anybodys_function_is_found_in_the_working_folder(theirs, new_kit):
    response = make("their_system:good", new_kit())(LEAVE)
    assert (response.ranking[0].document, response.timings_ms) == ("open/leave.md", {"mine": 3.0})
    assert set(make("their_system:untimed", new_kit())(LEAVE).timings_ms) == {"total"}
    assert make("their_system:Nested.ask", new_kit())(LEAVE).ranking == ()


def test_what_a_module_raises_while_it_is_imported_is_told(theirs, new_kit):
    with pytest.raises(UnknownSystem, match="RuntimeError: no licence"):
        make("their_broken:ask", new_kit())


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("nothing", "returned NoneType, not evals.cases.Response"),
        ("words", r"whose ranking\.0 is wrong"),
        ("numbered", r"whose ranking\.0\.score is wrong"),
        ("endless", "a score, a time or a cost that is no number"),
        ("sure", "a confidence of 2.0"),
        ("told", "whose outcome is wrong"),
        ("unproven", "cites what is not among its citations"),
    ],
)
def test_what_a_function_gives_is_checked(theirs, new_kit, function, said):
    with pytest.raises(UnfitResponse, match=said):
        make(f"their_system:{function}", new_kit())(LEAVE)


def test_a_changed_module_is_another_system(theirs, tmp_path, new_kit):
    make("their_system:good", new_kit())
    first = source_digest("their_system:good")
    (tmp_path / "their_system.py").write_text(MODULE + "# changed")
    assert len(first) == 64
    assert source_digest("their_system:good") not in {None, first}
    assert source_digest("sys:path") is None


def test_who_answers_and_who_only_retrieves():
    assert [name for name in systems.BUILT_IN if systems.answers(name, beir=False)] == ["hybrid"]
    assert not any(systems.answers(name, beir=True) for name in systems.BUILT_IN)
    assert systems.answers("module:function", beir=True)
    assert isinstance(Response().timings_ms, dict)
