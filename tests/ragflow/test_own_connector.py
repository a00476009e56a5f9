"""docs/connectors/your-own.md is true: its files run as they stand, in a program of their own."""

import json
import os
import re
import subprocess
import sys
import tomllib

import pytest

from ragflow import identity

FILES = re.compile(r"`([\w.]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NOTES = [
    {"id": "keys", "title": "Keys", "text": "The key of the boathouse hangs in the office.", "team": None},
    {"id": "pay", "title": "Pay", "text": "The night watch is paid 40 euros an hour.", "team": "pay"},
]


@pytest.fixture(scope="module")
def written(repository):
    page = (repository / "docs" / "connectors" / "your-own.md").read_text(encoding="utf-8")
    return dict(FILES.findall(page))


@pytest.fixture
def installed(written, tmp_path, repository):
    """A folder with the page's distribution installed in it, and a workspace; runs a command there."""
    place, work = tmp_path / "site", tmp_path / "work"
    place.mkdir()
    work.mkdir()
    for name in ("acme_notes.py", "test_acme_notes.py"):
        (place / name).write_text(written[name])
    project = tomllib.loads(written["pyproject.toml"])["project"]
    about = place / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    ((group, entries),) = project["entry-points"].items()
    lines = [f"[{group}]", *(f"{name} = {target}" for name, target in entries.items())]
    (about / "entry_points.txt").write_text("\n".join(lines))
    stand_in = f"identity: {{impersonate: [{identity.login()}]}}\n"
    (work / "ragflow.yaml").write_text(stand_in + written["ragflow.yaml"])
    (work / "notes.json").write_text(json.dumps(NOTES))

    def run(*command, folder=work):
        paths = os.pathsep.join([str(place), str(repository)])
        environment = {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(
            [sys.executable, "-m", *command],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_the_connector_is_at_most_40_lines(written):
    assert len(written["acme_notes.py"].splitlines()) <= 40


def test_its_own_test_passes(installed, tmp_path):
    done = installed("pytest", "-q", "-p", "no:cacheprovider", "test_acme_notes.py", folder=tmp_path / "site")
    assert done.returncode == 0, done.stdout
    assert "8 passed" in done.stdout


def test_the_program_finds_tests_indexes_and_searches_it(installed):
    listed = installed("ragflow.cli", "connectors", "list", "--json")
    rows = {row["type"]: row for row in map(json.loads, listed.stdout.splitlines())}
    assert (rows["notes"]["by"], rows["notes"]["sources"]) == ("acme-notes 1.0", ["notes"])
    tested = installed("ragflow.cli", "connectors", "test", "--json")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    found = json.loads(tested.stdout)["sources"]["notes"]
    assert (found["status"], found["items"], found["fetched"], found["parsed"]) == ("ok", 2, 2, "keys")
    indexed = installed("ragflow.cli", "index")
    assert indexed.returncode == 0, indexed.stdout + indexed.stderr
    assert "2" in indexed.stdout

    def found(reader):
        done = installed("ragflow.cli", "search", "the key, the pay", "--as", reader, "--json")
        return {hit["document"] for hit in json.loads(done.stdout)["hits"]}

    assert found("group:office") == {"notes/keys", "notes/pay"}
    assert found("group:pay") == {"notes/pay"}
    assert found("group:other") == set()


def test_a_connector_that_breaks_down_fails_its_source_and_no_other(installed, tmp_path):
    file = tmp_path / "work" / "ragflow.yaml"
    file.write_text(
        file.read_text() + "  bad: {type: notes, readers: [everyone], options: {fil: notes.json}}\n"
    )
    done = installed("ragflow.cli", "index", "--json")
    report = json.loads(done.stdout)["sources"]
    assert done.returncode == 4
    assert (report["notes"]["status"], report["notes"]["added"]) == ("ok", 2)
    assert report["bad"]["error"] == "the connector \"notes\" broke down while listing: KeyError: 'file'"
    assert "Traceback" not in done.stdout + done.stderr
