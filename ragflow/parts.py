"""The parts that the configuration asks for. What ``ask`` and an evaluation use is made here, once."""

from collections.abc import Collection
from functools import partial

from connectors.documents import Anchor
from indexes import weights
from indexes.embedding import Embedder
from indexes.index import EmbeddedIndex
from indexes.query import Hit, Ranking
from ragflow import prompts
from ragflow.asking import Parts, Rules, Weigher
from ragflow.casting import ConfiguredCasting
from ragflow.concealing import ConcealingWeigher
from ragflow.config import Config
from ragflow.evidence import Embed, SentenceWeigher
from ragflow.guards.guard import ConfiguredGuard
from ragflow.masking import mask
from ragflow.models.accounts import Account
from ragflow.models.calls import Model
from ragflow.redact import Kind
from ragflow.routing.router import ConfiguredRouter
from ragflow.routing.scores import Described, SourceScorer
from ragflow.routing.ties import TieBreaker
from ragflow.sight import hidden_from_embedder

LEDGER = "models.sqlite"


def account(config: Config) -> Account:
    """Return what counts the spending of the workspace's runs."""
    return Account(config.budget, config.workspace / LEDGER)


def embedder(config: Config, *, spending: Account | None = None) -> Embedder:
    """Open the configured model. ``spending``: what its requests are booked to, where it takes any.

    Raises ``ModelMissing``, or ``ConfigError`` where an API's model is none that can be used.
    """
    if config.embed.engine == "litellm":
        from ragflow.models.embedding import ConfiguredEmbedder, Sending

        booked = spending or account(config)
        return ConfiguredEmbedder(config.embed, Sending(booked, config.secret, config.guards.redact))
    from indexes.onnx_embedder import OnnxEmbedder  # onnxruntime is slow to import

    known = weights.find(config.model)
    return OnnxEmbedder.open(
        known.folder,
        precision=config.embed.precision,
        cache=config.workspace / "model",
        expected_sha256=known.sha256,
    )


def ready(config: Config) -> None:
    """Tell before anything is done that the configured model could not be asked.

    Raises ``ConfigError`` (no key, no such provider) or ``ExtraMissing``.
    """
    if config.embed.engine == "litellm":
        from ragflow.models.embedding import ready, where

        where(config.embed)
        ready(config.embed, config.secret)


def ranking(config: Config) -> Ranking:
    """Return how hits are scored."""
    search = config.search
    return Ranking(
        search.candidates,
        search.dense_weight,
        search.title_boost,
        search.heading_boost,
        search.k1,
        search.b,
    )


def rules(config: Config, *, explain: bool) -> Rules:
    """Return how an answer is made."""
    return Rules(config.search.k, config.answer.min_confidence, explain, config.answer.timeout)


class Models:
    """The models of one run, which share what that run may spend. Nothing is opened before it is wanted.

    ``spending``: of that run, where it spends on vectors too.
    """

    def __init__(self, config: Config, *, spending: Account | None = None) -> None:
        self._config = config
        self._account = spending or account(config)
        self._opened: dict[str, tuple[Model, ...]] = {}

    def __call__(self, tier: str) -> tuple[Model, ...]:
        """Return the models of a tier that is configured."""
        if not self._opened:
            self._spending()
        if tier not in self._opened:
            from ragflow.models.opening import open_tier

            self._opened[tier] = open_tier(tier, self._config.models[tier], self._means)
        return self._opened[tier]

    def _spending(self) -> None:
        # Without a tier none of this is imported: a cold `ask` without a model is over before.
        from ragflow.models.calling import Means

        self._means = Means(self._account.spending, secret=self._config.secret)


def hidden_from(model: Model, config: Config) -> tuple[Kind, ...]:
    """Return what this model must not see: nothing is hidden from one on this machine."""
    return () if model.local else config.guards.redact


def masked(kinds: Collection[Kind], text: str) -> str:
    """Return a text as a model may see it."""
    return mask([text], kinds).texts[0]


class Workshop:
    """Makes the parts of ``ask`` over one open index; what is dear to make is made once."""

    def __init__(self, config: Config, index: EmbeddedIndex, embed: Embed) -> None:
        self._config = config
        self._index = index
        self._weigher: Weigher = SentenceWeigher(embed=embed, needed=config.answer.min_confidence)
        if config.embed.engine == "litellm":
            self._weigher = ConcealingWeigher(
                embed,
                needed=config.answer.min_confidence,
                kinds=hidden_from_embedder(config),
                text_of=lambda hit: index.text(hit.revision),
            )
        sources = {
            name: Described(source.description, source.examples) for name, source in config.sources.items()
        }
        self._scorer = SourceScorer(index, embed, sources)
        wordings = [text for _, text in prompts.texts(config.folder)]
        self._guard = ConfiguredGuard(config.guards, wordings=wordings, redacted=config.runs.redact)

    def parts(self, *, fallback: bool = True, models: Models | None = None, free: bool = False) -> Parts:
        """Return the parts of one run.

        ``fallback``: where no model answers, sentences do. ``free``: no model breaks a tie of the router.
        """
        config, opened = self._config, models or Models(self._config)
        return Parts(
            index=self._index,
            guard=self._guard,
            router=ConfiguredRouter(
                config.routes,
                router=config.router,
                readable=self._readable,
                scorer=self._scorer,
                judge=None if free else self._judge(opened),
            ),
            weigher=self._weigher,
            casting=ConfiguredCasting(
                config,
                models=opened,
                text_of=lambda hit: self._index.text(hit.revision),
                anchors_of=self._anchors,
                fallback=fallback,
            ),
        )

    def _readable(self, readers: frozenset[str]) -> tuple[str, ...]:
        return self._index.readable(readers).sources

    def _anchors(self, hit: Hit) -> tuple[Anchor, ...]:
        return self._index.anchors(hit.document, hit.revision)

    def _judge(self, models: Models) -> TieBreaker | None:
        tier = self._config.router.tier
        if tier is None:
            return None
        [model, *_] = models(tier)
        prompt = prompts.load("route.md", self._config.folder)
        hidden = hidden_from(model, self._config)
        return TieBreaker(
            model,
            prompt,
            describe=lambda name: self._config.sources[name].description,
            mask=partial(masked, hidden),
        )
