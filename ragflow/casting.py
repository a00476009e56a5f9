"""Who drafts an answer: the models of the route's tier in their order, then the extractive answerer."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from connectors.documents import Anchor
from indexes.query import Found, Hit
from ragflow import prompts
from ragflow.asking import Answerer, Evidence, Lineup, Question, Routed
from ragflow.complaints import near
from ragflow.config import Config
from ragflow.errors import ConfigError, ExtraMissing
from ragflow.extractive import ExtractiveAnswerer
from ragflow.models.calls import Estimate, Model, ModelFailed

if TYPE_CHECKING:
    from ragflow.generation.wording import Wording

ANSWER = "answer.md"
REPAIR = "repair.md"


class ConfiguredCasting:
    """Satisfies ``asking.Casting``.

    ``models`` opens a tier's models by its name. ``text_of`` and ``anchors_of`` give the whole document of
    a hit. ``fallback``: where no model answers, sentences of the documents do.
    """

    def __init__(
        self,
        config: Config,
        *,
        models: Callable[[str], tuple[Model, ...]],
        text_of: Callable[[Hit], str],
        anchors_of: Callable[[Hit], tuple[Anchor, ...]],
        fallback: bool = True,
    ) -> None:
        self._config = config
        self._models = models
        self._text_of, self._anchors_of = text_of, anchors_of
        self._fallback = fallback

    def lineup(self, question: Question, routed: Routed) -> Lineup:
        """Return who drafts: for the tier that was asked for, else the route's, else ``answer.tier``.

        No tier: the extractive answerer alone.

        Raises:
            ConfigError: there is no such tier or prompt, or the prompt lacks a placeholder.
        """
        extractive = ExtractiveAnswerer(max_claims=self._config.answer.max_claims)
        tier = question.tier or routed.tier or self._config.answer.tier
        if tier is None:
            return Lineup((extractive,))
        if tier not in self._config.models:
            raise ConfigError(
                f'there is no tier "{tier}"{near(tier, tuple(self._config.models))}',
                hint="name one of the tiers under models in ragflow.yaml",
            )
        told = self._wording(routed.prompt or ANSWER)
        last = (extractive,) if self._fallback else ()
        return Lineup((*self._answerers(tier, told), *last), tier, told.name, told.digest)

    def _wording(self, prompt: str) -> "Wording":
        from ragflow.generation.wording import wording  # an answer without a model needs none of it

        folder = self._config.folder
        return wording(prompts.load(prompt, folder), prompts.load(REPAIR, folder))

    def _answerers(self, tier: str, told: "Wording") -> tuple[Answerer, ...]:
        from ragflow.generation.answerer import Documents, Limits, LLMAnswerer, Unavailable

        section, budget = self._config.models[tier], self._config.budget
        limits = Limits(
            max_claims=self._config.answer.max_claims,
            context=section.context,
            redact=self._config.guards.redact,
            capped=any(cap is not None for cap in (section.max_usd, budget.run_usd, budget.day_usd)),
        )
        try:
            models = self._models(tier)
        except ModelFailed as failed:
            return tuple(Unavailable(entry.model, failed.kind, failed.detail) for entry in section.try_)
        except ExtraMissing as absent:
            detail = f"{absent}: {absent.hint}"
            return tuple(Unavailable(entry.model, "not_installed", detail) for entry in section.try_)
        documents = Documents(self._text_of, self._anchors_of)
        return tuple(LLMAnswerer(model, told, documents, limits) for model in models)


def estimate(lineup: Lineup, question: str, found: Found, evidence: Evidence) -> tuple[Estimate, ...]:
    """Return what a first draft of each model would cost at most, in the order in which they are asked.

    A model whose claims are turned down drafts a second time, for about as much; the next is asked only
    where one fails. No model: nothing.
    """
    from ragflow.generation.answerer import LLMAnswerer

    return tuple(
        answerer.estimate(question, found, evidence)
        for answerer in lineup.answerers
        if isinstance(answerer, LLMAnswerer)
    )
