"""What an ask takes from outside of its configuration, and the parts that are made around it.

Rules, prompts, checks and wording come from the configuration and from this program; everything else an
answer depends on passes through ``Outside``. A record keeps what passed, and a replay gives it again.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

from connectors.documents import Anchor
from evals.entailment import Entailment
from indexes.query import Hit, Index
from ragflow import prompts
from ragflow.asking import Guard, Parts, Weigher
from ragflow.casting import ConfiguredCasting
from ragflow.config import Config
from ragflow.deadlines import Deadline
from ragflow.guards.guard import ConfiguredGuard
from ragflow.masking import mask
from ragflow.models.calls import Model
from ragflow.redact import Kind
from ragflow.routing.router import ConfiguredRouter, Readable, Scorer
from ragflow.routing.ties import TieBreaker

TierModels = Callable[[str], tuple[Model, ...]]
"""The name of a tier -> its models, in the order in which they are asked. Raises as ``Models`` does."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What reaches outside: the index, what embeds, the models, the store's texts, the clock.

    ``readable``: readers -> the sources in which they can read anything. ``scorer``: what index and embedder
    say of each source. ``weigher``: what they say of hits. ``text_of``, ``anchors_of``: of a hit's whole
    document. ``timer``: see ``Parts``.
    """

    index: Index
    readable: Readable
    scorer: Scorer
    weigher: Weigher
    models: TierModels
    text_of: Callable[[Hit], str]
    anchors_of: Callable[[Hit], tuple[Anchor, ...]]
    entailment: Entailment | None = None
    timer: Callable[[float], Deadline] = Deadline


def guard(config: Config) -> ConfiguredGuard:
    """Return the configured guard; it holds every prompt, so one is made for many questions."""
    wordings = [text for _, text in prompts.texts(config.folder)]
    return ConfiguredGuard(config.guards, wordings=wordings, redacted=config.runs.redact)


def assembled(
    config: Config, outside: Outside, guarded: Guard, *, fallback: bool = True, free: bool = False
) -> Parts:
    """Return the parts of one run.

    ``fallback``: where no model answers, sentences do. ``free``: no model breaks a tie of the router.
    """
    return Parts(
        index=outside.index,
        guard=guarded,
        router=ConfiguredRouter(
            config.routes,
            router=config.router,
            readable=outside.readable,
            scorer=outside.scorer,
            judge=None if free else _judge(config, outside.models),
        ),
        weigher=outside.weigher,
        casting=ConfiguredCasting(
            config,
            models=outside.models,
            text_of=outside.text_of,
            anchors_of=outside.anchors_of,
            fallback=fallback,
        ),
        entailment=outside.entailment,
        timer=outside.timer,
    )


def _judge(config: Config, models: TierModels) -> TieBreaker | None:
    tier = config.router.tier
    if tier is None:
        return None
    [model, *_] = models(tier)
    return TieBreaker(
        model,
        prompts.load("route.md", config.folder),
        describe=lambda name: config.sources[name].description,
        mask=partial(masked, hidden_from(model, config)),
    )


def hidden_from(model: Model, config: Config) -> tuple[Kind, ...]:
    """Return what this model must not see: nothing is hidden from one on this machine."""
    return () if model.local else config.guards.redact


def masked(kinds: Collection[Kind], text: str) -> str:
    """Return a text as a model may see it."""
    return mask([text], kinds).texts[0]
