"""Who may call which tool: checked in code, before each call, from the configuration alone."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ragflow.records import sha256
from ragflow.tool_sections import Tool
from ragflow.workflows.contracts import Caller
from ragflow.workflows.errors import ToolRefused

if TYPE_CHECKING:
    from ragflow.config import Config


def policy_digest(config: "Config") -> str:
    """Return the SHA-256 (64 hex) of all rules about tools: the sections ``tools`` and ``approvals``."""
    return sha256(
        {
            "tools": {name: tool.model_dump(mode="json") for name, tool in config.tools.items()},
            "approvals": [rule.model_dump(mode="json") for rule in config.approvals],
        }
    )


def may_call(tool: Tool, caller: Caller) -> bool:
    """Tell whether a caller has one of a tool's roles; a tool without roles is nobody's.

    ``caller.role`` narrows: it must be one of the tool's and one of the caller's.
    """
    shared = set(tool.roles) & set(caller.roles)
    return bool(shared) if caller.role is None else caller.role in shared


def listed(tools: Mapping[str, Tool], name: str, caller: Caller) -> Tool:
    """Return the tool of that name, if this caller may call it.

    Raises:
        ToolRefused: it is not listed, or the caller has no role for it.
    """
    tool = tools.get(name)
    if tool is None:
        raise ToolRefused(f'the tool "{name}" is not listed, so nobody may call it', kind="not_listed")
    if not may_call(tool, caller):
        if not tool.roles:
            raise ToolRefused(
                f'the tool "{name}" has no roles, so nobody may call it',
                kind="role",
                hint=f"name in tools.{name}.roles who may: user:NAME, group:NAME or everyone",
            )
        who = caller.actor if caller.role is None else f"{caller.actor} as {caller.role}"
        raise ToolRefused(f'{who} has no role that may call the tool "{name}"', kind="role")
    return tool
