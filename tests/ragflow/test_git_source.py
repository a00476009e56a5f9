"""A `git` source of ragflow.yaml: indexed, asked, and the links of its citations followed to the line."""

import base64

import pytest
from git_server import Clone

import ragflow
from connectors.errors import SourceMisconfigured
from ragflow.config import load
from ragflow.sources import spec

LEAVE = """\
---
title: Leave
---

# Annual leave



Employees of all offices
get 28 days of paid annual leave
in each calendar year.
"""
NOTES = "first line\n\n\n\nThe cafeteria opens at 11:45 on working days.\n"
EVERYONE = ["everyone"]


@pytest.fixture
def clone(tmp_path):
    clone = Clone(tmp_path / "code")
    clone.commit(
        {"docs/leave.md": LEAVE, "notes.txt": NOTES, "hr/bands.txt": "Bands start at 74,000 euros.\n"}
    )
    return clone


def write(tmp_path, text):
    file = tmp_path / "ragflow.yaml"
    file.write_text(f"sources:\n  code:\n    type: git\n{text}")
    return file


@pytest.fixture
def app(clone, tmp_path):
    write(
        tmp_path,
        "    path: code\n    readers: [group:hr]\n"
        "    readers_by: [{glob: 'hr/**', readers: []}, {glob: '**', readers: [everyone]}]\n"
        "    link: 'https://code.example/blob/{commit}/{path}#L{line}'\n",
    )
    with ragflow.open(tmp_path) as opened:
        assert opened.index().exit_code == 0
        yield opened


def test_a_citation_opens_at_the_line_of_what_it_quotes(app, clone):
    commit = clone.git("rev-parse", "HEAD")
    for question, path, word in (
        ("How many days of paid annual leave do employees get?", "docs/leave.md", "28 days"),
        ("When does the cafeteria open?", "notes.txt", "11:45"),
    ):
        answer = app.ask(question, readers=EVERYONE)
        cited = next(one for one in answer.citations if word in one.quote)
        text = (LEAVE if path.endswith("md") else NOTES).splitlines()
        line = next(number for number, one in enumerate(text, 1) if cited.quote.split()[0] in one)
        assert cited.link == f"https://code.example/blob/{commit}/{path}#L{line}"
        assert app.verify(answer.run, readers=EVERYONE).exit_code == 0


def test_a_hit_opens_where_its_chunk_starts_and_a_document_where_it_lies(app, clone):
    commit = clone.git("rev-parse", "HEAD")
    hits = app.search("cafeteria", readers=EVERYONE)
    assert hits[0].link.startswith(f"https://code.example/blob/{commit}/notes.txt#L")
    shown = app.show("code/notes.txt", readers=EVERYONE)
    assert shown["link"] == f"https://code.example/blob/{commit}/notes.txt"
    assert (shown["author"], shown["modified"]) == ("Mia", "2026-01-01T00:01:00Z")


def test_lines_move_with_the_file_though_its_text_stays(app, clone):
    clone.commit({"notes.txt": NOTES.replace("\n\n", "\n\n\n\n\n")})
    assert app.index().exit_code == 0
    answer = app.ask("When does the cafeteria open?", readers=EVERYONE)
    number = (
        NOTES.replace("\n\n", "\n\n\n\n\n").split("\n").index("The cafeteria opens at 11:45 on working days.")
        + 1
    )
    assert answer.citations[0].link.endswith(f"notes.txt#L{number}")


def test_what_no_glob_opens_nobody_reads(app):
    for readers in (EVERYONE, ["group:hr"]):
        assert not [hit for hit in app.search("bands euros", readers=readers) if "bands" in hit.document]


def test_another_commit_alone_makes_no_generation(app, clone):
    before = app.index().sync.generation
    clone.commit({".github/ci.yml": "hidden"})
    clone.commit({})
    assert app.index().sync.generation == before


def test_a_token_comes_from_the_named_variable(tmp_path, monkeypatch):
    file = write(tmp_path, "    path: https://code.example/p.git\n    token_env: CODE_TOKEN\n")
    with pytest.raises(SourceMisconfigured, match="CODE_TOKEN"):
        spec(load(file, environ={}), "code")
    monkeypatch.setenv("CODE_TOKEN", "hunter2")
    made = spec(load(file, environ={}), "code")
    assert made.fetchers == 4
    assert "hunter2" not in repr(made)
    assert base64.b64encode(b"hunter2").decode() not in repr(made)


def test_a_transport_that_runs_programs_is_no_path(tmp_path):
    file = write(tmp_path, "    path: 'ext::sh -c id'\n")
    with pytest.raises(SourceMisconfigured, match="ext"):
        spec(load(file, environ={}), "code")
