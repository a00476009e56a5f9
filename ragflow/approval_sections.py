"""The sections of ``ragflow.yaml`` about approvals: which actions wait for whom. See docs/approvals.md."""

import re
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from ragflow.section import Reader, Section, Share, Text

_LENGTH = re.compile(r"(\d{1,6})([smhd])")
_UNIT = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


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
    named argument a value that it equals, or ``{over: N}``, ``{under: N}``, ``{in: [..]}``. ``route``: the
    name of a route's rule. ``confidence_below``, ``outcome``: of the answer that the action rests on; where
    there is no answer, both match.
    """

    tool: Text | None = None
    effect: Literal["read", "write"] | None = None
    amount_over: float | None = None
    arguments: dict[Text, Any] = Field(default_factory=dict)
    route: Text | None = None
    confidence_below: Share | None = None
    outcome: tuple[Text, ...] = ()


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
