"""docs/evals.md is true: its session and its Python run as they stand, on a fresh copy of the example."""

import importlib.util
import re
import shutil
import subprocess
import sys

import pytest

from evals import metrics


@pytest.fixture(scope="module")
def page(repository):
    return (repository / "docs" / "evals.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def sessions(repository):
    """The player of the README's sessions."""
    spec = importlib.util.spec_from_file_location("readme_sessions", repository / "tests" / "test_readme.py")
    module = importlib.util.module_from_spec(spec)
    # Its dataclasses look their module up by name.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_session_does_what_it_shows(page, sessions, repository, tmp_path):
    ignored = shutil.ignore_patterns(".ragflow", "__pycache__", "originals")
    shutil.copytree(repository / "examples", tmp_path / "clone" / "examples", ignore=ignored)
    steps = sessions.sessions(page)
    assert len(steps) > 5
    assert sessions.play(steps, tmp_path / "clone") == []


def test_the_python_runs(page, tmp_path):
    (block,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "1.0\n"), done.stderr


def test_every_default_metric_is_explained(page):
    table = page.partition("\n## Metrics\n")[2].partition("\n## ")[0]
    written = re.findall(r"`([^`]+)`", table)
    for group in (metrics.RETRIEVAL, metrics.ANSWERS, metrics.REFUSALS, metrics.ROUTING, metrics.COSTS):
        for name in group:
            base, _, level = name.partition("@")
            told = name in written or (base.startswith("citation") and f"@{level}" in written)
            # Both limits of CRAG are told of by the words that tables print for them.
            told = told or name in {"CRAG_refuse_all", "CRAG_answer_all"}
            assert told, name


def test_the_links_lead_to_files_that_exist(page, repository):
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page)
    assert [link for link in links if not (repository / "docs" / link).exists()] == []
