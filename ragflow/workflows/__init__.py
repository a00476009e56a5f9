"""Workflows of one's own: ``@workflow`` functions whose steps are done once. See docs/workflows.md."""

from ragflow.workflows.contracts import Ended, Limits
from ragflow.workflows.declaring import Workflow, workflow
from ragflow.workflows.errors import NotApproved, ToolFailed, ToolRefused, Unsettled
from ragflow.workflows.flow import Flow
from ragflow.workflows.trying import Retry

__all__ = [
    "Ended",
    "Flow",
    "Limits",
    "NotApproved",
    "Retry",
    "ToolFailed",
    "ToolRefused",
    "Unsettled",
    "Workflow",
    "workflow",
]
