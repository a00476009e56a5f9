"""The sections of ``ragflow.yaml`` about models: tiers, budget, guards. Read by ``ragflow.sections``."""

from typing import Annotated, Literal

from pydantic import Field

from ragflow.section import Section, Text

Then = Literal["retry", "next", "extractive"]


class OnFailure(Section):
    """What is done when a model fails: ask it again, then the next; the next at once; or none at all."""

    rate_limit: Then = "retry"
    time_out: Then = "next"
    refusal: Then = "next"
    bad_json: Then = "retry"
    content_filter: Then = "extractive"


class ModelEntry(Section):
    """A model as litellm names it (``openai/gpt-x``), behind ``api_base`` where that is given.

    ``api_key_env``: the variable that holds the key. ``timeout``: seconds for one reply.
    ``usd_per_million``: price of a million tokens in and out, where litellm does not know it.
    """

    model: Text
    api_base: Text | None = None
    api_key_env: Text | None = None
    timeout: Annotated[float, Field(gt=0, le=3600)] = 30
    max_tokens: Annotated[int, Field(ge=1, le=100_000)] = 1024
    temperature: Annotated[float, Field(ge=0, le=2)] = 0
    usd_per_million: tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]] | None = None


class Tier(Section):
    """Models in the order in which they are asked. ``max_usd``: for one run.

    ``retries``: of a request whose failure may pass. ``cooldown``: seconds for which a model that failed
    is left alone. ``context``: tokens of passages in a prompt.
    """

    try_: Annotated[tuple[ModelEntry, ...], Field(min_length=1, alias="try")]
    retries: Annotated[int, Field(ge=0, le=10)] = 2
    max_usd: Annotated[float, Field(ge=0)] | None = None
    cooldown: Annotated[float, Field(ge=0)] = 60
    context: Annotated[int, Field(ge=100, le=1_000_000)] = 3000
    on: OnFailure = OnFailure()


class Budget(Section):
    """What models may cost, in US dollars; null is no limit. Days are UTC."""

    run_usd: Annotated[float, Field(ge=0)] | None = None
    day_usd: Annotated[float, Field(ge=0)] | None = None


class Guards(Section):
    """What is done about text that gives orders, and what no outside model gets to see.

    ``question``: one that reads like an attack is warned of, or blocked. ``retrieved``: a passage that
    gives orders is fenced and never quoted without a warning, or left out. ``redact``: taken out of the
    question and the passages before they go to a model that is not on this machine.
    """

    question: Literal["warn", "block"] = "warn"
    retrieved: Literal["fence", "exclude"] = "fence"
    redact: tuple[Literal["secret", "personal"], ...] = ("secret",)
