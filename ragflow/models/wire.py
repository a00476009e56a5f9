"""The HTTP client that litellm sends with: where it may go, how much it may read, how long it may take.

Whatever litellm does, a request goes to the configured address or nowhere, no redirect is followed, and
a reply ends at a megabyte (or its own limit) or at the deadline, also when it drips. What passed is written
down, so that a failure is judged by what the server did and not by what a library made of it.
"""

import time
from collections.abc import Iterator, MutableMapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Literal

import httpx

from ragflow.models.providers import LOOPBACK

# An address that cannot be: what is sent there is answered in this process.
REHEARSAL = "http://rehearsal.invalid"
MAX_BYTES = 1_000_000
LONGEST_WAIT = 3600.0
# Of the machine that asks, or read from the environment by a library: none of the server's business.
_NOT_SENT = ("cookie", "openai-organization", "openai-project", "user-agent")
_OF_MACHINE = "x-stainless-"
_ASKS_RAW = "x-stainless-raw-response"  # the client that set it looks for it when the reply is there


@dataclass(slots=True)
class Watch:
    """One call. ``address``: where alone it may go; ``ends``: when it is over, on the monotonic clock.

    ``most``: bytes of the reply that are read at most.

    ``status``, ``retry_after`` (seconds) and ``body`` are of the reply; ``stopped`` says why no more of
    it was read, or why nothing was sent.
    """

    address: str
    ends: float
    most: int = MAX_BYTES
    status: int | None = None
    retry_after: float | None = None
    body: bytearray = field(default_factory=bytearray)
    stopped: Literal["late", "large", "elsewhere", "packed"] | None = None


_watch: ContextVar[Watch] = ContextVar("watch")


def watch(call: Watch) -> None:
    """Set the call that this thread makes; each call has a thread of its own."""
    _watch.set(call)


@lru_cache(maxsize=1)
def session() -> httpx.Client:
    """Return the one client of the process; loopback addresses are never reached through a proxy."""
    mounts: dict[str, httpx.BaseTransport | None] = {
        f"all://[{host}]" if ":" in host else f"all://{host}": None for host in LOOPBACK
    }
    mounts[REHEARSAL] = httpx.MockTransport(_rehearsed)
    return httpx.Client(
        event_hooks={"request": [_before], "response": [_after]}, mounts=mounts, follow_redirects=False
    )


def _rehearsed(request: httpx.Request) -> httpx.Response:
    if request.url.path.endswith("/embeddings"):
        vector = {"object": "embedding", "index": 0, "embedding": [1.0]}
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return httpx.Response(200, json={"object": "list", "model": "any", "data": [vector], "usage": usage})
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    message = {"role": "assistant", "content": "{}"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    told = {"id": "1", "object": "chat.completion", "created": 0, "model": "any"}
    if request.url.path.endswith("/messages"):
        content = {"content": [{"type": "text", "text": "{}"}], "stop_reason": "end_turn"}
        own = {"id": "1", "type": "message", "role": "assistant", "model": "any"}
        return httpx.Response(200, json={**own, **content, "usage": {"input_tokens": 1, "output_tokens": 1}})
    return httpx.Response(200, json={**told, "choices": [choice], "usage": usage})


def _before(request: httpx.Request) -> None:
    call = _watch.get()
    if _origin(request.url) != _origin(httpx.URL(call.address)):
        call.stopped = "elsewhere"
        raise httpx.ConnectError("this is not the configured address", request=request)
    left = call.ends - time.monotonic()
    if left <= 0:
        call.stopped = "late"
        raise httpx.ReadTimeout("the time is over", request=request)
    # litellm and the clients below it have limits of their own, some of ten minutes.
    request.extensions["timeout"] = dict.fromkeys(("connect", "read", "write", "pool"), left)
    _strip(request.headers)
    request.headers["Accept-Encoding"] = "identity"  # or a kilobyte might hold a gigabyte


def _after(response: httpx.Response) -> None:
    call = _watch.get()
    call.status = response.status_code
    call.retry_after = _seconds(response.headers)
    if response.headers.get("content-encoding", "identity").lower() not in ("identity", ""):
        call.stopped = "packed"
        raise httpx.ReadError("the reply is compressed", request=response.request)
    assert isinstance(response.stream, httpx.SyncByteStream)
    response.stream = _Measured(response.stream, call)


class _Measured(httpx.SyncByteStream):
    """A reply's bytes, up to the limits of its call."""

    def __init__(self, stream: httpx.SyncByteStream, call: Watch) -> None:
        self._stream, self._call = stream, call

    def __iter__(self) -> Iterator[bytes]:
        for part in self._stream:
            self._call.body += part
            if len(self._call.body) > self._call.most:
                self._call.stopped = "large"
                raise httpx.ReadError(f"the reply has more than {self._call.most:,} bytes")
            if time.monotonic() > self._call.ends:
                self._call.stopped = "late"
                raise httpx.ReadTimeout("the reply is not whole in time")
            yield part

    def close(self) -> None:
        self._stream.close()


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)


def _strip(headers: MutableMapping[str, str]) -> None:
    for name in tuple(headers):
        if name in _NOT_SENT or (name.startswith(_OF_MACHINE) and name != _ASKS_RAW):
            del headers[name]
    headers["User-Agent"] = "ragflow"


def _seconds(headers: httpx.Headers) -> float | None:
    """Return what ``Retry-After`` asks for, up to an hour: seconds, or a date by the server's own clock."""
    given = headers.get("retry-after", "").strip()
    wait: float | None = None
    with suppress(ValueError, OverflowError):
        wait = float(given)
    if wait is None and given:
        with suppress(ValueError, TypeError):
            now = parsedate_to_datetime(headers["date"]).timestamp() if "date" in headers else time.time()
            wait = parsedate_to_datetime(given).timestamp() - now
    if wait is None or wait != wait:  # noqa: PLR0124 - NaN alone is not itself
        return None
    return min(max(wait, 0.0), LONGEST_WAIT)
