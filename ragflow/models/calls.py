"""A question to a model, its reply, and every way in which there is none."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel

from ragflow.deadlines import Deadline

Failure = Literal[
    "rate_limit",  # 429
    "time_out",  # no whole reply in time
    "refusal",  # the model declines
    "bad_json",  # a reply that is not of the asked shape, asked twice
    "content_filter",
    "unreachable",  # no connection, or one that broke
    "server_error",  # 5xx
    "no_key",  # the key's variable is not set, or the server says 401 or 403
    "unknown_model",  # 404
    "bad_request",  # another 4xx: the context is too long, a parameter is not known
    "cut_off",  # the reply has more tokens than were allowed
    "too_large",  # the reply has more bytes than are read
    "garbage",  # the reply is no completion: HTML, half a stream
    "cooling_down",  # it failed lately and is left alone for a while
    "over_budget",  # what it may cost is more than is left
    "not_installed",  # the extra `llm` is absent
]

Shape = TypeVar("Shape", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is asked. ``name`` names the shape of the reply to the server."""

    messages: tuple[Message, ...]
    name: str = "answer"


@dataclass(frozen=True, slots=True)
class Reply(Generic[Shape]):
    """A reply of the asked shape. ``tries``: how often it was asked. ``cost_usd`` and tokens of all tries.

    ``priced`` is False where the price of a token is not known: ``cost_usd`` is then 0.
    """

    value: Shape
    model: str
    cost_usd: float
    tokens_in: int
    tokens_out: int
    tries: int = 1
    priced: bool = True


class ModelFailed(Exception):
    """No reply of the asked shape. ``then``: who is asked next, another model or none at all.

    ``detail`` is one line for a person, without secrets and without the reply's own wording.
    """

    def __init__(
        self,
        kind: Failure,
        detail: str,
        *,
        then: Literal["next", "extractive"] = "next",
        spent: tuple[float, int] = (0.0, 0),
    ) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind, self.detail, self.then = kind, detail, then
        self.cost_usd, self.tokens = spent


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a prompt would cost at most. ``usd`` None: the price is not known."""

    model: str
    tokens_in: int
    tokens_out: int
    usd: float | None


class Model(Protocol):
    """One model of a tier, with its rules for failures.

    Laws:

    - ``ask`` gives a value of the shape, or raises ``ModelFailed``; nothing else, whatever the server does;
    - it ends within the deadline and a second;
    - it never spends more than is left of the run's and the day's budget, as far as prices are known.

    ``local``: it runs on this machine (its address is a loopback one). ``max_tokens``: of a reply.
    """

    name: str
    local: bool
    max_tokens: int

    def ask(self, prompt: Prompt, shape: type[Shape], *, deadline: Deadline) -> Reply[Shape]: ...

    def estimate(self, prompt: Prompt) -> Estimate: ...

    def count(self, text: str) -> int:
        """Return how many tokens a text has, or an upper estimate of it."""


Json = Mapping[str, Any]
