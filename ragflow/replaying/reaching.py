"""Wires the replay of a workflow: configured tools, gate and agent, over a database that is nowhere."""

from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from ragflow.config import Config
from ragflow.records import Run
from ragflow.redact import redact_all
from ragflow.replaying.replay import Replayed
from ragflow.replaying.runs import Ways, replayed_run
from ragflow.replaying.steps import Knowing, RecordedSteps
from ragflow.tools.policy import policy_digest
from ragflow.workflows.contracts import Json, Object
from ragflow.workflows.database import Database
from ragflow.workflows.discovery import discover
from ragflow.workflows.flow import Means
from ragflow.workflows.kept import as_json, error_from_json
from ragflow.workflows.outcomes import of_error, of_value
from ragflow.workflows.tables import metadata
from ragflow.workflows.wiring import reach


def replayed(record: Run, config: Config, *, own: bool = True) -> Replayed:
    """Execute a recorded workflow again with the configuration and the source of today.

    ``own``: the record is this workspace's. One from elsewhere has no module imported that it names.

    Raises ``UnknownWorkflow`` where a module of ``workflows`` cannot be imported.
    """
    workflows = discover(config.workflows, config.folder)
    hide = config.runs.redact
    knowing = Knowing(config, hide, lambda kept: error_from_json(dict(kept), importing=own), workflows)
    with nowhere() as database:

        def means(steps: RecordedSteps) -> Means:
            return reach(config, database, steps.reading).means(workflows)(steps)

        def value(given: Json) -> Object:
            return of_value(redact_all(as_json(given, "output"), hide)).output

        def error(raised: Exception) -> Object:
            told: dict[str, Any] = redact_all(dict(of_error(raised).output), hide)
            return told

        return replayed_run(record, Ways(knowing, means, value, error, policy_digest(config)))


def nowhere() -> Database:
    """Return a database in memory: rules that count find nothing in it, and what they write is gone."""
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    metadata.create_all(engine)
    return Database(engine, "memory")
