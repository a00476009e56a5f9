"""The floors hold, and the check that says so fails when one is broken."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FLOORS = ["ragflow", "evals", "indexes", "connectors"]
MODULE_LINES = 400


def lint_imports(folder):
    """Run the project's own contracts over the packages in a folder."""
    program = str(Path(sys.executable).with_name("lint-imports"))
    command = [program, "--no-cache", "--config", "pyproject.toml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def house(repository, tmp_path):
    """A copy of the four packages with the project's contracts."""
    for floor in FLOORS:
        shutil.copytree(repository / floor, tmp_path / floor, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(repository / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_house_as_it_stands_keeps_its_contracts(house):
    result = lint_imports(house)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("floor", "line", "contract"),
    [
        ("connectors", "import indexes.query", "A floor imports only floors below it"),
        ("connectors", "import evals", "A floor imports only floors below it"),
        ("indexes", "import ragflow", "A floor imports only floors below it"),
        ("evals", "from ragflow import errors", "A floor imports only floors below it"),
        ("indexes", "import logging", "Lower floors never log"),
        ("ragflow", "def late():\n    import torch", "What only an extra brings"),
    ],
)
def test_a_broken_contract_is_seen(house, floor, line, contract):
    (house / floor / "trespass.py").write_text(f'"""Breaks a rule."""\n\n{line}\n')
    result = lint_imports(house)
    assert result.returncode != 0
    broken = [row for row in result.stdout.splitlines() if " BROKEN" in row]
    assert [row.startswith(contract) for row in broken] == [True], result.stdout


def modules(repository, floors):
    paths = [path for floor in floors for path in sorted((repository / floor).rglob("*.py"))]
    assert paths
    return paths


def reads_environment(path):
    """Lines of a module where it touches the process's environment."""
    touched = {"environ", "environb", "getenv", "putenv"}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        node.lineno
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and node.attr in touched)
        or (isinstance(node, ast.ImportFrom) and any(name.name in touched for name in node.names))
    ]


def test_lower_floors_never_read_the_environment(repository):
    lower = modules(repository, ["evals", "indexes", "connectors"])
    assert {str(path): lines for path in lower if (lines := reads_environment(path))} == {}


def test_no_module_is_longer_than_a_person_can_hold(repository):
    lengths = {str(path): len(path.read_text().splitlines()) for path in modules(repository, FLOORS)}
    assert {path: length for path, length in lengths.items() if length > MODULE_LINES} == {}


def test_every_floor_ships_its_types(repository):
    assert [floor for floor in FLOORS if not (repository / floor / "py.typed").exists()] == []
