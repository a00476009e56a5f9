"""What runs in progress hold of a document goes when it is forgotten, and what ended ones left in tables.

A run whose kept steps name the document is cancelled: it rests on evidence that is gone. Every live run is
told what was forgotten (the column ``erased``), so that what its process still has in memory is emptied when
the run ends or comes to wait, whenever that is.
"""

import json
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, select

from ragflow.approvals.opening import file_of, opened
from ragflow.config import Config
from ragflow.records import Run, canonical, forgetting, timestamp
from ragflow.run_files import truncate_log
from ragflow.runs import RunStore
from ragflow.watching import exporting
from ragflow.workflows import leases
from ragflow.workflows.database import Database
from ragflow.workflows.dbos_engine import answering, forget_at_rest
from ragflow.workflows.ending import closing, last_record, spoilt
from ragflow.workflows.errors import DatabaseGone, RunHeld
from ragflow.workflows.kept_steps import DBOS_FILE, beside, known, of_run
from ragflow.workflows.outcomes import ERASED
from ragflow.workflows.places import dbos_engine
from ragflow.workflows.rows import LIVE, FlowRow, Rows, row_of
from ragflow.workflows.run_records import approvals_of
from ragflow.workflows.scrubbing import expired, scrub
from ragflow.workflows.tables import flows

WAIT_S = 5.0  # for the step that another process is at
_LOOK_S = 0.1


@contextmanager
def reaching(config: Config, runs: RunStore, document: str) -> "Iterator[Reach | None]":
    """Give what erases a document from runs; None where no run was ever begun. Raises ``DatabaseGone``."""
    database = opened(config)
    if database is None:
        yield None
        return
    with database:
        reach = Reach(config, database, runs, document)
        try:
            yield reach
        finally:
            reach.close()


@dataclass(slots=True)
class Reach:
    """Erases one document from the runs of a database. ``cancelled``: the runs that it has ended."""

    config: Config
    database: Database
    runs: RunStore
    document: str
    cancelled: list[str] = field(default_factory=list)
    _lease: leases.Lease | None = None

    def tell(self) -> None:
        """Have every live run know, wherever it is executed, that the document is forgotten."""
        with self.database.begin() as connection:
            live = select(flows.c.run, flows.c.erased).where(flows.c.status.in_(LIVE))
            for row in connection.execute(live.with_for_update()).all():
                now = json.loads(row.erased) if row.erased else []
                if self.document not in now:
                    told = flows.update().where(flows.c.run == row.run)
                    connection.execute(told.values(erased=canonical([*now, self.document])))

    def cancel(self, *, wait: float = 0.0) -> tuple[str, ...]:
        """End the live runs that name the document; return those that other processes still execute.

        Those are asked to end, and waited for ``wait`` seconds.
        """
        until = time.monotonic() + wait
        left = self._naming()
        while True:
            left = [run for run in left if not self._ended(run)]
            if not left or time.monotonic() >= until:
                return tuple(left)
            time.sleep(_LOOK_S)

    def finish(self, erased: Collection[str]) -> None:
        """Erase what tables hold of runs that have ended. ``erased``: those whose record was rewritten."""
        changed = {*erased, *self.cancelled}
        opened_ = json.dumps(self.document, ensure_ascii=False)[:-1]
        with self.database.begin() as connection:
            shown = flows.c.record.contains(opened_, autoescape=True)
            for row in connection.execute(select(flows.c.run, flows.c.record).where(shown)).all():
                before = Run.from_json(json.loads(row.record))
                after = forgetting(self.document, before)
                if after != before:
                    here = flows.update().where(flows.c.run == row.run)
                    connection.execute(here.values(record=canonical(after.to_json()), error=None))
                    changed.add(row.run)
        scrub(self.database, changed)
        self._sweep()

    def close(self) -> None:
        """Give the lease back, where one was taken."""
        if self._lease is not None:
            self._lease.close()

    # -- inside ----------------------------------------------------------------------------------

    def _naming(self) -> list[str]:
        with self.database.begin() as connection:
            rows = [row_of(one) for one in connection.execute(select(flows).where(flows.c.status.in_(LIVE)))]
        return [row.run for row in rows if self._names(row)]

    def _names(self, row: FlowRow) -> bool:
        steps = of_run(self.database, self.config.workspace, row.run)
        return spoilt(row, approvals_of(self.database, row.run), steps, [self.document])

    def _ended(self, run: str) -> bool:
        """End a run that nobody executes; False where somebody does, who is asked to."""
        self._rows.ask_to_cancel(run)
        try:
            row = self._rows.take_over(run)
        except RunHeld:
            row = self._rows.get(run)
            if row.status == "cancelled":
                self.cancelled.append(run)  # its process has done it
            return not row.live
        try:
            self._end(row)
        except BaseException:
            self._rows.release(row)
            raise
        return True

    def _end(self, row: FlowRow) -> None:
        steps = of_run(self.database, self.config.workspace, row.run)
        approvals = approvals_of(self.database, row.run, ended=True)
        before = self.runs.get(row.run)  # where its process died between record and row
        record = before or self.runs.add(last_record(row, ERASED, steps, approvals)[0])
        if not self._rows.end(row, closing(record, server=self.database.server)):
            raise RunHeld(f"{row.run} was taken by another process")
        with _resting(self.config) as engine:
            if engine is not None:
                forget_at_rest(engine, [row.run])
        self.cancelled.append(row.run)
        if before is None:
            exporting.told(self.config, record.to_json())

    def _sweep(self) -> None:
        """Have DBOS forget what it holds of runs that have ended: a process died before that."""
        with self.database.begin() as connection, beside(connection, self.config.workspace) as kept:
            there = known(kept)
        over = self._rows.ended(there) if there else []
        with _resting(self.config) as engine:
            if engine is not None and over:
                forget_at_rest(engine, over)
        if not self.database.server:
            for path in (file_of(self.config), self.config.workspace / DBOS_FILE):
                if path.exists():
                    truncate_log(path)  # erased text must not live on in it

    @property
    def _rows(self) -> Rows:
        if self._lease is None:
            folder = self.config.workspace / leases.FOLDER
            self._lease = leases.take(self.database, folder, leases.new_executor())
        return Rows(self.database, self._lease)


def expire(config: Config, *, now: datetime | None = None) -> None:
    """Remove what tables hold of runs that ended and are older than ``runs.keep_days``.

    A server that does not answer keeps it until the next time.
    """
    before = timestamp((now or datetime.now(UTC)) - timedelta(days=config.runs.keep_days))
    try:
        database = opened(config)
        if database is None:
            return
        with database:
            with database.begin() as connection:
                gone = expired(connection, before)
            scrub(database, gone)
    except DatabaseGone:
        return
    if gone and not database.server:
        truncate_log(file_of(config))


@contextmanager
def _resting(config: Config) -> Iterator[Engine | None]:
    """Give an engine to DBOS's tables; None where there is no file of them."""
    if config.database.url is None and not (config.workspace / DBOS_FILE).exists():
        yield None
        return
    engine = dbos_engine(config, connections=2)
    try:
        with answering(engine):
            yield engine
    finally:
        engine.dispose()
