"""DBOS as this program uses it: it keeps the steps of runs and gives them back. Nothing else is asked of it.

One launched DBOS a process (it is a singleton). Who may execute a run is decided before DBOS hears of it
(``rows.take_over``); a run that was executed before is given to a queue that only this process listens to.
DBOS's own fence (a token in the run's row) then keeps an execution that was left behind from writing steps.
See docs/decisions/0027.
"""

import json
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine as SqlEngine
from sqlalchemy import create_engine, event, inspect
from sqlalchemy.exc import DatabaseError, InterfaceError, OperationalError, ProgrammingError

from ragflow.errors import UsageError
from ragflow.workflows.errors import DatabaseGone

if TYPE_CHECKING:
    from dbos import Serializer

APPLICATION = "ragflow"
_VERSION = "1"  # of how steps are kept; a workflow's own source is held by its digest
_POLL_S = 0.05
_BUSY_MS = 10_000

Body = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class KeptStep:
    """A step as DBOS holds it: its name and the envelope that ``durable`` put in."""

    name: str
    envelope: dict[str, Any]


class Durable:
    """DBOS, launched. ``body`` is called with a run's id, in a thread of DBOS, to execute it.

    What leaves ``body`` is a ``BaseException``: DBOS keeps nothing of how it ended, and the run's row there
    stays PENDING, like that of a process that has died, until it is resumed or forgotten. ``resuming``: runs
    will be resumed, so that the queue for them is made beforehand.
    """

    def __init__(self, engine: SqlEngine, executor: str, body: Body, *, resuming: bool) -> None:
        self.engine = engine
        self._executor = executor
        # DBOS looks for queues when it is launched, and then once a second.
        self._listening = resuming and _queue_before(engine, executor)
        _launch(engine, executor, body)

    def execute(self, run: str) -> None:
        """Have ``body`` called for a run; steps that were kept before are given back. Returns at once."""
        from dbos import DBOS, SetWorkflowID

        if DBOS.get_workflow_status(run) is None:
            with SetWorkflowID(run, workflow_id_reuse_policy="reject"):
                DBOS.start_workflow(_workflow(), run)
        else:
            self._listen()
            DBOS.resume_workflow(run, queue_name=self._executor)

    def steps(self, run: str) -> list[KeptStep]:
        """Return the steps that are kept of a run, in order."""
        from dbos import DBOS

        return [
            KeptStep(one["function_name"], one["output"])
            for one in DBOS.list_workflow_steps(run)
            if isinstance(one["output"], dict)
        ]

    def forget(self, run: str) -> None:
        """Delete what DBOS holds of a run: its record has it all, and erasing looks there."""
        from dbos import DBOS

        DBOS.delete_workflow(run)

    def known(self) -> list[str]:
        """Return the runs of which DBOS holds anything."""
        from dbos import DBOS

        return [one.workflow_id for one in DBOS.list_workflows(load_input=False, load_output=False)]

    def queues(self) -> list[str]:
        """Return the executors that have left a queue, this one among them."""
        from dbos import DBOS

        return [queue.name for queue in DBOS.list_queues()]

    def drop_queue(self, executor: str) -> None:
        """Remove the queue of an executor that is no more."""
        from dbos import DBOS

        DBOS.delete_queue(executor)

    def close(self) -> None:
        """Stop DBOS's threads and close its connections."""
        from dbos import DBOS

        if self._listening:
            with suppress(Exception):  # a leftover queue is swept by the next process
                self.drop_queue(self._executor)
        DBOS.destroy()
        self.engine.dispose()
        _one.release()

    def _listen(self) -> None:
        """Have a queue: made when a run is first resumed, since most processes never do."""
        from dbos import DBOS

        if not self._listening:
            DBOS.register_queue(self._executor, polling_interval_sec=_POLL_S, on_conflict="always_update")
            self._listening = True


def _queue_before(engine: SqlEngine, executor: str) -> bool:
    """Make the queue before DBOS is launched; False where its tables are not there yet, or old ones."""
    from dbos import DBOSClient

    with answering(engine):
        if not exists(engine):
            return False
        client = DBOSClient(system_database_engine=engine, serializer=_json(), application_name=APPLICATION)
        try:
            client.register_queue(executor, polling_interval_sec=_POLL_S, on_conflict="always_update")
        except DatabaseError as error:
            if isinstance(error, ProgrammingError) or "no such" in str(error) or "no column" in str(error):
                return False  # launching brings them up to date, here or in another process
            raise
        finally:
            client.destroy()
    return True


_one = threading.Lock()  # DBOS is one a process
_bodies: dict[str, Body] = {}


def _launch(engine: SqlEngine, executor: str, body: Body) -> None:
    from dbos import DBOS

    if not _one.acquire(blocking=False):
        raise UsageError("this process runs the workflows of another workspace already", hint="close it")
    try:
        _silence()
        _workflow()
        _bodies["run"] = body
        with answering(engine):
            DBOS(
                config={
                    "name": APPLICATION,
                    "system_database_engine": engine,
                    "application_version": _VERSION,
                    "executor_id": executor,
                    "serializer": _json(),
                    "use_listen_notify": False,  # nobody sends messages: one connection fewer
                    "notification_listener_polling_interval_sec": _POLL_S,  # closing waits for it
                    "log_level": "CRITICAL",
                    "enable_otlp": False,
                }
            )
            DBOS.listen_queues([executor])
            DBOS.launch()
    except BaseException:
        with suppress(Exception):
            DBOS.destroy()
        _one.release()
        raise


def _silence() -> None:
    """Have DBOS log nowhere: it gives its logger a handler on stderr only where that has none."""
    log = logging.getLogger("dbos")
    log.propagate = False
    if not log.handlers:
        log.addHandler(logging.NullHandler())


_registered: list[Any] = []


def _workflow() -> Any:
    """Return the one workflow that DBOS knows: every run is an execution of it."""
    from dbos import DBOS

    if not _registered:

        @DBOS.workflow(name="ragflow.run", max_recovery_attempts=None)
        def execute(run: str) -> None:
            _bodies["run"](run)

        _registered.append(execute)
    return _registered[0]


def _json() -> "Serializer":
    """Return what writes DBOS's values as JSON: no pickle is ever read from a database."""
    from dbos import Serializer

    class Json(Serializer):
        def serialize(self, data: Any) -> str:
            if isinstance(data, BaseException):  # of DBOS's own: those of steps stand in their envelopes
                data = {"error": f"{type(data).__name__}: {data}"}
            return json.dumps(data, ensure_ascii=False, allow_nan=False)

        def deserialize(self, serialized_data: str) -> Any:
            return json.loads(serialized_data)

        def name(self) -> str:
            return "ragflow_json"

    return Json()


def sqlite_engine(path: Path) -> SqlEngine:
    """Return an engine for DBOS's tables in a file, made (mode 0600, WAL) where it is absent."""
    from ragflow.run_files import create_file

    create_file(path)
    engine = create_engine(f"sqlite:///{path}", hide_parameters=True)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = "IMMEDIATE"  # as DBOS's own engine has it
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")  # a step that was kept must stay kept
        connection.execute("PRAGMA secure_delete = ON")  # forgotten steps leave no free pages

    return engine


@contextmanager
def answering(engine: SqlEngine) -> Iterator[None]:
    """Say ``DatabaseGone`` where a server does not answer."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        if engine.dialect.name != "postgresql":
            raise
        first = next(iter(str(error.orig).strip().splitlines()), type(error).__name__)
        place = engine.url.set(password=None).render_as_string()
        raise DatabaseGone(f"the database {place} does not answer: {first}") from error


def exists(engine: SqlEngine) -> bool:
    """Tell whether DBOS's tables are there."""
    schema = "dbos" if engine.dialect.name == "postgresql" else None
    return inspect(engine).has_table("workflow_status", schema=schema)
