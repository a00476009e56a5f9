"""The sections of ``ragflow.yaml`` about approvals: which actions wait for whom. See docs/approvals.md."""

import re
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from ragflow.approvals.comparing import number
from ragflow.section import Reader, Section, Share, Text

_LENGTH = re.compile(r"(\d{1,6})([smhd])")
_UNIT = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
OPERATORS = frozenset({"over", "under", "in"})


def length(written: str) -> timedelta:
    """Return ``90s``, ``15m``, ``72h`` or ``3d`` as a length of time. Raises ``ValueError``."""
    found = _LENGTH.fullmatch(written)
    if found is None or int(found[1]) == 0:
        raise ValueError(f'"{written}" is no length of time: write 90s, 15m, 72h or 3d')
    return timedelta(**{_UNIT[found[2]]: int(found[1])})


def _length(value: str) -> str:
    length(value)
    return value


class Condition(Section):
    """When a rule wants a person: each key that is given must hold; no key at all matches every action.

    ``amount_over``: the argument ``amount`` is a number above it, or is none at all. ``arguments``: for each
    named argument (or dotted path) a value that it equals, or ``{over: N}``, ``{under: N}``, ``{in: [..]}``.
    ``route``: the name of a route's rule. ``confidence_below``, ``outcome``: of the answer that the action
    rests on. Where something of this is not there, or is no number, a rule that asks matches, and a rule
    that skips does not.
    """

    tool: Text | None = None
    effect: Literal["read", "write"] | None = None
    amount_over: float | None = None
    arguments: dict[Text, Any] = Field(default_factory=dict)
    route: Text | None = None
    confidence_below: Share | None = None
    outcome: tuple[Text, ...] = ()

    @field_validator("arguments")
    @classmethod
    def _compares_what_can_be(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name, wanted in value.items():
            if not isinstance(wanted, dict) or not wanted.keys() & OPERATORS:
                continue
            if unknown := sorted(wanted.keys() - OPERATORS):
                raise ValueError(f'"{unknown[0]}" compares nothing: {name} takes over, under and in')
            for operator in wanted.keys() & {"over", "under"}:
                if number(wanted[operator]) is None:
                    raise ValueError(f"{operator} of {name} must be a number")
            if not isinstance(wanted.get("in", []), list):
                raise ValueError(f"in of {name} must be a list of values")  # noqa: TRY004 - pydantic's way
        return value


class Approval(Section):
    """A rule: an action that matches waits for one of ``approvers``; the first rule that matches decides.

    ``four_eyes``: not the one who wants it. ``expires``: how long a request holds (``72h``). No approvers:
    the action is never done. ``skip``: an action that matches waits for nobody.
    """

    when: Condition = Condition()
    approvers: tuple[Reader, ...] = ()
    four_eyes: bool = True
    expires: Annotated[str, AfterValidator(_length)] = "72h"
    skip: bool = False

    @model_validator(mode="after")
    def _skips_or_names(self) -> Self:
        if self.skip and self.approvers:
            raise ValueError("a rule with skip waits for nobody: take approvers out, or skip")
        return self


class Notify(Section):
    """Who is told of a request: a shipped tool by its name in ``tools``, with fixed arguments."""

    tool: Text
    arguments: dict[Text, Any] = Field(default_factory=dict)
