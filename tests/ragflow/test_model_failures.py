"""The table of failures, line by line: a server that fails in every way, and what is made of it."""

import random
import time
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict
from scripted_server import (
    Reply,
    ScriptedServer,
    as_json,
    chosen,
    content_filter,
    dripping,
    garbage,
    half,
    hang_up,
    large,
    redirect,
    refused,
    slow,
    slow_head,
    status,
    text,
    typed,
    verdict,
)

from ragflow.deadlines import Deadline
from ragflow.model_sections import OnFailure, Tier
from ragflow.models import litellm_client
from ragflow.models.budget import Spending
from ragflow.models.calling import Means
from ragflow.models.calls import Failure, Message, ModelFailed, Prompt
from ragflow.models.failures import FAILURES, pause, rule
from ragflow.models.opening import open_tier

QUESTION = Prompt((Message("system", "Reply in JSON."), Message("user", "How many?")))
RIGHT = verdict({"days": 28})
# A second is promised, and kept by far; the rest is for a machine with other work. What is not given up
# takes half a minute at least.
SLACK = 8


class Days(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    days: int


@pytest.fixture(scope="module", autouse=True)
def loaded():
    litellm_client.load("openai", 600)


class Waits(list):
    """What would have been slept, without sleeping."""

    def means(self, **values):
        values.setdefault("spending", Spending())
        values.setdefault("secret", {"KEY": "sk-abcdefghijklmnopqrstuvwx"}.get)
        return Means(sleep=self.append, chance=random.Random(1), **values)


def opened(url, means, *, model="openai/any", entry=None, **tier):
    whole = {"try": ({"model": model, "api_base": url, **(entry or {})},), **tier}
    return open_tier("small", Tier.model_validate(whole), means)[0]


def outcome(model, *, seconds=60.0):
    """The value, or the failure, that a question ends in."""
    try:
        return model.ask(QUESTION, Days, deadline=Deadline(seconds)).value
    except ModelFailed as failed:
        return failed


# what the server does; the kind; how often it is asked with two retries; who is asked then; left alone?
TABLE = {
    "429": (status(429), "rate_limit", 3, "next", True),
    "429 without Retry-After": (as_json({}, status=429), "rate_limit", 3, "next", True),
    "500": (status(500), "server_error", 3, "next", True),
    "502 with HTML": (Reply(b"<html>Bad Gateway", 502), "server_error", 3, "next", True),
    "503": (status(503), "server_error", 3, "next", True),
    "529": (status(529), "server_error", 3, "next", True),
    "hang up": (hang_up(), "unreachable", 3, "next", True),
    "half a reply": (half(), "garbage", 3, "next", True),
    "401": (status(401), "no_key", 1, "next", False),
    "403": (status(403), "no_key", 1, "next", False),
    "404": (status(404), "unknown_model", 1, "next", False),
    "408": (status(408), "time_out", 1, "next", True),
    "400": (status(400), "bad_request", 1, "next", False),
    "413": (status(413), "bad_request", 1, "next", False),
    "422": (status(422), "bad_request", 1, "next", False),
    "context": (status(400, kind="context_length_exceeded"), "bad_request", 1, "next", False),
    "filtered question": (status(400, kind="content_filter"), "content_filter", 1, "extractive", False),
    "filtered reply": (content_filter(), "content_filter", 1, "extractive", False),
    "refusal in words": (text("I'm sorry, I can't help with that."), "refusal", 1, "next", False),
    "refusal in its field": (
        as_json(
            {
                "id": "1",
                "object": "chat.completion",
                "created": 0,
                "model": "m",
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": None, "refusal": "No."},
                        "finish_reason": "stop",
                    }
                ],
            }
        ),
        "refusal",
        1,
        "next",
        False,
    ),
    "cut off": (text('{"days": 2', finish_reason="length"), "cut_off", 1, "next", False),
    "HTML": (garbage(), "garbage", 3, "next", True),
    "empty body": (Reply(b"", 200, {"Content-Type": "application/json"}), "garbage", 3, "next", True),
    "JSON null": (as_json(None), "garbage", 3, "next", True),
    "JSON list": (as_json([1, 2]), "garbage", 3, "next", True),
    "no choices": (as_json({"choices": []}), "garbage", 3, "next", True),
    "error in a 200": (as_json({"error": {"message": "x", "code": 500}}), "garbage", 3, "next", True),
    "compressed": (Reply(b"\x1f\x8b", 200, {"Content-Encoding": "gzip"}), "garbage", 3, "next", True),
    "redirect": (redirect("http://127.0.0.1:9/v1"), "garbage", 3, "next", True),
    "megabyte": (large(), "too_large", 1, "next", False),
    "plain words": (text("There are 28 days."), "bad_json", 2, "next", False),
    "no content": (text(None), "bad_json", 2, "next", False),
    "JSON cut short": (text('{"days": 28'), "bad_json", 2, "next", False),
    "another shape": (verdict({"weeks": 4}), "bad_json", 2, "next", False),
    "another type": (verdict({"days": "28"}), "bad_json", 2, "next", False),
    "NaN": (text('{"days": NaN}'), "bad_json", 2, "next", False),
    "a key twice": (text('{"days": 1, "days": 28}'), "bad_json", 2, "next", False),
    "a key too many": (verdict({"days": 28, "note": "x"}), "bad_json", 2, "next", False),
    "words around": (text('Here: {"days": 28}'), "bad_json", 2, "next", False),
    "two fences": (text("```\n{}\n```\n```\n{}\n```"), "bad_json", 2, "next", False),
    "nested without end": (text("[" * 100_000), "bad_json", 2, "next", False),
}


@pytest.mark.parametrize(("reply", "kind", "asked", "then", "cools"), TABLE.values(), ids=TABLE.keys())
def test_each_failure_is_named_retried_and_passed_on_as_the_table_says(reply, kind, asked, then, cools):
    waits = Waits()
    means = waits.means()
    with ScriptedServer([reply]) as server:
        failed = outcome(opened(server.url, means))
        assert isinstance(failed, ModelFailed), failed
        assert (failed.kind, failed.then, len(server.requests)) == (kind, then, asked), failed
        again = outcome(opened(server.url, means))
        assert (again.kind == "cooling_down") == cools
        assert (len(server.requests) == asked) == cools, "who is left alone is not asked"
    assert "\n" not in failed.detail


def test_a_right_reply_under_a_wrong_content_type_is_taken():
    with ScriptedServer([typed("text/html", RIGHT)]) as server:
        assert outcome(opened(server.url, Waits().means())) == Days(days=28)


def test_a_refused_connection_is_unreachable():
    waits = Waits()
    with refused() as url:
        failed = outcome(opened(url, waits.means()))
    assert (failed.kind, len(waits)) == ("unreachable", 2)


@pytest.mark.parametrize(
    "reply",
    [slow(30), dripping(0.05), slow_head(0.05), slow(30, status(500))],
    ids=["no first byte", "drips", "drips its headers", "slow to fail"],
)
def test_a_slow_server_is_given_up_within_the_time_limit_and_a_second(reply):
    with ScriptedServer([reply]) as server:
        began = time.monotonic()
        failed = outcome(opened(server.url, Waits().means(), entry={"timeout": 0.4}))
        assert failed.kind == "time_out"
        assert time.monotonic() - began < 0.4 + SLACK
        began = time.monotonic()
        failed = outcome(opened(server.url, Waits().means()), seconds=0.4)
        assert failed.kind == "time_out"
        assert time.monotonic() - began < 0.4 + SLACK


def test_a_question_without_any_time_left_is_not_asked():
    with ScriptedServer([RIGHT]) as server:
        assert outcome(opened(server.url, Waits().means()), seconds=0).kind == "time_out"
        assert server.requests == []


def test_a_failure_that_passes_gives_the_value_and_what_all_tries_took():
    waits = Waits()
    with ScriptedServer([status(503), text("nope"), hang_up(), RIGHT]) as server:
        reply = opened(server.url, waits.means()).ask(QUESTION, Days, deadline=Deadline(60))
    assert (reply.value, reply.tries) == (Days(days=28), 4)
    assert (reply.tokens_in, reply.tokens_out) == (10, 14)
    assert len(waits) == 2, "who is told what is wrong with its reply is not waited for"


def test_without_retries_it_is_asked_once():
    with ScriptedServer([status(500)]) as server:
        outcome(opened(server.url, Waits().means(), retries=0))
        assert len(server.requests) == 1


def test_retry_after_is_waited_for():
    waits = Waits()
    with ScriptedServer([Reply(b"{}", 429, {"Retry-After": "7"}), RIGHT]) as server:
        assert outcome(opened(server.url, waits.means())) == Days(days=28)
    assert waits == [7.0]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.5),
        ({"Retry-After": "Fri, 01 Jan 2100 00:00:00 GMT"}, None),
        ({"Retry-After": "-5"}, 0.5),
        ({"Retry-After": "soon"}, 0.5),
        ({"Retry-After": "nan"}, 0.5),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "1e9"}, None),
    ],
)
def test_a_retry_after_of_any_kind_gives_a_wait_or_the_end(headers, seconds):
    waits = Waits()
    base = {"Content-Type": "application/json"}
    with ScriptedServer([Reply(b"{}", 429, {**base, **headers}), RIGHT]) as server:
        found = outcome(opened(server.url, waits.means()))
    if seconds is None:
        assert (found.kind, waits) == ("rate_limit", []), "an hour is beyond the deadline"
    else:
        assert found == Days(days=28)
        assert len(waits) == 1
        assert seconds / 2 <= waits[0] <= seconds


def test_who_asks_for_more_peace_than_there_is_time_is_not_asked_again():
    waits = Waits()
    means = waits.means()
    with ScriptedServer([Reply(b"{}", 429, {"Retry-After": "100"}), RIGHT]) as server:
        assert outcome(opened(server.url, means, cooldown=5.0)).kind == "rate_limit"
        assert (waits, len(server.requests)) == ([], 1)
        again = outcome(opened(server.url, means, cooldown=5.0))
        assert again.detail == "it failed lately and is left alone for 100 s more"


@pytest.mark.parametrize(
    ("kind", "reply"),
    [
        ("rate_limit", status(429)),
        ("time_out", status(408)),
        ("refusal", text("I cannot help with that.")),
        ("bad_json", text("nope")),
        ("content_filter", content_filter()),
    ],
)
@pytest.mark.parametrize("chosen", ["retry", "next", "extractive"])
def test_the_configuration_changes_what_is_done(kind, reply, chosen):
    with ScriptedServer([reply]) as server:
        failed = outcome(opened(server.url, Waits().means(), on={kind: chosen}))
    assert failed.kind == kind
    assert failed.then == ("extractive" if chosen == "extractive" else "next")
    often = {"bad_json": 2}.get(kind, 3)
    assert len(server.requests) == (often if chosen == "retry" else 1)


def test_the_table_has_a_line_for_each_kind_and_the_configuration_for_five():
    assert set(FAILURES) == set(get_args(Failure))
    assert {kind for kind in FAILURES if hasattr(OnFailure(), kind)} == set(OnFailure.model_fields)
    unchanged = [kind for kind in FAILURES if rule(kind, OnFailure()) == FAILURES[kind]]
    assert unchanged == list(FAILURES), "the defaults of `on` are the table's own"


def test_a_bad_reply_is_shown_to_the_model_with_one_line_of_complaint():
    with ScriptedServer([verdict({"days": "many"}), RIGHT]) as server:
        assert outcome(opened(server.url, Waits().means())) == Days(days=28)
    asked = server.requests[1]["messages"]
    assert [one["role"] for one in asked] == ["system", "user", "assistant", "user"]
    assert asked[2]["content"] == '{"days": "many"}'
    assert "days: Input should be a valid integer" in asked[3]["content"]
    assert "\n" not in asked[3]["content"]


def test_success_ends_the_peace_of_a_model():
    means = Waits().means()
    with ScriptedServer([status(500), RIGHT]) as server:
        model = opened(server.url, means, retries=0)
        assert outcome(model).kind == "server_error"
        ledger = means.spending.ledger
        name = f"openai/any at {server.url}"
        assert ledger.cooling(name) > 50
        ledger.warm(name)
        assert outcome(model) == Days(days=28)
        assert ledger.cooling(name) == 0


def test_a_model_is_never_left_alone_where_that_is_switched_off():
    with ScriptedServer([status(500)]) as server:
        model = opened(server.url, Waits().means(), retries=0, cooldown=0.0)
        assert [outcome(model).kind for _ in range(3)] == ["server_error"] * 3


def test_another_model_or_address_is_not_left_alone_with_the_one_that_failed():
    means = Waits().means()
    with ScriptedServer([status(500)]) as bad, ScriptedServer([RIGHT]) as good:
        assert outcome(opened(bad.url, means)).kind == "server_error"
        assert outcome(opened(good.url, means)) == Days(days=28)
        assert outcome(opened(bad.url, means, model="openai/other")).kind == "server_error"


TWELVE = [
    status(429),
    status(500),
    hang_up(),
    half(),
    slow(30),
    dripping(0.05),
    garbage(),
    large(),
    text("nope"),
    text("I'm sorry, I can't."),
    content_filter(),
    status(401),
]


@pytest.mark.parametrize("seed", range(2))
def test_a_model_that_fails_in_twelve_ways_ends_each_question_typed_and_in_time(seed, rounds):
    dice = random.Random(seed)

    def reply(_):
        return dice.choice(TWELVE) if dice.random() < 0.3 else RIGHT

    with ScriptedServer([chosen(reply)]) as server:
        model = opened(server.url, Waits().means(), entry={"timeout": 0.4}, cooldown=0.0)
        ends = []
        for _ in range(rounds(fast=20, soak=400)):
            began = time.monotonic()
            ends.append(outcome(model, seconds=3.0))
            assert time.monotonic() - began < 3 + SLACK
    values = [end for end in ends if end == Days(days=28)]
    kinds = {end.kind for end in ends if isinstance(end, ModelFailed)}
    assert len(values) > len(ends) / 2
    assert kinds <= set(FAILURES)


@given(st.integers(1, 50), st.none() | st.floats(0, 3600), st.integers())
def test_a_pause_grows_up_to_eight_seconds_and_is_never_less_than_was_asked_for(tried, asked, seed):
    seconds = pause(tried, asked, random.Random(seed))
    assert (asked or 0) <= seconds <= max(asked or 0, 8)
    assert seconds >= 0.25
    assert seconds == pause(tried, asked, random.Random(seed))
