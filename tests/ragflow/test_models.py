"""Models behind a name: what is sent, what is read, what leaves the machine, and what never shows."""

import json
import os
import re
import subprocess
import sys
import traceback
from typing import Literal

import pytest
import small_model
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field
from scripted_server import (
    ScriptedServer,
    as_json,
    chosen,
    redirect,
    refused,
    slow_head,
    status,
    text,
    verdict,
)

from ragflow.config import load
from ragflow.deadlines import Deadline
from ragflow.model_sections import Budget, OnFailure, Tier
from ragflow.models import litellm_client, prices, replies
from ragflow.models.budget import Spending
from ragflow.models.calling import Means
from ragflow.models.calls import Message, ModelFailed, Prompt
from ragflow.models.checks import checks
from ragflow.models.failures import FAILURES, CallFailed
from ragflow.models.litellm_client import Completion
from ragflow.models.opening import open_tier
from ragflow.models.providers import PROVIDERS
from ragflow.sections import ENGINE_KEYS, Embed

KEY = "sk-Q9x7secretsecretsecret42"
QUESTION = Prompt((Message("system", "Reply in JSON."), Message("user", "How many?")), name="days")


class Note(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    text: str = Field(default="", max_length=50, pattern="^[a-z ]*$")


class Days(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    days: int = Field(ge=0)
    unit: Literal["days", "weeks"] = "days"
    notes: tuple[Note, ...] = Field(default=(), max_length=3)


@pytest.fixture(scope="module")
def loaded():
    litellm_client.load("openai", 600)


def tier_of(url, *, model="openai/any", entry=None, **tier):
    return Tier.model_validate({"try": ({"model": model, "api_base": url, **(entry or {})},), **tier})


def opened(url, *, means=None, **values):
    [model] = open_tier("small", tier_of(url, **values), means or means_of())
    return model


def means_of(**values):
    values.setdefault("spending", Spending())
    values.setdefault("secret", {"KEY": KEY, "EMPTY": " ", "ODD": "sk-schl\u00fcssel", "LINES": "a\nb"}.get)
    return Means(sleep=lambda _: None, **values)


def ask(model, shape=Days, seconds=60.0):
    return model.ask(QUESTION, shape, deadline=Deadline(seconds))


def failed(model, **values):
    with pytest.raises(ModelFailed) as caught:
        ask(model, **values)
    return caught.value


# -- what is sent ------------------------------------------------------------------------------------


def test_a_model_is_asked_for_the_shape_strictly_and_gives_its_value(loaded):
    with ScriptedServer([verdict({"days": 28, "unit": "days", "notes": []})]) as server:
        model = opened(server.url, entry={"max_tokens": 77, "temperature": 0.5})
        reply = ask(model)
    assert reply.value == Days(days=28)
    assert (reply.model, reply.cost_usd, reply.tokens_in, reply.tokens_out) == ("openai/any", 0.0, 5, 7)
    assert (reply.tries, reply.priced) == (1, True), "a model on this machine costs nothing"
    [sent] = server.requests
    assert sent["model"] == "any"
    assert sent["messages"] == [
        {"role": "system", "content": "Reply in JSON."},
        {"role": "user", "content": "How many?"},
    ]
    assert (sent["max_tokens"], sent["temperature"]) == (77, 0.5)
    assert sent["response_format"]["type"] == "json_schema"
    shape = sent["response_format"]["json_schema"]
    assert (shape["name"], shape["strict"]) == ("days", True)
    assert shape["schema"] == replies.schema(Days)
    assert set(sent) == {"model", "messages", "max_tokens", "temperature", "response_format"}


def test_the_schema_that_is_sent_is_one_that_strict_servers_take():
    sent = replies.schema(Days)
    assert sent["required"] == ["days", "unit", "notes"]
    assert sent["additionalProperties"] is False
    note = sent["$defs"]["Note"]
    assert note == {
        "type": "object",
        "properties": {"text": {"type": "string"}},
        "required": ["text"],
        "additionalProperties": False,
    }
    assert sent["properties"]["unit"] == {"enum": ["days", "weeks"], "type": "string"}


def test_a_property_named_like_a_keyword_of_schemas_stays():
    class Odd(BaseModel):
        title: str
        default: int

    assert list(replies.schema(Odd)["properties"]) == ["title", "default"]


@pytest.mark.parametrize("parameter", ["response_format", "temperature"])
def test_a_server_that_takes_no_such_parameter_is_asked_without_it_then_and_later(loaded, parameter):
    def reply(request):
        if parameter in request:
            return status(400, f"Unsupported parameter: {parameter}")
        return verdict({"days": 28})

    means = means_of()
    with ScriptedServer([chosen(reply)]) as server:
        assert ask(opened(server.url, means=means)).value == Days(days=28)
        assert ask(opened(server.url, means=means)).value == Days(days=28)
    assert [parameter in sent for sent in server.requests] == [True, False, False]
    if parameter == "response_format":
        said = server.requests[1]["messages"]
        assert [one["role"] for one in said] == ["system", "user"]
        assert json.dumps(replies.schema(Days)) in said[0]["content"]


def test_a_server_that_takes_neither_parameter_is_asked_without_both(loaded):
    def reply(request):
        unknown = [name for name in ("temperature", "response_format") if name in request]
        return status(400, f"unknown field {unknown[0]}") if unknown else verdict({"days": 28})

    with ScriptedServer([chosen(reply)]) as server:
        assert ask(opened(server.url)).tries == 3


def test_a_server_that_complains_of_what_it_was_not_sent_is_not_asked_for_ever(loaded):
    with ScriptedServer([status(400, "bad response_format")]) as server:
        assert failed(opened(server.url)).kind == "bad_request"
        assert len(server.requests) == 2


# -- what is read ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reply",
    [
        '{"days": 28}',
        ' \n{"days": 28, "notes": []}\n',
        '```json\n{"days": 28}\n```',
        '```\n{"days": 28}\n```\n',
        '\n``` JSON\n{"days": 28}\n```'.replace("``` JSON", "```JSON"),
    ],
)
def test_json_is_read_bare_or_in_one_fence(reply):
    assert replies.parse(reply, Days) == Days(days=28)


@pytest.mark.parametrize(
    "reply",
    [
        "Sorry, I can't do that.",
        "I'm sorry, but I cannot answer.",
        "I\u2019m sorry, no.",
        "I cannot answer this.",
        "I can\u2019t say.",
        "I am unable to answer.",
        "As an AI language model, I do not answer.",
        "I apologize, that is beyond me.",
        "Unfortunately, I can't help.",
    ],
)
def test_plain_words_that_decline_are_a_refusal(reply):
    with pytest.raises(CallFailed) as caught:
        replies.parse(reply, Days)
    assert caught.value.kind == "refusal"


@pytest.mark.parametrize("reply", ["Sorry: {", "The days are sorry few.", "I can count 28 days.", ""])
def test_other_words_are_bad_json(reply):
    with pytest.raises(CallFailed) as caught:
        replies.parse(reply, Days)
    assert caught.value.kind == "bad_json"
    assert caught.value.complaint


def parsed(reply):
    try:
        return replies.parse(reply, Days)
    except CallFailed as caught:
        return caught


@given(st.text() | st.text(alphabet='{}[]",:days 0123456789`\n'))
def test_any_text_is_a_value_or_a_failure_that_does_not_quote_it(reply):
    found = parsed(reply)
    if isinstance(found, CallFailed):
        assert found.detail in {"the reply is not JSON of the asked shape", "the model declined to answer"}
        assert "\n" not in found.complaint
    else:
        assert isinstance(found, Days)


@given(st.integers(0, 10**30), st.lists(st.text(alphabet="abc ", max_size=9), max_size=3))
def test_what_a_shape_writes_is_read_again(days, notes):
    value = Days(days=days, notes=tuple(Note(text=one) for one in notes))
    assert replies.parse(value.model_dump_json(), Days) == value


# -- addresses and keys ------------------------------------------------------------------------------


def test_the_key_of_the_named_variable_is_sent_and_no_other(loaded, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/elsewhere")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-the-environment")
    with ScriptedServer([verdict({"days": 28})]) as server:
        ask(opened(server.url, entry={"api_key_env": "KEY"}))
        ask(opened(server.url))
    assert server.keys == [f"Bearer {KEY}", "Bearer none"]
    assert all("organization" not in name.lower() for name in server.headers[0])


def test_nothing_of_this_machine_is_told_to_the_server(loaded):
    with ScriptedServer([verdict({"days": 28})]) as server:
        ask(opened(server.url))
    sent = {name.lower(): value for name, value in server.headers[0].items()}
    assert sent["user-agent"] == "ragflow"
    told = [name for name in sent if name.startswith("x-") and name != "x-stainless-raw-response"]
    assert told == []


def test_no_cookie_is_sent_back(loaded):
    reply = verdict({"days": 28})
    baked = type(reply)(reply.body, 200, {**reply.headers, "Set-Cookie": "id=1; Path=/"})
    with ScriptedServer([baked]) as server:
        ask(opened(server.url))
        ask(opened(server.url))
    assert all("cookie" not in name.lower() for sent in server.headers for name in sent)


@pytest.mark.parametrize("name", ["UNSET", "EMPTY", "ODD", "LINES"])
def test_a_key_that_is_none_fails_without_a_call(name):
    with ScriptedServer([verdict({"days": 28})]) as server:
        caught = failed(opened(server.url, entry={"api_key_env": name}))
        assert server.requests == []
    assert caught.kind == "no_key"
    assert caught.detail.startswith(name)


REPLIES = {
    "401": status(401, f"Incorrect API key provided: {KEY}"),
    "400": status(400, f"bad header {KEY}"),
    "500": status(500, KEY),
    "words": text(KEY),
    "another shape": verdict({KEY: KEY}),
}


@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES.keys())
def test_a_key_shows_nowhere_even_where_the_server_says_it(loaded, reply):
    with ScriptedServer([reply]) as server:
        model = opened(server.url, entry={"api_key_env": "KEY"}, retries=0)
        caught = failed(model)
    shown = [repr(model), repr(caught), str(caught), caught.detail]
    shown += traceback.format_exception(caught)
    assert KEY not in "\n".join(shown)


@pytest.mark.parametrize(
    ("model", "base", "said"),
    [
        ("gpt-x", None, "write openai/gpt-x"),
        ("nonsense/x", "http://127.0.0.1:9/v1", "write openai/x and its address as api_base"),
        ("huggingface/a/b", None, "write openai/a/b"),
        ("hosted_vllm/x", None, "give its api_base"),
        ("openai/", "http://127.0.0.1:9", "names no provider"),
        ("openai/x", "ftp://127.0.0.1", "no http or https address"),
        ("openai/x", "http://", "no http or https address"),
        ("openai/x", "http://[::1", "no http or https address"),
        ("openai/x", f"http://me:{KEY}@127.0.0.1:9/v1", "api_key_env"),
    ],
)
def test_a_model_that_is_nowhere_says_what_to_write_without_a_call(model, base, said):
    caught = failed(opened(base, model=model))
    assert (caught.kind, caught.tokens) == ("unknown_model", 0)
    assert said in caught.detail
    assert KEY not in caught.detail


@pytest.mark.parametrize(
    ("model", "base", "local"),
    [
        ("openai/x", "http://127.0.0.1:8080/v1", True),
        ("openai/x", "http://localhost:11434/v1", True),
        ("openai/x", "http://[::1]:8080/v1", True),
        ("openai/x", None, False),
        ("openai/x", "http://192.168.0.7/v1", False),
        ("openai/x", "http://127.0.0.1.example.com/v1", False),
        ("nonsense/x", "http://127.0.0.1:8080/v1", False),
    ],
)
def test_a_model_is_local_where_its_address_is_this_machine(model, base, local):
    assert opened(base, model=model).local == local


def test_a_redirect_is_not_followed(loaded):
    with ScriptedServer([verdict({"days": 28})]) as elsewhere:
        with ScriptedServer([redirect(elsewhere.url + "/chat/completions", 307)]) as server:
            assert failed(opened(server.url)).kind == "garbage"
        assert elsewhere.requests == []


def anthropic_reply():
    return as_json(
        {
            "id": "m1",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": [{"type": "text", "text": '{"days": 28}'}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 5, "output_tokens": 7},
        }
    )


@pytest.mark.parametrize("name", PROVIDERS)
def test_each_provider_sends_to_its_address_with_its_key_under_the_limits(loaded, name):
    right = anthropic_reply() if name == "anthropic" else text('{"days": 28}')
    values = {"model": f"{name}/m", "entry": {"api_key_env": "KEY", "timeout": 5.0}}
    with ScriptedServer([right, redirect("http://127.0.0.1:9"), as_json({"x": "y" * 1_100_000})]) as server:
        model = opened(server.url, retries=0, cooldown=0.0, **values)
        assert ask(model).value == Days(days=28)
        assert failed(model).kind == "garbage"
        assert failed(model).kind == "too_large"
    assert all(KEY in str(sent) for sent in server.headers)
    with refused() as url:
        assert failed(opened(url, retries=0, **values)).kind == "unreachable"


WATCHED = """
import json, sys
reached = []
def heard(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        reached.append(str(arguments[-1] if event == "socket.connect" else arguments[0]))
sys.addaudithook(heard)
from ragflow.deadlines import Deadline
from ragflow.model_sections import Tier
from ragflow.models.budget import Spending
from ragflow.models.calling import Means
from ragflow.models.calls import Message, ModelFailed, Prompt
from ragflow.models.opening import open_tier
from pydantic import BaseModel
class Days(BaseModel):
    days: int
ends = []
for asked in sys.argv[1:]:
    name, url, timeout = asked.split()
    tier = Tier.model_validate({"try": ({"model": name, "api_base": url, "timeout": float(timeout)},)})
    [model] = open_tier("t", tier, Means(Spending(), lambda variable: None))
    question = Prompt((Message("user", "How many?"),))
    model.estimate(question)
    try:
        ends.append(model.ask(question, Days, deadline=Deadline(300)).value.days)
    except ModelFailed as failed:
        ends.append(failed.kind)
print(json.dumps([ends, sorted(set(reached))]))
"""


def test_a_process_contacts_its_addresses_alone_reads_no_secrets_and_ends(tmp_path):
    (tmp_path / ".env").write_text("OPENAI_API_KEY=sk-of-the-file\n")
    without_usage = json.loads(text('{"days": 28}').body)
    del without_usage["usage"]
    # names for which litellm would fetch a tokenizer
    names = ["openai/meta-llama/Llama-3-8b", "hosted_vllm/meta-llama/Llama-2-7b", "mistral/command-r"]
    with ScriptedServer([as_json(without_usage)]) as server, ScriptedServer([slow_head(0.05)]) as endless:
        asked = [f"{name} {server.url} 60" for name in names]
        done = subprocess.run(
            [sys.executable, "-c", WATCHED, *asked, f"openai/any {endless.url} 0.3"],
            cwd=tmp_path,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "PYTHONPATH": os.pathsep.join(sys.path),
                # a proxy that would see what is for this machine alone
                **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9"),
            },
            capture_output=True,
            text=True,
            timeout=600,  # a call that is left behind must not keep the process alive
            check=False,
        )
        assert done.returncode == 0, done.stderr
        ends, reached = json.loads(done.stdout)
        assert ends == [28, 28, 28, "time_out"]
        assert server.keys == ["Bearer none"] * 3
        ports = [one.url.split(":")[2].removesuffix("/v1") for one in (server, endless)]
    assert set(reached) == {"127.0.0.1", *(f"('127.0.0.1', {port})" for port in ports)}
    assert done.stderr == "", "a library that talks to the terminal is silenced"


def test_without_the_extra_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(litellm_client, "installed", lambda: False)
    with ScriptedServer([verdict({"days": 28})]) as server:
        caught = failed(opened(server.url))
        assert server.requests == []
    assert caught.kind == "not_installed"
    assert 'pip install "ragflow[llm]"' in caught.detail


# -- tokens, prices, estimates -----------------------------------------------------------------------


def test_a_price_is_the_configured_one_or_none_here_or_litellms_own():
    def price(url, model="openai/any", **entry):
        [one] = tier_of(url, model=model, entry=entry).try_
        return prices.price(one)

    assert price("http://127.0.0.1:1/v1") == prices.Price(0, 0)
    assert price("http://127.0.0.1:1/v1", usd_per_million=(1.0, 2.0)) == prices.Price(1, 2)
    assert price("http://gateway.example/v1") is None
    listed = price(None, "openai/gpt-4o")
    assert listed is not None
    assert 0 < listed.usd_in < listed.usd_out
    assert price(None, "mistral/gpt-4o") is None, "the price of another provider's model is not its own"


@pytest.mark.parametrize(
    ("entry", "usd"),
    [({"usd_per_million": (10.0, 100.0)}, True), ({"api_base": "http://gateway.example/v1"}, None)],
)
def test_an_estimate_is_no_less_than_what_it_costs(entry, usd):
    def complete(request, seconds):
        return Completion('{"days": 28}', "stop", declined=False, tokens_in=None, tokens_out=None)

    means = means_of(complete=complete, load=lambda *_: None)
    model = opened("http://127.0.0.1:9/v1", entry=entry, means=means)
    estimate, reply = model.estimate(QUESTION), ask(model)
    assert estimate.tokens_in >= reply.tokens_in > 0
    assert estimate.tokens_out == model.max_tokens >= reply.tokens_out > 0
    assert reply.priced == (usd is not None)
    if usd:
        assert estimate.usd >= reply.cost_usd > 0
    else:
        assert (estimate.usd, reply.cost_usd) == (None, 0)


@given(st.text())
def test_a_count_is_between_none_and_twice_the_bytes(passage):
    assert 0 <= prices.count(passage) <= 2 * len(passage.encode("utf-8", "replace"))
    assert prices.count(passage) > 0 or not passage.strip()


def test_a_count_is_no_less_than_two_vendors_tokenizers_have_for_prose(real_data):
    from litellm import encoding

    corpus = real_data / "scifact" / "corpus.jsonl"
    if not corpus.exists():
        pytest.skip("no scifact among the real data")
    with corpus.open() as lines:
        texts = [json.loads(line)["text"] for line, _ in zip(lines, range(100), strict=False)]
    assert [one for one in texts if prices.count(one) < len(encoding.encode(one))] == []


# -- what doctor says --------------------------------------------------------------------------------


def looked(tiers, budget=None, *, ledger):
    secret = {"KEY": KEY}.get
    return {one.name: one for one in checks(tiers, budget or Budget(), ledger=ledger, secret=secret)}


def test_doctor_tells_what_each_model_lacks(tmp_path):
    path = tmp_path / "models.sqlite"
    assert looked({}, ledger=path) == {}
    with ScriptedServer([]) as server, refused() as nobody:
        tiers = {
            "here": tier_of(server.url),
            "down": tier_of(nobody),
            "typo": tier_of(None, model="opnai/x"),
            "unset": tier_of(None, entry={"api_key_env": "UNSET"}),
            "keyless": tier_of(None),
            "dear": tier_of("https://gateway.example/v1", entry={"api_key_env": "KEY"}, max_usd=1.0),
            "open": tier_of("http://gateway.example/v1", entry={"api_key_env": "KEY"}),
            "good": tier_of(None, model="openai/gpt-4o", entry={"api_key_env": "KEY"}, max_usd=1.0),
        }
        found = looked(tiers, ledger=path)
    assert {name.split("/")[0]: one.status for name, one in found.items()} == {
        "here": "ok",
        "down": "warn",
        "typo": "fail",
        "unset": "fail",
        "keyless": "warn",
        "dear": "warn",
        "open": "warn",
        "good": "ok",
    }
    assert all((one.cure == "") == (one.status == "ok") for one in found.values())
    assert KEY not in repr(found)
    assert server.requests == [], "nothing is asked"
    assert not path.exists(), "nothing is written"


def test_doctor_tells_that_the_extra_is_absent_only_where_a_model_is_configured(tmp_path, monkeypatch):
    monkeypatch.setattr("ragflow.models.litellm_client.installed", lambda: False)
    path = tmp_path / "models.sqlite"
    assert looked({}, ledger=path) == {}
    assert looked({"t": tier_of(None)}, ledger=path)["models"].status == "fail"


# -- a real server -----------------------------------------------------------------------------------


def test_a_real_small_model_ends_in_a_value_or_a_failure_with_a_name(loaded, need_system):
    need_system("SmolLM2", small_model.WHAT, present=small_model.present())
    with small_model.serving() as url:
        model = opened(url, entry={"max_tokens": 60, "timeout": 300.0}, retries=0)
        try:
            reply = ask(model, seconds=600.0)
        except ModelFailed as caught:
            reply = caught
    if isinstance(reply, ModelFailed):
        assert reply.kind in {"bad_json", "cut_off", "refusal"}
        assert reply.tokens > 0
    else:
        assert isinstance(reply.value, Days)
        assert min(reply.tokens_in, reply.tokens_out) > 0


# -- the page ----------------------------------------------------------------------------------------


def test_each_configuration_on_the_page_is_one_that_loads(repository, tmp_path):
    found = []
    blocks = re.findall(r"```yaml\n(.*?)```", page(repository), re.DOTALL)
    for block in blocks:
        (tmp_path / "ragflow.yaml").write_text(block)
        found.append(load(tmp_path / "ragflow.yaml", environ={}))
    [config] = [one for one in found if one.models]
    assert [entry.model for entry in config.models["small"].try_] == [
        "openai/gpt-4o-mini",
        "openai/qwen2.5-7b",
    ]
    [vectors] = [one for one in blocks if "engine: litellm" in one]
    (tmp_path / "ragflow.yaml").write_text(vectors)
    embed = load(tmp_path / "ragflow.yaml", environ={}).embed
    assert embed.engine == "litellm"
    named = embed.model_dump(include=set(ENGINE_KEYS["litellm"]) - {"api_key_env"})
    assert named == {key: Embed.model_fields[key].default for key in named}, "the page names the defaults"
    assert all(f"  {key}:" in vectors for key in ENGINE_KEYS["litellm"])


def test_the_table_on_the_page_is_the_table_of_the_program(repository):
    rows = re.findall(
        r"^\| `(\w+)`( \(on\))? \|.*?\| ([^|]+) \| ([^|]+) \| (yes|no) \|$", page(repository), re.MULTILINE
    )
    often = {"`retries` times": "retries", "once": "once", "no": "never"}
    who = {"next model": "next", "extractive": "extractive"}
    assert {kind: (often[tries], who[then], cools == "yes") for kind, _, tries, then, cools in rows} == {
        kind: (rule.tries, rule.then, rule.cools) for kind, rule in FAILURES.items()
    }
    assert [kind for kind, marked, *_ in rows if marked] == list(OnFailure.model_fields)


def test_each_provider_is_on_the_page(repository):
    assert [name for name in PROVIDERS if f"`{name}/NAME`" not in page(repository)] == []


def page(repository):
    return (repository / "docs" / "models.md").read_text()
