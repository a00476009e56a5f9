"""What requests hold of a document goes when it is forgotten, and all that they hold when it is too old.

Digests stay: what was decided, by whom and when, can still be told. The arguments of a request that can
still be decided or done are left as they are: they are the action itself.
"""

import json
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Any

from ragflow.approvals.gathering import documents
from ragflow.approvals.opening import file_of, opened
from ragflow.approvals.rows import Asked, matching, now_utc
from ragflow.config import Config
from ragflow.records import canonical, timestamp, without
from ragflow.run_files import truncate_log
from ragflow.workflows.contracts import Object
from ragflow.workflows.database import Database
from ragflow.workflows.errors import DatabaseGone
from ragflow.workflows.tables import requests

ERASED = "[erased]"
_OVER = ("rejected", "expired", "executed", "unsettled")
_EMPTY: Object = {
    "note": "",
    "why": "",
    "description": "",
    "arguments": {},
    "answer": None,
    "told": [],
}
_SHORTEST = 12  # characters of a wording that is looked for in arguments: a word or two is nobody's


def forget(config: Config, document: str) -> tuple[str, ...]:
    """Erase what the requests of a workspace quote of a document; return those that were rewritten.

    Raises ``DatabaseGone``: nothing was erased.
    """
    return _rewriting(config, lambda database: erase(database, document))


def expire(config: Config, *, now: datetime | None = None) -> tuple[str, ...]:
    """Empty the requests that are older than ``runs.keep_days`` and over; return them.

    A server that does not answer keeps them until the next time.
    """
    cutoff = timestamp((now or now_utc()) - timedelta(days=config.runs.keep_days))
    try:
        return _rewriting(config, lambda database: empty(database, cutoff))
    except DatabaseGone:
        return ()


def erase(database: Database, document: str) -> tuple[str, ...]:
    """Erase what requests quote of a document, and its wording in the arguments of those that are over."""
    named = json.dumps(document, ensure_ascii=False)
    with database.begin() as connection:
        changed = []
        for asked in matching(connection, requests.c.screen.contains(named, autoescape=True)):
            values = _without(asked, document)
            if values:
                where = requests.c.approval == asked.approval
                connection.execute(requests.update().where(where).values(**values))
                changed.append(asked.approval)
    return tuple(changed)


def empty(database: Database, cutoff: str) -> tuple[str, ...]:
    """Take arguments, comments and screens out of requests that are over and began before ``cutoff``."""
    return _emptied(database, (requests.c.created < cutoff) & requests.c.status.in_(_OVER))


def empty_runs(database: Database, runs: Collection[str]) -> tuple[str, ...]:
    """Take the same out of all requests of these runs, which have ended."""
    return tuple(one for run in sorted(runs) for one in _emptied(database, requests.c.run == run))


def _emptied(database: Database, condition: Any) -> tuple[str, ...]:
    with database.begin() as connection:
        there = [one for one in matching(connection, condition) if not _is_empty(one)]
        for asked in there:
            values = {
                "arguments": "{}",
                "revised": None if asked.revised is None else "{}",
                "comment": None,
                "screen": canonical({**asked.screen, **_EMPTY}),
            }
            connection.execute(
                requests.update().where(requests.c.approval == asked.approval).values(**values)
            )
    return tuple(asked.approval for asked in there)


def _is_empty(asked: Asked) -> bool:
    return not asked.arguments and asked.comment is None and asked.screen == {**asked.screen, **_EMPTY}


def _without(asked: Asked, document: str) -> dict[str, Any]:
    answer = asked.screen["answer"]
    if document not in documents(answer):
        return {}
    related = [name for name in answer.get("related", []) if name != document]
    screen = {**asked.screen, "answer": {**without(document, answer), "related": related}}
    if asked.status not in _OVER:
        return {"screen": canonical(screen)}
    said = _wording(answer, document)
    screen["arguments"] = _blanked(screen["arguments"], said)
    revised = None if asked.revised is None else canonical(_blanked(asked.revised, said))
    arguments = canonical(_blanked(asked.arguments, said))
    return {"screen": canonical(screen), "arguments": arguments, "revised": revised}


def _wording(answer: Object, document: str) -> list[str]:
    """Return the quotes of a document and the claims that rest on it, longest first."""
    cited = [each for each in answer.get("citations", []) if each["document"] == document]
    ids = {each["id"] for each in cited}
    claims = [one["text"] for one in answer.get("claims", []) if ids.intersection(one["citations"])]
    found = {*claims, *(each["quote"] for each in cited)}
    return sorted((text for text in found if len(text) >= _SHORTEST), key=len, reverse=True)


def _blanked(value: Any, said: Collection[str]) -> Any:
    if isinstance(value, dict):
        return {key: _blanked(inside, said) for key, inside in value.items()}
    if isinstance(value, list):
        return [_blanked(inside, said) for inside in value]
    if isinstance(value, str):
        for text in said:
            value = value.replace(text, ERASED)
    return value


def _rewriting(config: Config, work: Callable[[Database], tuple[str, ...]]) -> tuple[str, ...]:
    database = opened(config)
    if database is None:
        return ()
    with database:
        changed: tuple[str, ...] = work(database)
        on_server = database.server
    if changed and not on_server:
        truncate_log(file_of(config))  # erased text must not live on in it
    return changed
