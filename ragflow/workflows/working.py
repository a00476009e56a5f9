"""A worker: takes up runs that nobody works on, several at once, until it is told to stop."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, field

from ragflow.errors import RagflowError
from ragflow.records import timestamp
from ragflow.workflows.declaring import Workflow
from ragflow.workflows.errors import DatabaseGone, RunHeld
from ragflow.workflows.executing import CallerOf, Executor
from ragflow.workflows.rows import FlowRow
from ragflow.workflows.running import Execution

Say = Callable[[str], None]
"""Told what a person who watches the worker should know, one sentence each."""

Prepare = Callable[[FlowRow], tuple[Workflow, CallerOf]]

_LOOK_S = 0.5  # between two looks for work
_AWAY_S = 1.0  # between two tries to reach a server that is gone
_GRACE_S = 10.0  # for the steps that go on when it is told to stop
_AGAIN_S = 30.0  # before a run that could not be executed is tried again


@dataclass(slots=True)
class _Work:
    execution: Execution
    found: Workflow
    caller_of: CallerOf


@dataclass(slots=True)
class Worker:
    """Works in one thread; the runs have theirs. ``prepare`` may refuse a run: it is told once, and left."""

    executor: Executor
    prepare: Prepare
    say: Say
    _stopped: threading.Event = field(default_factory=threading.Event)
    _at: dict[str, _Work] = field(default_factory=dict)
    _refused: dict[str, float] = field(default_factory=dict)
    _owed: list[FlowRow] = field(default_factory=list)  # runs that could not be given up yet
    _told: set[str] = field(default_factory=set)
    _away: bool = False
    _executed: int = 0

    def stop(self) -> None:
        """Have ``work`` leave its runs before their next step, and return."""
        self._stopped.set()

    def work(self, *, parallel: int, once: bool) -> int:
        """Work until ``stop``; with ``once`` until nothing can be taken up. Return how many were executed."""
        while not self._stopped.is_set():
            try:
                self._settle()
                self._hold()
                taken = self._take(parallel)
            except DatabaseGone as gone:
                self._gone(gone)
                continue
            if once and not taken and not self._at:
                break
            self._pause(idle=not taken)
        self._leave()
        return self._executed

    def _take(self, parallel: int) -> bool:
        """Take up as many open runs as there is room for; tell whether there was any."""
        taken = False
        room = parallel - len(self._at)
        if room <= 0:
            return False
        self._refused = {run: until for run, until in self._refused.items() if until > time.monotonic()}
        for row in self.executor.rows.open(timestamp(), but=[*self._at, *self._refused]):
            taken = self._taken(row) or taken
            if len(self._at) >= parallel:
                break
        return taken

    def _taken(self, row: FlowRow) -> bool:
        try:
            found, caller_of = self.prepare(row)
            mine = self.executor.rows.take_over(row.run)
        except DatabaseGone:
            raise
        except RunHeld:
            return False  # another one was quicker
        except RagflowError as error:
            self._refuse(row.run, error)
            return False
        return self._begun(mine, found, caller_of)

    def _begun(self, row: FlowRow, found: Workflow, caller_of: CallerOf) -> bool:
        try:
            execution = self.executor.begin(row, found, caller_of)
        except RagflowError as error:
            self._failed(row, error)
            return False
        self._executed += 1
        if execution is not None:
            self._at[row.run] = _Work(execution, found, caller_of)
        return True

    def _settle(self) -> None:
        """Write down what has come of the runs that are over."""
        for run, work in list(self._at.items()):
            if not work.execution.left.done():
                if not work.execution.started.is_set():
                    self._check(run, work)
                continue
            del self._at[run]
            self._settled(run, work)

    def _check(self, run: str, work: _Work) -> None:
        if self.executor.rows.standing(work.execution.row) == "lost":
            self.executor.running.drop(work.execution)  # DBOS will call nobody for it here
            del self._at[run]

    def _settled(self, run: str, work: _Work) -> None:
        row = work.execution.row
        try:
            again = self.executor.settle(work.execution, work.execution.left.result())
            if again is not None:
                row = again
                execution = self.executor.begin(again, work.found, work.caller_of)
                if execution is not None:
                    self._at[run] = _Work(execution, work.found, work.caller_of)
        except RagflowError as error:
            self._failed(row, error)

    def _failed(self, row: FlowRow, error: RagflowError) -> None:
        """Leave a run that could not go on here; it is given up as soon as the database takes that."""
        self._owed.append(row)
        if isinstance(error, DatabaseGone):
            raise error
        if not isinstance(error, RunHeld):
            self._refuse(row.run, error)

    def _refuse(self, run: str, error: RagflowError) -> None:
        self._refused[run] = time.monotonic() + _AGAIN_S
        sentence = f"{run} is left as it is: {error}"
        if sentence not in self._told:
            self._told.add(sentence)
            self.say(sentence)

    def _give_up(self) -> None:
        """Leave to others what could not go on here. Raises ``DatabaseGone``: not yet."""
        while self._owed:
            self.executor.rows.release(self._owed[-1])
            self._owed.pop()

    # -- a server that goes away -----------------------------------------------------------------

    def _gone(self, gone: DatabaseGone) -> None:
        if not self._away:
            self._away = True
            self.say(f"{gone}; waiting for it")
        self._stopped.wait(_AWAY_S)

    def _hold(self) -> None:
        """Hold the lease; after it was lost again, with nothing owned under the lost one.

        Raises ``DatabaseGone``: not yet.
        """
        if not self.executor.lease.held():
            if self._at:  # their threads leave before their next step; DBOS waits for the server in theirs
                raise DatabaseGone("the connection to the database was lost")
            self.executor.lease.take_again()
            self.executor.rows.disown()
        self._give_up()
        if self._away:
            self._away = False
            self.say("the database answers again")

    def _pause(self, *, idle: bool) -> None:
        going = [work.execution.left for work in self._at.values()]
        if going:
            wait_for(going, timeout=_LOOK_S, return_when=FIRST_COMPLETED)
        elif idle:
            self._stopped.wait(_LOOK_S)

    def _leave(self) -> None:
        """Leave the runs before their next step, and give them up; a step that goes on has some time."""
        self.executor.running.leave()
        going = [work.execution.left for work in self._at.values()]
        wait_for(going, timeout=_GRACE_S)
        for run, work in list(self._at.items()):
            if work.execution.left.done():
                del self._at[run]
                try:
                    self._settled(run, work)
                    self._give_up()
                except DatabaseGone as gone:
                    self.say(str(gone))  # the lease tells when they are nobody's
