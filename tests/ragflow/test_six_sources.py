"""One ragflow.yaml with six kinds of source, against real servers: synced, spoilt, forgotten, kept apart."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dovecot
import postgres
import pytest
from bucket_server import KEY, SECRET, BucketServer, bucket_server, faulty
from confluence_server import TOKEN, ConfluenceServer
from faults import Faults
from git_server import Clone
from mailboxes import message
from site_server import SiteServer, doc
from tcp_faults import Proxy

import ragflow
from ragflow.cli import main

SOURCES = ("bucket", "code", "desk", "post", "site", "wiki")
QUESTION = "How long is the notice period?"
CONFIG = """\
version: 1
sources:
  bucket:
    type: files
    path: s3://docs/policies
    storage: {{endpoint: "{bucket}", key_env: BUCKET_KEY, secret_env: BUCKET_SECRET}}
    readers: [group:hr]
    readers_by: [{{glob: "public/**", readers: [everyone]}}]
  code: {{type: git, path: "{code}", ref: main, readers: [group:it]}}
  site: {{type: web, start: ["{site}/"], rate: 1000, timeout: 5, readers: [everyone]}}
  post:
    type: mail
    imap: {{host: 127.0.0.1, port: {post}, tls: none, user: desk, password_env: POST_PASSWORD, timeout: 5}}
    participants: true
    readers: [group:audit]
  desk:
    type: sql
    url_env: DESK_URL
    query: SELECT id, subject, body, watchers, changed FROM tickets
    key: id
    title: "{{subject}}"
    text: "{{body}}"
    updated: changed
    readers_column: watchers
    readers_template: "user:{{value}}"
    readers: [group:support]
  wiki:
    type: rest
    url: "{wiki}/wiki/rest/api/content?limit=3&expand=version,restrictions"
    auth: {{token_env: WIKI_TOKEN}}
    items: results
    pages: {{style: next, path: _links.next, prefix: /wiki}}
    item:
      version: [version.number]
      title: title
      modified: version.when
      link: "{wiki}/wiki{{+_links.webui}}"
      url: "{wiki}/wiki/rest/api/content/{{id}}?expand=version,body.storage"
    content: {{path: body.storage.value, format: storage}}
    access:
      users: ["restrictions.read.restrictions.user.results[].email"]
      groups: ["restrictions.read.restrictions.group.results[].name"]
      unrestricted: [group:staff]
    rate: 1000
    timeout: 5
identity:
  impersonate: [{login}]
  groups: groups.csv
outbound: {{allow: [127.0.0.1]}}
index: {{brake: {{documents: 50}}}}
"""
GROUPS = "group,user\nstaff,mia\nhr,mia\nstaff,bob\nit,bob\nsupport,bob\n"
# What each of the two may read of a topic that is told differently everywhere.
NOTICE = {
    "bucket/notice.md": "The notice period of managers is six months.",
    "bucket/public/notice.md": "The notice period of interns is two weeks.",
    "code/notice.txt": "The notice period of API versions is ninety days.",
    "site": "The notice period for visitors is one day.",
    "desk/1": "The notice period of customer Vestra is three months.",
    "desk/2": "The notice period of customer Brennholt is one year.",
    "wiki/10": "The notice period of staff is four weeks.",
    "wiki/11": "The notice period of the works council is one term.",
    "post/m1@example.org": "The notice period of our lease is five years.",
    "post/m2@example.org": "The notice period of the fleet contract is nine weeks.",
}


@dataclass
class Company:
    """The six real parts, and the addresses by which they are reached."""

    bucket: BucketServer
    code: Clone
    site: SiteServer
    post: dovecot.Dovecot
    desk: postgres.Postgres
    database: str
    wiki: ConfluenceServer

    def fill(self) -> None:
        self.bucket.empty()
        for name in ("notice.md", "public/notice.md"):
            self.bucket.put(f"policies/{name}", f"# Notice\n\n{NOTICE[f'bucket/{name}']}\n")
        others = [name for name in self.code.git("ls-files").split("\n") if name not in ("", "notice.txt")]
        notice = {"notice.txt": NOTICE["code/notice.txt"] + "\n"}
        self.code.commit(dict.fromkeys(others) | notice, author="Bob")
        self.site.pages["/"] = doc("Welcome", "<p>The front desk opens at eight.</p>", links=["/notice"])
        self.site.pages["/notice"] = doc("Visitors", f"<p>{NOTICE['site']}</p>")
        self.desk.run(self.database, "DROP TABLE IF EXISTS tickets")
        self.desk.run(
            self.database,
            "CREATE TABLE tickets"
            " (id int PRIMARY KEY, subject text, body text, watchers text[], changed timestamptz)",
        )
        rows = "INSERT INTO tickets VALUES (%s, %s, %s, %s, now())"
        self.desk.run(self.database, rows, (1, "Vestra", NOTICE["desk/1"], ["mia"]))
        self.desk.run(self.database, rows, (2, "Brennholt", NOTICE["desk/2"], []))
        self.wiki.pages.clear()
        self.wiki.put("10", title="Notice", body=f"<p>{NOTICE['wiki/10']}</p>")
        self.wiki.put("11", title="Council", body=f"<p>{NOTICE['wiki/11']}</p>", users=("mia@example.org",))
        box = self.post.client("desk")
        if int(box.select("INBOX")[1][0]):
            box.store("1:*", "+FLAGS", "\\Deleted")
            box.expunge()
        for number, to in ((1, "mia@example.org"), (2, "bob@example.org")):
            body = NOTICE[f"post/m{number}@example.org"]
            box.append("INBOX", "", "", message(number, to=to, body=body, From="Desk <desk@example.org>"))
        box.logout()


@pytest.fixture(scope="module")
def company(need_system: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    need_system("dovecot", "a real mail server", present=dovecot.program() is not None)
    need_system("postgres", "a real database", present=postgres.programs() is not None)
    folder = tmp_path_factory.mktemp("company")
    with ExitStack() as stack:
        desk = stack.enter_context(postgres.Postgres())
        made = Company(
            bucket=stack.enter_context(bucket_server()),
            code=Clone(folder / "code"),
            site=stack.enter_context(SiteServer({})),
            post=stack.enter_context(dovecot.Dovecot(folder)),
            desk=desk,
            database=desk.database(),
            wiki=stack.enter_context(ConfluenceServer()),
        )
        yield made


@pytest.fixture
def office(company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace over the filled company."""
    company.fill()
    company.wiki.faults = company.site.faults = Faults(0, seed=0)
    for name, value in {
        "BUCKET_KEY": KEY,
        "BUCKET_SECRET": SECRET,
        "POST_PASSWORD": company.post.password,
        "DESK_URL": company.database,
        "WIKI_TOKEN": TOKEN,
    }.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "groups.csv").write_text(GROUPS)
    configure(tmp_path, company)
    return tmp_path


def configure(folder: Path, company: Company, *, bucket: str = "", post: int = 0) -> None:
    from ragflow.identity import login

    text = CONFIG.format(
        bucket=bucket or company.bucket.url,
        code=company.code.path,
        site=company.site.url,
        post=post or company.post.port,
        wiki=company.wiki.url,
        login=login(),
    )
    (folder / "ragflow.yaml").write_text(text)


def run(folder: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any]:
    code = main(["-C", str(folder), *words, "--json"])
    return code, json.loads(capsys.readouterr().out)


def documents(folder: Path, *readers: str) -> dict[str, str]:
    """Each document's text, as these readers see it."""
    with ragflow.open(folder) as app:
        rows = app.documents(readers=readers)
        return {row.document: app.text(row.document, readers=readers) for row in rows}


ALL = ("group:hr", "group:it", "group:audit", "group:support", "group:staff", "user:mia@example.org")


def test_six_kinds_of_source_sync_and_nothing_is_done_twice(
    office: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, report = run(office, capsys, "index")
    assert code == 0, report
    assert {name: one["added"] for name, one in report["sources"].items()} == {
        "bucket": 2, "code": 1, "site": 2, "post": 2, "desk": 2, "wiki": 2,
    }  # fmt: skip
    text = "\n".join(documents(office, *ALL).values())
    assert all(one in text for one in NOTICE.values())
    code, again = run(office, capsys, "index")
    assert (code, again["promoted"]) == (0, False)
    assert again["generation"] == report["generation"]
    assert all(one["unchanged"] and not one["updated"] for one in again["sources"].values())


def test_two_people_asking_the_same_each_see_only_what_is_theirs(
    office: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(office, capsys, "index")[0] == 0
    mine = {
        "user:mia": {"bucket/notice.md", "desk/1", "wiki/10"},
        "user:mia@example.org": {"wiki/11", "post/m1@example.org"},
        "user:bob": {"code/notice.txt", "desk/1", "desk/2", "wiki/10"},
        "user:bob@example.org": {"post/m2@example.org"},
        "user:eve": set(),
    }
    open_to_all = {"bucket/public/notice.md"}
    for who, expected in mine.items():
        code, found = run(office, capsys, "search", QUESTION, "--as", who, "-k", "50")
        assert code == 0
        names = {hit["document"] for hit in found["hits"]}
        assert {one for one in names if not one.startswith("site/")} == expected | open_to_all, who
        _, asked = run(office, capsys, "ask", QUESTION, "--as", who, "--explain")
        shown = json.dumps(asked)
        theirs = expected | open_to_all | {"site"}
        assert not [name for name, said in NOTICE.items() if name not in theirs and said in shown], who
    code, _ = run(office, capsys, "sources", "show", "desk/2", "--as", "user:mia")
    assert code == 6
    code, tested = run(office, capsys, "access", "test", "--limit", "3")
    assert code == 0, tested


def test_what_is_deleted_or_taken_away_is_forgotten_everywhere(
    office: Path, company: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(office, capsys, "index")[0] == 0
    company.bucket.delete("policies/notice.md")
    company.code.commit({"notice.txt": None, "other.txt": "Nothing of interest.\n"})
    company.site.pages["/notice"] = doc("Visitors", "<p>Visitors register at the front desk.</p>")
    company.desk.run(company.database, "DELETE FROM tickets WHERE id = 1")
    company.wiki.delete("10")
    company.wiki.restrict("11", users=("someone@example.org",))
    box = company.post.client("desk")
    box.select("INBOX")
    box.store("1", "+FLAGS", "\\Deleted")
    box.expunge()
    box.logout()
    code, report = run(office, capsys, "index")
    assert code == 0, report
    assert {name: one["deleted"] for name, one in report["sources"].items()} == {
        "bucket": 1, "code": 1, "site": 0, "post": 1, "desk": 1, "wiki": 1,
    }  # fmt: skip
    assert report["sources"]["wiki"]["access_changed"] == 1
    assert report["proven_deleted"] == 5
    gone = (
        "bucket/notice.md",
        "code/notice.txt",
        "site",
        "desk/1",
        "wiki/10",
        "wiki/11",
        "post/m1@example.org",
    )
    for after in ("sync", "rollback"):
        text = "\n".join(documents(office, *ALL).values())
        kept = [name for name in gone if NOTICE[name] in text]
        # A changed page comes back with the generation that showed it; what was deleted or taken away never.
        assert kept == ([] if after == "sync" else ["site"]), after
        if after == "sync":
            assert run(office, capsys, "generations", "rollback")[0] == 0


@pytest.mark.parametrize("seed", range(3))
def test_faults_everywhere_change_nothing_of_the_end(
    office: Path, company: Company, capsys: pytest.CaptureFixture[str], tmp_path: Path, seed: int
) -> None:
    assert run(office, capsys, "index")[0] == 0
    whole = documents(office, *ALL)
    spoilt = tmp_path / "spoilt"
    spoilt.mkdir()
    (spoilt / "groups.csv").write_text(GROUPS)
    company.wiki.faults = Faults(0.1, seed=seed)
    company.site.faults = Faults(0.1, seed=seed)
    with (
        faulty(company.bucket.url, Faults(0.1, seed=seed)) as bucket,
        Proxy(company.post.port, rate=0.1, seed=seed, longest=1) as post,
    ):
        configure(spoilt, company, bucket=bucket.url, post=post.port)
        for _ in range(3):  # what gave no answer in one run is asked again in the next
            code, report = run(spoilt, capsys, "index")
            if code == 0 and not report["unreadable"]:
                break
        assert code == 0, report
    assert documents(spoilt, *ALL) == whole


def test_one_source_that_is_down_stops_none_and_loses_nothing(
    office: Path, company: Company, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(office, capsys, "index")[0] == 0
    before = documents(office, *ALL)
    for name in ("BUCKET_SECRET", "POST_PASSWORD", "WIKI_TOKEN"):
        monkeypatch.setenv(name, "not-the-secret")
    monkeypatch.setenv("DESK_URL", company.desk.of("no_such_database"))
    company.bucket.check_rights(after=0)
    try:
        company.code.commit({"news.txt": "The notice board hangs in the hall.\n"})
        code, report = run(office, capsys, "index")
    finally:
        company.bucket.check_rights(after=float("inf"))
    assert code == 4
    failed = {name: one["error"] for name, one in report["sources"].items() if one["status"] == "failed"}
    assert set(failed) == {"bucket", "post", "wiki", "desk"}
    assert all(report["sources"][name]["hint"] for name in failed)
    assert "not-the-secret" not in json.dumps(report)
    assert postgres.PASSWORD not in json.dumps(report)
    after = documents(office, *ALL)
    assert {name for name in after if name not in before} == {"code/news.txt"}
    assert {name: after[name] for name in before} == before
