"""Rows that somebody else names as worth scoring: a server that searches by approximation (decision 0021).

Whoever nominates cannot widen what is found, nor change a score: what it names is looked up here, dropped
where the asker's mask has it not, and scored by ``indexes.ranking`` with the statistics of that mask.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from indexes.embedding import Vectors
from indexes.generations import Manifest
from indexes.query import System
from indexes.segments import Slice

_MOST = 2**62


@dataclass(frozen=True, slots=True)
class Wish:
    """What to look for, and among what.

    ``lost``: versions that the readers could read when the generation was built, and can no more. ``terms``:
    of the question, in whatever language; ``vector``: its unit vector, None where the dense leg takes no
    part. ``count``: how many rows are wanted of each leg.
    """

    generation: Manifest
    readers: frozenset[str]
    sources: tuple[str, ...] | None
    lost: NDArray[np.int64]
    terms: Sequence[str]
    vector: Vectors | None
    system: System
    count: int


@dataclass(frozen=True, slots=True)
class Nominee:
    """A row by its segment's name and its place there; ``version`` is what it should be of."""

    segment: str
    row: int
    version: int


class Nominator(Protocol):
    """Names rows of a generation.

    Laws:

    - of each leg that takes part it names the ``count`` best rows that ``readers`` may read, or nearly so;
    - what the readers may not read changes neither which rows it names, but for its approximations, nor
      how many.
    """

    def nominate(self, wish: Wish) -> list[Nominee]: ...


def among(slices: Sequence[Slice], nominees: Iterable[Nominee]) -> tuple[Slice, ...]:
    """Return the slices with the nominated rows as the ones to score; what is not in a mask is dropped."""
    rows: dict[str, set[tuple[int, int]]] = {}
    for one in nominees:
        if 0 <= one.row < _MOST and 0 <= one.version < _MOST:  # whatever a stranger wrote there
            rows.setdefault(one.segment, set()).add((one.row, one.version))
    found = []
    for each in slices:
        table = np.array(sorted(rows.get(each.segment.folder.name, ())), np.int64).reshape(-1, 2)
        inside = table[table[:, 0] < len(each.mask)]
        held = each.mask[inside[:, 0]] & (each.segment.rows.versions[inside[:, 0]] == inside[:, 1])
        found.append(replace(each, among=inside[held, 0]))
    return tuple(found)
