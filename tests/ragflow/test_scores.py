"""Scores of sources: laws of the logit, what may be read, what is configured."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexes.query import Found, Hit, Scores
from indexes.testing import Planted
from ragflow.routing.scores import (
    LEAST_ROWS,
    REACH,
    WEIGHTS,
    Described,
    SourceScorer,
    profiled,
    reaching,
    softmax,
    weighed,
)
from ragflow.routing.source_features import NAMES, measure

EVERYONE = frozenset({"everyone"})
HOLIDAYS = (
    Planted(
        "hr/leave", "Employees get 28 days of annual leave. Leave is booked in the calendar.", ("everyone",)
    ),
    Planted("hr/parents", "Parental leave lasts twelve months and is asked for in writing.", ("everyone",)),
    Planted("it/vpn", "The VPN client is installed from the software centre.", ("everyone",)),
    Planted("it/laptop", "Broken laptops are swapped at the service desk on weekdays.", ("everyone",)),
    Planted("legal/nda", "A non-disclosure agreement is signed before a tender.", ("group:legal",)),
)
numbers = st.floats(-1, 1, allow_nan=False).map(lambda value: round(value, 6))


def hit(document, rank, dense, lexical, score):
    return Hit(
        rank=rank, chunk=f"{document}:{rank}", document=document, revision="", start=0, end=0, title="",
        headings=(), anchors=(), link=None, modified=None, text="", score=score,
        scores=Scores(lexical, dense),
    )  # fmt: skip


@st.composite
def founds(draw, sources=("a", "b", "c")):
    count = draw(st.integers(0, 12))
    hits = [
        hit(
            f"{draw(st.sampled_from(sources))}/{rank}",
            rank,
            draw(st.one_of(st.none(), numbers)),
            draw(st.one_of(st.none(), numbers.map(abs))),
            abs(draw(numbers)),
        )
        for rank in range(1, count + 1)
    ]
    idf = draw(st.dictionaries(st.sampled_from(["leav", "day", "vpn"]), st.floats(0.1, 8), max_size=3))
    return Found(tuple(hits), "g", idf, max(count, 1), sources)


def described(**texts):
    return {name: Described(text, ()) for name, text in texts.items()}


def embed(texts, *, queries=False):
    """Unit vectors of eight dimensions that depend on the text alone."""
    rows = [np.random.default_rng(sum(map(ord, text))).normal(size=8) for text in texts]
    return np.array([row / np.linalg.norm(row) for row in rows], dtype=np.float32)


# -- laws ----------------------------------------------------------------------------------------


@given(founds(), st.booleans())
def test_probabilities_sum_to_one_best_first_and_the_chosen_are_the_fewest_that_reach_the_level(found, some):
    profiles = profiled(described(a="annual leave", b="computers") if some else {}, embed)
    scores = weighed(found, embed(["how many days?"])[0], profiles)
    probabilities = [one.probability for one in scores.scores]
    assert sum(probabilities) == pytest.approx(1, abs=1e-5)
    assert [(-one.probability, one.source) for one in scores.scores] == sorted(
        (-one.probability, one.source) for one in scores.scores
    )
    assert scores.chosen == tuple(one.source for one in scores.scores[: len(scores.chosen)])
    assert scores.sure == (len(scores.chosen) < len(scores.scores))
    assert sum(probabilities[: len(scores.chosen) - 1]) < REACH
    if scores.sure:
        assert sum(probabilities[: len(scores.chosen)]) >= REACH


@given(founds(), st.permutations(["a", "b", "c"]))
def test_the_names_of_sources_and_their_order_say_nothing(found, order):
    renamed = dict(zip(("a", "b", "c"), order, strict=True))
    moved = Found(
        tuple(
            hit(
                f"{renamed[one.document[0]]}{one.document[1:]}",
                one.rank,
                one.scores.dense,
                one.scores.lexical,
                one.score,
            )
            for one in found.hits
        ),
        "g",
        found.idf,
        found.rows,
        ("a", "b", "c"),
    )
    before = {renamed[one.source]: one.probability for one in weighed(found, None, {}).scores}
    assert {one.source: one.probability for one in weighed(moved, None, {}).scores} == before


@given(founds())
def test_a_better_hit_never_makes_its_source_less_likely(found):
    if not found.hits:
        return
    first = found.hits[0]
    better = hit(first.document, 0, 1.0, 5.0, 1.0)
    stronger = Found((better, *found.hits[1:]), "g", found.idf, found.rows, found.sources)
    source = first.document[0]

    def of(scores):
        return next(one.probability for one in scores.scores if one.source == source)

    assert of(weighed(stronger, None, {})) >= of(weighed(found, None, {})) - 1e-6


def test_evidence_counts_for_its_source_and_a_near_description_too():
    evidence = ("nearest", "crowd", "words", "words_3", "fused_3", "first")
    assert all(WEIGHTS[name] > 0 for name in evidence)
    for name in ("description", "examples_words"):
        assert WEIGHTS[name] > abs(WEIGHTS[f"{name}:near"])
    assert set(WEIGHTS) == set(NAMES)


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=8), st.floats(0, 1))
def test_the_fewest_that_reach_a_level_are_taken(weights, wanted):
    falling = sorted((np.array(weights) / sum(weights)).tolist(), reverse=True)
    count = reaching(falling, wanted)
    assert 1 <= count <= len(falling)
    assert sum(falling[: count - 1]) < wanted or count == 1
    assert count == len(falling) or sum(falling[:count]) >= wanted - 1e-12


def test_a_softmax_of_large_utilities_is_still_one_in_all():
    assert softmax(np.array([1000.0, 0.0])).tolist() == [1.0, 0.0]


# -- what may be read, what is configured -----------------------------------------------------------


def test_only_readable_sources_are_scored(new_world, embedder):
    world = new_world()
    world.sync(HOLIDAYS)
    scorer = SourceScorer(world.index(), embedder.embed, described(legal="contracts", hr="leave"))
    question = "How many days of annual leave are there?"
    seen = scorer.score(question, EVERYONE, None)
    assert [one.source for one in seen.scores] == ["hr", "it"]
    assert {one.source for one in scorer.score(question, EVERYONE | {"group:legal"}, None).scores} == {
        "hr",
        "it",
        "legal",
    }
    assert scorer.score(question, EVERYONE, ("it",)).chosen == ("it",)


def test_hidden_documents_change_no_score(new_world, embedder):
    hidden = [
        Planted(f"{one.name}-secret", f"{one.text} Secret leave days.", ("group:x",)) for one in HOLIDAYS
    ]
    configured = {
        "hr": Described("leave and benefits", ("Can I take a day off?",)),
        "legal": Described("x", ()),
    }
    given_back = []
    for planted in (HOLIDAYS, (*HOLIDAYS, *hidden)):
        world = new_world()
        world.sync(planted)
        scorer = SourceScorer(world.index(), embedder.embed, configured)
        given_back.append(
            [scorer.score(text, EVERYONE, None) for text in ("How many leave days?", "VPN", "zq")]
        )
    assert given_back[0] == given_back[1]


def test_nothing_readable_has_no_score_and_is_not_off_topic(new_world, embedder):
    world = new_world()
    world.sync(HOLIDAYS)
    found = SourceScorer(world.index(), embedder.embed, {}).score("leave?", frozenset({"group:none"}), None)
    assert (found.scores, found.chosen, found.sure, found.off_topic) == ((), (), False, False)


def test_what_is_not_configured_is_neither_embedded_nor_shown(new_world, embedder):
    world = new_world()
    world.sync(HOLIDAYS)

    def never(texts, **_):
        raise AssertionError(texts)

    bare = {"hr": Described("", ()), "it": Described("", ())}
    found = SourceScorer(world.index(), never, bare).score("How many days of leave?", EVERYONE, None)
    assert found.scores[0].source == "hr"
    assert set(found.scores[0].features) == {"nearest", "crowd", "words", "words_3", "fused_3", "first"}


def test_descriptions_and_examples_are_embedded_once(new_world, embedder):
    world = new_world()
    world.sync(HOLIDAYS)
    seen = []

    def counting(texts, *, queries=False):
        seen.extend((text, queries) for text in texts)
        return embedder.embed(texts)

    configured = {"hr": Described("Leave.", ("May I stay at home?",)), "it": Described("", ("No network?",))}
    scorer = SourceScorer(world.index(), counting, configured)
    first = scorer.score("How many days of leave?", EVERYONE, None)
    scorer.score("Where is the VPN client?", EVERYONE, None)
    assert sorted(one for one in seen if "?" not in one[0] or one[0].endswith(("home?", "network?"))) == [
        ("Leave.", False),
        ("May I stay at home?", True),
        ("No network?", True),
    ]
    assert ("How many days of leave?", True) in seen
    shown = {one.source: set(one.features) for one in first.scores}
    assert {"description", "description_words", "examples", "examples_words"} <= shown["hr"]
    assert {"examples", "examples_words"} <= shown["it"]
    assert "description" not in shown["it"]


def test_an_example_that_is_the_question_makes_its_source_likelier(new_world, embedder):
    world = new_world()
    world.sync(HOLIDAYS)
    question = "Whom do I ask about my badge?"

    def of(examples):
        configured = {name: Described("", asked) for name, asked in examples.items()}
        scores = SourceScorer(world.index(), embedder.embed, configured).score(question, EVERYONE, None)
        return {one.source: one.probability for one in scores.scores}

    bare = of({})
    assert of({"it": (question,), "hr": ("How long is my leave?",)})["it"] > bare["it"]
    assert of({"hr": (question,), "it": ("How do I reset a password?",)})["hr"] > bare["hr"]


def test_a_source_with_neither_description_nor_examples_is_not_punished():
    """On average over directions, configuring another source leaves an unconfigured one where it was."""
    found = Found(
        tuple(hit(f"{s}/1", r, 0.5, 1.0, 0.5) for r, s in enumerate("ab", 1)), "g", {"x": 1.0}, 2, ("a", "b")
    )
    typical = 0.2  # the cosine of a question to a description that is not its own, or barely
    other = np.zeros(8, np.float32)
    other[:2] = typical, np.sqrt(1 - typical**2)
    question = np.eye(8, dtype=np.float32)[0]
    profiles = profiled({"a": Described("words", ())}, lambda texts, **_: np.array([other for _ in texts]))
    chance = {one.source: one.probability for one in weighed(found, question, profiles).scores}
    assert 0.35 < chance["b"] < 0.75


# -- off topic -----------------------------------------------------------------------------------


def strange(dense, lexical, *, terms=4, rows=LEAST_ROWS):
    idf = {f"t{number}": 5.0 for number in range(terms)}
    return weighed(Found((hit("a/1", 1, dense, lexical, 1.0),), "g", idf, rows, ("a",)), None, {}).off_topic


def test_a_question_is_off_topic_only_where_neither_words_nor_vectors_come_near():
    assert strange(0.1, 2.0)
    assert not strange(0.7, 2.0)
    assert not strange(0.1, 20.0)


def test_a_short_question_or_a_small_index_is_never_called_off_topic():
    assert not strange(0.1, 0.0, terms=2)
    assert not strange(0.1, 2.0, rows=LEAST_ROWS - 1)
    assert not weighed(Found((), "g", {}, LEAST_ROWS, ("a",)), None, {}).off_topic


# -- features


def test_features_of_no_hit_are_all_the_same_for_every_source():
    features = measure(Found((), "g", {"x": 1.0}, 3, ("a", "b")), None, {})
    assert features.shape == (2, len(NAMES))
    assert (features[0] == features[1]).all()


def test_the_questions_of_this_repository_name_sources_that_scores_know(repository):
    lines = (repository / "benchmarks/questions/handbooks_and_filings.jsonl").read_text().splitlines()
    assert {json.loads(line)["source"] for line in lines} == {"gsa18f", "sourcegraph", "filings"}
