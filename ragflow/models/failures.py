"""What is done about each way in which a model fails: the table. Read by ``ragflow.models.calling``."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ragflow.model_sections import OnFailure
from ragflow.models.calls import Failure


class CallFailed(Exception):
    """One try that gave no reply of the asked shape.

    ``detail``: one line for a person, without secrets and without the reply's own wording.
    ``retry_after``: seconds that the server asks to be left alone. ``may_be_billed``: the server may have
    worked, and what it charges is not known. ``lacks``: a parameter that the server does not take.
    ``complaint``: what is wrong with a reply of another shape, for the model to read.
    """

    def __init__(
        self,
        kind: Failure,
        detail: str,
        *,
        retry_after: float | None = None,
        may_be_billed: bool = False,
        lacks: str | None = None,
        complaint: str = "",
    ) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind, self.detail, self.complaint = kind, detail, complaint
        self.retry_after, self.may_be_billed, self.lacks = retry_after, may_be_billed, lacks


@dataclass(frozen=True, slots=True)
class Rule:
    """What is done about a failure.

    ``tries``: it is asked again as often as ``retries`` of the tier says, "once" whatever that says, or
    "never". ``then``: who is asked when that did not help. ``cools``: the model is then left alone for
    ``cooldown`` seconds. ``pauses``: one waits before it is asked again.
    """

    tries: Literal["retries", "once", "never"]
    then: Literal["next", "extractive"] = "next"
    cools: bool = False
    pauses: bool = True


FAILURES: Mapping[Failure, Rule] = {
    "rate_limit": Rule("retries", cools=True),
    "time_out": Rule("never", cools=True),
    "refusal": Rule("never"),
    "bad_json": Rule("once", pauses=False),  # told what is wrong with its reply
    "content_filter": Rule("never", "extractive"),
    "unreachable": Rule("retries", cools=True),
    "server_error": Rule("retries", cools=True),
    # What a person mends holds at once: a model is not left alone for it.
    "no_key": Rule("never"),
    "unknown_model": Rule("never"),
    "bad_request": Rule("never"),  # but once without a parameter that the server does not take
    "cut_off": Rule("never"),
    "too_large": Rule("never"),
    "garbage": Rule("retries", cools=True),
    "cooling_down": Rule("never"),
    "over_budget": Rule("never"),  # the next one may be cheaper
    "not_installed": Rule("never"),
}
"""Each failure and its rule; ``on`` of a tier changes the first five."""


def rule(kind: Failure, on: OnFailure) -> Rule:
    """Return the rule of a failure as a tier has it."""
    default = FAILURES[kind]
    chosen = getattr(on, kind, None)
    if chosen is None:
        return default
    if chosen == "retry":
        tries: Literal["retries", "once"] = "once" if kind == "bad_json" else "retries"
        return Rule(tries, "next", default.cools, default.pauses)
    return Rule("never", chosen, default.cools, default.pauses)


_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 8.0


def pause(tried: int, retry_after: float | None, chance: random.Random) -> float:
    """Return the seconds to wait after ``tried`` failed tries (1 or more).

    Half a second doubled with each try, up to eight, of which between half and all is waited, so that
    those who failed together do not come again together; never less than ``retry_after``.
    """
    longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (tried - 1))
    return max(retry_after or 0.0, longest * chance.uniform(0.5, 1.0))
