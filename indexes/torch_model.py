"""A model that sentence-transformers has loaded: texts in, vectors out, one batch at a time."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from indexes import model_folder
from indexes.embedding import Vectors
from indexes.errors import ModelMissing

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

_QUERY = ("query",)
_DOCUMENT = ("document", "passage", "corpus")
_PROBE = "Every full-time employee gets 28 days of paid leave a year."
_MOST_TOKENS = 8192  # of models without a limit of their own


class TorchModel:
    """A loaded model. Open one with ``load``.

    ``device``: torch's name of where it is. ``tokenizer`` neither cuts nor pads.
    """

    def __init__(self, model: "SentenceTransformer") -> None:
        self._model = model
        self._cutting = Lock()  # the library's tokenizer serves one thread at a time
        self.device = str(model.device)
        self.tokenizer = _tokenizer(model)
        self.dimensions = _dimensions(model)
        self.max_tokens = _max_tokens(model)
        self._prompts = {True: _prompt(model.prompts, _QUERY), False: _prompt(model.prompts, _DOCUMENT)}

    def vectors(self, texts: Sequence[str], *, queries: bool) -> Vectors:
        """Return unit vectors, float32 of shape (len(texts), dimensions); the texts are one batch.

        Raises ``RuntimeError``, as torch does, where the device has no memory left.
        """
        import torch
        from sentence_transformers.util import batch_to_device

        task = "query" if queries else "document"
        with torch.inference_mode():
            with self._cutting:
                features = self._model.preprocess(list(texts), prompt=self._prompts[queries], task=task)
            found = self._model(batch_to_device(features, self._model.device), task=task)
            rows = found["sentence_embedding"][:, : self.dimensions].float()
            vectors: Vectors = torch.nn.functional.normalize(rows, dim=1).cpu().numpy()
        return vectors

    def tokens(self, texts: Sequence[str], *, queries: bool) -> list[int]:
        """Return how many tokens the model sees of each text, with its prompt and special tokens."""
        prompt = self._prompts[queries]
        encoded = self.tokenizer.encode_batch([prompt + text for text in texts])
        return [min(len(one.ids), self.max_tokens) for one in encoded]

    def free(self) -> int:
        """Return the bytes that are free on the accelerator; 0 on the CPU, where no batch is planned."""
        import torch

        device = self._model.device
        if device.type == "cuda":
            idle = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
            return int(torch.cuda.mem_get_info(device)[0] + idle)
        if device.type == "mps":
            return max(0, torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
        return 0


def use_one_thread() -> None:
    """Let torch compute with one thread in this process: sums of several are added in another order."""
    import torch

    torch.set_num_threads(1)


def device_of(wanted: str | None) -> str:
    """Return the device to use: the wanted one, else the first accelerator that there is, else the CPU.

    Raises:
        ModelMissing: there is no such device, or this build of torch cannot use it.
    """
    import torch

    there = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    there = (["cuda", *there] if there else []) + (["mps"] if torch.backends.mps.is_available() else [])
    if wanted is None:
        return there[0] if there else "cpu"
    if wanted not in (*there, "cpu"):
        found = ", ".join(there) or "the CPU alone"
        raise ModelMissing(
            f"embed.device is {wanted}, and torch {torch.__version__} finds {found}",
            hint="set embed.device to null for what there is, or install the build of torch for that device",
        )
    return wanted


def load(folder: Path, device: str) -> TorchModel:
    """Load a model's folder; nothing else is read, no network is used, no code of the folder is run.

    Raises:
        ModelMissing: the library cannot load it.
    """
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    reports: Any = logging  # it has no types
    reports.disable_progress_bar()
    reports.set_verbosity_error()
    if device == "cpu":
        use_one_thread()
    try:
        model = SentenceTransformer(
            str(folder),
            device=device,
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"dtype": torch.float32},
        )
        model.eval()
        return TorchModel(model)
    except ModelMissing:
        raise
    except Exception as error:  # the libraries' errors are of every kind
        first = (str(error).strip().splitlines() or [""])[0][:300]
        raise ModelMissing(
            f"the model in {folder} cannot be loaded: {type(error).__name__}: {first}", hint=model_folder.HINT
        ) from error


def load_checked(folder: Path, device: str) -> TorchModel:
    """Load a model twice and compare a vector, for what a folder lacks the library fills with random numbers.

    Raises:
        ModelMissing: as ``load``; or the files do not decide the vectors, or give none.
    """
    first, model = load(folder, device).vectors([_PROBE], queries=False), load(folder, device)
    second = model.vectors([_PROBE], queries=False)
    if not np.allclose(np.linalg.norm(second, axis=1), 1, atol=1e-3):
        raise ModelMissing(
            f"the weights in {folder} give no vectors, but zeros or NaN", hint=model_folder.HINT
        )
    if not np.allclose(first, second, atol=1e-4):
        raise ModelMissing(
            f"the weights in {folder} are not all of the model: loaded twice, it gives different vectors",
            hint=model_folder.HINT,
        )
    return model


def _prompt(prompts: Mapping[str, str | None], names: Sequence[str]) -> str:
    """Return the first prompt with text: the library has an empty one by the name of each role."""
    return next((prompt for name in names if (prompt := prompts.get(name))), "")


def _tokenizer(model: "SentenceTransformer") -> "Tokenizer":
    from tokenizers import Tokenizer

    own: Any = model.tokenizer
    fast = own if isinstance(own, Tokenizer) else getattr(own, "backend_tokenizer", None)
    if not isinstance(fast, Tokenizer):
        raise ModelMissing(
            f"the model's tokenizer ({type(own).__name__}) tells no places in the text",
            hint="choose a model with a fast tokenizer (tokenizer.json)",
        )
    copy = Tokenizer.from_str(fast.to_str())
    copy.no_truncation()
    copy.no_padding()
    return copy


def _dimensions(model: "SentenceTransformer") -> int:
    dimensions: int | None = model.get_embedding_dimension()
    if dimensions is None:
        raise ModelMissing("the model does not say how many dimensions it has", hint=model_folder.HINT)
    return dimensions


def _max_tokens(model: "SentenceTransformer") -> int:
    own: int | None = model.max_seq_length
    # Some tokenizers have a limit of 10^30, which means none.
    return own if own is not None and own <= 1_000_000 else _MOST_TOKENS
