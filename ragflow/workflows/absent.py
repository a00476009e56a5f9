"""Stands for tools, approvals and agents until they are built."""

from typing import Any

from ragflow.workflows.contracts import Reading
from ragflow.workflows.errors import ToolRefused
from ragflow.workflows.wiring import Reach


class Nothing:
    """Refuses everything."""

    def __getattr__(self, name: str) -> Any:
        raise ToolRefused("there are no tools, approvals and agents yet", kind="not_listed")


def absent(reading: Reading) -> Reach:
    """Return a reach without tools, approvals and agents."""
    nothing: Any = Nothing()
    return Reach(reading, nothing, nothing, nothing, "0" * 64)
