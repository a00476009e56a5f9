"""Questions aimed at what is hidden show nothing of it; ``benchmarks/leaks.py`` asks them in full."""

import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from indexes.embedding import Embedder
from indexes.view import View
from ragflow import parts


@pytest.fixture(scope="module")
def leaks(repository: Path) -> ModuleType:
    spec = spec_from_file_location("leaks", repository / "benchmarks" / "leaks.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["leaks"] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


def test_nothing_hidden_shows(
    leaks: ModuleType,
    tmp_path: Path,
    embedder: Embedder,
    monkeypatch: pytest.MonkeyPatch,
    rounds: Callable[..., int],
) -> None:
    monkeypatch.setattr(parts, "embedder", lambda _, **__: embedder)
    amounts = leaks.Amounts(
        documents=rounds(fast=80, soak=500),
        questions=rounds(fast=80, soak=10_000),
        commands=rounds(fast=4, soak=100),
        seed=7,
    )
    figures = leaks.measure(tmp_path, embedder, amounts)
    assert figures.leaks == []
    assert figures.found_of_ones_own > rounds(fast=20, soak=3_000)


def test_a_mask_that_forgets_who_asks_is_noticed(
    leaks: ModuleType, tmp_path: Path, embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "embedder", lambda _, **__: embedder)
    right = View.readable
    everyone = frozenset(leaks.READERS)
    monkeypatch.setattr(
        View, "readable", lambda self, _, sources, access: right(self, everyone, sources, access)
    )
    assert leaks.measure(tmp_path, embedder, leaks.Amounts(40, 30, 1, seed=7)).leaks
