"""docs/routing.md is true: its sessions run as they stand, on a fresh copy of the example."""

import importlib.util
import shutil
import sys
from pathlib import Path


def test_the_sessions_do_what_they_show(repository: Path, tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("readme_sessions", repository / "tests" / "test_readme.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look their module up by name
    spec.loader.exec_module(module)
    ignored = shutil.ignore_patterns(".ragflow", "__pycache__", "originals")
    shutil.copytree(repository / "examples", tmp_path / "clone" / "examples", ignore=ignored)
    steps = module.sessions((repository / "docs" / "routing.md").read_text(encoding="utf-8"))
    assert len(steps) > 5
    assert module.play(steps, tmp_path / "clone") == []
