"""The parts that the configuration asks for. What ``ask`` and an evaluation use is made here, once."""

from indexes import weights
from indexes.embedding import Embedder
from indexes.query import Index, Ranking
from ragflow.asking import Parts, Rules
from ragflow.casting import ConfiguredCasting
from ragflow.config import Config
from ragflow.evidence import Embed, SentenceWeigher
from ragflow.guards.guard import ConfiguredGuard
from ragflow.routing.router import ConfiguredRouter


def embedder(config: Config) -> Embedder:
    """Open the configured model. Raises ``ModelMissing``."""
    from indexes.onnx_embedder import OnnxEmbedder  # onnxruntime is slow to import

    known = weights.find(config.model)
    return OnnxEmbedder.open(
        known.folder,
        precision=config.embed.precision,
        cache=config.workspace / "model",
        expected_sha256=known.sha256,
    )


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


def asking(config: Config, index: Index, embed: Embed) -> Parts:
    """Return who does what in ``ask``."""
    return Parts(
        index=index,
        guard=ConfiguredGuard(),
        router=ConfiguredRouter(),
        weigher=SentenceWeigher(embed=embed),
        casting=ConfiguredCasting(max_claims=config.answer.max_claims),
    )


def rules(config: Config, *, explain: bool) -> Rules:
    """Return how an answer is made."""
    return Rules(config.search.k, config.answer.min_confidence, explain, config.answer.timeout)
