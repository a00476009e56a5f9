"""Rules of ``approvals`` x one exact action -> who must agree, and why. Pure: no clock, no state.

A condition holds, does not, or cannot be told: an argument that is not there, an amount that is no number,
a confidence where there is no answer. What cannot be told counts for a rule that asks a person and against
a rule that skips: whatever is missing, a person is asked.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ragflow.approval_sections import OPERATORS, Approval, Condition, length
from ragflow.approvals.comparing import ABSENT, argument, number, same
from ragflow.records import canonical
from ragflow.terminal import one_line
from ragflow.workflows.contracts import About, Action, Need, Object

UNASKED_SECONDS = 72 * 3600.0
_LONGEST = 40  # characters of a value in a sentence


@dataclass(frozen=True, slots=True)
class Finding:
    """One condition looked at: ``held`` None where it cannot be told; ``words`` say what was found."""

    held: bool | None
    words: str


@dataclass(frozen=True, slots=True)
class Judged:
    """What the rules say. ``rule``: which decided, from 0; None where none did. ``why``: a sentence."""

    need: Need | None
    rule: int | None
    why: str


def judged(rules: Sequence[Approval], action: Action, about: About, *, shown: Object | None = None) -> Judged:
    """Return what the first rule that matches says of an action.

    No rule matches: a write of which no rule speaks needs a person, and there is none (``approvers`` is
    empty); anything else waits for nobody. ``shown``: the arguments as they may be told in ``why``.
    """
    told = action.arguments if shown is None else shown
    for at, rule in enumerate(rules):
        found = tuple(_findings(rule.when, action, about, told))
        if all(one.held or (one.held is None and not rule.skip) for one in found):
            because = ", ".join(one.words for one in found) or "it speaks of every action"
            return _by(rule, at, because)
    if action.effect == "write" and not any(speaks(rule.when, action) for rule in rules):
        why = f"No rule of approvals speaks of {action.tool}: no approver, no action."
        return Judged(Need((), four_eyes=True, seconds=UNASKED_SECONDS), None, why)
    return Judged(None, None, "No rule of approvals asks for a person here.")


def _by(rule: Approval, at: int, because: str) -> Judged:
    if rule.skip:
        return Judged(None, at, f"Rule {at + 1} of approvals asks nobody: {because}.")
    need = Need(rule.approvers, rule.four_eyes, length(rule.expires).total_seconds(), at)
    asks = "asks" if rule.approvers else "names no approver, so it is never done"
    return Judged(need, at, f"Rule {at + 1} of approvals {asks}: {because}.")


def speaks(when: Condition, action: Action) -> bool:
    """Tell whether a rule's tool and effect are those of an action, whatever else it wants."""
    return when.tool in (None, action.tool) and when.effect in (None, action.effect)


def _findings(when: Condition, action: Action, about: About, told: Object) -> Iterator[Finding]:
    if when.tool is not None:
        yield Finding(when.tool == action.tool, f"the tool is {action.tool}")
    if when.effect is not None:
        yield Finding(when.effect == action.effect, f"it {action.effect}s")
    if when.amount_over is not None:
        yield _compared("amount", {"over": when.amount_over}, action.arguments, told)
    for name, wanted in when.arguments.items():
        if isinstance(wanted, dict) and wanted.keys() & OPERATORS:
            yield _compared(name, wanted, action.arguments, told)
        else:
            yield _equal(name, (wanted,), action.arguments, told)
    if when.route is not None:
        yield _routed(when.route, about)
    if when.confidence_below is not None:
        yield _unsure(when.confidence_below, about)
    if when.outcome:
        known = about.outcome is not None
        words = f"the answer's outcome is {about.outcome}" if known else "there is no answer"
        yield Finding(about.outcome in when.outcome if known else None, words)


def _compared(name: str, wanted: Mapping[str, Any], arguments: Object, told: Object) -> Finding:
    """Look at ``over``, ``under`` and ``in`` together: all that are given must hold."""
    found: list[Finding] = []
    value = number(argument(arguments, name))
    for operator, limit in wanted.items():
        if operator == "in":
            found.append(_equal(name, limit, arguments, told))
        elif value is None:
            there = argument(arguments, name) is not ABSENT
            words = f"{name} is no number ({_said(told, name)})" if there else f"there is no {name}"
            found.append(Finding(None, words))
        else:
            held = value > limit if operator == "over" else value < limit
            word = "above" if operator == "over" else "below"
            found.append(Finding(held, f"{name} is {_said(told, name)}, {word} {_plain(limit)}"))
    told_once = ", ".join(dict.fromkeys(one.words for one in found))
    if any(one.held is False for one in found):
        return Finding(held=False, words=told_once)
    return Finding(None if any(one.held is None for one in found) else True, told_once)


def _equal(name: str, wanted: Sequence[Any], arguments: Object, told: Object) -> Finding:
    value = argument(arguments, name)
    if value is ABSENT:
        return Finding(None, f"there is no {name}")
    return Finding(any(same(value, one) for one in wanted), f"{name} is {_said(told, name)}")


def _routed(route: str, about: About) -> Finding:
    if about.answer is None and about.route is None:
        return Finding(None, "there is no answer whose route could be told")
    return Finding(about.route == route, f'the question took the route "{about.route}"')


def _unsure(limit: float, about: About) -> Finding:
    confidence = number(about.confidence)
    if confidence is None:
        return Finding(None, "there is no answer to be sure of")
    return Finding(confidence < limit, f"the confidence is {confidence:.2f}, below {limit:g}")


def _plain(limit: float) -> str:
    return str(int(limit) if limit == int(limit) else limit)


def _said(told: Object, name: str) -> str:
    value = argument(told, name)
    if value is ABSENT:
        return "not shown"
    try:
        return one_line(canonical(value), _LONGEST)
    except ValueError:  # NaN is no JSON
        return one_line(str(value), _LONGEST)
