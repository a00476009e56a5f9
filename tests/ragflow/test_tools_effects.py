"""Effects: at most once always, exactly once where the tool takes a key or can be asked.

A process is killed by a ``BaseException`` at every boundary of an effect; then the run is executed again with
the steps that were kept, as another process would.
"""

import json
import sqlite3
import sys
from contextlib import contextmanager
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, update
from sqlalchemy.exc import OperationalError
from tool_parts import LEADS, MIA, DeskServer, Made

from ragflow.records import sha256
from ragflow.workflows.contracts import Abandoned, Suspended
from ragflow.workflows.errors import ToolFailed, Unsettled
from ragflow.workflows.tables import flows

MODULE = """
import json, os
from pathlib import Path
HERE = Path(__file__).parent / "effects.jsonl"

class Killed(BaseException):
    pass

FAULT = {"before": 0, "after": 0}

def fault(where):
    if FAULT[where]:
        FAULT[where] -= 1
        raise Killed(where)

def happened():
    return [json.loads(line) for line in HERE.read_text().splitlines()] if HERE.exists() else []

def do(order, key):
    fault("before")
    with HERE.open("a") as stream:
        stream.write(json.dumps({"order": order, "key": key}) + "\\n")
    fault("after")
    return {"refund": f"R-{len(happened())}"}

def neither(order: str) -> dict:
    return do(order, None)

def keyed(order: str, *, idempotency_key: str) -> dict:
    if any(one["key"] == idempotency_key for one in happened()):
        return {"refund": "R-1"}
    return do(order, idempotency_key)

def asked(order: str, *, idempotency_key: str) -> dict:
    return do(order, idempotency_key)

def known(key):
    return {"refund": "R-1"} if any(one["key"] == key for one in happened()) else "not_done"

asked.state_of = known

def unkeyed(order: str) -> dict:
    return do(order, None)

unkeyed.state_of = lambda key: {"refund": "R-1"} if happened() else "not_done"
"""
KINDS = ("neither", "keyed", "asked")
WHERE = ("claim before", "claim after", "before", "after", "settle before", "settle after")


@pytest.fixture
def desk(tmp_path):
    """A workspace whose three tools write into one file, and the module that they are in."""
    (tmp_path / "ragflow_desk.py").write_text(MODULE, encoding="utf-8")
    tools = {
        kind: {"python": f"ragflow_desk:{kind}", "effect": "write", "roles": ["group:support"]}
        for kind in (*KINDS, "unkeyed")
    }
    made = Made(tmp_path, tools=tools)
    yield made, sys.modules["ragflow_desk"]
    made.database.close()
    del sys.modules["ragflow_desk"]


def kill_at(made, module, where):
    """Kill the next execution at one boundary."""
    name, _, moment = where.partition(" ")
    if not moment:
        module.FAULT[name] += 1
        return
    method = {"claim": "claim", "settle": "end"}[name]
    whole = getattr(made.effects, method)

    def killed(*arguments):
        setattr(made.effects, method, whole)
        if moment == "before":
            raise module.Killed(where)
        whole(*arguments)
        raise module.Killed(where)

    setattr(made.effects, method, killed)


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("kind", KINDS)
def test_killed_anywhere_an_effect_happens_at_most_once(desk, kind, where):
    made, module = desk
    kill_at(made, module, where)
    with pytest.raises(module.Killed):
        made.call(kind, {"order": "A-17"})
    unknowable = kind == "neither" and where in {"claim after", "before", "after", "settle before"}
    if unknowable:
        with pytest.raises(Suspended):
            made.call(kind, {"order": "A-17"})
        assert len(module.happened()) == (1 if where in {"after", "settle before"} else 0)
        (request,) = made.gate.requests.values()
        assert request.kind == "unsettled"
        assert request.need.approvers == (MIA.actor,)
    else:
        assert made.call(kind, {"order": "A-17"}) == {"refund": "R-1"}
        assert len(module.happened()) == 1


@pytest.mark.parametrize(
    ("kind", "where", "settled"),
    [
        ("asked", "after", "asked"),
        ("asked", "before", "missed"),
        ("keyed", "after", "repeated"),
        ("keyed", "claim before", None),
        ("keyed", "settle after", None),  # the row of the effect knew: nobody was asked, nothing done again
    ],
)
def test_what_is_kept_says_how_a_call_was_settled_after_a_crash(desk, kind, where, settled):
    made, module = desk
    kill_at(made, module, where)
    with pytest.raises(module.Killed):
        made.call(kind, {"order": "A-17"})
    kill_at(made, module, "settle after")  # once more: how it was settled is not found out a second time
    if where != "settle after":
        with pytest.raises(module.Killed):
            made.call(kind, {"order": "A-17"})
    told = []
    for _ in range(2):  # the second execution takes what is kept
        assert made.call(kind, {"order": "A-17"}) == {"refund": "R-1"}
        told.append(made.kept[-1]["value"])
    mark = {} if settled is None else {"settled": settled}
    assert [json.loads(one) for one in told] == [{"result": {"refund": "R-1"}, **mark}] * 2
    assert len(module.happened()) == 1


def test_killed_again_and_again_an_effect_still_happens_once(desk, rounds):
    made, module = desk
    numbers = count()

    @settings(
        max_examples=rounds(fast=25, soak=1000),
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(kind=st.sampled_from(KINDS), kills=st.lists(st.sampled_from(WHERE), max_size=4))
    def law(kind, kills):
        number = next(numbers)
        made.new_run(number)
        order = f"A-{number}"
        for where in kills:
            kill_at(made, module, where)
            try:
                made.call(kind, {"order": order})
            except (module.Killed, Suspended):
                pass
            finally:
                module.FAULT.update(before=0, after=0)
                for method in ("claim", "end"):
                    vars(made.effects).pop(method, None)
        try:
            made.call(kind, {"order": order})
            settled = True
        except Suspended:
            settled = False
        times = sum(one["order"] == order for one in module.happened())
        assert times <= 1
        if settled:
            assert times == 1
        assert settled or kind == "neither"

    law()


def test_what_was_left_is_done_again_only_when_a_person_says_so(desk):
    made, module = desk
    made.gate.answers = ["approved"]
    kill_at(made, module, "after")
    with pytest.raises(module.Killed):
        made.call("neither", {"order": "A-17"})
    assert made.call("neither", {"order": "A-17"}) == {"refund": "R-2"}
    assert len(module.happened()) == 2
    assert [settled for _, settled in made.gate.done] == [True]


def test_a_repetition_that_is_killed_too_is_asked_about_anew(desk):
    made, module = desk
    made.gate.answers = ["approved"]
    for _ in range(2):
        kill_at(made, module, "after")
        with pytest.raises(module.Killed):
            made.call("neither", {"order": "A-17"})
    with pytest.raises(Suspended):
        made.call("neither", {"order": "A-17"})
    assert len(made.gate.requests) == 2
    assert len(module.happened()) == 2


@pytest.mark.parametrize("status", ["rejected", "expired"])
def test_what_was_left_stays_left_where_nobody_wants_it_again(desk, status):
    made, module = desk
    made.gate.answers = [status]
    kill_at(made, module, "after")
    with pytest.raises(module.Killed):
        made.call("neither", {"order": "A-17"})
    for _ in range(2):
        with pytest.raises(Unsettled, match="nobody knows whether neither was done"):
            made.call("neither", {"order": "A-17"})
    assert len(module.happened()) == 1


def test_an_approved_action_that_nobody_can_settle_is_told_to_the_gate(desk):
    made, module = desk
    made.gate.needs, made.gate.answers = (lambda _: LEADS), ["approved"]
    kill_at(made, module, "after")
    with pytest.raises(module.Killed):
        made.call("neither", {"order": "A-17"})
    with pytest.raises(Suspended):
        made.call("neither", {"order": "A-17"})
    assert [settled for _, settled in made.gate.done] == [False]
    assert [one.kind for one in made.gate.requests.values()] == ["action", "unsettled"]
    assert {one.need.approvers for one in made.gate.requests.values()} == {LEADS.approvers}


@pytest.mark.parametrize(("where", "waits"), [("claim after", True), ("settle before", False)])
def test_not_done_is_believed_only_when_the_dead_process_cannot_be_at_it_any_more(desk, where, waits):
    made, module = desk
    kill_at(made, module, where)
    with pytest.raises(module.Killed):
        made.call("unkeyed", {"order": "A-17"})
    assert made.call("unkeyed", {"order": "A-17"}) == {"refund": "R-1"}
    assert len(module.happened()) == 1
    assert len(made.waited) == (1 if waits else 0)
    assert all(0 < seconds <= 20 for seconds in made.waited)


def test_a_database_that_fails_is_no_result_of_a_step(desk):
    made, module = desk

    made.effects._database = Full()
    with pytest.raises(Abandoned) as left:
        made.call("keyed", {"order": "A-17"})
    assert left.value.error.type == "DiskFull"
    assert [one["name"] for one in made.kept] == ["policy keyed"]
    made.effects._database = made.database
    assert made.call("keyed", {"order": "A-17"}) == {"refund": "R-1"}
    assert len(module.happened()) == 1


class Full:
    """A database whose disk is full, as SQLite says it."""

    @contextmanager
    def begin(self):
        full = sqlite3.OperationalError("database or disk is full")
        full.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise OperationalError("INSERT", {}, full)
        yield


def owned(made, owner, fence):
    """Give the run to an executor, as leases do."""
    with made.database.begin() as connection:
        changed = connection.execute(
            update(flows).where(flows.c.run == made.caller.run).values(owner=owner, fence=fence)
        )
        if not changed.rowcount:
            nothing = dict.fromkeys(("workflow", "created", "actor", "source_digest", "config_digest"), "")
            row = {**nothing, "policy": "", "version": "", "input": "{}", "status": "running"}
            connection.execute(
                insert(flows).values(run=made.caller.run, owner=owner, fence=fence, exit_code=0, **row)
            )


def test_who_does_not_own_the_run_any_more_does_nothing_and_keeps_nothing(desk):
    made, module = desk
    owned(made, "one", 1)
    mine = replace(made.caller, executor="one", fence=1)
    assert made.call("keyed", {"order": "A-1"}, caller=mine)
    for owner, fence in [("two", 2), (None, 2), ("one", 3)]:
        made.kept = []
        owned(made, owner, fence)
        with pytest.raises(Abandoned) as left:
            made.call("neither", {"order": "A-2"}, caller=mine)
        assert left.value.error.exit_code == 4
        assert [one["name"] for one in made.kept] == ["policy neither"]
    assert [one["order"] for one in module.happened()] == ["A-1"]


def test_who_was_overtaken_cannot_settle_what_another_took_over(desk):
    made, _ = desk
    owned(made, "one", 1)
    first, second = (replace(made.caller, executor=name, fence=at) for name, at in [("one", 1), ("two", 2)])
    action = made.toolbox.check("keyed", {"order": "A-1"}, first, "0")
    assert made.effects.claim(action.key, action, first).state == "new"
    owned(made, "two", 2)
    assert made.effects.claim(action.key, action, second).state == "claimed"
    with pytest.raises(Abandoned):
        made.effects.end(action.key, first, "settled", {"result": 1})
    made.effects.end(action.key, second, "settled", {"result": 2})
    assert made.effects.claim(action.key, action, second).outcome == {"result": 2}


@pytest.fixture
def server():
    with DeskServer() as running:
        yield running


def refund(server, **more):
    """A tool that asks the desk for a refund; ``more`` goes into its request."""
    return {
        "effect": "write",
        "roles": ["group:support"],
        "timeout": 1,
        "http": {
            "url": f"{server.url}/refund",
            "arguments": {"order": {"type": "string"}},
            "body": {"order": {"argument": "order"}},
            **more,
        },
    }


@pytest.mark.parametrize("deaf", [0, 1, 3])
def test_a_server_that_knows_keys_does_once_what_is_sent_until_it_answers(tmp_path, server, deaf):
    server.deaf = deaf
    made = Made(tmp_path, tools={"refund": {**refund(server, key_header="Idempotency-Key"), "retries": 3}})
    assert made.call("refund", {"order": "A-17"}) == {"refund": "R-1", "order": "A-17"}
    assert list(server.effects.values()) == [1]
    assert len(server.seen) == deaf + 1
    assert made.kept[-1]["step"].tries == deaf + 1
    made.database.close()


def test_a_server_that_can_be_asked_is_asked_and_not_told_again(tmp_path, server):
    server.deaf = 1
    ask = {"url": f"{server.url}/refund"}
    made = Made(tmp_path, tools={"refund": refund(server, key_header="Idempotency-Key", ask=ask)})
    assert made.call("refund", {"order": "A-17"}) == {"refund": "R-1", "order": "A-17"}
    assert [method for method, *_ in server.seen] == ["POST", "GET"]
    assert json.loads(made.kept[-1]["value"])["settled"] == "asked"
    assert list(server.effects.values()) == [1]
    made.database.close()


def test_a_server_that_says_not_done_is_asked_once_more_before_that_counts(tmp_path, server):
    ask = {"url": f"{server.url}/refund"}
    made = Made(tmp_path, tools={"refund": refund(server, url=f"{server.url}/fail", ask=ask)})
    with pytest.raises(ToolFailed) as failed:
        made.call("refund", {"order": "A-17"})
    assert failed.value.happened is False
    assert made.waited == [1.0]
    assert [method for method, *_ in server.seen] == ["POST", "GET", "GET"]
    made.database.close()


def test_a_server_that_hung_up_and_cannot_be_asked_is_left_to_a_person(tmp_path, server):
    server.deaf = 1
    made = Made(tmp_path, tools={"refund": refund(server)})
    for _ in range(3):
        with pytest.raises(Suspended):
            made.call("refund", {"order": "A-17"})
    assert sum(server.effects.values()) == 1
    (request,) = made.gate.requests.values()
    assert request.kind == "unsettled"
    made.database.close()


def test_what_surely_failed_is_no_claim_that_blocks_and_its_error_is_kept(tmp_path, server):
    made = Made(tmp_path, tools={"refund": refund(server, url=f"{server.url}/reject")})
    for _ in range(2):
        with pytest.raises(ToolFailed, match="answered 422") as failed:
            made.call("refund", {"order": "A-17"})
        assert (failed.value.kind, failed.value.happened) == ("rejected", False)
    assert len(server.seen) == 1
    made.database.close()


def test_the_key_is_of_run_call_and_arguments(tmp_path, server):
    made = Made(tmp_path, tools={"refund": refund(server, key_header="Idempotency-Key")})
    made.call("refund", {"order": "A-17"})
    key = sha256([MIA.run, "0", "refund", {"order": "A-17"}])[:32]
    assert server.seen[0][2]["Idempotency-Key"] == key
    made.database.close()
