"""A mail source of ragflow.yaml, from the configuration to what a person finds."""

import json
from pathlib import Path

import pytest

import ragflow
from connectors.mail.imap import Imap
from connectors.mail.maildir import Maildir
from connectors.mail.mbox import Mbox
from ragflow.config import load
from ragflow.doctor import _configuration
from ragflow.sources import spec

MESSAGE = """\
From {sender} Mon Nov  2 10:00:00 2026
Message-ID: <{id}@example.org>
From: {sender}
To: {to}
Subject: {subject}

{body}

"""


def configured(folder: Path, *lines: str) -> Path:
    file = folder / "ragflow.yaml"
    file.write_text("version: 1\nsources:\n" + "".join(f"  {line}\n" for line in lines))
    return file


def test_the_section_decides_box_access_and_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dir").mkdir()
    server = "imap: {host: mail.example.org, user: mia, password_env: MAIL_PASSWORD}"
    config = load(
        configured(
            tmp_path,
            "one: {type: mail, path: m.mbox, readers: [group:it], parallel: 3}",
            "two: {type: mail, path: dir, participants: true}",
            f"three: {{type: mail, participants: true, readers: [group:it], {server}}}",
            f"four: {{type: mail, readers: [], {server}}}",
        ),
        environ={},
    )
    monkeypatch.setenv("MAIL_PASSWORD", "hunter2-x")
    specs = {name: spec(config, name) for name in config.sources}
    boxes = {name: type(one.connector._box) for name, one in specs.items()}
    assert boxes == {"one": Mbox, "two": Maildir, "three": Imap, "four": Imap}
    ceilings = {name: one.ceiling for name, one in specs.items()}
    assert ceilings == {"one": {"group:it"}, "two": None, "three": None, "four": frozenset()}
    assert (specs["one"].fetchers, specs["two"].fetchers) == (3, 4)
    assert specs["three"].connector._box._server.password == "hunter2-x"
    assert "hunter2" not in repr(config)
    # Without readers of its own, a source of participants is still read by them.
    assert "nobody may read four:" in _configuration(config).message


def test_two_people_find_their_own_mail_and_a_missing_password_stops_no_other_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MAIL_PASSWORD", raising=False)
    mails = [
        {
            "id": "a",
            "sender": "mia@example.org",
            "to": "bob@example.org",
            "subject": "Re: Vault",
            "body": "The vault code is on the list.",
        },
        {
            "id": "b",
            "sender": "eve@example.org",
            "to": "zoe@example.org",
            "subject": "Vault",
            "body": "The vault is painted green.",
        },
    ]
    (tmp_path / "m.mbox").write_text("".join(MESSAGE.format(**one) for one in mails))
    configured(
        tmp_path,
        "post: {type: mail, path: m.mbox, participants: true}",
        "server: {type: mail, imap: {host: localhost, user: mia, password_env: MAIL_PASSWORD}}",
    )
    with ragflow.open(tmp_path) as app:
        report = app.index().to_json()
        assert report["sources"]["post"]["added"] == 2
        assert "MAIL_PASSWORD" in json.dumps(report["sources"]["server"])

        def found(*readers: str) -> list[str]:
            return [hit.document for hit in app.search("Where is the vault?", readers=list(readers))]

        assert found("user:bob@example.org") == ["post/a@example.org"]
        assert found("user:zoe@example.org") == ["post/b@example.org"]
        assert found("everyone") == []
