"""Retrieval figures are those of the reference implementation, from the order alone; nothing is dropped."""

import math
import random

import ir_measures
import numpy as np
import pytest
import pytrec_eval

from evals import trec
from evals.cases import Case, Ranked, Response
from evals.errors import DatasetInvalid, UnknownMetric
from evals.measures import mean
from evals.metrics import RETRIEVAL, parse, take_all
from evals.retrieval import NO_GOLD, documents, metric, numbers, score

QRELS = {"q1": {"a": 1, "b": 1}, "q2": {"c": 1}}
DIRECT = {
    "nDCG@10": "ndcg_cut_10",
    "R@100": "recall_100",
    "P@5": "P_5",
    "Success@5": "success_5",
    "MAP": "map",
    "MRR@10": "recip_rank",
    "nDCG": "ndcg",
    "P@20": "P_20",
}


def case(judgements, key="q"):
    return Case(key, "What?", judgements=judgements)


def answer(*ranked):
    """Rank documents in this order; ``doc#2`` is a second chunk of ``doc``."""
    return Response(ranking=tuple(Ranked(name.partition("#")[0], 1.0, name, 0, 0) for name in ranked))


def test_scores_are_the_formula_worked_out_by_hand():
    run = {"q1": {"x": 3.0, "a": 2.0, "b": 1.0}, "q2": {"c": 1.0}}
    first = (1 / math.log2(3) + 1 / math.log2(4)) / (1 / math.log2(2) + 1 / math.log2(3))
    found = score(run, QRELS, ["nDCG@10", "R@100", "P@1"])
    assert found == pytest.approx({"nDCG@10": (first + 1) / 2, "R@100": 1.0, "P@1": 0.5})


def test_a_question_without_hits_counts_zero():
    assert score({"q2": {"c": 1.0}}, QRELS, ["nDCG@10"]) == pytest.approx({"nDCG@10": 0.5})
    assert score({}, QRELS, ["nDCG@10"]) == {"nDCG@10": 0.0}
    assert take_all(parse(RETRIEVAL), case({"a": 1}), Response()) == dict.fromkeys(RETRIEVAL, (0.0,))


def test_nothing_judged_and_unknown_metrics_are_refused():
    with pytest.raises(ValueError, match="relevant"):
        score({}, {"q": {"a": 0}}, ["nDCG@10"])
    with pytest.raises(UnknownMetric):
        score({}, QRELS, ["nonsense@@"])


@pytest.mark.parametrize("judgements", [None, {}, {"a": 0, "b": -1}])
def test_a_case_without_a_relevant_document_is_left_out_and_says_so(judgements):
    taken = take_all(parse(RETRIEVAL), case(judgements), answer("a"))
    assert taken == dict.fromkeys(RETRIEVAL, NO_GOLD)
    assert metric("nDCG@10").failed(case(judgements)) == NO_GOLD


def test_a_failed_case_counts_zero():
    assert metric("MAP").failed(case({"a": 1})) == (0.0,)


def test_grades_count_as_gains():
    graded = case({"best": 3, "fair": 1})
    found = numbers(["nDCG@2"], graded, answer("fair", "best"))["nDCG@2"]
    assert found == pytest.approx(((1 + 3 / math.log2(3)) / (3 + 1 / math.log2(3)),))


def test_a_document_stands_where_its_best_chunk_stands():
    response = answer("b#1", "a#1", "b#2", "a#2", "c#1")
    assert documents(response.ranking) == ["b", "a", "c"]
    assert numbers(["MRR@10", "P@2"], case({"a": 1}), response) == {"MRR@10": (0.5,), "P@2": (0.5,)}


def test_equal_scores_keep_the_order_of_the_ranking():
    forward, backward = answer("a", "b", "c"), answer("c", "b", "a")
    assert numbers(["MRR@10"], case({"a": 1}), forward) == {"MRR@10": (1.0,)}
    assert numbers(["MRR@10"], case({"a": 1}), backward) == {"MRR@10": (pytest.approx(1 / 3),)}


def test_a_grade_below_zero_counts_as_zero_and_one_beyond_reason_is_refused():
    response = answer("bad", "a")
    below, zero = case({"a": 1, "bad": -7}), case({"a": 1, "bad": 0})
    assert numbers(RETRIEVAL, below, response) == numbers(RETRIEVAL, zero, response)
    with pytest.raises(DatasetInvalid, match="1,000"):
        numbers(["nDCG@10"], case({"a": 10**9}), response)


@pytest.mark.parametrize(
    "name", ["nDCG@0", "P", "P@5.5", "NumRet", "ERR@10", "RBP(p=0.8)", "ndcg@10", "import os"]
)
def test_what_ir_measures_cannot_compute_here_is_no_metric(name):
    with pytest.raises(UnknownMetric):
        metric(name)


def test_one_call_gives_what_each_metric_gives_alone():
    names = [*RETRIEVAL, "RR", "P(rel=2)@3", "Judged@10", "Bpref"]
    one = case({"a": 2, "c": 1, "d": 0})
    response = answer("x", "c", "a#1", "y", "a#2")
    together = take_all(parse(names), one, response)
    assert together == {name: metric(name).take(one, response) for name in names}
    assert list(together) == names


def test_the_whole_ranking_counts_for_measures_that_look_behind_the_last_judged_document():
    one, short, long = case({"a": 1}), answer("a"), answer("a", "x", "y")
    assert numbers(["SetP"], one, short) == {"SetP": (1.0,)}
    assert numbers(["SetP", "MAP"], one, long) == {"SetP": (pytest.approx(1 / 3),), "MAP": (1.0,)}


# ------------------------------------------------------------------ the law: pytrec_eval, called directly

NAMES = [
    *(f"d{number}" for number in range(150)),
    *("Leave policy.docx", "100 % sure", "Übersicht", "規程 第一", "a\tb", "a%20b", "a b", "no\u00a0break"),
]


def ranking(dice):
    """A ranking of chunks, best first, with ties and up to four chunks a document; often empty."""
    count = dice.choice([0, 1, 3, 12, 140])
    chunks = [
        Ranked(name, dice.choice([0.0, 0.5, 0.25, 1.0]), f"{name}@{part}")
        for name in dice.sample(NAMES, count)
        for part in range(dice.choice([1, 1, 2, 4]))
    ]
    dice.shuffle(chunks)
    return tuple(sorted(chunks, key=lambda each: -each.score))


def judgements(dice):
    """Graded judgements; often none, or none that is relevant."""
    count = dice.choice([0, 1, 2, 5, 30])
    return {name: dice.choice([-1, 0, 1, 1, 1, 2, 3]) for name in dice.sample(NAMES, count)}


def never_negative(one):
    """The grades that pytrec_eval stands: below 0 it writes outside of its memory, and may never return."""
    return {name: max(grade, 0) for name, grade in one.judgements.items()}


def read_directly(folder):
    """What pytrec_eval alone makes of the files: question -> measure -> value."""
    with (folder / "qrels").open(encoding="utf-8") as file:
        qrels = pytrec_eval.parse_qrel(file)
    with (folder / "run").open(encoding="utf-8") as file:
        run = pytrec_eval.parse_run(file)
    found = pytrec_eval.RelevanceEvaluator(qrels, set(DIRECT.values())).evaluate(run)
    for measured in found.values():  # recip_rank has no cutoff
        measured["recip_rank"] *= measured["recip_rank"] > 1 / 10.5
    return found


def test_pytrec_eval_on_the_run_files_gives_every_figure(rounds, tmp_path):
    metrics = parse(list(DIRECT))
    number = 0
    for seed in range(rounds(fast=100, soak=1000) // 10):
        dice = random.Random(seed)
        cases = [case(judgements(dice), f"question {number} ü") for number in range(10)]
        rankings = {each.id: ranking(dice) for each in cases}
        trec.write(tmp_path / "run", rankings, "any tag")
        trec.write_judgements(tmp_path / "qrels", {each.id: never_negative(each) for each in cases})
        direct = read_directly(tmp_path)
        taken = {each.id: take_all(metrics, each, Response(ranking=rankings[each.id])) for each in cases}
        for declared in metrics:
            gold = [each.id for each in cases if max(each.judgements.values(), default=0) >= 1]
            expected = [direct.get(trec.escape(key), {}).get(DIRECT[declared.name], 0.0) for key in gold]
            ours = [taken[key][declared.name] for key in taken if taken[key][declared.name] != NO_GOLD]
            assert [value for (value,) in ours] == pytest.approx(expected, abs=1e-6), (seed, declared.name)
            if gold:
                figure = declared.combine(np.array(ours))
                assert figure == pytest.approx(sum(expected) / len(expected), abs=1e-6)
        number += len(cases)
    assert number >= 100


def test_ir_measures_own_pipeline_gives_the_same_as_ours(rounds):
    measures = [ir_measures.parse_measure(name) for name in RETRIEVAL]
    for seed in range(rounds(fast=20, soak=200)):
        dice = random.Random(seed)
        one, ranked = case({**judgements(dice), "d1": 1}), ranking(dice)
        order = documents(ranked)
        run = {"q": {name: float(-place) for place, name in enumerate(order)}}
        theirs = {
            str(each.measure): each.value
            for each in ir_measures.iter_calc(measures, {"q": never_negative(one)}, run)
        }
        ours = numbers(RETRIEVAL, one, Response(ranking=ranked))
        assert [ours[name][0] for name in RETRIEVAL] == pytest.approx(
            [theirs[str(m)] for m in measures], abs=1e-9
        )
    assert mean is metric("MAP").combine


def test_a_document_may_be_named_by_half_a_surrogate_pair() -> None:
    case = Case("q1", "question?", judgements={"good": 1, "also\ud801": 1})
    response = Response(ranking=(Ranked("bad\ud800", 2.0), Ranked("good", 1.0), Ranked("also\ud801", 0.5)))
    assert numbers(["P@3", "RR"], case, response) == {"P@3": (pytest.approx(2 / 3),), "RR": (0.5,)}
