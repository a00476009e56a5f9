"""What ``verify`` proves, and from where: a recorded run, or an answer's own object."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ragflow.history import History
from ragflow.identity import Asker
from ragflow.library import Library
from ragflow.runs import RunStore
from ragflow.verify import Proof, verify, verify_object


@dataclass(frozen=True, slots=True)
class Archive:
    """Where texts and records are kept."""

    library: Library
    runs: RunStore
    history: History


def prove(run: str | Mapping[str, Any], archive: Archive, readers: frozenset[str], asker: Asker) -> Proof:
    """Prove a run's citations, or those of an answer's object, for these readers. Raises ``NotFound``."""
    library = archive.library
    if isinstance(run, Mapping):
        return verify_object(
            run,
            text=lambda name, revision: (
                library.evidence(name, revision) if library.may_read(name, readers) else None
            ),
            now=lambda name: library.standing(name, readers),
        )
    if archive.runs.check(run) == "changed" and not archive.runs.readable(run):
        return Proof(run, "changed", ())
    record = archive.history.get(run, asker)
    return verify(
        record.output,
        run=record.run,
        record=archive.runs.check(record.run) or "changed",
        text=library.evidence,
        now=lambda name: library.standing(name, readers),
    )
