"""``embed.engine: sentence-transformers``: where the configured model is, and the embedder over it."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from indexes import hub, model_folder, weights
from indexes.errors import ModelMissing
from indexes.transformers_embedder import TransformersEmbedder, need_engine
from ragflow.config import Config


@dataclass(frozen=True, slots=True)
class Located:
    """A model's folder; ``sha256`` as in ``weights.Checkpoint``. None: on the hub alone."""

    folder: Path | None
    sha256: str | None = None


def opened(config: Config) -> TransformersEmbedder:
    """Open the configured model; one that only the hub has is fetched first, which is said on stderr.

    Raises:
        EngineMissing: the extra is not installed.
        ModelMissing: the model is not there and not to be had, incomplete or damaged.
    """
    need_engine()
    _quieten()
    located = locate(config)
    cache = config.workspace / "model"
    folder = located.folder or _fetched(config.model)
    if located.sha256 is not None:
        weights.vouch(folder, located.sha256, cache=cache)
    return TransformersEmbedder.open(folder, device=config.embed.device, cache=cache)


def checked(config: Config) -> tuple[bool, str]:
    """Tell whether the model is here and whole, and what is to be said of it; torch is not imported.

    Raises:
        EngineMissing, ModelMissing: as ``opened``. Nothing is contacted.
    """
    need_engine()
    _quieten()
    located = locate(config)
    if located.folder is None:
        return (
            False,
            f"{config.model} is not on this machine: the next `ragflow index` fetches it from the hub",
        )
    model_folder.check(located.folder)
    if located.sha256 is not None:
        weights.vouch(located.folder, located.sha256)
    digest = model_folder.digest(located.folder, cache=None)  # a look writes nothing
    return True, f"{config.embed.model} by sentence-transformers, digest {digest[:16]}..."


def locate(config: Config) -> Located:
    """Return where the configured model is: a known name's package, a folder, or the hub's local cache.

    Raises ``ModelMissing`` where it is none of these and cannot be on the hub either.
    """
    model = config.model
    if model in weights.KNOWN:
        known = weights.find(model)
        return Located(known.folder, known.sha256)
    if Path(model).is_dir():
        return Located(Path(model))
    if not hub.is_name(model):
        raise ModelMissing(
            f"no model named {model!r} is known, and there is no such folder",
            hint="set embed.model to a folder, to a name on the hub (owner/model) or to one of: "
            + ", ".join(weights.KNOWN),
        )
    found = hub.cached(model)
    if found is None:
        return Located(None)
    try:
        model_folder.check(found)
    except ModelMissing:
        # Half of it was fetched; the hub has the rest.
        return Located(None)
    return Located(found)


def _fetched(name: str) -> Path:
    sys.stderr.write(f"{name} is not on this machine: fetching it from the hub, once\n")
    sys.stderr.flush()
    return hub.fetch(name)


def _quieten() -> None:
    """Switch off what the libraries tell others of a run, and bars; read when they are imported."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["DISABLE_TELEMETRY"] = "1"
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # a warning on every fork, else
