"""A workspace whose vectors come from an API, from the command line: cost first, killed, changed, refused."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from embedding_server import EmbeddingServer
from scripted_server import ScriptedServer, chosen, hang_up, refused, status

import ragflow
from ragflow.cli import main

CONFIG = """\
version: 1
sources:
  open: {{type: files, path: open, readers: [everyone]}}
  hr: {{type: files, path: hr, readers: ["user:{login}"]}}
identity: {{principals: {{{login}: ["user:{login}"]}}}}
embed:
  engine: litellm
  model: openai/any
  api_base: {url}
  usd_per_million_tokens: 0.02
  retries: 0
  batch_texts: 4
"""
QUESTION = "How many days of paid annual leave does every employee get?"
NOTES = 90


@pytest.fixture
def server(embedder):
    with EmbeddingServer(embedder) as server:
        yield server


@pytest.fixture
def folder(tmp_path, server):
    return office(tmp_path / "office", server.url)


def office(folder, url):
    from ragflow import identity

    (folder / "open").mkdir(parents=True)
    (folder / "hr").mkdir()
    (folder / "ragflow.yaml").write_text(CONFIG.format(url=url, login=identity.login()))
    (folder / "open" / "leave.md").write_text(
        "# Annual leave\n\nEvery employee gets 28 days of paid annual leave in each calendar year.\n"
    )
    (folder / "open" / "travel.txt").write_text("Trains are booked before planes. Hotels need a yes.")
    (folder / "hr" / "bands.md").write_text(
        "# Bands\n\nThe band of a senior engineer starts at 74,000 euros.\n"
    )
    return folder


def many(folder):
    for number in range(NOTES):
        words = f"Hall {number} keeps pallets of sort {number * 7} behind door {number + 3}."
        (folder / "open" / f"note-{number:03}.txt").write_text(words)


@pytest.fixture
def run(folder, capsys):
    def run(*arguments):
        capsys.readouterr()
        code = main(["-C", str(folder), *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def report(run, *arguments):
    code, out, err = run(*arguments, "--json")
    return code, json.loads(out), err


def test_what_it_costs_is_told_first_then_done_then_recorded(run, server):
    code, told, _ = report(run, "index", "--dry-run")
    assert (code, server.requests) == (0, [])
    estimate = told["embedding_estimate"]
    assert told["embedding"] is None
    assert (estimate["model"], estimate["exact"]) == ("openai/any", False)
    assert estimate["texts"] >= 3
    assert estimate["tokens"] > 0
    assert estimate["usd"] == pytest.approx(estimate["tokens"] * 0.02e-6, abs=1e-9)

    code, out, err = run("index")
    assert code == 0, err
    assert "To openai/any: about 3 texts of about" in err
    assert "Sent to openai/any: 3 texts" in out

    code, record, _ = run("runs", "show", "last", "--json")
    done = json.loads(record)["output"]["embedding"]
    assert (done["model"], done["requests"], done["texts"], done["cached"]) == ("openai/any", 1, 3, 0)
    assert done["tokens"] > 0
    assert done["usd"] == pytest.approx(done["tokens"] * 0.02e-6)
    assert len(server.requests) == 1


def test_what_the_store_holds_is_counted_exactly_and_never_less_than_is_sent(folder, run, server):
    many(folder)
    assert run("index")[0] == 0
    sent = len(server.texts)
    change = ["--set", "embed.max_tokens=512"]  # another key: all is to be embedded anew
    lines = run(*change, "index", "--dry-run")[1].splitlines()
    assert lines[-1] == "It would take less than a second without that.", "a pace costs: it is not measured"
    code, told, _ = report(run, *change, "index", "--dry-run")
    estimate = told["embedding_estimate"]
    assert (code, estimate["exact"], estimate["texts"]) == (0, True, sent)
    assert len(server.texts) == sent
    code, done, _ = report(run, *change, "index")
    assert done["embedding_estimate"] == estimate
    assert done["embedding"]["texts"] == estimate["texts"]
    assert done["embedding"]["tokens"] <= estimate["tokens"]
    assert done["embedding"]["usd"] <= estimate["usd"]
    back = report(run, "index", "--dry-run")[1]["embedding_estimate"]
    assert (back["texts"], back["cached"], back["usd"]) == (0, sent, 0.0), "the former vectors are kept"


def test_an_unchanged_workspace_needs_no_request_and_a_full_run_takes_the_cache(run, server):
    assert run("index")[0] == 0
    asked = len(server.requests)
    assert run("index")[0] == 0
    code, done, _ = report(run, "index", "--full")
    assert (code, done["embedding"]["requests"], done["embedding"]["cached"]) == (0, 0, 3)
    assert len(server.requests) == asked


def test_a_question_is_answered_with_two_requests_and_its_run_tells_what_they_cost(run, server):
    assert run("index")[0] == 0
    before = len(server.requests)
    code, answer, _ = report(run, "--set", "embed.batch_texts=16", "ask", QUESTION)
    assert (code, answer["outcome"]) == (0, "answered")
    assert answer["citations"][0]["document"] == "open/leave.md"
    question, sentences = server.requests[before:]
    assert question["input"] == [QUESTION]
    assert QUESTION not in sentences["input"]
    steps = json.loads(run("runs", "show", "last", "--json")[1])["steps"]
    tokens = [step["tokens"] for step in steps if step["tokens"]]
    assert len(tokens) == 2, "of the step that embeds the question, and of the one that weighs sentences"
    assert sum(step["cost_usd"] for step in steps) == pytest.approx(sum(tokens) * 0.02e-6)
    assert run("verify", "last")[0] == 0


def test_a_hidden_document_is_no_part_of_what_another_reader_makes_it_send(folder, run, server):
    text = (folder / "ragflow.yaml").read_text()
    (folder / "ragflow.yaml").write_text(
        text.replace("identity: {", "identity: {impersonate: [" + login() + "], ")
    )
    assert run("index")[0] == 0
    before = len(server.requests)
    run("ask", "Where does the band of a senior engineer start?", "--as", "everyone")
    sent = [text for request in server.requests[before:] for text in request["input"]]
    assert not any("74,000" in text for text in sent)


def login():
    from ragflow import identity

    return identity.login()


def test_a_server_that_dies_half_way_loses_nothing_and_the_next_run_goes_on(folder, run, server):
    many(folder)
    live = server.replies[-1]
    server.replies = [*[live] * 20, hang_up()]
    code, _, err = run("index")
    assert code == 4
    *_, error, hint = err.splitlines()
    assert error == "error: no vectors from openai/any: the connection broke before a reply"
    assert hint.startswith("hint: run the same command again: what is embedded is kept; `ragflow doctor`")
    assert not (folder / ".ragflow" / "current").exists()
    sent = set(server.texts)
    server.replies, first = [live], len(server.texts)
    code, done, _ = report(run, "index")
    assert (code, done["promoted"], done["documents"]) == (0, True, NOTES + 3)
    again = server.texts[first:]
    assert done["embedding"]["cached"] == 64, "each round of 64 texts is kept"
    assert len(again) == NOTES + 3 - 64
    assert len(sent & set(again)) <= 64


@pytest.mark.parametrize("after", [1, 17, 20])
def test_a_run_that_is_killed_goes_on_where_it_was(after, folder, run, server):
    many(folder)
    live = server.replies[-1]
    seen = []

    def reply(request):
        seen.append(request)
        if len(seen) == after:
            os.kill(process.pid, signal.SIGKILL)
        return server._reply(request)

    server.replies = [chosen(reply)]
    environment = {**os.environ, "PYTHONPATH": str(Path(ragflow.__file__).parents[1])}
    process = subprocess.Popen(
        [sys.executable, "-m", "ragflow.cli", "-C", str(folder), "index"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert process.wait() == -signal.SIGKILL
    server.replies = [live]
    code, done, _ = report(run, "index")
    assert (code, done["documents"]) == (0, NOTES + 3)
    assert done["embedding"]["cached"] == (64 if after > 16 else 0)
    assert report(run, "ask", QUESTION)[1]["outcome"] == "answered"


def test_another_number_of_dimensions_stores_nothing_and_leaves_the_live_index(folder, run, server):
    assert run("index")[0] == 0
    current = (folder / ".ragflow" / "current").read_bytes()
    server.width = 100
    code, _, err = run("ask", QUESTION)
    assert code == 4
    assert "gives 100 numbers for a text where the index holds 384" in err
    (folder / "open" / "new.txt").write_text("A new note about the gate.")
    code, _, err = run("index")
    assert code == 4
    assert "gives 100 numbers for a text where the index holds 384" in err
    assert "embed.dimensions: 100" in err
    assert (folder / ".ragflow" / "current").read_bytes() == current
    server.width = None
    code, answer, _ = report(run, "ask", QUESTION)
    assert answer["outcome"] == "answered"
    code, done, _ = report(run, "index")
    assert (code, done["documents"]) == (0, 4), "nothing of the other length was kept"
    code, done, _ = report(run, "--set", "embed.dimensions=100", "index")
    assert (code, done["embedding"]["cached"], done["embedding"]["texts"]) == (0, 0, 4)
    assert report(run, "--set", "embed.dimensions=100", "ask", QUESTION)[1]["outcome"] == "answered"


def test_two_servers_of_one_name_are_never_mixed(folder, run, server, embedder):
    assert run("index")[0] == 0
    with EmbeddingServer(embedder) as other:
        elsewhere = ["--set", f"embed.api_base={other.url}"]
        code, _, err = run(*elsewhere, "ask", QUESTION)
        assert code == 2
        assert "the index was built with openai/any litellm" in err
        assert "set embed.api_base back to" in err
        code, done, _ = report(run, *elsewhere, "index")
        assert (done["embedding"]["texts"], done["embedding"]["cached"]) == (3, 0)


def test_a_budget_stops_a_run_before_it_is_sent_and_the_next_day_goes_on(folder, run, server):
    many(folder)
    limit = ["--set", "budget.day_usd=0.00003"]
    code, _, err = run(*limit, "index")
    assert code == 4
    assert "That is more than what is left of budget.day_usd today" in err
    assert "budget.day_usd" in err.splitlines()[-2]
    sent = len(server.texts)
    assert 0 < sent < NOTES
    code, _, err = run(*limit, "ask", QUESTION)
    assert code in (3, 4)
    code, done, _ = report(run, "index")
    assert code == 0
    assert done["embedding"]["texts"] <= NOTES + 3


@pytest.mark.parametrize(
    ("settings", "code", "words"),
    [
        (["embed.api_key_env=RAGFLOW_TEST_ABSENT"], 2, "RAGFLOW_TEST_ABSENT is not set"),
        (["embed.model=voyage/any"], 2, "voyage is no provider whose vectors can be used here"),
        (["embed.model=any"], 2, "any names no provider: write openai/any"),
    ],
)
def test_what_is_wrong_here_is_2_and_nothing_is_read(settings, code, words, folder, run, server):
    flags = [part for one in settings for part in ("--set", one)]
    found, _, err = run(*flags, "index")
    assert (found, words in err) == (code, True), err
    assert server.requests == []
    assert not (folder / ".ragflow" / "current").exists()


def test_a_server_that_is_not_there_or_takes_no_key_is_4_for_a_question_too(folder, run, server):
    assert run("index")[0] == 0
    server.replies = [status(401)]
    code, _, err = run("ask", QUESTION)
    assert code == 4
    assert "error: no vectors from openai/any: the server does not take the key (401)" in err
    assert "embed.api_key_env" in err
    assert run("search", "leave", "--system", "lexical")[0] == 0, "words need no server"
    with refused() as url:
        found, _, err = run("--set", f"embed.api_base={url}", "index")
    assert (found, "no connection to its address" in err) == (4, True)


def test_doctor_looks_at_key_server_and_price_and_asks_for_nothing(folder, run, server):
    def look(*flags):
        return next(check for check in report(run, *flags, "doctor")[1]["checks"] if check["name"] == "model")

    assert look()["status"] == "ok"
    unset = look("--set", "embed.api_key_env=RAGFLOW_TEST_ABSENT")
    assert (unset["status"], unset["message"]) == ("fail", "openai/any: RAGFLOW_TEST_ABSENT is not set")
    with refused() as url:
        gone = look("--set", f"embed.api_base={url}")
    assert (gone["status"], "nothing listens at" in gone["message"]) == ("warn", True)
    away = ["--set", "embed.api_base=https://api.example.com/v1", "--set", "embed.api_key_env=HOME"]
    unpriced = look(*away, "--set", "embed.usd_per_million_tokens=null")
    assert (unpriced["status"], unpriced["cure"]) == ("warn", "give embed.usd_per_million_tokens")
    assert look("--set", "embed.model=voyage/any")["status"] == "fail"
    assert server.requests == []


def test_nothing_but_the_configured_server_is_contacted(folder, tmp_path, server):
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("test_network", Path(__file__).parents[1] / "test_network.py")
    watching = module_from_spec(spec)
    spec.loader.exec_module(watching)
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(watching.RECORDER)
    record = tmp_path / "record"
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "USER", "LOGNAME") if name in os.environ}
    code = Path(ragflow.__file__).parents[1]
    environment = kept | {
        "HOME": str(tmp_path), "PYTHONPATH": f"{hooks}:{code}", "NETWORK_RECORD": str(record)
    }  # fmt: skip
    for command in (["index", "--dry-run"], ["index"], ["ask", QUESTION], ["doctor"]):
        program = [sys.executable, "-m", "ragflow.cli", "-C", str(folder), *command]
        result = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
        assert result.returncode in (0, 8), (command, result.stdout, result.stderr)
    reached = [line for line in record.read_text().splitlines() if "'/" not in line]
    port = server.url.rpartition(":")[2].partition("/")[0]
    assert reached
    assert [line for line in reached if "'127.0.0.1'" not in line] == []
    assert {line for line in reached if line.startswith("socket.connect")} == {
        f"socket.connect ('127.0.0.1', {port})"
    }


def test_litellm_is_imported_only_where_vectors_are_asked_for(folder, server):
    def imported(*arguments):
        script = (
            "import sys\nfrom ragflow.cli import main\n"
            f"code = main({['-C', str(folder), *arguments]!r})\n"
            "print(code, 'litellm' in sys.modules, 'httpx' in sys.modules, file=sys.stderr)"
        )
        environment = {**os.environ, "PYTHONPATH": str(Path(ragflow.__file__).parents[1])}
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
        )
        return done.stderr.splitlines()[-1]

    assert imported("index", "--dry-run") == "0 False False"
    assert imported("index") == "0 True True"
    assert imported("index") == "0 False False", "nothing had changed"
    assert imported("search", "leave", "--system", "lexical") == "0 False False"
    shutil.rmtree(folder / ".ragflow")
    onnx = [
        "--set",
        "embed.engine=onnx",
        "--set",
        "embed.model=all-MiniLM-L6-v2",
        "--set",
        "embed.api_base=null",
    ]
    onnx += [
        "--set",
        "embed.usd_per_million_tokens=null",
        "--set",
        "embed.retries=2",
        "--set",
        "embed.batch_texts=16",
    ]
    assert imported(*onnx, "index") == "0 False False"


def test_a_server_that_is_scripted_says_what_an_empty_one_would(folder, run):
    with ScriptedServer([status(500)]) as broken:
        code, _, err = run("--set", f"embed.api_base={broken.url}", "index")
    assert (code, len(broken.requests)) == (4, 1)
    assert "the server failed (500)" in err
