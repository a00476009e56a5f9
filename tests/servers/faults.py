"""A threaded HTTP server on loopback, and faults that it injects into its answers at a given rate.

```python
class Handler(QuietHandler):
    def answer(self):
        self.server.faults.send(self, 200, {"Content-Type": "text/plain"}, b"hello")

with FaultyServer(Handler, faults=Faults(0.1, seed=7)) as server:
    ...  # ask server.url; server.accepted counts connections, server.faults.injected what was done
```
Which request gets which fault depends only on the seed, the request's target, and how often that target was
asked for: not on the order in which threads arrive. A target is never failed more than ``in_a_row`` times
running, so that a client with more tries than that always gets through.
"""

import hashlib
import socket
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

KINDS = ("429", "503", "cut", "half", "stall")
"""too many requests · unavailable · hung up without a byte · half a body · silence, then hung up"""


class Faults:
    """Decides for each request whether it is answered, and spoils the answer if not.

    ``rate``: share of requests, 0 to 1. ``kinds``: which of ``KINDS``, each as likely as the others.
    ``retry_after``: what 429 and 503 ask for, in seconds or as a date; None: nothing. ``stall``: longest
    silence in seconds; ``over`` ends it. ``injected`` counts what was done, by kind.
    """

    def __init__(
        self,
        rate: float,
        *,
        seed: int,
        kinds: Sequence[str] = KINDS,
        in_a_row: int = 3,
        retry_after: str | None = "0",
        stall: float = 30.0,
    ) -> None:
        assert set(kinds) <= set(KINDS)
        self.rate, self.seed, self.kinds = rate, seed, tuple(kinds)
        self.in_a_row, self.retry_after, self.stall = in_a_row, retry_after, stall
        self.injected: Counter[str] = Counter()
        self.over = threading.Event()
        self._asked: Counter[str] = Counter()
        self._running: Counter[str] = Counter()
        self._lock = threading.Lock()

    def next(self, target: str) -> str | None:
        """Return the fault of this request for ``target``, or None: answer it."""
        with self._lock:
            self._asked[target] += 1
            drawn = hashlib.sha256(f"{self.seed}\n{self._asked[target]}\n{target}".encode()).digest()
            share = int.from_bytes(drawn[:6]) / 2**48
            if share >= self.rate or self._running[target] >= self.in_a_row:
                self._running[target] = 0
                return None
            self._running[target] += 1
            kind = self.kinds[drawn[6] % len(self.kinds)]
            self.injected[kind] += 1
            return kind

    def send(
        self, handler: BaseHTTPRequestHandler, status: int, headers: Mapping[str, str], body: bytes
    ) -> None:
        """Answer with this, or with the fault that it is this request's turn to get."""
        kind = self.next(f"{handler.command} {handler.path}")
        if kind is None:
            _answer(handler, status, headers, body)
        elif kind in ("429", "503"):
            asked = {} if self.retry_after is None else {"Retry-After": self.retry_after}
            _answer(handler, int(kind), asked, b"not now")
        else:
            if kind == "half":
                # An empty body has no half: it is promised to be longer than it is.
                _answer(handler, status, headers, body, promised=len(body) or 10, sent=len(body) // 2)
            elif kind == "stall":
                self.over.wait(self.stall)
            _hang_up(handler)


class QuietHandler(BaseHTTPRequestHandler):
    """Keeps connections open, says nothing on stderr, and survives a client that has gone.

    ``answer`` is called for GET, HEAD and POST (``command`` tells which).
    """

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer(self) -> None:
        raise NotImplementedError

    def do_GET(self) -> None:
        self.answer()

    def do_HEAD(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is its parent's
        pass


class Connected(ThreadingHTTPServer):
    """Serves one thread a connection, and knows which are open."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, port: int, handler: type[BaseHTTPRequestHandler], *, listening: bool = True) -> None:
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(("127.0.0.1", port), handler, bind_and_activate=listening)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        with self._guard:
            self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass

    def cut(self) -> None:
        """Close what is open."""
        with self._guard:
            left = list(self._open)
        for connection in left:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class FaultyServer(Connected):
    """Serves on a free port of 127.0.0.1 while the ``with`` lasts. ``accepted``: connections so far."""

    def __init__(self, handler: type[BaseHTTPRequestHandler], *, faults: Faults | None = None) -> None:
        self.faults = faults or Faults(0.0, seed=0)
        self.accepted = 0
        super().__init__(0, handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get_request(self) -> tuple[socket.socket, Any]:
        accepted = super().get_request()
        self.accepted += 1
        return accepted

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.faults.over.set()
        self.shutdown()
        self._thread.join()
        self.cut()
        self.server_close()


def _answer(
    handler: BaseHTTPRequestHandler,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    promised: int | None = None,
    sent: int | None = None,
) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    if status != 304 and "Content-Length" not in headers:
        handler.send_header("Content-Length", str(len(body) if promised is None else promised))
    handler.end_headers()
    if handler.command != "HEAD" and status != 304:
        handler.wfile.write(body if sent is None else body[:sent])
    handler.wfile.flush()


def _hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    with suppress(OSError):
        handler.connection.shutdown(socket.SHUT_RDWR)
