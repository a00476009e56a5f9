"""What a build would have to embed, counted before it is begun. Nothing is embedded, nothing is written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from indexes.analysis import ANALYSER
from indexes.build import Chunking, Seen, cache_key, cached, chunks_of, seen_text, target
from indexes.embedding import Embedder
from indexes.generations import VERSION, Generations, Manifest
from indexes.segments import open_segment
from indexes.store import Store

_BATCH = 512  # texts that are looked up in the cache at once


@dataclass(frozen=True, slots=True)
class Pending:
    """Texts of the store that no segment and no cache has a vector of, their size, and those that one has.

    ``size`` is in the unit of whoever counted: tokens, mostly.
    """

    texts: int = 0
    size: int = 0
    cached: int = 0


@dataclass(frozen=True, slots=True)
class Eye:
    """How the model looks at texts: ``size`` measures them, ``seen`` is that of ``SyncOptions``."""

    size: Callable[[Sequence[str]], int]
    seen: Seen | None = None


def pending(
    store: Store,
    generations: Generations,
    embedder: Embedder,
    chunking: Chunking,
    *,
    eye: Eye,
    full: bool = False,
) -> Pending:
    """Count what the store holds and the live generation does not, as the builder would chunk it.

    ``full``: no segment is kept. Equal texts count once. A store that is built already: nothing.
    """
    goal = target(store, embedder.key, chunking)
    live = generations.live()
    manifest = None if live is None else generations.manifest(live)
    if manifest is not None and manifest.state == goal.state and not full:
        return Pending()
    held = set() if full or manifest is None else _held(generations, manifest, embedder, chunking)
    missing = [version for version in goal.alive[:, VERSION].tolist() if version not in held]
    versions = sorted(store.versions(missing).values(), key=lambda one: (one.name, one.id))
    counted, met, size = Pending(), set[bytes](), eye.size
    waiting: dict[bytes, str] = {}
    for version in versions:
        text = store.text(version.revision) or ""
        for chunk in chunks_of(store, version, text, chunking, embedder):
            shown = seen_text(version.title, chunk, text, eye.seen)
            key = cache_key(embedder.key, shown)
            if key not in met:
                met.add(key)
                waiting[key] = shown
        if len(waiting) >= _BATCH:
            counted, waiting = _counted(store, counted, waiting, size), {}
    return _counted(store, counted, waiting, size)


def _held(generations: Generations, live: Manifest, embedder: Embedder, chunking: Chunking) -> set[int]:
    """Return the versions whose vectors are in the live generation's segments and can stay there."""
    if (live.embedder, live.chunker, live.analyser) != (embedder.key, chunking.key, ANALYSER):
        return set()
    return {
        int(version)
        for one in live.segments
        for version in np.unique(open_segment(generations.segments / one.id).rows.versions)
    }


def _counted(
    store: Store, before: Pending, waiting: dict[bytes, str], size: Callable[[Sequence[str]], int]
) -> Pending:
    known = cached(store, list(waiting)) if waiting else {}
    new = [text for key, text in waiting.items() if key not in known]
    return Pending(before.texts + len(new), before.size + size(new), before.cached + len(known))
