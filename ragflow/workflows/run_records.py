"""The ``ragflow.run/1`` of a workflow: from its row, the steps that DBOS kept, and its requests."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from ragflow.approvals.objects import approval
from ragflow.approvals.rows import of_run
from ragflow.records import Run
from ragflow.workflows.database import Database
from ragflow.workflows.dbos_engine import KeptStep
from ragflow.workflows.outcomes import Outcome
from ragflow.workflows.rows import FlowRow

KIND = "workflow"


def live_record(row: FlowRow, approvals: Sequence[dict[str, Any]], steps: Iterable[KeptStep] = ()) -> Run:
    """Return the record of a run as it is now: not ended, or ended elsewhere without a record here."""
    began = round(datetime.fromisoformat(row.created).timestamp() * 1000)
    given: dict[str, Any] = {
        "workflow": row.workflow,
        "source_digest": row.source_digest,
        "policy": row.policy,
        "input": dict(row.input),
    }
    if row.retry_of is not None:
        given["retry_of"] = row.retry_of
    return Run(
        run=row.run,
        kind=KIND,
        created=row.created,
        actor=row.actor,
        status=row.status,
        outcome=row.outcome,
        exit_code=row.exit_code,
        config_digest=row.config_digest,
        generation=row.generation,
        version=row.version,
        input=given,
        output={} if row.error is None else {"error": dict(row.error)},
        steps=tuple(_step(one, began) for one in steps),
        approvals=tuple(approvals),
    )


def ended_record(
    row: FlowRow, outcome: Outcome, steps: Iterable[KeptStep], approvals: Sequence[dict[str, Any]]
) -> Run:
    """Return the record of a run that ends now."""
    return replace(
        live_record(row, approvals, steps),
        status=outcome.status,
        outcome=outcome.outcome,
        exit_code=outcome.exit_code,
        output=outcome.output,
    )


def approvals_of(database: Database, run: str, *, ended: bool = False) -> list[dict[str, Any]]:
    """Return the requests of a run as ``ragflow.approval/1``, oldest first.

    ``ended``: the run ends, and those that nobody decided expire with it.
    """
    with database.begin() as connection:
        return requests_of(connection, run, ended=ended)


def requests_of(connection: Connection, run: str, *, ended: bool = False) -> list[dict[str, Any]]:
    """As ``approvals_of``, over an open connection."""
    now = datetime.now(UTC)
    shown = [approval(one, now) for one in of_run(connection, run)]
    for one in shown:
        if ended and one["status"] == "pending":
            one["status"] = "expired"
    return shown


def _step(kept: KeptStep, began: int) -> dict[str, Any]:
    """Return a step as it stands in a record; of one that failed, the error is the output."""
    envelope = kept.envelope
    error = envelope["error"]
    return {
        "name": kept.name,
        "attempt": envelope["tries"],
        "started_ms": max(0, envelope["started"] - began),
        "ms": envelope["ms"],
        "status": envelope["status"],
        "input_digest": envelope["input_digest"],
        "output": envelope["value"] if error is None else {"error": error},
        "cost_usd": envelope["cost_usd"],
        "tokens": envelope["tokens"],
        "kind": envelope["kind"],
    }
