"""Embedding by sentence-transformers: any model that it loads, on the CPU or on an accelerator."""

import contextlib
import importlib.metadata
import importlib.util
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Lock

import numpy as np

from indexes import model_folder, torch_model
from indexes.batching import batches, computed
from indexes.embedding import Vectors
from indexes.errors import EngineMissing
from indexes.torch_model import TorchModel

INSTALL = (
    'pip install "ragflow[transformers]" from the checkout; on Linux without a GPU, install the CPU build '
    "of torch before (docs/models.md)"
)
LIBRARIES = ("sentence-transformers", "transformers")
"""Their major versions are in the key: they decide how a model's files are read."""


class TransformersEmbedder:
    """An ``Embedder`` over a folder as sentence-transformers saves it. Open one with ``open``.

    Pooling, prompts, length and dimensions are the model's own; it computes in float32, however its
    weights are stored. Program code in a folder is never run, and nothing but the folder is read.

    On the CPU each text runs alone, unpadded, on one thread; several texts run at once, one on each usable
    core. So a text gives the same bytes in any company and order. For that torch computes with one thread
    in the whole process from then on. On an accelerator texts of similar length run in batches sized by
    its free memory (``indexes.batching``). There the law holds but for rounding: with other texts beside
    it, a text's vector differs in the last bits, so that a score, which is rounded to 1e-6, may differ by
    that much.

    The model is loaded by the first text, which takes seconds: an index run that finds nothing changed
    needs only the key.
    """

    def __init__(self, folder: Path, *, key: str, device: str | None, note: Path) -> None:
        self._folder = folder
        self._key = key
        self._device = device
        self._note = note  # it is there when these files were seen to decide the vectors
        self._starting = Lock()
        self._started: TorchModel | None = None
        self._threads = _usable_cores()

    @classmethod
    def open(cls, folder: Path, *, device: str | None, cache: Path) -> "TransformersEmbedder":
        """Open a model's folder.

        ``device`` is torch's name of one (``cpu``, ``cuda``, ``cuda:1``, ``mps``); None is the first
        accelerator that there is, else the CPU. It is not in the key: another one changes last bits.
        ``cache`` keeps the digests of large files and what was found of a model; where it cannot be
        written, that is found again.

        Raises:
            EngineMissing: the extra ``transformers`` is not installed.
            ModelMissing: a file is absent or damaged, or there is no such device.
        """
        need_engine()
        versions = [f"{name}-{importlib.metadata.version(name).partition('.')[0]}" for name in LIBRARIES]
        files = model_folder.digest(folder, cache=cache)
        note = cache / f"whole-{files[:32]}"
        if not note.exists():
            model_folder.check(folder)
        if device not in (None, "cpu"):
            torch_model.device_of(device)
        return cls(folder, key="-".join([*versions, "fp32", files]), device=device, note=note)

    @property
    def key(self) -> str:
        return self._key

    @property
    def dimensions(self) -> int:
        return self._model().dimensions

    @property
    def max_tokens(self) -> int:
        return self._model().max_tokens

    def token_offsets(self, text: str) -> Sequence[tuple[int, int]]:
        """Code-point spans of the text's tokens, without special tokens, not truncated."""
        encoding = self._model().tokenizer.encode(text, add_special_tokens=False)
        offsets: list[tuple[int, int]] = encoding.offsets
        return offsets

    def embed(self, texts: Sequence[str], *, queries: bool = False) -> Vectors:
        """Return float32 of shape (len(texts), dimensions); a text longer than ``max_tokens`` is cut.

        Raises:
            StorageError: an accelerator has too little memory even for one text.
        """
        model = self._model()
        if not texts:
            return np.empty((0, model.dimensions), np.float32)
        if model.device == "cpu":
            return self._each_alone(model, texts, queries=queries)
        counts = model.tokens(texts, queries=queries)
        planned = batches(counts, free=model.free(), width=model_folder.width(self._folder))
        return computed(texts, planned, partial(model.vectors, queries=queries))

    def _each_alone(self, model: TorchModel, texts: Sequence[str], *, queries: bool) -> Vectors:
        def alone(text: str) -> Vectors:
            return model.vectors([text], queries=queries)

        threads = min(self._threads, len(texts))
        if threads <= 1:
            torch_model.use_one_thread()
            return np.concatenate([alone(text) for text in texts])
        # Each thread is told: torch keeps the number for every one of them.
        with ThreadPoolExecutor(threads, initializer=torch_model.use_one_thread) as pool:
            return np.concatenate(list(pool.map(alone, texts)))

    def _model(self) -> TorchModel:
        with self._starting:
            if self._started is None:
                device = torch_model.device_of(self._device)
                load = torch_model.load if self._note.exists() else torch_model.load_checked
                self._started = load(self._folder, device)
                with contextlib.suppress(OSError):  # a cache that cannot be written only costs time
                    self._note.parent.mkdir(parents=True, exist_ok=True)
                    self._note.touch()
            return self._started


def _usable_cores() -> int:
    # macOS, where mps is, does not tell which cores a process may use.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def need_engine() -> None:
    """Look whether the extra is installed, without importing it.

    Raises:
        EngineMissing: it is not.
    """
    missing = [name for name in ("sentence_transformers", "torch") if not importlib.util.find_spec(name)]
    if missing:
        raise EngineMissing(
            f"embed.engine is sentence-transformers, and {' and '.join(missing)} is not installed",
            hint=INSTALL,
        )
