"""What is wrong with ``approvals`` before anything is asked: said when the file is read."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from ragflow.approval_sections import Approval, Condition
from ragflow.approvals.comparing import same
from ragflow.routing.contradictions import Contradiction
from ragflow.tool_sections import Tool

if TYPE_CHECKING:
    from ragflow.sections import Settings


def dead(settings: "Settings") -> Iterator[Contradiction]:
    """Give what cannot be meant, in the file's order.

    A rule with an effect that its tool has not; a rule that never decides, since an earlier one matches
    whenever it does.
    """
    rules, tools = settings.approvals, settings.tools
    for at, rule in enumerate(rules):
        tool = tools.get(rule.when.tool or "")
        if tool is not None and rule.when.effect not in (None, tool.effect):
            words = f"rule {at + 1} can never match: {rule.when.tool} is a {tool.effect}"
            yield Contradiction(("approvals", at, "when", "effect"), words)
        if (earlier := covering(rules[:at], rule, tools)) is not None:
            words = f"rule {at + 1} never decides: rule {earlier + 1} before it matches whenever it does"
            yield Contradiction(("approvals", at), words)


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
