"""What is wrong with ``approvals`` and ``notify`` before anything is asked: said when the file is read."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from ragflow.approval_sections import Approval, Condition
from ragflow.approvals.comparing import same
from ragflow.complaints import near
from ragflow.routing.contradictions import Contradiction
from ragflow.tool_sections import Tool

if TYPE_CHECKING:
    from ragflow.sections import Settings

_TELL = ("mail", "webhook")


def dead(settings: "Settings") -> Iterator[Contradiction]:
    """Give what cannot be meant, in the file's order.

    A rule for a tool that is not configured, or with an effect that its tool has not; a rule that never
    decides, since an earlier one matches whenever it does; a notification by what is no mail or webhook.
    """
    rules, tools = settings.approvals, settings.tools
    for at, rule in enumerate(rules):
        tool = rule.when.tool
        if tool is not None and tool not in tools:
            words = f'rule {at + 1} names a tool "{tool}" that is not in tools{near(tool, tuple(tools))}'
            yield Contradiction(("approvals", at, "when", "tool"), words)
        elif tool is not None and rule.when.effect not in (None, tools[tool].effect):
            words = f"rule {at + 1} can never match: {tool} is a {tools[tool].effect}"
            yield Contradiction(("approvals", at, "when", "effect"), words)
        if (earlier := covering(rules[:at], rule, tools)) is not None:
            words = f"rule {at + 1} never decides: rule {earlier + 1} before it matches whenever it does"
            yield Contradiction(("approvals", at), words)
    for at, told in enumerate(settings.notify):
        if told.tool not in tools or tools[told.tool].use not in _TELL:
            known = tuple(name for name, tool in tools.items() if tool.use in _TELL)
            words = f'"{told.tool}" is no tool with use: mail or webhook{near(told.tool, known)}'
            yield Contradiction(("notify", at, "tool"), words)


def covering(before: Sequence[Approval], rule: Approval, tools: Mapping[str, Tool]) -> int | None:
    """Return which earlier rule matches whenever ``rule`` does; None where none surely does."""
    return next((at for at, other in enumerate(before) if _covers(other, rule, tools)), None)


def _covers(earlier: Approval, later: Approval, tools: Mapping[str, Tool]) -> bool:
    if earlier.skip and not later.skip and not _always_told(earlier.when):
        return False  # what cannot be told counts against the one and for the other
    return _implied(earlier.when, later.when, tools)


def _always_told(when: Condition) -> bool:
    return when == Condition(tool=when.tool, effect=when.effect)


def _implied(earlier: Condition, later: Condition, tools: Mapping[str, Tool]) -> bool:
    tool = tools.get(later.tool or "")
    effects = {later.effect, tool.effect if tool else None}
    return (
        earlier.tool in (None, later.tool)
        and (earlier.effect is None or earlier.effect in effects)
        and (
            earlier.amount_over is None
            or (later.amount_over is not None and earlier.amount_over <= later.amount_over)
        )
        and all(
            name in later.arguments and same(wanted, later.arguments[name])
            for name, wanted in earlier.arguments.items()
        )
        and earlier.route in (None, later.route)
        and (
            earlier.confidence_below is None
            or (later.confidence_below is not None and later.confidence_below <= earlier.confidence_below)
        )
        and (not earlier.outcome or (bool(later.outcome) and set(later.outcome) <= set(earlier.outcome)))
    )
