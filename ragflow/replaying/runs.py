"""A recorded workflow, executed again: its function of today, with the steps of then."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ragflow import identity
from ragflow.records import Run, canonical
from ragflow.replaying.differing import changes, unified
from ragflow.replaying.replay import Replayed
from ragflow.replaying.steps import Astray, Knowing, RecordedSteps, source_changed
from ragflow.workflows.contracts import Caller, Json, Object, Suspended
from ragflow.workflows.declaring import Workflow, read_input
from ragflow.workflows.flow import Flow, Means


@dataclass(frozen=True, slots=True)
class Ways:
    """How a run is executed. ``means``: what its ``Flow`` works with, around the recorded steps.

    ``of_value``, ``of_error``: what a record shows of a run that gave a value, or raised. ``policy``: the
    digest of the rules of tools and approvals of today.
    """

    knowing: Knowing
    means: Callable[[RecordedSteps], Means]
    of_value: Callable[[Json], Object]
    of_error: Callable[[Exception], Object]
    policy: str


def replayed_run(record: Run, ways: Ways) -> Replayed:
    """Execute a recorded run again and say what differs. Its contents are there.

    Reasons why it cannot be said: there is no workflow of its name any more.
    """
    given: Any = record.input
    name = given["workflow"]
    found = ways.knowing.workflows.get(name)
    if found is None:
        reason = f"there is no workflow {name} any more"
        return Replayed(record.run, record.kind, same=None, reason=reason, configuration=())
    steps = RecordedSteps(record.steps, ways.knowing)
    if found.digest != given["source_digest"]:
        steps.notes.append(source_changed(name))
    if given["policy"] != ways.policy:
        steps.notes.append("the rules of tools and approvals have changed since")
    then: Object = record.output or {}
    now = _executed(record, found, steps, ways)
    if canonical(then) != canonical(now):
        steps.changes += [f"output: {one}" for one in changes(then, now)]
        steps.diff += unified(then, now, "output")
    return Replayed(
        record.run,
        record.kind,
        same=not steps.changes,
        changes=tuple(steps.changes),
        diff=tuple(steps.diff),
        notes=tuple(dict.fromkeys(steps.notes)),
    )


def _executed(record: Run, found: Workflow, steps: RecordedSteps, ways: Ways) -> Object:
    """Execute it and return what its record would show; what was recorded, where it went astray."""
    given: Any = record.input
    flow = Flow(ways.means(steps), caller_of(record, found.name))
    try:
        now = ways.of_value(found.function(flow, read_input(found, given["input"])))
    except Astray as astray:
        if steps.left or not _ended_outside(record):
            steps.changes.append(str(astray))
        return record.output or {}
    except Suspended as waits:
        steps.changes.append(f"it would wait for {waits.approval}")
        return record.output or {}
    except Exception as error:  # noqa: BLE001 - whatever a workflow raises is how its run ends
        now = ways.of_error(error)
    if steps.left:
        steps.changes.append(f"{steps.left} of the recorded steps would not be taken")
    return now


def caller_of(record: Run, workflow: str) -> Caller:
    """Return on whose behalf a recorded run was executed."""
    return Caller(
        actor=record.actor[0],
        readers=tuple(sorted(record.actor)),
        roles=tuple(one for one in record.actor if one != identity.EVERYONE),
        run=record.run,
        workflow=workflow,
    )


def _ended_outside(record: Run) -> bool:
    """Tell whether something else than its function ended a run: a person, a limit of time or steps."""
    error = (record.output or {}).get("error")
    limited = isinstance(error, dict) and error.get("type") == "WorkflowFailed"
    return record.status == "cancelled" or (record.status == "failed" and limited)
