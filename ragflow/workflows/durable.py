"""``DurableSteps``: the steps of one execution of a run, kept by DBOS."""

import threading
import time
from collections.abc import Callable, Collection
from typing import Any

from ragflow.errors import RagflowError, translate
from ragflow.records import sha256
from ragflow.redact import Kind as Private
from ragflow.redact import redact_all
from ragflow.steps import Step
from ragflow.workflows.contracts import Abandoned, Json, Kind
from ragflow.workflows.errors import WorkflowFailed
from ragflow.workflows.kept import as_json, error_from_json, error_to_json


class Stopped(BaseException):
    """An execution ends here, whatever the workflow's code would do about it.

    ``ends``: the run ends with ``cause`` (a limit, a cancel). Else it is left as it is, to go on elsewhere or
    later: ``cause`` says why, None where that was wanted.
    """

    def __init__(self, cause: RagflowError | None, *, ends: bool = False) -> None:
        super().__init__(str(cause or ""))
        self.cause, self.ends = cause, ends


Guard = Callable[[], None]
"""Called before each step. Raises ``Stopped`` where this process must not go on with the run."""


class DurableSteps:
    """Satisfies ``contracts.Steps``: one DBOS step each.

    To be used in the thread that executes the workflow's function, inside a DBOS workflow. ``most``: how many
    steps a run may take. ``guard`` is asked before each one.
    """

    def __init__(self, guard: Guard, *, most: int, hide: Collection[Private] = ()) -> None:
        self._guard = guard
        self._most = most
        self._hide = hide
        self._at = 0
        self._thread = threading.get_ident()
        self._busy = False

    @property
    def next(self) -> int:
        """The number that the next step will have."""
        return self._at

    @property
    def busy(self) -> bool:
        """Whether a step is being done at this moment, or is about to be."""
        return self._busy

    def take(self, name: str, work: Callable[[Step], Json], *, kind: Kind = "step") -> Json:
        """Do ``work`` once, and give what it gave.

        Raises:
            Stopped: the run may not go on here, or at all.
        """
        if self._busy or threading.get_ident() != self._thread:
            raise WorkflowFailed(
                f"the step {name} was taken inside another one, or by another thread",
                hint="take steps one after the other, in the workflow's function itself",
            )
        # Busy before the guard looks: who gives up a run that is not busy knows that no step begins after.
        self._busy = True
        try:
            self._guard()
            if self._at >= self._most:
                raise Stopped(WorkflowFailed(f"the workflow took more than {self._most} steps"), ends=True)
            self._at += 1
            envelope = self._kept(name, work, kind)
        finally:
            self._busy = False
        if envelope["error"] is not None:
            raise error_from_json(envelope["error"])
        return envelope["value"]

    def _kept(self, name: str, work: Callable[[Step], Json], kind: Kind) -> dict[str, Any]:
        from dbos import DBOS, error

        try:
            envelope = DBOS.run_step({"name": name}, lambda: self._done(name, work, kind))
        except error.DBOSUnexpectedStepError as wrong:
            raise _other_way(self._at, name) from wrong
        except error.DBOSWorkflowConflictIDError as lost:
            raise Stopped(None) from lost  # another execution has the run: this one was left behind
        except Exception as wrong:
            # Of keeping, not of the step: what was not kept did not happen, and the workflow must not see it.
            known = translate(wrong)
            if known is None:
                known = WorkflowFailed(f"the step {name} could not be kept: {type(wrong).__name__}: {wrong}")
            raise Stopped(known) from wrong
        if envelope["kind"] != kind:
            raise _other_way(self._at, name)
        return envelope

    def _done(self, name: str, work: Callable[[Step], Json], kind: Kind) -> dict[str, Any]:
        """Do it and return what is kept. ``Suspended`` passes: then nothing is."""
        step, started, began = Step(), time.time(), time.perf_counter()
        value: Json = None
        error = None
        try:
            given = as_json(work(step), name)
            value = redact_all(given, self._hide)
            if kind == "ask":  # a document that holds a secret would be another one when it is replayed
                value["tape"] = given["tape"]
        except Abandoned as left:
            raise Stopped(left.error) from left
        except Exception as raised:  # noqa: BLE001 - it is kept, and raised where the step was taken
            error = error_to_json(raised, self._hide)
        return {
            "kind": kind,
            "value": value,
            "error": error,
            "tries": max(step.tries, 1),
            "started": round(started * 1000),
            "ms": round((time.perf_counter() - began) * 1000),
            "input_digest": _digest(step.input, self._hide),
            "cost_usd": step.cost_usd,
            "tokens": step.tokens,
            "status": "failed" if error else step.status,
        }


def _digest(given: object, hide: Collection[Private]) -> str:
    try:
        return sha256(redact_all(as_json(given, "input"), hide))
    except WorkflowFailed:
        return sha256(str(type(given)))


def _other_way(at: int, name: str) -> Stopped:
    cause = WorkflowFailed(
        f"the run went another way than before: its step {at} is now {name}",
        hint="a workflow does by flow.step what may come out otherwise; ragflow runs retry RUN begins again",
    )
    return Stopped(cause, ends=True)
