"""What an evaluation run leaves: one row a system and case, and the run around them. Plain values.

A stored run is a folder: ``run.json`` (what was evaluated) and ``results.jsonl`` (a row as soon as its
case is done, so that a killed run goes on where it was). Figures are computed from the rows, never
stored instead of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from evals.cases import Case, Response


@dataclass(frozen=True, slots=True)
class Row:
    """One case by one system.

    ``numbers``: metric -> what ``Metric.take`` gave; a metric that left the case out is in ``left_out``
    with the reason. ``error`` is None unless the system raised. ``response`` holds the first ten ranked
    chunks with their texts and the whole answer; None when the case failed.
    """

    system: str
    case: str
    numbers: Mapping[str, tuple[float, ...]]
    left_out: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None
    response: Response | None = None


@dataclass(frozen=True, slots=True)
class Setup:
    """What was evaluated: enough to trace any figure and to tell whether two runs may be compared.

    ``questions``: how many cases. ``fold``, ``limit``, ``seed``: how they were chosen, None: all.
    ``config``: the configuration as a plain object, without secrets. ``excluded``: case -> why it was
    not asked (its gold has left the source, it is not reviewed).
    """

    run: str
    created: str
    dataset: str
    kind: str
    digest: str
    questions: int
    fold: int | None
    limit: int | None
    seed: int | None
    systems: tuple[str, ...]
    metrics: tuple[str, ...]
    config: Mapping[str, object]
    config_digest: str
    generation: str
    version: str
    actor: tuple[str, ...]
    excluded: Mapping[str, str] = field(default_factory=dict)
    status: Literal["running", "done"] = "running"


@dataclass(frozen=True, slots=True)
class EvalRun:
    """A run with its cases (gold included) and rows, as read back from its folder."""

    setup: Setup
    cases: tuple[Case, ...]
    rows: tuple[Row, ...]

    def of(self, system: str) -> dict[str, Row]:
        """Return the rows of one system by case."""
        return {row.case: row for row in self.rows if row.system == system}


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric of one system over a set of cases.

    ``low``, ``high``: 95 % bootstrap interval; NaN where ``value`` is. ``n``: cases that counted, of them
    ``failed``; ``nan``: cases whose numbers were no numbers, counted here and in nothing else.
    ``left_out``: reason -> how many.
    """

    value: float
    low: float
    high: float
    n: int
    failed: int
    nan: int
    left_out: Mapping[str, int] = field(default_factory=dict)


Verdict = Literal["better", "worse", "not_distinguishable"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """B against A on the cases that both have.

    ``difference``: B minus A, with its 95 % interval; ``p`` after Holm over all comparisons made together,
    None where it was not tested; ``detectable``: the smallest difference that this many cases would show
    with 80 % power. ``slice`` "" is all cases, else ``source:hr``, ``answerable:no``, ``tag:pdf``.
    """

    a: str
    b: str
    metric: str
    slice: str
    n: int
    a_value: float
    b_value: float
    difference: float
    low: float
    high: float
    p: float | None
    detectable: float
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Changed:
    """A case whose ``metric`` moved from A to B, with both rows."""

    case: Case
    metric: str
    a: Row
    b: Row
    difference: float


CheckStatus = Literal["passed", "failed", "inconclusive"]


@dataclass(frozen=True, slots=True)
class Check:
    """One gate decided: is the candidate worse than the baseline by more than ``margin``?"""

    metric: str
    baseline: float | None
    candidate: float | None
    difference: float | None
    low: float | None
    high: float | None
    margin: float
    status: CheckStatus
    reason: str
