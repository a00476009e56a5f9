"""The story of a run: what people see of it at 80 columns, held by a golden file; nothing in it can lie."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragflow.cli.storytelling import told

GOLDEN = Path(__file__).parent / "golden" / "run_story.txt"
QUOTE = "Goods that arrive damaged, wet or crushed: we refund their price in full or replace them."
ANCHORS = [
    {"kind": "heading", "label": "Refunds and returns", "start": 0, "end": 900},
    {"kind": "heading", "label": "What we refund", "start": 100, "end": 500},
]
ANSWER = {
    "schema": "ragflow.ask/1", "question": "Do you refund goods that arrive damaged?", "outcome": "answered",
    "confidence": 0.9617, "route": {"rule": "money back", "sources": ["desk"], "workflow": "support"},
    "claims": [{"text": QUOTE, "citations": [1]}],
    "citations": [
        {"id": 1, "document": "desk/refunds.md", "start": 120, "end": 209, "quote": QUOTE, "anchors": ANCHORS}
    ],
}  # fmt: skip
ACTION = {"tool": "refund", "effect": "write", "arguments": {"order": "NP-2107", "amount": 149.4}}
NEED = {"approvers": ["group:leads"], "four_eyes": True, "seconds": 259200, "rule": 0}
AGREED = {"order": "NP-2107", "amount": 124.5}
REQUEST = {
    "approval": "a-7f3a9c", "kind": "action", "arguments": ACTION["arguments"], "approvers": ["group:leads"],
    "four_eyes": True, "expires": "2026-12-02T03:00:58Z",
}  # fmt: skip
DECISION = {
    "approval": "a-7f3a9c", "status": "revised", "arguments": AGREED, "by": "user:noor",
    "comment": "One of the six boxes was dry.",
}  # fmt: skip
REPLY = "Dear Vestra Pharmacies,\n\nWe have refunded 124.50 euros for order NP-2107.\n\nSupport desk"


def step(name, kind, output, started_ms, ms, **more):
    return {
        "name": name, "kind": kind, "attempt": 1, "started_ms": started_ms, "ms": ms, "status": "ok",
        "input_digest": "0" * 64, "output": output, "cost_usd": 0, "tokens": 0, **more,
    }  # fmt: skip


@pytest.fixture
def record():
    day = timedelta(days=1).total_seconds() * 1000
    return {
        "schema": "ragflow.run/1", "run": "r-20261129T030058-351679", "kind": "workflow",
        "created": "2026-11-29T03:00:58Z", "actor": ["user:mia", "everyone", "group:desk"], "status": "done",
        "outcome": "refunded", "exit_code": 0, "config_digest": "c" * 64,
        "generation": "g-20261129T030017-239dde", "version": "0.1.0",
        "input": {
            "workflow": "support", "policy": "d" * 64, "source_digest": "f" * 64,
            "input": {
                "customer": "Vestra Pharmacies", "order": "NP-2107", "amount": 149.4,
                "message": "Six boxes of Fjell 80 arrived wet. Do you refund goods that arrive damaged?",
            },
        },
        "steps": [
            step("ask", "ask", {"answer": ANSWER, "tape": None}, 12, 231),
            step("policy refund", "policy", {"action": ACTION, "need": NEED}, 251, 3),
            step("request refund", "approval", REQUEST, 262, 4),
            step("decision refund", "approval", DECISION, day, 2),
            step("policy refund", "policy", {"action": ACTION | {"arguments": AGREED}, "need": NEED}, day, 3),
            step("tool refund", "tool", {"result": {"amount": 124.5, "refund": "R-1"}}, day, 41, attempt=2),
            step("draft", "step", REPLY, day + 70, 1),
            step("tool send_reply", "tool", {"result": {"to": ["roth@vestra.example"]}}, day + 80, 35),
        ],
        "output": {
            "outcome": "refunded", "refunded": 124.5, "reply": REPLY,
            "citations": [{"document": "desk/refunds.md", "quote": QUOTE}],
        },
        "approvals": [
            {"approval": "a-7f3a9c", "status": "executed", "tool": "refund", "approvers": ["group:leads"],
             "arguments": ACTION["arguments"], "expires": "2026-12-02T03:00:58Z", "decided_by": "user:noor"},
        ],
        "previous": "0" * 64, "digest": "e" * 64,
    }  # fmt: skip


def test_the_story_at_80_columns_is_the_golden_one(record):
    lines = list(told(record, 80))
    assert "\n".join(lines) + "\n" == GOLDEN.read_text(encoding="utf-8")
    assert max(map(len, lines)) <= 80


def test_a_run_that_waits_says_for_whom_and_how_to_look(record):
    record["approvals"][0]["status"] = "pending"
    waiting = record | {"status": "waiting", "outcome": None, "exit_code": 7, "output": None}
    waiting["steps"] = waiting["steps"][:3]
    lines = "\n".join(told(waiting, 80))
    assert "Waits for group:leads to decide on:" in lines
    assert "amount  149.4" in lines
    assert "ragflow approvals show a-7f3a9c" in lines
    assert lines.endswith("It has not ended.")
    bare = "\n".join(told(waiting | {"steps": []}, 80))
    assert "0 steps" not in bare
    assert bare.endswith("no step of it is done yet.")


def test_a_run_that_failed_says_what_failed_and_what_to_do(record):
    error = {
        "type": "ToolFailed",
        "message": "the mail server does not answer",
        "hint": "look whether it runs",
    }
    record["steps"][-1] |= {"status": "failed", "output": {"error": error}, "attempt": 3}
    failed = record | {"status": "failed", "outcome": None, "exit_code": 4, "output": {"error": error}}
    lines = "\n".join(told(failed, 80))
    assert "tool send_reply FAILED, 3 tries" in lines
    assert "Ended by ToolFailed: the mail server does not answer\nhint: look whether it runs" in lines


@pytest.mark.parametrize(
    ("settled", "words"),
    [
        ("asked", "asked afterwards: it had been done"),
        ("missed", "asked afterwards: it had not been done, and was done then"),
        ("repeated", "done again with the same key"),
    ],
)
def test_a_call_that_was_settled_after_a_crash_says_how(record, settled, words):
    lines = " ".join(" ".join(told(record, 80)).split())
    assert words not in lines
    record["steps"][5]["output"]["settled"] = settled
    lines = " ".join(" ".join(told(record, 80)).split())
    assert words in lines
    assert "R-1" in lines


def test_a_run_whose_contents_were_erased_has_still_a_story(record):
    erased = record | {
        "input": None,
        "output": None,
        "steps": [one | {"output": None} for one in record["steps"]],
    }
    lines = "\n".join(told(erased, 80))
    assert "tool refund" in lines
    assert "Its result has been erased." in lines
    assert QUOTE not in lines


@pytest.mark.parametrize("output", [{}, [], "text", 5, {"answer": None}, {"action": {}}, {"need": 1}])
@pytest.mark.parametrize("kind", ["ask", "search", "route", "policy", "tool", "approval", "model", "step"])
def test_a_step_of_an_unforeseen_shape_is_shown_plainly(record, kind, output):
    record["steps"] = [step("one", kind, output, 0, 1)]
    assert any(line.endswith(" one") for line in told(record, 80))


WORDS = st.text(st.characters(codec="utf-8"), max_size=200)


@given(words=WORDS, width=st.integers(40, 100))
def test_no_text_of_a_record_reaches_the_terminal_as_it_is(words, width):
    hostile = words + "\x1b[2J\u202e\x07"
    one = step(hostile, "step", {hostile: [hostile, {"a": hostile}]}, 0, 1)
    error = {"error": {"type": hostile, "message": hostile}}
    error = step("x", "tool", error, 0, 1, status="failed")
    request = step("request x", "approval", {**REQUEST, "approvers": [hostile], "expires": hostile}, 0, 1)
    decision = step("decision x", "approval", {**DECISION, "comment": hostile, "by": hostile}, 0, 1)
    made = {
        "run": "r-1", "created": hostile, "actor": [hostile], "status": "done",
        "outcome": hostile, "exit_code": 0, "config_digest": "c", "generation": None, "approvals": [],
        "input": {"workflow": hostile, "input": {hostile: hostile}},
        "steps": [one, error, request, decision], "output": {"reply": hostile},
    }  # fmt: skip
    for line in told(json.loads(json.dumps(made)), width):
        assert not {"\x1b", "\u202e", "\x07", "\n", "\r"} & set(line)
