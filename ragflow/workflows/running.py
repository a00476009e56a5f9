"""Executes runs in this process: a thread each, watched, and what came of it.

DBOS calls ``Running.body`` in a thread of its own; the workflow's function runs in another one beside it,
in the same context, so that it can be given up: Python cannot end a thread, but it can stop waiting.
"""

import contextvars
import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field, replace

from ragflow.errors import RagflowError
from ragflow.redact import Kind, redact_all
from ragflow.workflows.contracts import Caller, Steps, Suspended
from ragflow.workflows.declaring import Workflow, read_input
from ragflow.workflows.durable import DurableSteps, Stopped
from ragflow.workflows.errors import DatabaseGone, RunHeld, WorkflowChanged, WorkflowFailed
from ragflow.workflows.flow import Flow, Means
from ragflow.workflows.kept import as_json
from ragflow.workflows.leases import Lease
from ragflow.workflows.outcomes import CANCELLED, Outcome, of_error, of_value
from ragflow.workflows.rows import FlowRow, Rows

_LOOK_S = 0.1
_AWAY_S = 15.0


@dataclass(frozen=True, slots=True)
class Left:
    """How one execution left a run: ended, waiting for a person, or stopped here to go on elsewhere."""

    outcome: Outcome | None = None
    suspended: Suspended | None = None
    cause: RagflowError | None = None


@dataclass(slots=True)
class Execution:
    """One execution of a run that this process owns. ``left`` is set when it is over."""

    row: FlowRow
    workflow: Workflow
    caller: Caller
    left: "Future[Left]" = field(default_factory=Future)
    started: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)  # the function has returned or raised
    leaving: threading.Event = field(default_factory=threading.Event)  # before the next step
    given_up: threading.Event = field(default_factory=threading.Event)  # at once
    steps: DurableSteps | None = None
    result: Left = Left()
    until: float = 0.0

    @property
    def late(self) -> bool:
        """Whether its time is over."""
        return time.monotonic() > self.until


class Running:
    """The executions of this process. ``means`` makes what a ``Flow`` works with around its steps."""

    def __init__(
        self, rows: Rows, lease: Lease, means: Callable[[Steps], Means], hide: Collection[Kind]
    ) -> None:
        self._rows = rows
        self._lease = lease
        self._means = means
        self._hide = hide
        self._executions: dict[str, Execution] = {}

    def add(self, execution: Execution) -> None:
        """Know an execution before DBOS is asked to call ``body`` for it."""
        self._executions[execution.row.run] = execution

    def drop(self, execution: Execution) -> None:
        """Forget it."""
        if self._executions.get(execution.row.run) is execution:
            del self._executions[execution.row.run]

    @property
    def all(self) -> Mapping[str, Execution]:
        """The executions that go on, by run."""
        return dict(self._executions)

    def wait(self, execution: Execution) -> Left:
        """Wait until an execution is over and return how it left its run.

        A server that is gone for long is not waited for: DBOS would, for ever.
        """
        held = time.monotonic()
        while True:
            try:
                return execution.left.result(timeout=1)
            except NotYet:
                if self._lease.held():
                    held = time.monotonic()
                    # DBOS calls nobody where another process has taken the run in between.
                    if not execution.started.is_set() and self._rows.standing(execution.row) == "lost":
                        return Left()
                elif time.monotonic() - held > _AWAY_S:
                    execution.given_up.set()
                    return Left(cause=DatabaseGone("the connection to the database was lost"))

    def leave(self, *, at_once: bool = False) -> None:
        """Leave all runs: before their next step, or at once, as a process that dies does."""
        for execution in self.all.values():
            execution.leaving.set()
            if at_once:
                execution.given_up.set()

    def body(self, run: str) -> None:
        """Execute a run in this thread of DBOS. Always ends with ``Stopped``: DBOS keeps steps alone."""
        execution = self._executions.get(run)
        if execution is None or execution.started.is_set():
            raise Stopped(None)  # nobody here has won it
        execution.until = time.monotonic() + execution.workflow.seconds
        execution.started.set()
        context = contextvars.copy_context()  # DBOS knows by it which workflow a step belongs to
        name = f"workflow {run}"
        threading.Thread(target=context.run, args=(self._work, execution), name=name, daemon=True).start()
        execution.left.set_result(self._watched(execution))
        raise Stopped(None)

    def _watched(self, execution: Execution) -> Left:
        """Wait for the function; give it up where it loops without steps, or is to be left at once."""
        while not execution.over.wait(_LOOK_S):
            steps = execution.steps
            idle = steps is None or not steps.busy  # a step has its own time, and must not be cut in two
            if execution.given_up.is_set() or (execution.leaving.is_set() and idle):
                execution.given_up.set()
                return Left()
            if execution.late and idle:
                execution.given_up.set()
                return Left(of_error(_too_long(execution.workflow)))
        return execution.result

    def _work(self, execution: Execution) -> None:
        try:
            execution.result = self._done(execution)
        finally:
            execution.over.set()

    def _done(self, execution: Execution) -> Left:
        """Call the workflow's function once more; steps that were kept give what they gave."""
        found = execution.workflow
        try:
            steps = DurableSteps(lambda: self._guard(execution), most=found.steps, hide=self._hide)
            execution.steps = steps
            flow = Flow(self._means(steps), execution.caller)
            value = found.function(flow, read_input(found, dict(execution.row.input)))
            return Left(of_value(redact_all(as_json(value, found.name), self._hide)))
        except Suspended as suspended:
            return Left(suspended=suspended)
        except Stopped as stopped:
            if stopped.ends and stopped.cause is not None:
                return Left(of_error(stopped.cause))
            return Left(CANCELLED) if stopped.ends else Left(cause=stopped.cause)
        except WorkflowChanged as changed:
            return Left(cause=changed)  # the run stays as it was
        except BaseException as error:  # noqa: BLE001 - whatever a workflow raises is how its run ends
            return Left(_redacted(of_error(error), self._hide))

    def _guard(self, execution: Execution) -> None:
        """Before each step: may this process go on with the run? Raises ``Stopped``."""
        if execution.given_up.is_set() or execution.leaving.is_set():
            raise Stopped(None)
        if execution.late:
            raise Stopped(_too_long(execution.workflow), ends=True)
        try:
            if not self._lease.held():
                raise DatabaseGone("the connection that holds this process's lease was lost")
            standing = self._rows.standing(execution.row)
        except RagflowError as gone:
            raise Stopped(gone) from gone
        if standing == "cancelled":
            raise Stopped(None, ends=True)
        if standing == "lost":
            raise Stopped(RunHeld(f"{execution.row.run} was taken by another process"))


def _too_long(found: Workflow) -> WorkflowFailed:
    return WorkflowFailed(f"the workflow {found.name} took longer than {found.seconds:g} s")


def _redacted(outcome: Outcome, hide: Collection[Kind]) -> Outcome:
    """Return an outcome whose words, the hint's too, may stand in a record."""
    return replace(outcome, output=redact_all(outcome.output, hide))
