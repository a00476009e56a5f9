"""The configured tools -> what does their work. One that cannot be is said before any run begins."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ragflow.errors import ConfigError
from ragflow.section import Section
from ragflow.tool_sections import Tool
from ragflow.tools import schemas
from ragflow.tools.declared import Performer
from ragflow.tools.files import FileSettings, FileTool
from ragflow.tools.http_action import HttpTool
from ragflow.tools.mail import MailSettings, MailTool
from ragflow.tools.python_tool import python_tool
from ragflow.tools.reading_tools import NoSettings, ReadingTool
from ragflow.tools.sending import Sending
from ragflow.tools.webhook import WebhookSettings, WebhookTool
from ragflow.workflows.contracts import Reading

if TYPE_CHECKING:
    from ragflow.config import Config

SETTINGS: dict[str, type[Section]] = {
    "search": NoSettings,
    "ask": NoSettings,
    "fetch": NoSettings,
    "mail": MailSettings,
    "webhook": WebhookSettings,
    "write_file": FileSettings,
}


def performer(config: "Config", name: str, reading: Reading) -> Performer:
    """Return what does the work of one configured tool.

    Raises:
        ConfigError: it cannot be made, or the configuration wants of it what it has not.
    """
    tool = config.tools[name]
    if tool.python is not None:
        try:
            made: Performer = python_tool(name, config.folder, tool.python)
        except ConfigError as error:
            words = str(error).removeprefix(f"tools.{name}: ")
            raise ConfigError(f"tools.{name}: {words}", hint=error.hint) from error
    elif tool.http is not None:
        made = HttpTool(
            tool.http, schemas.model(name, tool.http.arguments), _sending(config, name), config.secret
        )
    else:
        made = _shipped(config, name, reading)
    _fits(name, tool, made)
    return made


def _shipped(config: "Config", name: str, reading: Reading) -> Performer:
    tool = config.tools[name]
    settings = SETTINGS[tool.use or ""].model_validate_json(json.dumps(tool.settings))
    if isinstance(settings, MailSettings):
        return MailTool(name, settings, tool.timeout, _checked(config), config.secret)
    if isinstance(settings, WebhookSettings):
        return WebhookTool(settings, _sending(config, name), config.secret)
    if isinstance(settings, FileSettings):
        return FileTool(name, Path(config.resolve(settings.folder)), settings.overwrite)
    assert tool.use in ("search", "ask", "fetch")
    return ReadingTool(name, tool.use, reading)


def _sending(config: "Config", name: str) -> Sending:
    tool = config.tools[name]
    return Sending(name, config.outbound.allow, tool.timeout, tool.effect == "write")


def _checked(config: "Config") -> Callable[[str], list[str]]:
    def check(url: str) -> list[str]:
        from connectors.outbound import Outbound

        with Outbound(allow=config.outbound.allow) as outbound:
            return outbound.check(url)

    return check


def _fits(name: str, tool: Tool, made: Performer) -> None:
    known, counted = argument_names(made), tool.budget.argument
    if counted is not None and counted not in known:
        has = ", ".join(known) or "none"
        raise ConfigError(f'tools.{name}.budget.argument: it has no argument "{counted}"; it has {has}')
    if tool.effect == "write" and tool.retries and not made.takes_key:
        raise ConfigError(
            f"tools.{name}.retries: a write is tried again only where it takes an idempotency key",
            hint="give the function a keyword parameter idempotency_key: str, or take retries out",
        )


def argument_names(made: Performer) -> tuple[str, ...]:
    """Return the arguments of a tool, as its callers name them."""
    return tuple(field.alias or name for name, field in made.takes.model_fields.items())
