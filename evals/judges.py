"""A model as judge: ragas' metrics that ask one, several times each, as advice beside the figures.

What a model judges is never a metric of a run, so that no gate can rest on it: the spread of its verdicts
stands beside their mean, and what was no verdict is counted.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from evals.answers import NO_GOLD_ANSWER, shown
from evals.cases import Case, Response
from evals.chat import ChatFailed, Endpoint, client, complete
from evals.citations import NO_ANSWER, NOT_ANSWERED
from evals.errors import UnknownMetric
from evals.ragas_metrics import JUDGED, PREFIX, Given, imported, parse, texts
from evals.results import EvalRun
from indexes.embedding import Embedder

__all__ = ["JUDGED", "Advice", "Judge", "Judgement", "advise", "parse"]

RELEVANCY = f"{PREFIX}AnswerRelevancy"
PATIENCE = 3
"""After so many judgements in a row without any reply the judge is taken for dead."""
NO_HITS = "nothing was found"
NO_EMBEDDER = "no embedding model is given"
DEAD = "not asked: the judge had stopped replying"
SILENT = frozenset({"no connection", "time-out"})
_ROUNDING = 1e-6
AGAIN = "That was not the JSON that was asked for. Reply with it alone, without any other word or mark."


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a judge said of one case by one metric, asked several times.

    ``values``: its verdicts, each in the metric's range; ``mean``: theirs; ``spread``: the highest minus the
    lowest, of two or more. Both NaN where there are too few. ``nan``: how often the metric came to no number
    (an answer without a statement, say); ``errors``: for each time without a verdict why, its kind before the
    first colon. ``left_out``: why the case was not judged at all, else "".
    """

    metric: str
    values: tuple[float, ...] = ()
    nan: int = 0
    errors: tuple[str, ...] = ()
    left_out: str = ""

    @property
    def mean(self) -> float:
        """The mean of the verdicts."""
        return math.fsum(self.values) / len(self.values) if self.values else math.nan

    @property
    def spread(self) -> float:
        """The highest verdict minus the lowest."""
        return max(self.values) - min(self.values) if len(self.values) > 1 else math.nan


@dataclass(frozen=True, slots=True)
class Advice:
    """One metric over a run: the mean of ``n`` cases' means, and the mean of their spreads.

    ``nan``: judgements that came to no number; ``errors``: kind -> judgements without a verdict; both are in
    no mean. ``unjudged``: cases that were asked about without any verdict. ``left_out``: reason -> cases that
    were not asked about.
    """

    metric: str
    mean: float
    spread: float
    n: int
    nan: int
    unjudged: int
    errors: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judge:
    """A model behind an OpenAI-compatible server, as ``http://127.0.0.1:8080/v1``.

    ``timeout``: seconds for one reply, of at most ``max_tokens``. ``repeats``: judgements of each case and
    metric, each with a seed of its own. ``embedder``: for AnswerRelevancy, which compares questions. Nothing
    but this server is contacted.
    """

    base_url: str
    model: str
    api_key: str | None = field(default=None, repr=False)
    timeout: float = 30.0
    repeats: int = 3
    embedder: Embedder | None = None
    max_tokens: int = 1024

    def judge(self, case: Case, response: Response, metric: str) -> Judgement:
        """Judge one case by one of ``JUDGED``. A reply that is no verdict is counted, and never raises.

        Must not be called from within a running event loop: it has one of its own, and closes it.
        Raises ``UnknownMetric`` and ``ExtraMissing``.
        """
        if metric not in JUDGED:
            raise UnknownMetric(f"no judge's metric: {metric!r}", hint=f"judged are {', '.join(JUDGED)}")
        given = self._given(metric, case, response)
        if isinstance(given, str):
            return Judgement(metric, left_out=given)
        imported()  # what is missing is told before a loop is made
        return asyncio.run(self._repeated(metric, given))

    def _given(self, metric: str, case: Case, response: Response) -> Given | str:
        """Return the metric's arguments, or why the case is left out."""
        found, answer = texts(response), shown(response)
        wanted: dict[str, Any] = {"user_input": case.question}
        if metric in (f"{PREFIX}Faithfulness", RELEVANCY):
            if not answer:
                return NO_ANSWER if response.outcome is None else NOT_ANSWERED
            wanted["response"] = answer
        else:
            if not case.answer:
                return NO_GOLD_ANSWER
            wanted["reference"] = case.answer
        if metric == RELEVANCY:
            return wanted if self.embedder is not None else NO_EMBEDDER
        if isinstance(found, str):
            return found
        return {**wanted, "retrieved_contexts": found} if found else NO_HITS

    async def _repeated(self, metric: str, given: Given) -> Judgement:
        values: list[float] = []
        errors: list[str] = []
        nan = 0
        lowest = -1.0 if metric == RELEVANCY else 0.0  # a mean of cosines, the others are shares
        endpoint = Endpoint(
            self.base_url, self.model, self.api_key, timeout=self.timeout, max_tokens=self.max_tokens
        )
        async with client(endpoint) as over:
            for seed in range(self.repeats):
                try:
                    value = await self._score(metric, given, _Asker(over, endpoint, seed))
                except ChatFailed as error:
                    errors.append(str(error))
                    continue
                if math.isnan(value):
                    nan += 1
                elif lowest - _ROUNDING <= value <= 1 + _ROUNDING:
                    values.append(min(1.0, max(lowest, value)))
                else:
                    errors.append(f"out of range: {value:g}")
        return Judgement(metric, tuple(values), nan, tuple(errors))

    async def _score(self, metric: str, given: Given, asker: "_Asker") -> float:
        """Return one verdict. Whatever ragas makes of a reply that it does not expect is a ``ChatFailed``."""
        ragas = imported()
        parts = {"llm": _adapted(ragas.Model, {"generate": asker.wait, "agenerate": asker.ask})}
        if metric == RELEVANCY:
            parts["embeddings"] = _embedding(ragas.Embedding, self.embedder)
        scorer = getattr(ragas.collections, metric.removeprefix(PREFIX))(**parts)
        try:
            return float((await scorer.ascore(**given)).value)
        except ChatFailed:
            raise
        except Exception as error:
            raise ChatFailed("ragas", f"{type(error).__name__}: {error}") from error


@dataclass(frozen=True, slots=True)
class _Asker:
    """Asks the model for JSON of a shape, strictly; once more where the reply is none."""

    over: Any
    endpoint: Endpoint
    seed: int

    async def ask(self, prompt: str, shape: type[BaseModel]) -> BaseModel:
        messages = [{"role": "user", "content": prompt}]
        schema = shape.model_json_schema()
        reply = ""
        for _ in range(2):
            reply = await complete(self.over, self.endpoint, messages, schema=schema, seed=self.seed)
            try:
                return shape.model_validate_json(reply)
            except ValidationError:
                messages += [{"role": "assistant", "content": reply}, {"role": "user", "content": AGAIN}]
        raise ChatFailed("garbage", f"no {shape.__name__}, asked twice: {' '.join(reply.split())[:120]}")

    def wait(self, prompt: str, shape: type[BaseModel]) -> BaseModel:
        return asyncio.run(self.ask(prompt, shape))


def _adapted(base: Any, methods: Mapping[str, Callable[..., Any]]) -> Any:
    """Return an object of a class of ragas' with these methods: its checks want its own classes."""
    bound = {name: staticmethod(method) for name, method in methods.items()}
    return type(base.__name__, (base,), bound)()


def _embedding(base: Any, embedder: Embedder | None) -> Any:
    assert embedder is not None  # else the case was left out

    def embed(text: str) -> list[float]:
        return [float(number) for number in embedder.embed([text])[0]]

    async def embed_soon(text: str) -> list[float]:
        return embed(text)

    return _adapted(base, {"embed_text": embed, "aembed_text": embed_soon})


def advise(
    judge: Judge,
    run: EvalRun,
    *,
    system: str = "hybrid",
    metrics: Sequence[str] = JUDGED,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> tuple[Advice, ...]:
    """Judge the reviewed cases that a system answered without an error, metric by metric, in the run's order.

    After ``PATIENCE`` judgements in a row to which no reply came, the rest is not asked. ``progress`` hears
    how many judgements are done, of how many. Raises ``UnknownMetric`` and ``ExtraMissing``.
    """
    rows = run.of(system)
    judged = [
        (case, row.response)
        for case in run.cases
        if case.reviewed and case.id not in run.setup.excluded
        if (row := rows.get(case.id)) is not None and row.response is not None
    ]
    given: dict[str, list[Judgement]] = {metric: [] for metric in metrics}
    silent = done = 0
    progress(0, len(judged) * len(metrics))
    for metric in metrics:
        for case, response in judged:
            if silent >= PATIENCE:
                found = Judgement(metric, left_out=DEAD)
            else:
                found = judge.judge(case, response, metric)
                if not found.left_out:
                    silent = silent + 1 if _silent(found) else 0
            given[metric].append(found)
            done += 1
            progress(done, len(judged) * len(metrics))
    return tuple(_summed(metric, each) for metric, each in given.items())


def _silent(judgement: Judgement) -> bool:
    kinds = {_kind(error) for error in judgement.errors}
    return not judgement.values and not judgement.nan and kinds <= SILENT


def _kind(error: str) -> str:
    return error.partition(":")[0]


def _summed(metric: str, judgements: Sequence[Judgement]) -> Advice:
    asked = [each for each in judgements if not each.left_out]
    means = [each.mean for each in asked if each.values]
    spreads = [each.spread for each in asked if len(each.values) > 1]
    return Advice(
        metric=metric,
        mean=math.fsum(means) / len(means) if means else math.nan,
        spread=math.fsum(spreads) / len(spreads) if spreads else math.nan,
        n=len(means),
        nan=sum(each.nan for each in asked),
        unjudged=len(asked) - len(means),
        errors=dict(Counter(_kind(error) for each in asked for error in each.errors)),
        left_out=dict(Counter(each.left_out for each in judgements if each.left_out)),
    )
