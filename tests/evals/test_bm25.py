"""The baseline is rank-bm25 itself, and rank-bm25 with our formula is the oracle of our own BM25."""

import json
import math
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rank_bm25 import BM25Okapi

from evals import beir
from evals.bm25 import Baseline
from evals.retrieval import score
from indexes.analysis import analyse
from indexes.codes import Codes
from indexes.postings import PostingsBuilder
from indexes.query import Ranking
from indexes.ranking import Analysed, rank
from indexes.segments import Rows, Segment, Slice

WORDS = ["leave", "days", "policy", "refund", "office", "10-K", "holiday", "pay", "the"]
texts = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)
corpora = st.lists(texts, max_size=12).filter(lambda corpus: any(map(analyse, corpus)))


def named(corpus):
    return [(f"c{number:03}", text, "en") for number, text in enumerate(corpus)]


@given(corpora, texts)
def test_scores_are_bit_for_bit_those_of_get_scores(corpus, question):
    terms = analyse(question)
    theirs = BM25Okapi([analyse(text) for text in corpus]).get_scores(terms)
    holding = [number for number, text in enumerate(corpus) if set(terms) & set(analyse(text))]
    found = dict(Baseline(named(corpus)).rank(question, 1000))
    assert found == {f"c{number:03}": theirs[number] for number in holding}


@given(corpora, texts, st.integers(0, 12))
def test_a_smaller_k_gives_the_beginning_of_a_larger_one(corpus, question, k):
    baseline = Baseline(named(corpus))
    everything = baseline.rank(question, 1000)
    assert baseline.rank(question, k) == everything[:k]
    assert everything == sorted(everything, key=lambda each: (-each[1], each[0]))


@pytest.mark.parametrize("corpus", [[], [""], ["the of", "..."]])
def test_a_corpus_without_words_finds_nothing(corpus):
    assert Baseline(named(corpus)).rank("leave", 10) == []


def test_a_question_without_words_finds_nothing():
    assert Baseline(named(["leave policy"])).rank("the of", 10) == []
    assert Baseline(named(["leave policy"])).rank("refund", 10) == []


def test_ties_go_by_chunk_id_wherever_the_cut_falls():
    baseline = Baseline([(name, "leave days", "en") for name in "dacb"] + [("x", "office", "en")] * 9)
    assert [name for name, _ in baseline.rank("leave", 3)] == ["a", "b", "c"]


# ------------------------------------------------------------------ the oracle of our own BM25


class PositiveIdf(BM25Okapi):
    """rank-bm25 with the idf that is never negative; all the rest is its own code."""

    def _calc_idf(self, nd):
        for word, holding in nd.items():
            self.idf[word] = math.log(1 + (self.corpus_size - holding + 0.5) / (holding + 0.5))


def ours(corpus, question, ranking):
    builder = PostingsBuilder()
    for text in corpus:
        builder.add(text, "", "")
    count = len(corpus)
    rows = Rows(np.arange(count), np.zeros(count, np.int32), np.ones(count, np.int32))
    vectors = np.eye(1, 4, dtype=np.float32).repeat(count, axis=0)
    segment = Segment(Path("unwritten"), rows, vectors, Codes.of(vectors), builder.build())
    found = rank(
        [Slice(segment, np.ones(count, np.bool_))],
        Analysed(analyse(question), None),
        ranking=ranking,
        k=count,
        system="lexical",
        name=lambda _, places: [f"{place:05}" for place in places.tolist()],
    )
    return {candidate.row: candidate.lexical for candidate in found}


def test_our_bm25_is_that_of_rank_bm25_with_our_idf(rounds):
    for seed in range(rounds(fast=50, soak=1000)):
        dice = random.Random(seed)
        vocabulary = WORDS + [f"word{number}" for number in range(dice.choice([1, 20, 200]))]
        corpus = [
            " ".join(dice.choices(vocabulary, k=dice.randrange(40))) for _ in range(dice.randrange(1, 60))
        ]
        question = " ".join(dice.sample(vocabulary, dice.randrange(1, 8)))
        ranking = Ranking(
            title_boost=0, heading_boost=0, k1=dice.choice([0.4, 1.2, 2.0]), b=dice.choice([0.0, 0.75, 0.99])
        )
        terms = sorted(set(analyse(question)))
        tokens = [analyse(text) for text in corpus]
        oracle = PositiveIdf(tokens, k1=ranking.k1, b=ranking.b).get_scores(terms) if any(tokens) else []
        expected = {row: score for row, score in enumerate(oracle) if set(terms) & set(tokens[row])}
        assert ours(corpus, question, ranking) == pytest.approx(expected, abs=1e-6), seed


def test_the_baseline_of_scifact_is_that_of_rank_bm25_and_near_the_published_figure(real_data):
    folder = real_data / "scifact"
    rows = [json.loads(line) for line in (folder / "corpus.jsonl").read_text(encoding="utf-8").splitlines()]
    chunks = [(str(row["_id"]), f"{row['title']}\n{row['text']}", "en") for row in rows]
    baseline = Baseline(chunks)
    qrels = beir.read_qrels(folder / "qrels" / "test.tsv")
    lines = (folder / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    asked = {row["_id"]: row["text"] for row in map(json.loads, lines) if row["_id"] in qrels}
    run = {question: dict(baseline.rank(text, 100)) for question, text in asked.items()}
    assert score(run, qrels, ["nDCG@10"])["nDCG@10"] == pytest.approx(0.69, abs=0.015)  # Anserini: .679
    for question in list(asked)[:2]:
        theirs = baseline._okapi.get_scores(analyse(asked[question]))
        best = sorted(zip((-theirs).tolist(), [name for name, _, _ in chunks], strict=True))[:100]
        assert list(run[question].items()) == [(name, -negative) for negative, name in best]
