"""A receiver of traces on loopback: OTLP over HTTP, decoded by OpenTelemetry's own messages.

```python
with Receiver() as receiver:
    ...  # telemetry.endpoint = receiver.url
    assert [span.name for span in receiver.spans] == ["invoke_workflow answer", ...]
```
``Receiver(reply)`` answers otherwise: see ``taken``, ``refused``, ``html``, ``cut``, ``slow``, ``lost``.
What it was sent is kept in any case.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

PROTOBUF = "application/x-protobuf"


@dataclass(frozen=True, slots=True)
class Post:
    """One request: ``body`` as it came, ``headers`` by names in lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def message(self) -> ExportTraceServiceRequest:
        return ExportTraceServiceRequest.FromString(self.body)


Reply = Callable[[BaseHTTPRequestHandler], None]


def answer(handler: BaseHTTPRequestHandler, status: int, body: bytes, form: str = PROTOBUF) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", form)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def taken(handler: BaseHTTPRequestHandler) -> None:
    """All spans are taken."""
    answer(handler, 200, ExportTraceServiceResponse().SerializeToString())


def partly(handler: BaseHTTPRequestHandler) -> None:
    """Some spans are refused."""
    told = ExportTraceServiceResponse()
    told.partial_success.rejected_spans = 3
    told.partial_success.error_message = "too many attributes"
    answer(handler, 200, told.SerializeToString())


def status(number: int) -> Reply:
    """The whole request is refused with a status."""
    return lambda handler: answer(handler, number, b"no")


def html(handler: BaseHTTPRequestHandler) -> None:
    """Something else listens there."""
    answer(handler, 200, b"<html>It works!</html>", "text/html")


def garbage(handler: BaseHTTPRequestHandler) -> None:
    """What calls itself protobuf and is none."""
    answer(handler, 200, b"\xff\xff\xff\xff\x07garbage")


def endless(handler: BaseHTTPRequestHandler) -> None:
    """A body without an end."""
    handler.send_response(200)
    handler.send_header("Content-Type", PROTOBUF)
    handler.end_headers()
    while True:
        handler.wfile.write(b"\0" * 65_536)


def lost(handler: BaseHTTPRequestHandler) -> None:
    """The connection is closed without an answer."""
    handler.close_connection = True


def slow(seconds: float) -> Reply:
    """Nothing for so long."""

    def wait(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(seconds)
        taken(handler)

    return wait


def dripping(handler: BaseHTTPRequestHandler) -> None:
    """A byte now and then, never a whole answer."""
    for _ in range(600):
        handler.wfile.write(b"H")
        handler.wfile.flush()
        time.sleep(0.05)


class Receiver:
    """Listens on a free port of 127.0.0.1 while its ``with`` lasts."""

    def __init__(self, reply: Reply = taken) -> None:
        self.posts: list[Post] = []
        self._server = _Server(("127.0.0.1", 0), _handler(self.posts, reply))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def spans(self) -> list[Span]:
        """Every span of every request, in order."""
        return [
            span
            for post in self.posts
            for resource in post.message.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def attributes(span: Span) -> dict[str, Any]:
    """The attributes of a span as Python's values."""
    return {one.key: _value(one.value) for one in span.attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    return getattr(value, kind)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a slow answer need not be waited for

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: that a client went away is what some tests are about."""


def _handler(posts: list[Post], reply: Reply) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            posts.append(Post(self.path, headers, body))
            reply(self)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
