"""docs/workflows.md is true: its session and its Python run as they stand, and it names all of the API."""

import importlib.util
import inspect
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress

import pytest

import ragflow.workflows
from ragflow.workflows.flow import Flow


@pytest.fixture(scope="module")
def page(repository):
    return (repository / "docs" / "workflows.md").read_text(encoding="utf-8")


@pytest.fixture
def clone(repository, tmp_path):
    ignored = shutil.ignore_patterns(
        ".ragflow", "__pycache__", "originals", "mails", "*.sqlite", "[a-z]-*.md"
    )
    shutil.copytree(repository / "examples", tmp_path / "clone" / "examples", ignore=ignored)
    return tmp_path / "clone"


@pytest.fixture
def sessions(repository):
    """The player of the README's sessions, with this checkout first on the path."""
    spec = importlib.util.spec_from_file_location("readme_sessions", repository / "tests" / "test_readme.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look their module up by name

    spec.loader.exec_module(module)

    class Shell(module.Shell):
        def __init__(self, folder):
            super().__init__(folder)
            self.environment |= {"PYTHONPATH": str(repository)}

    module.Shell = Shell
    return module


def test_the_session_does_what_it_shows(page, clone, sessions):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    settings = clone / "examples" / "northwind" / "support" / "ragflow.yaml"
    settings.write_text(settings.read_text().replace("8025", port))
    steps = sessions.sessions(page.replace("8025", port))
    assert len(steps) > 10
    try:
        wrong = sessions.play(steps, clone)
        assert wrong == [], "\n".join(f"$ {one[0]}\n{one[2]}" for one in wrong)
    finally:
        with suppress(OSError, ValueError):
            os.kill(int((settings.parent / "mails" / "pid").read_text()), signal.SIGTERM)


def test_the_python_is_a_workflow_that_runs(page, clone, repository):
    (block,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    desk = clone / "examples" / "northwind" / "support"
    (desk / "letters.py").write_text(block)
    settings = desk / "ragflow.yaml"
    settings.write_text(settings.read_text().replace("[support, patterns]", "[letters]"))
    environment = {**os.environ, "PYTHONPATH": str(repository)}

    def run(*command):
        return subprocess.run(
            [sys.executable, "-m", "ragflow.cli", *command], cwd=desk, env=environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    assert run("index").returncode == 0
    done = run("run", "letter", 'question="When do goods leave the warehouse?"', "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["output"]["letter"].startswith("Dear customer,\n\nGoods in stock leave")


def test_every_name_of_the_api_is_on_the_page(page):
    methods = [name for name, _ in inspect.getmembers(Flow) if not name.startswith("_")]
    assert [name for name in methods if f"flow.{name}" not in page] == []
    assert [name for name in ragflow.workflows.__all__ if name not in page] == []


def test_the_signatures_of_the_page_are_those_of_the_program(page):
    for name, function in inspect.getmembers(Flow, inspect.isfunction):
        if name.startswith("_"):
            continue
        (shown,) = re.findall(rf"`flow\.{name}\((.*?)\)`(?= \|)", page)
        own = [one for one in inspect.signature(function).parameters if one != "self"]
        assert re.findall(r"(\w+)(?:=[^,]*)?(?:, |$)", shown.replace("*", "")) == own, name


def test_the_links_lead_to_files_that_exist(page, repository):
    links = re.findall(r"\]\((?!https:)([^)#]+)(?:#[^)]*)?\)", page)
    assert [link for link in links if not (repository / "docs" / link).exists()] == []
