"""The steps of one run while it runs: what each took in, gave, cost, and how long it needed."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ragflow.models.accounts import Used
from ragflow.records import sha256, timestamp


@dataclass(slots=True)
class Step:
    """What one step of a run leaves: set while it runs, recorded when it ends. No document's wording."""

    input: Any = None
    output: Any = None
    cost_usd: float = 0
    tokens: int = 0
    status: str = "ok"
    tries: int = 0


class Record:
    """Collects the steps of one run in order, with times in ms since the record was made.

    ``run`` is the id that the answer will bear, ``created`` when it began (ISO 8601, UTC). ``used`` tells
    what vectors took so far: a step bears what was added to that while it ran, besides its own.
    """

    def __init__(self, run: str, *, created: str | None = None, used: Callable[[], Used] = Used) -> None:
        self._used = used
        self.run = run
        self.created = created or timestamp()
        self._began = time.perf_counter()
        self._steps: list[dict[str, Any]] = []

    @contextmanager
    def step(self, name: str, *, attempt: int = 1) -> Iterator[Step]:
        """Time one step; a step that raises is recorded as ``failed`` and the error goes on."""
        step, started, raised = Step(), time.perf_counter(), True
        before = self._used()
        try:
            yield step
            raised = False
        finally:
            took = self._used().since(before)
            self._steps.append(
                {
                    "name": name,
                    "attempt": attempt,
                    "started_ms": round((started - self._began) * 1000),
                    "ms": round((time.perf_counter() - started) * 1000),
                    "status": "failed" if raised else step.status,
                    "input_digest": sha256(step.input),
                    "output": step.output,
                    "cost_usd": step.cost_usd + took.usd if took.nano else step.cost_usd,
                    "tokens": step.tokens + took.tokens,
                }
            )

    @property
    def steps(self) -> tuple[dict[str, Any], ...]:
        """The steps so far, as they stand in ``ragflow.run/1``."""
        return tuple(self._steps)

    def timings_ms(self) -> dict[str, float]:
        """Return milliseconds by step, and in ``total`` since the record was made."""
        spent: dict[str, float] = {}
        for step in self._steps:
            spent[step["name"]] = spent.get(step["name"], 0) + step["ms"]
        return {**spent, "total": round((time.perf_counter() - self._began) * 1000, 1)}
