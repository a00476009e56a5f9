"""Every metric by its name, and the numbers of one case for many of them at once."""

from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from functools import cache

from evals import answers, citations, refusals, retrieval, routes
from evals.cases import Case, Response
from evals.entailment import Entailment
from evals.errors import UnknownMetric
from evals.measures import Kind, Metric, Taken

RETRIEVAL = ("nDCG@10", "R@100", "MRR@10", "P@5", "Success@5", "MAP")
ANSWERS = tuple(metric.name for metric in (*answers.TEXTS, *citations.METRICS, *answers.CHECKED))
REFUSALS = tuple(metric.name for metric in refusals.METRICS)
ROUTING = tuple(metric.name for metric in routes.METRICS)
COSTS = ("cost_usd", "tokens", "latency_ms")

_FAILED = "the case failed"
_ANSWERING: frozenset[Kind] = frozenset({"answer", "refusal", "routing"})


def parse(names: Sequence[str], *, entailment: Entailment | None = None) -> tuple[Metric, ...]:
    """Return the metrics of these names, in their order, a repeated name once.

    A name is one of this program's (``token_F1``), ragas' (``ragas:ExactMatch``) or anything that
    ir-measures parses (``nDCG@10``, ``P(rel=2)@5``, ``RR``). ``entailment``: the model that answers are
    validated by, for the metric that repeats it. Raises ``UnknownMetric``.
    """
    found = (_named(name) for name in dict.fromkeys(name.strip() for name in names))
    if entailment is None:
        return tuple(found)
    checked = answers.grounded_by(entailment)
    return tuple(checked if metric.name == checked.name else metric for metric in found)


def take_all(metrics: Iterable[Metric], case: Case, response: Response) -> dict[str, Taken]:
    """Return what each metric takes from a case; all retrieval metrics by one call of ir-measures."""
    asked = tuple(metrics)
    ranked = [metric.name for metric in asked if _by_ir_measures(metric)]
    taken = retrieval.numbers(ranked, case, response)
    return {
        metric.name: taken[metric.name] if metric.name in taken else metric.take(case, response)
        for metric in asked
    }


def failed_all(metrics: Iterable[Metric], case: Case, *, answers: bool = True) -> dict[str, Taken]:
    """Return what each metric takes from a case whose system raised.

    ``answers`` False: the system only retrieves, so that metrics of answers, refusals and routes leave
    the case out, as they do where it did not raise.
    """
    return {
        metric.name: citations.NO_ANSWER if metric.kind in _ANSWERING and not answers else metric.failed(case)
        for metric in metrics
    }


def _by_ir_measures(metric: Metric) -> bool:
    return isinstance(getattr(metric.take, "__self__", None), retrieval.Measured)


def _named(name: str) -> Metric:
    if name in _ours():
        return _ours()[name]
    if name.startswith("ragas:"):
        from evals import judges  # an extra

        return judges.parse([name])[0]
    try:
        return retrieval.metric(name)
    except UnknownMetric as error:
        known = [*RETRIEVAL, *_ours()]
        near = _same_letters(name, known) or get_close_matches(name, known, n=1)
        hint = (
            f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}, and those of ir-measures"
        )
        raise UnknownMetric(f"unknown metric {name!r}", hint=error.hint or hint) from error


def _same_letters(name: str, known: Iterable[str]) -> list[str]:
    return [each for each in known if each.casefold() == name.casefold()]


@cache
def _ours() -> dict[str, Metric]:
    declared = (
        *answers.TEXTS,
        *citations.METRICS,
        *answers.CHECKED,
        *refusals.METRICS,
        *routes.METRICS,
        *_costs(),
    )
    return {metric.name: metric for metric in declared}


def _costs() -> tuple[Metric, ...]:
    """Declare what a case costs: lower is better, and what a failed case would have cost is not known."""

    def latency(_: Case, response: Response) -> Taken:
        """Take the milliseconds of all steps together."""
        total = response.timings_ms.get("total")
        return "no time was taken" if total is None else (float(total),)

    def declared(name: str, take: Callable[[Case, Response], Taken]) -> Metric:
        return Metric(
            name, "cost", take, lambda _: _FAILED, higher_is_better=False, bounds=(0.0, float("inf"))
        )

    return (
        declared("cost_usd", lambda _, response: (float(response.cost_usd),)),
        declared("tokens", lambda _, response: (float(response.tokens),)),
        declared("latency_ms", latency),
    )
