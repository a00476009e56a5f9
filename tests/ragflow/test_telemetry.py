"""Traces of finished runs: sent to a real receiver where one is configured, with ids and counts alone."""

import json
import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import otlp_receiver
import pytest
from otlp_receiver import Receiver, attributes
from scripted_server import ScriptedServer, chosen, status, verdict

from ragflow import config as configuration
from ragflow.cli import main
from ragflow.models import litellm_client
from ragflow.watching import exporting
from ragflow.watching.traced import traced

# What no name, outcome or attribute of a trace has; nothing short in digits, which random ids have too.
LEAVE = "# Zephyrleave\n\nEvery quokka employee gets 28 days of marzipan leave a year.\n"
QUESTION = "How many days of marzipan leave does a quokka employee get?"
SENTENCE = "Every quokka employee gets 28 days of marzipan leave a year."
SECRET = re.compile(
    r"zephyr|quokka|marzipan|employee|days|987654321|xylophone|tangerine|ortolan", re.IGNORECASE
)


def a_folder(folder: Path) -> Path:
    (folder / "docs").mkdir()
    (folder / "docs" / "zephyr.md").write_text(LEAVE)
    source = "docs: {type: files, path: docs, readers: [everyone]}"
    (folder / "ragflow.yaml").write_text(f"version: 1\nsources: {{{source}}}\n")
    return folder


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    folder = a_folder(tmp_path_factory.mktemp("watched"))
    assert main(["-C", str(folder), "index"]) == 0
    return folder


@pytest.fixture
def run(workspace, capsys):
    """Run a command and return its exit code, stdout and stderr."""

    def run(*arguments, endpoint=None, **keys):
        settings = {"endpoint": endpoint, **keys}
        flags = [f"--set=telemetry.{key}={value}" for key, value in settings.items() if value is not None]
        capsys.readouterr()
        code = main(["-C", str(workspace), *flags, *arguments])
        return code, *capsys.readouterr()

    return run


def record_of(run):
    code, out, _ = run("runs", "show", "last", "--json")
    assert code == 0
    return json.loads(out)


def a_workflow(**changes):
    """A finished run of a workflow whose content is in every place where content can be."""

    def step(name, kind, output, **more):
        basic = {"attempt": 1, "started_ms": 10, "ms": 5, "status": "ok", "cost_usd": 0, "tokens": 0}
        return {"name": name, "kind": kind, "input_digest": "0" * 64, "output": output, **basic, **more}

    answer = {
        "schema": "ragflow.ask/1", "outcome": "answered", "reason": None, "confidence": 0.5, "thread": None,
        "question": "quokka?", "answer": "marzipan", "claims": [{"text": "quokka", "citations": [1]}],
        "citations": [{"id": 1, "quote": "quokka"}],
        "route": {"sources": ["docs"], "workflow": "answer", "rule": "pay", "tier": None},
    }  # fmt: skip
    arguments = {"order": "xylophone", "amount": 987654321}
    steps = [
        step("ask", "ask", {"answer": answer, "tape": {"prompt": "quokka"}}),
        step("search", "search", {"hits": [{"text": "quokka"}, {"text": "marzipan"}]}),
        step("tidy up", "step", {"model": "quokka", "failure": "marzipan", "status": "xylophone"}),
        step("Order xylophone", "step", {"hits": 28}, attempt=3),
        step("model", "model", {"model": "openai/gpt", "tokens_in": 11, "tokens_out": 7, "text": "quokka"},
             tokens=18, cost_usd=0.25),
        step("policy refund", "policy", {"arguments": arguments}),
        step("policy tangerine", "policy", {"error": {"type": "no tangerine"}}, status="failed"),
        step("request refund", "approval", "a-1"),
        step("decision refund", "approval", {"status": "revised", "by": "ortolan", "arguments": arguments}),
        step("request Send the xylophone", "approval", "a-2"),
        step("request ortolan", "approval", "a-3"),
        step("tool refund", "tool", {"receipt": "ortolan"}, status="failed", started_ms=90_000, ms=30,
             error={"type": "ToolFailed", "message": "quokka xylophone"}),
    ]  # fmt: skip
    return {
        "schema": "ragflow.run/1", "run": "r-20261120T101500-00a1b2", "kind": "workflow",
        "created": "2026-11-20T10:15:00Z", "actor": ["user:ortolan"], "status": "failed", "outcome": "failed",
        "exit_code": 4, "config_digest": "c" * 64, "generation": None, "version": "0.1.0",
        "input": {"workflow": "support", "input": {"text": "quokka"}}, "steps": steps,
        "output": {"error": {"type": "ToolFailed", "message": "marzipan"}},
        "approvals": [{"approval": "a-1", "arguments": arguments}], "previous": "", "digest": "d" * 64,
        **changes,
    }  # fmt: skip


# -- what is in a trace --------------------------------------------------------------------------


def test_an_answer_is_one_trace_with_a_span_for_each_step(run):
    with Receiver() as receiver:
        code, _, err = run("ask", QUESTION, endpoint=receiver.url)
    assert (code, err) == (0, "")
    record = record_of(run)
    [post] = receiver.posts
    assert (post.path, post.headers["content-type"]) == ("/v1/traces", "application/x-protobuf")
    root, *steps = receiver.spans
    assert root.name == "invoke_workflow answer"
    assert len(steps) == len(record["steps"])
    assert {span.trace_id for span in receiver.spans} == {root.trace_id}
    assert {span.parent_span_id for span in steps} == {root.span_id}
    assert root.parent_span_id == b""
    assert len({span.span_id for span in receiver.spans}) == len(receiver.spans)
    told = attributes(root)
    assert told["ragflow.run"] == record["run"]
    assert told["ragflow.run_digest"] == record["digest"]
    assert (told["ragflow.outcome"], told["ragflow.citations"]) == ("answered", 1)
    resource = post.message.resource_spans[0].resource
    assert {one.key: one.value.string_value for one in resource.attributes} == {
        "service.name": "ragflow",
        "service.version": record["version"],
    }


def test_steps_stand_where_the_record_says_that_they_were(run):
    with Receiver() as receiver:
        run("ask", QUESTION, endpoint=receiver.url)
    record = record_of(run)
    root, *spans = receiver.spans
    began = int(datetime.fromisoformat(record["created"]).astimezone(UTC).timestamp()) * 10**9
    assert root.start_time_unix_nano == began
    for span, step in zip(spans, record["steps"], strict=True):
        assert span.start_time_unix_nano == began + step["started_ms"] * 10**6
        assert span.end_time_unix_nano - span.start_time_unix_nano == step["ms"] * 10**6
        assert span.end_time_unix_nano <= root.end_time_unix_nano


def test_the_conventions_name_retrieval_and_its_source(run):
    with Receiver() as receiver:
        run("ask", QUESTION, endpoint=receiver.url)
    [span] = [one for one in receiver.spans if one.name.startswith("retrieval")]
    told = attributes(span)
    assert span.name == "retrieval docs"
    assert span.kind == span.SPAN_KIND_CLIENT
    assert (told["gen_ai.operation.name"], told["gen_ai.data_source.id"]) == ("retrieval", "docs")
    assert told["ragflow.hits"] == 1


def test_a_model_call_bears_provider_model_and_tokens_and_a_failed_one_its_failure(workspace, run):
    if not litellm_client.installed():  # importing it here would have it fetch its list of prices
        pytest.skip("the extra llm is not installed: no model can be asked")

    def good(request):
        number = re.findall(r'number="(\d+)"', request["messages"][-1]["content"])[0]
        quotes = [{"passage": int(number), "text": SENTENCE}]
        return verdict({"claims": [{"text": SENTENCE, "quotes": quotes}], "missing": []})

    with ScriptedServer([status(500), chosen(good)]) as models, Receiver() as receiver:
        entries = [f"{{model: openai/{name}, api_base: {models.url}}}" for name in ("first", "second")]
        tier = f"models: {{small: {{try: [{', '.join(entries)}], retries: 0}}}}\n"
        file = workspace / "ragflow.yaml"
        written = file.read_text()
        file.write_text(written + tier)
        try:
            code, _, err = run("ask", QUESTION, "--tier", "small", endpoint=receiver.url)
        finally:
            file.write_text(written)
    assert code == 0, err
    failed, answered = [one for one in receiver.spans if one.name.startswith("chat")]
    told = attributes(failed)
    assert (failed.name, told["gen_ai.provider.name"], told["gen_ai.request.model"]) == (
        "chat first", "openai", "first",
    )  # fmt: skip
    assert (failed.status.code, told["error.type"]) == (failed.status.STATUS_CODE_ERROR, "server_error")
    assert answered.status.code == answered.status.STATUS_CODE_UNSET
    told = attributes(answered)
    assert (told["gen_ai.usage.input_tokens"], told["gen_ai.usage.output_tokens"]) == (5, 7)
    assert told["ragflow.tokens"] == 12
    sent = "".join(post.body.decode("latin-1") for post in receiver.posts)
    assert SECRET.findall(sent) == []


def test_a_run_sent_twice_is_the_same_trace_and_another_run_is_another():
    from ragflow.watching.spans import encoded, spans, trace_id

    one, other = a_workflow(), a_workflow(run="r-20261120T101500-00a1b3")
    assert encoded(one) == encoded(one)
    assert spans(one)[0].context.trace_id == trace_id(one["run"]) != spans(other)[0].context.trace_id
    assert not {one.context.span_id for one in spans(one)} & {one.context.span_id for one in spans(other)}


def test_a_question_that_follows_another_links_to_its_trace(run):
    with Receiver() as receiver:
        run("ask", QUESTION, endpoint=receiver.url)
        first = record_of(run)["run"]
        run("ask", "And of marzipan leave for a quokka?", "--thread", first, endpoint=receiver.url)
    roots = [one for one in receiver.spans if not one.parent_span_id]
    [link] = roots[1].links
    assert (link.trace_id, link.span_id) == (roots[0].trace_id, roots[0].span_id)


def test_a_workflow_shows_its_tools_its_decisions_and_its_failure():
    with Receiver() as receiver:
        exporting.export(telemetry(receiver.url), a_workflow(), secret=lambda _: None)
    root, *steps = receiver.spans
    assert root.name == "invoke_workflow support"
    assert (root.status.code, attributes(root)["error.type"]) == (2, "ToolFailed")
    assert [one.name for one in steps] == [
        "ask", "retrieval", "tidy up", "step", "chat gpt", "policy", "policy", "request", "decision",
        "request", "request", "execute_tool refund",
    ]  # fmt: skip
    tool = attributes(steps[-1])
    assert (tool["gen_ai.operation.name"], tool["gen_ai.tool.name"]) == ("execute_tool", "refund")
    assert (steps[-1].status.code, tool["error.type"]) == (2, "ToolFailed")
    assert attributes(steps[8])["ragflow.decision"] == "revised"
    assert attributes(steps[3])["ragflow.attempt"] == 3
    assert attributes(root)["ragflow.cost_usd"] == 0.25
    # Waiting for a person is part of the run, not of a step.
    assert root.end_time_unix_nano - root.start_time_unix_nano == 90_030 * 10**6


def test_what_has_expired_is_sent_without_its_contents():
    empty = [{**one, "output": None} for one in a_workflow()["steps"]]
    root, *_ = traced(a_workflow(input=None, output=None, steps=empty))
    assert (root.name, root.error) == ("invoke_workflow workflow", "_OTHER")


def test_every_attribute_of_the_conventions_is_one_that_they_have():
    from opentelemetry.semconv._incubating.attributes import gen_ai_attributes

    known = {value for name, value in vars(gen_ai_attributes).items() if name.startswith("GEN_AI_")}
    operations = {one.value for one in gen_ai_attributes.GenAiOperationNameValues}
    sent = [one.attributes for one in traced(a_workflow())]
    names = {name for some in sent for name in some if name.startswith("gen_ai.")}
    assert len(names) >= 8
    assert names <= known
    assert {some["gen_ai.operation.name"] for some in sent if "gen_ai.operation.name" in some} <= operations


# -- what is not in it ---------------------------------------------------------------------------


def test_no_word_of_question_answer_or_document_is_sent(run):
    with Receiver() as receiver:
        run("ask", QUESTION, endpoint=receiver.url)
        run("ask", "Who tunes the xylophone of the ortolan?", endpoint=receiver.url)
        run("index", "--full", endpoint=receiver.url)
    assert len(receiver.posts) == 3
    sent = "".join(post.body.decode("latin-1") for post in receiver.posts)
    assert SECRET.findall(sent) == []
    assert [word for word in QUESTION.lower().split() if len(word) > 5 and word in sent] == []


def test_no_word_of_a_workflow_s_input_arguments_results_or_errors_is_sent():
    from ragflow.watching.spans import encoded

    shown = json.dumps(a_workflow())
    assert {word.lower() for word in SECRET.findall(shown)} >= {"quokka", "xylophone", "ortolan", "tangerine"}
    sent = encoded(a_workflow()).decode("latin-1")
    assert "execute_tool refund" in sent
    assert SECRET.findall(sent) == []


def test_the_actor_and_digests_of_short_texts_are_not_sent(run):
    with Receiver() as receiver:
        run("ask", QUESTION, endpoint=receiver.url)
    record = record_of(run)
    sent = receiver.posts[0].body.decode("latin-1")
    assert record["run"] in sent
    assert [step for step in record["steps"] if step["input_digest"] in sent] == []
    assert record["actor"][0] not in sent


# -- what goes wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (otlp_receiver.status(400), "it answered 400"),
        (otlp_receiver.status(401), "it answered 401"),
        (otlp_receiver.status(503), "answered 503"),
        (otlp_receiver.partly, "it refused 3 spans: too many attributes"),
        (otlp_receiver.html, "no OTLP"),
        (otlp_receiver.garbage, "no OTLP"),
        (otlp_receiver.endless, "more than 65536 bytes"),
        (otlp_receiver.lost, "127.0.0.1"),
        (otlp_receiver.slow(60), "no answer within 0.5 s|timed out|too long"),
        (otlp_receiver.dripping, "no answer within 0.5 s|timed out|too long"),
    ],
    ids=["400", "401", "503", "partly", "html", "garbage", "endless", "lost", "slow", "dripping"],
)
def test_an_export_that_fails_is_one_warning_and_the_answer_is_as_always(run, reply, words):
    with Receiver(reply) as receiver:
        code, out, err = run("ask", QUESTION, "--json", endpoint=receiver.url, timeout=0.5)
        assert len(receiver.posts) == 1, "it is tried once"
    assert (code, json.loads(out)["outcome"]) == (0, "answered")
    [line] = err.splitlines()
    assert line.startswith(f"warning: the trace of {json.loads(out)['run']} was not sent: ")
    assert re.search(words, line), line


def test_nobody_listening_is_one_warning(run):
    with Receiver() as receiver:
        gone = receiver.url
    code, _, err = run("ask", QUESTION, endpoint=gone)
    assert code == 0
    assert len(err.splitlines()) == 1
    assert "cannot be reached" in err


def test_a_slow_receiver_is_left_behind_after_the_timeout(workspace):
    """No measure of speed: the receiver would hold the command for a minute."""
    with Receiver(otlp_receiver.slow(60)) as receiver:
        config = configuration.load(
            workspace / "ragflow.yaml",
            overrides=[f"telemetry.endpoint={receiver.url}", "telemetry.timeout=0.3"],
        )
        began = time.monotonic()
        exporting.told(config, a_workflow())
        assert time.monotonic() - began < 30


def test_a_record_that_cannot_be_told_is_a_warning_too(workspace, capsys):
    with Receiver() as receiver:
        config = configuration.load(
            workspace / "ragflow.yaml", overrides=[f"telemetry.endpoint={receiver.url}"]
        )
        exporting.told(config, {"run": "r-1", "kind": "ask"})
    assert receiver.posts == []
    assert capsys.readouterr().err.startswith("warning: the trace of r-1 was not sent: ")


# -- configuration -------------------------------------------------------------------------------


def telemetry(endpoint, **keys):
    from ragflow.workflow_sections import Telemetry

    return Telemetry(endpoint=endpoint, **keys)


def test_the_path_of_the_endpoint_is_kept_and_not_doubled():
    with Receiver() as receiver:
        for path in ("", "/", "/otel", "/otel/v1/traces", "/?tenant=7"):
            exporting.export(telemetry(receiver.url + path), a_workflow(), secret=lambda _: None)
    assert [post.path for post in receiver.posts] == [
        "/v1/traces", "/v1/traces", "/otel/v1/traces", "/otel/v1/traces", "/v1/traces?tenant=7",
    ]  # fmt: skip


def test_headers_come_from_the_variable_and_stay_out_of_what_is_printed(run, monkeypatch):
    monkeypatch.setenv("COLLECTOR", "authorization=Basic%20c2VjcmV0PQ==, x-tenant=7,")
    with Receiver(otlp_receiver.status(401)) as receiver:
        _, out, err = run("ask", QUESTION, endpoint=receiver.url, headers_env="COLLECTOR")
    assert receiver.posts[0].headers["authorization"] == "Basic c2VjcmV0PQ=="
    assert receiver.posts[0].headers["x-tenant"] == "7"
    assert "c2VjcmV0" not in out + err


@pytest.mark.parametrize(
    ("keys", "variable", "words"),
    [
        ({"endpoint": "ftp://127.0.0.1"}, None, "telemetry.endpoint"),
        ({"endpoint": "http://me:secret@127.0.0.1"}, None, "holds a name or password"),
        ({"endpoint": "http://127.0.0.1:1", "headers_env": "COLLECTOR"}, None, "COLLECTOR is not set"),
        ({"endpoint": "http://127.0.0.1:1", "headers_env": "COLLECTOR"}, "nothing", "no list of headers"),
        ({"endpoint": "http://127.0.0.1:1", "headers_env": "COLLECTOR"}, "a=b%0Ac", "no list of headers"),
        ({"endpoint": "http://127.0.0.1:1", "headers_env": "COLLECTOR"}, "host=b", "no list of headers"),
    ],
    ids=["scheme", "password", "unset", "no pair", "line break", "host"],
)
@pytest.mark.parametrize("command", [["ask", QUESTION], ["index"]], ids=["ask", "index"])
def test_what_is_wrong_is_said_before_anything_is_done(run, monkeypatch, keys, variable, words, command):
    before = record_of(run)["run"] if command[0] == "ask" else None
    if variable is not None:
        monkeypatch.setenv("COLLECTOR", variable)
    code, out, err = run(*command, **keys)
    assert (code, out) == (2, "")
    assert words in err
    assert "secret" not in err
    assert before is None or record_of(run)["run"] == before


def process(folder, *flags, code=""):
    """Ask in a process of its own, after ``code``; print the modules of OpenTelemetry that it loaded."""
    script = f"""
import sys
{code}
from ragflow.cli import main
from ragflow.models import litellm_client
code = main(["-C", {str(folder)!r}, *{flags!r}, "ask", {QUESTION!r}])
print("LOADED", [name for name in sys.modules if name.startswith("opentelemetry.") and sys.modules[name]])
sys.exit(code)
"""
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)


def test_without_an_endpoint_nothing_of_opentelemetry_is_loaded(workspace):
    done = process(workspace)
    assert (done.returncode, done.stderr) == (0, "")
    assert "LOADED []" in done.stdout


def test_an_endpoint_without_the_extra_ends_the_command_at_its_start(workspace, run):
    before = record_of(run)["run"]
    absent = "sys.modules['opentelemetry'] = None"
    with Receiver() as receiver:
        done = process(workspace, f"--set=telemetry.endpoint={receiver.url}", code=absent)
    assert done.returncode == 2
    assert 'pip install "ragflow[telemetry]"' in done.stderr
    assert receiver.posts == []
    assert record_of(run)["run"] == before


def test_variables_of_opentelemetry_change_nothing(workspace):
    """An SDK's own settings in the environment lead nothing elsewhere, and add nothing."""
    with Receiver() as receiver, Receiver() as other:
        code = f"""
import os
os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = {other.url!r}
os.environ["OTEL_RESOURCE_ATTRIBUTES"] = "who=marzipan"
"""
        done = process(workspace, f"--set=telemetry.endpoint={receiver.url}", code=code)
    assert (done.returncode, done.stderr) == (0, "")
    assert (len(receiver.posts), other.posts) == (1, [])
    assert b"marzipan" not in receiver.posts[0].body


def test_a_redirect_to_what_is_not_public_is_refused(run):
    def elsewhere(handler):
        handler.send_response(307)
        handler.send_header("Location", "http://10.0.0.1/v1/traces")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with Receiver(elsewhere) as receiver:
        code, _, err = run("ask", QUESTION, endpoint=receiver.url)
    assert code == 0
    assert "redirects" in err
    assert "not public" in err
