"""A bookkeeping service on loopback that refunds, and counts: one refund for each idempotency key.

``POST /refunds`` with JSON and an ``Idempotency-Key``; ``GET /refunds?key=K`` says 200 where it was done, 404
where not. ``refunds`` holds (order, amount) by key, ``posts`` counts requests.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "RefundServer"

    def do_POST(self) -> None:
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        key = self.headers["Idempotency-Key"]
        with self.server.lock:
            self.server.posts += 1
            entry = self.server.refunds.setdefault(key, (given["order"], given["amount"]))
        self._say(201, {"order": entry[0], "amount": entry[1]})

    def do_GET(self) -> None:
        (key,) = parse_qs(urlsplit(self.path).query)["key"]
        with self.server.lock:
            entry = self.server.refunds.get(key)
        self._say(*((404, {}) if entry is None else (200, {"order": entry[0], "amount": entry[1]})))

    def _say(self, status: int, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class RefundServer(ThreadingHTTPServer):
    """Listens on a free port from ``with`` to its end."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lock = threading.Lock()
        self.refunds: dict[str, tuple[str, float]] = {}
        self.posts = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/refunds"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
