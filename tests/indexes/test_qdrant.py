"""The index with a Qdrant server keeps the laws of every index, and finds what the embedded one finds."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexes.errors import CollectionForeign, NotPushed
from indexes.nominating import Nominee, among
from indexes.qdrant.collection import Collections
from indexes.qdrant.nominator import QdrantNominator
from indexes.qdrant.points import DENSE, LEXICAL, sparse_question, term_id
from indexes.qdrant.publisher import QdrantPublisher, workspace_id
from indexes.qdrant.server import Remote, Server
from indexes.query import Query, Ranking
from indexes.report import GateDecision
from indexes.testing import IndexContract, Planted, shown

EVERYBODY = frozenset({"everyone", "group:hr"})


class Site:
    """A workspace and its server."""

    def __init__(self, world, place, **keys):
        self.world, self.place = world, place
        server = Server(place.url, api_key=place.api_key, alias=place.alias, retries=1, **keys)
        self.remote = Remote(server, client=place.client, wait=0.01)
        self.publisher = QdrantPublisher(self.remote, world.store, world.generations, Ranking())

    def sync(self, documents, **options):
        chosen = replace(self.world.options(), publisher=self.publisher, **options)
        return self.world.sync(documents, options=chosen)

    def index(self):
        return self.world.index(nominator=lambda store: QdrantNominator(self.remote, store))

    @property
    def collections(self):
        return Collections(self.remote, workspace_id(self.world.store) or "none")


@pytest.fixture
def site(new_world, qdrant):
    return Site(new_world(), qdrant)


class TestQdrantIndex(IndexContract):
    """The shipped contract, each index a workspace with a name of its own on the server."""

    @pytest.fixture(autouse=True)
    def _sites(self, new_world, qdrant):
        self._new_world, self._place, self._built = new_world, qdrant, {}

    def build(self, documents):
        place = replace(self._place, alias=f"{self._place.alias}-{len(self._built)}")
        site = Site(self._new_world(), place)
        site.sync(documents)
        site.sync(documents)
        index = site.index()
        self._built[id(index)] = (site, list(documents), index)
        return index

    def drop(self, index, name):
        site, documents, _ = self._built[id(index)]
        documents[:] = [one for one in documents if one.name != name]
        site.sync(documents)


# Each is two workspaces, synced for real.
EXAMPLES = 8 if settings().max_examples <= 50 else 300
WORDS = "leave days salary band hotel euro pump valve contract april board secret annual".split()
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=12).map(" ".join)
readers = st.lists(st.sampled_from(["everyone", "group:hr", "user:mia"]), max_size=2, unique=True).map(tuple)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    held=st.lists(st.tuples(texts, readers), min_size=1, max_size=12),
    question=texts,
    asker=st.sampled_from([EVERYBODY, frozenset({"user:mia"}), frozenset({"everyone"})]),
    system=st.sampled_from(["hybrid", "lexical", "dense"]),
)
def test_it_finds_what_the_embedded_index_finds_with_the_same_scores(
    new_world, qdrant, held, question, asker, system
):
    place = replace(qdrant, alias=f"{qdrant.alias}-{np.random.default_rng().integers(2**40):x}")
    site = Site(new_world(), place)
    site.sync([Planted(f"s{n % 2}/{n}", text, who) for n, (text, who) in enumerate(held)])
    through, embedded = site.index(), site.world.index()
    for sources in (None, ("s0",)):
        query = Query(question, asker, sources, system=system)
        assert through.search(query) == embedded.search(query)
    site.world.close()  # hundreds of them hold more files than a process may


def test_a_point_is_a_row_with_both_vectors_and_what_is_filtered_by(site):
    site.sync(IndexContract.DOCUMENTS)
    live = site.collections.live()
    name = site.collections.name(live)
    found = site.remote.call(lambda client: client.scroll(name, limit=100, with_vectors=True))[0]
    points = {one.payload["document"]: one for one in found}
    assert set(points) == {one.name for one in IndexContract.DOCUMENTS}
    leave = points["a/leave"]
    assert leave.payload["readers"] == ["everyone"]
    assert (leave.payload["source"], leave.payload["language"]) == ("a", "en")
    assert points["b/bonus"].payload["readers"] == ["group:hr", "user:mia"]
    assert points["c/nobody"].payload["readers"] == []
    assert np.linalg.norm(leave.vector[DENSE]) == pytest.approx(1, abs=1e-5)
    indices = leave.vector[LEXICAL].indices
    assert indices == sorted(set(indices))
    assert {term_id("leav"), term_id("employe")} <= set(indices)
    assert not any("Employees" in str(value) for value in leave.payload.values())


def test_the_collection_is_laid_out_as_it_is_configured(new_world, qdrant):
    site = Site(new_world(), qdrant, m=24, ef_construct=64, on_disk=True, quantization="int8")
    site.sync(IndexContract.DOCUMENTS)
    query = Query("annual leave", EVERYBODY)
    assert site.index().search(query) == site.world.index().search(query)
    if qdrant.name == "local":
        return  # local mode forgets what it has no use for
    name = site.collections.name(site.collections.live())
    info = site.remote.call(lambda client: client.get_collection(name))
    params = info.config.params
    assert params.vectors[DENSE].distance == "Dot"
    assert params.sparse_vectors[LEXICAL].modifier == "idf"


def test_writing_again_sends_nothing_and_changes_nothing(site):
    site.sync(IndexContract.DOCUMENTS)
    manifest = site.world.generations.manifest(site.world.generations.live())
    assert site.publisher.push(manifest) == 0
    assert site.sync(IndexContract.DOCUMENTS).promoted is False
    assert site.collections.count(manifest.id) == manifest.chunks


def test_each_generation_has_its_collection_and_the_alias_goes_with_the_live_one(site):
    first = site.sync(IndexContract.DOCUMENTS, keep_generations=2).generation
    second = site.sync(IndexContract.DOCUMENTS[:-1], keep_generations=2).generation
    assert site.collections.generations() == sorted([first, second])
    assert site.collections.live() == second
    third = site.sync(IndexContract.DOCUMENTS[:-2], keep_generations=2).generation
    assert site.collections.generations() == sorted([second, third])
    assert site.collections.live() == third


def test_a_server_that_lost_everything_is_filled_again_by_the_next_sync(site):
    live = site.sync(IndexContract.DOCUMENTS).generation
    site.collections.drop(live)
    query = Query("annual leave", EVERYBODY)
    with pytest.raises(NotPushed, match=live) as caught:
        site.index().search(query)
    assert caught.value.hint == "ragflow generations push"
    assert site.sync(IndexContract.DOCUMENTS).promoted is False
    assert site.index().search(query) == site.world.index().search(query)


def test_a_loss_of_access_holds_though_the_server_does_not_know_of_it(site):
    documents = list(IndexContract.DOCUMENTS)
    site.sync(documents)
    index = site.index()
    query = Query("annual leave", frozenset({"everyone"}))
    assert "a/leave" in {hit.document for hit in index.search(query).hits}
    # A gate holds what was built: the live collection still says that everyone may read it.
    narrowed = [replace(one, readers=("user:boss",)) if one.name == "a/leave" else one for one in documents]
    held = site.sync(narrowed, gate=lambda *_: GateDecision(promote=False, reason="held"))
    assert not held.promoted
    assert site.collections.live() == held.generation
    taken = index.search(query)
    assert "a/leave" not in {hit.document for hit in taken.hits}
    assert shown(taken) == shown(site.world.index().search(query))


def test_what_was_forgotten_is_on_no_collection(site):
    from indexes.forget import forget

    site.sync(IndexContract.DOCUMENTS)
    site.sync(IndexContract.DOCUMENTS[:-1])
    forget(site.world.store, site.world.generations, "a/leave", cited=(), publisher=site.publisher)
    assert site.collections.live() == site.world.generations.live()
    for generation in site.collections.generations():
        name = site.collections.name(generation)
        found = site.remote.call(lambda client, name=name: client.scroll(name, limit=100))[0]
        assert "a/leave" not in {one.payload["document"] for one in found}
    query = Query("annual leave", EVERYBODY)
    assert site.index().search(query) == site.world.index().search(query)


def test_two_workspaces_do_not_share_an_alias(new_world, qdrant):
    ours, theirs = Site(new_world(), qdrant), Site(new_world(), qdrant)
    live = ours.sync(IndexContract.DOCUMENTS).generation
    with pytest.raises(CollectionForeign, match="this workspace did not make it"):
        theirs.sync(IndexContract.DOCUMENTS)
    assert theirs.world.generations.live() is None
    assert ours.collections.live() == live


def test_who_is_nobody_is_told_nothing_and_the_server_is_not_asked(site):
    site.sync(IndexContract.DOCUMENTS)
    index = site.index()
    site.collections.drop(site.world.generations.live())
    assert index.search(Query("annual leave", frozenset())).hits == ()


def test_rows_that_the_mask_has_not_are_dropped_whatever_a_server_names(new_world):
    world = new_world()
    world.sync(IndexContract.DOCUMENTS)
    slices = world.index().readable(frozenset({"everyone"})).slices
    name = slices[0].segment.folder.name
    versions = slices[0].segment.rows.versions.tolist()
    named = [Nominee(name, row, versions[row]) for row in range(len(versions))]
    named += [Nominee(name, -1, 1), Nominee(name, 99, 1), Nominee("s-other", 0, 1), Nominee(name, 0, 10_000)]
    [kept] = among(slices, named)
    assert kept.among.tolist() == np.flatnonzero(slices[0].mask).tolist()


def test_a_question_has_each_term_once():
    indices, values = sparse_question(["leav", "day", "leav"])
    assert indices == sorted({term_id("leav"), term_id("day")})
    assert values == [1.0, 1.0]
