"""docs/models.md is true: its session runs as it stands, on a fresh copy of the example."""

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def sessions(repository: Path) -> ModuleType:
    """The player of the README's sessions."""
    spec = importlib.util.spec_from_file_location("readme_sessions", repository / "tests" / "test_readme.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Its dataclasses look their module up by name.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_session_does_what_it_shows(sessions: ModuleType, repository: Path, tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns(".ragflow", "__pycache__", "originals")
    shutil.copytree(repository / "examples", tmp_path / "clone" / "examples", ignore=ignored)
    steps = sessions.sessions((repository / "docs" / "models.md").read_text(encoding="utf-8"))
    assert len(steps) > 5
    assert sessions.play(steps, tmp_path / "clone") == []
