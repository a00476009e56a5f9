"""CrossEncoder checkpoints: two texts are read side by side, and the head gives a number for each label.

Opened with sentence-transformers (extra ``transformers``), from files of this machine alone: no code that a
checkpoint brings is run, its weights are safetensors, nothing is asked of a network.
"""

import hashlib
import importlib.util
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from indexes import hub, model_folder
from indexes.errors import ExtraMissing, ModelMissing, ModelUnfit
from indexes.weights import tensor_names

if TYPE_CHECKING:
    import sentence_transformers

EXTRA = 'pip install "ragflow[transformers]"'
_SAVED = "give a folder as save_pretrained writes it, in the safetensors format, with its tokenizer"
_TOKENIZERS = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "spm.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
)


class CrossEncoder:
    """A checkpoint folder whose model reads pairs of texts.

    Opening it reads its configuration alone; the first pair loads the weights (seconds). Each pair runs
    alone and unpadded, so that its numbers are the same bytes in any company and order. Both texts
    together are cut to the longest input that the model takes. ``device`` None is the processor.
    """

    def __init__(self, folder: Path, labels: tuple[str, ...], *, name: str, device: str | None) -> None:
        self.folder = folder
        self.name = name
        self.labels = labels
        self._device = device or "cpu"

    @classmethod
    def open(cls, model: str, *, device: str | None = None) -> "CrossEncoder":
        """Open a checkpoint folder, or a model of that name in the hub's cache on this machine.

        Raises:
            ExtraMissing: sentence-transformers is not installed.
            ModelMissing: there is neither, or a file is missing or damaged.
            ModelUnfit: the model has no head for pairs of texts.
        """
        if importlib.util.find_spec("sentence_transformers") is None:
            raise ExtraMissing("a CrossEncoder needs the extra transformers, which is absent", hint=EXTRA)
        folder = Path(model)
        folder = folder if folder.is_dir() else _cached(model)
        told = _configuration(folder)
        if not any(folder.glob("*.safetensors")):
            raise ModelMissing(f"the model folder {folder} has no weights (model.safetensors)", hint=_SAVED)
        if not any((folder / name).is_file() for name in _TOKENIZERS):
            raise ModelMissing(f"the model folder {folder} has no tokenizer", hint=_SAVED)
        return cls(folder, _labels(told, folder), name=model, device=device)

    @property
    def bounded(self) -> bool:
        """Whether its configuration asks for a sigmoid over its one number; else the number stays as it is.

        Raises ``ModelUnfit`` for any other function.
        """
        told = _configuration(self.folder)
        inner = told.get("sentence_transformers")
        asked = inner.get("activation_fn") if isinstance(inner, dict) else None
        asked = asked or told.get("sbert_ce_default_activation_function") or "Sigmoid"
        name = str(asked).rpartition(".")[2]
        if name not in ("Sigmoid", "Identity"):
            raise ModelUnfit(
                f"{self.name} asks for {asked} over its scores; known are Sigmoid and Identity",
                hint="correct activation_fn in its config.json, or name another model",
            )
        return name == "Sigmoid"

    @cached_property
    def key(self) -> str:
        """SHA-256 of the device and of all that decides its numbers, 64 hex. Raises ``ModelMissing``."""
        files = model_folder.digest(self.folder, cache=None)
        return hashlib.sha256(f"{self._device}\n{files}".encode()).hexdigest()

    def load(self) -> None:
        """Load the weights, so that the first pair does not wait. Raises ``ModelMissing``, ``ModelUnfit``."""
        _ = self._model

    def numbers(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
        """Return what the head gives each pair, of shape (pairs, labels), before any sigmoid or softmax.

        Raises:
            ModelMissing: the weights cannot be loaded, or give what is no number.
            ModelUnfit: the model fails on a pair.
        """
        found = np.empty((len(pairs), len(self.labels)))
        model = self._model
        for row, pair in enumerate(pairs):
            try:
                given = model.predict([pair], batch_size=1, show_progress_bar=False, activation_fn=_as_given)
            except Exception as error:  # torch's and the tokenizer's errors have no common class
                raise ModelUnfit(
                    f"the model {self.name} fails on a pair of texts: {error}",
                    hint="is model_max_length in its tokenizer_config.json no more than it takes?",
                ) from error
            found[row] = np.asarray(given, np.float64).reshape(-1)
        if not np.isfinite(found).all():
            raise ModelMissing(f"the model {self.name} is damaged: it gives what is no number", hint=_SAVED)
        return found

    @cached_property
    def _model(self) -> "sentence_transformers.CrossEncoder":
        with _quiet():
            try:
                from sentence_transformers import CrossEncoder as Opened

                model = Opened(
                    str(self.folder),
                    device=self._device,
                    local_files_only=True,
                    trust_remote_code=False,
                    model_kwargs={"use_safetensors": True, "dtype": "float32"},
                )
            except ImportError as error:
                raise ExtraMissing(f"sentence-transformers does not load: {error}", hint=EXTRA) from error
            except Exception as error:  # transformers, safetensors and torch have no common class
                first = (str(error).strip() or type(error).__name__).splitlines()[0]
                raise ModelMissing(f"the model {self.name} does not load: {first}", hint=_SAVED) from error
        if model.num_labels != len(self.labels):
            raise ModelUnfit(
                f"{self.name} gives {model.num_labels} numbers where its config.json names {len(self.labels)}"
            )
        self._headed(model)
        return model

    def _headed(self, model: "sentence_transformers.CrossEncoder") -> None:
        """Raise ``ModelMissing`` where the head is not in the files: it would be made at random."""
        inner = model.transformers_model
        if inner is None or not type(inner).__name__.endswith("ForSequenceClassification"):
            return
        head = {name for name in inner.state_dict() if not name.startswith(f"{inner.base_model_prefix}.")}
        held = frozenset[str]().union(*map(tensor_names, self.folder.glob("*.safetensors")))
        if missing := sorted(head - held):
            raise ModelMissing(f"the model {self.name} has no weights for {missing[0]}", hint=_SAVED)


class CrossEncoderReranker:
    """Satisfies ``indexes.reranking.Reranker`` by a CrossEncoder with one label."""

    def __init__(self, encoder: CrossEncoder) -> None:
        if len(encoder.labels) != 1:
            raise ModelUnfit(
                f"{encoder.name} tells {', '.join(encoder.labels)} apart; a reranker gives one number",
                hint="name for search.rerank a CrossEncoder with one label",
            )
        self._encoder = encoder
        self.bounded = encoder.bounded

    @property
    def key(self) -> str:
        """The checkpoint's."""
        return self._encoder.key

    def load(self) -> None:
        """Load the weights. Raises as ``CrossEncoder.load``."""
        self._encoder.load()

    def score(self, question: str, passages: Sequence[str]) -> list[float]:
        """Return a number for each passage. Raises as ``CrossEncoder.numbers``."""
        given = self._encoder.numbers([(question, one) for one in passages])[:, 0].tolist()
        # Python's own functions, one number at a time: a vector's may differ with its place in the vector.
        return [round(_sigmoid(one) if self.bounded else one, 6) + 0.0 for one in given]


def _sigmoid(number: float) -> float:
    if number < 0:
        return math.exp(number) / (1 + math.exp(number))
    return 1 / (1 + math.exp(-number))


def _as_given(numbers: Any) -> Any:
    return numbers


def _cached(model: str) -> Path:
    """Return the folder in which the hub's cache on this machine holds a model."""
    found = hub.cached(model) if hub.is_name(model) else None
    if found is None:
        raise ModelMissing(
            f"there is no model folder {model}, and no model of that name in the hub's cache here",
            hint="name a folder, or download the model first: hf download NAME",
        )
    return found


def _configuration(folder: Path) -> Mapping[str, Any]:
    try:
        told = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelMissing(f"the model folder {folder} has no readable config.json", hint=_SAVED) from error
    except ValueError as error:
        raise ModelMissing(f"the config.json of {folder} is no JSON", hint=_SAVED) from error
    if not isinstance(told, dict):
        raise ModelMissing(f"the config.json of {folder} is no JSON object", hint=_SAVED)
    return told


def _labels(told: Mapping[str, Any], folder: Path) -> tuple[str, ...]:
    """Return the labels by their number, as the configuration names them."""
    named = told.get("architectures")
    architecture = str(named[0]) if isinstance(named, list) and named else "unknown"
    if architecture.endswith("ForCausalLM"):
        return ("LABEL_0",)  # one number: how much likelier "yes" is than "no"
    if not architecture.endswith("ForSequenceClassification"):
        raise ModelUnfit(
            f"{folder} is no CrossEncoder: a model of the kind {architecture} has no head for pairs of texts",
            hint="name a model that was saved as ...ForSequenceClassification",
        )
    labels = told.get("id2label")
    if isinstance(labels, dict) and labels and all(str(number) in labels for number in range(len(labels))):
        return tuple(str(labels[str(number)]) for number in range(len(labels)))
    count = told.get("num_labels", 2)  # as the library counts where nothing is said
    return tuple(f"LABEL_{number}" for number in range(count if isinstance(count, int) else 2))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the libraries' reports and progress bars off the terminal while a model is loaded."""
    try:
        from transformers.utils import logging as reports
    except ImportError:  # what comes next says so
        yield
        return
    level, bars = reports.get_verbosity(), reports.is_progress_bar_enabled()
    reports.set_verbosity_error()
    reports.disable_progress_bar()
    try:
        yield
    finally:
        reports.set_verbosity(level)
        if bars:
            reports.enable_progress_bar()
