"""The Qdrant server of the tests answers as the library does in its own process, and fails as it was told."""

import random
import threading
import uuid
from contextlib import closing

import pytest
from qdrant_client import QdrantClient
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http import models as m
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse
from qdrant_faults import (
    ALIASES,
    COUNT,
    QUERY,
    UPSERT,
    cut,
    dies,
    disk_full,
    done_then_cut,
    half,
    hang,
    meanwhile,
    only_promised,
    race,
    slow,
    status,
)
from qdrant_server import QdrantServer

READERS = ("everyone", "group:hr", "user:mia")
SIZE = 4


def opened(server, *, timeout=20, **more):
    client = QdrantClient(
        url=server.url, prefer_grpc=False, check_compatibility=False, timeout=timeout, **more
    )
    return closing(client)


@pytest.fixture
def server():
    with QdrantServer() as running:
        yield running


def create(client, name="one", **more):
    client.create_collection(
        name,
        vectors_config={"dense": m.VectorParams(size=SIZE, distance=m.Distance.DOT)},
        sparse_vectors_config={"words": m.SparseVectorParams(modifier=m.Modifier.IDF)},
        **more,
    )


def some_points(seed, count=10):
    drawn = random.Random(seed)
    return [
        m.PointStruct(
            id=str(uuid.UUID(int=drawn.getrandbits(128))),
            vector={
                "dense": [drawn.uniform(-1, 1) for _ in range(SIZE)],
                "words": m.SparseVector(
                    indices=drawn.sample(range(12), 3), values=[drawn.uniform(0.1, 2) for _ in range(3)]
                ),
            },
            payload={"readers": drawn.sample(READERS, drawn.randint(1, 2)), "chunk": number},
        )
        for number in range(count)
    ]


def a_query(seed):
    drawn = random.Random(seed)
    readable = m.Filter(
        must=[m.FieldCondition(key="readers", match=m.MatchAny(any=drawn.sample(READERS, 2)))]
    )
    statistics = m.SearchParams(idf=m.IdfCorpusParams(corpus=readable)) if drawn.random() < 0.7 else None
    words = m.SparseVector(indices=drawn.sample(range(12), 4), values=[1.0] * 4)
    legs = [
        m.Prefetch(
            query=[drawn.uniform(-1, 1) for _ in range(SIZE)], using="dense", filter=readable, limit=7
        ),
        m.Prefetch(query=words, using="words", filter=readable, limit=7, params=statistics),
    ]
    if drawn.random() < 0.5:
        return {"prefetch": legs, "query": m.FusionQuery(fusion=m.Fusion.RRF), "limit": 9}
    return {
        "query": words,
        "using": "words",
        "query_filter": readable,
        "search_params": statistics,
        "limit": 9,
    }


def test_searches_filters_and_statistics_are_the_librarys_own(server, rounds):
    with opened(server) as client, closing(QdrantClient(":memory:")) as local:
        for one in (client, local):
            create(one)
            one.upsert("one", some_points(7, count=60))
        for seed in range(rounds(fast=40, soak=1000)):
            asked = {**a_query(seed), "with_payload": True, "with_vectors": True}
            assert client.query_points("one", **asked) == local.query_points("one", **asked)
        assert client.scroll("one", limit=99, with_vectors=True) == local.scroll(
            "one", limit=99, with_vectors=True
        )


def test_a_batch_of_queries_is_the_queries(server):
    with opened(server) as client:
        create(client)
        client.upsert("one", some_points(3))
        asked = [
            m.QueryRequest(query=[1.0, 0, 0, 0], using="dense", limit=3, with_payload=True),
            m.QueryRequest(query=[0, 1.0, 0, 0], using="dense", limit=2, with_vector=["words"]),
        ]
        assert client.query_batch_points("one", asked) == [
            client.query_points("one", query=[1.0, 0, 0, 0], using="dense", limit=3, with_payload=True),
            client.query_points(
                "one",
                query=[0, 1.0, 0, 0],
                using="dense",
                limit=2,
                with_payload=False,
                with_vectors=["words"],
            ),
        ]


def test_how_a_collection_was_made_can_be_seen(server):
    with opened(server) as client:
        create(
            client,
            shard_number=3,
            replication_factor=2,
            write_consistency_factor=2,
            hnsw_config=m.HnswConfigDiff(m=32),
            quantization_config=m.ScalarQuantization(
                scalar=m.ScalarQuantizationConfig(type=m.ScalarType.INT8)
            ),
            metadata={"made_by": "a test"},
        )
        client.create_payload_index("one", "readers", m.PayloadSchemaType.KEYWORD)
        client.update_collection(
            "one", metadata={"complete": True}, hnsw_config=m.HnswConfigDiff(ef_construct=50)
        )
        info = client.get_collection("one")
    params = info.config.params
    assert (params.shard_number, params.replication_factor, params.write_consistency_factor) == (3, 2, 2)
    assert (info.config.hnsw_config.m, info.config.hnsw_config.ef_construct) == (32, 50)
    assert info.config.quantization_config.scalar.type == m.ScalarType.INT8
    assert info.config.metadata == {"made_by": "a test", "complete": True}
    assert info.payload_schema["readers"].data_type == m.PayloadSchemaType.KEYWORD


def test_an_alias_is_its_collection_and_falls_with_it(server):
    with opened(server) as client:
        create(client)
        point = m.CreateAliasOperation(create_alias=m.CreateAlias(alias_name="live", collection_name="one"))
        assert client.update_collection_aliases([point])
        client.upsert("live", some_points(1))
        assert client.count("one").count == client.count("live").count == 10
        assert server.aliases() == {"live": "one"}
        assert client.delete_collection("one")
        assert (server.aliases(), server.collections()) == ({}, [])


def test_errors_are_the_servers(server):
    with opened(server) as client:
        create(client)
        server.ask(
            "POST",
            "/collections/aliases",
            {"actions": [{"create_alias": {"alias_name": "live", "collection_name": "one"}}]},
        )
        missing = m.CreateAliasOperation(create_alias=m.CreateAlias(alias_name="x", collection_name="no"))
        for code, words, call in (
            (409, "Collection `one` already exists!", lambda: create(client)),
            (400, "Alias with the same name already exists", lambda: create(client, "live")),
            (404, "Collection `no` doesn't exist!", lambda: client.count("no")),
            (404, "Collection `no` doesn't exist!", lambda: client.update_collection_aliases([missing])),
            (400, "Wrong input", lambda: client.query_points("one", query=[1.0], using="dense")),
            (400, "Empty update request", lambda: client.upsert("one", [])),
        ):
            with pytest.raises(UnexpectedResponse) as caught:
                call()
            assert caught.value.status_code == code
            assert words in caught.value.content.decode()
    with pytest.raises(UnexpectedResponse) as caught, opened(server) as client:
        client.http.search_api.api_client.request(
            type_=None, method="PUT", url="/collections/two", json={"vectors": 7}
        )
    assert b"Format error in JSON body" in caught.value.content


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
def test_a_key_opens_and_a_reading_key_only_reads():
    with QdrantServer(key="whole", read_key="reading") as server:
        with opened(server, api_key="whole") as client:
            create(client)
        for key, code, words in (
            (None, 401, b"Must provide an API key"),
            ("wrong", 401, b"Invalid API key"),
            ("reading", 403, b"Forbidden"),
        ):
            with opened(server, api_key=key) as client:
                assert client.info().version == "1.19.0"
                with pytest.raises(UnexpectedResponse) as caught:
                    create(client, "two")
            assert caught.value.status_code == code
            assert words in caught.value.content
        with opened(server, api_key="reading") as client:
            assert client.count("one").count == 0
        assert server.collections() == ["one"]


def test_an_old_server_takes_no_notice_of_the_readers_statistics():
    asked = {**a_query(2), "with_payload": False}
    found = []
    for version in ("1.18.2", "1.19.0"):
        with QdrantServer(version=version) as server, opened(server) as client:
            create(client)
            client.upsert("one", some_points(7, count=40))
            words = asked["prefetch"][1].query if "prefetch" in asked else asked["query"]
            for readers in ("group:hr", None):
                only = m.Filter(must=[m.FieldCondition(key="readers", match=m.MatchValue(value="group:hr"))])
                params = m.SearchParams(idf=m.IdfCorpusParams(corpus=only)) if readers else None
                found.append(
                    client.query_points("one", query=words, using="words", search_params=params).points
                )
    old_scoped, old_global, new_scoped, new_global = found
    assert old_scoped == old_global == new_global != new_scoped


def test_what_is_too_large_is_refused_whole():
    with QdrantServer(largest=2000) as server, opened(server) as client:
        create(client)
        with pytest.raises(UnexpectedResponse, match="larger than allowed"):
            client.upsert("one", some_points(1, count=50))
        assert server.points("one") == {}


def push_to(client, name, points):
    client.upsert(name, points, wait=True)


def push(client, points):
    push_to(client, "one", points)


@pytest.mark.parametrize(
    ("fault", "applied", "raised"),
    [
        (status(500), 0, UnexpectedResponse),
        (status(502), 0, UnexpectedResponse),
        (status(503, retry_after="1"), 0, UnexpectedResponse),
        (status(429), 0, UnexpectedResponse),
        (status(429, retry_after="1"), 0, ResourceExhaustedResponse),
        (disk_full(), 0, UnexpectedResponse),
        (cut(), 0, ResponseHandlingException),
        (done_then_cut(), 10, ResponseHandlingException),
        (half(), 5, UnexpectedResponse),
        (half(code=None), 5, ResponseHandlingException),
        (dies(), 0, ResponseHandlingException),
        (dies(done=True), 10, ResponseHandlingException),
        (slow(0.01), 10, None),
        (only_promised(), 0, None),
    ],
)
def test_a_fault_does_what_it_says_and_is_spent(server, fault, applied, raised):
    points = some_points(5)
    with opened(server) as client:
        create(client)
        server.add(fault)
        if raised is None:
            push(client, points)
        else:
            with pytest.raises(raised):
                push(client, points)
        assert [*server.points("one")] == sorted(one.id for one in points[:applied])
        assert server.struck == [fault]
        if fault.then == "die":
            with pytest.raises(ResponseHandlingException, match="refused"):
                push(client, points)
            server.revive()
        push(client, points)
        assert len(server.points("one")) == 10


@pytest.mark.parametrize(("done", "applied"), [(False, 0), (True, 10)])
def test_a_hanging_request_is_answered_by_nothing_but_the_clients_patience(server, done, applied):
    with opened(server) as client:
        create(client)
    server.add(hang(at=UPSERT, done=done))
    with opened(server, timeout=1) as client, pytest.raises(ResponseHandlingException, match="timed out"):
        push(client, some_points(1))
    assert len(server.points("one")) == applied


def test_a_server_that_ends_lets_go_of_a_hanging_client():
    ended = []
    with QdrantServer([hang(at=COUNT)]) as server:

        def wait():
            with opened(server, timeout=300) as client, pytest.raises(ResponseHandlingException):
                client.count("one")
            ended.append(True)

        waiting = threading.Thread(target=wait)
        waiting.start()
        server.wait_struck()
    waiting.join()
    assert ended == [True]


def test_the_first_fault_that_matches_strikes_after_those_it_lets_pass(server):
    with opened(server) as client:
        create(client)
        server.add(status(503, at=UPSERT, skip=1), status(500, at=QUERY), status(502, at=UPSERT))
        codes = []
        for _ in range(4):
            try:
                push(client, some_points(1))
                codes.append(200)
            except UnexpectedResponse as error:
                codes.append(error.status_code)
        # The second waits its turn of nothing: it matches what the first let pass.
        assert codes == [502, 503, 200, 200]
        with pytest.raises(UnexpectedResponse, match="500"):
            client.query_points("one", query=[1.0, 0, 0, 0], using="dense")
    assert server.paths("PUT") == ["/collections/one"] + ["/collections/one/points"] * 4


def test_a_stranger_comes_first(server):
    with opened(server) as client:
        create(client)
        create(client, "theirs")
        server.add(
            race("live", "theirs"), meanwhile("PUT", "/collections/two", {}, at="PUT /collections/two")
        )
        mine = m.CreateAliasOperation(create_alias=m.CreateAlias(alias_name="mine", collection_name="one"))
        client.update_collection_aliases([mine])
        assert server.aliases() == {"live": "theirs", "mine": "one"}
        with pytest.raises(UnexpectedResponse, match="already exists"):
            create(client, "two")
        server.add(race("live", None, at=ALIASES))
        client.update_collection_aliases([mine])
        assert server.aliases() == {"mine": "one"}


def test_what_was_held_outlives_a_death(server):
    with opened(server) as client:
        create(client)
        push(client, some_points(1))
        for _ in range(3):
            server.die()
            with pytest.raises(ResponseHandlingException, match="refused"):
                client.count("one")
            server.revive()
            assert client.count("one").count == 10


def test_many_clients_at_once_lose_nothing(server):
    with opened(server) as client:
        create(client)

    def work(seed):
        with opened(server) as client:
            for part in range(5):
                push(client, some_points(100 * seed + part))

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    assert len(server.points("one")) == 6 * 5 * 10


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
def test_each_place_is_a_server_of_the_tests_own(qdrant):
    if qdrant.client is not None:
        client = qdrant.client()
    else:
        client = QdrantClient(
            url=qdrant.url, api_key=qdrant.api_key, prefer_grpc=False, check_compatibility=False
        )
    with closing(client):
        name = f"{qdrant.alias}-one"
        create(client, name)
        client.create_payload_index(name, "readers", m.PayloadSchemaType.KEYWORD)
        push_to(client, name, some_points(1))
        assert client.count(name).count == 10
        ours = [one.name for one in client.get_collections().collections if one.name.startswith(qdrant.alias)]
        assert ours == [name]
