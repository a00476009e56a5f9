"""``ragflow.stats/1``: what came of the runs that the asker may see. One run at a time is in memory."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from ragflow.approval_sections import length
from ragflow.config import Config
from ragflow.errors import UsageError
from ragflow.history import History
from ragflow.identity import Asker
from ragflow.records import Run, timestamp
from ragflow.watching import live
from ragflow.watching.tallies import TASKS, By, Tally, keys
from ragflow.workflows.places import reading

SCHEMA = "ragflow.stats/1"


def stats(
    config: Config, history: History, asker: Asker, *, since: str | None, by: By | None
) -> dict[str, Any]:
    """Return the figures of the asker's runs; an auditor's are those of all.

    ``since``: see ``beginning``; None is the first run of all. ``by``: what the groups are made by.
    Runs that are no tasks (index, eval ...) are only counted, in ``other``.

    Raises:
        UsageError: ``since`` is neither a length of time nor a day.
        DatabaseGone: the server of ``database.url`` does not answer.
    """
    moment = datetime.now(UTC)
    begin = "" if since is None else beginning(since, moment)
    actor = None if asker.auditor and not asker.acting else asker.actor
    whole, other = Tally(), Counter[str]()
    groups: defaultdict[str | None, Tally] = defaultdict(Tally)
    with reading(config) as connection:
        going = live.Live()
        if connection is not None:
            going = live.now(connection, actor=actor, since=begin, moment=timestamp(moment))
        for run in _each(history, asker, begin, connection if config.database.url is not None else None):
            if run.kind not in TASKS:
                other[run.kind] += 1
                continue
            whole.add(run)
            for key in keys(run, by) if by is not None else ():
                groups[key].add(run)
    shown = {
        "schema": SCHEMA,
        "since": begin or None,
        "actor": actor,
        "by": by,
        **whole.to_json(),
        "approvals": going.approvals_json(),
        "live": going.runs_json(),
        "other": dict(sorted(other.items())),
    }
    order = sorted(groups, key=lambda key: (key is None, key))
    return {**shown, "groups": [{"key": key, **groups[key].to_json()} for key in order]}


def beginning(since: str, moment: datetime) -> str:
    """Return the time that ``since`` means: so long before now (``90m``, ``12h``, ``7d``), or a day or time.

    A day begins at midnight UTC; a time without a zone is UTC.

    Raises:
        UsageError: it is neither.
    """
    try:
        return timestamp(moment - length(since))
    except (ValueError, OverflowError):
        pass
    try:
        found = datetime.fromisoformat(since)
        return timestamp(found if found.tzinfo else found.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"--since {since}: this is neither a length of time nor a day",
            hint="write 12h or 7d, or a day as 2026-11-01",
        ) from error


def _each(history: History, asker: Asker, since: str, connection: Any) -> Iterator[Run]:
    """Give the recorded runs, then those that ended on other machines; each once."""
    known: set[str] = set()
    for run in history.each(asker, since=since):
        if connection is not None and run.kind == "workflow":
            known.add(run.run)
        yield run
    if connection is not None:
        others = live.elsewhere(connection, since=since, known=known.__contains__)
        yield from history.seen(others, asker)
