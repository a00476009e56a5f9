"""What a build would have to embed, counted before it is begun. Nothing is embedded, nothing is written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from indexes import caching
from indexes.analysis import ANALYSER
from indexes.build import Chunking, Seen, chunks_of, seen_text, target
from indexes.embedding import Embedder
from indexes.generations import VERSION, Generations, Manifest
from indexes.segments import open_segment
from indexes.store import Store, batches

_VERSIONS = 64  # whose texts are looked up in the cache at once


@dataclass(frozen=True, slots=True)
class Pending:
    """Chunks of the store that no segment holds, and what of them is to be embedded.

    ``texts``: different ones that no cache has a vector of, their ``size`` in the unit of whoever counted;
    ``cached``: different ones that it has; ``chunks``: all, equal texts too.
    """

    texts: int = 0
    size: int = 0
    cached: int = 0
    chunks: int = 0


@dataclass(frozen=True, slots=True)
class Eye:
    """How the model looks at texts: ``size`` measures them, ``seen`` is that of ``SyncOptions``.

    ``met`` is given each text that is to be embedded; ``progress`` counts documents.
    """

    size: Callable[[Sequence[str]], int]
    seen: Seen | None = None
    met: Callable[[str], None] = lambda _: None
    progress: Callable[[int, int], None] = lambda *_: None


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
    return count(store, missing, embedder, chunking, eye)


def count(store: Store, versions: Sequence[int], embedder: Embedder, chunking: Chunking, eye: Eye) -> Pending:
    """Count the chunks of these versions, and what of them the cache has no vector of."""
    met = set[bytes]()
    chunks = cached = texts = size = done = 0
    for batch in batches(versions, _VERSIONS):
        shown: dict[bytes, str] = {}
        for version in store.versions(batch).values():
            text = store.text(version.revision) or ""
            for chunk in chunks_of(store, version, text, embedder, chunking):
                seen = seen_text(version.title, chunk, text, eye.seen)
                shown.setdefault(caching.cache_key(embedder.key, seen), seen)
                chunks += 1
        different = {key: text for key, text in shown.items() if key not in met}
        met |= different.keys()
        known = caching.cached(store, list(different), embedder.dimensions)
        new = [text for key, text in different.items() if key not in known]
        cached, texts, size = cached + len(known), texts + len(new), size + eye.size(new)
        for text in new:
            eye.met(text)
        done += len(batch)
        eye.progress(done, len(versions))
    return Pending(texts, size, cached, chunks)


def _held(generations: Generations, live: Manifest, embedder: Embedder, chunking: Chunking) -> set[int]:
    """Return the versions whose vectors are in the live generation's segments and can stay there."""
    if (live.embedder, live.chunker, live.analyser) != (embedder.key, chunking.key, ANALYSER):
        return set()
    return {
        int(version)
        for one in live.segments
        for version in np.unique(open_segment(generations.segments / one.id).rows.versions)
    }
