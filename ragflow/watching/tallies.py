"""Counts over finished runs: one ``Tally`` takes in one run after the other and keeps none of them.

Percentiles are numpy's (linear between the two nearest values): of one value all are that value, of none
there is none (null). Ties change nothing. Only durations are kept, eight bytes each.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

from ragflow.records import Run

By = Literal["route", "model", "source", "day", "workflow"]
Json = Mapping[str, Any]

TASKS = frozenset({"ask", "workflow"})
EXTRACTIVE = "extractive"
_NOWHERE: frozenset[str | None] = frozenset({None})
_ANSWERED = frozenset({"answered", "partial"})


def _durations() -> "array[float]":
    return array("d")


@dataclass(slots=True)
class Tally:
    """What came of some runs. A *task* is a question or a workflow; only tasks are counted."""

    runs: int = 0
    succeeded: int = 0
    retries: int = 0
    fallbacks: int = 0
    cost_usd: float = 0.0
    tokens: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    whole: "array[float]" = field(default_factory=_durations)
    steps: dict[str, "array[float]"] = field(default_factory=dict)

    def add(self, run: Run) -> None:
        """Count one run."""
        self.runs += 1
        self.kinds[run.kind] += 1
        self.succeeded += succeeded(run)
        self.outcomes[run.outcome or run.status] += 1
        self.refusals.update(one["reason"] for one in answers(run) if one.get("reason"))
        self.errors.update(_errors(run))
        self.findings.update(_findings(run))
        retries, fallbacks = tried_again(run)
        self.retries, self.fallbacks = self.retries + retries, self.fallbacks + fallbacks
        for step in run.steps:
            self.cost_usd += step["cost_usd"]
            self.tokens += step["tokens"]
            self.steps.setdefault(step["name"], _durations()).append(step["ms"])
        self.whole.append(_took(run))

    def to_json(self) -> dict[str, Any]:
        """Return the counts, largest first; null where there is nothing to divide by."""
        return {
            "runs": self.runs,
            "kinds": _largest(self.kinds),
            "succeeded": self.succeeded,
            "success": round(self.succeeded / self.runs, 4) if self.runs else None,
            "outcomes": _largest(self.outcomes),
            "refusals": _largest(self.refusals),
            "errors": _largest(self.errors),
            "findings": _largest(self.findings),
            "retries": self.retries,
            "fallbacks": self.fallbacks,
            "cost_usd": round(self.cost_usd, 9),
            "cost_per_success_usd": round(self.cost_usd / self.succeeded, 9) if self.succeeded else None,
            "tokens": self.tokens,
            "latency_ms": {
                "run": percentiles(self.whole),
                "steps": {name: percentiles(self.steps[name]) for name in sorted(self.steps)},
            },
        }


def percentiles(values: Sequence[float]) -> dict[str, Any]:
    """Return how many values there are, and their median and 95th percentile, to a tenth."""
    if not values:
        return {"n": 0, "p50": None, "p95": None}
    import numpy as np

    p50, p95 = (round(float(one), 1) for one in np.percentile(np.asarray(values), [50, 95]))
    return {"n": len(values), "p50": p50, "p95": p95}


def succeeded(run: Run) -> bool:
    """Say whether a task reached its end: answered in whole or part; or done, with exit code 0.

    Where documents disagree, both sides are shown and nobody has an answer: that is no success.
    """
    if run.kind == "ask":
        return run.outcome in _ANSWERED
    return run.status == "done" and run.exit_code == 0


def answers(run: Run) -> tuple[Json, ...]:
    """Return every ``ragflow.ask/1`` of a run; none of what has expired."""
    if run.kind == "ask":
        return (run.output,) if run.output else ()
    return tuple(
        found["answer"] for found in _outputs(run, "ask") if isinstance(found.get("answer"), Mapping)
    )


def tried_again(run: Run) -> tuple[int, int]:
    """Return how often something was tried again, and how often something else stood in for it.

    Of a question: the same model was told what was wrong with its draft; another model, or sentences
    without one, drafted after it. Of a workflow: further tries of a step; steps ``NAME.fallback``.
    """
    if run.kind != "ask":
        again = sum(max(0, step["attempt"] - 1) for step in run.steps)
        return again, sum(step["name"].endswith(".fallback") for step in run.steps)
    models = [
        step["output"].get("model") for step in run.steps if step["name"] == "generate" and step["output"]
    ]
    pairs = list(pairwise(models))
    return sum(a == b for a, b in pairs), sum(a != b for a, b in pairs)


def keys(run: Run, by: By) -> frozenset[str | None]:
    """Return the groups that a run is counted in; None is the group of those that have none.

    A run that searched several sources, or asked several models, is in each of their groups.
    """
    if by == "day":
        return frozenset({run.created[:10]})
    if by == "workflow":
        if run.kind == "workflow":
            return frozenset({(run.input or {}).get("workflow")})
        return frozenset((one.get("route") or {}).get("workflow") for one in answers(run)) or _NOWHERE
    found: Iterable[str | None]
    if by == "model":
        found = _models(run)
    else:
        routes = [one.get("route") or {} for one in answers(run)]
        found = (
            (one.get("rule") for one in routes)
            if by == "route"
            else (source for one in routes for source in one.get("sources") or ())
        )
    return frozenset(one for one in found if one is not None) or _NOWHERE


def _models(run: Run) -> Iterator[str | None]:
    for one in answers(run):
        yield one.get("model") or (EXTRACTIVE if one.get("claims") else None)
    for output in _outputs(run, "model"):
        yield output.get("model")


def _errors(run: Run) -> Iterator[str]:
    if run.status == "failed":
        error = (run.output or {}).get("error")
        yield str(error.get("type")) if isinstance(error, Mapping) else "unknown"


def _findings(run: Run) -> Iterator[str]:
    if run.kind == "ask":
        for step in run.steps:
            if step["name"] == "validate" and step["output"]:
                yield from step["output"].get("rejected") or ()
        return
    for one in answers(run):
        yield from (each["finding"] for each in one.get("rejected") or ())


def _took(run: Run) -> float:
    """Return how long a run worked, in ms. Waiting for a person is not in it."""
    total = ((run.output or {}).get("timings_ms") or {}).get("total") if run.kind == "ask" else None
    return float(sum(step["ms"] for step in run.steps) if total is None else total)


def _outputs(run: Run, kind: str) -> Iterator[Json]:
    for step in run.steps:
        if step.get("kind") == kind and isinstance(step["output"], Mapping):
            yield step["output"]


def _largest(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0])))
