"""Embedding by ONNX Runtime on the CPU, one text at a time, no torch."""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from indexes import graphs
from indexes.bert import BUILDER, Architecture, Precision, build, read_architecture
from indexes.embedding import Vectors
from indexes.errors import ModelMissing
from indexes.weights import INSTALL, WEIGHTS_FILE

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer


class OnnxEmbedder:
    """An ``Embedder`` over a BERT checkpoint folder.

    Each text runs alone, unpadded, on one thread, so that its vector cannot depend on its company;
    several texts run at once, one on each usable core, over one shared session. Open one with
    ``OnnxEmbedder.open``. The session is started by the first text: an index run that finds nothing
    changed needs only the key.
    """

    def __init__(
        self, graph: str | bytes, tokenizer: "Tokenizer", architecture: Architecture, *, key: str
    ) -> None:
        self._graph = graph
        self._starting = Lock()
        self._started: InferenceSession | None = None
        self._tokenizer = tokenizer
        self._architecture = architecture
        self._key = key
        self._threads = len(os.sched_getaffinity(0))

    @classmethod
    def open(
        cls, model: Path, *, precision: Precision, cache: Path, expected_sha256: str | None = None
    ) -> "OnnxEmbedder":
        """Open a checkpoint folder, building its graph on first use.

        ``cache`` keeps built graphs, named by weights, architecture, builder and precision; when it
        cannot be written the graph is built in memory. The weights are hashed when their size or
        time differ from the last look (see ``indexes.graphs``) and compared with ``expected_sha256``.

        Raises:
            ModelMissing: a file is absent or damaged, or the model is none that can run here.
        """
        weights, tokens = model / WEIGHTS_FILE, model / "tokenizer.json"
        try:
            sha256 = graphs.remembered_digest(weights, cache)
            tokens_sha256 = graphs.digest(tokens).sha256
        except OSError as error:
            raise ModelMissing(
                f"the model has no readable {Path(error.filename).name}", hint=INSTALL
            ) from error
        if expected_sha256 not in (None, sha256):
            raise ModelMissing(
                f"{weights.name} is damaged: its SHA-256 is {sha256}, not {expected_sha256}",
                hint=f"install the weights again: {INSTALL} --force-reinstall",
            )
        architecture = read_architecture(model)
        identity = f"{BUILDER} {sha256} {tokens_sha256} {precision} {architecture}"
        name = f"{precision}-{hashlib.sha256(identity.encode()).hexdigest()[:32]}"
        graph = graphs.keep(cache, name, lambda: build(model, architecture, precision))
        source = str(graph) if graph else build(model, architecture, precision).SerializeToString()
        return cls(source, _read_tokenizer(tokens), architecture, key=f"onnx-{name}")

    @property
    def key(self) -> str:
        return self._key

    @property
    def dimensions(self) -> int:
        return self._architecture.hidden

    @property
    def max_tokens(self) -> int:
        return self._architecture.max_tokens

    def embed(self, texts: Sequence[str], *, queries: bool = False) -> Vectors:  # noqa: ARG002 - no prompts
        """Return float32 of shape (len(texts), dimensions); a text longer than ``max_tokens`` is cut.

        ``queries`` changes nothing: this engine has no prompts.
        """
        vectors = np.empty((len(texts), self.dimensions), np.float32)
        threads = min(self._threads, len(texts))
        if threads <= 1:
            for place, text in enumerate(texts):
                vectors[place] = self._embed_one(text)
            return vectors
        with ThreadPoolExecutor(threads) as pool:
            for place, row in enumerate(pool.map(self._embed_one, texts)):
                vectors[place] = row
        return vectors

    def token_offsets(self, text: str) -> Sequence[tuple[int, int]]:
        """Code-point spans of the text's tokens, without special tokens, not truncated."""
        offsets: list[tuple[int, int]] = self._tokenizer.encode(text, add_special_tokens=False).offsets
        return offsets

    def _session(self) -> "InferenceSession":
        with self._starting:
            if self._started is None:
                self._started = _start(self._graph)
                self._graph = b""  # one that is kept nowhere is as large as the weights
            return self._started

    def _embed_one(self, text: str) -> Vectors:
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        encoding.truncate(self.max_tokens - self._tokenizer.num_special_tokens_to_add(is_pair=False))
        ids = np.array([self._tokenizer.post_process(encoding).ids], np.int32)
        feeds = {
            "input_ids": ids,
            "attention_mask": np.ones_like(ids),
            "token_type_ids": np.zeros_like(ids),
        }
        vectors: Vectors = self._session().run(["embedding"], feeds)[0]
        row: Vectors = vectors[0]
        return row


def _start(source: str | bytes) -> "InferenceSession":
    """Start a session that computes on the calling thread and keeps no memory between texts."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    # The builder has fused what is worth it; another fusion of the runtime's would cost 5 % more time.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    # Each length of text would leave its own plan and pages behind.
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors have no common class of their own
        raise ModelMissing(
            f"the model's graph does not load: {error}", hint="ragflow doctor --fix"
        ) from error


def _read_tokenizer(path: Path) -> "Tokenizer":
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as error:  # tokenizers raises plain Exception
        raise ModelMissing(f"the model's {path.name} is damaged: {error}", hint=INSTALL) from error
    # The file may fix both, at lengths that are not the model's.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
