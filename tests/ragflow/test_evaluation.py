"""``App.evaluation``: whose rights count, what is left out, what is stored, and going on after a kill."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import ragflow
from evals import trec
from evals.figures import figures
from evals.proposals import propose
from ragflow import identity
from ragflow.errors import (
    CannotSay,
    DatasetInvalid,
    NoGeneration,
    NotAllowed,
    OutsideCause,
    ReaderError,
    StoreDamaged,
    UnknownMetric,
    UnknownRun,
    UnknownSystem,
    WeightsMismatch,
    WeightsMissing,
)
from ragflow.evaluation import RunOptions

LOGIN = identity.login()
CONFIG = f"""\
version: 1
sources:
  open: {{type: files, path: open, readers: [everyone]}}
  hr: {{type: files, path: hr, readers: [group:hr]}}
identity: {{impersonate: [{json.dumps(LOGIN)}]}}
"""
PAGES = {
    "open/leave.md": "# Annual leave\n\nEvery employee gets 28 days of paid annual leave in each year.\n",
    "open/travel.md": "# Travel\n\nTrains are booked before planes. Hotels above 140 euros need a yes.\n",
    "hr/bands.md": "# Salary bands\n\nThe salary band of a senior engineer starts at 74,000 euros a year.\n",
}
LEAVE = {
    "id": "leave",
    "question": "How many days of paid annual leave does every employee get?",
    "answerable": True,
    "quotes": [{"document": "open/leave.md", "quote": "28 days of paid annual leave"}],
    "answer": "28 days",
    "source": "open",
}
BANDS = {
    "id": "bands",
    "question": "Where does the salary band of a senior engineer start?",
    "readers": ["group:hr"],
    "documents": ["hr/bands.md"],
}
MOON = {"id": "moon", "question": "Who painted the chapel on the moon?", "answerable": False, "documents": []}
QUICK = RunOptions(systems=("bm25", "lexical"), metrics=("nDCG@10", "MAP"))

# A system that says which case it was asked, and waits to be killed at the one that is named.
WAITING = """
import os, pathlib, time
from evals.cases import Ranked, Response

def ask(case):
    with open("asked", "a") as file:
        file.write(case.id + "\\n")
    if os.environ.get("STOP_AT") == case.id:
        pathlib.Path("waiting").touch()
        time.sleep(600)
    if case.id == "moon":
        raise ConnectionError("the model is gone")
    return Response((Ranked("open/leave.md", 1.0),))
"""
CHILD = """
import sys
from pathlib import Path
import ragflow
from ragflow.evaluation import RunOptions

with ragflow.open(".") as app:
    options = RunOptions(systems=("bm25", "waiting:ask"), metrics=("nDCG@10",))
    app.evaluation().run(Path("questions.jsonl"), options)
"""
Clone = Callable[[Path, Path], Path]


def ask_file(folder, *questions):
    path = folder / "questions.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in questions))
    return path


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluation") / "indexed"
    for name, text in PAGES.items():
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_text(text)
    (folder / "ragflow.yaml").write_text(CONFIG)
    with ragflow.open(folder) as app:
        assert app.index().exit_code == 0
    return folder


@pytest.fixture
def folder(indexed: Path, tmp_path: Path, clone: Clone, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = clone(indexed, tmp_path / "workspace")
    monkeypatch.chdir(copy)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "waiting", raising=False)
    return copy


@pytest.fixture
def app(folder):
    with ragflow.open(folder) as opened:
        yield opened


def test_a_question_file_is_retrieved_by_four_systems_and_answered_by_the_configured_one(app, folder):
    seen = []
    done = app.evaluation().run(
        ask_file(folder, LEAVE, BANDS, MOON), RunOptions(), lambda *step: seen.append(step)
    )
    assert done.setup.systems == ("bm25", "lexical", "dense", "hybrid")
    assert [step for step in seen if step[0] == "dense"] == [("dense", at, 3) for at in range(4)]
    assert not any(row.error for row in done.rows)
    found = figures(done, "hybrid")
    assert (found["CRAG"].value, found["CRAG"].n) == (1.0, 2)
    assert (found["nDCG@10"].value, found["nDCG@10"].n) == (1.0, 2)
    assert figures(done, "lexical")["CRAG"].left_out == {"this system gives no answer": 3}
    assert found["route_accuracy"].n == 0
    assert done.of("hybrid")["moon"].response.outcome == "not_found"


def test_a_run_is_read_back_and_can_be_traced(app, folder):
    path = ask_file(folder, LEAVE)
    done = app.evaluation().run(path, QUICK)
    assert app.evaluation().load(done.setup.run) == app.evaluation().load("last") == done
    assert app.evaluation().runs() == [done.setup]
    setup = done.setup
    assert (setup.dataset, setup.kind, setup.status, len(setup.digest)) == (
        str(path),
        "questions",
        "done",
        64,
    )
    assert setup.generation == app.generations()[0]["generation"]
    assert setup.config_digest == app.config.digest
    assert setup.config["search"]["k"] == 10
    assert setup.actor[0] == app.asker().actor
    record = app.run(setup.run, app.asker())
    assert (record["kind"], record["status"], record["input"]["digest"]) == ("eval", "done", setup.digest)
    assert record["output"]["failed"] == {"bm25": 0, "lexical": 0}
    assert app._runs.check(setup.run) == "intact"
    assert record["output"]["results"] == app.evaluation()._stored.digest(setup.run)


def test_no_secret_of_the_configuration_is_stored(folder):
    text = (folder / "ragflow.yaml").read_text() + "embed: {model: 'https://mia:hunter2secret@models/x'}\n"
    text = text.replace(
        "readers: [everyone]}", 'readers: [everyone], description: "password: hunter2secret"}'
    )
    (folder / "ragflow.yaml").write_text(text)
    with ragflow.open(folder) as app:
        done = app.evaluation().run(ask_file(folder, LEAVE), QUICK)
    assert done.setup.config["embed"]["model"] == "https://mia:[secret]@models/x"
    assert b"hunter2secret" not in (folder / ".ragflow/evals" / done.setup.run / "run.json").read_bytes()


def test_what_nobody_reviewed_and_what_has_left_the_index_is_not_asked_and_said(app, folder):
    gone = {**LEAVE, "id": "gone", "quotes": None, "documents": ["open/gone.md"]}
    both = {**gone, "id": "both", "documents": ["open/gone.md", "open/lost.md"]}
    partly = {**gone, "id": "partly", "documents": ["open/gone.md", "open/leave.md"]}
    raw = {**LEAVE, "id": "raw", "reviewed": False}
    done = app.evaluation().run(ask_file(folder, LEAVE, gone, both, partly, raw), QUICK)
    assert done.setup.excluded == {
        "raw": "nobody has reviewed it yet",
        "gone": "its gold document is not in the index: open/gone.md",
        "both": "its gold documents are not in the index: open/gone.md, open/lost.md",
    }
    assert {row.case for row in done.rows} == {"leave", "partly"}
    assert (len(done.cases), done.setup.questions) == (5, 5)
    assert figures(done, "lexical")["nDCG@10"].n == 2


def test_a_hidden_gold_document_looks_like_an_absent_one(app, folder):
    hidden = {**BANDS, "readers": None}
    with_it = app.evaluation().run(ask_file(folder, hidden, LEAVE), QUICK).setup.excluded
    (folder / "hr" / "bands.md").unlink()
    app.index(allow_deletes=True)
    assert with_it == app.evaluation().run(folder / "questions.jsonl", QUICK).setup.excluded != {}


def test_a_case_is_asked_with_its_own_readers_else_the_named_else_the_actors(app, folder):
    path = ask_file(folder, BANDS, {**BANDS, "id": "mine", "readers": None})
    own = app.evaluation().run(path, QUICK)
    assert set(own.setup.excluded) == {"mine"}
    named = app.evaluation().run(path, RunOptions(("lexical",), ("nDCG@10",), readers=("group:hr",)))
    assert named.setup.excluded == {}
    assert "group:hr" in named.setup.actor
    assert figures(named, "lexical")["nDCG@10"].value == 1.0


def test_a_question_asked_as_others_needs_the_right_and_is_left_out_without_it(folder):
    text = (folder / "ragflow.yaml").read_text()
    (folder / "ragflow.yaml").write_text(text.partition("identity:")[0])
    with ragflow.open(folder) as app:
        actor = app.asker().actor
        mixed = app.evaluation().run(ask_file(folder, LEAVE, BANDS), QUICK)
        assert mixed.setup.excluded == {"bands": f"{actor} may not stand in for group:hr"}
        assert {row.case for row in mixed.rows} == {"leave"}
        with pytest.raises(NotAllowed, match="may not stand in for group:hr"):
            app.evaluation().run(ask_file(folder, BANDS), QUICK)
        with pytest.raises(NotAllowed):
            app.evaluation().run(ask_file(folder, LEAVE), RunOptions(readers=("group:hr",)))
        own = {**LEAVE, "readers": [app.asker().actor, "everyone"]}
        assert app.evaluation().run(ask_file(folder, own), QUICK).rows
        assert len(app.evaluation().runs()) == 2


def test_runs_belong_to_their_actor_and_auditors_see_all(folder):
    with ragflow.open(folder) as app:
        run = app.evaluation().run(ask_file(folder, LEAVE), QUICK).setup.run
    text = (folder / "ragflow.yaml").read_text()
    other = text.replace("identity: {", f"identity: {{principals: {{{json.dumps(LOGIN)}: [user:other]}}, ")
    (folder / "ragflow.yaml").write_text(other)
    with ragflow.open(folder) as app:
        assert app.evaluation().runs() == []
        for name in (run, "last"):
            with pytest.raises(UnknownRun):
                app.evaluation().load(name)
    (folder / "ragflow.yaml").write_text(
        other.replace("identity: {", f"identity: {{auditors: [{json.dumps(LOGIN)}], ")
    )
    with ragflow.open(folder) as app:
        assert app.evaluation().load(run).setup.run == run


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (RunOptions(systems=("bm25", "hybird")), UnknownSystem),
        (RunOptions(systems=("reranked",)), UnknownSystem),
        (RunOptions(systems=("nosuch:ask",)), UnknownSystem),
        (RunOptions(metrics=("nDGC@10",)), UnknownMetric),
        (RunOptions(readers=("hr",)), ReaderError),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is_stored(app, folder, options, error):
    with pytest.raises(error) as caught:
        app.evaluation().run(ask_file(folder, LEAVE), options)
    assert (caught.value.exit_code, bool(caught.value.hint)) == (2, True)
    assert not (folder / ".ragflow" / "evals").exists()


def test_a_broken_data_set_names_its_line(app, folder):
    path = ask_file(folder, LEAVE, {**MOON, "answerabel": True})
    with pytest.raises(DatasetInvalid, match=r"^questions\.jsonl:2:"):
        app.evaluation().run(path, QUICK)
    with pytest.raises(DatasetInvalid):
        app.evaluation().run(folder / "nosuch.jsonl", QUICK)


def test_without_an_index_there_is_nothing_to_evaluate(tmp_path):
    (tmp_path / "ragflow.yaml").write_text(CONFIG)
    with ragflow.open(tmp_path) as app:
        with pytest.raises(NoGeneration):
            app.evaluation().run(ask_file(tmp_path, LEAVE), QUICK)
        assert app.evaluation().runs() == []
        with pytest.raises(UnknownRun, match="nothing has been evaluated yet"):
            app.evaluation().load("last")


@pytest.mark.parametrize("name", ["r-20261122T183000-7f3a9c", "../current", ""])
def test_a_run_that_is_not_there_is_unknown(app, name):
    with pytest.raises(UnknownRun):
        app.evaluation().load(name)


def test_a_damaged_run_is_told_and_hides_no_other(app, folder):
    first = app.evaluation().run(ask_file(folder, LEAVE), QUICK).setup.run
    second = app.evaluation().run(ask_file(folder, LEAVE), QUICK).setup.run
    path = folder / ".ragflow" / "evals" / second / "results.jsonl"
    path.write_text("{}\n" + path.read_text())
    with pytest.raises(StoreDamaged, match=r"results\.jsonl:1"):
        app.evaluation().load(second)
    assert app.evaluation().load(first).setup.run == first


def test_results_that_cannot_be_written_are_told(app, folder):
    (folder / ".ragflow" / "evals").write_text("a file")
    with pytest.raises(OutsideCause, match="cannot be written"):
        app.evaluation().run(ask_file(folder, LEAVE), QUICK)


def test_a_system_that_fails_loses_its_case_alone_and_is_recorded(app, folder):
    (folder / "waiting.py").write_text(WAITING)
    done = app.evaluation().run(
        ask_file(folder, LEAVE, {**LEAVE, "id": "moon"}), RunOptions(("waiting:ask",), ("nDCG@10", "CRAG"))
    )
    found = figures(done, "waiting:ask")["nDCG@10"]
    assert (found.value, found.n, found.failed) == (0.5, 2, 1)
    assert done.of("waiting:ask")["moon"].error == "ConnectionError: the model is gone"
    assert app.run(done.setup.run, app.asker())["output"]["failed"] == {"waiting:ask": 1}


def test_a_killed_run_goes_on_where_it_was(folder):
    (folder / "waiting.py").write_text(WAITING)
    questions = [{**LEAVE, "id": name} for name in ("a", "b", "moon", "d")]
    path = ask_file(folder, *questions)
    command = [sys.executable, "-c", CHILD]
    with subprocess.Popen(command, cwd=folder, env={**os.environ, "STOP_AT": "d"}) as child:
        while not (folder / "waiting").exists():
            assert child.poll() is None, "it ended before it could be killed"
        child.send_signal(signal.SIGKILL)
    options = RunOptions(systems=("bm25", "waiting:ask"), metrics=("nDCG@10",))
    with ragflow.open(folder) as app:
        (left,) = app.evaluation().runs()
        assert left.status == "running"
        seen = []
        done = app.evaluation().run(path, options, lambda *step: seen.append(step))
        assert done.setup.run == left.run
        assert app.evaluation().load("last") == done
        assert len(app.evaluation().runs()) == 1
    assert seen == [("bm25", 4, 4), ("waiting:ask", 3, 4), ("waiting:ask", 4, 4)]
    assert (folder / "asked").read_text().split() == ["a", "b", "moon", "d", "d"]
    assert [(row.system, row.case) for row in done.rows] == [
        (system, one["id"]) for system in done.setup.systems for one in questions
    ]


@pytest.mark.parametrize("fresh", [False, True])
def test_an_interrupted_run_keeps_what_it_has(app, folder, fresh):
    def interrupt(system, done, _):
        if (system, done) == ("lexical", 1):
            raise KeyboardInterrupt

    path = ask_file(folder, LEAVE, MOON)
    with pytest.raises(KeyboardInterrupt):
        app.evaluation().run(path, QUICK, interrupt)
    (left,) = app.evaluation().runs()
    assert len(app.evaluation().load("last").rows) == 3
    done = app.evaluation().run(path, RunOptions(QUICK.systems, QUICK.metrics, resume=not fresh))
    assert len(done.rows) == 4
    assert (done.setup.run == left.run) is not fresh


def test_a_damaged_run_that_was_left_does_not_stand_in_the_way(app, folder):
    def interrupt(system, done, _):
        if (system, done) == ("lexical", 1):
            raise KeyboardInterrupt

    path = ask_file(folder, LEAVE, MOON)
    with pytest.raises(KeyboardInterrupt):
        app.evaluation().run(path, QUICK, interrupt)
    left = app.evaluation().runs()[0].run
    rows = folder / ".ragflow" / "evals" / left / "results.jsonl"
    rows.write_text("{}\n" + rows.read_text())
    assert app.evaluation().run(path, QUICK).setup.run != left
    assert rows.read_text().startswith("{}\n")


def test_a_run_killed_between_its_record_and_its_end_is_recorded_once(app, folder, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    path, evaluation = ask_file(folder, LEAVE), app.evaluation()
    monkeypatch.setattr(evaluation._stored, "finish", killed)
    with pytest.raises(KeyboardInterrupt):
        evaluation.run(path, QUICK)
    done = app.evaluation().run(path, QUICK)
    assert [one.setup.status for one in (app.evaluation().load("last"), done)] == ["done", "done"]
    evals = [one["run"] for one in app.runs(100, app.asker()) if one["kind"] == "eval"]
    assert evals == [done.setup.run]
    assert app._runs.check(done.setup.run) == "intact"


@pytest.mark.parametrize("system", ["dense", "hybrid"])
def test_a_model_that_is_not_there_is_told_before_anything_is_asked(folder, system):
    path = ask_file(folder, LEAVE)
    with ragflow.open(folder, overrides=["embed.model=./no-such-model"]) as app:
        with pytest.raises(WeightsMissing):
            app.evaluation().run(path, RunOptions((system,), ("nDCG@10",)))
        assert app.evaluation().run(path, QUICK).rows[0].error is None
    with ragflow.open(folder, overrides=["embed.precision=int8"]) as app, pytest.raises(WeightsMismatch):
        app.evaluation().run(path, RunOptions((system,), ("nDCG@10",)))


def test_a_changed_function_is_not_gone_on_with(app, folder, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    (folder / "waiting.py").write_text(WAITING)
    path, options = ask_file(folder, LEAVE), RunOptions(("waiting:ask",), ("nDCG@10",))
    with pytest.raises(KeyboardInterrupt):
        app.evaluation().run(path, options, interrupt)
    (folder / "waiting.py").write_text(WAITING + "# better")
    app.evaluation().run(path, options)
    assert len(app.evaluation().runs()) == 2


def test_whole_rankings_are_written_for_other_tools(app, folder):
    path = ask_file(folder, LEAVE, BANDS)
    options = RunOptions(("lexical", "hybrid"), ("nDCG@10",), trec=folder / "out" / "here")
    done = app.evaluation().run(path, options)
    for system in done.setup.systems:
        written = trec.read(folder / "out" / "here" / f"{system}.trec")
        for case, row in done.of(system).items():
            documents = list(dict.fromkeys(one.document for one in row.response.ranking))
            assert [one.document for one in written[case]] == documents


def test_a_run_stays_with_its_generation_whatever_is_promoted_meanwhile(app, folder):
    before = app.generations()[0]["generation"]

    def promote(system, done, _):
        if (system, done) == ("bm25", 1):
            (folder / "open" / "new.md").write_text(PAGES["open/leave.md"] * 2)
            with ragflow.open(folder) as other:
                other.index()

    done = app.evaluation().run(ask_file(folder, LEAVE, {**LEAVE, "id": "again"}), QUICK, promote)
    assert app.generations()[0]["generation"] != before == done.setup.generation
    found = {one.document for row in done.rows for one in row.response.ranking}
    assert "open/leave.md" in found
    assert "open/new.md" not in found
    assert app.evaluation().run(folder / "questions.jsonl", QUICK).setup.generation != before


def test_folds_and_limits_choose_cases(app, folder):
    path = ask_file(folder, *({**LEAVE, "id": f"q{number}"} for number in range(12)))
    halves = [app.evaluation().run(path, RunOptions(("lexical",), ("MAP",), fold=fold)) for fold in (0, 1)]
    asked = [{case.id for case in half.cases} for half in halves]
    assert (len(asked[0] | asked[1]), asked[0] & asked[1]) == (12, set())
    few = app.evaluation().run(path, RunOptions(("lexical",), ("MAP",), limit=3, seed=7))
    assert (len(few.cases), few.setup.limit, few.setup.seed) == (3, 3, 7)


def test_a_beir_folder_is_evaluated_by_item(tmp_path):
    data = tmp_path / "data"
    (data / "qrels").mkdir(parents=True)
    corpus = [{"_id": f"d{n}", "title": f"Berth {n}", "text": f"Berth {n} has {n} ropes."} for n in range(5)]
    (data / "corpus.jsonl").write_text("".join(json.dumps(one) + "\n" for one in corpus))
    (data / "queries.jsonl").write_text('{"_id":"q1","text":"berth 3 ropes"}\n{"_id":"q2","text":"zebra"}\n')
    (data / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td3\t1\nq2\td1\t1\n")
    (tmp_path / "ragflow.yaml").write_text(
        f"version: 1\nsources: {{beir: {{type: beir, path: {data}, readers: [everyone]}}}}\n"
        "chunk: {mode: document}\n"
    )
    with ragflow.open(tmp_path) as app:
        app.index()
        done = app.evaluation().run(data, RunOptions(trec=tmp_path / "out"))
    assert done.setup.metrics == ("nDCG@10", "R@100", "MRR@10", "P@5", "Success@5", "MAP")
    assert done.setup.kind == "beir"
    found = figures(done, "lexical")["nDCG@10"]
    assert (found.value, found.n, found.failed) == (0.5, 2, 0)
    assert list(trec.read(tmp_path / "out" / "lexical.trec")) == ["q1"]
    assert {row.response.outcome for row in done.rows} == {None}


def test_a_forgotten_document_is_forgotten_in_evaluations_too(app, folder):
    done = app.evaluation().run(ask_file(folder, LEAVE, BANDS), RunOptions(("hybrid",), ("nDCG@10",)))
    stored = folder / ".ragflow" / "evals" / done.setup.run
    assert b"28 days" in (stored / "results.jsonl").read_bytes()
    assert app.forget("open/leave.md")["held_by_open_processes"] == []
    for path in stored.iterdir():
        assert b"28 days" not in path.read_bytes()
    assert b"74,000 euros" in (stored / "results.jsonl").read_bytes()
    assert figures(app.evaluation().load("last"), "hybrid") == figures(done, "hybrid")


def test_pages_are_what_the_readers_may_read_and_questions_come_of_them(app):
    pages = list(app.evaluation().pages(["everyone"]))
    assert [page.document for page in pages] == ["open/leave.md", "open/travel.md"]
    leave = pages[0]
    assert (leave.readers, leave.title, leave.source) == (("everyone",), "Annual leave", "open")
    assert leave.text == app.text("open/leave.md", readers=["everyone"])
    assert [leave.text[start:end].split("\n")[0] for _, start, end in leave.headings]
    hidden = [page for page in app.evaluation().pages(["group:hr"]) if page.source == "hr"]
    assert [page.readers for page in hidden] == [("group:hr",)]
    assert propose(pages, limit=3, seed=0)


def test_pages_raise_only_what_is_told(tmp_path):
    (tmp_path / "ragflow.yaml").write_text(CONFIG)
    with ragflow.open(tmp_path) as app, pytest.raises(NoGeneration):
        list(app.evaluation().pages(["everyone"]))


def test_other_data_cannot_be_compared_and_that_is_no_usage_error(app, folder):
    from evals.comparison import compare
    from ragflow.errors import map_errors

    one = app.evaluation().run(ask_file(folder, LEAVE), QUICK)
    two = app.evaluation().run(ask_file(folder, MOON), QUICK)
    with pytest.raises(CannotSay) as caught, map_errors():
        compare(one, two, systems=[("lexical", "lexical")])
    assert caught.value.exit_code == 9
