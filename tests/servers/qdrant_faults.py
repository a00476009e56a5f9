"""What can go wrong between a client and a Qdrant server, as plain values that a test writes down.

```python
with QdrantServer([status(503, at=UPSERT), done_then_cut(at=UPSERT, skip=2)]) as server:
    ...
```
A fault strikes the first request that matches ``at`` (a method and a path), after ``skip`` matching requests
were let through; it is spent then. Of several that match, the first in the script.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ANY = "**"
CREATE = "PUT /collections/*"
DROP = "DELETE /collections/*"
INDEX = "PUT /collections/*/index"
FINISH = "PATCH /collections/*"
UPSERT = "PUT /collections/*/points"
QUERY = "POST /collections/*/points/query**"
COUNT = "POST /collections/*/points/count"
ALIASES = "POST /collections/aliases"

DISK_FULL = "Service internal error: No space left on device: WAL buffer size exceeds available disk space"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came. ``query`` holds the last value of each name; ``body``: parsed, None if empty."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any

    def matches(self, at: str) -> bool:
        """Tell whether ``at`` means this: ``*`` is anything within a segment, ``**`` anything at all."""
        pattern = re.escape(at).replace(r"\*\*", ".*").replace(r"\*", "[^/]*")
        return re.fullmatch(pattern, f"{self.method} {self.path}") is not None


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    ``applied``: the share of the request that takes effect before, 0 to 1 (of a batch: so much of its
    points). ``then``: ``answer`` as if nothing were wrong, ``error``, ``cut`` the connection, ``hang`` until
    the client gives up, or ``die``: refuse every connection until ``QdrantServer.revive``.
    ``before``: a stranger's request that takes effect first.
    """

    at: str
    then: str
    skip: int = 0
    applied: float = 0.0
    status: int = 200
    message: str = ""
    retry_after: str | None = None
    result: Any = None
    seconds: float = 0.0
    before: Asked | None = None


def status(
    code: int, *, at: str = ANY, skip: int = 0, message: str = "", retry_after: str | None = None
) -> Fault:
    """An error, with nothing done. ``retry_after``: its header, in seconds."""
    said = message or f"Service internal error: scripted {code}"
    return Fault(at, "error", skip, status=code, message=said, retry_after=retry_after)


def disk_full(*, at: str = UPSERT, skip: int = 0) -> Fault:
    """The server has no room for a write, in its own words."""
    return status(500, at=at, skip=skip, message=DISK_FULL)


def hang(*, at: str = ANY, skip: int = 0, done: bool = False) -> Fault:
    """No answer, until the client gives up. ``done``: it took effect all the same."""
    return Fault(at, "hang", skip, applied=float(done))


def cut(*, at: str = ANY, skip: int = 0) -> Fault:
    """The connection is closed without an answer, and nothing was done."""
    return Fault(at, "cut", skip)


def done_then_cut(*, at: str = UPSERT, skip: int = 0) -> Fault:
    """It took effect, and the connection is closed without an answer: the client cannot know."""
    return Fault(at, "cut", skip, applied=1.0)


def half(*, at: str = UPSERT, skip: int = 0, code: int | None = 500) -> Fault:
    """The first half of a batch takes effect; then an error, or with ``code=None`` a closed connection."""
    if code is None:
        return Fault(at, "cut", skip, applied=0.5)
    message = "Service internal error: 1 of 2 shards failed to apply operation"
    return Fault(at, "error", skip, applied=0.5, status=code, message=message)


def slow(seconds: float, *, at: str = ANY, skip: int = 0) -> Fault:
    """The right answer, so much later."""
    return Fault(at, "answer", skip, applied=1.0, seconds=seconds)


def only_promised(*, at: str = UPSERT, skip: int = 0, said: str = "acknowledged") -> Fault:
    """A write is answered by 200 and a state that is not ``completed``, and does not take effect."""
    return Fault(at, "answer", skip, result={"operation_id": 0, "status": said})


def dies(*, at: str = ANY, skip: int = 0, done: bool = False) -> Fault:
    """The server goes down at this request and stays down until it is revived. What it held is kept."""
    return Fault(at, "die", skip, applied=float(done))


def meanwhile(method: str, path: str, body: Any = None, *, at: str, skip: int = 0) -> Fault:
    """Just before this request takes effect, a stranger's does."""
    return Fault(at, "answer", skip, applied=1.0, before=Asked(method, path, {}, body))


def race(alias: str, to: str | None, *, at: str = ALIASES, skip: int = 0) -> Fault:
    """Just before this request, a stranger lets ``alias`` point at ``to``; None: takes it away."""
    move = {"delete_alias": {"alias_name": alias}}
    if to is not None:
        move = {"create_alias": {"alias_name": alias, "collection_name": to}}
    return meanwhile("POST", "/collections/aliases", {"actions": [move]}, at=at, skip=skip)
