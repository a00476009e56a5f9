"""What is written when a run ends: its record, without what was forgotten meanwhile, and its row."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from ragflow.records import Run, canonical, forgetting, named
from ragflow.workflows.dbos_engine import KeptStep
from ragflow.workflows.outcomes import CANCELLED, ERASED, Outcome
from ragflow.workflows.rows import FlowRow
from ragflow.workflows.run_records import ended_record, live_record

Approvals = Sequence[dict[str, Any]]


def spoilt(row: FlowRow, approvals: Approvals, steps: Iterable[KeptStep], documents: Iterable[str]) -> bool:
    """Tell whether a run that has not ended names one of these documents."""
    return not named(live_record(row, approvals, steps)).isdisjoint(documents)


def last_record(
    row: FlowRow, outcome: Outcome, steps: Iterable[KeptStep], approvals: Approvals
) -> tuple[Run, bool]:
    """Return the record of a run that ends now, and whether anything of it was forgotten while it went on.

    What was is emptied as in a record that stood already; its digests are not kept, since the words were
    never recorded.
    """
    record = whole = ended_record(row, outcome, steps, approvals)
    for document in row.erased:
        record = forgetting(document, record)
    if record == whole:
        return whole, False
    told = ERASED.output if outcome.status == CANCELLED.status else record.output
    return replace(record, output=told, erased=None), True


def closing(record: Run, *, server: bool) -> dict[str, Any]:
    """Return the values of the row of a run whose record this is. ``server``: other machines read the row."""
    values: dict[str, Any] = {
        "status": record.status,
        "outcome": record.outcome,
        "exit_code": record.exit_code,
        "waiting_for": None,
        "wake": None,
        "erased": None,
        "input": "{}",  # the record has it, and erasing and expiring look there
    }
    if server:  # the records of this machine are not those of another one
        error = (record.output or {}).get("error") if record.status == "failed" else None
        values["record"] = canonical(record.to_json())
        values["error"] = None if error is None else canonical(error)
    return values
