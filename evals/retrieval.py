"""Retrieval scored by ir-measures, the field's reference implementation, in its vocabulary."""

from collections.abc import Mapping, Sequence
from pathlib import Path

Qrels = Mapping[str, Mapping[str, int]]
Run = Mapping[str, Mapping[str, float]]


def score(run: Run, qrels: Qrels, metrics: Sequence[str]) -> dict[str, float]:
    """Return each metric's mean over all judged questions.

    ``run``: question -> document -> score. ``metrics`` as ir-measures names them (``nDCG@10``, ``R@100``).
    A judged question that found nothing counts 0. Of a document found by several chunks give the best
    score. Raises ``ValueError`` when nothing is judged or a metric is unknown.
    """
    import ir_measures

    if not any(qrels.values()):
        raise ValueError("no question has a judgement")
    try:
        measures = [ir_measures.parse_measure(name) for name in metrics]
    except (NameError, ValueError) as error:
        raise ValueError(f"unknown metric: {error}") from error
    totals = dict.fromkeys(metrics, 0.0)
    # Questions without a hit are not in its iteration: they add 0.
    for found in ir_measures.iter_calc(measures, _plain(qrels), _plain({q: run.get(q, {}) for q in qrels})):
        totals[metrics[measures.index(found.measure)]] += found.value
    judged = sum(1 for judgements in qrels.values() if judgements)
    return {name: total / judged for name, total in totals.items()}


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """Read judgements in BEIR's form: a head line, then question, document and grade, tabs between."""
    found: dict[str, dict[str, int]] = {}
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        question, document, grade = line.split("\t")
        found.setdefault(question, {})[document] = int(grade)
    return found


def _plain(mapping: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    return {key: dict(values) for key, values in mapping.items()}
