"""Reranking: the first hits in the reranker's order, the others behind; nothing hidden is ever read."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexes.merging import Merging
from indexes.query import Found, Hit, Query, Scores
from indexes.reranking import RerankedIndex, passage
from indexes.testing import IndexContract, Planted, shown

EVERYONE = frozenset({"everyone"})
COPIED = Query("Days of leave: 28.", EVERYONE)
QUERY = Query("How many days of annual leave?", EVERYONE)


class Lengths:
    """A reranker to whom a short passage is a good one; it keeps what it was given."""

    key = "lengths"

    def __init__(self, *, bounded=True):
        self.bounded = bounded
        self.read = []

    def score(self, question, passages):
        self.read += [(question, one) for one in passages]
        return [round(1 / (1 + len(one)), 6) if self.bounded else float(-len(one)) for one in passages]


class TestRerankedIndex(IndexContract):
    @pytest.fixture(autouse=True)
    def _worlds(self, new_world):
        self.new_world = new_world
        self.worlds = {}

    def build(self, documents):
        world = self.new_world()
        unique = {one.name: one for one in documents}
        for one in documents:  # a second time: it is an update that changes nothing
            world.sync(list(unique.values())[: list(unique).index(one.name) + 1])
        world.sync(unique.values())
        index = RerankedIndex(world.index(), Lengths(), candidates=3)
        self.worlds[id(index)] = world, dict(unique)
        return index

    def drop(self, index, name):
        world, documents = self.worlds[id(index)]
        documents.pop(name, None)
        world.sync(documents.values())


def corpus(count=24):
    facts = (
        "Employees get {0} days of annual leave in office {0}.",
        "Leave of {0} days is granted yearly, and more of it to those who have been here for long {0}.",
        "Days of leave: {0}.",
    )
    return [Planted(f"a/{number:02}", facts[number % 3].format(number)) for number in range(count)]


@pytest.fixture
def index(new_world):
    world = new_world()
    world.sync(corpus())
    return world.index()


def test_the_first_hits_are_in_the_rerankers_order_and_the_rest_in_their_own(index):
    plain = index.search(replace(QUERY, k=20, merge="none")).hits
    found = RerankedIndex(index, Lengths(), candidates=8).search(replace(QUERY, k=20, merge="none")).hits
    best = sorted(plain[:8], key=lambda hit: (len(passage(hit)), hit.chunk))
    assert [hit.chunk for hit in found] == [hit.chunk for hit in [*best, *plain[8:]]]
    assert [hit.rank for hit in found] == list(range(1, 21))
    assert [hit.scores.rerank is None for hit in found] == [False] * 8 + [True] * 12


@pytest.mark.parametrize("bounded", [True, False])
def test_scores_fall_stay_in_their_range_and_keep_what_the_index_gave(index, bounded):
    plain = {hit.chunk: hit for hit in index.search(replace(QUERY, k=20, merge="none")).hits}
    reranked = RerankedIndex(index, Lengths(bounded=bounded), candidates=8)
    hits = reranked.search(replace(QUERY, k=20, merge="none")).hits
    assert all(0 <= hit.score <= 1 for hit in hits)
    assert [(-hit.score, hit.chunk) for hit in hits] == sorted((-hit.score, hit.chunk) for hit in hits)
    assert min(hit.score for hit in hits[:8]) >= 0.5 > max(hit.score for hit in hits[8:])
    for hit in hits:
        known = plain[hit.chunk]
        assert hit.fused == hit.scores.fused == known.score == known.fused
        assert hit.scores == replace(known.scores, rerank=hit.scores.rerank, fused=known.score)
        assert replace(hit, rank=0, score=0, scores=known.scores) == replace(known, rank=0, score=0)


def test_a_tie_of_the_reranker_ends_at_the_chunk_id(index):
    class Equal(Lengths):
        def score(self, question, passages):
            return [0.0 for _ in passages]

    hits = RerankedIndex(index, Equal(), candidates=8).search(replace(QUERY, k=20, merge="none")).hits
    assert [hit.chunk for hit in hits[:8]] == sorted(hit.chunk for hit in hits[:8])
    assert hits[7].score > hits[8].score


def test_a_larger_k_changes_nothing_before_it(index):
    reranked = RerankedIndex(index, Lengths(), candidates=8)
    for merge in ("none", "near"):
        whole = reranked.search(replace(QUERY, k=24, merge=merge)).hits
        for k in range(1, 24):
            assert [one.chunk for one in reranked.search(replace(QUERY, k=k, merge=merge)).hits] == [
                one.chunk for one in whole[:k]
            ]


@pytest.mark.parametrize("system", ["lexical", "dense"])
def test_one_leg_alone_is_not_reranked(index, system):
    model = Lengths()
    query = replace(QUERY, system=system)
    assert RerankedIndex(index, model, candidates=8).search(query) == index.search(query)
    assert model.read == []


def test_merging_comes_after_reranking(new_world):
    world = new_world()
    copies = [
        Planted(f"{source}/copy{n}", "Employees get 28 days of annual leave.")
        for n, source in enumerate("abc")
    ]
    padded = Planted("d/copy", "Employees get 28 days of   annual leave  .")
    world.sync([*copies, padded, *corpus(6)])
    index = world.index()

    class Longest(Lengths):
        def score(self, question, passages):
            return [round(1 - 1 / (1 + len(one)), 6) for one in passages]

    def kept(hits):
        return [hit for hit in hits if "28 days of" in hit.text]

    (plain,) = kept(index.search(QUERY).hits)
    (found,) = kept(RerankedIndex(index, Longest(), candidates=20).search(QUERY).hits)
    assert plain.document != "d/copy"
    assert found.document == "d/copy", "the best by the new order stands for the others"
    assert {one.partition("@")[0] for one in found.also} == {"a/copy0", "b/copy1", "c/copy2"}


def test_what_merging_takes_away_is_filled_up_from_behind(new_world):
    world = new_world()
    copies = [Planted(f"a/copy{n:02}", "Days of leave: 28.") for n in range(40)]
    world.sync([*copies, *corpus(20)])
    model = Lengths()
    reranked = RerankedIndex(world.index(), model, candidates=10)
    hits = reranked.search(COPIED).hits
    everything = reranked.search(replace(COPIED, k=200, merge="none")).hits
    expected = Merging("near")
    expected.add(everything, 10)
    assert len(hits) == 10
    assert len(hits[0].also) > 20, "more than the first look reaches"
    assert hits == expected.hits()
    assert len(model.read) == len(set(model.read)), "no passage is read twice for one question"


def test_places_begin_as_a_search_does(index):
    reranked = RerankedIndex(index, Lengths(), candidates=8)
    first, rest = reranked.places(replace(QUERY, k=20), texts=5)
    hits = reranked.search(replace(QUERY, k=20, merge="none")).hits
    shown_as = [
        (one.chunk, one.document, one.start, one.end, one.title, one.text, one.score) for one in first
    ]
    assert shown_as == [
        (hit.chunk, hit.document, hit.start, hit.end, hit.title, hit.text, hit.score) for hit in hits[:5]
    ]
    assert rest == [hit.document for hit in hits[5:]]
    assert [one.chunk for one in reranked.places(replace(QUERY, k=3), texts=5)[0]] == [
        hit.chunk for hit in hits[:3]
    ]


def test_what_is_hidden_never_comes_to_the_model_and_changes_nothing(new_world, rounds):
    for seed in range(rounds(fast=3, soak=30)):
        chance = random.Random(seed)
        planted = [replace(one, readers=(chance.choice(("everyone", "group:hr")),)) for one in corpus(16)]
        whole, part = new_world(), new_world()
        whole.sync(planted, ceilings={"a": ["everyone", "group:hr"]})
        part.sync(
            [one for one in planted if one.readers == ("everyone",)], ceilings={"a": ["everyone", "group:hr"]}
        )
        model = Lengths()
        candidates = chance.choice((1, 4, 50))
        found = RerankedIndex(whole.index(), model, candidates=candidates).search(QUERY)
        assert shown(found) == shown(
            RerankedIndex(part.index(), Lengths(), candidates=candidates).search(QUERY)
        )
        open_texts = {one.text for one in planted if one.readers == ("everyone",)}
        assert model.read
        assert {text.rpartition("\n")[2] for _, text in model.read} <= open_texts


def test_nobody_and_nothing_found_ask_no_model(index):
    model = Lengths()
    assert RerankedIndex(index, model, candidates=8).search(replace(QUERY, readers=frozenset())).hits == ()
    assert model.read == []


def test_revoked_between_two_looks_is_not_shown(new_world):
    """Merging may look deeper: what is read then is what may be read then."""
    world = new_world()
    copies = [Planted(f"a/copy{n:02}", "Days of leave: 28.") for n in range(40)]
    world.sync([*copies, *corpus(20)])
    opened = world.index()

    class Revoking:
        looks = 0

        def search(self, query):
            found = opened.search(query)
            self.looks += 1
            if self.looks == 1:
                world.sync([one for one in (*copies, *corpus(20)) if one.name != found.hits[0].document])
                self.gone = found.hits[0].document
            return found

    index = Revoking()
    hits = RerankedIndex(index, Lengths(), candidates=10).search(COPIED).hits
    assert index.looks > 1
    assert index.gone not in {hit.document for hit in hits}
    assert not any(chunk.startswith(f"{index.gone}@") for hit in hits for chunk in hit.also)


@given(st.lists(st.floats(-1e4, 1e4).map(lambda one: round(one, 6)), min_size=2, max_size=30, unique=True))
def test_whatever_a_model_gives_the_score_keeps_its_order(numbers):
    plain = [
        Hit(
            rank=at + 1, chunk=f"a/{at:02}@0:0-1", document=f"a/{at:02}", revision="0", start=0, end=1,
            title="", headings=(), anchors=(), link=None, modified=None, text=f"text {at}",
            score=round(1 - at / 100, 6), scores=Scores(0.0, 0.0),
        )
        for at in range(len(numbers))
    ]  # fmt: skip

    class Fixed:
        key, bounded = "fixed", False

        def search(self, query):
            return Found(tuple(plain[: query.k]), "g", {}, len(plain))

        def score(self, question, passages):
            return [numbers[int(one.rpartition(" ")[2])] for one in passages]

    fixed = Fixed()
    hits = RerankedIndex(fixed, fixed, candidates=50).search(replace(QUERY, k=50, merge="none")).hits
    assert [hit.scores.rerank for hit in hits] == sorted(numbers, reverse=True)
    assert len({hit.score for hit in hits}) == len(hits)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
