"""``replay --with``: one thing real and another one than then, everything else from the tape."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from connectors.documents import Anchor
from indexes.query import Hit
from ragflow.assembling import Outside, TierModels
from ragflow.config import Config
from ragflow.deadlines import Deadline
from ragflow.errors import UsageError
from ragflow.models.calls import Estimate, Model, Prompt, Reply, Shape
from ragflow.replaying.playing import OffTape
from ragflow.replaying.tape import Tape

if TYPE_CHECKING:
    from ragflow.parts import Workshop

_HINT = "write --with model=TIER_OR_MODEL or --with generation=GENERATION"


def wanted(text: str) -> tuple[str, str]:
    """Return what is to be changed, and to what. Raises ``UsageError``."""
    what, equals, value = text.partition("=")
    if what not in ("model", "generation") or not equals or not value.strip():
        raise UsageError(f"--with {text} names nothing that can be changed", hint=_HINT)
    return what, value.strip()


def with_model(tape: Tape, name: str, config: Config) -> tuple[Tape, Callable[[TierModels], TierModels]]:
    """Return the tape of an ask of a tier, and what limits the tier's models to the one that was named.

    ``name``: a tier, or a model of one. Raises ``UsageError``: there is neither.
    """
    if name in config.models:
        return _asking(tape, name), lambda models: models
    for tier, section in config.models.items():
        if any(entry.model == name for entry in section.try_):
            return _asking(tape, tier), lambda models: lambda wanted: only(models(wanted), name)
    known = ", ".join([*config.models, *(one.model for tier in config.models.values() for one in tier.try_)])
    raise UsageError(f'there is no tier and no model "{name}"', hint=f"there are: {known or 'none'}")


def _asking(tape: Tape, tier: str) -> Tape:
    return replace(tape, asked=replace(tape.asked, tier=tier))


def only(models: tuple[Model, ...], name: str) -> tuple[Model, ...]:
    """Return the model of that name; all where the tier has none such."""
    return tuple(model for model in models if model.name == name) or models


def asking_models(models: TierModels, workshop: "Callable[[], Workshop]") -> Callable[[Outside], Outside]:
    """Return what puts real models in place; documents that the tape lacks are read in the real index."""

    def put(outside: Outside) -> Outside:
        real = _Later(lambda: workshop().outside(models))
        return replace(
            outside,
            models=models,
            text_of=_or_else(outside.text_of, lambda hit: real().text_of(hit)),
            anchors_of=_or_anchors(outside.anchors_of, lambda hit: real().anchors_of(hit)),
            entailment=None if outside.entailment is None else real().entailment,
            timer=Deadline,
        )

    return put


def searching(models: TierModels, workshop: "Callable[[], Workshop]") -> Callable[[Outside], Outside]:
    """Return what puts a real index in place; a model that is asked the same gives what it gave."""

    def put(outside: Outside) -> Outside:
        real = workshop().outside(models)
        return replace(real, models=_first_then(outside.models, models), timer=Deadline)

    return put


class _Later:
    """Opens what is outside when it is first wanted."""

    def __init__(self, opened: Callable[[], Outside]) -> None:
        self._opened, self._kept = opened, list[Outside]()

    def __call__(self) -> Outside:
        if not self._kept:
            self._kept.append(self._opened())
        return self._kept[0]


def _or_else(taped: Callable[[Hit], str], real: Callable[[Hit], str]) -> Callable[[Hit], str]:
    def text(hit: Hit) -> str:
        try:
            return taped(hit)
        except OffTape:
            return real(hit)

    return text


def _or_anchors(
    taped: Callable[[Hit], tuple[Anchor, ...]], real: Callable[[Hit], tuple[Anchor, ...]]
) -> Callable[[Hit], tuple[Anchor, ...]]:
    def anchors(hit: Hit) -> tuple[Anchor, ...]:
        try:
            return taped(hit)
        except OffTape:
            return real(hit)

    return anchors


def _first_then(taped: TierModels, real: TierModels) -> TierModels:
    def opened(tier: str) -> tuple[Model, ...]:
        return tuple(_TapedFirst(one, other) for one, other in zip(taped(tier), real(tier), strict=True))

    return opened


class _TapedFirst:
    """Satisfies ``calls.Model``: what the tape does not hold is asked."""

    def __init__(self, taped: Model, real: Model) -> None:
        self.name, self.local, self.max_tokens = real.name, real.local, real.max_tokens
        self._taped, self._real = taped, real

    def ask(self, prompt: Prompt, shape: type[Shape], *, deadline: Deadline) -> Reply[Shape]:
        try:
            return self._taped.ask(prompt, shape, deadline=deadline)
        except OffTape:
            return self._real.ask(prompt, shape, deadline=deadline)

    def estimate(self, prompt: Prompt) -> Estimate:
        return self._real.estimate(prompt)

    def count(self, text: str) -> int:
        return self._real.count(text)
