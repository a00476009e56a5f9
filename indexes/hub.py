"""Models of the Hugging Face hub by their names: what is on this machine, and fetching what is not."""

import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from indexes.errors import ModelMissing
from indexes.model_folder import OTHER_FOLDERS, OTHER_SUFFIXES
from indexes.weights import WEIGHTS_FILE

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_AIR_GAP = (
    "fetch the model on a machine that reaches the hub, copy its folder here and set embed.model to that "
    "folder: docs/models.md shows how"
)


def is_name(model: str) -> bool:
    """Tell whether this is how the hub writes names: ``owner/model``."""
    return _NAME.fullmatch(model) is not None


def cached(name: str) -> Path | None:
    """Return the folder of a model that the hub's own cache on this machine holds; nothing is contacted.

    The cache is where ``huggingface_hub`` has it. What is in the folder may be incomplete. None: it is
    not there.
    """
    from huggingface_hub import try_to_load_from_cache

    # Asked for the whole, the library misses the files that are never fetched.
    for file in ("modules.json", "config.json"):
        found = try_to_load_from_cache(name, file)
        if isinstance(found, str):
            return Path(found).parent
    return None


def fetch(name: str) -> Path:
    """Fetch a model from the hub into its cache on this machine and return its folder.

    What other libraries need of it is left out. What was fetched before is not fetched again.

    Raises:
        ModelMissing: the hub cannot be reached, or has no such model that may be read.
    """
    from huggingface_hub import HfApi, snapshot_download

    try:
        files = HfApi().list_repo_files(name)
        return Path(snapshot_download(name, allow_patterns=wanted(files)))
    except Exception as error:  # httpx's, the library's own and the system's have no common class
        raise ModelMissing(_told(name, error), hint=_AIR_GAP) from error


def wanted(files: "Sequence[str]") -> list[str]:
    """Return those files of a model that sentence-transformers reads."""
    there = set(files)
    return [
        file
        for file in files
        if not file.endswith(OTHER_SUFFIXES)
        and file.partition("/")[0] not in OTHER_FOLDERS
        # The same weights, as older libraries write them.
        and not (file.endswith(".bin") and str(PurePosixPath(file).with_name(WEIGHTS_FILE)) in there)
    ]


def _told(name: str, error: Exception) -> str:
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    if isinstance(error, GatedRepoError):
        return f"the hub gives {name} only to those who have agreed to its terms"
    if isinstance(error, RepositoryNotFoundError):
        return f"the hub has no model named {name}, or not for everyone"
    first = (str(error).strip().splitlines() or [""])[0][:200]
    return f"{name} is not on this machine, and the hub gave it not: {type(error).__name__}: {first}"
