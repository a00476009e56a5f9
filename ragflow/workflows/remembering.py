"""Steps that are remembered in this process only: for tests of workflows, and for what needs no crash."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ragflow.records import canonical
from ragflow.steps import Step
from ragflow.workflows.contracts import Json, Kind


@dataclass(slots=True)
class RememberedSteps:
    """Satisfies ``contracts.Steps``. ``kept`` may be given to another one: the next execution of the run."""

    kept: list[dict[str, Any]] = field(default_factory=list)
    _at: int = 0

    @property
    def next(self) -> int:
        """The number that the next step will have."""
        return self._at

    def take(self, name: str, work: Callable[[Step], Json], *, kind: Kind = "step") -> Json:
        """Do ``work``, or give what it gave before."""
        at = self._at
        self._at += 1
        if at < len(self.kept):
            known = self.kept[at]
            assert (known["name"], known["kind"]) == (name, kind), "the run went another way than before"
            if known["error"] is not None:
                raise known["error"]
            return json.loads(known["value"])
        step = Step()
        try:
            value = work(step)
        except Exception as error:
            self.kept.append({"name": name, "kind": kind, "value": None, "error": error, "step": step})
            raise
        self.kept.append({"name": name, "kind": kind, "value": canonical(value), "error": None, "step": step})
        return json.loads(canonical(value))
