"""``ragflow eval``: what it prints, where, and with which exit code."""

import csv
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from scripted_server import ScriptedServer, garbage

from evals.cases import Case, Ranked, Response, Span, Statement
from evals.metrics import ANSWERS, REFUSALS, parse, take_all
from evals.results import Row, Setup
from evals.storage import Runs
from ragflow import identity
from ragflow.cli import eval_questions, eval_tables, judging, main
from ragflow.cli.eval_names import names
from ragflow.terminal import escape

METRICS = (
    "nDCG@10",
    "P@5",
    "token_F1",
    "CRAG",
    "CRAG_refuse_all",
    "CRAG_answer_all",
    "AUROC",
    "outcome_accuracy",
)
TOPICS = ["leave", "mooring", "parking", "travel", "training", "keys"]
DIGEST = "d" * 64
FIRST, SECOND, OTHER = (f"r-2026112{day}T120000-aaaaa{day}" for day in (1, 2, 3))


def case(number):
    topic = TOPICS[number % len(TOPICS)]
    known = number % 3 != 0
    return Case(
        f"q{number:02}",
        f"How many days of {topic} are paid?",
        answerable="yes" if known else "no",
        judgements={f"docs/{topic}.md": 1} if known else {},
        answer=f"{number} days" if known else None,
        source="docs" if number % 2 else "hr",
        tags=("md",),
    )


CASES = tuple(case(number) for number in range(48))


def answered(one, *, right):
    """A response that finds the gold document first, or seventh; answers what is answerable, or errs."""
    gold = next(iter(one.judgements), "docs/none.md")
    place = 1 if right else 7
    documents = [f"docs/other-{at}.md" for at in range(1, 10)]
    documents.insert(place - 1, gold)
    ranking = tuple(
        Ranked(name, 1 - at / 10, f"{name}@{'a' * 12}:0-9", 0, 9, "Title", "Some text.")
        for at, name in enumerate(documents)
    )
    if right and one.answerable == "no":
        return Response(ranking, "not_found", "low_confidence", confidence=0.2, timings_ms={"total": 4.0})
    quote = f"{one.answer or '99 days'} of paid leave a year"
    return Response(
        ranking,
        "answered",
        answer=f"It is {one.answer if right else '99 days'}. [1]",
        claims=(Statement(quote, (0,)),),
        citations=(Span(gold, 0, len(quote), quote, quote),),
        confidence=0.9 if one.answerable == "yes" else 0.6,
        timings_ms={"search": 2.0, "total": 5.0},
    )


def rows(system, wrong):
    """One row a case; the cases whose place is in ``wrong`` are answered wrongly."""
    measured = parse(METRICS)
    for at, one in enumerate(CASES):
        given = answered(one, right=at not in wrong)
        if system == "bm25":
            given = Response(given.ranking, timings_ms={"total": 1.0})
        taken = take_all(measured, one, given)
        yield Row(
            system,
            one.id,
            {name: value for name, value in taken.items() if not isinstance(value, str)},
            {name: value for name, value in taken.items() if isinstance(value, str)},
            None,
            given,
        )


def store(folder, run, wrong, *, digest=DIGEST, change=lambda row: row, systems=("bm25", "hybrid")):
    """Store a finished run in which bm25 errs on every third case and hybrid on those in ``wrong``."""
    kept = Runs(folder / ".ragflow" / "evals")
    setup = Setup(
        run,
        f"2026-11-{run[8:10]}T12:00:00Z",
        "questions.jsonl",
        "questions",
        digest,
        len(CASES),
        None,
        None,
        None,
        systems,
        METRICS,
        {},
        "c" * 64,
        "g-20261120T120000-aaaaaa",
        "0.1.0",
        (f"user:{identity.login()}",),
    )
    kept.start(setup, CASES)
    for system in systems:
        for row in rows(system, wrong if system != "bm25" else range(0, len(CASES), 3)):
            kept.append(run, change(row))
    kept.finish(run)


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """A workspace with three stored runs: a good one, a worse one, and the good one on other data."""
    folder = tmp_path_factory.mktemp("evaluated")
    assert main(["init", str(folder)]) == 0
    store(folder, FIRST, range(0, len(CASES), 8))
    store(folder, SECOND, range(0, len(CASES), 2))
    store(folder, OTHER, range(0, len(CASES), 8), digest="e" * 64)
    return folder


@pytest.fixture
def run(evaluated, capsys):
    def run(*arguments):
        code = main(["-C", str(evaluated), "eval", *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def no_constant(name):
    raise AssertionError(f"JSON has no {name}")


def strict(text):
    return json.loads(text, parse_constant=no_constant)


# -- list and show -------------------------------------------------------------------------------


def test_the_list_is_newest_first_and_one_object_a_line(run):
    code, out, _ = run("list", "--json")
    listed = [strict(line) for line in out.splitlines()]
    assert code == 0
    assert [one["run"] for one in listed] == [OTHER, SECOND, FIRST]
    assert {one["schema"] for one in listed} == {"ragflow.eval_run/1"}
    assert [line.split()[0] for line in run("list")[1].splitlines()] == ["run", OTHER, SECOND, FIRST]


def test_a_run_is_shown_as_it_was_printed_with_crag_beside_its_limits(run):
    code, out, _ = run("show", FIRST)
    lines = out.splitlines()
    assert code == 0
    assert lines[0] == f"{FIRST}: 48 questions of questions.jsonl"
    at = next(at for at, line in enumerate(lines) if line.startswith("CRAG"))
    assert [line[:12] for line in lines[at + 1 : at + 3]] == ["  refuse all", "  answer all"]
    assert "no figure: this system gives no answer (token_F1, CRAG, CRAG_refuse_all, 3 more)" in " ".join(
        lines
    )
    assert max(map(len, lines)) <= 80


def test_json_holds_the_pinned_keys_and_no_nan(run):
    shown = strict(run("show", FIRST, "--json")[1])
    assert shown["schema"] == "ragflow.eval/1"
    assert {"run", "dataset", "config_digest", "generation", "systems", "comparisons"} <= shown.keys()
    assert {"path", "kind", "digest", "questions", "fold", "slices"} <= shown["dataset"].keys()
    assert shown["dataset"]["slices"]["answerable:no"] == 16
    hybrid = shown["systems"]["hybrid"]
    assert {"mean", "low", "high", "n", "failed", "nan"} <= hybrid["metrics"]["nDCG@10"].keys()
    assert hybrid["metrics"]["nDCG@10"]["n"] == 32
    assert hybrid["latency_ms"] == {"p50": 5.0, "p95": 5.0}
    assert hybrid["steps_ms"] == {"search": {"p50": 2.0, "p95": 2.0}}
    assert shown["systems"]["bm25"]["metrics"]["AUROC"]["mean"] is None
    first = shown["comparisons"][0]
    assert {"a", "b", "metric", "difference", "low", "high", "p", "verdict"} <= first.keys()
    assert (first["a"], first["b"]) == ("bm25", "hybrid")


def shape(value):
    """What a program relies on: keys and types. Of a list, its first element stands for all."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "null" if value is None else type(value).__name__


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("eval", ["show", FIRST]),
        ("eval_case", ["show", FIRST, "--question", "q01"]),
        ("eval_run", ["list"]),
        ("compare", ["compare", f"{FIRST}:hybrid", f"{SECOND}:hybrid"]),
        ("gate", ["gate", SECOND]),
        ("calibration", ["calibrate", FIRST]),
    ],
)
def test_the_shapes_that_programs_rely_on_are_as_they_were(run, name, command):
    """A golden file. Keys may be added to it; none may be renamed, retyped or dropped."""
    golden = json.loads((Path(__file__).parent / "golden" / f"{name}.json").read_text())
    shown = strict(run(*command, "--json")[1].splitlines()[0])
    assert shape(shown) == golden
    assert shown["schema"] == f"ragflow.{name}/1"


def test_one_question_is_shown_with_its_gold_hits_answer_and_numbers(run):
    code, out, _ = run("show", FIRST, "--question", "q01")
    assert code == 0
    for text in ("How many days of mooring are paid?", "answer: 1 days", "docs/mooring.md", "nDCG@10 1.000"):
        assert text in out
    shown = strict(run("show", FIRST, "--question", "q01", "--json")[1])
    assert shown["schema"] == "ragflow.eval_case/1"
    assert [row["system"] for row in shown["rows"]] == ["bm25", "hybrid"]
    code, _, err = run("show", FIRST, "--question", "q99")
    assert (code, "no question q99" in err) == (2, True)


def test_only_what_failed_is_shown(run, tmp_path, capsys):
    assert run("show", FIRST, "--failed")[1] == "no question failed\n"
    assert main(["init", str(tmp_path)]) == 0
    capsys.readouterr()

    def fail(row):
        broken = row.system == "hybrid" and row.case == "q07"
        return replace(row, error="TimeoutError: \x1b[2J30 s", response=None) if broken else row

    store(tmp_path, FIRST, (), change=fail)
    assert main(["-C", str(tmp_path), "eval", "show", "--failed"]) == 0
    out = capsys.readouterr().out
    assert "q07" in out
    assert "q08" not in out
    assert "TimeoutError: \\x1b[2J30 s" in out
    main(["-C", str(tmp_path), "eval", "show"])
    assert "1 question failed:\n  TimeoutError" in capsys.readouterr().out


def test_an_unknown_run_is_a_usage_error(run):
    for command in (["show"], ["compare", FIRST], ["gate"], ["calibrate"], ["report"]):
        code, out, err = run(*command, "r-20200101T000000-000000")
        assert (code, out) == (2, "")
        assert err.startswith("error: ")


# -- compare -------------------------------------------------------------------------------------


def test_a_worse_run_is_called_worse_and_its_questions_are_shown_side_by_side(run):
    code, out, _ = run("compare", f"{FIRST}:hybrid", f"{SECOND}:hybrid", "--metrics", "nDCG@10,P@5")
    assert code == 0
    assert re.search(r"^nDCG@10 .*  worse$", out, re.MULTILINE)
    assert re.search(r"B is worse in .*nDCG@10", out)
    assert "Changed most in nDCG@10" in out
    assert re.search(r"^  A (answered|not_found) +\| B answered$", out, re.MULTILINE)
    assert max(map(len, out.splitlines())) <= 80


def test_all_shared_systems_are_compared_where_none_is_named(run):
    shown = strict(run("compare", FIRST, SECOND, "--json")[1])
    assert shown["schema"] == "ragflow.compare/1"
    assert (shown["a"], shown["b"]) == (FIRST, SECOND)
    assert {(one["a"], one["b"]) for one in shown["comparisons"]} == {("bm25", "bm25"), ("hybrid", "hybrid")}
    assert all(one["verdict"] == "not_distinguishable" for one in shown["comparisons"] if one["a"] == "bm25")
    assert {one["slice"] for one in shown["comparisons"]} > {"", "source:hr", "answerable:no"}
    assert {one["metric"] for one in shown["changed"]} == {"nDCG@10"}


def test_without_names_and_without_a_run_before_it_cannot_be_said(run):
    code, out, err = run("compare")
    assert (code, out) == (9, "")
    assert f"before {OTHER} on the same data" in err


def test_two_systems_of_one_run_are_compared(run):
    shown = strict(run("compare", f"{FIRST}:bm25", f"{FIRST}:hybrid", "--changed", "0", "--json")[1])
    assert {(one["a"], one["b"]) for one in shown["comparisons"]} == {("bm25", "hybrid")}
    assert shown["changed"] == []


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((FIRST, OTHER), 9, "other data"),
        ((FIRST, FIRST), 2, "compared with itself"),
        ((f"{FIRST}:dense", SECOND), 2, "no system dense"),
        ((FIRST, SECOND, "--metrics", "MAP"), 2, "has not measured MAP"),
        ((FIRST, SECOND, "--metrics", "magic"), 2, "magic"),
    ],
)
def test_what_cannot_be_compared_is_said_with_its_code(run, arguments, code, said):
    found, out, err = run("compare", *arguments)
    assert (found, out) == (code, "")
    assert said in err


# -- gate ----------------------------------------------------------------------------------------


def gate(run, *arguments):
    code, out, _ = run("gate", *arguments, "--json")
    return code, strict(out)


def test_a_gate_passes_fails_or_cannot_say_with_the_pinned_codes(run):
    code, shown = gate(run, SECOND)
    assert (code, shown["schema"], shown["status"]) == (8, "ragflow.gate/1", "failed")
    assert shown["against"] == FIRST
    assert {
        "metric", "baseline", "candidate", "difference", "low", "high", "margin", "status", "reason"
    } == shown["checks"][0].keys()  # fmt: skip
    code, shown = gate(run, FIRST, "--against", SECOND)
    assert (code, shown["status"]) == (0, "passed")
    code, shown = gate(run, FIRST)
    assert (code, shown["status"], shown["against"]) == (9, "inconclusive", None)
    assert "no baseline" in shown["checks"][0]["reason"]
    assert gate(run, FIRST, "--against", OTHER)[0] == 9
    assert gate(run, FIRST, "--against", SECOND, "--min-questions", "33")[0] == 9
    assert gate(run, SECOND, "--margin", "1")[0] == 0
    assert gate(run, SECOND, "--system", "bm25")[0] == 0


def test_the_gates_of_the_configuration_are_used_and_failed_wins(evaluated, tmp_path, capsys):
    from evals.datasets import load
    from evals.questions import to_json

    shutil.copytree(evaluated, tmp_path, dirs_exist_ok=True)
    questions = tmp_path / "questions.jsonl"
    questions.write_text("".join(json.dumps(to_json(one)) + "\n" for one in CASES))
    digest = load(questions).digest
    shutil.rmtree(tmp_path / ".ragflow")
    store(tmp_path, FIRST, range(0, len(CASES), 8), digest=digest)
    store(tmp_path, SECOND, range(0, len(CASES), 2), digest=digest)
    file = tmp_path / "ragflow.yaml"
    text = file.read_text()
    rule = "gates: [{{dataset: {}, metric: {}, margin: 0.05, min_questions: {}}}, {}]\n"
    second = "{dataset: questions.jsonl, metric: outcome_accuracy, margin: 1, min_questions: 99}"
    capsys.readouterr()
    for dataset, metric, fewest, expected in (
        ("questions.jsonl", "nDCG@10", 30, ["failed", "inconclusive"]),
        ("questions.jsonl", "nDCG@10", 40, ["inconclusive", "inconclusive"]),
    ):
        file.write_text(text + rule.format(dataset, metric, fewest, second))
        code = main(["-C", str(tmp_path), "eval", "gate", "--json"])
        shown = strict(capsys.readouterr().out)
        assert [one["status"] for one in shown["checks"]] == expected
        assert (code, shown["status"]) == ((8, "failed") if "failed" in expected else (9, "inconclusive"))
    questions.write_text(questions.read_text().replace("q47", "q48"))
    assert main(["-C", str(tmp_path), "eval", "gate"]) == 9
    assert "no gate of ragflow.yaml" in capsys.readouterr().err
    assert main(["-C", str(tmp_path), "eval", "gate", "--metric", "nDCG@10"]) == 8


def test_a_gate_says_why_in_words(run):
    code, out, _ = run("gate", SECOND)
    assert code == 8
    assert out.startswith("failed: nDCG@10 went from ")
    assert out.splitlines()[-1] == f"gate failed: {SECOND} against {FIRST}, hybrid"


# -- calibrate and report ------------------------------------------------------------------------


def test_calibration_recommends_or_cannot_say(run):
    code, out, _ = run("calibrate", FIRST, "--json")
    shown = strict(out)
    assert shown["schema"] == "ragflow.calibration/1"
    assert (code == 0) == (shown["recommended"] is not None)
    assert run("calibrate", FIRST, "--system", "bm25")[0] == 9
    code, out, _ = run("calibrate", FIRST, "--system", "bm25")
    assert "No threshold is recommended: " in out
    assert run("calibrate", FIRST, "--system", "magic")[0] == 2


def test_a_report_is_one_file_and_never_overwritten_unasked(run, tmp_path):
    target = tmp_path / "out.html"
    code, out, _ = run("report", FIRST, SECOND, "-o", str(target))
    assert (code, out) == (0, f"wrote {target}\n")
    assert target.read_text().lower().startswith("<!doctype html>")
    target.write_text("mine")
    code, _, err = run("report", FIRST, "-o", str(target))
    assert (code, target.read_text(), "--force" in err) == (2, "mine", True)
    assert run("report", FIRST, "-o", str(target), "--force")[0] == 0
    assert target.read_text() != "mine"


# -- run and init, against a real index ----------------------------------------------------------

LEAVE = "# Leave\n\n## Days\n\nEvery employee of the harbour office gets 28 days of paid leave in a year.\n"
MOORING = (
    "# Mooring\n\nBoats longer than 12 metres are moored at the eastern pier, and pay 40 euros a night.\n"
)
QUESTIONS = [
    {
        "id": "leave",
        "question": "How many days of paid leave does every employee get?",
        "answerable": True,
        "documents": ["docs/leave.md"],
        "quotes": [{"document": "docs/leave.md", "quote": "28 days of paid leave in a year"}],
        "answer": "28 days",
        "reviewed": True,
    },
    {"id": "gym", "question": "Who pays for the gymnasium?", "answerable": False, "reviewed": True},
    {"id": "new", "question": "Where are long boats moored?", "reviewed": False},
]


@pytest.fixture(scope="module")
def harbour(tmp_path_factory):
    """A small folder, set up and indexed by the program itself, with three questions."""
    folder = tmp_path_factory.mktemp("harbour")
    (folder / "docs").mkdir()
    (folder / "docs" / "leave.md").write_text(LEAVE)
    (folder / "docs" / "mooring.md").write_text(MOORING)
    assert main(["init", str(folder / "docs")]) == 0
    (folder / "docs" / "ragflow.yaml").rename(folder / "ragflow.yaml")
    text = (folder / "ragflow.yaml").read_text()
    (folder / "ragflow.yaml").write_text(text.replace("path: . ", "path: docs "))
    (folder / "questions.jsonl").write_text("".join(json.dumps(each) + "\n" for each in QUESTIONS))
    assert main(["-C", str(folder), "index"]) == 0
    return folder


@pytest.fixture
def ask(harbour, capsys):
    capsys.readouterr()

    def ask(*arguments):
        code = main(["-C", str(harbour), "eval", *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return ask


def test_a_question_file_is_evaluated_shown_and_exported(ask, harbour, tmp_path):
    files = {kind: tmp_path / f"out.{kind}" for kind in ("junit", "csv", "markdown")}
    flags = [each for kind, file in files.items() for each in (f"--{kind}", str(file))]
    code, out, err = ask("run", "questions.jsonl", "--systems", "bm25,hybrid", *flags)
    assert (code, err) == (0, "")
    run, *rest = out.splitlines()
    assert re.fullmatch(r"r-\d{8}T\d{6}-[0-9a-f]{6}: 3 questions of .*questions\.jsonl", run)
    assert any(line.startswith("not asked, 1 question: ") for line in rest)
    assert any(line.startswith("hybrid against bm25") for line in rest)
    # Commands to type are not broken.
    assert max(map(len, rest[: rest.index("next:")])) <= 80
    assert any(line.endswith("eval report") for line in rest)
    suites = ET.parse(files["junit"]).getroot()
    assert [suite.get("name") for suite in suites] == ["bm25", "hybrid"]
    with files["csv"].open(newline="") as stream:
        assert [line["case"] for line in csv.DictReader(stream)] == ["leave", "gym"] * 2
    assert files["markdown"].read_text().startswith("# Evaluation r")
    assert ask("show", "last")[1].splitlines()[0] == run


def test_json_of_a_run_is_one_object_on_stdout_and_nothing_on_stderr(ask):
    code, out, err = ask("run", "questions.jsonl", "--systems", "lexical", "--metrics", "nDCG@10", "--json")
    shown = strict(out)
    assert (code, err, out.count("\n")) == (0, "", 1)
    assert list(shown["systems"]) == ["lexical"]
    assert list(shown["systems"]["lexical"]["metrics"]) == ["nDCG@10"]
    assert shown["comparisons"] == []


def test_no_figure_at_all_is_nine(ask):
    code, out, _ = ask("run", "questions.jsonl", "--systems", "lexical", "--metrics", "token_F1")
    assert code == 9
    assert "no figure: this system gives no answer (token_F1)" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.jsonl"], "none.jsonl"),
        (["questions.jsonl", "--metrics", "nDCG@ten"], "nDCG@ten"),
        (["questions.jsonl", "--systems", "lexica"], "lexical"),
        (["questions.jsonl", "--fold", "2"], "fold"),
        (["questions.jsonl", "--limit", "0"], "limit"),
        (["broken.jsonl"], "broken.jsonl:2: "),
    ],
)
def test_what_is_wrong_with_a_call_or_a_data_set_is_told_before_anything_is_asked(
    ask, harbour, arguments, said
):
    (harbour / "broken.jsonl").write_text(json.dumps(QUESTIONS[0]) + "\n{oops\n")
    before = ask("list", "--json")[1]
    code, out, err = ask("run", *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert ask("list", "--json")[1] == before


def test_a_failing_system_is_counted_and_the_rest_goes_on(ask, monkeypatch, tmp_path):
    (tmp_path / "fragile_system.py").write_text(
        "from evals.cases import Response\n\n\n"
        "def answer(case):\n"
        "    if case.id == 'gym':\n"
        "        raise RuntimeError('no \\x1b[2J gym')\n"
        "    return Response()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    system = "fragile_system:answer"
    code, out, _ = ask("run", "questions.jsonl", "--systems", system, "--metrics", "nDCG@10,MAP")
    assert code == 0
    assert "1 question failed:\n  RuntimeError: no \\x1b[2J gym" in out
    shown = strict(ask("show", "--failed", "--json")[1])
    assert (shown["case"]["id"], shown["rows"][0]["error"]) == ("gym", "RuntimeError: no \x1b[2J gym")


def test_a_run_that_was_stopped_goes_on_and_says_so(ask, monkeypatch, tmp_path, capsys):
    module = tmp_path / "stopping_system.py"
    module.write_text(
        "from pathlib import Path\n\nfrom evals.cases import Response\n\n\n"
        "def answer(case):\n"
        "    if case.id == 'gym' and not Path(__file__).with_suffix('.go').exists():\n"
        "        raise KeyboardInterrupt\n"
        "    return Response()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    command = ["run", "questions.jsonl", "--systems", "stopping_system:answer", "--metrics", "nDCG@10"]
    assert ask(*command)[0] == 130
    assert strict(ask("list", "--json")[1].splitlines()[0])["status"] == "running"
    module.with_suffix(".go").write_text("")
    code, out, err = ask(*command)
    assert code == 0
    assert "stopping_system:answer: going on, 1 of 2 questions were done before\n" in err
    stopped = out.partition(":")[0]
    assert strict(ask("list", "--json")[1].splitlines()[0])["run"] == stopped
    code, out, err = ask(*command, "--fresh")
    assert (code, err) == (0, "")
    assert not out.startswith(stopped)
    # The run before, on the same data, is what the newest is compared with unless one is named.
    fresh = out.partition(":")[0]
    shown = strict(ask("compare", "--json")[1])
    assert (shown["a"], shown["b"]) == (stopped, fresh)


def test_init_proposes_questions_that_count_only_once_reviewed(ask, harbour, tmp_path):
    target = tmp_path / "proposed.jsonl"
    code, out, _ = ask("init", "-o", str(target), "--limit", "4")
    assert code == 0
    assert "none of them reviewed" in out
    written = target.read_text()
    lines = [strict(line) for line in written.splitlines()]
    assert 1 <= len(lines) <= 4
    assert all(line["reviewed"] is False for line in lines)
    assert all(line["documents"][0].startswith("docs/") for line in lines)
    code, out, _ = ask("run", str(target), "--systems", "bm25,lexical")
    assert (code, "nobody has reviewed it yet" in out) == (9, True)
    code, _, err = ask("init", "-o", str(target))
    assert (code, target.read_text() == written, "is there already" in err) == (2, True, True)
    target.write_text(written.replace('"reviewed": false', '"reviewed": true'))
    assert ask("run", str(target), "--systems", "lexical")[0] == 0


def test_a_judge_advises_and_changes_nothing_else(ask):
    with ScriptedServer([garbage()]) as server:
        flags = ["--judge", server.url, "--judge-model", "scripted"]
        code, out, _ = ask("run", "questions.jsonl", "--systems", "hybrid", *flags, "--json")
        assert server.requests
    shown = strict(out)
    assert code == 0
    assert "ragas:Faithfulness" not in shown["systems"]["hybrid"]["metrics"]
    judged = {one["metric"]: one for one in shown["judged"]["advice"]}
    assert all(one["mean"] is None for one in judged.values())
    assert sum(judged["ragas:Faithfulness"]["errors"].values()) > 0
    lines = list(judging.advised(shown["judged"], 80))
    assert lines[-1].startswith("Advice only")
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--judge", "http://127.0.0.1:9/v1"], "go together"),
        (["--judge-model", "x"], "go together"),
        (["--judge-key-env", "X"], "without --judge"),
        (
            ["--judge", "http://127.0.0.1:9/v1", "--judge-model", "x", "--judge-key-env", "NO_SUCH_KEY"],
            "NO_SUCH_KEY",
        ),
        (["--junit", "none/out.xml"], "there is no folder"),
        (["--csv", "docs"], "is a folder"),
    ],
)
def test_a_flag_that_cannot_work_is_refused_before_anything_is_asked(ask, flags, said):
    before = ask("list")[1]
    code, out, err = ask("run", "questions.jsonl", *flags)
    assert (code, out) == (2, "")
    assert said in err
    assert ask("list")[1] == before


def test_a_trec_run_is_written_where_it_was_asked_for(ask, tmp_path):
    assert ask("run", "questions.jsonl", "--systems", "lexical", "--trec-run", str(tmp_path / "out"))[0] == 0
    lines = (tmp_path / "out" / "lexical.trec").read_text().splitlines()
    assert all(len(line.split()) == 6 for line in lines)
    assert any(line.startswith("leave Q0 docs/leave.md 1 ") for line in lines)


# -- text for people -----------------------------------------------------------------------------


def test_names_are_split_at_commas_outside_brackets():
    assert names(None) == names("") == ()
    assert names(" nDCG@10 ,P@5,") == ("nDCG@10", "P@5")
    assert names("P(rel=2,judged_only=True)@5,AP") == ("P(rel=2,judged_only=True)@5", "AP")


def test_what_comes_from_documents_is_escaped_everywhere():
    hostile = "a\x1b[2Jb\u202ec\nd"
    row = {
        "system": hostile,
        "error": None,
        "numbers": {},
        "response": {
            "outcome": "answered",
            "reason": None,
            "confidence": 0.5,
            "answer": hostile,
            "citations": [{"document": hostile, "quote": hostile}],
            "ranking": [{"document": hostile, "score": 0.5, "text": hostile}],
        },
    }
    shown = {
        "case": {"id": hostile, "question": hostile, "answer": hostile, "documents": [hostile]},
        "excluded": None,
        "rows": [row, row | {"error": hostile}],
    }
    entry = {"question": hostile, "text": hostile, "metric": "P@5", "difference": 1.0, "a": row, "b": row}
    lines = [*eval_questions.question(shown, 80), *eval_questions.changed([entry], 80)]
    text = "\n".join(lines)
    assert escape(text, lines=True) == text
    assert "\\x1b[2J" in text


def test_two_columns_stay_in_their_halves():
    lines = list(eval_questions.side_by_side(["word " * 30], ["short"], 80))
    assert max(map(len, lines)) <= 80
    assert lines[0].endswith("| short")
    assert all(line.rstrip().endswith("|") for line in lines[1:])


def test_every_default_metric_of_answers_fits_the_line():
    one = {
        "slice": "",
        "n": 300,
        "difference": -0.1234,
        "low": -0.2,
        "high": 0.1,
        "p": 0.0001,
        "verdict": "not_distinguishable",
    }
    lines = list(eval_tables.compared([one | {"metric": name} for name in (*ANSWERS, *REFUSALS)], 80))
    assert max(map(len, lines)) <= 80


def test_nothing_in_a_table_is_a_bare_nan():
    figure = {"value": None, "low": None, "high": None, "n": 0, "failed": 0, "nan": 2, "left_out": {}}
    report = {
        "run": "r-1",
        "status": "running",
        "config_digest": "c" * 64,
        "generation": "g-1",
        "dataset": {"path": "x", "questions": 2, "excluded": {}},
        "systems": {
            "hybrid": {
                "metrics": {"AUROC": figure},
                "latency_ms": {"p50": None, "p95": None},
                "failed": 0,
                "errors": [],
            }
        },
        "comparisons": [],
    }
    lines = list(eval_tables.evaluated(report, 80))
    assert lines[0] == "r-1 (not finished): 2 questions of x"
    assert lines[-1].split() == ["AUROC", "-", "-", "0", "2"]


def test_every_command_of_the_group_is_in_the_reference(repository):
    page = Path(repository / "docs" / "cli.md").read_text()
    for command in ("init", "run", "compare", "gate", "calibrate", "report", "list", "show"):
        assert f"\n## ragflow eval {command}\n" in page
