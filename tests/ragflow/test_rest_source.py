"""The descriptions of docs/connectors/rest.md, run against servers shaped like what they describe."""

import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from confluence_server import ConfluenceServer
from faults import FaultyServer, QuietHandler

import ragflow
from ragflow.config import load
from ragflow.errors import ConfigError
from ragflow.sources import spec

HOSTS = {
    "wiki": "https://acme.atlassian.net",
    "library": "https://graph.microsoft.com",
    "notes": "https://api.notion.com",
}
SECRETS = {"WIKI_USER": "bot", "WIKI_TOKEN": "t", "GRAPH_TOKEN": "graph", "NOTION_TOKEN": "notion"}


@pytest.fixture
def described(repository, tmp_path, monkeypatch):
    """Write the documented configuration with one host replaced; give the spec of that source."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    page = (repository / "docs" / "connectors" / "rest.md").read_text()
    (block,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)

    def write(name, url, *changes):
        text = block.replace(HOSTS[name], url) + "outbound: {allow: [127.0.0.1]}\n"
        for before, after in changes:
            assert before in text
            text = text.replace(before, after)
        (tmp_path / "ragflow.yaml").write_text(text)
        config = load(tmp_path / "ragflow.yaml", environ={})
        return spec(config, name)

    return write


# -- a wiki -------------------------------------------------------------------------------------------------

BASIC = "Basic Ym90OnQ="


@pytest.fixture
def wiki():
    with ConfluenceServer() as running:
        running.how.sign = BASIC
        running.put(
            "1", title="Leave", body="<p>Every employee gets 28 days of paid annual leave a year.</p>"
        )
        running.put("2", title="Bands", body="<p>A senior engineer's salary starts at 74,000 euros.</p>")
        running.put("3", title="Below the bands", body="<p>A bonus is paid in March.</p>", parents=("2",))
        running.restrict("2", users=["mia@example.com"], groups=["hr"])
        yield running


def test_the_wiki_lists_readers_and_gives_its_pages(described, wiki):
    source = described("wiki", wiki.url)
    items = {item.id: item for item in source.connector.list()}
    assert source.ceiling is None
    assert source.fetchers == 4
    assert items["1"].readers == ("group:staff",)
    assert items["2"].readers == items["3"].readers == ("group:hr", "user:mia@example.com")
    raw = source.connector.fetch(items["1"])
    assert (raw.title, raw.author) == ("Leave", "Ann Lee")
    assert raw.link == f"{wiki.url}/wiki/spaces/HR/pages/1/Leave"
    assert b"28 days" in raw.data


def test_the_wiki_in_two_listings_gives_the_same(described, wiki):
    full = list(described("wiki", wiki.url).connector.list())
    restrictions = "expand=restrictions,ancestors.restrictions"
    slim = (
        f"    slim: {{url: '{wiki.api}?limit=3&{restrictions}', tells: [access]}}\n"
        f"    changes:\n      url: '{wiki.api}/search?expand=version&limit=2&cql="
        'lastmodified%20%3E%3D%20%22{since}%22\'\n      form: "%Y-%m-%d %H:%M"\n'
    )
    changed = ("    access:\n      users", f"{slim}    access:\n      users")
    assert list(described("wiki", wiki.url, changed).connector.list()) == full
    wiki.tick(1_000_000)
    wiki.put("1", title="Leave", body="<p>30 days</p>")
    wiki.restrict("2", users=["mia@example.com"])
    wiki.asked.clear()
    short = list(described("wiki", wiki.url, changed).connector.list())
    assert (wiki.asked["list"], wiki.asked["slim"]) == (0, 1)
    assert short == list(described("wiki", wiki.url).connector.list())
    assert [one.id for one, two in zip(full, short, strict=True) if one.fingerprint != two.fingerprint] == [
        "1"
    ]


def test_two_people_find_what_is_theirs_and_a_right_taken_away_is_gone(described, wiki, tmp_path):
    described("wiki", wiki.url)
    with ragflow.open(tmp_path) as app:
        assert app.index(sources=["wiki"]).exit_code == 0

        def found(reader):
            hits = app.search("What is a senior engineer's salary?", readers=[reader])
            return {hit.document for hit in hits}

        assert found("user:mia@example.com") == {"wiki/2", "wiki/3"}
        assert found("group:staff") == {"wiki/1"}
        assert found("everyone") == set()
        wiki.restrict("2", users=["bo@example.com"])
        report = app.index(sources=["wiki"])
        assert report.sync.sources["wiki"].access_changed == 2
        assert found("user:mia@example.com") == set()
        assert found("user:bo@example.com") == {"wiki/2", "wiki/3"}


def test_a_wrong_password_fails_the_source_and_keeps_what_was_read(described, wiki, tmp_path):
    described("wiki", wiki.url)
    with ragflow.open(tmp_path) as app:
        app.index(sources=["wiki"])
        wiki.how.sign = "Basic other"
        report = app.index(sources=["wiki"])
        assert report.exit_code == 4
        assert "401" in report.sync.sources["wiki"].error
        assert app.search("salary", readers=["group:hr"])


# -- a library ----------------------------------------------------------------------------------------------


class Graph(QuietHandler):
    """A document library: folders and files, content by a redirect to another host."""

    def answer(self):
        parts = urlsplit(self.path)
        self.server.asked.append((parts.path, self.headers.get("Authorization")))
        if parts.path == "/v1.0/sites/SITE/lists/LIST/items":
            self.listing(parse_qs(parts.query))
        elif parts.path.startswith("/v1.0/drives/DRIVE/items/"):
            place = f"{self.server.storage.url}/{parts.path.split('/')[-2]}?signature=x"
            self.server.faults.send(self, 302, {"Location": place}, b"")
        else:
            self.server.faults.send(self, 404, {}, b"{}")

    def listing(self, query):
        start = int(query.get("$skiptoken", ["0"])[0])
        entries = [{"id": str(n), "driveItem": one} for n, one in enumerate(self.server.files)]
        answer = {"value": entries[start : start + 2]}
        if start + 2 < len(entries):
            answer["@odata.nextLink"] = (
                f"{self.server.url}/v1.0/sites/SITE/lists/LIST/items?$expand=driveItem&$skiptoken={start + 2}"
            )
        self.server.faults.send(self, 200, {"Content-Type": "application/json"}, json.dumps(answer).encode())


class Storage(QuietHandler):
    def answer(self):
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        self.server.faults.send(self, 200, {"Content-Type": "text/markdown"}, b"# Rules")


@pytest.fixture
def graph():
    with FaultyServer(Graph) as running, FaultyServer(Storage) as storage:
        running.storage, running.asked, storage.asked = storage, [], []
        running.files = [
            {
                "id": f"D!{number}",
                "cTag": "c1",
                "name": name,
                kind: {"mimeType": "text/markdown"},
                "lastModifiedDateTime": "2026-03-01T10:00:00+01:00",
                "lastModifiedBy": {"user": {"displayName": "Bo Kim"}},
                "webUrl": f"https://acme.sharepoint.com/Shared%20Documents/{name}",
            }
            for number, (name, kind) in enumerate(
                [
                    ("rules", "folder"),
                    ("rules/a.md", "file"),
                    ("b.md", "file"),
                    ("c", "folder"),
                    ("d.md", "file"),
                ]
            )
        ]
        yield running


def test_the_library_lists_files_and_fetches_them_where_they_are_kept(described, graph):
    source = described("library", graph.url)
    items = list(source.connector.list())
    assert [item.id for item in items] == ["D!1", "D!2", "D!4"]
    assert source.ceiling == {"group:staff"}
    raw = source.connector.fetch(items[1])
    assert (raw.data, raw.name, raw.media_type) == (b"# Rules", "b.md", "text/markdown")
    assert (raw.title, raw.author, raw.modified) == ("b.md", "Bo Kim", "2026-03-01T09:00:00Z")
    assert raw.link == "https://acme.sharepoint.com/Shared%20Documents/b.md"
    assert graph.asked[-1] == ("/v1.0/drives/DRIVE/items/D%212/content", "Bearer graph")
    assert graph.storage.asked == [("/D%212?signature=x", None)], "no credentials where the bytes are kept"


def test_a_file_that_is_renamed_is_read_again(described, graph):
    source = described("library", graph.url)
    before = list(source.connector.list())
    graph.files[2]["name"] = "b2.md"
    after = list(source.connector.list())
    assert [one.id for one, two in zip(before, after, strict=True) if one != two] == ["D!2"]


# -- notes --------------------------------------------------------------------------------------------------


class Notion(QuietHandler):
    """A data source queried by POST, two pages at a time; a page's blocks, three at a time."""

    def answer(self):
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        parts = urlsplit(self.path)
        self.server.asked.append((self.command, parts.path, body))
        assert self.headers["Authorization"] == "Bearer notion"
        assert self.headers["Notion-Version"] == "2025-09-03"
        if (self.command, parts.path) == ("POST", "/v1/data_sources/DATA/query"):
            self.some(self.server.pages, 2, body.get("start_cursor"))
        else:
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            blocks = self.server.blocks[parts.path.split("/")[3]]
            self.some(blocks, 3, query.get("start_cursor"))

    def some(self, entries, size, cursor):
        start = int((cursor or "at-0").removeprefix("at-"))
        more = start + size < len(entries)
        answer = {"object": "list", "results": entries[start : start + size], "has_more": more}
        answer["next_cursor"] = f"at-{start + size}" if more else None
        self.server.faults.send(self, 200, {"Content-Type": "application/json"}, json.dumps(answer).encode())


def block(kind, *pieces):
    return {"object": "block", "type": kind, kind: {"rich_text": [{"plain_text": one} for one in pieces]}}


@pytest.fixture
def notion():
    with FaultyServer(Notion) as running:
        running.asked = []
        running.pages = [
            {
                "id": f"n{number}",
                "last_edited_time": "2026-03-01T09:00:00.000Z",
                "in_trash": number == 2,
                "url": f"https://www.notion.so/n{number}",
                "properties": {"Name": {"title": [{"plain_text": "Note "}, {"plain_text": str(number)}]}},
            }
            for number in range(5)
        ]
        running.blocks = {
            f"n{number}": [
                block("heading_1", "Leave"),
                block("paragraph", "28 days ", "a year."),
                {"object": "block", "type": "divider", "divider": {}},
                block("bulleted_list_item", "Ask early."),
            ]
            for number in range(5)
        }
        yield running


def test_the_notes_are_queried_and_their_blocks_are_paragraphs(described, notion):
    source = described("notes", notion.url, ("rate: 3", "rate: 0"))
    items = list(source.connector.list())
    assert [item.id for item in items] == ["n0", "n1", "n3", "n4"]
    assert [body for _, _, body in notion.asked] == [
        {"page_size": 100},
        {"page_size": 100, "start_cursor": "at-2"},
        {"page_size": 100, "start_cursor": "at-4"},
    ]
    raw = source.connector.fetch(items[2])
    assert raw.data == b"Leave\n\n28 days a year.\n\nAsk early."
    assert (raw.title, raw.link, raw.name) == ("Note 3", "https://www.notion.so/n3", "n3.txt")


# -- keys ---------------------------------------------------------------------------------------------------

LEAST = """\
version: 1
sources:
  api:
    type: rest
    url: https://api.example/list
    items: results
    item: {version: [v]}
    content: {path: body}
"""
SLIM = '    slim: {url: "https://api.example/ids"}\n'
CHANGES = '    changes: {url: "https://api.example/new?since={since}"}\n'
ACCESS = "    access: {users: [users]}\n"
MISTAKES = [
    (LEAST.replace("https:", "ftp:"), "sources.api.url: no plain http or https address"),
    (LEAST.replace("items: results", "items: a..b"), "sources.api.items: not a path into JSON: 'a..b'"),
    (LEAST.replace("[v]", "[]"), "sources.api.item.version is empty"),
    (LEAST.replace("{version: [v]}", '{version: [v], link: "x{"}'), "sources.api.item.link: a brace without"),
    (LEAST.replace("{version: [v]}", "{version: [v], titel: t}"), 'unknown key "titel" in sources.api.item'),
    (LEAST.replace("{path: body}", "{format: file}"), "needs a `url`"),
    (LEAST.replace("{path: body}", "{url: 'https://x/{id}'}"), "name the content's `path`"),
    (f"{LEAST}    pages: {{style: next}}\n", "`style: next` needs `path`"),
    (f"{LEAST}    pages: {{style: cursor, path: c}}\n", "`style: cursor` needs `parameter`"),
    (f"{LEAST}    auth: {{user_env: U}}\n", "name `token_env`, or both `user_env` and `password_env`"),
    (f"{LEAST}    auth: {{token_env: T, password_env: P}}\n", "name `token_env`, or both"),
    (
        f"{LEAST}    headers: {{Authorization: abc}}\n",
        "Authorization is secret: name an environment variable",
    ),
    (f'{LEAST}    headers: {{"X: y": abc}}\n', '"X: y" cannot name a header'),
    (f"{LEAST}    access: {{}}\n", "name the paths of `users`, `groups` or both"),
    (f"{LEAST}    access: {{users: [u], unrestricted: [all]}}\n", '"all" is not a reader'),
    (f"{LEAST}{CHANGES}", "`changes` tells no deletions"),
    (f"{LEAST}{SLIM}", "`slim` alone must tell versions"),
    (f"{LEAST}{SLIM}{ACCESS}", "a right that is taken away changes no version"),
    (f"{LEAST}{SLIM}{CHANGES}", "`changes` needs `item.modified`"),
    (f"{LEAST}{SLIM}{CHANGES.replace('{since}', 'now')}", "neither `url` nor `body` holds {since}"),
    (
        f"{LEAST.replace('[v]', '[v], only: [file]')}{SLIM.replace('}', ', tells: [version]}')}",
        "say `tells: [filters]`",
    ),
]


@pytest.mark.parametrize(("text", "words"), MISTAKES)
def test_a_description_that_cannot_be_meant_is_told_with_its_line(text, words, tmp_path):
    (tmp_path / "ragflow.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "ragflow.yaml", environ={})
    assert words in str(caught.value)
    assert re.search(r"ragflow\.yaml:\d+: ", str(caught.value))


def test_the_least_description_has_the_documented_defaults(tmp_path):
    (tmp_path / "ragflow.yaml").write_text(LEAST)
    source = load(tmp_path / "ragflow.yaml", environ={}).sources["api"]
    assert (source.rate, source.parallel, source.timeout, source.max_bytes) == (10, 4, 30, 100_000_000)
    assert (source.item.id, source.pages.style, source.content.format) == ("id", "single", "html")
    assert not source.own_readers
