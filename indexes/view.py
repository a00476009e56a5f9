"""One generation, opened: which of its rows an asker may read now."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexes.analysis import LANGUAGES
from indexes.generations import ACL, DOCUMENT, SOURCE, VERSION, Generations, release
from indexes.segments import Segment, Slice, open_segment
from indexes.store import Access


@dataclass(frozen=True, slots=True)
class Readable:
    """What one asker may read of a view: a slice for each segment, and the sources that have a row.

    ``languages``: what its rows were analysed as, that of the most rows first, ties by name. ``lost``: the
    versions that the asker could read when the generation was built, and can no more.
    """

    slices: tuple[Slice, ...]
    sources: tuple[str, ...]
    rows: int
    languages: tuple[str, ...]
    lost: NDArray[np.int64]


class View:
    """A generation (the live one, unless named) held open until ``close``.

    Rows are joined with access when asked, never stored.
    """

    def __init__(self, generations: Generations, generation: str | None = None) -> None:
        self.manifest, self._lock = generations.hold(generation)
        try:
            self.alive = generations.alive(self.manifest)
            self.segments = tuple(
                open_segment(generations.segments / one.id) for one in self.manifest.segments
            )
        except BaseException:
            release(self._lock)
            raise
        self._places = tuple(_places(segment, self.alive[:, VERSION]) for segment in self.segments)

    def close(self) -> None:
        """Give the generation back. Maps stay valid for values already handed out."""
        release(self._lock)

    def readable(self, asker: frozenset[str], sources: tuple[str, ...] | None, access: Access) -> Readable:
        """Join rows with access: the generation's own AND the store's current, minus what is dead."""
        allowed = access.allowed(asker)
        document = self.alive[:, DOCUMENT]
        now = np.full(len(document), -1, dtype=np.int64)
        known = document < len(access.acl_of)
        now[known] = access.acl_of[document[known]]
        then = self.alive[:, ACL]
        fits = (now >= 0) & (now < len(allowed)) & (then >= 0) & (then < len(allowed))
        may = np.zeros(len(document), dtype=np.bool_)
        may[fits] = allowed[now[fits]] & allowed[then[fits]]
        could = (then >= 0) & (then < len(allowed))
        could[could] = allowed[then[could]]
        lost = self.alive[could & ~may, VERSION]
        if sources is not None:
            wanted = np.array([name in sources for name in self.manifest.sources], dtype=np.bool_)
            may &= wanted[self.alive[:, SOURCE]]
        slices = tuple(
            Slice(segment, _mask(places, may))
            for segment, places in zip(self.segments, self._places, strict=True)
        )
        return self._summary(slices, may, np.asarray(lost))

    def _summary(
        self, slices: tuple[Slice, ...], may: NDArray[np.bool_], lost: NDArray[np.int64]
    ) -> Readable:
        # A document whose text is empty has no row: a source of only such ones does not show.
        seen = np.zeros(len(may), dtype=np.bool_)
        for part, places in zip(slices, self._places, strict=True):
            seen[places[part.mask]] = True
        names = tuple(sorted(self.manifest.sources[one] for one in np.unique(self.alive[seen, SOURCE])))
        return Readable(slices, names, sum(int(part.mask.sum()) for part in slices), _languages(slices), lost)


def _languages(slices: tuple[Slice, ...]) -> tuple[str, ...]:
    counts = np.zeros(len(LANGUAGES), dtype=np.int64)
    for part in slices:
        counts += np.bincount(part.segment.postings.languages[part.mask], minlength=len(LANGUAGES))
    present = [(-count, name) for name, count in zip(LANGUAGES, counts.tolist(), strict=True) if count]
    return tuple(name for _, name in sorted(present))


def _places(segment: Segment, versions: NDArray[np.int64]) -> NDArray[np.int32]:
    """Give for each row its version's place in ``versions`` (sorted), or -1 when it is not alive."""
    rows = np.asarray(segment.rows.versions)
    if not len(versions):
        return np.full(len(rows), -1, dtype=np.int32)
    places = np.searchsorted(versions, rows).clip(max=len(versions) - 1)
    return np.where(versions[places] == rows, places, -1).astype(np.int32)


def _mask(places: NDArray[np.int32], may: NDArray[np.bool_]) -> NDArray[np.bool_]:
    mask = places >= 0
    mask[mask] = may[places[mask]]
    return mask
