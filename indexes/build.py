"""Store -> generation: bring what is alive in the store into a manifest beside the live one.

Nothing here depends on how the store got there, so a build that was killed is simply done again: what
was embedded is in the cache, what is in a segment stays there.
"""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from connectors.documents import Document
from indexes import caching, pace, schema
from indexes.analysis import ANALYSER
from indexes.chunks import CHUNKER, Chunk, Mode, chunk_document, embedded_text
from indexes.embedding import Embedder, Vectors, embed
from indexes.errors import ModelMismatch
from indexes.generations import (
    SOURCE,
    VERSION,
    Generations,
    Manifest,
    SegmentRef,
    new_id,
    segment_digest,
    state_digest,
)
from indexes.mismatch import changed
from indexes.postings import PostingsBuilder
from indexes.segments import Rows, Segment, merge_segments, open_segment, write_segment
from indexes.store import Store
from indexes.versions import Version

_EMBED_BATCH = 64
_COMPACT_SHARE = 0.2
_COMPACT_SEGMENTS = 16

Seen = Callable[[str, int, int], str]
"""(a document's text, start, end) -> what the model may see of that span."""


@dataclass(frozen=True, slots=True)
class Chunking:
    """How documents are cut: see ``chunk_document``."""

    mode: Mode = "structure"
    tokens: int = 200
    overlap: int = 40

    @property
    def key(self) -> str:
        """Changes whenever chunks may."""
        return f"{CHUNKER} {self.mode} {self.tokens} {self.overlap}"


@dataclass(frozen=True, slots=True)
class Target:
    """What a generation should hold: the store's living versions, and the models to build with.

    ``alive`` is int64 of shape (versions, 4) as in ``generations``.
    """

    sources: tuple[str, ...]
    alive: NDArray[np.int64]
    state: str


@dataclass(frozen=True, slots=True)
class Origin:
    """What a manifest says of how it came to be: see ``Manifest.parsing`` and ``Manifest.settings``."""

    parsing: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)


def target(store: Store, embedder_key: str, chunking: Chunking) -> Target:
    """Read from the store what the next generation should hold."""
    d = schema.documents.c
    query = (
        sa.select(d.version, d.id, d.acl, d.source).where(~d.dead, d.version.is_not(None)).order_by(d.version)
    )
    names: dict[str, int] = {}
    with store.read() as connection:
        rows = (
            (version, document, acl, names.setdefault(source, len(names)))
            for version, document, acl, source in connection.execute(query)
        )
        alive: NDArray[np.int64] = np.fromiter(rows, dtype=np.dtype((np.int64, 4)))
    sources = tuple(sorted(names))
    places = np.array([sources.index(name) for name in names], dtype=np.int64)
    alive[:, SOURCE] = places[alive[:, SOURCE]]
    return Target(sources, alive, state_digest((embedder_key, chunking.key, ANALYSER), sources, alive))


@dataclass(frozen=True, slots=True)
class Embedded:
    """How many chunks of a build got a vector: computed, or found in the cache."""

    computed: int = 0
    cached: int = 0


class Builder:
    """Builds one generation. ``step(state)`` is called after each durable state, ``progress`` as it goes.

    ``embedded`` counts what was done so far.
    """

    def __init__(
        self,
        store: Store,
        generations: Generations,
        embedder: Embedder,
        chunking: Chunking,
        *,
        step: Callable[[str], None],
        progress: Callable[[int, int], None],
    ) -> None:
        self.embedded = Embedded()
        self._seen: Seen = _whole
        self._width: int | None = None
        self._store = store
        self._generations = generations
        self._embedder = embedder
        self._chunking = chunking
        self._step = step
        self._progress = progress
        self._seconds = 0.0

    def build(
        self,
        goal: Target,
        live: Manifest | None,
        *,
        full: bool = False,
        origin: Origin | None = None,
        seen: Seen | None = None,
    ) -> Manifest:
        """Write and verify the generation beside the live one; it is not promoted here.

        ``seen`` None: the model sees the chunks as they are.

        Raises ``VectorsUnsound``; ``ModelMismatch`` or ``ModelChanged`` where the vectors of the live
        generation's model have another width now.
        """
        self._seen = seen or _whole
        kept: list[SegmentRef] = []
        pair = (self._embedder.key, self._chunking.key)
        if live is not None and (live.embedder, live.chunker) != pair:
            caching.begin(self._store, pair)
        if live is not None and not full and self._same_models(live):
            kept = list(live.segments)
        opened = {one.id: open_segment(self._generations.segments / one.id) for one in kept}
        self._width = next((segment.vectors.shape[1] for segment in opened.values()), None)
        present = [np.unique(segment.rows.versions) for segment in opened.values()]
        held = np.concatenate(present) if present else np.empty(0, dtype=np.int64)
        missing = np.setdiff1d(goal.alive[:, VERSION], held)
        if len(missing):
            self._check_width(opened.values())
        fresh = self._write_segment(missing.tolist())
        self._step("segment")
        if fresh is not None:
            kept.append(fresh)
            opened[fresh.id] = open_segment(self._generations.segments / fresh.id)
        masks = {
            name: np.isin(segment.rows.versions, goal.alive[:, VERSION]) for name, segment in opened.items()
        }
        kept = [one for one in kept if masks[one.id].any()]
        if self._should_compact(kept, masks):
            kept = [compact(self._generations, [(opened[one.id], masks[one.id]) for one in kept])]
            masks = {kept[0].id: np.ones(kept[0].rows, dtype=np.bool_)}
            self._step("compacted")
        models = (self._embedder.key, self._chunking.key, ANALYSER)
        chunks = sum(int(masks[one.id].sum()) for one in kept)
        made = origin or Origin()
        described = replace(
            describe(goal, live, models, kept, chunks),
            parsing=made.parsing,
            settings=made.settings,
            dimensions=max((one.vectors.shape[1] for one in opened.values()), default=0),
        )
        manifest = self._generations.write(described, goal.alive)
        self._generations.verify(manifest)
        self._step("manifest")
        return manifest

    def _same_models(self, live: Manifest) -> bool:
        ours = (self._embedder.key, self._chunking.key, ANALYSER)
        return ours == (live.embedder, live.chunker, live.analyser)

    def _check_width(self, segments: Iterable[Segment]) -> None:
        """Refuse to put vectors of one width beside those of another, as far as the model's is known."""
        ours = self._embedder.dimensions
        for segment in segments:
            theirs = segment.vectors.shape[1]
            if ours and theirs != ours:
                raise ModelMismatch(
                    f"the embedding model has {ours} dimensions now; the live index was built when it had"
                    f" {theirs}: it is another model under the same name ({self._embedder.key})",
                    hint="ragflow index --full builds a new index beside the live one; or set embed.* back",
                )

    def _write_segment(self, version_ids: list[int]) -> SegmentRef | None:
        """Chunk, embed and write what no segment holds yet. None when that gives no chunk."""
        name = new_id().replace("g-", "s-", 1)
        raw = self._generations.segments / f"{name}.vectors"
        versions = sorted(self._store.versions(version_ids).values(), key=lambda one: (one.name, one.id))
        postings = PostingsBuilder()
        columns: list[tuple[int, int, int]] = []
        try:
            with raw.open("wb") as file:
                for block in self._embedded(versions):
                    for version, chunk, text in block.rows:
                        columns.append((version.id, chunk.start, chunk.end))
                        above = " ".join((*chunk.headings, chunk.header))
                        piece = text[chunk.start : chunk.end]
                        postings.add(piece, version.title, above, language=version.language)
                    file.write(block.vectors.tobytes())
            if not columns:
                return None
            self._step("embedded")
            pace.learn_embedding(self._store, self._embedder.key, self._seconds, self.embedded.computed)
            shape = (len(columns), self._width or 0)
            table = np.array(columns, dtype=np.int64)
            rows = Rows(table[:, 0].copy(), table[:, 1].astype(np.int32), table[:, 2].astype(np.int32))
            folder = self._generations.segments / name
            vectors = np.memmap(raw, dtype=np.float32, mode="r", shape=shape)
            write_segment(folder, rows, vectors, postings.build())
            return SegmentRef(name, len(columns), segment_digest(folder))
        finally:
            raw.unlink(missing_ok=True)

    def _embedded(self, versions: Sequence[Version]) -> Iterator["_Block"]:
        waiting: list[tuple[Version, Chunk, str]] = []
        for done, version in enumerate(versions):
            self._progress(done, len(versions))
            text = self._store.text(version.revision) or ""
            waiting.extend(
                (version, chunk, text)
                for chunk in chunks_of(self._store, version, text, self._embedder, self._chunking)
            )
            while len(waiting) >= _EMBED_BATCH:
                yield self._embed(waiting[:_EMBED_BATCH])
                del waiting[:_EMBED_BATCH]
        if waiting:
            yield self._embed(waiting)
        self._progress(len(versions), len(versions))

    def _embed(self, rows: list[tuple[Version, Chunk, str]]) -> "_Block":
        texts = [seen_text(version.title, chunk, text, self._seen) for version, chunk, text in rows]
        keys = [caching.cache_key(self._embedder.key, text) for text in texts]
        known = caching.cached(self._store, keys, self._embedder.dimensions)
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if new:
            began = time.monotonic()
            fresh = embed(self._embedder, list(new.values()))
            self._seconds += time.monotonic() - began
            known |= dict(zip(new, fresh, strict=True))
        for vector in known.values():
            self._check(vector)
        chunks = [
            caching.Cut(version.id, chunk.start, chunk.end, key)
            for (version, chunk, _), key in zip(rows, keys, strict=True)
        ]
        pair = (self._embedder.key, self._chunking.key)
        caching.keep(self._store, pair, chunks, {key: known[key] for key in new})
        done = self.embedded
        self.embedded = Embedded(done.computed + len(new), done.cached + len(set(keys)) - len(new))
        return _Block(rows, np.stack([known[key] for key in keys]).astype("<f4", copy=False))

    def _check(self, vector: NDArray[np.float32]) -> None:
        self._width = self._width or len(vector)
        if len(vector) != self._width:
            raise changed(len(vector), self._width)

    def _should_compact(self, kept: Sequence[SegmentRef], masks: dict[str, NDArray[np.bool_]]) -> bool:
        total = sum(one.rows for one in kept)
        dead = total - sum(int(masks[one.id].sum()) for one in kept)
        return len(kept) > _COMPACT_SEGMENTS or dead > _COMPACT_SHARE * total


def chunks_of(
    store: Store, version: Version, text: str, embedder: Embedder, chunking: Chunking
) -> tuple[Chunk, ...]:
    """Cut a stored version, whose text is given, as a build does."""
    document = Document(version.name, version.title, text, store.anchors(version.layout), version.parser)
    return chunk_document(
        document,
        mode=chunking.mode,
        tokens=chunking.tokens,
        overlap=chunking.overlap,
        token_offsets=embedder.token_offsets,
    )


def seen_text(title: str, chunk: Chunk, text: str, seen: Seen | None) -> str:
    """Return what the model sees of a chunk of ``text``: title, headings, then the chunk."""
    return embedded_text(title, chunk, (seen or _whole)(text, chunk.start, chunk.end))


def _whole(text: str, start: int, end: int) -> str:
    return text[start:end]


@dataclass(frozen=True, slots=True)
class _Block:
    """Rows (version, chunk, the version's whole text) and their vectors."""

    rows: list[tuple[Version, Chunk, str]]
    vectors: Vectors


def describe(
    goal: Target,
    parent: Manifest | None,
    models: tuple[str, str, str],
    kept: Sequence[SegmentRef],
    chunks: int,
) -> Manifest:
    """Make the manifest of a generation that begins now. ``models``: embedder, chunker, analyser."""
    now = datetime.now(UTC)
    return Manifest(
        id=new_id(now),
        created=now.isoformat(timespec="seconds").replace("+00:00", "Z"),
        parent=parent.id if parent else None,
        embedder=models[0],
        chunker=models[1],
        analyser=models[2],
        sources=goal.sources,
        segments=tuple(kept),
        alive_digest="",
        state=goal.state,
        documents=len(goal.alive),
        chunks=chunks,
    )


def compact(generations: Generations, parts: Sequence[tuple[Segment, NDArray[np.bool_]]]) -> SegmentRef:
    """Write one segment of the masked rows of several."""
    name = new_id().replace("g-", "s-", 1)
    folder: Path = generations.segments / name
    try:
        merge_segments(folder, parts)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return SegmentRef(name, sum(int(mask.sum()) for _, mask in parts), segment_digest(folder))
