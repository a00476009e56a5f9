"""How a run ended, in one word and one exit code, from what its workflow gave or raised."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ragflow.errors import NoModel, NotFound, RagflowError, translate
from ragflow.workflows.contracts import Json
from ragflow.workflows.errors import NotApproved, Refused, Unsettled, WorkflowFailed
from ragflow.workflows.kept import sayable

Status = Literal["done", "failed", "cancelled"]

_EXIT_CODES = {
    "not_found": 6, "blocked": 6, "no_answer": 6, "no_model": 5, "refused": 8, "limit": 1, "failed": 1,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended. ``output``: what its record shows; of one that failed, its ``error``."""

    status: Status
    outcome: str
    exit_code: int
    output: Mapping[str, Any]


CANCELLED = Outcome("cancelled", "cancelled", 0, {})
_GONE = {
    "type": "EvidenceErased",
    "message": "its evidence was erased: what it rests on was forgotten while it went on",
    "hint": "ragflow runs retry RUN begins again, with what there is now",
    "exit_code": 0,
}
ERASED = Outcome("cancelled", "cancelled", 0, {"error": _GONE})
"""Of a run whose kept steps name a document that was forgotten; the document's own name is not told."""


def of_value(value: Json) -> Outcome:
    """Return the outcome of a workflow that gave a value: its own word ``outcome``, else "done"."""
    output = dict(value) if isinstance(value, dict) else {"value": value}
    said = output.get("outcome")
    word = said if isinstance(said, str) and said else "done"
    return Outcome("done", word, _EXIT_CODES.get(word, 0), output)


def of_error(error: BaseException) -> Outcome:
    """Return the outcome of a workflow that raised."""
    known = translate(error) if isinstance(error, Exception) else None
    if known is None:
        known = WorkflowFailed(f"the workflow raised {type(error).__name__}: {error}")
    told = known.to_json()["error"]
    said = {key: sayable(one) if isinstance(one, str) else one for key, one in told.items()}
    return Outcome("failed", _word(known), known.exit_code, {"error": said})


def _word(error: RagflowError) -> str:
    if isinstance(error, NotApproved):
        return error.status
    words: tuple[tuple[type[RagflowError], str], ...] = (
        (Unsettled, "unsettled"), (Refused, "refused"), (NoModel, "no_model"), (NotFound, "not_found"),
    )  # fmt: skip
    return next((word for kind, word in words if isinstance(error, kind)), "failed")
