"""The laws of ``Flow``: what a workflow's code may rely on, whatever keeps its steps."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from workflow_parts import MIA, NOON, Cut, MemoryGate, World

from ragflow.errors import OutsideCause
from ragflow.steps import Step
from ragflow.workflows import Flow, NotApproved, Retry, workflow
from ragflow.workflows.contracts import About, Ended, Limits, Need, Suspended
from ragflow.workflows.errors import (
    InputUnfit,
    StepTimedOut,
    UnknownWorkflow,
    WorkflowChanged,
    WorkflowFailed,
)
from ragflow.workflows.trying import ONCE, attempted

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
QUICK = Retry(times=2, wait=0)


class Counted:
    """A function that fails ``failing`` times before it gives ``value``."""

    def __init__(self, value=1, *, failing=0, error=OutsideCause):
        self.value, self.failing, self.error, self.calls = value, failing, error, 0

    def __call__(self, *arguments):
        self.calls += 1
        if self.calls <= self.failing:
            raise self.error("not now")
        return self.value


# -- a step ----------------------------------------------------------------------------------------


@given(value=JSON)
def test_a_step_gives_json_as_it_was_and_again_without_being_done(value):
    world, function = World(), Counted(value)
    assert world.flow().step("a", function) == value
    assert world.flow().step("a", function) == value
    assert function.calls == 1


def test_a_step_gives_what_json_makes_of_a_value_in_the_first_execution_too():
    world = World()
    first = world.flow().step("a", lambda: {"pair": (1, 2)})
    assert first == world.flow().step("a", lambda: {"pair": (1, 2)}) == {"pair": [1, 2]}


@pytest.mark.parametrize(
    "value", [{1, 2}, float("nan"), object(), b"bytes"], ids=["set", "nan", "object", "bytes"]
)
def test_what_is_no_json_is_said_so_and_not_tried_again(value):
    function = Counted(value)
    with pytest.raises(WorkflowFailed, match="the step a gave what is no JSON"):
        World().flow().step("a", function, retry=Retry(times=3, on=(Exception,), wait=0))
    assert function.calls == 1


def test_an_error_is_kept_and_raised_again():
    world, function = World(), Counted(failing=1, error=ValueError)
    for _ in range(2):
        with pytest.raises(ValueError, match="not now"):
            world.flow().step("a", function)
    assert function.calls == 1


@pytest.mark.parametrize(("failing", "calls"), [(0, 1), (1, 2), (2, 3), (3, 3)])
def test_a_step_is_tried_as_often_as_its_rule_says(failing, calls):
    world, function = World(), Counted(failing=failing)
    if failing > QUICK.times:
        with pytest.raises(OutsideCause):
            world.flow().step("a", function, retry=QUICK)
    else:
        assert world.flow().step("a", function, retry=QUICK) == 1
    assert function.calls == calls
    assert world.kept[0]["step"].tries == calls


def test_an_error_that_the_rule_does_not_name_is_not_tried_again():
    function = Counted(failing=1, error=ValueError)
    with pytest.raises(ValueError, match="not now"):
        World().flow().step("a", function, retry=QUICK)
    assert function.calls == 1


def test_pauses_grow_by_the_factor_of_the_rule():
    pauses, rule = [], Retry(times=4, wait=0.5, backoff=3)
    with pytest.raises(OutsideCause):
        attempted(Counted(failing=9), Step(), retry=rule, timeout=5, name="a", sleep=pauses.append)
    assert pauses == [0.5, 1.5, 4.5, 13.5]


def test_what_hangs_is_left_behind_and_may_be_tried_again():
    import threading

    over, calls = threading.Event(), []

    def hangs_once():
        calls.append(1)
        if len(calls) == 1:
            over.wait(60)
        return "came"

    try:
        assert World().flow().step("a", hangs_once, timeout=0.2, retry=Retry(times=1, wait=0)) == "came"
        with pytest.raises(StepTimedOut, match=r"the step b took longer than 0\.2 s"):
            World().flow().step("b", over.wait, 60, timeout=0.2)
    finally:
        over.set()


# -- the fallback ----------------------------------------------------------------------------------


def test_a_fallback_gets_the_same_arguments_and_is_a_step_of_its_own():
    world, seen = World(), []

    def instead(*arguments):
        seen.append(arguments)
        return "instead"

    for _ in range(2):
        assert world.flow().step("a", Counted(failing=9), 1, "x", fallback=instead) == "instead"
    assert seen == [(1, "x")]
    assert world.names == ["a", "a.fallback"]


def test_a_fallback_waits_until_all_tries_have_failed():
    function, fallback = Counted(failing=2), Counted("instead")
    assert World().flow().step("a", function, retry=QUICK, fallback=fallback) == 1
    assert (function.calls, fallback.calls) == (3, 0)


def test_a_fallback_that_fails_is_the_error():
    with pytest.raises(ValueError, match="not now"):
        World().flow().step("a", Counted(failing=9), fallback=Counted(failing=9, error=ValueError))


def test_a_fallback_never_stands_for_a_process_that_died():
    world, fallback = World(), Counted("instead")

    def dies():
        raise Cut

    with pytest.raises(Cut):
        world.flow().step("a", dies, fallback=fallback)
    assert fallback.calls == 0
    assert world.flow().step("a", Counted("came"), fallback=fallback) == "came"


# -- the clock and reading -------------------------------------------------------------------------


def test_now_is_the_time_of_the_first_execution():
    world = World()
    first = world.flow().now()
    world.clock = lambda: NOON + timedelta(days=3)
    assert world.flow().now() == first == NOON
    assert first.utcoffset() == timedelta(0)


ANSWER = {"outcome": "answered", "confidence": 0.9, "route": {"rule": "money"}, "citations": []}


def test_actions_rest_on_the_newest_answer():
    seen = []

    class Watching(MemoryGate):
        def need(self, action, caller, about):
            seen.append(about)

    world = World(tools={"act": lambda: 1}, gate=Watching())
    world.reading.answer = ANSWER
    flow = world.flow()
    flow.tool("act")
    flow.ask("a question")
    flow.tool("act")
    assert seen == [About(), About(ANSWER, "money", 0.9, "answered")]
    assert world.reading.asked == ["a question"]


# -- people ----------------------------------------------------------------------------------------


def approve(flow):
    return flow.approve("act", {"amount": 5}, approvers=["group:leads"], expires=timedelta(hours=2))


def test_a_run_is_suspended_until_a_person_decides_and_asks_once():
    world = World()
    for _ in range(3):
        with pytest.raises(Suspended) as raised:
            approve(world.flow())
    assert raised.value.wake == NOON + timedelta(hours=2)
    assert world.gate.opened == 1
    assert world.names == ["request act"]  # of a decision that is not there nothing is kept
    world.gate.decide("approved")
    assert approve(world.flow()) == {"amount": 5}


def test_what_was_revised_is_what_goes_on():
    world = World()
    with pytest.raises(Suspended):
        approve(world.flow())
    world.gate.decide("revised", amount=3)
    assert approve(world.flow()) == approve(world.flow()) == {"amount": 3}


@pytest.mark.parametrize(
    ("status", "words"),
    [("rejected", "act was rejected by user:noor"), ("expired", "nobody decided on act in time")],
)
def test_a_no_is_an_error_that_says_who(status, words):
    world = World()
    with pytest.raises(Suspended):
        approve(world.flow())
    world.gate.decide(status)
    for _ in range(2):
        with pytest.raises(NotApproved, match=words) as raised:
            approve(world.flow())
        assert raised.value.status == status


def test_no_fallback_and_no_except_catches_a_suspended_run():
    def careless(flow):
        try:
            return approve(flow)
        except Exception:  # noqa: BLE001 - the carelessness that is tested
            return "went on without anybody"

    with pytest.raises(Suspended):
        careless(World().flow())


def test_two_requests_with_the_same_words_are_two():
    world = World()

    def twice(flow):
        return [approve(flow), approve(flow)]

    for _ in range(2):
        with pytest.raises(Suspended):
            twice(world.flow())
        world.gate.decide("approved")
    assert twice(world.flow()) == [{"amount": 5}, {"amount": 5}]
    assert world.gate.opened == 2


# -- other workflows and agents --------------------------------------------------------------------


class Numbered(BaseModel):
    number: int


@workflow("doubled", takes=Numbered)
def doubled(flow: Flow, given: Numbered) -> int:
    return flow.step("double", lambda number: 2 * number, given.number)


def test_another_workflow_is_part_of_the_run():
    world = World(workflows={"doubled": doubled})
    assert world.flow().go("doubled", {"number": 4}) == 8
    assert world.names == ["workflow doubled", "double"]
    with pytest.raises(
        InputUnfit, match="the workflow doubled does not take this input: number: Input should"
    ):
        world.flow().go("doubled", {"number": "many"})
    with pytest.raises(UnknownWorkflow, match='there is no workflow "gone"'):
        world.flow().go("gone", {})


def test_a_run_never_goes_on_with_another_source_of_a_workflow_that_it_went_to():
    world = World(workflows={"doubled": doubled})
    world.flow().go("doubled", {"number": 4})
    world.workflows = {"doubled": replace(doubled, digest="0" * 64)}
    with pytest.raises(WorkflowChanged, match=f"it was {doubled.digest}, it is {'0' * 64}"):
        world.flow().go("doubled", {"number": 4})


def test_an_agent_gets_one_role_and_the_limits_that_the_workflow_gave():
    world, limits = World(), Limits(steps=2)
    world.agent.ended = Ended("done", text="found")
    ended = world.flow().agent("look", role="group:desk", tools=["search"], limits=limits)
    assert ended.text == "found"
    assert world.agent.given == [("look", "group:desk", ("search",), limits)]
    assert world.flow().actor == MIA.actor


# -- a whole run, cut anywhere ---------------------------------------------------------------------


def whole(flow):
    numbers = [flow.step(f"number {n}", lambda n: n * n, n) for n in range(3)]
    fallen = flow.step("falls", Counted(failing=9), fallback=lambda: "caught")
    told = flow.tool("act", amount=sum(numbers))
    return [numbers, fallen, told, flow.now().isoformat(), flow.tool("tell", amount=told)]


@given(cuts=st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=6))
def test_a_run_that_is_cut_anywhere_gives_the_same_with_each_effect_once(cuts):
    def world():
        return World(tools={"act": lambda amount: amount + 1, "tell": lambda amount: f"told {amount}"})

    straight, cut = world(), world()
    expected = whole(straight.flow())
    for at, after in cuts:
        try:
            whole(cut.flow(cut=at, after=after))
        except Cut:
            continue
    assert whole(cut.flow()) == expected
    assert cut.done == straight.done == [("act", {"amount": 5}), ("tell", {"amount": 6})]


@given(at=st.integers(0, 6), after=st.booleans(), revised=st.integers(1, 9))
def test_a_run_that_waits_may_be_cut_before_and_after(at, after, revised):
    world = World(tools={"act": lambda amount: amount})
    world.gate.ask = lambda _: Need(("group:leads",), four_eyes=True, seconds=60)
    for decide in (True, False):
        for cut in (at, -1):
            try:
                world.flow(cut=cut, after=after).tool("act", amount=10)
            except (Cut, Suspended):
                continue
        if decide:
            world.gate.decide("revised", amount=revised)
    assert world.flow().tool("act", amount=10) == revised
    assert world.done == [("act", {"amount": revised})]
    assert world.gate.opened == 1


def test_by_default_a_step_is_tried_once():
    assert (ONCE.times, Retry().times) == (0, 0)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"expires": "72h"}, "a timedelta"),
        ({"approvers": "group:leads"}, "a list of who"),
        ({"approvers": []}, "a list of who"),
    ],
)
def test_a_person_is_asked_in_the_right_words_or_not_at_all(wrong, words):
    world = World()
    asked = {"approvers": ["group:leads"], "expires": timedelta(hours=1)} | wrong
    with pytest.raises(TypeError, match=words):
        world.flow().approve("publish", {}, **asked)
    assert world.flow().step("a", Counted(7)) == 7  # no step was taken before
