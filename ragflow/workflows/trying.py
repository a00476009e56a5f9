"""One step's tries: each within its time, tried again by rule."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from ragflow.errors import OutsideCause
from ragflow.steps import Step
from ragflow.workflows.contracts import Json
from ragflow.workflows.errors import StepTimedOut, WorkflowFailed
from ragflow.workflows.kept import as_json


@dataclass(frozen=True, slots=True)
class Retry:
    """``times`` further tries after an error of ``on``.

    Pauses begin with ``wait`` seconds and grow by the factor ``backoff``.
    """

    times: int = 0
    on: tuple[type[Exception], ...] = (OutsideCause, OSError)
    wait: float = 0.5
    backoff: float = 2.0


ONCE = Retry()


def attempted(
    function: Callable[[], Json],
    step: Step,
    *,
    retry: Retry,
    timeout: float,
    name: str,
    sleep: Callable[[float], None] = time.sleep,
) -> Json:
    """Return what ``function`` gives as JSON, tried as ``retry`` says; ``step.tries`` counts.

    Raises its last error; ``StepTimedOut`` where a try took longer than ``timeout`` seconds.
    """
    for more in reversed(range(retry.times + 1)):
        step.tries += 1
        try:
            return as_json(within(function, timeout, name), name)
        except retry.on as error:
            if not more or isinstance(error, WorkflowFailed):
                raise
        sleep(retry.wait * retry.backoff ** (step.tries - 1))
    raise AssertionError("the last try returns or raises")


def within(function: Callable[[], Json], timeout: float, name: str) -> Json:
    """Return what ``function`` gives within ``timeout`` seconds; it is left behind where it takes longer.

    Python cannot end a thread: what hangs goes on until the process ends, and its result is lost.
    """
    given: list[Json] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            given.append(function())
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            raised.append(error)

    thread = threading.Thread(target=run, name=f"step {name}", daemon=True)
    thread.start()
    thread.join(timeout)
    if thread.is_alive():
        raise StepTimedOut(f"the step {name} took longer than {timeout:g} s")
    if raised:
        raise raised[0]
    return given[0]
