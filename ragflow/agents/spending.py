"""What an agent took of its limits, read from kept steps alone: every execution counts the same."""

from dataclasses import dataclass, replace
from typing import Literal

from ragflow.workflows.contracts import Limits, Object

Limit = Literal["steps", "seconds", "tokens", "cost"]


@dataclass(frozen=True, slots=True)
class Spent:
    """``steps``: calls of a model and of a tool, together. ``ms``: of all these calls, waits left out."""

    steps: int = 0
    ms: float = 0.0
    tokens: int = 0
    usd: float = 0.0

    def over(self, limits: Limits) -> Limit | None:
        """Return the limit that lets nothing more be called; None where one more call may be tried."""
        if self.steps >= limits.steps:
            return "steps"
        if self.ms >= limits.seconds * 1000:
            return "seconds"
        if self.tokens >= limits.tokens:
            return "tokens"
        return "cost" if self.usd > limits.cost_usd else None

    def lacks(self, tokens: int, usd: float | None, limits: Limits) -> Limit | None:
        """Return the limit that a call of this worst case would pass. ``usd`` None: no price is known."""
        if self.tokens + tokens > limits.tokens:
            return "tokens"
        return "cost" if self.usd + (usd or 0.0) > limits.cost_usd else None

    def plus(self, *, ms: float = 0.0, tokens: int = 0, usd: float = 0.0) -> "Spent":
        """Return what is spent with this added."""
        return replace(self, ms=self.ms + ms, tokens=self.tokens + tokens, usd=self.usd + usd)

    def after(self, said: Object) -> "Spent":
        """Return what is spent after a model's step; its value bears the time of the tool before it."""
        more = self.plus(ms=said["ms"] + said["tool_ms"], tokens=said["tokens"], usd=said["cost_usd"])
        return more.one_more() if said["model"] is not None else more

    def one_more(self) -> "Spent":
        """Return what is spent with one more step."""
        return replace(self, steps=self.steps + 1)

    def seconds_left(self, limits: Limits) -> float:
        """Return how many seconds are left, 0 where none are."""
        return max(0.0, limits.seconds - self.ms / 1000)
