"""What an evaluation measures: each system a function from a case to what it gives.

``lexical``, ``dense`` and ``hybrid`` are the configured search; on a question file ``hybrid`` answers too,
by the same pipeline as ``ragflow ask``, without a record of each question. ``bm25`` is rank-bm25 over the
chunks that the asker may read, each with its document's title: the same tokens as ours, nothing of our
scoring. ``module:function`` is anybody's function. A question with history is made standalone, for every
system alike, by the rules of ``ask --thread``.

Depth: rankings reach a thousand documents. The fused ranking ends where fusion does, after at most twice
``search.candidates`` chunks, for no deeper one is ever shown to anyone.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from evals.bm25 import Baseline
from evals.cases import Case, Ranked, Response, Span, Statement, System
from evals.errors import UnknownSystem
from indexes.embedding import Embedder, Vectors
from indexes.errors import ModelMismatch
from indexes.index import EmbeddedIndex, Place
from indexes.query import Hit, Query
from indexes.query import System as Leg
from ragflow import functions, parts
from ragflow.answers import Answer, Citation
from ragflow.asking import Question, Routed, Router
from ragflow.complaints import near
from ragflow.config import Config
from ragflow.deadlines import Deadline
from ragflow.errors import check_question
from ragflow.pipeline import ask
from ragflow.records import new_id
from ragflow.routing.threads import standalone
from ragflow.steps import Record

DEPTH = 1_000
"""Documents of a ranking."""

SHOWN = 10
"""Ranked chunks that carry their text."""

_BASELINES = 4  # kept at once: one for each set of readers

Places = tuple[list[Place], list[str]]
"""What ``EmbeddedIndex.places`` gives: the first chunks found, then the documents of the rest."""

BUILT_IN: tuple[str, ...] = ("bm25", "lexical", "dense", "hybrid")
_LEGS: Mapping[str, Leg] = {"lexical": "lexical", "dense": "dense", "hybrid": "hybrid"}


class Remembering:
    """An embedder that embeds each question once and knows how long that took. Satisfies ``Embedder``."""

    def __init__(self, embedder: Callable[[], Embedder]) -> None:
        self._embedder = embedder
        self._known: dict[str, tuple[Vectors, float]] = {}

    @property
    def key(self) -> str:
        """The model's own key."""
        return self._embedder().key

    @property
    def dimensions(self) -> int:
        """The model's own."""
        return self._embedder().dimensions

    @property
    def max_tokens(self) -> int:
        """The model's own."""
        return self._embedder().max_tokens

    def token_offsets(self, text: str) -> Sequence[tuple[int, int]]:
        """Return the model's own token offsets."""
        return self._embedder().token_offsets(text)

    def embed(self, texts: Sequence[str], *, queries: bool = False) -> Vectors:
        """Return unit vectors, of one known question without the model."""
        known = self._known.get(texts[0]) if queries and len(texts) == 1 else None
        return known[0] if known else self._embedder().embed(texts, queries=queries)

    def know(self, question: str) -> float:
        """Embed a question unless it is known; return the milliseconds that embedding it took."""
        if question not in self._known:
            model = self._embedder()  # opening it is no question's time
            began = time.perf_counter()
            self._known[question] = (model.embed([question], queries=True), _since(began))
        return self._known[question][1]


@dataclass(frozen=True, slots=True)
class Kit:
    """What systems are made of.

    ``index`` embeds by ``questions``. ``readers``: whose rights count for a case. ``beir``: documents are
    named by their item alone, and nothing is answered.
    """

    config: Config
    index: EmbeddedIndex
    questions: Remembering
    actor: str
    readers: Callable[[Case], frozenset[str]]
    beir: bool

    def query(self, case: Case, system: Leg, k: int) -> Query:
        """Return a case as a query. Raises ``QuestionError``."""
        return Query(asked(case), self.readers(case), tuple(self.config.sources), k, system)

    def ranked(self, found: Places) -> tuple[Ranked, ...]:
        """Return what was found as an evaluation sees it: beyond the first, documents alone, scored 0."""
        first, rest = found
        shown = (
            Ranked(self.named(one.document), one.score, one.chunk, one.start, one.end, one.title, one.text)
            for one in first
        )
        bare = _bare_item if self.beir else _bare
        return (*shown, *map(bare, rest))

    def named(self, document: str) -> str:
        """Return a document's name as the data set has it."""
        return document.partition("/")[2] if self.beir else document


def asked(case: Case) -> str:
    """Return a case's question as it reads without its history. Raises ``QuestionError``."""
    text = check_question(case.question)
    return standalone(text, case.history).text if case.history else text


def make(name: str, kit: Kit) -> System:
    """Return the system of that name.

    Raises:
        UnknownSystem: there is none, it needs what is not configured, or its module cannot be imported.
        ModelMissing, ModelMismatch: it embeds, and the model is absent or not that of the index.
    """
    if ":" in name:
        return functions.imported(name)
    if name == "reranked":
        raise UnknownSystem(
            "reranked: no reranker is configured", hint="search.rerank is null: leave this system out"
        )
    if name == "bm25":
        return _Baselines(kit)
    if name not in _LEGS:
        raise UnknownSystem(
            f'there is no system "{name}"{near(name, BUILT_IN)}',
            hint=f"{', '.join(BUILT_IN)}, or module:function",
        )
    if name != "lexical" and kit.questions.key != kit.index.view().manifest.embedder:
        raise ModelMismatch(
            "the index was built with another embedding model or precision than the configured one"
        )
    if name == "hybrid" and not kit.beir:
        return _answering(kit)
    return _retrieving(kit, _LEGS[name])


def answers(name: str, *, beir: bool) -> bool:
    """Tell whether a system answers too, or may (one of somebody else's), rather than retrieve alone."""
    return name not in BUILT_IN or (name == "hybrid" and not beir)


def _retrieving(kit: Kit, leg: Leg) -> System:
    def retrieve(case: Case) -> Response:
        embedded = kit.questions.know(asked(case)) if leg != "lexical" else 0.0
        began = time.perf_counter()
        places = _places(kit, case, leg)
        searched = _since(began)
        return Response(ranking=kit.ranked(places), timings_ms=_timings(embedded, {"search": searched}))

    return retrieve


def _places(kit: Kit, case: Case, leg: Leg) -> Places:
    query = kit.query(case, leg, DEPTH)
    return _deep(lambda k: kit.index.places(replace(query, k=k), texts=SHOWN))


def _deep(first: Callable[[int], Places]) -> Places:
    """Return the first chunks, best first, of a thousand documents; all that there are if those are fewer."""
    k = DEPTH
    while True:
        shown, rest = first(k)
        documents = [*(one.document for one in shown), *rest]
        different = len(set(documents))
        if different > DEPTH:
            reach = _reach(documents)
            return shown[:reach], rest[: max(0, reach - len(shown))]
        if different == DEPTH or len(documents) < k:
            return shown, rest
        k *= 4


def _reach(documents: Sequence[str]) -> int:
    """Return where the first document that is too many begins."""
    seen: set[str] = set()
    for at, document in enumerate(documents):
        seen.add(document)
        if len(seen) > DEPTH:
            return at
    return len(documents)


@lru_cache(maxsize=100_000)
def _bare(document: str) -> Ranked:
    # Made once: a thousand of them a question are most of what ranking costs.
    return Ranked(document, 0.0)


@lru_cache(maxsize=100_000)
def _bare_item(document: str) -> Ranked:
    """Return the same for the item alone."""
    return _bare(document.partition("/")[2])


def _answering(kit: Kit) -> System:
    workshop = parts.Workshop(kit.config, kit.index, kit.questions.embed)
    rules = parts.rules(kit.config, explain=True)

    def answer(case: Case) -> Response:
        query = kit.query(case, "hybrid", DEPTH)
        embedded = kit.questions.know(query.text)
        record, working = Record(new_id("r")), workshop.parts()
        noting = _Noting(working.router)
        question = Question(query.text, kit.actor, query.readers, query.sources)
        given = ask(question, parts=replace(working, router=noting), record=record, rules=rules)
        route = _route(kit, query, noting.routed)
        # What was answered from is the head of this: a larger k changes nothing before it.
        ranking = kit.ranked(_searched(kit, query, noting.routed))
        return replace(
            _response(given, record, ranking, _timings(embedded, given.timings_ms)),
            sources=route.sources,
            best_source=route.best,
            searched=route.share,
            everything=route.everything,
        )

    return answer


class _Noting:
    """A router that remembers where it sent the last question. Satisfies ``asking.Router``."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self.routed: Routed | None = None

    def route(self, question: Question, deadline: Deadline) -> Routed:
        """Return where the question goes."""
        self.routed = self._router.route(question, deadline)
        return self.routed


@dataclass(frozen=True, slots=True)
class _Route:
    """A route as an evaluation sees it; all None where there was nothing to choose from."""

    sources: tuple[str, ...] | None = None
    best: str | None = None
    share: float | None = None
    everything: tuple[str, ...] | None = None


def _route(kit: Kit, query: Query, routed: Routed | None) -> _Route:
    there = kit.index.readable(query.readers, query.sources).sources
    if routed is None or len(there) < 2:
        return _Route()
    chosen = there if routed.sources is None else tuple(one for one in routed.sources if one in there)
    best = routed.scores[0].source if routed.scores else None
    shown, rest = _deep(lambda k: kit.index.places(replace(query, k=k), texts=0))
    everything = dict.fromkeys(kit.named(name) for name in [*(one.document for one in shown), *rest])
    return _Route(chosen, best, len(chosen) / len(there), tuple(everything)[:SHOWN])


def _searched(kit: Kit, query: Query, routed: Routed | None) -> Places:
    """Return what the route found; a question that was sent nowhere, or blocked, finds nothing."""
    if routed is None or routed.reason is not None:
        return [], []
    within = replace(query, sources=routed.sources)
    return _deep(lambda k: kit.index.places(replace(within, k=k), texts=SHOWN))


def _response(
    answer: Answer, record: Record, ranking: tuple[Ranked, ...], timings: Mapping[str, float]
) -> Response:
    at = {cited.id: position for position, cited in enumerate(answer.citations)}
    hits = answer.explanation.passages if answer.explanation else ()
    return Response(
        ranking=ranking,
        outcome=answer.outcome,
        reason=answer.reason,
        answer=answer.answer,
        claims=tuple(
            Statement(claim.text, tuple(at[number] for number in claim.citations)) for claim in answer.claims
        ),
        citations=tuple(_span(cited, hits) for cited in answer.citations),
        confidence=answer.confidence,
        timings_ms=timings,
        cost_usd=sum(step["cost_usd"] for step in record.steps),
        tokens=sum(step["tokens"] for step in record.steps),
    )


def _span(cited: Citation, hits: Sequence[Hit]) -> Span:
    """Return a citation with the passage that it was taken from."""
    taken = next(
        hit
        for hit in hits
        if (hit.document, hit.revision) == (cited.document, cited.revision)
        and hit.start <= cited.start
        and cited.end <= hit.end
    )
    anchors = tuple((anchor.kind, anchor.label) for anchor in cited.anchors)
    return Span(cited.document, cited.start, cited.end, cited.quote, taken.text, anchors, taken.title)


class _Baselines:
    """rank-bm25 over what the asker may read, rebuilt as soon as that changes."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._held: OrderedDict[frozenset[str], tuple[object, Baseline, dict[str, Place]]] = OrderedDict()

    def __call__(self, case: Case) -> Response:
        query = self._kit.query(case, "lexical", DEPTH)
        baseline, places = self._of(query)
        began = time.perf_counter()

        def first(k: int) -> Places:
            found = baseline.rank(query.text, k)
            shown = [replace(places[chunk], score=score) for chunk, score in found[:SHOWN]]
            return shown, [places[chunk].document for chunk, _ in found[SHOWN:]]

        found = _deep(first)
        timings = _timings(0.0, {"search": _since(began)})
        ranking = self._kit.ranked(found)
        return Response(ranking=ranking, timings_ms=timings)

    def _of(self, query: Query) -> tuple[Baseline, dict[str, Place]]:
        # The index gives the same object until what these readers may read has changed.
        readable = self._kit.index.readable(query.readers, query.sources)
        held = self._held.get(query.readers)
        if held is None or held[0] is not readable:
            places = {one.chunk: one for one in self._kit.index.chunks(query.readers, query.sources)}
            texts = [
                (one.chunk, f"{one.title}\n{one.text}", one.language) for _, one in sorted(places.items())
            ]
            held = (readable, Baseline(texts), places)
        self._held[query.readers] = held
        self._held.move_to_end(query.readers)
        if len(self._held) > _BASELINES:
            self._held.popitem(last=False)
        return held[1], held[2]


def _since(began: float) -> float:
    return (time.perf_counter() - began) * 1_000


def _timings(embedded: float, steps: Mapping[str, float]) -> dict[str, float]:
    """Return milliseconds by step and in total, with the embedding that was done beforehand."""
    total = steps.get("total", sum(steps.values()))
    first = {"embed": embedded} if embedded else {}
    return {name: round(ms, 3) for name, ms in {**first, **steps, "total": total + embedded}.items()}
