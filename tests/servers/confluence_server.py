"""A wiki on loopback whose REST API is shaped like Confluence's: listings, search, one page, restrictions.

```python
with ConfluenceServer() as wiki:
    wiki.put("1", title="Leave", body="<p>28 days</p>", users=("mia@example.com",))
    ...  # ask wiki.url + "/rest/api/content?start=0&limit=25&expand=version,restrictions", with the token
```
Its clock is its own: it stands still but for ``tick``. ``faults`` spoil any answer; ``asked`` counts requests
by kind: ``list``, ``search``, ``slim``, ``page``.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from faults import Faults, FaultyServer, QuietHandler

TOKEN = "wiki-token"
CONTEXT = "/wiki"


@dataclass(frozen=True, slots=True)
class WikiPage:
    """A page as the wiki keeps it. ``users``, ``groups``: who may read it; nobody named: all do."""

    id: str
    title: str
    body: str
    version: int
    modified: datetime
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    order: int = 0


@dataclass
class Answering:
    """How the wiki answers: what a test turns."""

    sign: str = f"Bearer {TOKEN}"
    most: int = 250
    total: int | None = None
    hidden_emails: bool = False
    search_lag: set[str] = field(default_factory=set)


class ConfluenceServer(FaultyServer):
    """The wiki. Change its pages by ``put``, ``restrict``, ``delete``, ``restore``, ``backdate``."""

    def __init__(self, *, faults: Faults | None = None) -> None:
        super().__init__(_Handler, faults=faults)
        self.pages: dict[str, WikiPage] = {}
        self.trash: dict[str, WikiPage] = {}
        self.now = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
        self.how = Answering()
        self.asked: Counter[str] = Counter()
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.keep_seen = True
        self._order = 0

    @property
    def api(self) -> str:
        return f"{self.url}{CONTEXT}/rest/api/content"

    def tick(self, seconds: float = 60) -> None:
        """Let time pass; negative: the clock is set back."""
        self.now += timedelta(seconds=seconds)

    def put(self, page_id: str, *, title: str = "A page", body: str = "<p>Text</p>", **more: Any) -> None:
        """Make a page, or its next version. ``users``, ``groups``, ``parents`` as in ``WikiPage``."""
        before = self.pages.get(page_id)
        self._order += 1
        version = before.version + 1 if before else 1
        order = before.order if before else self._order
        self.pages[page_id] = WikiPage(page_id, title, body, version, self.now, order=order, **more)

    def restrict(self, page_id: str, *, users: Sequence[str] = (), groups: Sequence[str] = ()) -> None:
        """Change who may read a page: neither its version nor its time changes."""
        self.pages[page_id] = replace(self.pages[page_id], users=tuple(users), groups=tuple(groups))

    def delete(self, page_id: str) -> None:
        self.trash[page_id] = self.pages.pop(page_id)

    def restore(self, page_id: str) -> None:
        """Bring a page back as it was, with its old time."""
        self.pages[page_id] = self.trash.pop(page_id)

    def backdate(self, page_id: str, seconds: float) -> None:
        """Make a new version that claims to be older than the last one."""
        before = self.pages[page_id]
        self.pages[page_id] = replace(
            before, version=before.version + 1, modified=before.modified - timedelta(seconds=seconds)
        )

    def ordered(self) -> list[WikiPage]:
        return sorted(self.pages.values(), key=lambda page: page.order)


class _Handler(QuietHandler):
    server: ConfluenceServer

    def answer(self) -> None:
        wiki = self.server
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if wiki.keep_seen:
            wiki.seen.append((self.path, dict(self.headers)))
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Authorization") != wiki.how.sign:
            self._send(401, {"message": "no or wrong token"})
            return
        place = parts.path.removeprefix(f"{CONTEXT}/rest/api/content")
        if place == "":
            kind = "list" if "version" in query.get("expand", "") else "slim"
            self._listing(kind, wiki.ordered(), parts.path, query)
        elif place == "/search":
            since = _since(query.get("cql", ""))
            shown = [page for page in wiki.ordered() if page.id not in wiki.how.search_lag]
            changed = [page for page in shown if page.modified.replace(second=0, microsecond=0) >= since]
            self._listing("search", changed, parts.path, query)
        else:
            self._page(place.removeprefix("/"), query)

    def _listing(self, kind: str, pages: list[WikiPage], path: str, query: dict[str, str]) -> None:
        wiki = self.server
        wiki.asked[kind] += 1
        start, limit = int(query.get("start", 0)), min(int(query.get("limit", 25)), wiki.how.most)
        shown = pages[start : start + limit]
        links: dict[str, str] = {"base": f"{wiki.url}{CONTEXT}", "context": CONTEXT}
        if start + limit < len(pages):
            kept = {**query, "start": str(start + limit), "limit": str(limit)}
            words = "&".join(f"{name}={quote(value, safe='')}" for name, value in kept.items())
            links["next"] = f"{path.removeprefix(CONTEXT)}?{words}"
        expand = set(query.get("expand", "").split(","))
        total = len(pages) if wiki.how.total is None else wiki.how.total
        self._send(
            200,
            {
                "results": [self._entry(page, expand) for page in shown],
                "start": start,
                "limit": limit,
                "size": len(shown),
                "totalSize": total,
                "_links": links,
            },
        )

    def _page(self, page_id: str, query: dict[str, str]) -> None:
        wiki = self.server
        wiki.asked["page"] += 1
        page = wiki.pages.get(page_id)
        if page is None:
            self._send(404, {"message": f"no page {page_id}"})
            return
        self._send(200, self._entry(page, set(query.get("expand", "").split(","))))

    def _entry(self, page: WikiPage, expand: set[str]) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "id": page.id,
            "type": "page",
            "status": "current",
            "title": page.title,
            "_links": {"webui": f"/spaces/HR/pages/{page.id}/{quote(page.title)}"},
        }
        if "version" in expand:
            when = page.modified.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            entry["version"] = {"number": page.version, "when": when, "by": {"displayName": "Ann Lee"}}
        if "body.storage" in expand:
            entry["body"] = {"storage": {"value": page.body, "representation": "storage"}}
        if _expanded("restrictions", expand):
            entry["restrictions"] = self._restrictions(page)
        if _expanded("ancestors", expand):
            above = [self.server.pages[parent] for parent in page.parents if parent in self.server.pages]
            told = _expanded("ancestors.restrictions", expand)
            entry["ancestors"] = [
                {"id": one.id, **({"restrictions": self._restrictions(one)} if told else {})} for one in above
            ]
        return entry

    def _restrictions(self, page: WikiPage) -> dict[str, Any]:
        hidden = self.server.how.hidden_emails
        users = [
            {"type": "known", "accountId": f"id-{name}", "email": None if hidden else name}
            for name in page.users
        ]
        groups = [{"type": "group", "name": name} for name in page.groups]
        shape = {"user": {"results": users, "size": len(users)}, "group": {"results": groups}}
        return {"read": {"operation": "read", "restrictions": shape}}

    def _send(self, status: int, document: object) -> None:
        headers = {"Content-Type": "application/json"}
        self.server.faults.send(self, status, headers, json.dumps(document).encode())

    def date_time_string(self, timestamp: float | None = None) -> str:
        return format_datetime(self.server.now, usegmt=True)


def _expanded(name: str, expand: set[str]) -> bool:
    return any(one == name or one.startswith(f"{name}.") for one in expand)


def _since(cql: str) -> datetime:
    """Read ``lastmodified >= "2026-03-01 09:00"``."""
    _, _, told = cql.partition('lastmodified >= "')
    return datetime.strptime(told.partition('"')[0], "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
