"""Policy is checked in code before each call: whatever a caller wants, nothing forbidden reaches a tool."""

import json
import sys
from dataclasses import replace

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tool_parts import LEADS, MIA, Made

from ragflow.tools.policy import policy_digest
from ragflow.workflows.contracts import Need, Suspended
from ragflow.workflows.errors import NotApproved, ToolRefused
from ragflow.workflows.remembering import RememberedSteps

MODULE = """
from typing import Annotated, Literal
from pydantic import BaseModel, ConfigDict, Field

REACHED = []

class Order(BaseModel):
    order: Annotated[str, Field(pattern="^A-[0-9]+$")]
    amount: Annotated[float, Field(ge=0, le=500)]

def refund(order: Order, *, idempotency_key: str) -> dict:
    REACHED.append(("refund", order.model_dump()))
    return {"done": True}

def note(text: Annotated[str, Field(min_length=1, max_length=20)], kind: Literal["a", "b"] = "a") -> dict:
    REACHED.append(("note", {"text": text, "kind": kind}))
    return {"noted": text}

def count(n: int, more: list[int] | None = None) -> int:
    REACHED.append(("count", {"n": n, "more": more}))
    return n
"""
# Written down apart from the program: what each tool may get.
SCHEMAS = {
    "refund": {
        "type": "object",
        "properties": {
            "order": {"type": "string", "pattern": "^A-[0-9]+$"},
            "amount": {"type": "number", "minimum": 0, "maximum": 500},
        },
        "required": ["order", "amount"],
        "additionalProperties": False,
    },
    "note": {
        "type": "object",
        "properties": {
            "text": {"type": "string", "minLength": 1, "maxLength": 20},
            "kind": {"enum": ["a", "b"]},
        },
        "required": ["text"],
        "additionalProperties": False,
    },
    "count": {
        "type": "object",
        "properties": {
            "n": {"type": "integer"},
            "more": {"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}]},
        },
        "required": ["n"],
        "additionalProperties": False,
    },
}
ROLES = ("group:support", "group:leads", "user:mia", "everyone", "group:hr")
junk = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 600), st.floats(-5, 600), st.text(max_size=25), st.just("A-17"),
    st.lists(st.integers(0, 3), max_size=2), st.just({"argument": "order"}),
)  # fmt: skip
FITTING = {
    "refund": st.fixed_dictionaries({"order": st.just("A-17"), "amount": st.floats(0, 600)}),
    "note": st.fixed_dictionaries({"text": st.text(min_size=1, max_size=22)}),
    "count": st.fixed_dictionaries({"n": st.integers()}),
}
names = ["order", "amount", "text", "kind", "n", "more", "idempotency_key", "x"]
policies = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        SCHEMAS,
        st.fixed_dictionaries(
            {
                "roles": st.lists(st.sampled_from(ROLES), max_size=3, unique=True),
                "rate": st.one_of(
                    st.none(), st.builds(lambda n: {"calls": n, "seconds": 3600}, st.integers(1, 3))
                ),
                "most": st.one_of(st.none(), st.integers(1, 3)),
            }
        ),
    ),
)
callers = st.builds(
    lambda roles, role, run: replace(MIA, roles=tuple(roles), role=role, run=f"r-{run}"),
    st.lists(st.sampled_from(ROLES), max_size=5, unique=True),
    st.one_of(st.none(), st.none(), st.sampled_from(ROLES)),
    st.integers(0, 1),
)
known = st.sampled_from(list(SCHEMAS))
fitting = known.flatmap(lambda tool: st.tuples(st.just(tool), FITTING[tool], callers))
anything = st.tuples(
    st.sampled_from([*SCHEMAS, "shell"]),
    st.one_of(*FITTING.values(), st.dictionaries(st.sampled_from(names), junk)),
    callers,
)
# What a lenient reader would take for the right thing.
alike = st.sampled_from(["3", "140.0", True, 1, "true", None, ["3"], [True], 5.5])
nearly = known.flatmap(
    lambda tool: st.tuples(
        st.just(tool),
        st.tuples(FITTING[tool], st.sampled_from(list(SCHEMAS[tool]["properties"])), alike).map(
            lambda drawn: {**drawn[0], drawn[1]: drawn[2]}
        ),
        callers,
    )
)
wishes = st.lists(st.one_of(fitting, fitting, nearly, anything), min_size=1, max_size=12)


@pytest.fixture
def workspace(tmp_path):
    """A folder whose module holds three functions, and that module's name."""
    (tmp_path / "ragflow_disobedient.py").write_text(MODULE, encoding="utf-8")
    yield tmp_path
    sys.modules.pop("ragflow_disobedient", None)


def tools_of(policy):
    """The section ``tools`` that a policy is."""
    return {
        name: {
            "python": f"ragflow_disobedient:{name}",
            "effect": "write" if name == "refund" else "read",
            "roles": one["roles"],
            "rate": one["rate"],
            "budget": {"calls": one["most"]},
        }
        for name, one in policy.items()
    }


class Oracle:
    """Says by itself what a policy lets through, in the order of the calls."""

    def __init__(self, policy):
        self._policy, self._through = policy, []

    def allows(self, tool, wanted, caller):
        rules = self._policy.get(tool)
        if rules is None:
            return "not_listed"
        shared = [role for role in rules["roles"] if role in caller.roles]
        if not shared or (caller.role is not None and caller.role not in shared):
            return "role"
        # A whole number written with a point is one to JSON Schema, and none to Python.
        floats = [value for value in wanted.values() if isinstance(value, float)]
        pointed = tool == "count" and any(value.is_integer() for value in floats)
        if pointed or not jsonschema.Draft202012Validator(SCHEMAS[tool]).is_valid(wanted):
            return "arguments"
        if (
            rules["rate"] is not None
            and sum(one[0] == tool for one in self._through) >= rules["rate"]["calls"]
        ):
            return "rate"
        if rules["most"] is not None and self._through.count((tool, caller.run)) >= rules["most"]:
            return "budget"
        self._through.append((tool, caller.run))
        return None


def test_no_call_that_policy_forbids_and_no_argument_that_fails_its_schema_reaches_a_tool(workspace, rounds):
    met = {"calls": 0, "reached": 0}

    @settings(
        max_examples=rounds(fast=100, soak=1000),
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(policy=policies, wanted=wishes)
    def law(policy, wanted):
        (workspace / "runs.sqlite").unlink(missing_ok=True)
        made = Made(workspace, tools=tools_of(policy))
        oracle, steps = Oracle(policy), RememberedSteps()
        for tool, wish, caller in wanted:
            met["calls"] += 1
            reached = sys.modules["ragflow_disobedient"].REACHED if policy else []
            reached.clear()
            why = oracle.allows(tool, wish, caller)
            made.kept, before = [], len(steps.kept)
            try:
                made.calls.call(tool, wish, steps=steps, caller=caller, about=None)
                refused = None
            except ToolRefused as error:
                refused = error.kind
            assert refused == why
            assert len(reached) == (0 if why else 1)
            assert (tool in {offer.name for offer in made.calls.offers(caller)}) == (
                why not in {"not_listed", "role"}
            )
            for name, got in reached:
                met["reached"] += 1
                assert name == tool
                jsonschema.validate(json.loads(json.dumps(got)), SCHEMAS[name])
            assert len(steps.kept) - before == (1 if why else 2)
        made.database.close()

    law()
    assert met["calls"] > met["reached"] > 0


def test_the_schema_that_an_agent_is_shown_lets_through_what_the_tool_takes(workspace):
    made = Made(
        workspace,
        tools=tools_of({name: {"roles": ["everyone"], "rate": None, "most": None} for name in SCHEMAS}),
    )
    for offer in made.calls.offers(MIA):
        for one in (
            {"order": "A-17", "amount": 5},
            {"text": "x", "kind": "b"},
            {"n": 3, "more": [1]},
            {"x": 1},
        ):
            shown = jsonschema.Draft202012Validator(dict(offer.schema)).is_valid(one)
            assert shown == jsonschema.Draft202012Validator(SCHEMAS[offer.name]).is_valid(one)
    made.database.close()


def desk(workspace, **more):
    """A workspace with one write that anybody may call."""
    tool = {"python": "ragflow_disobedient:refund", "effect": "write", "roles": ["everyone"], **more}
    return Made(workspace, tools={"refund": tool})


def test_the_same_call_of_a_run_that_is_executed_again_is_counted_once(workspace):
    made = desk(workspace, rate={"calls": 2, "seconds": 3600})
    for _ in range(5):
        made.kept = made.kept[:0]  # died before its policy step was kept
        made.call("refund", {"order": "A-1", "amount": 5})
    made.new_run(2)
    made.call("refund", {"order": "A-1", "amount": 5})
    made.new_run(3)
    with pytest.raises(ToolRefused) as refused:
        made.call("refund", {"order": "A-1", "amount": 5})
    assert refused.value.kind == "rate"
    made.database.close()


def test_a_call_that_is_refused_when_it_is_looked_at_again_takes_nothing_of_the_budget(workspace):
    made = desk(workspace, budget={"argument": "amount", "day": 100})
    made.gate.needs = lambda _: LEADS
    made.gate.answers = [("revised", {"order": "A-1", "amount": 101}, "user:leo")]
    with pytest.raises(ToolRefused, match="would take amount to 101"):
        made.call("refund", {"order": "A-1", "amount": 60})
    made.new_run(2)
    made.gate.needs = lambda _: None
    made.call("refund", {"order": "A-2", "amount": 100})
    made.database.close()


@pytest.mark.parametrize(
    ("limit", "through"),
    [
        ({"run": 10}, [True, True, False, True, True, False]),
        ({"day": 25}, [True, True, True, True, True, False]),
        ({"run": 9, "day": 14}, [True, True, False, True, False, False]),
    ],
)
def test_a_budget_sums_one_argument_for_a_run_or_a_day(workspace, limit, through):
    made, went = desk(workspace, budget={"argument": "amount", **limit}), []
    for run in (1, 2):
        made.new_run(run)
        steps = RememberedSteps()
        for amount in (4, 5, 6):
            wanted = {"order": "A-1", "amount": amount}
            try:
                made.calls.call("refund", wanted, steps=steps, caller=made.caller, about=None)
                went.append(True)
            except ToolRefused as refused:
                went.append(refused.kind != "budget")
    assert went == through
    made.database.close()


def test_what_was_rejected_takes_nothing_of_a_budget(workspace):
    made = desk(workspace, budget={"argument": "amount", "day": 100})
    made.gate.needs, made.gate.answers = (lambda _: LEADS), ["rejected", "approved"]
    for _ in range(2):
        with pytest.raises(NotApproved):
            made.call("refund", {"order": "A-1", "amount": 90})
    made.new_run(2)
    assert made.call("refund", {"order": "A-1", "amount": 90}) == {"done": True}
    made.database.close()


def test_an_action_waits_and_is_done_once_after_it_was_approved(workspace):
    made = desk(workspace)
    made.gate.needs = lambda _: LEADS
    for _ in range(3):
        with pytest.raises(Suspended):
            made.call("refund", {"order": "A-1", "amount": 90})
    assert sys.modules["ragflow_disobedient"].REACHED == []
    made.gate.answers = ["approved"]
    for _ in range(3):
        assert made.call("refund", {"order": "A-1", "amount": 90}) == {"done": True}
    assert len(sys.modules["ragflow_disobedient"].REACHED) == 1
    assert len(made.gate.requests) == 1
    assert [settled for _, settled in made.gate.done] == [True]
    made.database.close()


def test_revised_arguments_are_what_is_done_and_are_checked_as_the_first_were(workspace):
    made = desk(workspace)
    made.gate.needs = lambda _: LEADS
    made.gate.answers = [("revised", {"order": "A-1", "amount": 45}, "user:leo")]
    made.call("refund", {"order": "A-1", "amount": 90})
    assert sys.modules["ragflow_disobedient"].REACHED == [("refund", {"order": "A-1", "amount": 45})]
    made.new_run(2)
    made.gate.answers = [("revised", {"order": "A-1", "amount": 9000}, "user:leo")]
    with pytest.raises(ToolRefused, match="amount"):
        made.call("refund", {"order": "A-1", "amount": 90})
    assert len(sys.modules["ragflow_disobedient"].REACHED) == 1
    made.database.close()


def test_revised_arguments_that_are_another_persons_matter_are_put_before_that_one(workspace):
    boss = Need(("user:eva",), four_eyes=True, seconds=60)
    made = desk(workspace)
    made.gate.needs = lambda action: boss if action.arguments["amount"] > 100 else LEADS
    made.gate.answers = [("revised", {"order": "A-1", "amount": 200}, "user:leo")]
    with pytest.raises(Suspended):
        made.call("refund", {"order": "A-1", "amount": 90})
    assert [one.need for one in made.gate.requests.values()] == [LEADS, boss]
    made.gate.answers = ["approved"]
    made.call("refund", {"order": "A-1", "amount": 90})
    assert sys.modules["ragflow_disobedient"].REACHED == [("refund", {"order": "A-1", "amount": 200})]
    made.database.close()


def test_an_approval_under_other_rules_does_not_hold(workspace):
    made = desk(workspace)
    made.gate.needs = lambda _: LEADS
    with pytest.raises(Suspended):
        made.call("refund", {"order": "A-1", "amount": 90})
    before = policy_digest(made.config)
    tool = {"python": "ragflow_disobedient:refund", "effect": "write", "roles": ["everyone"], "timeout": 7}
    made.use(tools={"refund": tool})
    assert policy_digest(made.config) != before
    made.gate.answers = ["approved"]
    with pytest.raises(Suspended):
        made.call("refund", {"order": "A-1", "amount": 90})
    assert sys.modules["ragflow_disobedient"].REACHED == []
    assert len(made.gate.requests) == 2
    made.gate.answers = ["approved"]
    made.call("refund", {"order": "A-1", "amount": 90})
    assert len(sys.modules["ragflow_disobedient"].REACHED) == 1
    made.use(tools={})
    assert made.call("refund", {"order": "A-1", "amount": 90}) == {"done": True}  # kept: it was done
    made.database.close()


def test_a_tool_that_is_taken_off_the_list_while_a_person_thinks_is_not_called(workspace):
    made = desk(workspace)
    made.gate.needs = lambda _: LEADS
    with pytest.raises(Suspended):
        made.call("refund", {"order": "A-1", "amount": 90})
    made.use(tools={})
    made.gate.answers = ["approved"]
    with pytest.raises(ToolRefused) as refused:
        made.call("refund", {"order": "A-1", "amount": 90})
    assert refused.value.kind == "not_listed"
    made.database.close()


def test_no_approver_no_action(workspace):
    made = desk(workspace)
    made.gate.needs = lambda _: Need((), four_eyes=True, seconds=60)
    with pytest.raises(ToolRefused) as refused:
        made.call("refund", {"order": "A-1", "amount": 90})
    assert refused.value.kind == "no_approver"
    assert made.gate.requests == {}
    made.database.close()


def test_a_read_may_wait_for_a_person_too(workspace):
    made = Made(workspace, tools={"count": {"python": "ragflow_disobedient:count", "roles": ["everyone"]}})
    made.gate.needs, made.gate.answers = (lambda _: LEADS), ["rejected"]
    with pytest.raises(NotApproved):
        made.call("count", {"n": 1})
    made.database.close()
