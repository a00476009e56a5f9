"""``index.url`` as a user meets it: the command line over a scripted Qdrant server."""

import json
import sys

import pytest
from qdrant_faults import UPSERT, status
from qdrant_server import QdrantServer

from ragflow.cli import main
from ragflow.identity import login

CONFIG = """\
version: 1
sources:
  hr: {type: files, path: docs, readers: [everyone]}
  board: {type: files, path: board, readers: [group:board]}
identity: {impersonate: ["*"]}
"""


@pytest.fixture
def folder(tmp_path):
    for name, text in (
        ("docs/leave.md", "# Leave\n\nEmployees get 28 days of annual leave.\n"),
        ("docs/travel.md", "# Travel\n\nHotels above 140 euro need an approval.\n"),
        ("board/secret.md", "# Board\n\nThe annual leave of the board is 99 days.\n"),
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    (tmp_path / "ragflow.yaml").write_text(CONFIG.replace("*", login()))
    return tmp_path


@pytest.fixture
def run(folder, capsys):
    def run(*arguments, url=None):
        setting = ["--set", f"index.url={url}", "--set", "index.qdrant.retries=0"] if url else []
        code = main(["-C", str(folder), *setting, *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def found(run, question, url=None, readers="everyone"):
    code, out, err = run("search", question, "--as", readers, "--json", url=url)
    assert code == 0, err
    return {key: value for key, value in json.loads(out).items() if key != "timings_ms"}


def test_the_same_answers_come_through_the_server_and_not_before_it_has_them(run, qdrant_server):
    url = qdrant_server.url
    assert run("index")[0] == 0
    code, _, err = run("ask", "How many days of annual leave?", url=url)
    assert code == 3
    assert "does not hold the generation" in err
    assert "hint: ragflow generations push" in err
    code, out, _ = run("generations", "push", url=url)
    assert (code, "3 of 3 chunks sent, live there" in out) == (0, True)
    assert "all there already" in run("generations", "push", url=url)[1]
    for readers in ("everyone", "group:board"):
        for question in ("How many days of annual leave?", "hotel"):
            assert found(run, question, url, readers) == found(run, question, None, readers)
    assert run("ask", "How many days of annual leave?", url=url)[0] == 0
    assert "all 3 chunks" in run("doctor", url=url)[1]


def test_what_is_indexed_goes_there_and_what_is_forgotten_goes_from_there(run, folder, qdrant_server):
    url = qdrant_server.url
    assert run("index", url=url)[0] == 0
    (folder / "docs" / "pump.md").write_text("# Pump\n\nThe pump stands in hall 7.\n")
    assert run("index", url=url)[0] == 0
    assert found(run, "pump", url)["hits"][0]["document"] == "hr/pump.md"
    assert run("generations", "rollback", url=url)[0] == 0
    assert "ok    index server" in run("doctor", url=url)[1]
    assert run("sources", "forget", "hr/leave.md", url=url)[0] == 0
    bodies = [
        qdrant_server.ask("POST", f"/collections/{name}/points/scroll", {"limit": 100})
        for name in qdrant_server.collections()
    ]
    assert bodies
    assert "hr/leave.md" not in json.dumps(bodies)
    assert "ok    index server" in run("doctor", url=url)[1]


@pytest.mark.parametrize("at", ["PUT", "alias"])
def test_a_server_that_fails_on_the_way_leaves_the_live_index_as_it_was(run, folder, qdrant_server, at):
    url = qdrant_server.url
    assert run("index", url=url)[0] == 0
    before = found(run, "annual leave", url)
    (folder / "docs" / "pump.md").write_text("# Pump\n\nThe annual leave of the pump.\n")
    qdrant_server.add(status(503, at=UPSERT if at == "PUT" else "POST /collections/aliases"))
    code, _, err = run("index", url=url)
    assert code == 4
    assert "error: the Qdrant server at" in err
    assert "answers with 503" in err
    assert found(run, "annual leave", url) == before
    assert run("index", url=url)[0] == 0
    assert found(run, "annual leave", url) != before


def test_a_wrong_key_and_no_server_are_a_sentence_each(run, monkeypatch, unused):
    with QdrantServer(key="right") as server:
        monkeypatch.setenv("QDRANT_API_KEY", "wrong")
        code, _, err = run("index", url=server.url)
        assert code == 4
        assert "refuses the key" in err
        assert "wrong" not in err.replace("refuses", "")
        monkeypatch.setenv("QDRANT_API_KEY", "right")
        assert run("index", url=server.url)[0] == 0
    code, _, err = run("ask", "annual leave", url=f"http://127.0.0.1:{unused}")
    assert code == 4
    assert "does not answer (no connection)" in err
    assert run("ask", "annual leave")[0] == 0


def test_pushing_without_a_server_says_which_key_names_one(run):
    assert run("index")[0] == 0
    code, _, err = run("generations", "push")
    assert code == 2
    assert "index.url is not set" in err


def test_without_the_extra_one_sentence_says_so(run, monkeypatch):
    assert run("index")[0] == 0
    for name in [one for one in sys.modules if one.partition(".")[0] == "qdrant_client"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "qdrant_client", None)
    for command in (("ask", "annual leave"), ("index",), ("generations", "push")):
        code, _, err = run(*command, url="http://127.0.0.1:6333")
        assert code == 2
        assert "error: index.url needs the package qdrant-client, which is not installed" in err
        assert 'pip install "ragflow[qdrant]"' in err


@pytest.fixture
def unused():
    import socket

    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
