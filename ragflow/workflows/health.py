"""The checks of ``doctor`` about workflows: modules, tools, runs that nobody works on. Nothing is made."""

from collections.abc import Iterator

from ragflow.config import Config
from ragflow.doctor import Check
from ragflow.errors import RagflowError, map_errors
from ragflow.tools.making import performer
from ragflow.tools.reading_tools import NoReading
from ragflow.workflows.discovery import discover
from ragflow.workflows.live import LiveRuns

LEASES = "leases"


def checks(config: Config) -> list[Check]:
    """Return a check of each part that there is; none in a workspace without workflows."""
    return [*_modules(config), *_tools(config), *_runs(config)]


def _modules(config: Config) -> Iterator[Check]:
    if not config.workflows:
        return
    try:
        found = discover(config.workflows, config.folder)
    except RagflowError as error:
        yield Check("workflows", "fail", str(error).removeprefix("workflows: "), error.hint)
    else:
        own = [one.name for one in found.values() if not one.function.__module__.startswith("ragflow.")]
        yield Check("workflows", "ok", f"{len(own)} in {', '.join(config.workflows)}")


def _tools(config: Config) -> Iterator[Check]:
    if not config.tools:
        return
    wrong: list[RagflowError] = []
    for name in config.tools:
        try:
            performer(config, name, NoReading())
        except RagflowError as error:
            wrong.append(error)
    nobodys = [name for name, tool in config.tools.items() if not tool.roles]
    if wrong:
        yield Check("tools", "fail", "; ".join(map(str, wrong)), wrong[0].hint)
    elif nobodys:
        message = f"nobody may call {', '.join(nobodys)}: no roles are named"
        yield Check("tools", "warn", message, "add for example roles: [group:support] to the tool")
    else:
        yield Check("tools", "ok", ", ".join(config.tools))


def _runs(config: Config) -> Iterator[Check]:
    try:
        with map_errors():
            going = LiveRuns(config, config.workspace / "runs.sqlite").going(config.workspace / LEASES)
    except RagflowError as error:
        gone = config.database.url is not None
        yield Check(
            "runs", "fail" if gone else "warn", f"runs in progress cannot be seen: {error}", error.hint
        )
        return
    if going is None:
        if config.database.url is not None:
            yield Check("runs", "ok", "the database of database.url answers; no run was begun")
        return
    message = f"{going.running:,} in progress, {going.waiting:,} waiting for a person"
    if going.left:
        message += f"; on {going.left:,} of those in progress nobody works"
        yield Check(
            "runs", "warn", message, "ragflow worker --once takes them up, or ragflow runs resume RUN"
        )
    else:
        yield Check("runs", "ok", message)
