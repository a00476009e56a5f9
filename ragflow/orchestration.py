"""Workflows of an open workspace: started, resumed, cancelled, retried, worked off. The wiring of it all.

Who executes a run owns its row (``workflows.rows``); what it did is kept by DBOS (``workflows.dbos_engine``);
how it ended is appended to the run records once, and DBOS forgets it. See docs/decisions/0027.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from indexes.generations import Generations
from ragflow.errors import NotAllowed, NotFound, OutsideCause, UsageError, map_errors
from ragflow.identity import Asker
from ragflow.reading import AppReading, caller_of, rights_now
from ragflow.records import Run, new_id, timestamp
from ragflow.redact import redact_all
from ragflow.runs import RunStore
from ragflow.watching import exporting
from ragflow.workflows import leases, places
from ragflow.workflows.database import Database
from ragflow.workflows.declaring import Workflow, check_input, read_input
from ragflow.workflows.discovery import discover, named
from ragflow.workflows.errors import InputUnfit, RunHeld, WorkflowFailed
from ragflow.workflows.executing import CallerOf, Executor, Outside
from ragflow.workflows.flow import changed
from ragflow.workflows.kept import as_json
from ragflow.workflows.kept_steps import of_run
from ragflow.workflows.outcomes import CANCELLED
from ragflow.workflows.rows import FlowRow
from ragflow.workflows.run_records import approvals_of, live_record
from ragflow.workflows.wiring import Reach, reach

if TYPE_CHECKING:
    from ragflow.app import App
    from ragflow.history import History
    from ragflow.workflows.working import Say, Worker

WAITING, TAKEN = 7, 4


@dataclass(frozen=True, slots=True)
class Report:
    """A run as it is now: ``record`` is ``ragflow.run/1``.

    ``exit_code``: 7 while it waits for a person, 4 where another process took it up before it had ended here.
    The record is without contents where the run names what its user may not read any more.
    """

    record: Mapping[str, Any]
    exit_code: int


class Orchestration:
    """Runs workflows. One a process at a time; nothing is opened before it is wanted.

    Every method raises ``UnknownWorkflow`` (a module cannot be imported), ``DatabaseGone``, ``DiskFull`` or
    ``NoRight``; a run that was begun then stays as it was, and can be resumed.
    """

    def __init__(self, app: "App", runs: RunStore, history: "History") -> None:
        self._app = app
        self._config = app.config
        self._runs, self._history = runs, history
        self._opened: Executor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave what is still going on, as a process that ends does, and close all."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None
        if "database" in self.__dict__:
            self.database.close()
            del self.__dict__["database"]
            self.__dict__.pop("_reach", None)  # its parts hold the database

    # -- what there is ---------------------------------------------------------------------------

    @cached_property
    def workflows(self) -> Mapping[str, Workflow]:
        """All workflows by name. Raises ``UnknownWorkflow``."""
        return discover(self._config.workflows, self._config.folder)

    def workflow(self, name: str) -> Workflow:
        """Return the workflow of a name. Raises ``UnknownWorkflow``."""
        return named(self.workflows, name)

    @property
    def going(self) -> tuple[str, ...]:
        """The runs that this process executes now."""
        return () if self._opened is None else tuple(self._opened.running.all)

    @cached_property
    def database(self) -> Database:
        """The database of runs, approvals and effects: of the workspace, or of ``database.url``."""
        self._app.workspace.mkdir(mode=0o700, exist_ok=True)  # records are this machine's own in any case
        return places.database(self._config)

    # -- runs ------------------------------------------------------------------------------------

    @map_errors()
    def start(
        self,
        workflow: str,
        input: Mapping[str, Any],  # noqa: A002 - the pinned name
        *,
        asker: Asker,
        detach: bool = False,
    ) -> Report:
        """Begin a run, and execute it until it ends or waits; ``detach`` leaves it to a worker.

        Raises:
            UnknownWorkflow, InputUnfit: nothing was begun.
            NotAllowed: the asker stands in for others.
        """
        found = named(self.workflows, workflow)
        try:
            given = as_json(input, "input")
        except WorkflowFailed as error:
            raise InputUnfit(f"the input is no JSON: {error.__cause__}") from error
        check_input(found, given)
        return self._begin(found, redact_all(given, self._config.runs.redact), asker, detach=detach)

    @map_errors()
    def go_on(self, run: str) -> Report:
        """Go on with a run whose decision came; as it is, where another process works on it."""
        row = self._executor(resuming=True).rows.get(run)
        if row.live:
            try:
                return self._resumed(row)
            except RunHeld:
                pass
        return self._report(run)

    @map_errors()
    def resume(self, run: str, asker: Asker) -> Report:
        """Go on with a run that was interrupted, or that waits; one that has ended is given as it is.

        Raises:
            NotFound: no such run of the asker.
            RunHeld: another process works on it.
            WorkflowChanged: its workflow's source is another one now. The run stays as it was.
        """
        row = self._own(run, asker)
        return self._shown(self._resumed(row) if row.live else self._report(row.run), asker)

    @map_errors()
    def cancel(self, run: str, asker: Asker) -> Report:
        """End a run that waits or that nobody executes; ask the process that does to end it.

        Raises ``NotFound``, and ``UsageError`` where it has ended.
        """
        row = self._own(run, asker)
        if not row.live:
            raise UsageError(f"{row.run} has ended: {row.status}", hint=f"ragflow runs show {row.run}")
        executor = self._executor(resuming=False)
        executor.rows.ask_to_cancel(row.run)
        try:
            taken = executor.rows.take_over(row.run)
        except RunHeld:
            return self._shown(self._report(row.run), asker)  # its owner sees it before the next step
        executor.end(taken, CANCELLED)
        return self._shown(self._report(row.run), asker)

    @map_errors()
    def retry(self, run: str, asker: Asker) -> Report:
        """Begin again with the input of a run that failed or was cancelled, as a new run of today's source.

        Raises ``NotFound``, and ``UsageError`` where it is not ended, or done.
        """
        row = self._own(run, asker)
        if row.live:
            raise UsageError(f"{row.run} has not ended", hint=f"ragflow runs cancel {row.run}, or resume")
        if row.status == "done":
            raise UsageError(f"{row.run} is done", hint=f"ragflow run {row.workflow} begins a new one")
        found = named(self.workflows, row.workflow)
        ended = self._runs.get(row.run)  # where the row is not the one that holds the input
        kept = row.record if ended is None else ended.to_json()
        given = dict(row.input) if kept is None else (kept["input"] or {}).get("input")
        if given is None:
            raise UsageError(f"the input of {row.run} has expired", hint=f"ragflow run {row.workflow}")
        return self._begin(found, given, asker, retry_of=row.run)

    @map_errors()
    def work(self, say: "Say", *, parallel: int = 1, once: bool = False) -> int:
        """Take up open runs, ``parallel`` at once, until ``stop`` is called; return how many were executed.

        ``once``: until nothing is left to take up.
        """
        exporting.ready(self._config)
        return self._worker(say).work(parallel=parallel, once=once)

    def stop(self) -> None:
        """Have ``work`` return: its runs are left before their next step. Also from a signal handler."""
        if self._opened_worker is not None:
            self._opened_worker.stop()

    # -- inside ----------------------------------------------------------------------------------

    _opened_worker: "Worker | None" = None

    def _worker(self, say: "Say") -> "Worker":
        from ragflow.workflows.working import Worker

        self._opened_worker = Worker(self._executor(resuming=True), self._prepared, say)
        return self._opened_worker

    def _begin(
        self,
        found: Workflow,
        given: Any,
        asker: Asker,
        *,
        detach: bool = False,
        retry_of: str | None = None,
    ) -> Report:
        exporting.ready(self._config)
        if asker.acting:
            raise NotAllowed("a workflow runs as yourself", hint="leave --as away")
        read_input(found, given)
        values = {
            "run": new_id("r"),
            "workflow": found.name,
            "created": timestamp(),
            "actor": asker.principals,
            "source_digest": found.digest,
            "config_digest": self._config.digest,
            "policy": self._reach.policy,
            "generation": Generations(self._app.workspace).live(),
            "version": version("ragflow"),
            "input": given,
            "retry_of": retry_of,
        }
        executor = self._executor(resuming=False)
        row = executor.rows.begin(values, owned=not detach)
        if not detach:
            self._execute(executor, row, found, lambda taken: caller_of(taken, asker))
            return self._shown(_left(self._report(row.run)), asker)
        return self._shown(self._report(row.run), asker)

    def _resumed(self, row: FlowRow) -> Report:
        exporting.ready(self._config)
        found, caller = self._prepared(row)
        executor = self._executor(resuming=True)
        self._execute(executor, executor.rows.take_over(row.run), found, caller)
        return _left(self._report(row.run))

    def _execute(self, executor: Executor, row: FlowRow, found: Workflow, caller: CallerOf) -> None:
        try:
            executor.run(row, found, caller)
        except OutsideCause as error:
            # Not "the same command again": `run` would begin another run, and do again what this one did.
            told = error.hint.replace("RUN", row.run)
            error.hint = told if row.run in told else f"mend the cause, then ragflow runs resume {row.run}"
            raise

    def _prepared(self, row: FlowRow) -> tuple[Workflow, CallerOf]:
        """Return what executes a run, before it is taken: nothing is changed where that cannot be.

        Raises ``UnknownWorkflow``, ``WorkflowChanged``.
        """
        found = named(self.workflows, row.workflow)
        if found.digest != row.source_digest:
            error = changed(row.workflow, row.source_digest, found.digest)
            error.hint = error.hint.replace("RUN", row.run)
            raise error
        now = rights_now(self._config, row.actor[0])
        return found, lambda taken: caller_of(taken, now)

    def _shown(self, report: Report, asker: Asker) -> Report:
        """Return a run of the asker, without its contents where it names what they may not read any more."""
        if self._readable(report, asker):
            return report
        bare: dict[str, Any] = {"input": None, "steps": [], "output": None, "approvals": []}
        return Report({**report.record, **bare}, report.exit_code)

    def _readable(self, report: Report, asker: Asker) -> bool:
        return self._history.shows(Run.from_json(report.record), asker)

    def _own(self, run: str, asker: Asker) -> FlowRow:
        rows = self._executor(resuming=False).rows
        row = rows.newest(asker.actor) if run == "last" else rows.find(run)
        if (
            row is None
            or row.actor[0] != asker.actor
            or not (row.live or self._readable(self._report(row.run), asker))
        ):
            raise NotFound(f"not found: run {run}", hint="ragflow runs list")
        return row

    def _report(self, run: str) -> Report:
        row = self._executor(resuming=False).rows.get(run)
        if not row.live and (ended := self._runs.get(run)) is not None:
            return Report(ended.to_json(), row.exit_code)
        if row.record is not None:
            return Report(row.record, row.exit_code)
        steps = of_run(self.database, self._app.workspace, run)
        shown = live_record(row, approvals_of(self.database, run), steps).to_json()
        return Report(shown, WAITING if row.status == "waiting" else row.exit_code)

    # -- wiring ----------------------------------------------------------------------------------

    @cached_property
    def _reach(self) -> Reach:
        return reach(self._config, self.database, AppReading(self._app))

    def _executor(self, *, resuming: bool) -> Executor:
        if self._opened is None:
            outside = Outside(
                means=self._reach.means(self.workflows),
                decided=lambda approval: self._reach.gate.decision(approval) is not None,
                engine=lambda: places.dbos_engine(self._config, connections=20),
                folder=self._app.workspace / leases.FOLDER,
                hide=self._config.runs.redact,
                keep_days=self._config.runs.keep_days,
                told=lambda record: exporting.told(self._config, record.to_json()),
            )
            self._opened = Executor(self.database, self._runs, outside)
        self._opened.resuming = self._opened.resuming or resuming
        return self._opened


def _left(report: Report) -> Report:
    """Return the report of a run that was executed here: where it runs still, a worker was quicker."""
    return replace(report, exit_code=TAKEN) if report.record["status"] == "running" else report
