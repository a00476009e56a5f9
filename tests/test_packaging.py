"""What is declared, pinned and installed agree, and the front doors keep apart."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution, distributions, metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

TORCH_AND_FRIENDS = {"torch", "transformers", "sentence-transformers", "litellm", "unstructured", "ragas"}
TEST_TOOLS = {"pytest", "mypy", "ruff", "hypothesis", "coverage"}
# What a new environment holds before anything is installed.
INSTALLERS = {"pip", "setuptools", "wheel"}


@pytest.fixture(scope="module")
def pins(repository):
    """Canonical name -> exact version, from constraints.txt."""
    lines = (repository / "constraints.txt").read_text().splitlines()
    found = {}
    for line in lines:
        if line and not line.startswith("#"):
            name, separator, version = line.partition("==")
            assert separator, line
            found[canonicalize_name(name)] = version
    return found


def closure(extra):
    """Canonical names of all that ragflow needs, with one of its extras or with none ("")."""
    waiting, seen = [("ragflow", frozenset({extra}))], set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        for line in distribution(name).requires or []:
            need = Requirement(line)
            if need.marker is None or any(need.marker.evaluate({"extra": one}) for one in extras):
                waiting.append((canonicalize_name(need.name), frozenset(need.extras or {""})))
    return {name for name, _ in seen} - {"ragflow"}


def test_no_index_takes_an_upload_of_this_project():
    assert "Private :: Do Not Upload" in metadata("ragflow").get_all("Classifier")


def test_the_default_install_holds_neither_torch_nor_test_tools():
    assert closure("") & (TORCH_AND_FRIENDS | TEST_TOOLS) == set()
    assert closure("all") >= TORCH_AND_FRIENDS
    assert closure("dev") >= TEST_TOOLS


def test_everything_that_an_install_brings_is_pinned(pins):
    needed = closure("") | closure("all") | closure("dev")
    assert sorted(needed - set(pins) - INSTALLERS) == []


def test_what_is_installed_here_is_what_is_pinned(pins):
    """A version with a local part (a build without CUDA, say) is that version."""
    here = {canonicalize_name(one.metadata["Name"]): one.version.split("+")[0] for one in distributions()}
    both = set(here) & set(pins) - INSTALLERS
    assert {name: here[name] for name in both} == {name: pins[name] for name in both}


def test_a_pin_names_no_build_of_one_machine(pins):
    assert {name: version for name, version in pins.items() if not re.fullmatch(r"[0-9a-z.]+", version)} == {}


def test_the_weights_are_pinned_by_hash(repository):
    text = (repository / "requirements" / "weights.txt").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert [bool(re.fullmatch(r"[a-z0-9-]+==\S+\s+--hash=sha256:[0-9a-f]{64}", line)) for line in lines] == [
        True
    ]


def test_the_extras_and_the_command_are_the_pinned_ones(repository):
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    extras = {"s3", "transformers", "unstructured", "qdrant", "postgres", "llm", "telemetry", "ragas"} | {
        "all",
        "dev",
    }
    assert set(project["optional-dependencies"]) == extras
    assert project["scripts"] == {"ragflow": "ragflow.cli:main"}
    assert project["requires-python"] == ">=3.11"


def recipe(repository, target):
    """What `make TARGET` would run on a fresh clone."""
    command = ["make", "--dry-run", "--always-make", target]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("target", ["test", "check", "soak", "cover"])
def test_tests_and_checks_never_touch_the_default_install(repository, need_system, target):
    need_system("make", "the front doors are its targets")
    commands = recipe(repository, target)
    assert ".venv-test/" in commands
    assert re.search(r"\.venv(?!-test)\b", commands) is None
    assert "apt" not in re.findall(r"[a-z]+", commands)


@pytest.mark.parametrize("target", ["demo", "size"])
def test_the_demo_and_its_size_never_touch_the_test_install(repository, need_system, target):
    need_system("make", "the front doors are its targets")
    commands = recipe(repository, target)
    assert ".venv/" in commands
    assert ".venv-test" not in commands
    assert "[" not in re.findall(r"--editable \S*", commands)[0]


def test_the_list_of_third_parties_is_current(repository):
    command = [sys.executable, "docs/generate_third_party.py", "--check"]
    result = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
