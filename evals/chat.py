"""One question to an OpenAI-compatible server: JSON of an asked shape comes back, or a failure with its kind.

Strict: nothing is retried, repaired or guessed. Who asks decides what a failure means.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

if TYPE_CHECKING:
    import httpx

MAX_BYTES = 1_000_000
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A model behind ``<base_url>/chat/completions``. ``timeout``: seconds for one whole reply.

    ``temperature`` is above 0 so that a question asked twice may be answered in two ways, ``max_tokens``
    ends a reply that does not end.
    """

    base_url: str
    model: str
    api_key: str | None = field(default=None, repr=False)
    timeout: float = 30.0
    temperature: float = 0.3
    max_tokens: int = 1024


class ChatFailed(Exception):
    """No usable reply. ``kind`` is of few words, for counting: ``time-out``, ``HTTP 500``, ``garbage``."""

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind = kind


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore")
    content: str | None = None


class _Choice(BaseModel):
    model_config = ConfigDict(extra="ignore")
    message: _Message
    finish_reason: str | None = None


class _Reply(BaseModel):
    """What is read of a server's reply; servers add keys of their own."""

    model_config = ConfigDict(extra="ignore")
    choices: list[_Choice] = Field(min_length=1)


def client(endpoint: Endpoint) -> "httpx.AsyncClient":
    """Return a client for one event loop. A server on this machine is never reached through a proxy."""
    import httpx

    headers = {"Authorization": f"Bearer {endpoint.api_key}"} if endpoint.api_key else {}
    return httpx.AsyncClient(
        headers=headers, timeout=endpoint.timeout, trust_env=not _is_local(endpoint.base_url)
    )


async def complete(
    over: "httpx.AsyncClient",
    endpoint: Endpoint,
    messages: Sequence[Mapping[str, str]],
    *,
    schema: Mapping[str, Any],
    seed: int,
) -> str:
    """Return the text of the reply, asked to be JSON of ``schema``.

    Raises:
        ChatFailed: ``time-out``, ``no connection``, ``HTTP <status>``, ``content filter``, ``cut off``,
            ``garbage`` (the reply is no chat completion).
    """
    import httpx

    body = {
        "model": endpoint.model,
        "messages": list(messages),
        "temperature": endpoint.temperature,
        "max_tokens": endpoint.max_tokens,
        "seed": seed,
        "response_format": {"type": "json_schema", "json_schema": {"name": "verdict", "schema": schema}},
    }
    try:
        # The client's own limit is a read's: a server that drips would never reach it.
        async with asyncio.timeout(endpoint.timeout):
            status, read = await _post(over, _address(endpoint.base_url), body)
    except (TimeoutError, httpx.TimeoutException) as error:
        raise ChatFailed("time-out", f"no whole reply within {endpoint.timeout:g} s") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ChatFailed("no connection", _short(str(error) or type(error).__name__)) from error
    if status != httpx.codes.OK:
        text = read.decode("utf-8", "replace")
        raise ChatFailed("content filter" if "content_filter" in text else f"HTTP {status}", _short(text))
    return _content(read)


async def _post(over: "httpx.AsyncClient", url: str, body: Mapping[str, Any]) -> tuple[int, bytes]:
    """Return status and body; a body beyond the limit is garbage and not read on."""
    async with over.stream("POST", url, json=body) as response:
        read = bytearray()
        async for part in response.aiter_bytes():
            read += part
            if len(read) > MAX_BYTES:
                raise ChatFailed("garbage", f"the reply is longer than {MAX_BYTES:,} bytes")
        return response.status_code, bytes(read)


def _content(read: bytes) -> str:
    try:
        choice = _Reply.model_validate_json(read).choices[0]
    except ValidationError as error:
        raise ChatFailed(
            "garbage", f"no chat completion: {_short(read.decode('utf-8', 'replace'))}"
        ) from error
    if choice.finish_reason == "content_filter":
        raise ChatFailed("content filter")
    if choice.finish_reason == "length":
        raise ChatFailed("cut off", "the reply has more tokens than were allowed")
    return choice.message.content or ""


def _address(base_url: str) -> str:
    """Return where completions are asked for. Raises ``ChatFailed``: that is no address."""
    try:
        parts = urlsplit(base_url)
        known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # brackets or a port that none can be
        known = False
    if not known:
        raise ChatFailed("no connection", f"not an http or https address: {_short(base_url)}")
    return f"{base_url.rstrip('/')}/chat/completions"


def _is_local(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:  # a name, or no address at all
        return False


def _short(text: str) -> str:
    bare = " ".join(text.split())
    return bare if len(bare) <= _SHOWN else bare[: _SHOWN - 1] + "\u2026"
