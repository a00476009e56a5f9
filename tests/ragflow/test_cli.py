"""The command line: what it prints, where, and with which exit code."""

import fcntl
import hashlib
import io
import json
import os
import re
import signal
import struct
import subprocess
import sys
import termios
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from indexes.report import Progress
from ragflow import errors, identity
from ragflow.cli import main, progress
from ragflow.cli.answers import answered, found, place, proven
from ragflow.cli.progress import Lines
from ragflow.cli.tables import indexed, table
from ragflow.errors import RagflowError
from ragflow.terminal import escape, one_line, wrapped

REPOSITORY = Path(__file__).resolve().parents[2]
COMMANDS = [
    "init",
    "doctor",
    "index",
    "search",
    "ask",
    "verify",
    "route",
    "run",
    "worker",
    "stats",
    "sources",
    "connectors",
    "runs",
    "generations",
    "approvals",
    "access",
    "eval",
]
LEAVE = "# Leave\n\n## Days\n\nEvery employee of the harbour office gets 28 days of paid leave in a year.\n"
MOORING = (
    "# Mooring\n\nBoats longer than 12 metres are moored at the eastern pier, and pay 40 euros a night.\n"
)
ERRORS = sorted(
    (kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, RagflowError)),
    key=lambda kind: kind.__name__,
)


def failing(error):
    def opener(folder, overrides):
        raise error

    return opener


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A small folder, set up and indexed by the program itself."""
    folder = tmp_path_factory.mktemp("harbour")
    (folder / "leave.md").write_text(LEAVE)
    (folder / "mooring.md").write_text(MOORING)
    (folder / "empty.md").write_text("")
    assert main(["init", str(folder)]) == 0
    assert main(["-C", str(folder), "index"]) == 0
    return folder


@pytest.fixture
def run(workspace, capsysbinary):
    def run(*arguments):
        code = main(["-C", str(workspace), *arguments])
        out, err = capsysbinary.readouterr()
        return code, out.decode(), err.decode()

    return run


# -- help ----------------------------------------------------------------------------------------


def test_help_lists_the_commands_that_work_and_no_others(capsys):
    assert main(["--help"]) == 0
    listed = capsys.readouterr().out.partition("Commands:\n")[2].partition("\n\n")[0]
    assert [line.split()[0] for line in listed.splitlines()] == COMMANDS


def test_no_command_shows_the_help(capsys):
    assert main([]) == 0
    assert "Commands:" in capsys.readouterr().out


def test_the_generated_reference_is_what_the_program_says():
    script = REPOSITORY / "docs" / "generate_cli.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_help_fits_80_columns_and_no_sentence_is_cut():
    page = (REPOSITORY / "docs" / "cli.md").read_text()
    blocks = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    assert len(blocks) > len(COMMANDS)
    for line in "\n".join(blocks).splitlines():
        assert len(line) <= 80
        assert not line.endswith("...") or any(
            f"[{one}]..." in line for one in ("ARGS", "SOURCE", "DOCUMENT", "KEY=VALUE")
        )


def test_help_imports_nothing_heavy():
    script = (
        "import sys; from ragflow.cli import main; main(['--help']);"
        "print([m for m in ('rich', 'pydantic', 'yaml', 'numpy', 'sqlalchemy', 'onnxruntime', 'tokenizers')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_version(capsys):
    assert main(["--version"]) == 0
    assert re.fullmatch(r"ragflow \d+\.\d+\.\d+\n", capsys.readouterr().out)


# -- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ERRORS)
def test_an_error_ends_with_its_code_and_two_lines_on_stderr(kind, capsys):
    assert main(["ask", "why?"], opener=failing(kind("it went wrong", hint="do this"))) == kind.exit_code
    out, err = capsys.readouterr()
    assert (out, err) == ("", "error: it went wrong\nhint: do this\n")


@pytest.mark.parametrize("kind", ERRORS)
def test_with_json_an_error_is_one_object_on_stdout(kind, capsys):
    code = main(["ask", "why?", "--json"], opener=failing(kind("it went wrong", hint="do this")))
    out, err = capsys.readouterr()
    assert err == ""
    assert json.loads(out) == {
        "schema": "ragflow.error/1",
        "error": {"type": kind.__name__, "message": "it went wrong", "hint": "do this", "exit_code": code},
    }


@pytest.mark.parametrize("kind", ERRORS)
def test_the_page_of_errors_has_each_under_its_exit_code(kind):
    page = (REPOSITORY / "docs" / "errors.md").read_text()
    section = page.partition(f"\n## {kind.exit_code}: ")[2].partition("\n## ")[0]
    assert f"`{kind.__name__}`" in section


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["asks"], "ragflow --help"),
        (["ask"], "ragflow ask --help"),
        (["ask", "two", "words"], "ragflow ask --help"),
        (["ask", "x", "--nonsense"], "ragflow ask --help"),
        (["search", "x", "-k", "0"], "ragflow search --help"),
        (["search", "x", "-k", "many"], "ragflow search --help"),
        (["search", "x", "--system", "magic"], "ragflow search --help"),
        (["index", "--wait", "-1"], "ragflow index --help"),
        (["sources"], "ragflow sources --help"),
        (["generations", "promote"], "ragflow generations promote --help"),
        (["--set"], "ragflow --help"),
    ],
)
def test_a_wrong_call_is_told_like_any_other_error(arguments, hint, capsys):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(rf"error: .+\nhint: {hint}\n", err)


def test_a_bug_is_one_sentence_and_a_traceback_in_a_private_file(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert main(["ask", "why?"], opener=failing(KeyError("secret"))) == 1
    err = capsys.readouterr().err
    (trace,) = tmp_path.iterdir()
    assert str(trace) in err
    assert "Traceback" not in err
    assert "KeyError" in trace.read_text()
    assert trace.stat().st_mode & 0o777 == 0o600


def test_debug_shows_the_traceback(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert main(["--debug", "ask", "why?"], opener=failing(KeyError("x"))) == 1
    assert "Traceback" in capsys.readouterr().err
    assert main(["--debug", "ask", "why?"], opener=failing(errors.NoGeneration("none"))) == 3
    assert "Traceback" in capsys.readouterr().err


def test_an_interruption_is_one_line_and_130(capsys):
    assert main(["index"], opener=failing(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err.count("\n") == 1


def test_an_interruption_while_the_commands_load_ends_as_any_other(capsys, monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr("ragflow.cli.root.build", interrupted)
    assert main(["index"]) == 130
    assert capsys.readouterr().err.count("\n") == 1
    loaded = "import sys, ragflow.cli; sys.exit('ragflow.cli.root' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", loaded], check=False, cwd=REPOSITORY).returncode == 0


def test_what_an_error_repeats_is_escaped(capsys):
    main(["ask", "why?"], opener=failing(errors.NotFound("not found: a\x1b[2Jb\u202e")))
    assert "a\\x1b[2Jb\\u202e" in capsys.readouterr().err


@pytest.mark.parametrize("question", ["", "  ", "x" * 8001])
def test_a_bad_question_is_refused_before_anything_is_opened(question, capsys):
    assert main(["ask", question], opener=failing(AssertionError())) == 2
    assert main(["search", question], opener=failing(AssertionError())) == 2
    assert "question" in capsys.readouterr().err


def test_no_configuration_and_no_folder(tmp_path, capsys):
    assert main(["-C", str(tmp_path), "ask", "why?"]) == 2
    assert "hint: ragflow init" in capsys.readouterr().err
    assert main(["-C", str(tmp_path / "x"), "index"]) == 2


def test_nothing_indexed_yet(tmp_path, capsys):
    assert main(["init", str(tmp_path)]) == 0
    capsys.readouterr()
    assert main(["-C", str(tmp_path), "ask", "why?", "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["error"]["type"] == "NoGeneration"


@pytest.mark.parametrize(
    "arguments",
    [
        ["ask", "why\udcff"],
        ["search", "x", "--as", "group:\udcff"],
        ["search", "x", "--source", "\udcff"],
        ["sources", "show", "docs/\udcff"],
        ["sources", "forget", "docs/\udcff"],
        ["runs", "show", "\udcff"],
        ["verify", "\udcff"],
        ["generations", "promote", "\udcff"],
    ],
)
def test_what_is_no_unicode_is_a_usage_error(run, arguments):
    assert run(*arguments)[0] == 2


@pytest.mark.parametrize("command", [["sources", "list"], ["doctor"]])
def test_a_closed_pipe_is_quiet(workspace, command):
    program = [sys.executable, "-m", "ragflow.cli", "-C", workspace, *command]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(program, stdout=writer, stderr=subprocess.PIPE, check=False, cwd=REPOSITORY)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_ctrl_c_ends_with_130(workspace):
    program = [sys.executable, "-m", "ragflow.cli", "-C", workspace, "ask", "-"]
    child = subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=REPOSITORY
    )
    os.write(child.stdin.fileno(), b"how many")
    # Once the bytes are taken, the program waits for the rest of the question.
    while struct.unpack("i", fcntl.ioctl(child.stdin, termios.FIONREAD, b"\0\0\0\0")) != (0,):
        assert child.poll() is None
    child.send_signal(signal.SIGINT)
    out, err = child.communicate()
    assert (child.returncode, out, err.count(b"\n")) == (130, b"", 1)


# -- against a real workspace --------------------------------------------------------------------


def test_index_reports_each_source_and_what_could_not_be_read(run):
    code, out, _ = run("index", "--json")
    report = json.loads(out)
    assert code == 0
    assert (report["schema"], report["dry_run"], report["documents"]) == ("ragflow.index/1", False, 2)
    assert report["sources"]["docs"]["unchanged"] >= 2
    assert [each["document"] for each in report["unreadable"]] == ["docs/empty.md"]


def test_a_dry_run_changes_nothing(run):
    before = run("generations", "list", "--json")[1]
    code, out, _ = run("index", "--full", "--dry-run")
    assert code == 0
    assert out.startswith("Nothing was changed")
    assert run("generations", "list", "--json")[1] == before


def test_search_shows_the_place_and_prints_one_object(run):
    code, out, _ = run("search", "paid leave")
    assert code == 0
    assert out.splitlines()[0].endswith("docs/leave.md, Leave")
    shown = json.loads(run("search", "paid leave", "-k", "1", "--system", "lexical", "--json")[1])
    assert (shown["schema"], shown["system"], len(shown["hits"])) == ("ragflow.search/1", "lexical", 1)
    assert shown["readers"] == sorted(shown["readers"])


def test_a_question_can_come_from_stdin(run, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("paid leave\n".encode("utf-8-sig"))))
    assert json.loads(run("search", "-", "--json")[1])["question"] == "paid leave"


def test_stdin_that_is_no_text_is_told(run, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe")))
    code, _, err = run("search", "-")
    assert code == 2
    assert "UTF-8" in err


def test_ask_answers_with_the_code_of_its_outcome_and_verify_proves_it(run, monkeypatch):
    code, out, _ = run("ask", "How many days of paid leave does every employee get?", "--json")
    answer = json.loads(out)
    assert answer["schema"] == "ragflow.ask/1"
    assert code == (6 if answer["outcome"] in {"not_found", "blocked"} else 0)
    assert "rejected" not in answer
    code, out, _ = run("verify", "last", "--json")
    assert (code, json.loads(out)["schema"], json.loads(out)["run"]) == (0, "ragflow.verify/1", answer["run"])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(answer).encode())))
    code, out, _ = run("verify", "-", "--json")
    assert (code, json.loads(out)["record"]) == (0, "none")


def test_explain_adds_what_was_found(run):
    answer = json.loads(run("ask", "Where are long boats moored?", "--explain", "--json")[1])
    assert {"rejected", "hits", "features"} <= set(answer)
    assert "Found:" in run("ask", "Where are long boats moored?", "--explain")[1]


@pytest.mark.parametrize("text", ["", "nothing", "[1]", "{}", "[" * 10_000, '{"run": "\\ud800"}'])
def test_verify_refuses_what_is_no_answer(run, monkeypatch, text):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert run("verify", "-")[0] == 2


def test_the_text_of_a_document_is_printed_byte_for_byte_and_its_hash_is_the_revision(run):
    shown = json.loads(run("sources", "show", "docs/leave.md", "--json")[1])
    code, text, _ = run("sources", "text", "docs/leave.md")
    assert code == 0
    assert hashlib.sha256(text.encode()).hexdigest() == shown["revision"]
    assert run("sources", "text", f"docs/leave.md@{shown['revision'][:12]}")[1] == text


def test_an_unknown_document_or_run_is_not_found(run):
    assert run("sources", "show", "docs/absent.md")[0] == 6
    assert run("sources", "text", "docs/absent.md", "--as", "group:x")[0] == 6
    assert run("runs", "show", "r-20200101T000000-000000")[0] == 6
    assert run("verify", "r-20200101T000000-000000")[0] == 6


def test_lists_are_one_object_a_line(run):
    run("search", "leave")
    for command in (["sources", "list"], ["runs", "list"], ["generations", "list"]):
        code, out, _ = run(*command, "--json")
        assert code == 0
        lines = [json.loads(line) for line in out.splitlines()]
        assert lines
        assert all(line["schema"].startswith("ragflow.") for line in lines)
        assert run(*command)[0] == 0


def test_the_sources_that_are_listed_are_the_readable_ones(run):
    shown = json.loads(run("sources", "list", "--json")[1])
    assert shown == {
        "schema": "ragflow.source/1",
        "source": "docs",
        "type": "files",
        "documents": 2,
        "chunks": 2,
        "unreadable": 1,
        "indexed": shown["indexed"],
    }


def test_show_prints_the_record_of_a_run(run):
    run("ask", "Where are long boats moored?")
    code, out, _ = run("runs", "show", "last")
    assert (code, json.loads(out)["kind"]) == (0, "ask")


def test_as_needs_the_right_and_a_reader(run, monkeypatch):
    assert run("search", "leave", "--as", "hr")[0] == 2
    assert run("search", "leave", "--as", "group:hr")[0] == 0
    monkeypatch.setattr(identity, "login", lambda: "stranger")
    code, _, err = run("search", "leave", "--as", "group:hr")
    assert code == 2
    assert "identity.impersonate" in err


def test_a_flag_before_the_command_sets_a_key(run):
    assert run("--set", "search.k=1", "search", "the", "--json")[0] == 0
    code, _, err = run("--set", "search.q=1", "search", "the")
    assert code == 2
    assert '--set search.q: unknown key "q" in search' in err


def test_doctor_finds_a_sound_workspace_sound(run):
    code, out, _ = run("doctor", "--json")
    assert code == 0
    assert json.loads(out)["schema"] == "ragflow.doctor/1"
    assert "paid leave" not in out
    assert "ok    model: " in run("doctor")[1]


def test_a_forgotten_document_is_gone(tmp_path, capsys):
    (tmp_path / "a.md").write_text(LEAVE)
    (tmp_path / "b.md").write_text(MOORING)
    at = ["-C", str(tmp_path)]
    assert main(["init", str(tmp_path)]) == main([*at, "index"]) == 0
    assert main([*at, "sources", "forget", "docs/a.md"]) == 0
    assert main([*at, "sources", "show", "docs/a.md"]) == 6
    assert main([*at, "sources", "forget", "docs/none.md"]) == 6
    capsys.readouterr()
    assert main([*at, "generations", "rollback", "--json"]) in {0, 2}
    assert main([*at, "sources", "text", "docs/a.md"]) == 6


# -- text for people -----------------------------------------------------------------------------

CITATION = {
    "id": 1,
    "document": "hr/leave.docx",
    "revision": "9" * 64,
    "start": 1203,
    "end": 1234,
    "quote": "Employees get 28 days of leave.",
    "anchors": [{"kind": "page", "label": "3", "start": 1100, "end": 2400}],
    "link": None,
    "modified": "2024-03-01T09:00:00Z",
    "flagged": False,
}
ANSWER = {
    "schema": "ragflow.ask/1",
    "run": "r-20261122T183000-7f3a9c",
    "outcome": "answered",
    "reason": None,
    "confidence": 0.83,
    "answer": "Employees get 28 days of leave. [1]",
    "citations": [CITATION],
    "missing": [],
    "related": ["hr/benefits.md"],
    "standalone": None,
}


def test_an_answer_its_citations_and_how_to_check_it():
    assert "\n".join(answered(ANSWER, 80)) == (
        "Employees get 28 days of leave. [1]\n"
        "\n"
        "[1] hr/leave.docx, page 3\n"
        '    "Employees get 28 days of leave."\n'
        "\n"
        "See also:\n"
        "  hr/benefits.md\n"
        "\n"
        "Check it: ragflow verify r-20261122T183000-7f3a9c"
    )


def test_what_stays_open_is_said_under_the_answer():
    partial = ANSWER | {"outcome": "partial", "missing": ["how do I apply for it"], "related": []}
    assert "\n".join(answered(partial, 80)).startswith(
        "This answers a part of the question.\n"
        "\n"
        "Employees get 28 days of leave. [1]\n"
        "Not answered: how do I apply for it\n"
    )


def test_documents_that_disagree_are_shown_with_their_dates():
    other = CITATION | {"id": 2, "document": "hr/old.docx", "modified": None}
    lines = list(answered(ANSWER | {"outcome": "conflicting", "citations": [CITATION, other]}, 80))
    assert lines[0] == "The documents disagree; this is what each says."
    assert "[1] hr/leave.docx, page 3, 2024-03-01" in lines
    assert "[2] hr/old.docx, page 3, no date" in lines


def test_a_citation_that_gives_orders_is_marked():
    lines = list(answered(ANSWER | {"citations": [CITATION | {"flagged": True}]}, 80))
    assert lines[3].strip().startswith("CAREFUL: this text gives orders")


def test_how_a_follow_up_was_understood_comes_first():
    assert next(answered(ANSWER | {"standalone": "How many days of leave in Germany?"}, 80)) == (
        "Understood as: How many days of leave in Germany?"
    )


def test_what_is_blocked_is_not_said_to_be_absent():
    blocked = ANSWER | {"outcome": "blocked", "citations": [], "reason": "input_blocked", "related": []}
    assert "\n".join(answered(blocked, 80)) == "This question is not answered.\nWhy: it was blocked."


def test_a_refusal_is_honest_and_names_the_nearest_documents():
    refusal = ANSWER | {
        "outcome": "not_found",
        "answer": "",
        "citations": [],
        "reason": "low_confidence",
        "confidence": 0.21,
    }
    assert "\n".join(answered(refusal, 80)) == (
        "No answer was found in the documents that you may read.\n"
        "Why: what was found does not answer it surely enough (confidence 0.21).\n"
        "\n"
        "Nearest documents:\n"
        "  hr/benefits.md"
    )


def test_hits_with_rank_score_place_and_snippet():
    hit = CITATION | {"rank": 1, "score": 0.91, "text": "Leave\n\nEmployees get 28 days."}
    assert "\n".join(found({"hits": [hit]}, 80)) == (
        "  1  0.910  hr/leave.docx, page 3\n     Leave Employees get 28 days."
    )
    assert list(found({"hits": []}, 80)) == ["Nothing was found."]


def test_a_proof_line_by_line():
    proof = {
        "run": "r-1",
        "record": "changed",
        "proven": 1,
        "failed": 1,
        "unavailable": 0,
        "citations": [
            {"id": 1, "status": "proven_from_record", "source_now": "deleted", "detail": None},
            {"id": 2, "status": "failed", "source_now": "unchanged", "detail": "other text stands there"},
        ],
    }
    assert list(proven(proof)) == [
        "r-1: THE RECORD WAS CHANGED",
        "[1] proven from record, source deleted",
        "[2] failed, source unchanged: other text stands there",
        "1 proven, 1 failed, 0 unavailable",
    ]


def _report(**changes):
    counts = dict.fromkeys(("added", "updated", "deleted", "moved", "access_changed", "unchanged"), 0)
    source = {"status": "ok", **counts, "added": 40, "unreadable": 22, "error": None, "hint": None}
    unreadable = [
        {"document": f"hr/{i}.png", "reason": "no_text_layer", "hint": "install it"} for i in range(22)
    ]
    report = {
        "dry_run": False,
        "generation": "g-1",
        "promoted": True,
        "reason": None,
        "sources": {"hr": source},
        "unreadable": unreadable,
        "documents": 38,
        "chunks": 1412,
        "timings_ms": {"total": 9120},
    }
    return report | changes


def test_an_index_run_as_a_table_with_at_most_twenty_unreadable_files():
    lines = list(indexed(_report()))
    assert lines[:2] == [
        "source  added  updated  deleted  moved  access  unchanged  unreadable",
        "hr         40        0        0      0       0          0          22",
    ]
    assert sum("no_text_layer (install it)" in line for line in lines) == 20
    assert "  and 2 more: 2 no_text_layer" in lines
    assert lines[-1] == "g-1 is live: 38 documents, 1,412 chunks (9.1 s)"
    assert all(len(line) <= 80 for line in lines)


def test_an_index_run_that_promoted_nothing_says_why():
    assert list(indexed(_report(promoted=False, unreadable=[])))[-1].startswith("g-1 stays live")
    held = _report(promoted=False, reason="the brake holds")
    assert list(indexed(held))[-1] == "No new generation was promoted: the brake holds"
    failed = _report()
    failed["sources"]["hr"] |= {"status": "failed", "error": "no such folder", "hint": "mount it"}
    assert "hr failed: no such folder" in list(indexed(failed))
    assert "  hint: mount it" in list(indexed(failed))


@pytest.mark.parametrize(
    ("anchors", "words"),
    [
        ([], ""),
        ([("page", "3", 0, 100)], "page 3"),
        ([("page", "3", 0, 15), ("page", "4", 15, 100)], "pages 3-4"),
        ([("page", "2", 0, 10), ("page", "3", 10, 100)], "page 3"),
        ([("sheet", "Prices", 0, 100), ("row", "5", 5, 30)], "sheet Prices, row 5"),
        ([("sheet", "Prices", 0, 100), ("row", "5", 5, 15), ("row", "6", 15, 40)], "sheet Prices, rows 5-6"),
        (
            [("heading", "Leave", 0, 90), ("heading", "Days", 5, 90), ("heading", "More", 15, 90)],
            "Leave > Days",
        ),
        ([("message", "Re: leave", 0, 100)], 'message "Re: leave"'),
        ([("slide", "4", 10, 20)], "slide 4"),
    ],
)
def test_a_place_in_words(anchors, words):
    shown = [dict(zip(("kind", "label", "start", "end"), anchor, strict=True)) for anchor in anchors]
    assert place(shown, 10, 20) == words


def test_a_table_of_nothing_is_its_heads():
    assert list(table(("a", "b"), [])) == ["a  b"]


hostile = st.text(
    st.sampled_from("ab \n\t\x00\x07\x1b\x7f\x9b\u200b\u202e\u2066\u2028\ufeff\U000e0041\udc80[2J")
)


@given(hostile)
def test_nothing_that_acts_on_a_terminal_is_printed(text):
    hidden = re.compile(
        "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\u2028\ufeff\U000e0041\udc80]"
    )
    assert not hidden.search(escape(text) + escape(text, lines=True) + one_line(text, 20) + wrapped(text, 20))
    assert "\n" not in escape(text) + one_line(text, 20)
    answer = ANSWER | {"answer": text, "related": [text], "run": text}
    answer["citations"] = [CITATION | {"document": text, "quote": text, "link": text or None}]
    answer["citations"][0]["anchors"] = [{"kind": "heading", "label": text, "start": 0, "end": 9999}]
    report = _report(unreadable=[{"document": text, "reason": text, "hint": text}], reason=text)
    for line in [*answered(answer, 40), *indexed(report), *table(("x",), [[text]])]:
        assert not hidden.search(line)


@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"])))
def test_ordinary_text_is_printed_as_it_is(text):
    assert escape(text) == text


def test_joiners_stay_between_letters():
    assert escape("می\u200cخواهم") == "می\u200cخواهم"


@given(st.text(), st.integers(3, 60))
def test_one_line_is_never_wider_than_asked(text, width):
    assert len(one_line(text, width)) <= width


def test_json_stays_json_where_stdout_is_not_unicode(monkeypatch):
    class Opened:
        def asker(self, as_):
            return SimpleNamespace(readers=("everyone",))

        def generations(self, *, readers):
            return [{"schema": "ragflow.generation/1", "name": "é\udc80"}]

    printed = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", printed)
    assert main(["generations", "list", "--json"], opener=lambda *_: nullcontext(Opened())) == 0
    printed.flush()
    assert json.loads(printed.buffer.getvalue())["name"] == "é\udc80"


def test_without_a_terminal_progress_is_a_line_now_and_then(capsys, monkeypatch):
    clock = iter([0.0, 2.0, 6.0, 7.0])
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    lines = Lines(written=0.0)
    for done in (0, 40, 60, 80):
        lines(Progress("embed", "h\x1br", done, 1000))
    assert capsys.readouterr().err == "h\\x1br: embed 60 of 1,000, 10.0/s\n"


def test_on_a_terminal_progress_is_a_bar_with_rate_and_time_left(monkeypatch):
    printed = Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None)
    with progress.bars(printed) as report:
        for done in (0, 40, 100):
            report(Progress("embed", "[bold]h\x1br", done, 100))
    shown = printed.file.getvalue()
    assert "[bold]h\\x1br: embed" in shown
    assert "100/100" in shown
    assert "/s" in shown
