"""The router alone, measured: every question of a data set is sent to its sources, and none is answered.

Beside the figures stands what another level of probability than ``scores.REACH`` would have given, chosen
by two-fold cross-fitting, so that a company can see whether the shipped one suits its own questions.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evals.cases import Case, Response
from evals.results import Figure
from evals.routes import best, golds
from evals.running import run
from ragflow.asking import Question, Routed, Router
from ragflow.deadlines import Deadline
from ragflow.systems import Kit

SCHEMA = "ragflow.eval_route/1"
METRICS = ("route_top1", "route_recall", "route_searched", "route_accuracy", "route_macro_F1")
WANTED = 0.98
"""The share of questions all of whose gold sources are to be chosen, where a level is fitted.

More than the .95 that is wanted, for several sources may hold an answer; on mtrag it searches just below
half of the sources where nothing is configured of them.
"""

NOWHERE = "nowhere"
_ENOUGH = 30  # questions of a fold: a level for .965 of fewer is the worst of them


@dataclass(frozen=True, slots=True)
class Sent:
    """Where a case's question goes, and the sources that its asker may read."""

    routed: Routed
    readable: tuple[str, ...]

    @property
    def sources(self) -> tuple[str, ...]:
        """Return what would be searched: nothing where the question is refused."""
        chosen = () if self.routed.reason is not None else self.routed.sources
        return tuple(name for name in self.readable if chosen is None or name in chosen)

    @property
    def response(self) -> Response:
        """Return the route as what metrics take."""
        scores = self.routed.scores
        share = len(self.sources) / len(self.readable) if self.readable else 0.0
        return Response(
            sources=self.sources, best_source=scores[0].source if scores else None, searched=share
        )


Send = Callable[[Case], Sent]
"""What is measured. Anything that it raises is recorded, and the case counts as failed."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The sources of a question, best first, with their falling probabilities, and which are gold."""

    golds: frozenset[str]
    sources: tuple[str, ...]
    probabilities: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Level:
    """What a level of probability gives: the share of questions with every gold source, and searched."""

    level: float
    recall: float
    searched: float


@dataclass(frozen=True, slots=True)
class Levels:
    """The shipped level against one fitted on the same ``n`` questions, each fold with the other's."""

    n: int
    shipped: Level
    fitted: Level


@dataclass(frozen=True, slots=True)
class Wrong:
    """A question whose best source holds no answer, or of which a source that does was not searched.

    ``error``: the router raised; then nothing else is known.
    """

    case: Case
    sources: tuple[str, ...] = ()
    best: str = NOWHERE
    by: str = ""
    because: str = ""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class RouteEvaluation:
    """How a router did. ``confusion``: gold source -> best one -> how many; ``by``: what decided how often.

    ``levels`` None: too few questions were decided by scores to fit one.
    """

    figures: Mapping[str, Figure]
    by: Mapping[str, int]
    confusion: Mapping[str, Mapping[str, int]]
    wrong: tuple[Wrong, ...]
    levels: Levels | None

    def to_json(self) -> dict[str, Any]:
        """Return the object ``ragflow.eval_route/1``. A figure that is no number is null."""
        return {
            "schema": SCHEMA,
            "metrics": {name: _figure(one) for name, one in self.figures.items()},
            "by": dict(self.by),
            "confusion": {gold: dict(row) for gold, row in self.confusion.items()},
            "levels": None if self.levels is None else _levels(self.levels),
            "wrong": [_wrong(one) for one in self.wrong],
        }


def evaluate(
    cases: Sequence[Case], send: Send, *, reach: float, progress: Callable[[int, int], None]
) -> RouteEvaluation:
    """Send every reviewed case and measure; ``reach`` is the shipped level.

    ``progress`` is told how many are done, of how many, after each.
    """
    sent: dict[str, Sent] = {}
    asked = [case for case in cases if case.reviewed]

    def system(case: Case) -> Response:
        progress(len(sent), len(asked))
        sent[case.id] = send(case)
        return sent[case.id].response

    report = run(asked, system, METRICS)
    progress(len(asked), len(asked))
    errors = {row.case: row.error for row in report.rows if row.error is not None}
    known = [(case, sent[case.id]) for case in asked if case.id in sent]
    choices = [(case.fold, made) for case, one in known if (made := choice(case, one)) is not None]
    wrong = [bad for case in asked if (bad := _judged(case, sent.get(case.id), errors)) is not None]
    return RouteEvaluation(
        figures=report.figures,
        by=dict(Counter(one.routed.by for _, one in known).most_common()),
        confusion=_confusion(known),
        wrong=tuple(wrong),
        levels=levels(choices, reach),
    )


def choice(case: Case, sent: Sent) -> Choice | None:
    """Return a case as a choice by scores; None where they decided nothing, or no gold is known."""
    scores = sent.routed.scores
    if not scores or case.source is None:
        return None
    return Choice(golds(case), tuple(one.source for one in scores), tuple(one.probability for one in scores))


def _confusion(known: Sequence[tuple[Case, Sent]]) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = {}
    for case, one in known:
        if case.source is not None:
            found = best(one.response) or NOWHERE
            gold = found if found in golds(case) else case.source
            counts.setdefault(gold, Counter())[found] += 1
    return {gold: dict(sorted(row.items())) for gold, row in sorted(counts.items())}


def _judged(case: Case, sent: Sent | None, errors: Mapping[str, str]) -> Wrong | None:
    """Return what is wrong with a route; None where nothing is, or no gold is known."""
    if sent is None:
        return Wrong(case, error=errors.get(case.id))
    found, wanted = best(sent.response), golds(case)
    if not wanted or (wanted <= set(sent.sources) and (found is None or found in wanted)):
        return None
    return Wrong(case, sent.sources, found or NOWHERE, sent.routed.by, sent.routed.because)


def sender(kit: Kit, router: Router, *, seconds: float) -> Send:
    """Return what sends a case's question as ``ask`` would; ``seconds`` as in ``Rules``."""

    def send(case: Case) -> Sent:
        query = kit.query(case, "hybrid", 1)
        kit.questions.know(query.text)  # the search and the scores embed it again
        question = Question(query.text, kit.actor, query.readers, query.sources)
        routed = router.route(question, Deadline(seconds))
        return Sent(routed, kit.index.readable(query.readers, query.sources).sources)

    return send


# -- levels --------------------------------------------------------------------------------------


def levels(choices: Sequence[tuple[int, Choice]], shipped: float) -> Levels | None:
    """Hold the shipped level against a fitted one; each choice comes with its fold.

    The level that is named is fitted on all of them, its figures are those of cross-fitting. None with
    fewer than 30 questions in a fold.
    """
    halves = [[one for fold, one in choices if fold == wanted] for wanted in (0, 1)]
    if min(map(len, halves)) < _ENOUGH:
        return None
    whole = [one for _, one in choices]
    crossed = [(one, level(halves[1 - fold], WANTED)) for fold, one in choices]
    return Levels(
        len(whole),
        _measured([(one, shipped) for one in whole], shipped),
        _measured(crossed, level(whole, WANTED)),
    )


def _measured(choices: Sequence[tuple[Choice, float]], named: float) -> Level:
    counts = [reached(one, at) for one, at in choices]
    searched = [count / len(one.sources) for count, (one, _) in zip(counts, choices, strict=True)]
    right = [one.golds <= set(one.sources[:count]) for count, (one, _) in zip(counts, choices, strict=True)]
    return Level(round(named, 6), float(np.mean(right)), float(np.mean(searched)))


def reached(chosen: Choice, reach: float) -> int:
    """Return how many of the first sources reach a level together; all where they do not."""
    below = np.cumsum(chosen.probabilities) < reach
    return min(int(below.sum()) + 1, len(chosen.sources))


def level(choices: Sequence[Choice], wanted: float) -> float:
    """Return the lowest level with which all gold sources of a share of the questions are chosen.

    A gold source that is none of the sources is reached by no level below 1. No question: 1. Of n
    questions the one of rank ceil((n + 1) * wanted) decides, as in split conformal prediction (Romano,
    Sesia & Candès 2020), so that the share holds for the next question too.
    """
    needed = sorted(map(_needed, choices))
    rank = math.ceil((len(needed) + 1) * wanted)
    return needed[rank - 1] if rank <= len(needed) else 1.0


def _needed(chosen: Choice) -> float:
    """Return a little more than what stands before the last gold source: so much must be reached."""
    if not chosen.golds <= set(chosen.sources):
        return 1.0
    last = max((chosen.sources.index(gold) for gold in chosen.golds), default=0)
    return min(1.0, sum(chosen.probabilities[:last]) + 1e-6)


# -- JSON ----------------------------------------------------------------------------------------


def _real(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None


def _figure(one: Figure) -> dict[str, Any]:
    return {
        "value": _real(one.value),
        "low": _real(one.low),
        "high": _real(one.high),
        "n": one.n,
        "failed": one.failed,
        "nan": one.nan,
        "left_out": dict(one.left_out),
    }


def _levels(found: Levels) -> dict[str, Any]:
    return {
        "n": found.n,
        **{
            name: {"level": one.level, "recall": _real(one.recall), "searched": _real(one.searched)}
            for name, one in (("shipped", found.shipped), ("fitted", found.fitted))
        },
    }


def _wrong(one: Wrong) -> dict[str, Any]:
    return {
        "id": one.case.id,
        "question": one.case.question,
        "gold": sorted(golds(one.case)),
        "best": one.best,
        "searched": list(one.sources),
        "by": one.by,
        "because": one.because,
        "error": one.error,
    }
