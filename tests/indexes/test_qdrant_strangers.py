"""A server that others use too: nothing of theirs is touched, and who may not write is told so."""

import pytest
from qdrant_faults import ALIASES, CREATE, UPSERT, meanwhile, race, status
from qdrant_server import QdrantServer
from qdrant_site import ALIAS, DOCUMENTS, FEWER, Site

from indexes.errors import CollectionForeign, ServerRefused, ServerUnavailable
from indexes.qdrant.collection import Collections
from indexes.qdrant.publisher import workspace_id


def test_the_alias_of_another_is_not_taken(site):
    site.server.ask("PUT", "/collections/theirs", {"metadata": {"made_by": "somebody"}})
    _point(site.server, ALIAS, "theirs")
    with pytest.raises(CollectionForeign, match="theirs"):
        site.publisher.switch(site.world.generations.manifest(site.live))
    assert site.server.aliases() == {ALIAS: "theirs"}


def test_a_collection_under_the_name_of_the_alias_is_not_touched(site):
    site.server.ask("PUT", f"/collections/{ALIAS}", {})
    site.push()
    with pytest.raises(CollectionForeign, match=f"a collection called {ALIAS}"):
        site.publisher.switch(site.world.generations.manifest(site.live))
    assert ALIAS in site.server.collections()


@pytest.mark.parametrize("at", ["GET /collections/*/exists", CREATE])
def test_a_collection_that_somebody_else_made_is_not_written_to(site, at):
    name = f"{ALIAS}-{site.live}"
    body = {"vectors": {"dense": {"size": 3, "distance": "Dot"}}, "metadata": {"made_by": "somebody"}}
    site.server.add(meanwhile("PUT", f"/collections/{name}", body, at=at))
    with pytest.raises(CollectionForeign, match="was not made by this workspace"):
        site.push()
    assert site.server.points(name) == {}
    assert site.told()["made_by"] == "somebody"
    assert UPSERT not in [f"{one.method} {one.path}" for one in site.server.asked]


def test_who_loses_a_race_for_the_alias_is_told(new_world, qdrant_server):
    site = Site(new_world(), qdrant_server)
    before = site.sync(FEWER).generation
    site.server.ask("PUT", "/collections/theirs", {"metadata": {"made_by": "somebody"}})
    # After the alias was moved, and before it is looked at again.
    site.server.add(race(ALIAS, "theirs", at="GET /aliases", skip=1))
    with pytest.raises((ServerUnavailable, CollectionForeign)):
        site.sync(DOCUMENTS)
    assert site.live == before
    assert site.server.aliases() == {ALIAS: "theirs"}


@pytest.mark.parametrize("code", [404, 409])
def test_an_alias_that_cannot_be_moved_is_told(new_world, qdrant_server, code):
    site = Site(new_world(), qdrant_server)
    before = site.sync(FEWER).generation
    site.server.add(status(code, at=ALIASES))
    with pytest.raises(ServerUnavailable, match="alias"):
        site.sync(DOCUMENTS)
    assert site.live == before
    assert site.server.aliases() == {ALIAS: f"{ALIAS}-{before}"}


def test_an_alias_that_vanished_is_made_again(new_world, qdrant_server):
    site = Site(new_world(), qdrant_server)
    site.sync(FEWER)
    site.server.add(race(ALIAS, None))
    assert site.sync(DOCUMENTS).promoted
    assert site.server.aliases() == {ALIAS: f"{ALIAS}-{site.live}"}


@pytest.mark.parametrize(("key", "said"), [(None, "wants a key"), ("other", "refuses the key")])
def test_a_server_that_refuses_the_key_is_told_and_not_asked_again(new_world, key, said):
    with QdrantServer(key="right") as server:
        world = new_world()
        site = Site(world, server, key=key)
        with pytest.raises(ServerRefused, match=said) as caught:
            site.sync(DOCUMENTS)
        assert "right" not in str(caught.value)
        assert key is None or key not in str(caught.value)
        assert "api_key_env" in caught.value.hint
        assert world.generations.live() is None
        assert server.collections() == []
        assert len([one for one in server.asked if one.path != "/"]) == 1
        assert Site(world, server, key="right").sync(DOCUMENTS).promoted


def test_a_key_that_only_reads_searches_and_does_not_push(new_world):
    with QdrantServer(key="right", read_key="reading") as server:
        world = new_world()
        site = Site(world, server, key="right")
        site.sync(FEWER)
        reading = Site(world, server, key="reading")
        assert reading.found() == site.found()
        with pytest.raises(ServerRefused):
            reading.sync(DOCUMENTS)
        assert len(site.points()) == len(FEWER)


def test_a_server_that_is_too_old_is_given_nothing(new_world):
    with QdrantServer(version="1.18.2") as server:
        site = Site(new_world(), server)
        with pytest.raises(ServerUnavailable, match=r"version 1\.18\.2; 1\.19 or newer is needed"):
            site.sync(DOCUMENTS)
        assert site.live is None
        assert server.collections() == []


def test_no_proxy_of_the_environment_stands_between(site, undisturbed, monkeypatch):
    with QdrantServer() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        Site(site.world, site.server).push()
        assert proxy.asked == []
    assert site.points() == undisturbed


def _point(server, alias, name):
    action = {"create_alias": {"alias_name": alias, "collection_name": name}}
    server.ask("POST", "/collections/aliases", {"actions": [action]})


def test_another_workspaces_collections_survive(new_world, qdrant_server):
    ours, theirs = Site(new_world(), qdrant_server), Site(new_world(), qdrant_server)
    ours.sync(FEWER)
    held = ours.points()
    with pytest.raises(CollectionForeign):
        theirs.sync(DOCUMENTS)
    collections = Collections(theirs.remote, workspace_id(theirs.world.store))
    assert ours.live not in collections.generations()
    theirs.publisher.keep(())
    assert ours.points() == held


@pytest.mark.parametrize(
    "payload",
    [
        {"segment": "s-unknown", "row": 0, "version": 1},
        {"row": 0},
        {"row": 2**70, "version": 2**70},
        {"row": -1, "version": -1},
        {"segment": ["x"], "row": "0", "version": None},
    ],
    ids=str,
)
def test_points_that_a_stranger_changed_are_no_hits_and_no_crash(site, payload):
    site.push()
    found, points = site.found(), site.points()
    changed, one = next(
        (number, one) for number, one in sorted(points.items()) if "everyone" in one["payload"]["readers"]
    )
    body = {"points": [{"id": changed, "vector": one["vector"], "payload": {**one["payload"], **payload}}]}
    site.server.ask("PUT", f"/collections/{ALIAS}-{site.live}/points", body)
    for before, after in zip(found, site.found(), strict=True):
        assert {hit.chunk for hit in after.hits} < {hit.chunk for hit in before.hits}
        assert len(after.hits) == len(before.hits) - 1
