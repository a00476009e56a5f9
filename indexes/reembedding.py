"""What another model or chunking costs, before anything of it is embedded: counts, and about how long."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from indexes import pace
from indexes.analysis import ANALYSER
from indexes.build import Chunking, Seen, target
from indexes.embedding import Embedder, embed
from indexes.errors import StorageError
from indexes.generations import VERSION, Manifest
from indexes.mismatch import differing
from indexes.pending import Eye, count
from indexes.store import Store

_SAMPLE = 16


@dataclass(frozen=True, slots=True)
class Reembedding:
    """What a new generation beside the live one asks of the model.

    ``chunks``: of all that is to be in it; ``cached``: those whose vector is there already, or comes with an
    equal text's; ``characters``: of the rest, which is embedded. ``seconds``: that this may take, None where
    the model's pace is not known. ``changed``: (key, live, configured) of the settings that differ.
    """

    reason: str
    chunks: int
    cached: int
    characters: int
    seconds: float | None
    changed: tuple[tuple[str, Any, Any], ...] = ()

    @property
    def fresh(self) -> int:
        """How many texts are to be embedded."""
        return self.chunks - self.cached


@dataclass(frozen=True, slots=True)
class Foreseeing:
    """How to look ahead. ``settings``: today's, as in manifests.

    ``seen``: as in ``SyncOptions``. ``measure``: a model whose pace is not known may embed some chunks to
    tell it; not one that costs.
    """

    chunking: Chunking
    settings: Mapping[str, Any] = field(default_factory=dict)
    measure: bool = True
    seen: Seen | None = None
    progress: Callable[[int, int], None] = lambda *_: None


def foresee(
    store: Store, live: Manifest | None, embedder: Embedder, looking: Foreseeing
) -> Reembedding | None:
    """Say what building by ``embedder`` would embed of what the store holds now.

    None where nothing is live yet, where the live generation was built alike, and where a rollback left just
    what would be built. All texts are cut as the build cuts them, so the counts are exact.
    """
    chunking = looking.chunking
    if live is None:
        return None
    reason = _reason(live, embedder, chunking)
    if reason is None:
        return None
    goal = target(store, embedder.key, chunking)
    if goal.state == store.recall("rolled_back"):
        return None
    sample = _Sample()
    eye = Eye(lambda texts: sum(map(len, texts)), looking.seen, sample.add, looking.progress)
    found = count(store, goal.alive[:, VERSION].tolist(), embedder, chunking, eye)
    seconds = _seconds(store, embedder, sample.texts, found.texts, measure=looking.measure)
    changed = tuple(differing(live.settings, looking.settings))
    cached = found.chunks - found.texts
    return Reembedding(reason, found.chunks, cached, found.size, seconds, changed)


def _reason(live: Manifest, embedder: Embedder, chunking: Chunking) -> str | None:
    what = [
        name
        for name, then, now in (
            ("model", live.embedder, embedder.key),
            ("chunking", live.chunker, chunking.key),
            ("analyser", live.analyser, ANALYSER),
        )
        if then != now
    ]
    return f"{' and '.join(what)} changed" if what else None


class _Sample:
    """Some of many texts, each as likely as any other (reservoir sampling, with a fixed seed)."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._seen = 0
        self._chance = random.Random(0)  # noqa: S311 - no secret hangs on it

    def add(self, text: str) -> None:
        """Take one more into account."""
        self._seen += 1
        if len(self.texts) <= _SAMPLE:  # one to warm up, the others to measure
            self.texts.append(text)
        elif (place := self._chance.randrange(self._seen)) <= _SAMPLE:
            self.texts[place] = text


def _seconds(
    store: Store, embedder: Embedder, sample: Sequence[str], count: int, *, measure: bool
) -> float | None:
    if not count:
        return 0.0
    known = pace.embedding_pace(store, embedder.key)
    if known is not None:
        return known * count
    if not measure:
        return None
    try:
        embed(embedder, sample[:1])  # starting the model is no chunk's time
        began = time.monotonic()
        measured = sample[1:] or sample
        embed(embedder, measured)
    except StorageError:
        return None  # the build meets it too, and says it where it must be said
    return (time.monotonic() - began) / len(measured) * count
