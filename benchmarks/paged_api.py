"""A JSON API on loopback, shaped like a wiki's, for ``sync_scale.py``: python benchmarks/paged_api.py FOLDER.

It prints its address, and answers ``/content?limit=N&start=N`` (a page of entries, with a link to the next),
``/content/ID`` (one entry with its text) and ``/asked`` (how many of both were asked for). What it holds is
said by ``items.json`` in the folder, looked up whenever a listing begins.
"""

import json
import sys
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from small_items import GROUPS, state, text, version

FIRST = 1_000_000


class Api(ThreadingHTTPServer):
    """The API."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        # The port stays that of the folder: an item that moves to another address would be fetched again.
        kept = folder / "port"
        super().__init__(("127.0.0.1", int(kept.read_text()) if kept.exists() else 0), _Handler)
        kept.write_text(str(self.server_address[1]))
        self.folder = folder
        self.items, self.changes = state(folder)
        self.asked = {"pages": 0, "items": 0}


class _Handler(BaseHTTPRequestHandler):
    server: Api
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body go in one packet

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        api = self.server
        last = parts.path.rpartition("/")[2]
        if last == "asked":
            body = json.dumps(api.asked).encode()
        elif last == "content":
            api.asked["pages"] += 1
            query = {
                name: int(values[0]) for name, values in parse_qs(parts.query).items() if name != "expand"
            }
            if not query.get("start"):
                api.items, api.changes = state(api.folder)
            body = page(query.get("start", 0), query["limit"], api.items, api.changes)
        else:
            api.asked["items"] += 1
            number = int(last) - FIRST
            told = text(number, api.changes)
            full = {**entry(number, api.changes), "body": {"storage": {"value": f"<p>{told}</p>"}}}
            body = json.dumps(full).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@lru_cache(maxsize=2_000)
def page(start: int, limit: int, items: int, changes: int) -> bytes:
    """Return a page of the listing."""
    numbers = range(start, min(start + limit, items))
    after = f"/content?limit={limit}&start={start + limit}&expand=version,restrictions"
    links = {"next": after} if start + limit < items else {}
    results = [entry(number, changes) for number in numbers]
    return json.dumps({"results": results, "start": start, "limit": limit, "_links": links}).encode()


def entry(number: int, changes: int) -> dict[str, Any]:
    """Return what a listing tells of an item."""
    groups = [{"type": "group", "name": f"g{number % GROUPS}"}]
    allowed = {"user": {"results": [], "size": 0}, "group": {"results": groups, "size": 1}}
    return {
        "id": str(FIRST + number),
        "type": "page",
        "status": "current",
        "title": "Note",
        "version": {
            "number": version(number, changes),
            "when": f"2026-03-{version(number, changes):02}T09:00:00.000Z",
            "by": {"type": "known", "displayName": "Ann Lee"},
        },
        "restrictions": {"read": {"operation": "read", "restrictions": allowed}},
        "_links": {"webui": f"/spaces/HR/pages/{FIRST + number}/Note", "self": f"/content/{FIRST + number}"},
    }


def main() -> None:
    """Serve until killed."""
    with Api(Path(sys.argv[1])) as api:
        print(f"http://127.0.0.1:{api.server_address[1]}", flush=True)
        api.serve_forever()


if __name__ == "__main__":
    main()
