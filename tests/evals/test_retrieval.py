"""Retrieval scores are those of the reference implementation, and no question is dropped."""

import math

import pytest

from evals.retrieval import read_qrels, score

QRELS = {"q1": {"a": 1, "b": 1}, "q2": {"c": 1}}


def test_scores_are_the_formula_worked_out_by_hand():
    run = {"q1": {"x": 3.0, "a": 2.0, "b": 1.0}, "q2": {"c": 1.0}}
    first = (1 / math.log2(3) + 1 / math.log2(4)) / (1 / math.log2(2) + 1 / math.log2(3))
    found = score(run, QRELS, ["nDCG@10", "R@100", "P@1"])
    assert found == pytest.approx({"nDCG@10": (first + 1) / 2, "R@100": 1.0, "P@1": 0.5})


def test_a_question_without_hits_counts_zero():
    assert score({"q2": {"c": 1.0}}, QRELS, ["nDCG@10"]) == pytest.approx({"nDCG@10": 0.5})
    assert score({}, QRELS, ["nDCG@10"]) == {"nDCG@10": 0.0}


def test_nothing_judged_and_unknown_metrics_are_refused():
    with pytest.raises(ValueError, match="judgement"):
        score({}, {}, ["nDCG@10"])
    with pytest.raises(ValueError, match="metric"):
        score({}, QRELS, ["nonsense@@"])


def test_judgements_are_read_in_the_beir_form(tmp_path):
    path = tmp_path / "test.tsv"
    path.write_text("query-id\tcorpus-id\tscore\nq1\ta\t1\nq1\tb\t2\n")
    assert read_qrels(path) == {"q1": {"a": 1, "b": 2}}
