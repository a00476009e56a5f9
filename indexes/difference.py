"""What two generations differ in, as one asker may see it: by name, of what could be read in each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from indexes import schema
from indexes.generations import ACL, DOCUMENT, VERSION, Generations, Manifest
from indexes.segments import open_segment
from indexes.store import Access, Store, Version


@dataclass(frozen=True, slots=True)
class Difference:
    """What B has other than A. Names are sorted; a document may be updated and have other readers too.

    ``moved``: (old name, new name) of what is the same bytes and text under one other name. ``a``, ``b``:
    how many documents of each the asker may read; ``unchanged``: of them, those that nothing tells apart.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    updated: tuple[str, ...]
    moved: tuple[tuple[str, str], ...]
    access_changed: tuple[str, ...]
    unchanged: int
    a: int
    b: int


def difference(
    store: Store, generations: Generations, pair: tuple[Manifest, Manifest], readers: frozenset[str]
) -> Difference:
    """Compare two generations of a workspace.

    A document counts in a generation where the readers are among those it was indexed for and among
    those it has now; one that was deleted since counts by the readers that it had last. So what is hidden
    from the asker changes no name and no number.
    """
    rights = _Rights(store, readers)
    rows_a, rows_b = (rights.visible(generations.alive(one)) for one in pair)
    same = _pairs(rows_a, rows_b)
    old = _named(store, rows_a[~np.isin(_keys(rows_a), same)])
    new = _named(store, rows_b[~np.isin(_keys(rows_b), same)])
    both = sorted(old.keys() & new.keys())
    updated = tuple(name for name in both if _content(old[name].version) != _content(new[name].version))
    access = tuple(name for name in both if old[name].acl != new[name].acl)
    moved = _moved(old, new)
    removed = old.keys() - new.keys() - {one for one, _ in moved}
    added = new.keys() - old.keys() - {one for _, one in moved}
    return Difference(
        added=tuple(sorted(added)),
        removed=tuple(sorted(removed)),
        updated=updated,
        moved=moved,
        access_changed=access,
        unchanged=len(same) + len(set(both) - set(updated) - set(access)),
        a=len(rows_a),
        b=len(rows_b),
    )


@dataclass(frozen=True, slots=True)
class Size:
    """How many documents and chunks a generation holds."""

    documents: int
    chunks: int


def sizes(
    store: Store, generations: Generations, manifests: Sequence[Manifest], readers: frozenset[str]
) -> list[Size]:
    """Count of each generation what the readers may know of, by the rule of ``difference``."""
    rights = _Rights(store, readers)
    found = []
    for one in manifests:
        versions = rights.visible(generations.alive(one))[:, VERSION]
        rows = (open_segment(generations.segments / each.id).rows for each in one.segments)
        chunks = sum(int(np.isin(each.versions, versions).sum()) for each in rows) if len(versions) else 0
        found.append(Size(len(versions), chunks))
    return found


@dataclass(frozen=True, slots=True)
class _Entry:
    version: Version
    acl: int


class _Rights:
    """Whose rights count: for each ACL whether it lets the readers in, for each document its last ACL."""

    def __init__(self, store: Store, readers: frozenset[str]) -> None:
        access: Access = store.access()
        self._allowed = access.allowed(readers)
        d = schema.documents.c
        with store.read() as connection:
            rows = connection.execute(sa.select(d.id, d.acl)).all()
        self._last = np.full(max((row.id for row in rows), default=0) + 1, -1, dtype=np.int64)
        for row in rows:
            self._last[row.id] = row.acl if row.acl in access.readers else -1

    def visible(self, alive: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows of (version, document, ACL, source) that the readers may know of."""
        known = alive[:, DOCUMENT] < len(self._last)
        last = np.full(len(alive), -1, dtype=np.int64)
        last[known] = self._last[alive[known, DOCUMENT]]
        shown: NDArray[np.int64] = np.array(alive[self._lets(last) & self._lets(alive[:, ACL])])
        return shown

    def _lets(self, acls: NDArray[np.int64]) -> NDArray[np.bool_]:
        fits = (acls >= 0) & (acls < len(self._allowed))
        lets = np.zeros(len(acls), dtype=np.bool_)
        lets[fits] = self._allowed[acls[fits]]
        return lets


def _keys(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return one number for each row: equal where version and ACL are. ACLs are few, below 2^31."""
    keys: NDArray[np.int64] = rows[:, VERSION] * (1 << 31) + rows[:, ACL]
    return keys


def _pairs(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
    same: NDArray[np.int64] = np.intersect1d(_keys(a), _keys(b))
    return same


def _named(store: Store, rows: NDArray[np.int64]) -> dict[str, _Entry]:
    versions = store.versions(rows[:, VERSION].tolist())
    acls = dict(zip(rows[:, VERSION].tolist(), rows[:, ACL].tolist(), strict=True))
    return {one.name: _Entry(one, acls[one.id]) for one in versions.values()}


def _content(version: Version) -> tuple[str, str, str, str | None]:
    return version.revision, version.layout, version.title, version.link


def _moved(old: Mapping[str, _Entry], new: Mapping[str, _Entry]) -> tuple[tuple[str, str], ...]:
    """Return what left under one name and came under one other, and under no third."""
    left, came = (_by_bytes(one, other) for one, other in ((old, new), (new, old)))
    return tuple(
        sorted(
            (names[0], came[key][0])
            for key, names in left.items()
            if len(names) == 1 and len(came.get(key, ())) == 1
        )
    )


def _by_bytes(
    entries: Mapping[str, _Entry], others: Mapping[str, _Entry]
) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for name in entries.keys() - others.keys():
        version = entries[name].version
        found.setdefault((version.raw_digest, version.revision), []).append(name)
    return found
