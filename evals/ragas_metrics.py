"""ragas' metrics that need no model, as metrics of ours. The only module that imports ragas.

It is imported on first use (it takes seconds), and nothing of it that reports usage is ever called.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

from evals.answers import NO_GOLD_ANSWER, shown
from evals.cases import Case, Response
from evals.citations import NO_ANSWER, NO_GOLD_DOCUMENT, NO_GOLD_QUOTE, gold_documents
from evals.errors import ExtraMissing, UnknownMetric
from evals.measures import Kind, Metric, Taken

PREFIX = "ragas:"
JUDGED = tuple(
    PREFIX + name for name in ("Faithfulness", "AnswerRelevancy", "ContextPrecision", "ContextRecall")
)
"""The metrics that ask a model: advice, never metrics of a run (``evals.judges``)."""
CONTEXTS = 10
"""How many of the ranked chunks are ragas' contexts: as many as a stored row keeps."""
NO_TEXTS = "the texts of the hits are not known"

Given = Mapping[str, Any]
"""The arguments of a ragas metric."""


@dataclass(frozen=True, slots=True)
class _Plain:
    """One of ragas' metrics that need no model. ``lacks``: why a case is left out, from its gold alone."""

    kind: Kind
    lacks: Callable[[Case], str | None]
    given: Callable[[Case, Response], Given | str]


def parse(names: Sequence[str]) -> tuple[Metric, ...]:
    """Return ragas' metrics of these names (``ragas:ExactMatch``), none of which asks a model.

    Contexts are the first ten ranked chunks, their ids the documents; gold contexts are the gold quotes.
    The text of an answer is that of its claims. A refusal is an empty answer. A case whose system raised
    counts 0, as does one for which nothing was found. Raises ``ExtraMissing`` and ``UnknownMetric``.
    """
    if find_spec("ragas") is None:
        raise ExtraMissing(f"{', '.join(names)}: ragas is not installed", extra="ragas")
    return tuple(_declared(name) for name in names)


def _declared(name: str) -> Metric:
    plain = _PLAIN.get(name.removeprefix(PREFIX))
    if plain is None:
        hint = f"ragas has {', '.join(PREFIX + each for each in _PLAIN)}"
        if name in JUDGED:
            hint = "it asks a model, is advice and no metric of a run: name a judge (--judge)"
        raise UnknownMetric(f"unknown metric {name!r}", hint=hint)
    short, kind, lacks, given = name.removeprefix(PREFIX), plain.kind, plain.lacks, plain.given

    def take(case: Case, response: Response) -> Taken:
        arguments = lacks(case) or given(case, response)
        if kind == "retrieval" and not response.ranking and not isinstance(arguments, str):
            return (0.0,)
        return arguments if isinstance(arguments, str) else (_scorer(short)(arguments),)

    return Metric(name, kind, take, lambda case: lacks(case) or (0.0,))


@cache
def _scorer(name: str) -> Callable[[Given], float]:
    """Return ragas' own computation of a metric that needs no model."""
    ragas = imported()
    if name in ("ExactMatch", "StringPresence", "NonLLMStringSimilarity"):
        metric = getattr(ragas.collections, name)()
        return lambda given: float(_now(metric.ascore(**given)).value)
    metric = getattr(ragas, name)()
    for part in ("_distance_measure", "distance_measure"):  # the setter of the one with both makes another
        if part in vars(metric):
            setattr(metric, part, _Unreported(vars(metric)[part]))
    # The public method reports usage.
    return lambda given: float(_now(metric._single_turn_ascore(ragas.Sample(**given), None)))  # noqa: SLF001


@dataclass(frozen=True, slots=True)
class _Unreported:
    """A ragas metric whose public method reports no usage, and so writes no identity into the home folder."""

    metric: Any

    async def single_turn_ascore(self, sample: Any, callbacks: Any) -> float:
        return float(await self.metric._single_turn_ascore(sample, callbacks))  # noqa: SLF001  as said above


def _now(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Return what a coroutine gives that waits for nothing; it needs no event loop, and none may be free."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise RuntimeError("a metric without a model waited for something")


@dataclass(frozen=True, slots=True)
class Ragas:
    """What is used of ragas."""

    collections: Any
    Sample: Any
    IDBasedContextPrecision: Any
    IDBasedContextRecall: Any
    NonLLMContextPrecisionWithReference: Any
    NonLLMContextRecall: Any
    Model: Any
    Embedding: Any


@cache
def imported() -> Ragas:
    """Import ragas. Raises ``ExtraMissing``, also where one of its own dependencies does not fit."""
    try:
        # The public names of the older metrics warn of their end; the version is pinned exactly.
        from ragas.dataset_schema import SingleTurnSample
        from ragas.embeddings.base import BaseRagasEmbedding
        from ragas.llms.base import InstructorBaseRagasLLM
        from ragas.metrics import collections
        from ragas.metrics._context_precision import (
            IDBasedContextPrecision,
            NonLLMContextPrecisionWithReference,
        )
        from ragas.metrics._context_recall import IDBasedContextRecall, NonLLMContextRecall
    except ImportError as error:
        raise ExtraMissing(f"ragas cannot be imported: {error}", extra="ragas") from error
    return Ragas(
        collections=collections,
        Sample=SingleTurnSample,
        IDBasedContextPrecision=IDBasedContextPrecision,
        IDBasedContextRecall=IDBasedContextRecall,
        NonLLMContextPrecisionWithReference=NonLLMContextPrecisionWithReference,
        NonLLMContextRecall=NonLLMContextRecall,
        Model=InstructorBaseRagasLLM,
        Embedding=BaseRagasEmbedding,
    )


def _ids(case: Case, response: Response) -> Given | str:
    found = dict.fromkeys(ranked.document for ranked in response.ranking[:CONTEXTS])
    return {"retrieved_context_ids": list(found), "reference_context_ids": sorted(gold_documents(case))}


def _quoted(case: Case, response: Response) -> Given | str:
    found = texts(response)
    gold = [gold.quote for gold in case.quotes or ()]
    return found if isinstance(found, str) else {"retrieved_contexts": found, "reference_contexts": gold}


def _compared(case: Case, response: Response) -> Given | str:
    if response.outcome is None:
        return NO_ANSWER
    return {"reference": case.answer or "", "response": shown(response)}


def texts(response: Response) -> list[str] | str:
    """Return the contexts, or why they cannot be had."""
    found = [ranked.text for ranked in response.ranking[:CONTEXTS]]
    return found if all(found) else NO_TEXTS


def _no_document(case: Case) -> str | None:
    return None if gold_documents(case) else NO_GOLD_DOCUMENT


def _no_quote(case: Case) -> str | None:
    return None if case.quotes else NO_GOLD_QUOTE


def _no_answer(case: Case) -> str | None:
    return NO_GOLD_ANSWER if case.answer is None else None


_PLAIN = {
    "IDBasedContextPrecision": _Plain("retrieval", _no_document, _ids),
    "IDBasedContextRecall": _Plain("retrieval", _no_document, _ids),
    "NonLLMContextPrecisionWithReference": _Plain("retrieval", _no_quote, _quoted),
    "NonLLMContextRecall": _Plain("retrieval", _no_quote, _quoted),
    "NonLLMStringSimilarity": _Plain("answer", _no_answer, _compared),
    "ExactMatch": _Plain("answer", _no_answer, _compared),
    "StringPresence": _Plain("answer", _no_answer, _compared),
}
PLAIN = tuple(PREFIX + name for name in _PLAIN)
