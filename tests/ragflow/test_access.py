"""``access explain``: who may read a document now and why, for those who may be told."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

import ragflow
from ragflow import access, identity
from ragflow.cli import main
from ragflow.errors import NoGeneration, NotFound, ReaderError

LOGIN = identity.login()
Write = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write the configuration: readers of the source, and the rest of ``identity``."""

    def write(readers: str = "group:hr", rest: str = f"impersonate: [{LOGIN}]") -> None:
        (tmp_path / "ragflow.yaml").write_text(
            "version: 1\n"
            f"sources:\n  hr: {{type: files, path: docs, readers: [{readers}]}}\n"
            f"identity: {{{rest}}}\n"
        )

    return write


@pytest.fixture
def folder(tmp_path: Path, write: Write) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "pay.md").write_text("# Pay\n\nThe salary is paid on the 25th of each month.\n")
    (tmp_path / "docs" / "leave.md").write_text("# Leave\n\nLeave is 28 days.\n")
    write()
    with ragflow.open(tmp_path) as app:
        assert app.index().exit_code == 0
    return tmp_path


def explain(folder: Path, document: str = "hr/pay.md", *as_: str) -> access.Explained:
    with ragflow.open(folder) as app:
        return access.explain(app.config, document, as_)


def failing(found: access.Explained) -> list[str]:
    return [one.name for one in found.conditions if not one.holds]


def test_what_lets_a_reader_in_is_named(folder):
    found = explain(folder, "hr/pay.md", "group:hr", "group:sales")
    assert (found.may_read, found.by, found.who) == (True, ("group:hr",), ("group:hr",))
    assert found.origin == "configuration"
    assert failing(found) == []


def test_what_keeps_a_reader_out_is_named(folder):
    found = explain(folder, "hr/pay.md", "group:sales")
    assert not found.may_read
    assert found.by == ()
    assert failing(found) == ["now", "live"]
    assert found.conditions[3].because == "the store lets only group:hr read it"


def test_without_as_it_is_about_the_actor(folder):
    assert explain(folder).readers == ("everyone", f"user:{LOGIN}")
    assert not explain(folder).may_read


def test_a_user_is_asked_about_with_its_groups(folder, write):
    (folder / "groups.csv").write_text("hr,mia\n")
    write(rest=f"auditors: [{LOGIN}], groups: groups.csv")
    found = explain(folder, "hr/pay.md", "user:mia")  # an auditor may ask too
    assert found.readers == ("everyone", "group:hr", "user:mia")
    assert found.may_read


def test_a_grant_waits_for_the_generation_and_a_loss_does_not(folder, write):
    write("group:hr, group:sales")
    assert failing(explain(folder, "hr/pay.md", "group:sales")) == ["now", "live"]
    store = sqlite3.connect(folder / ".ragflow" / "store.sqlite")
    with store:  # what an index run does before its new generation is live
        store.execute('INSERT INTO acls (readers) VALUES (\'["group:hr", "group:sales"]\')')
        store.execute("UPDATE documents SET acl = (SELECT max(id) FROM acls)")
    store.close()
    found = explain(folder, "hr/pay.md", "group:sales")
    assert failing(found) == ["live"]
    assert found.conditions[4].because == ("until the next, the live generation lets only group:hr read it")
    assert found.who == ("group:hr",)
    with ragflow.open(folder) as app:
        app.index()
        assert explain(folder, "hr/pay.md", "group:sales").may_read
        write("group:sales")
    with ragflow.open(folder) as app:
        app.index()
    assert explain(folder, "hr/pay.md", "group:hr").may_read is False


def test_deleted_unreadable_and_unconfigured_are_told(folder):
    (folder / "docs" / "pay.md").unlink()
    (folder / "docs" / "scan.docx").write_bytes(b"PK no document")
    with ragflow.open(folder) as app:
        app.index()
    gone = explain(folder, "hr/pay.md", "group:hr")
    assert gone.deleted
    assert "not_deleted" in failing(gone)
    assert gone.who == ()
    broken = explain(folder, "hr/scan.docx", "group:hr")
    assert failing(broken) == ["has_text", "live"]
    text = (folder / "ragflow.yaml").read_text()
    (folder / "ragflow.yaml").write_text(text.replace("  hr:", "  people:"))
    assert failing(explain(folder, "hr/leave.md", "group:hr")) == ["configured"]


def test_readers_that_are_not_the_configured_ones_come_from_the_item(folder, write):
    write("everyone")
    assert explain(folder).origin == "item"


def test_damaged_access_is_nobodys(folder):
    store = sqlite3.connect(folder / ".ragflow" / "store.sqlite")
    with store:
        store.execute("UPDATE acls SET readers = '[\"group:hr'")
    store.close()
    found = explain(folder, "hr/pay.md", "group:hr")
    assert (found.now, found.live, found.may_read) == ((), (), False)
    assert found.conditions[3].because == "the store lets nobody read it"


def test_others_hear_the_same_of_what_is_there_and_what_is_not(folder, write, capsys):
    write(rest=f"principals: {{{LOGIN}: [user:mia, group:hr]}}")  # even one who may read it
    said = []
    for name in ("hr/pay.md", "hr/nil.md"):
        for more in ([], ["--as", "group:hr"], ["--json"]):
            code = main(["-C", str(folder), "access", "explain", name, *more])
            out, err = capsys.readouterr()
            said.append((code, (out + err).replace(name, "NAME")))
    assert said[:3] == said[3:]
    assert {code for code, _ in said} == {6}
    for name in ("hr/pay.md", "hr/nil.md"):
        with pytest.raises(NotFound, match=f"^not found: {name}$"):
            explain(folder, name)


def test_an_admin_hears_not_found_of_what_never_was(folder):
    with pytest.raises(NotFound, match="not found: hr/nil"):
        explain(folder, "hr/nil")
    with pytest.raises(ReaderError):
        explain(folder, "hr/pay.md", "hr")


def test_nothing_indexed_is_said(tmp_path, write):
    write()
    with pytest.raises(NoGeneration):
        explain(tmp_path)


def test_the_object_and_the_words(folder, capsys):
    assert main(["-C", str(folder), "access", "explain", "hr/pay.md", "--as", "group:hr", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    generation = shown["live"].pop("generation")
    assert generation.startswith("g-")
    assert shown == {
        "schema": "ragflow.access/1",
        "document": "hr/pay.md",
        "source": {"name": "hr", "type": "files", "readers": ["group:hr"], "readers_from": "configuration"},
        "now": {"readers": ["group:hr"], "deleted": False, "unreadable": None},
        "live": {"readers": ["group:hr"]},
        "may_read_now": ["group:hr"],
        "readers": ["everyone", "group:hr"],
        "may_read": True,
        "by": ["group:hr"],
        "conditions": [
            {"condition": "configured", "holds": True, "because": "source hr is configured"},
            {"condition": "not_deleted", "holds": True, "because": "it was not deleted"},
            {"condition": "has_text", "holds": True, "because": "it has text"},
            {"condition": "now", "holds": True, "because": "the store lets group:hr read it"},
            {"condition": "live", "holds": True, "because": "the live generation lets group:hr read it"},
        ],
    }
    assert main(["-C", str(folder), "access", "explain", "hr/pay.md", "--as", "group:sales"]) == 0
    assert capsys.readouterr().out == (
        "hr/pay.md, of source hr\n"
        "  may be read now by   group:hr\n"
        "  the store lets in    group:hr\n"
        "  the live generation  group:hr\n"
        "  readers come from    the configuration of its source\n"
        "\n"
        "everyone, group:sales: may NOT read it\n"
        "  yes  source hr is configured\n"
        "  yes  it was not deleted\n"
        "  yes  it has text\n"
        "  NO   the store lets only group:hr read it\n"
        "  NO   the live generation lets only group:hr read it\n"
    )
