"""What is wrong with tools before any run begins: said when the file is read, with the line."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ragflow.complaints import near
from ragflow.routing.contradictions import Contradiction
from ragflow.tool_sections import HttpAction, Tool

if TYPE_CHECKING:
    from ragflow.sections import Settings
    from ragflow.yaml_text import Place

_WRITES = ("mail", "webhook", "write_file")
_UNKEYED = "a write is tried again only where it takes an idempotency key"


def contradictions(settings: "Settings") -> list[Contradiction]:
    """Return what cannot be meant about tools; none is the good case.

    Among others: retries of a write that takes no idempotency key; an approval or a notification that names
    no tool; a request that is sent by a write and says that it reads.
    """
    found = [one for name, tool in settings.tools.items() for one in _tool(name, tool)]
    for at, rule in enumerate(settings.approvals):
        found += _named(settings, rule.when.tool, ("approvals", at, "when", "tool"), "this rule")
    for at, told in enumerate(settings.notify):
        found += _named(settings, told.tool, ("notify", at, "tool"), "notify")
        named = settings.tools.get(told.tool)
        if named is not None and named.use not in ("mail", "webhook"):
            words = f'notify needs a tool of use: mail or use: webhook, and "{told.tool}" is neither'
            found.append(Contradiction(("notify", at, "tool"), words))
    return found


def _named(settings: "Settings", name: str | None, place: "Place", who: str) -> Iterator[Contradiction]:
    if name is not None and name not in settings.tools:
        known = near(name, tuple(settings.tools)) or " (there is no section tools)"
        yield Contradiction(place, f'{who} names a tool "{name}" that is not listed{known}')


def _tool(name: str, tool: Tool) -> Iterator[Contradiction]:
    here: Place = ("tools", name)
    if tool.http is not None:
        yield from _http(name, tool, tool.http)
    if tool.use is not None:
        yield from _shipped(name, tool)
    elif tool.settings:
        yield Contradiction((*here, "settings"), f"settings belong to a shipped tool, and {name} is none")
    budget = tool.budget
    if budget.argument is None and (budget.run is not None or budget.day is not None):
        yield Contradiction((*here, "budget"), f"the budget of {name} sums no argument: name it")
    if budget.argument is not None and budget.run is None and budget.day is None:
        yield Contradiction((*here, "budget"), f"the budget of {name} has no limit: write run or day")


def _shipped(name: str, tool: Tool) -> Iterator[Contradiction]:
    from pydantic import ValidationError

    from ragflow.tools.making import SETTINGS

    here: Place = ("tools", name)
    writes = tool.use in _WRITES
    if writes != (tool.effect == "write"):
        wanted = "write" if writes else "read"
        yield Contradiction((*here, "effect"), f"{tool.use} is a {wanted}: say effect: {wanted}")
    if writes and tool.retries and not tool.settings.get("idempotent"):
        yield Contradiction((*here, "retries"), f"{_UNKEYED}, and {tool.use} takes none here")
    try:
        SETTINGS[tool.use or ""].model_validate_json(json.dumps(tool.settings))
    except ValidationError as error:
        for one in error.errors(include_url=False, include_input=False):
            path = one["loc"]
            words = f"settings of {tool.use}: {'.'.join(map(str, path)) or 'all'}: {one['msg']}"
            yield Contradiction((*here, "settings", *path), words)


def _http(name: str, tool: Tool, action: HttpAction) -> Iterator[Contradiction]:
    from connectors.errors import SourceMisconfigured
    from connectors.targets import target
    from ragflow.tools.schemas import SchemaUnfit, model, placeholders

    here: Place = ("tools", name, "http")
    for key, url in (("url", action.url), ("ask", action.ask.url if action.ask else None)):
        try:
            if url is not None:
                target(url)
        except SourceMisconfigured as error:
            yield Contradiction((*here, key), f"{error}: {error.hint}")
    try:
        model(name, action.arguments)
    except SchemaUnfit as error:
        yield Contradiction((*here, "arguments"), str(error))
    if "{" in action.url:
        words = "url is fixed, no argument goes into it: put {argument: NAME} into query or body"
        yield Contradiction((*here, "url"), words)
    for key, data in (("query", action.query), ("body", action.body)):
        for one in sorted(placeholders(data) - set(action.arguments)):
            known = near(one, tuple(action.arguments))
            yield Contradiction((*here, key), f'{key} names an argument "{one}" that is not there{known}')
    yield from _rules_of_http(name, tool, action)


def _rules_of_http(name: str, tool: Tool, action: HttpAction) -> Iterator[Contradiction]:
    here: Place = ("tools", name, "http")
    if action.method == "GET" and action.body is not None:
        yield Contradiction((*here, "body"), "a GET has no body: use query, or another method")
    if action.method != "GET" and "effect" not in tool.model_fields_set:
        words = f"{name} sends a {action.method}: say effect: write, or effect: read where it only asks"
        yield Contradiction(here, words)
    if tool.effect == "write" and tool.retries and action.key_header is None:
        yield Contradiction(
            ("tools", name, "retries"), f"{_UNKEYED}: name its key_header, or take retries out"
        )
    counted = tool.budget.argument
    if counted is not None and counted not in action.arguments:
        known = near(counted, tuple(action.arguments))
        words = f'the budget counts an argument "{counted}" that is not there{known}'
        yield Contradiction(("tools", name, "budget", "argument"), words)
