"""A model's folder as sentence-transformers saves it: which files decide vectors, and whether all are there.

Nothing here imports the library: a folder is looked at in milliseconds, the library needs seconds.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from indexes import graphs
from indexes.errors import ModelMissing
from indexes.weights import WEIGHTS_FILE, check_safetensors

HINT = "copy the whole folder again from where it works; docs/models.md says what belongs to it"
OTHER_FOLDERS = ("onnx", "openvino", "coreml")
OTHER_SUFFIXES = (".onnx", ".h5", ".msgpack", ".ot", ".gguf")
"""The same model for other libraries, as it lies in many folders beside what is used here."""

_WEIGHTS = (
    WEIGHTS_FILE,
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
_TOKENIZERS = (
    ("tokenizer.json",),
    ("vocab.txt",),
    ("vocab.json", "merges.txt"),
    ("tokenizer.model",),
    ("sentencepiece.bpe.model",),
    ("spiece.model",),
    ("spm.model",),
)
_SMALL = 1_000_000  # bytes; of larger files the digest is remembered


def digest(folder: Path, *, cache: Path | None) -> str:
    """Return the SHA-256 (64 hex) of all that decides vectors in a folder: names and contents.

    That is every file but descriptions (``.md``), hidden ones and those of other formats: what is unknown
    counts, for a vector that is stale is worse than one that is computed twice. Digests of large files
    are remembered in ``cache`` (see ``indexes.graphs``); None: all is read in any case.

    Raises:
        ModelMissing: the folder does not exist, or a file cannot be read.
    """
    whole = hashlib.sha256()
    try:
        for path in _deciding(folder):
            if cache is None or path.stat().st_size <= _SMALL:
                sha256 = graphs.digest(path).sha256
            else:
                sha256 = graphs.remembered_digest(path, cache)
            name = path.relative_to(folder).as_posix()
            whole.update(json.dumps([name, sha256]).encode() + b"\n")
    except OSError as error:
        name = Path(error.filename).name if error.filename else folder.name
        raise ModelMissing(f"the model's {name} cannot be read: {error.strerror}", hint=HINT) from error
    return whole.hexdigest()


def check(folder: Path) -> None:
    """Look whether a model's files are all there and sound as far as can be told without the library.

    Raises:
        ModelMissing: the folder does not exist; a file is absent, cut short or no JSON, and is named; the
            model is none that embeds texts.
    """
    if not folder.is_dir():
        raise ModelMissing(f"there is no model folder {folder}", hint="set embed.model to a folder")
    _refuse_others(folder)
    modules = _modules(folder)
    for kind, place in modules:
        _check_module(kind, place)
    for path in _deciding(folder):
        if path.suffix == ".json":
            _read_json(path)


def width(folder: Path) -> int:
    """Return the dimensions of the model's layers; 1024 where ``config.json`` does not say."""
    place = next((place for kind, place in _modules(folder) if kind == "Transformer"), folder)
    path = place / "config.json"
    config = _read_object(path) if path.is_file() else {}
    known = [config.get(key) for key in ("hidden_size", "d_model", "dim", "n_embd")]
    return next((one for one in known if isinstance(one, int) and one > 0), 1024)


def _deciding(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise ModelMissing(f"there is no model folder {folder}", hint="set embed.model to a folder")
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and name not in OTHER_FOLDERS
        )
        for name in sorted(files):
            path = Path(place, name)
            older = name.endswith(".bin") and WEIGHTS_FILE in files  # the same weights, and not read
            other = path.suffix.lower() in (".md", *OTHER_SUFFIXES)
            if not (older or other or name.startswith(".")):
                yield path


def _modules(folder: Path) -> list[tuple[str, Path]]:
    """Return each module's kind and folder; a folder without ``modules.json`` is one transformer.

    The library then takes the mean of its token vectors.
    """
    path = folder / "modules.json"
    if not path.exists():
        return [("Transformer", folder)]
    modules = []
    for module in _read_json(path):
        match module:
            case {"type": str(kind), "path": str(inside)} if _is_inside(inside):
                modules.append((kind.rpartition(".")[2], folder / inside))
            case _:
                raise ModelMissing("the model's modules.json names a module without type or path", hint=HINT)
        if not kind.startswith("sentence_transformers."):
            raise ModelMissing(
                f"the model brings program code of its own ({kind}), and such code is never run",
                hint="choose a model that needs no trust_remote_code",
            )
    return modules


def _is_inside(path: str) -> bool:
    return not Path(path).is_absolute() and ".." not in Path(path).parts


def _check_module(kind: str, place: Path) -> None:
    """Look at one module; one of an unknown kind needs no more than a folder."""
    if kind == "Normalize":  # it has nothing to say, and older folders lack it
        return
    if not place.is_dir():
        raise ModelMissing(f"the model folder has no {place.name}", hint=HINT)
    if (place / "adapter_config.json").exists():
        # Its base model may lie anywhere, and is not in the digest.
        raise ModelMissing(
            f"the model folder {place} holds an adapter to another model",
            hint="merge both where both are, save the result, and set embed.model to that",
        )
    if kind in {"Transformer", "Pooling", "Dense"}:
        _need(place, "config.json")
    if kind in {"Transformer", "Dense", "StaticEmbedding"}:
        _check_weights(place)
    if kind == "Transformer" and not any(
        all((place / one).is_file() for one in each) for each in _TOKENIZERS
    ):
        _need(place, "tokenizer.json")


def _check_weights(place: Path) -> None:
    found = next((name for name in _WEIGHTS if (place / name).is_file()), None)
    if found is None:
        _need(place, WEIGHTS_FILE)
    elif found.endswith(".index.json"):
        for shard in sorted({str(one) for one in _read_object(place / found).get("weight_map", {}).values()}):
            _need(place, shard)
            _check_tensors(place / shard)
    else:
        _check_tensors(place / found)


def _check_tensors(path: Path) -> None:
    if path.suffix != ".safetensors":
        return
    try:
        check_safetensors(path)
    except ModelMissing as error:
        raise ModelMissing(f"the model's {error}", hint=HINT) from error


def _need(place: Path, name: str) -> None:
    if not (place / name).is_file():
        raise ModelMissing(f"the model folder {place} has no {name}", hint=HINT)


def _refuse_others(folder: Path) -> None:
    """Refuse rerankers and sparse models, of which the library would make something that embeds badly."""
    path = folder / "config_sentence_transformers.json"
    kind = _read_object(path).get("model_type", "SentenceTransformer") if path.is_file() else None
    if kind not in (None, "SentenceTransformer"):
        raise ModelMissing(
            f"the model is a {kind}, which gives no vectors of texts to search by",
            hint="choose a model that sentence-transformers loads as SentenceTransformer",
        )


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ModelMissing(f"the model's {path.name} is absent or damaged", hint=HINT) from error


def _read_object(path: Path) -> dict[str, Any]:
    value = _read_json(path)
    if not isinstance(value, dict):
        raise ModelMissing(f"the model's {path.name} is no JSON object", hint=HINT)
    return value
