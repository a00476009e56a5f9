"""A question -> the rows that a server's two legs find, each under the readers' filter, in one request."""

from typing import Any

from indexes.errors import NotPushed, ServerUnavailable
from indexes.generations import Manifest
from indexes.nominating import Nominee, Wish
from indexes.qdrant.collection import Collections
from indexes.qdrant.points import DENSE, LEXICAL, sparse_question
from indexes.qdrant.publisher import workspace_id
from indexes.qdrant.server import ABSENT, Remote
from indexes.store import Store

_OVERSAMPLING = 2.0  # quantised vectors choose twice as many, the full ones choose among these
_PAYLOAD = ["segment", "row", "version"]


class QdrantNominator:
    """Satisfies ``indexes.nominating.Nominator``.

    Document frequencies are counted by the server among the points that the filter leaves, so that hidden
    rows do not choose candidates either. What a collection is, is looked up once for each generation.
    """

    def __init__(self, remote: Remote, store: Store) -> None:
        self._remote = remote
        self._store = store
        self._known: tuple[str, str] | None = None  # a generation, its collection

    def nominate(self, wish: Wish) -> list[Nominee]:
        """Name the rows of both legs' first ``count``, in any order.

        Raises ``NotPushed``, ``CollectionForeign``, and as ``Remote.call``.
        """
        if not wish.readers:
            return []
        name = self._collection(wish.generation)
        legs = self._legs(wish)
        if not legs:
            return []
        from qdrant_client import models

        query: dict[str, Any] = legs[0]
        if len(legs) > 1:
            # Their own ranks are of no interest: this is the one way to have both legs in one answer.
            fused = models.FusionQuery(fusion=models.Fusion.RRF)
            query = {"prefetch": [_prefetch(leg) for leg in legs], "query": fused, "limit": 2 * wish.count}
        try:
            found = self._remote.call(
                lambda client: client.query_points(name, with_payload=_PAYLOAD, **query)
            ).points
        except ServerUnavailable as error:
            if error.status != ABSENT:
                raise
            self._known = None
            raise _not_pushed(wish.generation, self._remote.server.url) from error
        return [nominee for one in found if (nominee := _nominee(one.payload)) is not None]

    def _collection(self, generation: Manifest) -> str:
        if self._known is None or self._known[0] != generation.id:
            workspace = workspace_id(self._store)
            collections = None if workspace is None else Collections(self._remote, workspace)
            if collections is None or not collections.complete(generation):
                raise _not_pushed(generation, self._remote.server.url)
            self._known = generation.id, collections.name(generation.id)
        return self._known[1]

    def _legs(self, wish: Wish) -> list[dict[str, Any]]:
        from qdrant_client import models

        readable = _filter(wish)
        legs: list[dict[str, Any]] = []
        if wish.vector is not None and wish.system != "lexical":
            server = self._remote.server
            rescored = models.QuantizationSearchParams(rescore=True, oversampling=_OVERSAMPLING)
            params = models.SearchParams(
                hnsw_ef=None if server.ef is None else max(server.ef, wish.count),
                quantization=rescored if server.quantization else None,
            )
            legs.append({"query": wish.vector.tolist(), "using": DENSE, "search_params": params})
        if wish.terms and wish.system != "dense":
            indices, values = sparse_question(wish.terms)
            counted = models.SearchParams(idf=models.IdfCorpusParams(corpus=readable))
            terms = models.SparseVector(indices=indices, values=values)
            legs.append({"query": terms, "using": LEXICAL, "search_params": counted})
        return [{**leg, "query_filter": readable, "limit": wish.count} for leg in legs]


def _filter(wish: Wish) -> Any:
    from qdrant_client import models

    must: list[Any] = [models.FieldCondition(key="readers", match=models.MatchAny(any=sorted(wish.readers)))]
    if wish.sources is not None:
        must.append(models.FieldCondition(key="source", match=models.MatchAny(any=list(wish.sources))))
    lost: list[Any] = []
    if len(wish.lost):
        lost.append(models.FieldCondition(key="version", match=models.MatchAny(any=wish.lost.tolist())))
    return models.Filter(must=must, must_not=lost or None)


def _prefetch(leg: dict[str, Any]) -> Any:
    from qdrant_client import models

    return models.Prefetch(
        query=leg["query"],
        using=leg["using"],
        filter=leg["query_filter"],
        params=leg["search_params"],
        limit=leg["limit"],
    )


def _nominee(payload: dict[str, Any] | None) -> Nominee | None:
    """Return what a point stands for; None for one that is none of ours."""
    match payload:
        case {"segment": str(segment), "row": int(row), "version": int(version)}:
            return Nominee(segment, row, version)
        case _:
            return None


def _not_pushed(generation: Manifest, url: str) -> NotPushed:
    return NotPushed(
        f"the Qdrant server at {url} does not hold the generation {generation.id}, or not all of it",
        hint="ragflow generations push",
    )
