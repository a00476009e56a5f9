"""A configured model, with all rules for its failures: asked, asked again, given up, left alone."""

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from ragflow.deadlines import Deadline
from ragflow.model_sections import ModelEntry, OnFailure
from ragflow.models import litellm_client, prices, replies
from ragflow.models.budget import Spending
from ragflow.models.calls import Estimate, Message, ModelFailed, Prompt, Reply, Shape
from ragflow.models.failures import CallFailed, pause, rule
from ragflow.models.litellm_client import Completion, Request
from ragflow.models.prices import Price
from ragflow.models.providers import is_local, place

Complete = Callable[[Request, float], Completion]
_SHOWN_OF_REPLY = 2000
_NO_KEY = "none"  # what a server gets that wants none; litellm would look for one elsewhere


@dataclass(frozen=True, slots=True)
class Manner:
    """How the models of a tier are asked; the fields are those of ``model_sections.Tier``."""

    tier: str
    retries: int
    max_usd: float | None
    cooldown: float
    on: OnFailure


@dataclass(frozen=True, slots=True)
class Means:
    """What a model needs beside its configuration. ``secret`` gives a variable's value, None where unset.

    ``sleep`` waits, ``chance`` spreads waits, ``load`` gets ready for a provider in time, ``complete``
    sends one request: tests give others.
    """

    spending: Spending
    secret: Callable[[str], str | None]
    sleep: Callable[[float], None] = time.sleep
    chance: random.Random = field(default_factory=random.Random)
    load: Callable[[str, float], None] = litellm_client.load
    complete: Complete = litellm_client.complete


@dataclass(slots=True)
class _Tally:
    """What all tries of one question came to."""

    tries: int = 0
    nano: int = 0
    tokens_in: int = 0
    tokens_out: int = 0

    @property
    def usd(self) -> float:
        return self.nano / prices.NANO


class ConfiguredModel:
    """Satisfies ``calls.Model``."""

    def __init__(self, entry: ModelEntry, manner: Manner, means: Means) -> None:
        self.name, self.max_tokens, self.local = entry.model, entry.max_tokens, is_local(entry)
        self._entry, self._manner, self._means = entry, manner, means
        self._known_price: list[Price | None] = []

    def __repr__(self) -> str:
        return f"ConfiguredModel({self.name!r}, tier={self._manner.tier!r})"

    def ask(self, prompt: Prompt, shape: type[Shape], *, deadline: Deadline) -> Reply[Shape]:
        """Return a value of the shape. Raises ``ModelFailed``."""
        tally = _Tally()
        ledger = self._means.spending.ledger
        try:
            value = self._persist(prompt, shape, deadline, tally)
        except CallFailed as failed:
            decided = rule(failed.kind, self._manner.on)
            if decided.cools and tally.tries and self._manner.cooldown:
                ledger.cool(self._identity, max(self._manner.cooldown, failed.retry_after or 0.0))
            # The chain is cut: what leaves here has been put into words of ours.
            raise ModelFailed(
                failed.kind,
                failed.detail,
                then=decided.then,
                spent=(tally.usd, tally.tokens_in + tally.tokens_out),
            ) from None
        ledger.warm(self._identity)
        return Reply(
            value,
            self.name,
            tally.usd,
            tally.tokens_in,
            tally.tokens_out,
            tries=tally.tries,
            priced=self._price is not None,
        )

    def estimate(self, prompt: Prompt) -> Estimate:
        """Return what a prompt would cost at most, asked once: the shape of a reply counts 500 tokens."""
        tokens_in = prices.count_prompt(prompt.messages) + _SHAPE_TOKENS
        price = self._price
        usd = price.nano(tokens_in, self.max_tokens) / prices.NANO if price else None
        return Estimate(self.name, tokens_in, self.max_tokens, usd)

    def count(self, text: str) -> int:
        """Return an upper estimate of a text's tokens."""
        return prices.count(text)

    @property
    def _price(self) -> Price | None:
        if not self._known_price:
            self._known_price.append(prices.price(self._entry))
        return self._known_price[0]

    @property
    def _identity(self) -> str:
        """The model at its address, as the ledger knows it."""
        return f"{self.name} at {self._entry.api_base or 'its provider'}"

    def _request(self, prompt: Prompt, shape: type[Shape]) -> Request:
        """Return what is sent first. Raises ``CallFailed``: it is known before a call that it would fail."""
        where = place(self._entry)
        request = Request(
            model=self.name,
            place=where,
            messages=prompt.messages,
            max_tokens=self.max_tokens,
            temperature=self._entry.temperature,
            key=self._key(),
            schema=replies.schema(shape),
            name=prompt.name,
        )
        left = self._means.spending.ledger.cooling(self._identity)
        if left:
            raise CallFailed("cooling_down", f"it failed lately and is left alone for {left:.0f} s more")
        for parameter in ("response_format", "temperature"):
            if self._means.spending.ledger.lacks(self._identity, parameter):
                request = _lacking(request, parameter, prompt)
        return request

    def _key(self) -> str:
        variable = self._entry.api_key_env
        if variable is None:
            return _NO_KEY
        key = (self._means.secret(variable) or "").strip()
        if not key:
            raise CallFailed("no_key", f"{variable} is not set")
        if not key.isascii() or not key.isprintable():
            raise CallFailed("no_key", f"{variable} holds characters that no key has")
        return key

    def _persist(self, prompt: Prompt, shape: type[Shape], deadline: Deadline, tally: _Tally) -> Shape:
        request = self._request(prompt, shape)
        self._means.load(self.name.partition("/")[0], deadline.left())
        failures = complaints = 0
        while True:
            try:
                return self._once(request, shape, deadline, tally)
            except CallFailed as failed:
                decided = rule(failed.kind, self._manner.on)
                if failed.lacks and _has(request, failed.lacks):
                    self._means.spending.ledger.lack(self._identity, failed.lacks)
                    request = _lacking(request, failed.lacks, prompt)
                elif decided.tries == "once" and not complaints:
                    complaints += 1
                    request = _complaining(request, failed)
                elif decided.tries == "retries" and failures < self._manner.retries:
                    failures += 1
                    self._wait(pause(failures, failed.retry_after, self._means.chance), failed, deadline)
                else:
                    raise

    def _wait(self, seconds: float, failed: CallFailed, deadline: Deadline) -> None:
        """Wait before the next try, or give up where the deadline would be over by then."""
        if seconds >= deadline.left():
            raise failed
        self._means.sleep(seconds)

    def _once(self, request: Request, shape: type[Shape], deadline: Deadline, tally: _Tally) -> Shape:
        seconds = min(self._entry.timeout, deadline.left())
        if seconds <= 0:
            raise CallFailed("time_out", "the time for the question is over")
        told = json.dumps(request.schema) if request.schema else ""
        tokens_in = prices.count_prompt(request.messages, told)
        worst = self._nano(tokens_in, request.max_tokens)
        spending = self._means.spending
        held = spending.hold(worst, tier=self._manner.tier, tier_usd=self._manner.max_usd)
        billed = worst  # whatever ends this early, Ctrl-C too
        tally.tries += 1
        try:
            completion = self._means.complete(request, seconds)
            read = tokens_in if completion.tokens_in is None else completion.tokens_in
            wrote = completion.tokens_out
            wrote = prices.count(completion.text) if wrote is None else wrote
            tally.tokens_in, tally.tokens_out = tally.tokens_in + read, tally.tokens_out + wrote
            billed = self._nano(read, wrote)
        except CallFailed as failed:
            billed = worst if failed.may_be_billed else 0
            raise
        finally:
            tally.nano += billed
            spending.settle(held, billed)
        return _judged(completion, shape)

    def _nano(self, tokens_in: int, tokens_out: int) -> int:
        return self._price.nano(tokens_in, tokens_out) if self._price else 0


_SHAPE_TOKENS = 500


def _judged(completion: Completion, shape: type[Shape]) -> Shape:
    """Return the value that a reply holds. Raises ``CallFailed``."""
    if completion.declined:
        raise CallFailed("refusal", "the model declined to answer")
    if completion.finish == "content_filter":
        raise CallFailed("content_filter", "a content filter stopped the reply")
    try:
        return replies.parse(completion.text, shape)
    except CallFailed as failed:
        if completion.finish == "length" and failed.kind == "bad_json":
            raise CallFailed("cut_off", "the reply has more tokens than max_tokens allows") from failed
        complaint = f"{failed.complaint}\n\n{completion.text[:_SHOWN_OF_REPLY]}"
        raise CallFailed(failed.kind, failed.detail, complaint=complaint) from None


def _has(request: Request, parameter: str) -> bool:
    return (request.schema if parameter == "response_format" else request.temperature) is not None


def _lacking(request: Request, parameter: str, prompt: Prompt) -> Request:
    """Return a request without a parameter; the schema is then told in words."""
    if parameter == "temperature":
        return replace(request, temperature=None)
    told = f"Reply with one JSON object of this JSON Schema and nothing else:\n{json.dumps(request.schema)}"
    first, *others = prompt.messages
    # Some servers take one system message alone, and some none.
    told_first = Message(first.role, f"{first.content}\n\n{told}")
    return replace(request, messages=(told_first, *others), schema=None)


def _complaining(request: Request, failed: CallFailed) -> Request:
    """Return a request that shows a reply of another shape and what is wrong with it, in one line."""
    complaint, _, reply = failed.complaint.partition("\n\n")
    shape: Any = request.schema
    wanted = f" It must be of this JSON Schema: {json.dumps(shape)}" if shape else ""
    again = (
        Message("assistant", reply or "(nothing)"),
        Message(
            "user", f"That is not what was asked for: {complaint}. Reply with the JSON object alone.{wanted}"
        ),
    )
    return replace(request, messages=(*request.messages, *again))
