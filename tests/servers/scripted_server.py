"""An OpenAI-compatible server on loopback that replies what a test wrote down, in order.

```python
with ScriptedServer([text("hello"), status(500), garbage()]) as server:
    client = AsyncOpenAI(base_url=server.url, ...)
    ...
    assert server.requests[0]["messages"][-1]["content"] == "Hello?"
```
The last reply is given again to whoever asks on. A reply may also be chosen by what was asked:
``ScriptedServer([chosen(lambda request: text("yes"))])``.
"""

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, BinaryIO, Self

_ENDLESS_HEAD = b"HTTP/1.1 200 OK\r\nX-Padding: " + b"x" * 100_000


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes over the line. ``delay``: seconds before the first byte; ``pause``: after each byte.

    ``hang_up``: the connection is closed without a reply. ``cut``: so many bytes of the body are promised
    and not sent. ``slow_head``: seconds after each byte of the headers, which never end. ``choose``: makes
    the reply from the request.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    pause: float = 0.0
    hang_up: bool = False
    cut: int = 0
    slow_head: float = 0.0
    choose: "Callable[[dict[str, Any]], Reply] | None" = None


def text(content: str | None, *, finish_reason: str = "stop", tokens: int = 7) -> Reply:
    """A chat completion with this content."""
    return as_json(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 0,
            "model": "scripted",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": content},
                    "finish_reason": finish_reason,
                }
            ],
            "usage": {"prompt_tokens": 5, "completion_tokens": tokens, "total_tokens": 5 + tokens},
        }
    )


def verdict(value: object) -> Reply:
    """A chat completion whose content is this value as JSON (NaN is written as Python does)."""
    return text(json.dumps(value))


def as_json(value: object, *, status: int = 200) -> Reply:
    """Any JSON body."""
    return Reply(json.dumps(value).encode(), status, {"Content-Type": "application/json"})


def garbage(body: bytes = b"<html>\x00\xff not JSON") -> Reply:
    """Status 200 and a body that is no completion."""
    return Reply(body, 200, {"Content-Type": "text/html"})


def status(code: int, message: str = "scripted", *, kind: str | None = None) -> Reply:
    """An error as OpenAI's API writes it; 429 says when to come again."""
    reply = as_json({"error": {"message": message, "type": kind, "code": kind}}, status=code)
    extra = {"Retry-After": "1"} if code == 429 else {}
    return Reply(reply.body, code, {**reply.headers, **extra})


def content_filter() -> Reply:
    """A completion that was stopped by a content filter."""
    return text(None, finish_reason="content_filter")


def slow(seconds: float, reply: Reply | None = None) -> Reply:
    """A reply that begins late; a client that gives up earlier is not waited for."""
    given = reply or text("late")
    return Reply(given.body, given.status, given.headers, delay=seconds)


def dripping(pause: float) -> Reply:
    """A reply that comes byte by byte, so that no single read takes long."""
    given = text("slow but steady")
    return Reply(given.body, given.status, given.headers, pause=pause)


def hang_up() -> Reply:
    """The connection is closed without a byte."""
    return Reply(hang_up=True)


def half(reply: Reply | None = None) -> Reply:
    """A reply of which the first half comes, and then the end of the connection."""
    given = reply or text("only half of this will come")
    return replace(given, cut=len(given.body) - len(given.body) // 2)


def slow_head(pause: float) -> Reply:
    """Headers that come byte by byte and do not end: no single read takes long, and no reply begins."""
    return Reply(slow_head=pause)


def large(megabytes: float = 1.1) -> Reply:
    """A completion that is right in every other respect, and too large."""
    return text("x" * int(megabytes * 1_000_000))


def typed(content_type: str, reply: Reply) -> Reply:
    """A reply under another content type."""
    return replace(reply, headers={**reply.headers, "Content-Type": content_type})


def redirect(url: str, code: int = 307) -> Reply:
    """A server that wants to be asked elsewhere."""
    return Reply(b"", code, {"Location": url})


def chosen(choose: Callable[[dict[str, Any]], Reply]) -> Reply:
    """A reply made from the request's body."""
    return Reply(choose=choose)


class ScriptedServer:
    """Replies in order, the last one for ever; keeps what was asked.

    ``requests`` are bodies; ``paths``, ``keys`` (Authorization) and ``headers`` are those of each.
    """

    def __init__(self, replies: Sequence[Reply] = ()) -> None:
        self.replies = list(replies)
        self.requests: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.keys: list[str | None] = []
        self.headers: list[dict[str, str]] = []
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """The base URL, ``http://127.0.0.1:<port>/v1``."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _next(self, path: str, headers: Mapping[str, str], request: dict[str, Any]) -> Reply:
        with self._lock:
            self.paths.append(path)
            self.keys.append(headers.get("Authorization"))
            self.headers.append(dict(headers))
            self.requests.append(request)
            reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return reply.choose(request) if reply.choose else reply

    def _drip(self, line: BinaryIO, body: bytes, pause: float) -> None:
        for at in range(len(body)):
            line.write(body[at : at + 1])
            line.flush()
            if self._closing.wait(pause):
                return

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                request = json.loads(self.rfile.read(length) or b"{}")
                reply = server._next(self.path, self.headers, request)
                with suppress(OSError):  # the client gave up: that is what the test is about
                    self._send(reply)

            def _send(self, reply: Reply) -> None:
                if reply.delay and server._closing.wait(reply.delay):
                    return
                if reply.hang_up:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                if reply.slow_head:
                    server._drip(self.wfile, _ENDLESS_HEAD, reply.slow_head)
                    return
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                if reply.pause:
                    server._drip(self.wfile, reply.body, reply.pause)
                    return
                self.wfile.write(reply.body[: len(reply.body) - reply.cut])

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
                pass

        return Handler


@contextmanager
def refused() -> Iterator[str]:
    """The base URL of a port at which nothing listens, for as long as the block lasts."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: a connection is refused
        yield f"http://127.0.0.1:{held.getsockname()[1]}/v1"
