"""Executes runs from beginning to end: the rows, the lease, DBOS and the records, in their order."""

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine

from ragflow.errors import RagflowError, map_errors
from ragflow.records import Run, canonical, timestamp
from ragflow.redact import Kind
from ragflow.runs import RunStore
from ragflow.workflows import leases
from ragflow.workflows.contracts import Caller, Steps
from ragflow.workflows.database import Database
from ragflow.workflows.dbos_engine import Durable, answering
from ragflow.workflows.declaring import Workflow
from ragflow.workflows.errors import RunHeld
from ragflow.workflows.flow import Means
from ragflow.workflows.outcomes import Outcome
from ragflow.workflows.rows import FlowRow, Rows
from ragflow.workflows.run_records import approvals_of, ended_record
from ragflow.workflows.running import Execution, Left, Running

CallerOf = Callable[[FlowRow], Caller]


@dataclass(frozen=True, slots=True)
class Outside:
    """What executing needs from outside.

    ``means``: makes what a ``Flow`` works with. ``decided``: whether a request has been decided, or has
    expired. ``engine``: opens the database of DBOS. ``folder``: of lock files. ``hide``: what is redacted.
    ``keep_days``: how long a run that ended is known. ``told``: gets each record of a run that ended here.
    """

    means: Callable[[Steps], Means]
    decided: Callable[[str], bool]
    engine: Callable[[], Engine]
    folder: Path
    hide: Collection[Kind]
    keep_days: int
    told: Callable[[Run], None]


class Executor:
    """One process that executes runs. Holds its lease from the beginning; launches DBOS when it is needed."""

    def __init__(self, database: Database, runs: RunStore, outside: Outside) -> None:
        self._database = database
        self._runs = runs
        self._outside = outside
        self.lease = leases.take(database, outside.folder, leases.new_executor())
        self.rows = Rows(database, self.lease)
        self.running = Running(self.rows, self.lease, outside.means, outside.hide)
        self.resuming = False
        self._launched: Durable | None = None

    def close(self) -> None:
        """Leave every run at once, stop DBOS, give the lease back."""
        cut = [one for one in self.running.all.values() if one.steps is not None and one.steps.busy]
        self.running.leave(at_once=True)
        if self._launched is not None:
            self._launched.close()
        if not cut:  # else the lease ends with the process: a step of it may still be going on
            self.lease.close()

    # -- executing -------------------------------------------------------------------------------

    def run(self, row: FlowRow, found: Workflow, caller_of: CallerOf) -> None:
        """Execute a run that this process owns until it ends or waits.

        Raises:
            RagflowError: it was stopped, and can go on; it is nobody's now.
        """
        again: FlowRow | None = row
        while again is not None:
            execution = self.begin(again, found, caller_of)
            if execution is None:
                return
            again = self.settle(execution, self.running.wait(execution))

    @map_errors()
    def begin(self, row: FlowRow, found: Workflow, caller_of: CallerOf) -> Execution | None:
        """Begin to execute a run that this process owns; None where its record says that it has ended."""
        try:
            if (ended := self._runs.get(row.run)) is not None:  # the process died between record and row
                self._close_row(row, ended)
                return None
            return self._begun(Execution(row, found, caller_of(row)))
        except BaseException:
            self._release(row)
            raise

    def _begun(self, execution: Execution) -> Execution:
        self.running.add(execution)
        try:
            with answering(self._durable.engine):
                self._durable.execute(execution.row.run)
        except BaseException:
            self.running.drop(execution)
            raise
        return execution

    @map_errors()
    def settle(self, execution: Execution, left: Left) -> FlowRow | None:
        """Write down how an execution left its run.

        Returns the run, taken again, where the decision that it waits for came in between; else None.

        Raises:
            RagflowError: why it was stopped; it is nobody's now.
        """
        self.running.drop(execution)
        row = execution.row
        if left.suspended is not None:
            if not self.rows.wait(row, left.suspended):
                raise RunHeld(f"{row.run} was taken by another process")
            return self._taken_again(row, left.suspended.approval)
        if left.outcome is not None:
            self.end(row, left.outcome)
            return None
        self._release(row)
        raise left.cause or RunHeld(f"{row.run} was left half-way", hint=f"ragflow runs resume {row.run}")

    def _taken_again(self, row: FlowRow, approval: str) -> FlowRow | None:
        # Whoever decided while the run was still leaving found it held, and went away.
        if not self._outside.decided(approval):
            return None
        try:
            return self.rows.take_over(row.run)
        except RunHeld:
            return None

    @map_errors()
    def end(self, row: FlowRow, outcome: Outcome) -> None:
        """Record the end of a run that this process owns: record, row, then DBOS forgets it.

        Raises ``RunHeld`` where another process has taken it; ``DiskFull`` and the like: it can go on.
        """
        if self.rows.standing(row) == "lost":
            raise RunHeld(f"{row.run} was taken by another process")
        try:
            with answering(self._durable.engine):
                steps = self._durable.steps(row.run)
            approvals = approvals_of(self._database, row.run, ended=True)
            record = ended_record(row, outcome, steps, approvals)
            before = self._runs.get(row.run)
            kept = before or self._runs.add(record)
            self._close_row(row, kept)
        except BaseException:
            self._release(row)
            raise
        if before is None:
            self._outside.told(kept)

    def _close_row(self, row: FlowRow, record: Run) -> None:
        error = (record.output or {}).get("error") if record.status == "failed" else None
        values = {
            "status": record.status,
            "outcome": record.outcome,
            "exit_code": record.exit_code,
            "waiting_for": None,
            "wake": None,
        }
        if self._database.server:  # the records of this machine are not those of another one
            values["record"] = canonical(record.to_json())
            values["error"] = None if error is None else canonical(error)
        else:
            values["input"] = "{}"  # the record has it, and erasing and expiring look there
        self.rows.end(row, values)
        with answering(self._durable.engine):
            self._durable.forget(row.run)

    def _release(self, row: FlowRow) -> None:
        with suppress(RagflowError, OSError):  # where even this fails, the lease tells when it is free
            self.rows.release(row)

    # -- DBOS ------------------------------------------------------------------------------------

    @property
    def _durable(self) -> Durable:
        if self._launched is None:
            engine = self._outside.engine()
            self._launched = Durable(engine, self.lease.executor, self.running.body, resuming=self.resuming)
            self._sweep(self._launched)
        return self._launched

    def _sweep(self, durable: Durable) -> None:
        """Remove what processes that have died left: kept steps of ended runs, queues, lock files."""
        self.lease.sweep()
        if known := durable.known():
            for run in self.rows.ended(known):
                durable.forget(run)
        if queues := [name for name in durable.queues() if name != self.lease.executor]:
            for executor in self.rows.dead(queues):
                durable.drop_queue(executor)
        before = datetime.now(UTC) - timedelta(days=self._outside.keep_days)
        self.rows.expire(timestamp(before))
