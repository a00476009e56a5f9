"""The configured CrossEncoders, and the search that ends with one."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from indexes.index import EmbeddedIndex
from indexes.query import Index, System
from ragflow.config import Config

if TYPE_CHECKING:
    from evals.entailment import ModelEntailment
    from indexes.cross_encoder import CrossEncoder, CrossEncoderReranker
    from indexes.reranking import RerankedIndex


class CrossEncoders:
    """What is configured, each opened once, when it is first wanted; weights load with the first pair.

    Opening one raises ``ExtraMissing``, ``ModelMissing`` or ``ModelUnfit``.
    """

    def __init__(self, config: Config) -> None:
        self._config = config

    @cached_property
    def reranker(self) -> "CrossEncoderReranker | None":
        """The model of ``search.rerank``."""
        section = self._config.search.rerank
        if section is None:
            return None
        from indexes.cross_encoder import CrossEncoderReranker

        return CrossEncoderReranker(_opened(self._config, section.model, section.device))

    @cached_property
    def entailment(self) -> "ModelEntailment | None":
        """The model of ``answer.entailment``."""
        section = self._config.answer.entailment
        if section is None:
            return None
        from evals.entailment import ModelEntailment

        encoder = _opened(self._config, section.model, section.device)
        return ModelEntailment(encoder, entails=section.entails, contradicts=section.contradicts)

    def keys(self, *, reranked: bool) -> dict[str, str]:
        """Return the digest of each that takes part, by its key in ``ragflow.yaml``."""
        reranker = self.reranker if reranked else None
        named = {"search.rerank": reranker, "answer.entailment": self.entailment}
        return {name: one.key for name, one in named.items() if one is not None}

    def searched(self, index: EmbeddedIndex, system: System = "hybrid") -> Index:
        """Return what searches for a person: for hybrid, the reranker over the index where there is one."""
        return (self.reranked(index) if system == "hybrid" else None) or index

    def reranked(self, index: EmbeddedIndex) -> "RerankedIndex | None":
        """Return the index behind the reranker; None where none is configured."""
        section, reranker = self._config.search.rerank, self.reranker
        if section is None or reranker is None:
            return None
        from indexes.reranking import RerankedIndex

        return RerankedIndex(index, reranker, candidates=section.candidates)


def _opened(config: Config, model: str, device: str | None) -> "CrossEncoder":
    """Open a model: a folder beside ``ragflow.yaml``, any path, or a name in the hub's cache."""
    from indexes.cross_encoder import CrossEncoder

    is_path = model.startswith(("/", ".", "~")) or (config.folder / Path(model)).is_dir()
    return CrossEncoder.open(config.resolve(model) if is_path else model, device=device)
