"""The embedded index keeps the laws of every index."""

from collections.abc import Callable, Sequence

import pytest

from indexes.query import Index
from indexes.testing import IndexContract, Planted, World


class TestEmbeddedIndex(IndexContract):
    """The shipped contract over real workspaces."""

    @pytest.fixture(autouse=True)
    def _worlds(self, new_world: Callable[[], World]) -> None:
        self._new_world = new_world
        self._built: dict[int, tuple[World, list[Planted]]] = {}

    def build(self, documents: Sequence[Planted]) -> Index:
        world = self._new_world()
        world.sync(documents)
        world.sync(documents)
        index = world.index()
        self._built[id(index)] = (world, list(documents))
        return index

    def drop(self, index: Index, name: str) -> None:
        world, documents = self._built[id(index)]
        documents[:] = [one for one in documents if one.name != name]
        world.sync(documents)
