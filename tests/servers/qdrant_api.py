"""What a Qdrant server answers to the requests that we make, over the client library's own local mode.

Filters, scores, IDF, prefetches, aliases and metadata are local mode's, which its authors keep equal to their
server's; what local mode forgets (payload indexes, the options of a collection) is kept here. Status codes
and words are those of the server. Searches are exact here, so a test shows nothing about recall.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import unquote

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python
from qdrant_client import QdrantClient
from qdrant_client.http import models as m
from qdrant_faults import Asked

_INSERT: TypeAdapter[m.PointsList | m.PointsBatch] = TypeAdapter(m.PointInsertOperations)
_SELECT: TypeAdapter[m.PointIdsList | m.FilterSelector] = TypeAdapter(m.PointsSelector)
_Model = TypeVar("_Model", bound=BaseModel)


class Refusal(Exception):
    """An answer that is an error: ``status`` and the server's words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Kept:
    """What local mode forgets of a collection: how it was made, and its payload indexes by field."""

    made: m.CreateCollection
    indexes: dict[str, Any] = field(default_factory=dict)


class QdrantApi:
    """Answers requests. Not for several threads at once: local mode is not.

    ``version``: below 1.19 the statistics of ``params.idf`` are not understood and silently not used.
    """

    def __init__(self, version: str = "1.19.0") -> None:
        self.version = version
        self.data = QdrantClient(":memory:")
        self.kept: dict[str, Kept] = {}

    def answer(self, asked: Asked) -> Any:
        """Return what stands under ``result``; for ``/`` and the probes the whole body.

        Raises:
            Refusal: the server would answer with an error.
        """
        for method, pattern, reply in _ROUTES:
            found = re.fullmatch(pattern, asked.path)
            if found and method == asked.method:
                try:
                    return to_jsonable_python(reply(self, asked, *map(unquote, found.groups())))
                except ValidationError as error:
                    first = error.errors()[0]
                    where = ".".join(map(str, first["loc"]))
                    raise Refusal(400, f"Format error in JSON body: {first['msg']} at {where}") from error
                except ValueError as error:
                    raise Refusal(400, f"Wrong input: {str(error).removeprefix('Wrong input: ')}") from error
        raise Refusal(404, "")

    def close(self) -> None:
        self.data.close()

    # the server itself

    def _root(self, _: Asked) -> Any:
        return {"title": "qdrant - vector search engine", "version": self.version, "commit": None}

    def _probe(self, _: Asked) -> Any:
        return "all shards are ready"

    def _cluster(self, _: Asked) -> Any:
        return {"status": "disabled"}

    # collections

    def _named(self, name: str) -> str:
        """Return the collection that a name or an alias means."""
        target = self.data._client.aliases.get(name, name)
        if target not in self.kept:
            raise Refusal(404, f"Not found: Collection `{name}` doesn't exist!")
        return target

    def _collections(self, _: Asked) -> Any:
        return self.data.get_collections()

    def _exists(self, _: Asked, name: str) -> Any:
        return {"exists": self.data.collection_exists(name)}

    def _create(self, asked: Asked, name: str) -> Any:
        made = _parsed(m.CreateCollection, asked)
        if name in self.kept:
            raise Refusal(409, f"Wrong input: Collection `{name}` already exists!")
        if name in self.data._client.aliases:
            told = f"Can't create collection with name {name}. Alias with the same name already exists"
            raise Refusal(400, f"Wrong input: {told}")
        self.data.create_collection(
            name,
            vectors_config=made.vectors,
            sparse_vectors_config=made.sparse_vectors,
            metadata=made.metadata,
        )
        self.kept[name] = Kept(made)
        return True

    def _update(self, asked: Asked, name: str) -> Any:
        change = _parsed(m.UpdateCollection, asked)
        target = self._named(name)
        made = self.kept[target].made
        for wanted, diff in (
            ("hnsw_config", change.hnsw_config),
            ("optimizers_config", change.optimizers_config),
        ):
            if diff is not None:
                before = _given(getattr(made, wanted))
                setattr(made, wanted, type(diff)(**{**before, **_given(diff)}))
        self.data.update_collection(target, metadata=change.metadata)
        return True

    def _drop(self, _: Asked, name: str) -> Any:
        self.kept.pop(name, None)
        return self.data.delete_collection(name)

    def _info(self, _: Asked, name: str) -> Any:
        target = self._named(name)
        told, kept = to_jsonable_python(self.data.get_collection(target)), self.kept[target]
        points = told["points_count"]
        config, made = told["config"], to_jsonable_python(kept.made)
        for option in ("shard_number", "replication_factor", "write_consistency_factor", "on_disk_payload"):
            config["params"][option] = 1 if made[option] is None and "factor" in option else made[option]
        config["params"]["shard_number"] = made["shard_number"] or 1
        config["hnsw_config"] |= _given(kept.made.hnsw_config)
        config["optimizer_config"] |= _given(kept.made.optimizers_config)
        config["quantization_config"] = made["quantization_config"]
        told["payload_schema"] = {
            where: {"data_type": _type_of(schema), "points": points} for where, schema in kept.indexes.items()
        }
        return told

    def _index(self, asked: Asked, name: str) -> Any:
        wanted = _parsed(m.CreateFieldIndex, asked)
        schema = to_jsonable_python(wanted.field_schema, exclude_none=True)
        self.kept[self._named(name)].indexes[wanted.field_name] = schema
        return _COMPLETED

    # aliases

    def _aliases(self, _: Asked) -> Any:
        return self.data.get_aliases()

    def _aliases_of(self, _: Asked, name: str) -> Any:
        return self.data.get_collection_aliases(self._named(name))

    def _change_aliases(self, asked: Asked) -> Any:
        actions = _parsed(m.ChangeAliasesOperation, asked).actions
        for action in actions:
            if isinstance(action, m.CreateAliasOperation):
                wanted = action.create_alias
                if wanted.collection_name not in self.kept:
                    raise Refusal(404, f"Not found: Collection `{wanted.collection_name}` doesn't exist!")
                if wanted.alias_name in self.kept:
                    raise Refusal(409, f"Wrong input: Collection `{wanted.alias_name}` already exists!")
            elif isinstance(action, m.RenameAliasOperation):
                old = action.rename_alias.old_alias_name
                if old not in self.data._client.aliases:
                    raise Refusal(404, f"Not found: Alias {old} does not exists!")
        return self.data.update_collection_aliases(actions)

    # points

    def _upsert(self, asked: Asked, name: str) -> Any:
        body = _INSERT.validate_python(asked.body)
        points = body.points if isinstance(body, m.PointsList) else body.batch
        self.data.upsert(
            self._named(name), points, update_filter=body.update_filter, update_mode=body.update_mode
        )
        return _COMPLETED if asked.query.get("wait") == "true" else _ACKNOWLEDGED

    def _delete(self, asked: Asked, name: str) -> Any:
        body = _SELECT.validate_python(asked.body)
        selector = body.points if isinstance(body, m.PointIdsList) else body.filter
        self.data.delete(self._named(name), points_selector=selector)
        return _COMPLETED if asked.query.get("wait") == "true" else _ACKNOWLEDGED

    def _retrieve(self, asked: Asked, name: str) -> Any:
        body = _parsed(m.PointRequest, asked)
        payload = True if body.with_payload is None else body.with_payload
        return self.data.retrieve(
            self._named(name), body.ids, with_payload=payload, with_vectors=body.with_vector or False
        )

    def _count(self, asked: Asked, name: str) -> Any:
        return self.data.count(self._named(name), count_filter=_parsed(m.CountRequest, asked).filter)

    def _scroll(self, asked: Asked, name: str) -> Any:
        body = _parsed(m.ScrollRequest, asked)
        points, offset = self.data.scroll(
            self._named(name),
            scroll_filter=body.filter,
            limit=10 if body.limit is None else body.limit,
            order_by=body.order_by,
            offset=body.offset,
            with_payload=True if body.with_payload is None else body.with_payload,
            with_vectors=body.with_vector or False,
        )
        return {"points": points, "next_page_offset": offset}

    def _query(self, asked: Asked, name: str) -> Any:
        return self._queried(name, _parsed(m.QueryRequest, asked))

    def _query_batch(self, asked: Asked, name: str) -> Any:
        return [self._queried(name, one) for one in _parsed(m.QueryRequestBatch, asked).searches]

    def _queried(self, name: str, body: m.QueryRequest) -> m.QueryResponse:
        prefetch = body.prefetch if isinstance(body.prefetch, list | None) else [body.prefetch]
        return self.data.query_points(
            self._named(name),
            query=body.query,
            using=body.using,
            prefetch=None if prefetch is None else [self._understood(one) for one in prefetch],
            query_filter=body.filter,
            search_params=self._statistics(body.params),
            limit=10 if body.limit is None else body.limit,
            offset=body.offset,
            with_payload=body.with_payload or False,
            with_vectors=body.with_vector or False,
            score_threshold=body.score_threshold,
            lookup_from=body.lookup_from,
        )

    def _understood(self, prefetch: m.Prefetch) -> m.Prefetch:
        inner = prefetch.prefetch if isinstance(prefetch.prefetch, list | None) else [prefetch.prefetch]
        deeper = None if inner is None else [self._understood(one) for one in inner]
        return prefetch.model_copy(update={"params": self._statistics(prefetch.params), "prefetch": deeper})

    def _statistics(self, params: m.SearchParams | None) -> m.SearchParams | None:
        """Return what is about statistics; the rest is about an index, which local mode warns of."""
        if params is None or params.idf is None or _release(self.version) < (1, 19):
            return None
        return m.SearchParams(idf=params.idf)


_COMPLETED = {"operation_id": 1, "status": "completed"}
_ACKNOWLEDGED = {"operation_id": 1, "status": "acknowledged"}
_ONE = "/collections/([^/]+)"
_ROUTES: tuple[tuple[str, str, Callable[..., Any]], ...] = (
    ("GET", "/", QdrantApi._root),
    ("GET", "/(?:readyz|healthz|livez)", QdrantApi._probe),
    ("GET", "/cluster", QdrantApi._cluster),
    ("GET", "/aliases", QdrantApi._aliases),
    ("GET", "/collections", QdrantApi._collections),
    ("POST", "/collections/aliases", QdrantApi._change_aliases),
    ("GET", _ONE, QdrantApi._info),
    ("PUT", _ONE, QdrantApi._create),
    ("PATCH", _ONE, QdrantApi._update),
    ("DELETE", _ONE, QdrantApi._drop),
    ("GET", f"{_ONE}/exists", QdrantApi._exists),
    ("GET", f"{_ONE}/aliases", QdrantApi._aliases_of),
    ("PUT", f"{_ONE}/index", QdrantApi._index),
    ("PUT", f"{_ONE}/points", QdrantApi._upsert),
    ("POST", f"{_ONE}/points", QdrantApi._retrieve),
    ("POST", f"{_ONE}/points/delete", QdrantApi._delete),
    ("POST", f"{_ONE}/points/count", QdrantApi._count),
    ("POST", f"{_ONE}/points/scroll", QdrantApi._scroll),
    ("POST", f"{_ONE}/points/query", QdrantApi._query),
    ("POST", f"{_ONE}/points/query/batch", QdrantApi._query_batch),
)


def _parsed(model: type[_Model], asked: Asked) -> _Model:
    return model.model_validate({} if asked.body is None else asked.body)


def _given(options: BaseModel | None) -> dict[str, Any]:
    return {} if options is None else options.model_dump(mode="json", exclude_none=True)


def _type_of(schema: Any) -> str:
    return schema["type"] if isinstance(schema, dict) else str(schema)


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])
