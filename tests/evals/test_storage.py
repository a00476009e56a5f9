"""Stored runs: what was appended is read back, whatever was killed; one process runs a run at a time."""

import math
import os
import signal
import stat
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.cases import Case, GoldQuote, Ranked, Response, Span, Statement
from evals.errors import ResultsNotWritable, RunDamaged, RunNotFound
from evals.results import Row, Setup
from evals.rows import read_row, row_line
from evals.storage import Runs

CASES = (
    Case("q1", "How many days of leave?", judgements={"hr/leave.md": 1}, tags=("leave",)),
    Case("q2", "Wo ist der Steg? \u2028", readers=("group:hr",), answerable="no", judgements={}),
    Case("q3", "Which?", judgements={"hr/a b.md": 2, "hr/c.md": 0}, quotes=(GoldQuote("hr/a b.md", "x y"),)),
)
RUN = "r-20261122T183000-7f3a9c"
LATER = "r-20261122T183001-000000"

# Appends rows for ever, saying after each that it is stored; killed from outside.
CHILD = """
import sys
from pathlib import Path
from evals.results import Row
from evals.storage import Runs

runs = Runs(Path(sys.argv[1]))
assert runs.resume(sys.argv[2]) is not None
for number in range(1_000_000):
    runs.append(sys.argv[2], Row("bm25", f"case-{number}", {"nDCG@10": (number / 7,)}))
    print(number, flush=True)
"""


def setup_of(run=RUN, **changes):
    plain = Setup(
        run=run,
        created=f"2026-11-22T18:30:0{int(run == LATER)}Z",
        dataset="questions.jsonl",
        kind="questions",
        digest="a" * 64,
        questions=len(CASES),
        fold=None,
        limit=None,
        seed=None,
        systems=("bm25", "hybrid"),
        metrics=("nDCG@10",),
        config={"search": {"k": 10, "rerank": None}},
        config_digest="b" * 64,
        generation="g-20261122T180000-aaaaaa",
        version="0.1.0",
        actor=("user:mia", "everyone"),
        excluded={"q2": "nobody has reviewed it yet"},
    )
    return replace(plain, **changes)


def row(number=0, system="bm25"):
    return Row(system, f"q{number}", {"nDCG@10": (number / 3,)}, {"token_F1": "no gold answer"})


@pytest.fixture
def runs(tmp_path):
    return Runs(tmp_path / "evals")


def started(runs, *rows, **changes):
    """A run that was left after some rows."""
    setup = setup_of(**changes)
    runs.start(setup, CASES)
    for each in rows:
        runs.append(setup.run, each)
    runs.release(setup.run)
    return setup


TEXT = st.text(max_size=20)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
RESPONSES = st.builds(
    Response,
    ranking=st.lists(
        st.builds(Ranked, document=TEXT, score=FINITE, chunk=TEXT, title=TEXT, text=TEXT), max_size=3
    ).map(tuple),
    outcome=st.sampled_from([None, "answered", "partial", "not_found", "blocked"]),
    reason=st.none() | TEXT,
    answer=TEXT,
    claims=st.lists(st.builds(Statement, text=TEXT, citations=st.tuples(st.integers(0, 9)))).map(tuple),
    citations=st.lists(
        st.builds(
            Span,
            TEXT,
            st.integers(0),
            st.integers(0),
            TEXT,
            anchors=st.lists(st.tuples(TEXT, TEXT)).map(tuple),
        ),
        max_size=3,
    ).map(tuple),
    confidence=st.none() | FINITE,
    sources=st.none() | st.lists(TEXT).map(tuple),
    timings_ms=st.dictionaries(TEXT, FINITE, max_size=3),
)
ROWS = st.builds(
    Row,
    system=TEXT,
    case=TEXT,
    numbers=st.dictionaries(TEXT, st.lists(FINITE | st.just(math.nan), max_size=3).map(tuple), max_size=3),
    left_out=st.dictionaries(TEXT, TEXT, max_size=2),
    error=st.none() | TEXT,
    response=st.none() | RESPONSES,
)


@given(ROWS)
def test_a_row_is_read_back_as_it_was_and_what_is_no_number_stays_none(written):
    line = row_line(written)
    assert "\n" not in line
    assert "NaN" not in line.replace("\\", "") or "NaN" in str(written)
    # repr: NaN equals nothing, itself included
    assert repr(read_row(line)) == repr(written)


def test_a_run_is_read_back_with_its_cases_and_gold(runs):
    setup = started(runs, row(1), row(2, "hybrid"))
    found = runs.load(RUN)
    assert (found.setup, found.cases, found.rows) == (setup, CASES, (row(1), row(2, "hybrid")))
    assert found.of("hybrid") == {"q2": row(2, "hybrid")}


def test_only_the_owner_may_open_what_a_run_says(runs):
    started(runs, row())
    folder = runs.folder / RUN
    assert stat.S_IMODE(folder.stat().st_mode) == stat.S_IMODE(runs.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_cut_anywhere_the_whole_rows_before_the_cut_are_there_and_the_run_goes_on(runs):
    started(runs, row(0), row(1), row(2))
    path = runs.folder / RUN / "results.jsonl"
    whole = path.read_bytes()
    ends = [at + 1 for at, sign in enumerate(whole) if sign == ord("\n")]
    for cut in {0, 1, *(end + off for end in ends for off in (-1, 0, 1) if end + off <= len(whole))}:
        path.write_bytes(whole[:cut])
        kept = sum(end <= cut for end in ends)
        assert runs.load(RUN).rows == tuple(map(row, range(kept)))
        assert runs.resume(RUN).rows == tuple(map(row, range(kept)))
        runs.append(RUN, row(9))
        runs.release(RUN)
        assert runs.load(RUN).rows == (*map(row, range(kept)), row(9))


@pytest.mark.parametrize(
    ("name", "line", "at"),
    [
        ("results.jsonl", "{", "results.jsonl:2"),
        ("results.jsonl", "[]", "results.jsonl:2"),
        ("results.jsonl", '{"system":"bm25"}', "results.jsonl:2"),
        ("results.jsonl", '{"system":"bm25","case":"q1","numbers":{"nDCG@10":["much"]}}', "results.jsonl:2"),
        ("results.jsonl", '{"system":"bm25","case":"q1","numbers":3}', "results.jsonl:2"),
        ("cases.jsonl", "7", "cases.jsonl:2"),
        ("cases.jsonl", '{"id":"q2"}', "cases.jsonl:2"),
    ],
)
def test_a_damaged_line_in_the_middle_is_named(runs, name, line, at):
    started(runs, row(0), row(1), row(2))
    path = runs.folder / RUN / name
    lines = path.read_text().splitlines()
    lines[1] = line
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(RunDamaged, match=at):
        runs.load(RUN)


def test_cases_that_were_lost_are_missed(runs):
    started(runs)
    path = runs.folder / RUN / "cases.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
    with pytest.raises(RunDamaged, match="2 cases, not 3"):
        runs.load(RUN)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"schema":"ragflow.evaluation/2"}', '{"schema":"x"}', "\xff"]
)
def test_a_damaged_setup_is_told_and_hides_no_other_run(runs, text):
    started(runs)
    started(runs, run=LATER)
    (runs.folder / RUN / "run.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(RunDamaged, match=r"run\.json"):
        runs.load(RUN)
    assert [setup.run for setup in runs.list()] == [LATER]
    assert runs.damaged() == [RUN]


@pytest.mark.parametrize(
    "name", ["last", "", "../evals", "r-20261122T183000-7f3a9d", f"{RUN}/../{RUN}", "r-1"]
)
def test_a_run_that_is_not_there_is_not_found(runs, name):
    started(runs)
    with pytest.raises(RunNotFound):
        runs.load(name)


def test_without_any_run_nothing_is_listed_and_nothing_is_made(runs):
    assert (runs.list(), runs.damaged(), runs.resumable(setup_of())) == ([], [], None)
    assert not runs.folder.exists()


def test_a_process_that_was_killed_before_its_run_began_left_no_run(runs):
    started(runs)
    (runs.folder / RUN / "run.json").unlink()
    assert (runs.list(), runs.damaged(), runs.resumable(setup_of())) == ([], [], None)


def test_runs_are_listed_newest_first_also_within_a_second(runs):
    same = [f"r-20261122T183000-{digits}" for digits in ("ffffff", "000000", "aaaaaa")]
    for run in same:
        started(runs, run=run)
        os.utime(runs.folder / run / "cases.jsonl", ns=(0, same.index(run)))
    started(runs, run=LATER)
    assert [setup.run for setup in runs.list()] == [LATER, *reversed(same)]


def test_a_finished_run_is_done_and_not_gone_on_with(runs):
    setup = setup_of()
    runs.start(setup, CASES)
    runs.append(RUN, row())
    runs.finish(RUN)
    assert runs.load(RUN).setup == replace(setup, status="done")
    assert runs.resumable(setup) is None
    assert runs.resume(RUN) is None


OTHERS = {
    "kind": "beir",
    "digest": "c" * 64,
    "questions": 4,
    "fold": 0,
    "limit": 3,
    "seed": 1,
    "systems": ("bm25",),
    "metrics": ("nDCG@10", "MAP"),
    "config": {},
    "config_digest": "c" * 64,
    "generation": "g-20261122T180001-aaaaaa",
    "version": "0.2.0",
    "actor": ("user:mia", "everyone", "group:hr"),
    "excluded": {},
}


@pytest.mark.parametrize("field", OTHERS)
def test_a_run_goes_on_only_as_what_it_was(runs, field):
    started(runs, row())
    wanted = setup_of(run=LATER)
    assert runs.resumable(wanted) == RUN
    assert runs.resumable(replace(wanted, **{field: OTHERS[field]})) is None


def test_every_field_that_says_what_is_done_is_looked_at():
    named = {field.name for field in fields(Setup)}
    assert named - set(OTHERS) == {"run", "created", "dataset", "status"}


def test_the_newest_of_the_runs_that_were_left_is_gone_on_with(runs):
    started(runs)
    started(runs, run=LATER)
    assert runs.resumable(setup_of()) == LATER


def test_a_run_that_was_left_before_another_was_done_is_left_alone(runs):
    started(runs)
    started(runs, run=LATER)
    runs.resume(LATER)
    assert runs.resumable(setup_of()) is None, "another process is at it"
    runs.finish(LATER)
    assert runs.resumable(setup_of()) is None


def test_a_run_is_run_by_one_process_at_a_time(runs):
    setup = setup_of()
    runs.start(setup, CASES)
    other = Runs(runs.folder)
    assert other.resumable(setup) is None
    assert other.resume(RUN) is None
    runs.release(RUN)
    assert other.resumable(setup) == RUN
    assert other.resume(RUN).rows == ()
    assert runs.resume(RUN) is None
    other.release(RUN)


def test_giving_back_what_is_not_held_is_no_error(runs):
    runs.release(RUN)
    started(runs)
    runs.release(RUN)
    runs.release(RUN)
    assert runs.resume(RUN) is not None
    runs.release(RUN)


def test_no_row_that_was_stored_is_lost_by_a_kill(runs, rounds):
    setup = started(runs)
    for _ in range(rounds(fast=2, soak=30)):
        before = len(runs.load(RUN).rows)
        command = [sys.executable, "-c", CHILD, str(runs.folder), RUN]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            said = [int(child.stdout.readline()) for _ in range(5)]
            assert runs.resume(RUN) is None, "the child holds it"
            child.send_signal(signal.SIGKILL)
            said += [int(line) for line in child.stdout.read().split()]
        assert runs.resumable(setup) == RUN
        rows = runs.load(RUN).rows[before:]
        assert [each.case for each in rows[: len(said)]] == [f"case-{number}" for number in said]
        assert len(rows) <= len(said) + 1, "stored, and killed before it was said"


def test_what_cannot_be_written_is_told(tmp_path):
    (tmp_path / "evals").write_text("a file")
    with pytest.raises(ResultsNotWritable, match="cannot be written"):
        Runs(tmp_path / "evals").start(setup_of(), CASES)


def test_a_run_never_starts_over_another(runs):
    started(runs, row())
    with pytest.raises(ResultsNotWritable):
        runs.start(setup_of(), CASES)
    assert runs.load(RUN).rows == (row(),)


def test_the_digest_changes_with_any_row(runs):
    started(runs, row(1))
    first = runs.digest(RUN)
    assert runs.digest(RUN) == first
    path = Path(runs.folder / RUN / "results.jsonl")
    path.write_text(path.read_text().replace("0.33", "0.34"))
    assert runs.digest(RUN) != first


def answered(document, text="secret words"):
    """A response that found and cites a document, besides another."""
    other = "hr/c.md"
    return Response(
        ranking=(
            Ranked(document, 1.0, "chunk", 0, 9, text, text),
            Ranked(other, 0.5, title="C", text="kept"),
        ),
        outcome="answered",
        answer=f"{text}. [1] kept. [2]",
        claims=(Statement(text, (0,)), Statement("kept", (1,))),
        citations=(Span(document, 0, 9, text, text, (("heading", text),)), Span(other, 0, 4, "kept", "kept")),
        confidence=0.9,
    )


@pytest.mark.parametrize(
    ("kind", "named"), [("questions", "hr/a b.md"), ("questions", "hr/a b.md!/x.txt"), ("beir", "a b.md")]
)
def test_what_is_forgotten_leaves_its_name_and_numbers_alone(runs, kind, named):
    cases = (*CASES[:2], replace(CASES[2], judgements={named: 1}, quotes=(GoldQuote(named, "secret words"),)))
    rows = (
        Row("hybrid", "q3", {"nDCG@10": (0.5,)}, response=answered(named)),
        Row("hybrid", "q1", {"nDCG@10": (0.7,)}, response=answered("hr/leave.md", "28 days")),
        Row("hybrid", "q2", {}, error="OSError"),
    )
    runs.start(setup_of(kind=kind), cases)
    for each in rows:
        runs.append(RUN, each)
    runs.finish(RUN)
    assert runs.erase("hr/a b.md") == ()
    files = b"".join(path.read_bytes() for path in (runs.folder / RUN).iterdir())
    assert b"secret" not in files
    found = runs.load(RUN)
    assert found.rows[1:] == rows[1:]
    assert (found.rows[0].numbers, found.rows[0].response.outcome) == (rows[0].numbers, "answered")
    assert [one.document for one in found.rows[0].response.ranking] == [named, "hr/c.md"]
    assert [claim.text for claim in found.rows[0].response.claims] == ["", "kept"]
    assert found.cases[:2] == cases[:2]
    assert (found.cases[2].quotes, found.cases[2].judgements) == ((), {named: 1})
    assert {stat.S_IMODE(path.stat().st_mode) for path in (runs.folder / RUN).iterdir()} == {0o600}


def test_forgetting_what_no_run_shows_changes_nothing(runs):
    started(runs, row(1))
    before = runs.digest(RUN)
    assert runs.erase("hr/never.md") == ()
    assert runs.digest(RUN) == before


def test_runs_that_may_show_it_still_are_named(runs):
    started(runs, row(0))
    started(runs, run=LATER)
    (runs.folder / RUN / "results.jsonl").write_text("{}\n")
    runs.resume(LATER)
    assert Runs(runs.folder).erase("hr/leave.md") == (RUN, LATER)
    runs.release(LATER)
