"""The router that the configuration asks for."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from indexes.languages import language
from ragflow.asking import Question, Routed, SourceScore, Tried
from ragflow.deadlines import Deadline
from ragflow.route_sections import RouterSection, RouteRule
from ragflow.routing.rules import first
from ragflow.routing.talk import smalltalk
from ragflow.routing.ties import TieBreaker

_MOST_CANDIDATES = 20

Readable = Callable[[frozenset[str]], tuple[str, ...]]
"""Readers -> the names of the sources in which they can read anything, any order."""


class Scored(Protocol):
    """What ``scores.SourceScores`` is: ``chosen`` are to be searched, ``sure`` False means all of them."""

    @property
    def scores(self) -> tuple[SourceScore, ...]: ...
    @property
    def chosen(self) -> tuple[str, ...]: ...
    @property
    def sure(self) -> bool: ...
    @property
    def off_topic(self) -> bool: ...


class Scorer(Protocol):
    """Scores sources for a question, by their descriptions and by what the readers may read of them."""

    def score(self, question: str, readers: frozenset[str], sources: tuple[str, ...] | None) -> Scored: ...


class ConfiguredRouter:
    """Rules first, then scores, then, where one is configured, a model. Satisfies ``asking.Router``.

    In order: sources that a person asked for; small talk and questions without a word; the first rule
    that matches; the only source that there is; the scores; the model, where the scores are not sure. What
    stays open goes to every source. Sources that a person asked for switch the rules off as a whole, their
    prompt and tier too, so that ``--source`` never does anything but narrow the search.

    ``readable`` None: whatever the question names counts as readable.
    """

    def __init__(
        self,
        rules: Sequence[RouteRule] = (),
        *,
        router: RouterSection | None = None,
        readable: Readable | None = None,
        scorer: Scorer | None = None,
        judge: TieBreaker | None = None,
    ) -> None:
        self._rules = tuple(rules)
        self._scorer = scorer if router is None or router.scores == "on" else None
        self._readable = readable
        self._judge = judge

    def route(self, question: Question, deadline: Deadline) -> Routed:
        """Return where the question goes."""
        if question.asked_for:
            return Routed(question.sources, by="asked", because="these sources were asked for")
        talk = smalltalk(question.text)
        if talk is not None:
            return Routed((), by=talk.by, because=talk.because, reason=talk.reason)
        sources = self._sources(question)
        if sources == ():
            return Routed(question.sources, by="all", because="nothing indexed is readable for you")
        named = [name for rule in self._rules for name in rule.sources]
        there = named if sources is None else sources
        rule, tried = first(self._rules, question, readable=there, language=language)
        if rule is not None:
            return _by_rule(rule, tried, sources)
        return self._by_scores(question, sources, tried, deadline)

    def _sources(self, question: Question) -> tuple[str, ...] | None:
        """Return what may be searched, in the configured order; None: nobody said what there is."""
        if self._readable is None:
            return question.sources
        there = self._readable(question.readers)
        if question.sources is None:
            return tuple(there)
        return tuple(source for source in question.sources if source in there)

    def _by_scores(
        self,
        question: Question,
        sources: tuple[str, ...] | None,
        tried: tuple[Tried, ...],
        deadline: Deadline,
    ) -> Routed:
        no_rule = "no rule matches" if self._rules else "there are no rules"
        if sources is not None and len(sources) == 1:
            because = f"{no_rule}, and {sources[0]} is all that you may read"
            return Routed(sources, by="all", because=because, tried=tried)
        if self._scorer is None:
            return Routed(sources, by="all", because=f"{no_rule}, and scores are off", tried=tried)
        found = self._scorer.score(question.text, question.readers, sources)
        if found.off_topic:
            because = "nothing that you may read is about this"
            away = Routed((), by="off_topic", because=because, reason="off_topic", tried=tried)
            return replace(away, scores=found.scores)
        if found.sure:
            # In the configured order, as every list of sources is.
            chosen = tuple(name for name in sources or found.chosen if name in found.chosen)
            because = f"{no_rule}, and the scores are for {_listed(chosen)}"
            return Routed(chosen, by="scores", because=because, scores=found.scores, tried=tried)
        everything = Routed(
            sources,
            by="all",
            because=f"{no_rule}, and the scores are not sure",
            scores=found.scores,
            tried=tried,
        )
        return self._by_model(question.text, everything, deadline)

    def _by_model(self, question: str, everything: Routed, deadline: Deadline) -> Routed:
        """Return the source that the model names alone, else everything, with what it cost."""
        best = {score.source for score in everything.scores[:_MOST_CANDIDATES]}
        if self._judge is None or len(best) < 2:
            return everything
        # Not best first: a model takes the first of a list more often than it should.
        candidates = [name for name in everything.sources or sorted(best) if name in best]
        pick = self._judge.choose(question, candidates, deadline)
        told = replace(
            everything,
            because=f"{everything.because}; {pick.because}",
            cost_usd=pick.cost_usd,
            tokens=pick.tokens,
        )
        return told if pick.source is None else replace(told, sources=(pick.source,), by="model")


def _by_rule(rule: RouteRule, tried: tuple[Tried, ...], sources: tuple[str, ...] | None) -> Routed:
    chosen = sources
    if rule.sources:
        chosen = tuple(source for source in sources or rule.sources if source in rule.sources)
    return Routed(
        chosen,
        by="rule",
        because=tried[-1].because,
        rule=rule.name,
        workflow=rule.workflow,
        prompt=rule.prompt,
        tier=rule.tier,
        tried=tried,
    )


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
