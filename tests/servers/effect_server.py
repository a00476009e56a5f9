"""A server on loopback that does things when it is told to, and counts how often each was really done.

```python
with EffectServer() as server:
    # POST server.url/do          does it; with an Idempotency-Key that it knows, it says so and does nothing
    # POST server.url/blind       does it, whatever key it is given
    # GET  server.url/state?key=K 200 when it was done, 404 when not
    server.done       # Counter of what was done, by the body's "what"
```
"""

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit


class EffectServer:
    """``done``: how often each ``what`` was done; ``asked``: requests that came, the repeated ones too."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self.keys: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self._answer(*outer.post(urlsplit(self.path).path, body, self.headers.get("Idempotency-Key")))

            def do_GET(self) -> None:
                key = parse_qs(urlsplit(self.path).query).get("key", [""])[0]
                known = outer.keys.get(key)
                self._answer(200 if known else 404, known or {})

            def _answer(self, status: int, shown: dict[str, Any]) -> None:
                sent = json.dumps(shown).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(sent)))
                self.end_headers()
                self.wfile.write(sent)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def post(self, path: str, body: dict[str, Any], key: str | None) -> tuple[int, dict[str, Any]]:
        with self._lock:
            self.asked[body["what"]] += 1
            if path == "/do" and key in self.keys:
                return 200, self.keys[key]
            self.done[body["what"]] += 1
            told = {"what": body["what"], "ok": True}
            if key is not None:
                self.keys[key] = told
            return 201, told

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
