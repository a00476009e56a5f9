"""What evaluations print with ``--json``: ragflow.eval/1, compare/1, gate/1 and their smaller kin.

A figure that is no number is null: JSON has no NaN.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from typing import TYPE_CHECKING, Any

from evals.cases import Case, Response
from evals.results import Changed, Check, Comparison, EvalRun, Figure, Row, Setup

if TYPE_CHECKING:
    from evals.calibration import Calibration

Json = dict[str, Any]
Figures = Mapping[str, Mapping[str, Figure]]


def figures_of(run: EvalRun) -> dict[str, dict[str, Figure]]:
    """Compute the figures of each system, in the run's order."""
    from evals.figures import figures

    return {system: figures(run, system) for system in run.setup.systems}


def eval_object(run: EvalRun, comparisons: Sequence[Comparison], *, figures: Figures | None = None) -> Json:
    """Return ragflow.eval/1. ``figures`` are those of the run; None: they are computed.

    ``dataset.slices`` tells how many questions each slice has; ``latency_ms`` is over the cases that did
    not fail, ``steps_ms`` the same for each step.
    """
    from evals.figures import slices

    setup = run.setup
    known = figures_of(run) if figures is None else figures
    sliced = {name: sum(map(inside, run.cases)) for name, inside in slices(run.cases).items()}
    return {
        "schema": "ragflow.eval/1",
        **_traced(setup),
        "dataset": _dataset(setup) | {"slices": sliced, "excluded": dict(setup.excluded)},
        "systems": {system: _system(run, system, known.get(system, {})) for system in setup.systems},
        "comparisons": [comparison_object(one) for one in comparisons],
    }


def compare_object(
    a: EvalRun, b: EvalRun, comparisons: Sequence[Comparison], changed: Sequence[Changed]
) -> Json:
    """Return ragflow.compare/1: the two runs by name, comparisons, and the questions that changed most."""
    return {
        "schema": "ragflow.compare/1",
        "a": a.setup.run,
        "b": b.setup.run,
        "dataset": _dataset(b.setup),
        "settings": settings_that_differ(a.setup, b.setup),
        "comparisons": [comparison_object(one) for one in comparisons],
        "changed": [
            {
                "question": one.case.id,
                "text": one.case.question,
                "metric": one.metric,
                "difference": real(one.difference),
                "a": row_object(one.a),
                "b": row_object(one.b),
            }
            for one in changed
        ],
    }


def settings_that_differ(a: Setup, b: Setup) -> list[Json]:
    """Return what was set otherwise: generation, version, and each key of the configuration, by name."""
    before, after = (
        {"generation": one.generation, "version": one.version, **dict(_leaves(one.config, ""))}
        for one in (a, b)
    )
    keys = [*before, *(key for key in after if key not in before)]
    return [
        {"key": key, "a": plain(before.get(key)), "b": plain(after.get(key))}
        for key in keys
        if before.get(key) != after.get(key)
    ]


def _leaves(config: Mapping[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def gate_object(status: str, checks: Sequence[Check], about: Mapping[str, object]) -> Json:
    """Return ragflow.gate/1; ``about`` are further keys: which runs, which system."""
    return {"schema": "ragflow.gate/1", "status": status, "checks": [plain(one) for one in checks], **about}


def calibration_object(run: EvalRun, found: "Calibration") -> Json:
    """Return ragflow.calibration/1: the whole calibration, and the run it is of."""
    return {"schema": "ragflow.calibration/1", "run": run.setup.run, **plain(found)}


def case_object(run: EvalRun, case: Case) -> Json:
    """Return ragflow.eval_case/1: a question with its gold, and what each system gave for it."""
    from evals.questions import to_json

    return {
        "schema": "ragflow.eval_case/1",
        "run": run.setup.run,
        "case": to_json(case),
        "excluded": run.setup.excluded.get(case.id),
        "rows": [row_object(row) for system in run.setup.systems if (row := run.of(system).get(case.id))],
    }


def listed_object(setup: Setup) -> Json:
    """Return ragflow.eval_run/1: one line of ``eval list``."""
    return {
        "schema": "ragflow.eval_run/1",
        **_traced(setup),
        "dataset": _dataset(setup),
        "systems": list(setup.systems),
        "metrics": list(setup.metrics),
    }


def comparison_object(one: Comparison) -> Json:
    """Return one comparison; the pinned keys, and the slice, both values and what would be detectable."""
    found: Json = plain(one)
    return found


def row_object(row: Row) -> Json:
    """Return what a system gave for a case, with its numbers."""
    return {
        "system": row.system,
        "question": row.case,
        "numbers": {metric: plain(numbers) for metric, numbers in row.numbers.items()},
        "left_out": dict(row.left_out),
        "error": row.error,
        "response": plain(row.response),
    }


def real(value: float | None) -> float | None:
    """Return a number as JSON can hold it: null where it is none or endless."""
    return value if value is not None and math.isfinite(value) else None


def plain(value: Any) -> Any:
    """Return values of evaluations as what JSON holds: objects, lists, and null for what is no number."""
    if isinstance(value, float):
        return real(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value


def _traced(setup: Setup) -> Json:
    """Return what lets any figure be traced to where it came from."""
    return {
        "run": setup.run,
        "created": setup.created,
        "status": setup.status,
        "config_digest": setup.config_digest,
        "generation": setup.generation,
        "version": setup.version,
        "actor": list(setup.actor),
    }


def _dataset(setup: Setup) -> Json:
    return {
        "path": setup.dataset,
        "kind": setup.kind,
        "digest": setup.digest,
        "questions": setup.questions,
        "fold": setup.fold,
        "limit": setup.limit,
        "seed": setup.seed,
    }


def _system(run: EvalRun, system: str, figures: Mapping[str, Figure]) -> Json:
    rows = run.of(system).values()
    responses = [row.response for row in rows if row.response is not None]
    steps = dict.fromkeys(step for response in responses for step in response.timings_ms)
    return {
        "metrics": {
            metric: {"mean": real(one.value), **plain(asdict(one))} for metric, one in figures.items()
        },
        "latency_ms": _spent(responses, "total"),
        "steps_ms": {step: _spent(responses, step) for step in steps if step != "total"},
        "failed": sum(row.error is not None for row in rows),
        "errors": list(dict.fromkeys(_errors(run, system))),
    }


def _errors(run: EvalRun, system: str) -> Iterator[str]:
    yield from (row.error for row in run.of(system).values() if row.error is not None)


def _spent(responses: Sequence[Response], step: str) -> Json:
    """Return the median and the 95th percentile of a step over the cases that have it; null without any."""
    import numpy as np

    spent = [response.timings_ms[step] for response in responses if step in response.timings_ms]
    if not spent:
        return {"p50": None, "p95": None}
    p50, p95 = np.percentile(spent, (50, 95))
    return {"p50": round(float(p50), 3), "p95": round(float(p95), 3)}
