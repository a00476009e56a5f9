"""Recorded answers are done again without anything of then, and a changed rule shows."""

import json
import shutil
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from scripted_server import Reply, ScriptedServer, chosen, status, verdict

import ragflow
import ragflow.config
from connectors.documents import Anchor
from indexes.query import Flag, Found, Hit, Scores
from ragflow.answering import AskOptions
from ragflow.answers import Answer
from ragflow.app import App
from ragflow.asking import Evidence
from ragflow.cli import main
from ragflow.errors import NotFound, UsageError
from ragflow.identity import Asker
from ragflow.passages import Scored, candidates
from ragflow.records import canonical, digest_of
from ragflow.replaying import shapes
from ragflow.replaying.replay import Replayed, bare
from ragflow.replaying.tape import digest_of_tape, packed
from ragflow.runs import RunStore

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLE = REPOSITORY / "examples" / "northwind"
GROUPS = ("group:engineering", "group:hr", "group:sales")
ALL = Asker("user:mia", ("everyone", *GROUPS), auditor=True)
PLAIN = "How many days of annual leave does a full-time employee get?"
SECRET = "AKIAABCDEFGHIJKLMNOP"


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("company") / "northwind"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns(".ragflow"))
    with ragflow.open(folder) as app:
        app.index()
    return folder


@pytest.fixture
def workspace(company: Path, clone: Callable[[Path, Path], Path], tmp_path: Path) -> Path:
    return clone(company, tmp_path / "northwind")


@pytest.fixture(scope="module")
def questions() -> list[str]:
    lines = (EXAMPLE / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["question"] for line in lines]


def opened(folder: Path, *overrides: str, extra: str = "") -> App:
    settings = folder / "ragflow.yaml"
    if extra:
        settings.write_text((EXAMPLE / "ragflow.yaml").read_text() + extra)
    return App(ragflow.config.load(settings, overrides=overrides, environ={}))


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Nothing of the index, no model of the embedder, and no socket."""
    away = folder / "away"
    away.mkdir()
    gone = [
        name
        for name in ("segments", "generations", "current", "model")
        if (folder / ".ragflow" / name).exists()
    ]
    for name in gone:
        (folder / ".ragflow" / name).rename(away / name)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a replay reached for a socket")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "socket", refuse)
        yield
    for name in gone:
        (away / name).rename(folder / ".ragflow" / name)
    away.rmdir()


def replayed(folder: Path, run: str | None, *overrides: str, asker: Asker = ALL) -> Replayed:
    assert run is not None
    with opened(folder, *overrides) as app:
        return app.replaying().replay(run, asker)


def answered(
    folder: Path, question: str = PLAIN, *overrides: str, asker: Asker = ALL, **options: Any
) -> Answer:
    with opened(folder, *overrides) as app:
        return app.answer(question, asker=asker, options=AskOptions(**options))


# -- the same again -------------------------------------------------------------------------------


def test_recorded_answers_replay_byte_for_byte(
    workspace: Path, questions: list[str], rounds: Callable[..., int]
) -> None:
    chance = Random(7)
    count = rounds(fast=20, soak=200)
    told: list[Answer] = []
    with opened(workspace) as app:
        for at in range(count):
            before = told[-1] if told and chance.random() < 0.2 else None
            groups = tuple(group for group in GROUPS if chance.random() < 0.7)
            readers = before.readers if before else ("everyone", *groups)
            options = AskOptions(
                explain=chance.random() < 0.5,
                sources=["handbook"] if chance.random() < 0.1 else None,
                thread=before.run if before else None,
            )
            asker = Asker("user:mia", readers)
            question = "And how do I apply for it?" if before else questions[at % len(questions)]
            told.append(app.answer(question, asker=asker, options=options))
        recorded = {one.run: app.run(str(one.run), ALL) for one in told}
    assert {one.outcome for one in told} >= {"answered", "not_found"}
    assert any(one.standalone for one in told)
    with alone(workspace), opened(workspace) as app:
        for one in told:
            again = app.replaying().replay(str(one.run), ALL)
            assert (again.same, again.changes, again.configuration) == (True, (), ()), one.question
    for one in told:
        assert canonical(recorded[one.run]["output"]) == canonical(one.to_json())


def replies() -> Callable[[dict[str, Any]], Reply]:
    """A model that first fails, then lies, then quotes the first passage, then fails for good, by turns."""
    state = {"calls": 0}

    def give(request: dict[str, Any]) -> Reply:
        if '"sources"' in request["messages"][-1]["content"]:
            return verdict({"source": "handbook"})
        state["calls"] += 1
        lie = {
            "text": "It is forty days.",
            "quotes": [{"passage": 1, "text": "It is forty days of leave a year."}],
        }
        passage = request["messages"][-1]["content"].partition(">\n")[2].partition("\n</passage")[0]
        sentence = max(passage.splitlines(), key=len, default="")
        truth = {"text": sentence[:400], "quotes": [{"passage": 1, "text": sentence[:400]}]}
        turn = state["calls"] % 4
        if turn == 0:
            return status(500)
        return verdict({"claims": [lie] if turn == 1 else [truth], "missing": []})

    return give


MODEL = """
models:
  small:
    try: [{{model: openai/scripted, api_base: "{url}", timeout: 60, max_tokens: 300}}]
    retries: 0
    cooldown: 0
    context: 1500
router: {{tier: small}}
answer: {{tier: small, min_confidence: 0.1}}
"""


def test_what_models_said_and_how_they_failed_is_replayed(
    workspace: Path, questions: list[str], rounds: Callable[..., int]
) -> None:
    with ScriptedServer([chosen(replies())]) as server:
        model = MODEL.format(url=server.url)
        with opened(workspace, extra=model) as app:
            told = [
                app.answer(question, asker=ALL, options=AskOptions(explain=True))
                for question in questions[: rounds(fast=8, soak=60)]
            ]
        asked = len(server.requests)
    assert {one.model for one in told} == {"openai/scripted", None}
    with alone(workspace), opened(workspace) as app:
        for one in told:
            again = app.replaying().replay(str(one.run), ALL)
            assert (again.same, again.changes) == (True, ()), one.question
    assert len(server.requests) == asked


# -- something else now ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "changed", "rule"),
    [
        ("answer.min_confidence=0.99", 'outcome: "answered" became "not_found"', "answer.min_confidence"),
        ("answer.max_claims=1", "", "answer.max_claims"),
        ("search.k=3", "another search would be made: k 3, not 10", "search.k"),
        ("guards.question=block", "", "guards.question"),
    ],
)
def test_one_changed_rule_is_named_and_what_it_changes_is_shown(
    workspace: Path, override: str, changed: str, rule: str
) -> None:
    run = answered(workspace).run
    again = replayed(workspace, run, override)
    assert again.configuration is not None
    assert [line.partition(":")[0] for line in again.configuration] == [rule]
    assert again.same is (changed == "")
    assert again.exit_code == (0 if again.same else 8)
    assert changed in again.changes or not changed
    assert bool(again.diff) is not again.same


def test_a_new_route_is_shown_as_the_other_search_that_it_would_make(workspace: Path) -> None:
    run = answered(workspace).run
    rule = "\nroutes: [{name: leave, when: {any: [leave]}, sources: [hr]}]\n"
    with opened(workspace, extra=rule) as app:
        again = app.replaying().replay(str(run), ALL)
    assert again.same is False
    assert any("sources hr, not" in line for line in again.changes)
    assert any(line.startswith("routes.") for line in again.configuration or ())
    assert again.exit_code == 8


def test_another_prompt_is_shown_line_by_line(workspace: Path) -> None:
    with ScriptedServer([chosen(replies())]) as server:
        with opened(workspace, extra=MODEL.format(url=server.url)) as app:
            run = app.answer(PLAIN, asker=ALL).run
        prompt = (REPOSITORY / "ragflow" / "prompts" / "answer.md").read_text()
        (workspace / "prompts").mkdir()
        (workspace / "prompts" / "answer.md").write_text(f"Be brief and kind.\n{prompt}")
        again = replayed(workspace, run)
    assert again.changes == ("openai/scripted would be asked something else",)
    assert "+Be brief and kind." in again.diff
    assert any(line.startswith("prompts.answer.md") for line in again.configuration or ())


def test_with_another_model_only_the_model_is_real_and_nothing_is_recorded(workspace: Path) -> None:
    run = answered(workspace).run
    with alone_but_for_texts(workspace), ScriptedServer([chosen(replies())]) as server:
        with opened(
            workspace, extra=MODEL.format(url=server.url).replace("router: {tier: small}\n", "")
        ) as app:
            again = app.replaying().replay(str(run), ALL, changed="model=small")
            before = [one["run"] for one in app.runs(100, ALL)]
            with pytest.raises(UsageError, match="no tier and no model"):
                app.replaying().replay(str(run), ALL, changed="model=large")
        assert server.requests
    assert again.trial == "model=small"
    assert again.exit_code == 0
    assert any(line.startswith("route.tier") for line in again.changes)
    assert run == before[0]


@contextmanager
def alone_but_for_texts(folder: Path) -> Iterator[None]:
    """The embedder's model is gone: hits and their weights must come from the tape."""
    model = folder / ".ragflow" / "model"
    model.rename(folder / "away")
    yield
    (folder / "away").rename(model)


def test_with_another_generation_it_is_searched_anew(workspace: Path) -> None:
    answer = answered(workspace)
    (workspace / "documents" / "handbook" / "time" / "annual-leave.md").unlink()
    with opened(workspace) as app:
        generation = app.index(allow_deletes=True).sync.generation
        again = app.replaying().replay(str(answer.run), ALL, changed=f"generation={generation}")
    assert again.exit_code == 0
    assert any(line.startswith("generation:") for line in again.changes)
    assert any(line.startswith("citations") for line in again.changes)
    with opened(workspace) as app:
        assert app.replaying().replay(str(answer.run), ALL).same is True


# -- what was changed, is gone, or may not be seen --------------------------------------------------


def test_a_changed_tape_is_a_changed_run(workspace: Path) -> None:
    run = answered(workspace).run
    with sqlite3.connect(workspace / ".ragflow" / "runs.sqlite") as connection:
        (packed,) = connection.execute("SELECT tape FROM tapes WHERE run = ?", [run]).fetchone()
        tape = zstandard.ZstdDecompressor().decompress(packed)
        other = zstandard.ZstdCompressor().compress(tape.replace(b"days", b"weeks"))
        connection.execute("UPDATE tapes SET tape = ? WHERE run = ?", [other, run])
    assert_changed(workspace, run)


def test_a_tape_that_was_taken_away_is_a_changed_run(workspace: Path) -> None:
    run = answered(workspace).run
    with sqlite3.connect(workspace / ".ragflow" / "runs.sqlite") as connection:
        connection.execute("DELETE FROM tapes")
    assert_changed(workspace, run)


def assert_changed(workspace: Path, run: str | None) -> None:
    with opened(workspace) as app:
        one = app.replaying().verify(str(run), ALL)
        every = app.replaying().verify(None, ALL)
    assert (one.changed, one.exit_code) == ((run,), 8)
    assert (every.changed, every.exit_code) == ((run,), 8)
    assert replayed(workspace, run).exit_code == 8


def test_of_an_expired_run_the_digest_is_left_and_it_cannot_be_replayed(workspace: Path) -> None:
    run = answered(workspace).run
    store = RunStore(workspace / ".ragflow" / "runs.sqlite")
    assert store.expire(-1) >= 1
    assert store.tape(str(run)) is None
    with opened(workspace) as app:
        checked = app.replaying().verify(str(run), ALL)
        again = app.replaying().replay(str(run), ALL)
    assert (checked.exit_code, checked.runs[0].contents, checked.runs[0].tape) == (0, "expired", "gone")
    assert (again.same, again.exit_code) == (None, 9)
    assert "expired" in str(again.reason)


def test_forgetting_a_document_takes_every_tape_that_holds_it_and_no_other(workspace: Path) -> None:
    store = RunStore(workspace / ".ragflow" / "runs.sqlite")
    cited = answered(workspace)
    other = answered(workspace, "How many seats does the Team plan have?", sources=["sales"])
    document = cited.citations[0].document
    near = answered(workspace, "What does the handbook say about sick leave?")
    assert document not in {one.document for one in near.citations}
    assert document.encode() in (store.tape(str(near.run)) or b"")
    assert document.encode() not in (store.tape(str(other.run)) or b"")
    with opened(workspace) as app:
        app.forget(document)
    assert store.tape(str(cited.run)) is store.tape(str(near.run)) is None
    raw = b"".join(path.read_bytes() for path in (workspace / ".ragflow").glob("runs.sqlite*"))
    assert cited.citations[0].quote.encode() not in raw
    with opened(workspace) as app:
        assert app.replaying().verify(None, ALL).exit_code == 0
        for run in (cited.run, near.run):
            again = app.replaying().replay(str(run), ALL)
            assert (again.exit_code, "forgotten" in str(again.reason)) == (9, True)
        assert app.replaying().replay(str(other.run), ALL).same is True


def test_what_an_asker_may_not_read_now_is_neither_replayed_nor_exported(workspace: Path) -> None:
    everything = replace(ALL, auditor=False)
    run = answered(workspace, "What is the salary band of a developer?", asker=everything).run
    less = Asker("user:mia", ("everyone",))
    with opened(workspace) as app:
        assert app.replaying().replay(str(run), everything).same is True
        for look in (app.replaying().replay, app.replaying().export):
            with pytest.raises(NotFound, match="not found"):
                look(str(run), less)
        with pytest.raises(NotFound, match="not found"):
            app.replaying().replay(str(run), Asker("user:jo", everything.readers))


# -- one file ---------------------------------------------------------------------------------------


def test_an_exported_run_is_verified_and_replayed_elsewhere(workspace: Path, tmp_path: Path) -> None:
    run = answered(workspace, explain=True).run
    with opened(workspace) as app:
        shown = app.replaying().export(str(run), ALL)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(workspace / "ragflow.yaml", elsewhere)
    file = elsewhere / "ticket.json"
    file.write_text(json.dumps(shown, indent=1))
    with opened(elsewhere) as app:
        assert app.replaying().verify(str(file), ALL).exit_code == 0
        again = app.replaying().replay(str(file), ALL)
    assert (again.same, again.configuration) == (True, ())
    assert not (elsewhere / ".ragflow").exists()
    assert PLAIN in shown["summary"][2]
    assert shown["citations"][0]["quote"] in shown["summary"][-1]


@pytest.mark.parametrize(
    "place", [("answer",), ("record", "outcome"), ("tape", "created"), ("citations", 0, "quote")]
)
def test_a_changed_file_says_so(workspace: Path, tmp_path: Path, place: tuple[str | int, ...]) -> None:
    run = answered(workspace).run
    with opened(workspace) as app:
        shown: Any = app.replaying().export(str(run), ALL)
        inside = shown
        for key in place[:-1]:
            inside = inside[key]
        inside[place[-1]] = "another"
        file = tmp_path / "ticket.json"
        file.write_text(json.dumps(shown))
        assert app.replaying().verify(str(file), ALL).exit_code == 8
        assert app.replaying().replay(str(file), ALL).exit_code == 8


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"schema": "ragflow.export/1"}', "\x00"])
def test_what_is_no_exported_run_is_refused_in_one_sentence(
    workspace: Path, tmp_path: Path, text: str
) -> None:
    file = tmp_path / "ticket.json"
    file.write_text(text)
    with opened(workspace) as app, pytest.raises(UsageError, match="is no exported run"):
        app.replaying().replay(str(file), ALL)


@pytest.mark.parametrize("tape", [{}, {"schema": "ragflow.tape/1"}, {"schema": "ragflow.tape/1", "asked": 1}])
def test_a_file_that_was_made_up_is_refused_in_one_sentence(
    workspace: Path, tmp_path: Path, tape: dict[str, Any]
) -> None:
    """Its digests are right, for it was written by a program; what it holds is no run."""
    run = answered(workspace).run
    with opened(workspace) as app:
        shown: Any = app.replaying().export(str(run), ALL)
        record = {**shown["record"], "tape": digest_of_tape(packed(tape))}
        record["digest"] = digest_of(record)
        file = tmp_path / "ticket.json"
        file.write_text(json.dumps({**shown, "record": record, "tape": tape}))
        with pytest.raises(UsageError, match="is no exported run"):
            app.replaying().replay(str(file), ALL)


def test_a_record_that_is_none_any_more_is_there_for_its_owner_alone(workspace: Path) -> None:
    run = str(answered(workspace).run)
    with sqlite3.connect(workspace / ".ragflow" / "runs.sqlite") as connection:
        connection.execute("UPDATE runs SET record = 'none'")
    with opened(workspace) as app:
        assert app.replaying().verify(run, ALL).changed == (run,)
        with pytest.raises(NotFound, match="not found"):
            app.replaying().verify(run, Asker("user:jo", ALL.readers))


# -- the command line -------------------------------------------------------------------------------


def test_the_commands_end_as_they_say(
    workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = ["-C", str(workspace)]
    assert main([*here, "ask", PLAIN]) == 0
    file = tmp_path / "run.json"
    assert main([*here, "runs", "export", "last", "-o", str(file)]) == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert main([*here, "runs", "export", "last", "-o", str(file)]) == 2
    for run in ("last", str(file)):
        assert main([*here, "runs", "replay", run]) == 0
        assert main([*here, "runs", "verify", run]) == 0
        assert main([*here, "--set", "answer.min_confidence=0.99", "runs", "replay", run]) == 8
    assert main([*here, "runs", "verify", "--all"]) == 0
    assert main([*here, "runs", "verify"]) == 2
    assert main([*here, "runs", "replay", "r-20200101T000000-abcdef"]) == 6
    capsys.readouterr()
    assert main([*here, "runs", "replay", "last", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["schema"], shown["same"], shown["with"]) == ("ragflow.replay/1", True, None)


# -- redaction --------------------------------------------------------------------------------------


def test_what_is_redacted_reaches_no_model_no_tape_no_record_and_no_answer(workspace: Path) -> None:
    with ScriptedServer([chosen(replies())]) as server:
        with opened(workspace, extra=MODEL.format(url=server.url)) as app:
            options = AskOptions(explain=True, metadata={"ticket": f"key {SECRET}"})
            answer = app.answer(f"{PLAIN} My key is {SECRET}.", asker=ALL, options=options)
            record, tape = app.run(str(answer.run), ALL), app._runs.tape(str(answer.run))
        asked = json.dumps(server.requests)
    assert answer.question == f"{PLAIN} My key is [secret]."
    assert any("private data" in warning for warning in answer.warnings)
    for held in (asked, canonical(record), (tape or b"").decode(), canonical(answer.to_json())):
        assert SECRET not in held
    assert replayed(workspace, answer.run).same is True


# -- shapes -----------------------------------------------------------------------------------------

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@st.composite
def hits(draw: st.DrawFn) -> Hit:
    start = draw(st.integers(0, 50))
    text = draw(TEXTS)
    maybe = st.none() | NUMBERS
    return Hit(
        rank=draw(st.integers(1, 9)),
        chunk=draw(TEXTS),
        document=draw(TEXTS),
        revision=draw(TEXTS),
        start=start,
        end=start + len(text),
        title=draw(TEXTS),
        headings=tuple(draw(st.lists(TEXTS, max_size=2))),
        anchors=tuple(
            draw(st.lists(st.builds(Anchor, st.just("page"), TEXTS, st.just(0), st.just(9)), max_size=2))
        ),
        link=draw(st.none() | TEXTS),
        modified=draw(st.none() | TEXTS),
        text=text,
        score=draw(NUMBERS),
        scores=Scores(draw(maybe), draw(maybe), draw(maybe), draw(maybe)),
        flags=tuple(draw(st.lists(st.builds(Flag, st.integers(), st.integers(), TEXTS), max_size=2))),
        unseen=tuple(draw(st.lists(st.tuples(st.integers(), st.integers()), max_size=2))),
        language=draw(st.sampled_from(["en", "de"])),
        also=tuple(draw(st.lists(TEXTS, max_size=2))),
        unopened=draw(st.none() | TEXTS),
        lines=tuple(draw(st.lists(st.tuples(st.integers(), st.integers()), max_size=2))),
    )


@given(
    st.builds(
        Found,
        st.lists(hits(), max_size=2).map(tuple),
        TEXTS,
        st.dictionaries(TEXTS, NUMBERS, max_size=3),
        st.integers(0),
        st.lists(TEXTS, max_size=2).map(tuple),
        TEXTS,
        st.dictionaries(TEXTS, st.dictionaries(TEXTS, NUMBERS, max_size=2), max_size=2),
    )
)
def test_what_was_found_survives_its_json(found: Found) -> None:
    again = shapes.read_found(json.loads(canonical(shapes.found_json(found))))
    assert again == found
    assert list(again.idf) == list(found.idf)


@given(NUMBERS, st.dictionaries(TEXTS, NUMBERS, max_size=4))
def test_evidence_survives_its_json(number: float, features: dict[str, float]) -> None:
    text = "Every employee gets 28 days of paid annual leave a year. Unused days lapse in March."
    hit = Hit(1, "c", "hr/a.md", "r", 5, 5 + len(text), "", (), (), None, None, text, 1.0, Scores(1.0, 1.0))
    found = Found((hit,), "g", {}, 1)
    ranked = tuple(Scored(each, number, number, typed=True, score=number) for each in candidates([hit]))
    evidence = Evidence(number, features, ranked, ("a part",))
    again = shapes.read_evidence(json.loads(canonical(shapes.evidence_json(evidence))), found)
    assert again == evidence
    assert ranked


def test_bare_leaves_out_what_is_of_one_run_alone() -> None:
    assert bare({"run": "r", "created": "c", "timings_ms": {}, "answer": "a"}) == {"answer": "a"}
