"""Cases by a system: the one loop behind ``evals.run`` and ``ragflow eval run``.

A system is a plain callable. What it raises is recorded with the case, which then counts as failed; the
loop goes on with the next case. Only what stops a program (``KeyboardInterrupt``) stops it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from evals.cases import Case, Response, System
from evals.results import EvalRun, Figure, Row, Setup

if TYPE_CHECKING:
    from evals.measures import Metric, Taken

KEPT = 10
"""How many ranked chunks a row keeps. Numbers are taken before, from the whole ranking."""

NOT_REVIEWED = "nobody has reviewed it yet"
_SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Report:
    """What ``run`` gives: a figure for each metric, and the row of each case in the order given."""

    figures: Mapping[str, Figure]
    rows: tuple[Row, ...]


def run(cases: Iterable[Case], system: System, metrics: Sequence[str]) -> Report:
    """Put every case to a system and measure what it gives; nothing is stored.

    Cases that are not reviewed are not asked. No case at all: every figure is NaN with n 0.

    Raises:
        UnknownMetric: no metric of that name; nothing is asked then.
    """
    from evals.figures import figures
    from evals.metrics import parse

    chosen, given = parse(metrics), tuple(cases)
    excluded = unreviewed(given)
    found = tuple(rows([case for case in given if case.id not in excluded], system, _SYSTEM, chosen))
    setup = Setup(
        run="",
        created="",
        dataset="",
        kind="questions",
        digest="",
        questions=len(given),
        fold=None,
        limit=None,
        seed=None,
        systems=(_SYSTEM,),
        metrics=tuple(metric.name for metric in chosen),
        config={},
        config_digest="",
        generation="",
        version="",
        actor=(),
        excluded=excluded,
        status="done",
    )
    return Report(figures(EvalRun(setup, given, found), _SYSTEM), found)


def unreviewed(cases: Iterable[Case]) -> dict[str, str]:
    """Return the cases that no person has reviewed, each with the reason why it is not asked."""
    return {case.id: NOT_REVIEWED for case in cases if not case.reviewed}


def rows(
    cases: Iterable[Case],
    system: System,
    name: str,
    metrics: "Sequence[Metric]",
    *,
    done: Collection[str] = (),
    answers: bool = True,
) -> Iterator[Row]:
    """Yield the row of each case as soon as it is measured; those whose id is in ``done`` are passed over.

    ``answers`` False: the system only retrieves, so that a failed case is no failed answer.
    """
    from evals.metrics import failed_all

    for case in cases:
        if case.id in done:
            continue
        try:
            row = _row(case, system, name, metrics)
        except Exception as error:  # noqa: BLE001 - whatever a system raises is its result for this case
            row = _recorded(name, case, failed_all(metrics, case, answers=answers), error=said(error))
        yield row


def _row(case: Case, system: System, name: str, metrics: "Sequence[Metric]") -> Row:
    from evals.metrics import take_all

    response = system(case)
    taken = take_all(metrics, case, response)
    return _recorded(name, case, taken, response=replace(response, ranking=response.ranking[:KEPT]))


def _recorded(
    name: str,
    case: Case,
    taken: "Mapping[str, Taken]",
    *,
    error: str | None = None,
    response: Response | None = None,
) -> Row:
    return Row(
        system=name,
        case=case.id,
        numbers={metric: value for metric, value in taken.items() if not isinstance(value, str)},
        left_out={metric: value for metric, value in taken.items() if isinstance(value, str)},
        error=error,
        response=response,
    )


def said(error: BaseException) -> str:
    """Return an error on one line: its type, then its message where it has one."""
    message = " ".join(str(error).split())
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
