"""Rules of approvals: the first that matches decides; what cannot be told asks a person and skips nobody."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ragflow.approval_sections import Approval, Condition
from ragflow.approvals.dead_rules import covering
from ragflow.approvals.rules import judged
from ragflow.config import load
from ragflow.errors import ConfigError
from ragflow.tool_sections import Tool
from ragflow.workflows.contracts import About, Action, Need

LEADS = ("group:leads",)
TOOLS = {
    "refund": Tool(python="shop:refund", effect="write"),
    "note": Tool(python="shop:note", effect="write"),
    "look": Tool(python="shop:look", effect="read"),
}
NOTHING = About()


def action(tool: str = "refund", **arguments: Any) -> Action:
    return Action(tool, TOOLS[tool].effect, arguments, "1", "p", "k")


def asks(when: Mapping[str, Any], one: Action, about: About = NOTHING) -> bool:
    """Whether a rule that asks takes the action."""
    return judged([Approval(when=Condition(**when), approvers=LEADS)], one, about).rule == 0


def skips(when: Mapping[str, Any], one: Action, about: About = NOTHING) -> bool:
    """Whether a rule that asks nobody takes the action."""
    return judged([Approval(when=Condition(**when), skip=True)], one, about).rule == 0


# -- the law, against an oracle that is written the slow way ---------------------------------------

VALUES = st.sampled_from(
    [None, True, False, 0, 1, 1.0, 5, 90, 150, 100, 100.5, "90", "EUR", "", [1], {"a": 1}]
)
AMOUNTS = st.one_of(VALUES, st.sampled_from([math.nan, math.inf, -math.inf, 10**30]))
LIMITS = st.sampled_from([0.0, 50.0, 100.0])
TESTS = st.one_of(
    VALUES,
    LIMITS.map(lambda n: {"over": n}),
    LIMITS.map(lambda n: {"under": n}),
    st.lists(VALUES, max_size=3).map(lambda some: {"in": some}),
    st.just({"over": 0, "under": 100}),
)
CONDITIONS = st.fixed_dictionaries(
    {},
    optional={
        "tool": st.sampled_from(list(TOOLS)),
        "effect": st.sampled_from(["read", "write"]),
        "amount_over": LIMITS,
        "arguments": st.dictionaries(st.sampled_from(["amount", "currency"]), TESTS, max_size=2),
        "route": st.sampled_from(["refunds", "orders"]),
        "confidence_below": st.sampled_from([0.3, 0.7]),
        "outcome": st.sampled_from([(), ("answered",), ("partial", "conflicting")]),
    },
).map(lambda given: Condition(**given))
RULES = st.lists(
    st.one_of(
        st.builds(Approval, when=CONDITIONS, approvers=st.sampled_from([LEADS, ("user:leo",), ()])),
        st.builds(Approval, when=CONDITIONS, skip=st.sampled_from([True])),
    ),
    max_size=5,
)
ACTIONS = st.builds(
    lambda tool, arguments: action(tool, **arguments),
    st.sampled_from(list(TOOLS)),
    st.fixed_dictionaries({}, optional={"amount": AMOUNTS, "currency": VALUES}),
)
ABOUTS = st.one_of(
    st.just(NOTHING),
    st.builds(
        About,
        st.just({"answer": "."}),
        st.sampled_from([None, "refunds", "orders"]),
        st.sampled_from([0.1, 0.5, 0.9]),
        st.sampled_from(["answered", "partial", "not_found"]),
    ),
)


def json_equal(one: Any, other: Any) -> bool:
    truths = isinstance(one, bool), isinstance(other, bool)
    return truths[0] == truths[1] and one == other


def is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) != math.inf and value == value  # noqa: PLR0124 - NaN


def oracle_condition(when: Condition, one: Action, about: About) -> bool | None:
    """True, False, or None where it cannot be told."""
    results = [*oracle_arguments(when, one), when.tool in (None, one.tool), when.effect in (None, one.effect)]
    if when.route is not None:
        results.append(None if about.answer is None else about.route == when.route)
    if when.confidence_below is not None:
        results.append(None if about.confidence is None else about.confidence < when.confidence_below)
    if when.outcome:
        results.append(None if about.outcome is None else about.outcome in when.outcome)
    if False in results:
        return False
    return None if None in results else True


def oracle_arguments(when: Condition, one: Action) -> list[bool | None]:
    results: list[bool | None] = []
    tests: list[tuple[str, str, Any]] = []
    if when.amount_over is not None:
        tests.append(("amount", "over", when.amount_over))
    for name, wanted in when.arguments.items():
        if isinstance(wanted, dict) and set(wanted) & {"over", "under", "in"}:
            tests += [(name, operator, limit) for operator, limit in wanted.items()]
        else:
            tests.append((name, "in", [wanted]))
    for name, operator, limit in tests:
        if name not in one.arguments or (operator != "in" and not is_number(one.arguments[name])):
            results.append(None)
        elif operator == "in":
            results.append(any(json_equal(one.arguments[name], each) for each in limit))
        else:
            value = one.arguments[name]
            results.append(value > limit if operator == "over" else value < limit)
    return results


def oracle(rules: list[Approval], one: Action, about: About) -> Need | None:
    for at, rule in enumerate(rules):
        found = oracle_condition(rule.when, one, about)
        if rule.skip and found is True:
            return None
        if not rule.skip and found is not False:
            return Need(rule.approvers, rule.four_eyes, 259_200.0, at)
    spoken = [rule for rule in rules if rule.when.tool in (None, one.tool)]
    spoken = [rule for rule in spoken if rule.when.effect in (None, one.effect)]
    return Need((), four_eyes=True, seconds=259_200.0) if one.effect == "write" and not spoken else None


@given(RULES, ACTIONS, ABOUTS)
def test_the_rules_say_what_an_oracle_says(rules: list[Approval], one: Action, about: About) -> None:
    found = judged(rules, one, about)
    assert found.need == oracle(rules, one, about)
    assert found.why.endswith(".")
    assert (found.rule is None) or found.why.startswith(f"Rule {found.rule + 1} of approvals ")


@given(RULES, ACTIONS, ABOUTS)
def test_a_rule_that_is_told_to_never_decide_never_decides(
    rules: list[Approval], one: Action, about: About
) -> None:
    decided = judged(rules, one, about).rule
    if decided is not None:
        assert covering(rules[:decided], rules[decided], TOOLS) is None


@given(RULES, ACTIONS, ABOUTS, st.sampled_from(["amount", "currency"]))
def test_taking_something_away_never_skips_a_person(
    rules: list[Approval], one: Action, about: About, name: str
) -> None:
    bare = action(one.tool, **{key: value for key, value in one.arguments.items() if key != name})
    for less, what in ((bare, about), (one, NOTHING)):
        found = judged(rules, less, what)
        if found.rule is not None and rules[found.rule].skip:
            assert oracle_condition(rules[found.rule].when, one, about) is True


# -- what is said, case by case ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "amount", [None, "140", "lots", True, math.nan, math.inf, -math.inf, [140], {"eur": 1}]
)
def test_an_amount_that_is_no_number_asks_and_never_skips(amount: Any) -> None:
    for when in ({"amount_over": 100}, {"arguments": {"amount": {"under": 100}}}):
        assert asks(when, action(amount=amount))
        assert asks(when, action())
        assert not skips(when, action(amount=amount))
        assert not skips(when, action())


def test_an_amount_is_above_only_where_it_is_above() -> None:
    assert not asks({"amount_over": 100}, action(amount=100))
    assert asks({"amount_over": 100}, action(amount=100.01))
    assert asks({"amount_over": 100}, action(amount=10**400))


def test_a_number_is_no_truth_value_and_no_text() -> None:
    assert asks({"arguments": {"count": 1}}, action(count=1.0))
    assert not asks({"arguments": {"count": 1}}, action(count=True))
    assert not asks({"arguments": {"count": 1}}, action(count="1"))
    assert asks({"arguments": {"tags": ["a", 1]}}, action(tags=["a", 1]))


def test_an_argument_is_found_inside_others() -> None:
    one = action(customer={"country": "DE"})
    assert asks({"arguments": {"customer.country": "DE"}}, one)
    assert not asks({"arguments": {"customer.country": "FR"}}, one)
    assert asks({"arguments": {"customer.vip": True}}, one)


def test_where_there_is_no_answer_confidence_outcome_and_route_ask() -> None:
    for when in ({"confidence_below": 0.1}, {"outcome": ("conflicting",)}, {"route": "refunds"}):
        assert asks(when, action())
        assert not skips(when, action())


def test_a_write_that_no_rule_could_ever_speak_of_has_no_approver() -> None:
    rules = [
        Approval(when=Condition(tool="refund"), approvers=LEADS),
        Approval(when=Condition(effect="read"), approvers=LEADS),
    ]
    found = judged(rules, action("note"), NOTHING)
    assert found.need is not None
    assert found.need.approvers == ()
    assert found.why == "No rule of approvals speaks of note: no approver, no action."
    assert judged(rules[:1], action("look"), NOTHING).need is None


def test_a_write_that_a_rule_speaks_of_and_does_not_match_goes_on() -> None:
    assert (
        judged([Approval(when=Condition(amount_over=100), approvers=LEADS)], action(amount=5), NOTHING).need
        is None
    )


def test_a_rule_without_approvers_matches_and_nobody_may() -> None:
    found = judged([Approval(when=Condition(tool="refund"))], action(amount=5), NOTHING)
    assert found.need == Need((), four_eyes=True, seconds=259_200.0, rule=0)
    assert "never done" in found.why


def test_the_sentence_names_the_rule_and_what_was_found() -> None:
    rules = [
        Approval(when=Condition(tool="refund", amount_over=100.5), skip=True),
        Approval(
            when=Condition(effect="write", amount_over=100, arguments={"currency": {"in": ["EUR", "USD"]}}),
            approvers=LEADS,
        ),
    ]
    assert judged(rules, action(amount=140, currency="EUR"), NOTHING).why == (
        "Rule 1 of approvals asks nobody: the tool is refund, amount is 140, above 100.5."
    )
    assert judged(rules, action("note", amount="many", currency="EUR"), NOTHING).why == (
        'Rule 2 of approvals asks: it writes, amount is no number ("many"), currency is "EUR".'
    )
    hidden = judged(rules[1:], action(amount=140, currency="EUR"), NOTHING, shown={"amount": "[redacted]"})
    assert "140" not in hidden.why


# -- mistakes in the file ------------------------------------------------------------------------------

HEAD = """\
version: 1
sources: {docs: {type: files, path: ., readers: [everyone]}}
tools:
  refund: {python: "shop:refund", effect: write}
  alert: {use: webhook, effect: write, settings: {url: "https://chat.example.com/in", secret_env: CHAT}}
"""


@pytest.mark.parametrize(
    ("section", "complaint"),
    [
        (
            "approvals: [{when: {tool: refund, effect: read}, approvers: [group:leads]}]",
            "rule 1 can never match: refund is a write",
        ),
        (
            "approvals: [{approvers: [group:leads]}, {when: {tool: refund}, skip: true}]",
            "rule 2 never decides: rule 1 before it matches whenever it does",
        ),
    ],
)
def test_what_cannot_be_meant_is_told_when_the_file_is_read(
    tmp_path: Path, section: str, complaint: str
) -> None:
    path = tmp_path / "ragflow.yaml"
    path.write_text(HEAD + section + "\n")
    with pytest.raises(ConfigError) as raised:
        load(path)
    assert str(raised.value) == f"ragflow.yaml:6: {complaint}"


@pytest.mark.parametrize(
    "wanted", [{"over": "100"}, {"over": True}, {"in": "EUR"}, {"over": 1, "above": 2}, {"under": math.inf}]
)
def test_a_comparison_that_cannot_be_meant_is_refused(wanted: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Condition(arguments={"amount": wanted})


def test_a_later_rule_for_more_is_no_dead_one() -> None:
    first = Approval(when=Condition(tool="refund", amount_over=1000), approvers=("user:boss",))
    second = Approval(when=Condition(tool="refund", amount_over=100), approvers=LEADS)
    assert covering([first], second, TOOLS) is None
    assert covering([second], first, TOOLS) == 0
