"""Generation -> collection -> alias. A push that was cut is gone on with; nothing here is changed by it."""

import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice

from indexes.errors import ServerUnavailable
from indexes.generations import Generations, Manifest
from indexes.qdrant import MOST_AT_ONCE
from indexes.qdrant.collection import Collections
from indexes.qdrant.points import Generation, Point, points
from indexes.qdrant.server import Remote
from indexes.query import Ranking
from indexes.segments import open_segment
from indexes.store import Store

_WORKSPACE = "workspace"
_BODY_BYTES = 16_000_000  # a server takes twice as much unless told otherwise
_NUMBER_BYTES = 25  # a float32 in JSON, at the most
_REST_BYTES = 4_000  # terms and payload of a point


def workspace_id(store: Store) -> str | None:
    """Return what this workspace is called on servers; None where nothing of it was ever pushed."""
    return store.recall(_WORKSPACE)


class QdrantPublisher:
    """Satisfies ``indexes.report.Publisher``. The caller holds the workspace's write lock.

    Each method raises as ``Remote.call``, and ``CollectionForeign`` rather than touch what is not ours.
    """

    def __init__(self, remote: Remote, store: Store, generations: Generations, ranking: Ranking) -> None:
        self._remote = remote
        self._store = store
        self._generations = generations
        self._ranking = ranking
        self._opened: Collections | None = None

    def push(self, manifest: Manifest, progress: Callable[[int, int], None] = lambda *_: None) -> int:
        """Write all of a generation into its collection, unless it is there; give how many points were sent.

        Killed or cut off anywhere, the next push goes on: points are written in one order, a batch after
        the other was confirmed, and writing one twice is writing it once.
        """
        collections = self._collections()
        if not manifest.chunks:
            return 0
        # What it said once may have been lost since: points are counted, not only remembered.
        if collections.complete(manifest) and collections.count(manifest.id) == manifest.chunks:
            return 0
        self._remote.check_version()
        generation = self._open(manifest)
        dimensions = next(iter(generation.segments.values())).vectors.shape[1]
        collections.make(manifest, dimensions)
        done = max(0, collections.count(manifest.id) - MOST_AT_ONCE)
        sent = self._send(manifest, generation, done, progress)
        if collections.count(manifest.id) != manifest.chunks:
            # Points went missing that had been confirmed: all are written once more.
            sent += self._send(manifest, generation, 0, progress)
            found = collections.count(manifest.id)
            if found != manifest.chunks:
                raise ServerUnavailable(
                    f"the collection {collections.name(manifest.id)} holds {found:,} points"
                    f" of {manifest.chunks:,} after all were written",
                    hint="look whether somebody else writes to it; then ragflow index again",
                )
        collections.finish(manifest)
        return sent

    def switch(self, manifest: Manifest) -> None:
        """Make the alias name this generation's collection; one without chunks has none, and is no error."""
        if manifest.chunks:
            self._collections().switch(manifest.id)

    def keep(self, generations: Collection[str]) -> None:
        """Drop the collections of this workspace whose generation is not among these."""
        collections = self._collections()
        for one in collections.generations():
            if one not in generations:
                collections.drop(one)

    def erase(self, versions: Sequence[int]) -> None:
        """Remove the points of these versions from every collection of this workspace."""
        collections = self._collections()
        for one in collections.generations():
            collections.erase(one, versions)

    def _collections(self) -> Collections:
        if self._opened is None:
            known = workspace_id(self._store)
            if known is None:
                known = secrets.token_hex(16)
                self._store.remember(_WORKSPACE, known)
            self._opened = Collections(self._remote, known)
        return self._opened

    def _open(self, manifest: Manifest) -> Generation:
        segments = {one.id: open_segment(self._generations.segments / one.id) for one in manifest.segments}
        return Generation(manifest, self._generations.alive(manifest), segments)

    def _batch(self, generation: Generation) -> int:
        """Return how many points are sent at once: as configured, and not more than a request may hold."""
        dimensions: int = next(iter(generation.segments.values())).vectors.shape[1]
        most = _BODY_BYTES // (_NUMBER_BYTES * dimensions + _REST_BYTES)
        return max(1, min(self._remote.server.batch, most))

    def _send(
        self, manifest: Manifest, generation: Generation, done: int, progress: Callable[[int, int], None]
    ) -> int:
        collections, sent = self._collections(), 0
        rest = islice(points(generation, self._store, self._ranking), done, None)
        progress(done, manifest.chunks)
        for batch in _batches(rest, self._batch(generation)):
            collections.write(manifest.id, batch)
            sent += len(batch)
            progress(done + sent, manifest.chunks)
        return sent


def _batches(values: Iterable[Point], size: int) -> Iterator[list[Point]]:
    source = iter(values)
    while batch := list(islice(source, size)):
        yield batch
