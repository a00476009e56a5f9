"""Segments: immutable files over some chunks, mapped into memory, never changed once written."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexes import codes
from indexes.embedding import Vectors
from indexes.errors import StoreDamaged, StoreNotWritable
from indexes.postings import Postings, merge

FORMAT = 3
"""2: without the languages of rows; such a segment is still read, as English."""

_READABLE = (2, FORMAT)
_MANIFEST = "segment.json"
_VECTORS = "vectors.npy"
_BLOCK = 4_096
_REBUILD = "ragflow index --full"

Part = tuple["Segment", NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class Rows:
    """Parallel arrays, one entry a chunk.

    ``version`` is the store's id of one version of one document; ``starts`` and ``ends`` are offsets in
    code points of its text, half-open.
    """

    versions: NDArray[np.int64]
    starts: NDArray[np.int32]
    ends: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Segment:
    """An open segment. Row i of ``rows``, ``vectors``, ``codes`` and ``postings`` is the same chunk."""

    folder: Path
    rows: Rows
    vectors: Vectors
    codes: codes.Codes
    postings: Postings

    def __len__(self) -> int:
        return len(self.rows.versions)


@dataclass(frozen=True, slots=True)
class Slice:
    """The rows of a segment that are live and readable for this asker: one entry of ``mask`` a row.

    ``among``: those of them, rising, that are worth scoring, see ``indexes.nominating``; None: all.
    """

    segment: Segment
    mask: NDArray[np.bool_]
    among: NDArray[np.int64] | None = None


def write_segment(folder: Path, rows: Rows, vectors: Vectors, postings: Postings) -> None:
    """Write a segment into ``folder``, which must not exist yet, and sync every file and folder.

    ``segment.json`` comes last: a folder without it was never finished. It holds the format, the counts
    and each file's size and SHA-256.

    Raises:
        StoreNotWritable: the folder exists already, or there is no right or no space.
        ValueError: rows, vectors and postings differ in number.
    """
    counts = {len(rows.versions), len(rows.starts), len(rows.ends), len(vectors), postings.rows}
    if len(counts) != 1:
        raise ValueError(f"rows, vectors and postings differ in number: {sorted(counts)}")
    blocks = (vectors[start : start + _BLOCK] for start in range(0, len(vectors), _BLOCK))
    _write(folder, rows, _Blocks(vectors.shape[0], vectors.shape[1], blocks), postings)


def merge_segments(folder: Path, parts: Sequence[Part]) -> None:
    """Write one segment of the masked rows of several, in order (compaction).

    The result is byte for byte what writing the kept rows anew would give. Vectors are copied block by
    block and never stand in memory as a whole.

    Raises:
        StoreNotWritable: as ``write_segment``.
        ValueError: no part at all, or vectors of different dimensions.
    """
    dimensions = {segment.vectors.shape[1] for segment, _ in parts}
    if len(dimensions) != 1:
        raise ValueError(f"segments to merge must have one number of dimensions, not {sorted(dimensions)}")
    rows = Rows(
        np.concatenate([segment.rows.versions[mask] for segment, mask in parts]),
        np.concatenate([segment.rows.starts[mask] for segment, mask in parts]),
        np.concatenate([segment.rows.ends[mask] for segment, mask in parts]),
    )
    postings = merge([(segment.postings, mask) for segment, mask in parts])
    _write(folder, rows, _Blocks(len(rows.versions), dimensions.pop(), _kept_blocks(parts)), postings)


def open_segment(folder: Path) -> Segment:
    """Map a segment's files; sizes and shapes are checked, digests are not (see ``verify_segment``).

    Raises:
        StoreDamaged: a file is missing, of another size or shape than recorded, or of another format.
    """
    manifest = _manifest(folder)
    for name, entry in manifest["files"].items():
        size = _size(folder / name)
        if size != entry["bytes"]:
            raise StoreDamaged(f"{folder / name} has {size} bytes, not {entry['bytes']}", hint=_REBUILD)
    try:
        rows = Rows(
            *(np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("versions", "starts", "ends"))
        )
        vectors = np.load(folder / _VECTORS, mmap_mode="r")
        segment = Segment(folder, rows, vectors, codes.Codes.load(folder), Postings.load(folder))
    except (OSError, ValueError, EOFError) as error:
        raise StoreDamaged(f"a file of {folder} cannot be read: {error}", hint=_REBUILD) from error
    expected = (manifest["rows"], manifest["dimensions"])
    counts = {len(segment), len(vectors), len(segment.codes), segment.postings.rows}
    if vectors.shape != expected or len(counts) != 1 or segment.codes.values.size != vectors.size:
        raise StoreDamaged(
            f"the files of {folder} do not hold the {expected[0]} rows recorded", hint=_REBUILD
        )
    return segment


def verify_segment(folder: Path) -> None:
    """Hash every file of a segment.

    Raises:
        StoreDamaged: a file is missing or is not what its digest says; the message names it.
    """
    for name, entry in _manifest(folder)["files"].items():
        try:
            digest = _digest(folder / name)
        except OSError as error:
            raise StoreDamaged(f"{folder / name} cannot be read: {error.strerror}", hint=_REBUILD) from error
        if digest != entry["sha256"]:
            raise StoreDamaged(f"{folder / name} is not what its digest says", hint=_REBUILD)


@dataclass(frozen=True, slots=True)
class _Blocks:
    """Vectors to be written, ``count`` rows in all, some thousand at a time."""

    count: int
    dimensions: int
    blocks: Iterable[Vectors]


def _kept_blocks(parts: Sequence[Part]) -> Iterator[Vectors]:
    for segment, mask in parts:
        kept = np.flatnonzero(mask)
        for start in range(0, len(kept), _BLOCK):
            yield segment.vectors[kept[start : start + _BLOCK]]


def _write(folder: Path, rows: Rows, vectors: _Blocks, postings: Postings) -> None:
    try:
        folder.mkdir()
        paths = [_write_vectors(folder / _VECTORS, vectors), *postings.save(folder)]
        paths += codes.write(folder, np.load(paths[0], mmap_mode="r"))
        for name, values in (("versions", rows.versions), ("starts", rows.starts), ("ends", rows.ends)):
            paths.append(folder / f"{name}.npy")
            np.save(paths[-1], values, allow_pickle=False)
        files = {path.name: {"bytes": path.stat().st_size, "sha256": _digest(path)} for path in sorted(paths)}
        manifest = {"format": FORMAT, "rows": vectors.count, "dimensions": vectors.dimensions, "files": files}
        paths.append(folder / _MANIFEST)
        paths[-1].write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        for path in (*paths, folder, folder.parent):
            _sync(path)
    except OSError as error:
        hint = "free some space, check the rights of the workspace, then index again"
        raise StoreNotWritable(f"{folder} cannot be written: {error.strerror}", hint=hint) from error


def _write_vectors(path: Path, vectors: _Blocks) -> Path:
    """Write a ``.npy`` file block by block: a mapped file would die of a full disk, not report it."""
    shape = (vectors.count, vectors.dimensions)
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for block in vectors.blocks:
            file.write(np.ascontiguousarray(block, "<f4").data)
    return path


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise StoreDamaged(f"{path} cannot be read: {error.strerror}", hint=_REBUILD) from error


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / _MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise StoreDamaged(f"{path} cannot be read: {error}", hint=_REBUILD) from error
    if not isinstance(manifest, dict) or manifest.get("format") not in _READABLE:
        raise StoreDamaged(f"{path} is not of segment format {FORMAT}", hint=_REBUILD)
    if not {"rows", "dimensions", "files"} <= manifest.keys():
        raise StoreDamaged(f"{path} lacks what a segment's record must hold", hint=_REBUILD)
    return manifest
