"""Retrieval scored by ir-measures, the field's reference implementation, in its vocabulary.

A ranking is of chunks, best first. Figures are computed from its order alone: a document stands where
its best chunk stands, and the scores that are handed on fall strictly by place, so that no tool can
break a tie in another way than the system did.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from evals.cases import Case, Ranked, Response
from evals.errors import DatasetInvalid, UnknownMetric
from evals.measures import Metric, Taken

NO_GOLD = "no gold document"
MAX_GRADE = 1_000

Qrels = Mapping[str, Mapping[str, int]]
Run = Mapping[str, Mapping[str, float]]

_QUESTION = "q"  # every case is scored alone: what it is called does not matter
_KEPT = 4096
# What stands after the last judged document changes none of these: the precision of fewer documents than
# the cutoff is still divided by the cutoff.
_TAILLESS = frozenset({"nDCG", "R", "P", "RR", "AP", "Success"})


@dataclass(frozen=True, slots=True)
class Measured:
    """The two halves of a retrieval metric; ``name`` as ir-measures parses it."""

    name: str

    def take(self, case: Case, response: Response) -> Taken:
        """Return the measure of the case's ranking, or why the case is left out."""
        return numbers([self.name], case, response)[self.name]

    def failed(self, case: Case) -> Taken:
        """Return 0, or why the case is left out."""
        return (0.0,) if relevant(case) else NO_GOLD


def metric(name: str) -> Metric:
    """Declare a retrieval metric. Raises ``UnknownMetric``, with what ir-measures has against the name."""
    _measure(name)
    measured = Measured(name)
    return Metric(name, "retrieval", measured.take, measured.failed)


def numbers(names: Sequence[str], case: Case, response: Response) -> dict[str, Taken]:
    """Return several measures of one ranking, all by one call of ir-measures.

    A case with no document of grade 1 and up is left out. A ranking without hits gives 0. What a measure
    does not define is NaN. A grade below 0 counts as 0. Raises ``UnknownMetric``, and ``DatasetInvalid``
    for a grade above 1,000.
    """
    if not relevant(case):
        return dict.fromkeys(names, NO_GOLD)
    asked = {name: _measure(name) for name in names}
    if not asked:
        return {}
    found = _values(frozenset(asked.values()), case.judgements or {}, documents(response.ranking))
    return {name: (found[measure],) for name, measure in asked.items()}


def relevant(case: Case) -> bool:
    """Say whether any document is judged relevant: grade 1 and up."""
    return any(grade >= 1 for grade in (case.judgements or {}).values())


def documents(ranking: Iterable[Ranked]) -> list[str]:
    """Return the documents of a ranking of chunks, each once, where its best chunk stands."""
    return list(dict.fromkeys(ranked.document for ranked in ranking))


def score(run: Run, qrels: Qrels, metrics: Sequence[str]) -> dict[str, float]:
    """Return each metric's mean over all questions with a relevant document.

    ``run``: question -> document -> score; equal scores keep the order of the mapping. ``metrics`` as
    ir-measures names them (``nDCG@10``, ``R@100``). A judged question that found nothing counts 0.
    Raises ``ValueError`` when nothing is judged relevant, ``UnknownMetric``.
    """
    asked = {name: _measure(name) for name in metrics}
    judged = {q: grades for q, grades in qrels.items() if any(grade >= 1 for grade in grades.values())}
    if not judged:
        raise ValueError("no question has a relevant document")
    totals = dict.fromkeys(metrics, 0.0)
    for question, grades in judged.items():
        scores = run.get(question, {})
        ranked = sorted(scores, key=scores.__getitem__, reverse=True)
        found = _values(frozenset(asked.values()), grades, ranked)
        for name, measure in asked.items():
            totals[name] += found[measure]
    return {name: total / len(judged) for name, total in totals.items()}


def _values(measures: frozenset[Any], grades: Mapping[str, int], ranked: Sequence[str]) -> dict[Any, float]:
    """Return every measure of one ranking of documents."""
    # pytrec_eval writes outside of its memory at a negative grade, which says no more than 0 does, and
    # makes room for every grade up to the highest.
    grades = {document: max(grade, 0) for document, grade in grades.items()}
    if max(grades.values(), default=0) > MAX_GRADE:
        raise DatasetInvalid(f"a document is judged above {MAX_GRADE:,}", hint="grades are small: 0, 1, 2, 3")
    if all(measure.NAME in _TAILLESS for measure in measures):
        ranked = ranked[: max((at for at, document in enumerate(ranked, 1) if document in grades), default=0)]
    # Documents go by numbered: a lone surrogate in a name ends the whole process there.
    numbered = {document: f"judged-{place}" for place, document in enumerate(sorted(grades))}
    ranked = [numbered.get(document, f"other-{place}") for place, document in enumerate(ranked)]
    grades = {numbered[document]: grade for document, grade in grades.items()}
    # trec_eval holds scores as float32: whole numbered stay different up to 16,777,216 documents.
    run = {_QUESTION: {document: float(len(ranked) - at) for at, document in enumerate(ranked)}}
    evaluator = _evaluator(measures, frozenset(grades.items()))
    return {found.measure: float(found.value) for found in evaluator.iter_calc(run if ranked else {})}


@lru_cache(maxsize=_KEPT)
def _evaluator(measures: frozenset[Any], judgements: frozenset[tuple[str, int]]) -> Any:
    """Return an evaluator of one case: making one costs more than using it, and every system needs it."""
    return _pipeline().evaluator(sorted(measures, key=str), {_QUESTION: dict(judgements)})


@cache
def _pipeline() -> Any:
    """Return ir-measures' providers in its own order, without those that start a program for every case."""
    import ir_measures as ir

    shipped = [ir.pytrec_eval, ir.cwl_eval, ir.compat, ir.pyndeval, ir.judged, ir.msmarco, ir.accuracy]
    pipeline: Any = ir.providers.FallbackProvider
    return pipeline(shipped)


@cache
def _measure(name: str) -> Any:
    """Return ir-measures' measure of this name. Raises ``UnknownMetric``."""
    import ir_measures

    try:
        measure = ir_measures.parse_measure(name)
        supported = _pipeline().supports(measure)
    except AssertionError as error:  # of a parameter
        raise UnknownMetric(
            f"{name!r} lacks a parameter, or has a wrong one", hint="a cutoff is written nDCG@10"
        ) from error
    except (NameError, ValueError, TypeError, KeyError) as error:
        raise UnknownMetric(f"{name!r} is no retrieval metric") from error
    if measure.params.get("cutoff", 1) < 1:
        raise UnknownMetric(f"{name!r} looks at no hit", hint="a cutoff is 1 or more")
    if not supported or not isinstance(measure.aggregator(), ir_measures.measures.MeanAgg):
        raise UnknownMetric(
            f"{name!r} cannot be computed here",
            hint="ir-measures knows the name, but not as a mean over questions by what is installed",
        )
    return measure
