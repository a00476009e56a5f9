"""What a generation was built with against what is configured: which differs, in words and as keys."""

from collections.abc import Mapping
from typing import Any

from indexes.embedding import Embedder
from indexes.errors import ModelChanged, ModelMismatch
from indexes.generations import Manifest

Settings = Mapping[str, Any]
"""Sections of the configuration as plain objects, as a manifest has them: ``{"embed": {...}, ...}``."""

_NAMED = ("model", "precision", "engine")


def named(settings: Settings, dimensions: int = 0) -> str:
    """Return a model as people write it: ``all-MiniLM-L6-v2 fp32 onnx, 384 dimensions``; "" if not told."""
    embed = settings.get("embed") or {}
    name = " ".join(str(embed[key]) for key in _NAMED if embed.get(key))
    return f"{name}, {dimensions} dimensions" if name and dimensions else name


def flat(settings: Settings) -> dict[str, Any]:
    """Return the keys of all sections as ``section.key``."""
    return {f"{section}.{key}": value for section, keys in settings.items() for key, value in keys.items()}


def differing(before: Settings, after: Settings) -> list[tuple[str, Any, Any]]:
    """Return (key, before, after) of the settings that differ; none where one side was not told."""
    if not before or not after:
        return []
    old, new = flat(before), flat(after)
    return [(key, old.get(key), new.get(key)) for key in {**old, **new} if old.get(key) != new.get(key)]


def mismatch(built: Manifest, embedder: Embedder, settings: Settings, *, width: int = 0) -> ModelMismatch:
    """Return what to raise where a generation was built by another model than is configured.

    ``settings`` are today's, empty where they are not known; ``width``: dimensions of its vectors.
    """
    then, now = width or built.dimensions, embedder.dimensions
    changed = [one for one in differing(built.settings, settings) if one[0].startswith("embed.")]
    if changed:
        was, is_ = named(built.settings, then), named(settings, now)
        words = f"the index was built with {was}; {is_} is configured"
        back = "set " + ", ".join(f"{key} back to {old}" for key, old, _ in changed if old is not None)
    elif then and then != now:
        words = (
            f"the model {named(settings) or embedder.key} has {now} dimensions; the index was built when it"
            f" had {then}: another model stands under the same name"
        )
        back = "put the former model back"
    elif built.settings and settings:
        words = (
            f"the model {named(settings)} is not the one of that name that the index was built with: its"
            f" files changed ({built.embedder} then, {embedder.key} now)"
        )
        back = "put the former files back"
    else:
        words = f"the index was built with another embedding model ({built.embedder}) than is configured"
        back = "set embed.* back"
    if built.embedder == embedder.key:
        rebuild = "`ragflow index --full` builds a new index beside the live one"
    else:
        rebuild = "`ragflow index` builds a new index beside the live one (--dry-run says how long)"
    return ModelMismatch(words, hint=f"{back}; or {rebuild}")


def changed(found: int, width: int) -> ModelChanged:
    """Return what to raise where a vector has ``found`` numbers, and those of the index have ``width``."""
    return ModelChanged(
        f"the model gives {found:,} numbers for a text where the index holds {width:,}: nothing of it is"
        " stored, and the live index stays as it is",
        hint="put the former model back; or tell that it is another one, so that everything is embedded anew:"
        f" with engine litellm, embed.dimensions: {found}",
    )
