"""Sources that cannot even be made fail alone; what was kept for sources that are no more is deleted."""

import json

import pytest

from ragflow.cli import main

UNSET = "RAGFLOW_TEST_NO_SUCH_VARIABLE"
BROKEN = {
    "s3 key": f"{{type: files, path: 's3://docs/x', storage: {{key_env: {UNSET}, secret_env: {UNSET}}}}}",
    "git token": f"{{type: git, path: 'https://code.example/x.git', token_env: {UNSET}}}",
    "web token": f"{{type: web, start: ['https://site.example/'], token_env: {UNSET}}}",
    "mail password": f"{{type: mail, imap: {{host: 127.0.0.1, user: desk, password_env: {UNSET}}}}}",
    "sql url": f"{{type: sql, url_env: {UNSET}, query: SELECT 1, key: id, text: x}}",
    "rest token": f"{{type: rest, url: 'https://api.example/x', items: results, auth: {{token_env: {UNSET}}},"
    " item: {version: [v]}, content: {path: text}}",
    "s3 bucket's name": "{type: files, path: 's3://D!/x'}",
    "protocol": "{type: files, path: 'ftp://host/x'}",
    "git link": "{type: git, path: 'https://code.example/x.git', link: 'https://code.example/{nothing}'}",
}


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.delenv(UNSET, raising=False)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# Leave\n\nEmployees get 28 days of leave.\n")
    return tmp_path


@pytest.mark.parametrize("kind", BROKEN)
def test_a_source_that_cannot_be_made_fails_and_the_others_are_done(workspace, capsys, kind):
    good = "{type: files, path: docs, readers: [everyone]}"
    (workspace / "ragflow.yaml").write_text(f"version: 1\nsources:\n  bad: {BROKEN[kind]}\n  good: {good}\n")
    code = main(["-C", str(workspace), "index", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert code == 4, report
    bad, good = report["sources"]["bad"], report["sources"]["good"]
    assert (bad["status"], good["status"], good["added"]) == ("failed", "ok", 1)
    assert bad["hint"]
    if UNSET in BROKEN[kind]:
        assert f"{UNSET} is not set" in bad["error"]
    assert main(["-C", str(workspace), "connectors", "test", "--json"]) == 8
    tested = json.loads(capsys.readouterr().out)["sources"]
    assert (tested["bad"]["error"], tested["bad"]["hint"]) == (bad["error"], bad["hint"])
    assert tested["good"]["status"] == "ok"


def test_what_a_connector_kept_is_deleted_once_its_source_is_configured_no_more(workspace, capsys):
    one = "{type: files, path: docs, readers: [everyone]}"
    (workspace / "ragflow.yaml").write_text(f"version: 1\nsources:\n  hr: {one}\n")
    for name in ("hr", "old"):
        folder = workspace / ".ragflow" / "sources" / name
        folder.mkdir(parents=True)
        (folder / "mirror").write_text("all that the source ever held")
    assert main(["-C", str(workspace), "index", "--dry-run"]) == 0
    assert (workspace / ".ragflow" / "sources" / "old").is_dir()
    assert main(["-C", str(workspace), "index"]) == 0
    assert [one.name for one in (workspace / ".ragflow" / "sources").iterdir()] == ["hr"]
    capsys.readouterr()
