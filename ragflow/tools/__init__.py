"""Tools: what a run may call, under policy, at most once. See docs/tools.md."""

from ragflow.tools.declared import tool

__all__ = ["tool"]
