"""What passed over the line -> what kind of failure that was.

A reply's own words choose among kinds and go no further: they may quote the question, or a key.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ragflow.models.calls import Failure
from ragflow.models.failures import CallFailed

if TYPE_CHECKING:
    from ragflow.models.wire import Watch

_READ = 100_000

_STATUS: Mapping[int, tuple[Failure, str]] = {
    401: ("no_key", "the server does not take the key (401)"),
    403: ("no_key", "the server does not take the key (403)"),
    404: ("unknown_model", "the server knows no such model, or no such path (404)"),
    408: ("time_out", "the server gave up waiting (408)"),
    429: ("rate_limit", "asked too often (429)"),
}
# Read in a body of status 400 and the like: (code of the error or words of it, kind, what is wrong, lacks)
_TOLD: tuple[tuple[tuple[str, ...], Failure, str, str | None], ...] = (
    (
        ("content_filter", "content_policy_violation", "content management policy"),
        "content_filter",
        "a content filter stopped the question",
        None,
    ),
    (("response_format", "json_schema"), "bad_request", "it takes no response_format", "response_format"),
    (("temperature",), "bad_request", "it takes no temperature", "temperature"),
    (
        ("context_length_exceeded", "context length", "context size", "prompt is too long"),
        "bad_request",
        "the prompt is longer than the model's context",
        None,
    ),
)
_LATE = frozenset(
    "ConnectTimeout ReadTimeout WriteTimeout PoolTimeout TimeoutError APITimeoutError Timeout".split()
)
_BROKEN = frozenset("ReadError WriteError RemoteProtocolError CloseError".split())
_NOT_REACHED = frozenset("ConnectError ProxyError TransportError APIConnectionError".split())


def late(seconds: float) -> CallFailed:
    """Return that there was no whole reply within so many seconds."""
    return CallFailed("time_out", f"no whole reply within {seconds:.3g} s", may_be_billed=True)


def outcome(
    error: Exception, call: "Watch", seconds: float, *, wanted: str = "chat completion"
) -> CallFailed:
    """Return what a failure was. ``seconds``: how long the call might take; ``wanted``: what was asked."""
    names = _names(error)
    if call.stopped == "large":
        most = "a megabyte" if call.most == 1_000_000 else f"{call.most / 1e6:.1f} MB"
        return CallFailed("too_large", f"the reply has more than {most}", may_be_billed=True)
    if call.stopped == "elsewhere":
        return CallFailed("bad_request", "litellm wanted to send the request to another address")
    if call.stopped == "late" or names & _LATE:
        return late(seconds)
    if call.status is None:
        return _unanswered(error, names)
    if 200 <= call.status < 300:
        return CallFailed("garbage", f"the reply is no {wanted}", may_be_billed=True)
    return _refused(call.status, call)


def _unanswered(error: Exception, names: set[str]) -> CallFailed:
    if names & _BROKEN:
        return CallFailed("unreachable", "the connection broke before a reply", may_be_billed=True)
    if names & _NOT_REACHED:
        return CallFailed("unreachable", "no connection to its address")
    for parameter in ("response_format", "temperature"):
        if "UnsupportedParamsError" in names and parameter in str(error):
            return CallFailed("bad_request", f"it takes no {parameter}", lacks=parameter)
    return CallFailed("bad_request", f"litellm could not make the request ({type(error).__name__})")


def _refused(status: int, call: "Watch") -> CallFailed:
    """Return what an HTTP status that is no success means."""
    if status in _STATUS:
        kind, detail = _STATUS[status]
        return CallFailed(kind, detail, retry_after=call.retry_after)
    if status >= 500:
        return CallFailed("server_error", f"the server failed ({status})", retry_after=call.retry_after)
    if status < 400:
        return CallFailed("garbage", f"the server points elsewhere ({status}), where nothing follows it")
    said = words_of(call)
    code = _code(call.body)
    for words, kind, detail, lacks in _TOLD:
        if code in words or any(word in said for word in words):
            return CallFailed(kind, f"{detail} ({status})", lacks=lacks)
    return CallFailed("bad_request", f"the server refuses the request ({status})")


def words_of(call: "Watch") -> str:
    """Return the beginning of a reply in small letters: it chooses among kinds, and goes no further."""
    return bytes(call.body[:_READ]).decode("utf-8", "replace").lower()


def _code(body: bytearray) -> str:
    """Return the code that a server gives its error, as OpenAI's writes it; "" where there is none."""
    try:
        told = json.loads(bytes(body[:_READ]))["error"]
        return str(told.get("code") or told.get("type") or "").lower()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ""


def _names(error: BaseException) -> set[str]:
    """Return the names of all classes in an error's chain: litellm hides the cause several errors deep."""
    names: set[str] = set()
    inside: BaseException | None = error
    for _ in range(20):
        if inside is None:
            break
        names |= {kind.__name__ for kind in type(inside).__mro__}
        inside = inside.__cause__ or inside.__context__
    return names
