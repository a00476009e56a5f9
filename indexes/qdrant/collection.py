"""The collections of one workspace on a server, and the alias that names the live one.

A collection belongs to one generation and is called ``<alias>-<generation>``. Its metadata says whose it is
and whether it is whole; nothing that another workspace or program made is written to, renamed or dropped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from indexes.errors import CollectionForeign, ServerUnavailable
from indexes.generations import Manifest
from indexes.qdrant.points import DENSE, LEXICAL, Point
from indexes.qdrant.server import ABSENT, EXISTS, Remote, Server

MAKER = "ragflow/1"
"""In the metadata of every collection of ours; it changes when points of another form are written."""

_KEYWORDS = ("readers", "source", "document")


@dataclass(frozen=True, slots=True)
class State:
    """What a collection's metadata say. ``complete``: all ``rows`` of the generation are in it."""

    maker: str
    workspace: str
    generation: str
    rows: int
    complete: bool


class Collections:
    """The collections of the workspace with this id, on one server. Raises as ``Remote.call``."""

    def __init__(self, remote: Remote, workspace: str) -> None:
        self._remote = remote
        self._server: Server = remote.server
        self._workspace = workspace

    def name(self, generation: str) -> str:
        """Return the name of a generation's collection."""
        return f"{self._server.alias}-{generation}"

    def state(self, generation: str) -> State | None:
        """Return what is there of a generation; None where nothing is.

        Raises ``CollectionForeign`` where a collection of that name is not this workspace's.
        """
        name = self.name(generation)
        if not self._exists(name):
            return None
        try:
            info = self._remote.call(lambda client: client.get_collection(name))
        except ServerUnavailable as error:
            if error.status != ABSENT:
                raise
            return None
        found = _state(info.config.metadata)
        if found is None or (found.workspace, found.generation) != (self._workspace, generation):
            raise CollectionForeign(
                f"the collection {name} on {self._server.url} was not made by this workspace",
                hint="set index.qdrant.alias to a name of this workspace's own",
            )
        return found

    def complete(self, manifest: Manifest) -> bool:
        """Tell whether all of a generation is there. Raises as ``state``."""
        found = self.state(manifest.id)
        return found is not None and found.complete and found.rows == manifest.chunks

    def make(self, manifest: Manifest, dimensions: int) -> None:
        """Make the empty collection of a generation, unless it was made before, with its payload indexes."""
        from qdrant_client import models

        name = self.name(manifest.id)
        if self.state(manifest.id) is None:
            self._create(manifest, dimensions)
        for field in _KEYWORDS:
            self._indexed(name, field, models.PayloadSchemaType.KEYWORD)
        self._indexed(name, "version", models.PayloadSchemaType.INTEGER)

    def _indexed(self, name: str, field: str, kind: Any) -> None:
        self._remote.call(lambda client: client.create_payload_index(name, field, kind))

    def _create(self, manifest: Manifest, dimensions: int) -> None:
        from qdrant_client import models

        name, server = self.name(manifest.id), self._server
        try:
            self._remote.call(
                lambda client: client.create_collection(
                    name,
                    vectors_config={
                        DENSE: models.VectorParams(
                            # Vectors are unit vectors: the inner product is the cosine, and stays exact.
                            size=dimensions,
                            distance=models.Distance.DOT,
                            on_disk=server.on_disk or None,
                        )
                    },
                    sparse_vectors_config={
                        LEXICAL: models.SparseVectorParams(
                            modifier=models.Modifier.IDF,
                            index=models.SparseIndexParams(on_disk=server.on_disk or None),
                        )
                    },
                    shard_number=server.shards,
                    replication_factor=server.replicas,
                    on_disk_payload=True,
                    hnsw_config=models.HnswConfigDiff(
                        m=server.m, ef_construct=server.ef_construct, on_disk=server.on_disk or None
                    ),
                    quantization_config=_quantization(server),
                    metadata=self._metadata(manifest, complete=False),
                )
            )
        except ServerUnavailable as error:
            if error.status != EXISTS:
                raise
            # Made by an attempt whose answer was lost, or by somebody else just now: then `state` tells.
            self.state(manifest.id)

    def count(self, generation: str) -> int:
        """Return how many points a collection has, exactly."""
        name = self.name(generation)
        return self._remote.call(lambda client: client.count(name, exact=True)).count

    def write(self, generation: str, points: Sequence[Point]) -> None:
        """Write points; those that are there already are written over, so that twice is once."""
        from qdrant_client import models

        name = self.name(generation)
        batch = [
            models.PointStruct(
                id=one.id,
                vector={
                    DENSE: one.vector,
                    LEXICAL: models.SparseVector(indices=one.terms, values=one.weights),
                },
                payload=one.payload,
            )
            for one in points
        ]
        self._remote.call(lambda client: client.upsert(name, batch, wait=True))

    def finish(self, manifest: Manifest) -> None:
        """Say in the metadata that all of a generation is there."""
        name, metadata = self.name(manifest.id), self._metadata(manifest, complete=True)
        self._remote.call(lambda client: client.update_collection(name, metadata=metadata))

    def drop(self, generation: str) -> None:
        """Remove a generation's collection; none is no error, a foreign one stays."""
        if self.state(generation) is None:
            return
        name = self.name(generation)
        self._remote.call(lambda client: client.delete_collection(name))

    def erase(self, generation: str, versions: Sequence[int]) -> None:
        """Remove the points of these versions from a generation's collection, if there is one."""
        from qdrant_client import models

        if self.state(generation) is None or not versions:
            return
        name = self.name(generation)
        chosen = models.FilterSelector(
            filter=models.Filter(
                must=[models.FieldCondition(key="version", match=models.MatchAny(any=list(versions)))]
            )
        )
        self._remote.call(lambda client: client.delete(name, chosen, wait=True))

    def generations(self) -> list[str]:
        """Return the generations of this workspace that have a collection, in the order of their ids."""
        prefix = f"{self._server.alias}-"
        names = [one.name for one in self._remote.call(lambda client: client.get_collections()).collections]
        found = []
        for generation in sorted(name.removeprefix(prefix) for name in names if name.startswith(prefix)):
            try:
                if self.state(generation) is not None:
                    found.append(generation)
            except CollectionForeign:
                continue
        return found

    # -- the alias -------------------------------------------------------------------------------

    def live(self) -> str | None:
        """Return the generation whose collection the alias names; None where there is no alias.

        Raises ``CollectionForeign`` where the alias, or a collection of its name, is not this workspace's.
        """
        alias = self._server.alias
        named = {
            one.alias_name: one.collection_name
            for one in self._remote.call(lambda client: client.get_aliases()).aliases
        }
        if alias not in named:
            if self._exists(alias):
                raise self._taken(f"there is a collection called {alias}")
            return None
        generation = named[alias].removeprefix(f"{alias}-")
        try:
            found = self.state(generation) if generation != named[alias] else None
        except CollectionForeign:
            found = None
        if found is None:
            raise self._taken(f"the alias {alias} names the collection {named[alias]}")
        return generation

    def switch(self, generation: str) -> None:
        """Make the alias name a generation's collection, in one step of the server's.

        What it names afterwards is looked at again: between two workspaces that race for one alias, the one
        that lost it is told.
        """
        from qdrant_client import models

        alias, name = self._server.alias, self.name(generation)
        before = self.live()
        if before == generation:
            return
        renamed: list[Any] = []
        if before is not None:
            renamed.append(models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias)))
        renamed.append(
            models.CreateAliasOperation(
                create_alias=models.CreateAlias(collection_name=name, alias_name=alias)
            )
        )
        try:
            self._remote.call(lambda client: client.update_collection_aliases(renamed))
        except ServerUnavailable as error:
            if error.status not in (ABSENT, EXISTS):
                raise
            if self.live() != generation:  # else an attempt whose answer was lost had done it
                raise self._raced() from error
        if self.live() != generation:
            raise self._raced()

    def _exists(self, name: str) -> bool:
        return self._remote.call(lambda client: client.collection_exists(name))

    def _taken(self, why: str) -> CollectionForeign:
        return CollectionForeign(
            f"{why} on {self._server.url}, and this workspace did not make it",
            hint="set index.qdrant.alias to a name of this workspace's own",
        )

    def _raced(self) -> ServerUnavailable:
        return ServerUnavailable(
            f"the alias {self._server.alias} on {self._server.url} was changed by somebody else meanwhile",
            hint="let one workspace alone use this alias, then ragflow index",
        )

    def _metadata(self, manifest: Manifest, *, complete: bool) -> dict[str, Any]:
        return {
            "made_by": MAKER,
            "workspace": self._workspace,
            "generation": manifest.id,
            "rows": manifest.chunks,
            "complete": complete,
        }


def _state(metadata: dict[str, Any] | None) -> State | None:
    match metadata:
        case {
            "made_by": str(maker),
            "workspace": str(workspace),
            "generation": str(generation),
            "rows": int(rows),
            "complete": bool(complete),
        } if maker == MAKER:
            return State(maker, workspace, generation, rows, complete)
        case _:
            return None


def _quantization(server: Server) -> Any:
    from qdrant_client import models

    if server.quantization == "int8":
        return models.ScalarQuantization(
            scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, always_ram=True)
        )
    if server.quantization == "binary":
        return models.BinaryQuantization(binary=models.BinaryQuantizationConfig(always_ram=True))
    return None
