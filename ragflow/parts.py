"""The parts that the configuration asks for. What ``ask`` and an evaluation use is made here, once."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.documents import Anchor
from indexes import weights
from indexes.embedding import Embed, Embedder
from indexes.generations import Generations
from indexes.index import EmbeddedIndex
from indexes.nominating import Nominator
from indexes.query import Hit, Ranking
from indexes.store import Store
from ragflow import assembling
from ragflow.asking import Parts, Rules, Weigher
from ragflow.assembling import Outside, TierModels, assembled
from ragflow.built_with import settings_of
from ragflow.concealing import ConcealingWeigher
from ragflow.config import Config
from ragflow.cross_encoders import CrossEncoders
from ragflow.evidence import SentenceWeigher
from ragflow.models.accounts import Account
from ragflow.models.calls import Model
from ragflow.routing.scores import Described, SourceScorer
from ragflow.sight import hidden_from_embedder

if TYPE_CHECKING:
    from indexes.qdrant.server import Remote
    from indexes.report import Publisher  # what only indexing needs is slow to import
    from ragflow.workflows.live import LiveRuns

LEDGER = "models.sqlite"


def live_runs(config: Config, runs: Path) -> "LiveRuns":
    """Return the runs of workflows that have no record yet; ``runs``: the file of the records."""
    from ragflow.workflows.live import LiveRuns

    return LiveRuns(config, runs)


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
    if config.embed.engine == "sentence-transformers":
        from ragflow import transformers_engine

        return transformers_engine.opened(config)
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


def remote(config: Config) -> "Remote":
    """Return the configured Qdrant server; nothing is sent before it is called. Raises ``ExtraMissing``."""
    from indexes.qdrant.server import Remote, Server, require

    require()
    index, keys = config.index, config.index.qdrant
    assert index.url is not None, "only a workspace with index.url has one"
    return Remote(
        Server(
            url=index.url,
            api_key=config.secret(keys.api_key_env),
            alias=keys.alias,
            shards=keys.shards,
            replicas=keys.replicas,
            quantization=keys.quantization,
            m=keys.hnsw.m,
            ef_construct=keys.hnsw.ef_construct,
            ef=keys.hnsw.ef,
            on_disk=keys.on_disk,
            batch=keys.batch,
            timeout=keys.timeout,
            retries=keys.retries,
        )
    )


def nominator(config: Config, store: Store) -> Nominator | None:
    """Return what names the rows worth scoring; None where all of them are scored here."""
    if config.index.url is None:
        return None
    from indexes.qdrant.nominator import QdrantNominator

    return QdrantNominator(remote(config), store)


def publisher(config: Config, store: Store, generations: Generations) -> "Publisher | None":
    """Return what brings generations to the configured server; None where there is none."""
    if config.index.url is None:
        return None
    from indexes.qdrant.publisher import QdrantPublisher

    return QdrantPublisher(remote(config), store, generations, ranking(config))


def index(
    config: Config, store: Store, embedder: Callable[[], Embedder], generation: str | None = None
) -> EmbeddedIndex:
    """Open a generation of the workspace, the live one unless named, as questions are answered from it."""
    return EmbeddedIndex(
        config.workspace,
        store,
        embedder,
        ranking(config),
        generation=generation,
        nominator=nominator(config, store),
        settings=partial(settings_of, config),
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


class Workshop:
    """Makes the parts of ``ask`` over one open index; what is dear to make is made once.

    ``encoders``: those of whoever shares them. ``reranked``: passages come through the reranker that is
    configured, if one is; the router never asks it, for its weights were fitted without.
    """

    def __init__(
        self,
        config: Config,
        index: EmbeddedIndex,
        embed: Embed,
        encoders: CrossEncoders | None = None,
        *,
        reranked: bool = True,
    ) -> None:
        self._config = config
        self._index = index
        opened = encoders or CrossEncoders(config)
        self._entailment = opened.entailment
        self._searched = opened.searched(index) if reranked else index
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
        self._guard = assembling.guard(config)

    def parts(
        self,
        *,
        fallback: bool = True,
        models: TierModels | None = None,
        free: bool = False,
        around: Callable[[Outside], Outside] | None = None,
    ) -> Parts:
        """Return the parts of one run; ``fallback`` and ``free`` as in ``assembling``.

        ``around`` puts something between the parts and what is outside, such as a recorder.
        """
        outside = self.outside(models or Models(self._config))
        if around is not None:
            outside = around(outside)
        return assembled(self._config, outside, self._guard, fallback=fallback, free=free)

    def outside(self, models: TierModels) -> Outside:
        """Return what the parts reach outside by: this index, its store, these models."""
        return Outside(
            index=self._searched,
            readable=self._readable,
            scorer=self._scorer,
            weigher=self._weigher,
            models=models,
            text_of=lambda hit: self._index.text(hit.revision),
            anchors_of=self._anchors,
            entailment=self._entailment,
        )

    def _readable(self, readers: frozenset[str]) -> tuple[str, ...]:
        return self._index.readable(readers).sources

    def _anchors(self, hit: Hit) -> tuple[Anchor, ...]:
        return self._index.anchors(hit.document, hit.revision)
