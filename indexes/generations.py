"""Generations: manifests that name segments and what of them is alive. ``current`` names the live one.

A manifest, ``<id>.json``, lists the segments and digests; beside it ``<id>.npy`` holds one row for each
version alive in it: version, document, ACL, source. A segment's row is alive when its version is there;
that is the delete mask. Nothing in a generation is ever changed, but that a gate's report, or that a person
keeps it back, is written into the manifest while the generation waits to be promoted. Who reads one holds a
shared lock on its manifest, and collection removes only what it can lock alone.
"""

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexes.errors import NoGeneration, StoreDamaged, UnknownGeneration
from indexes.files import sync_folder, write_atomic
from indexes.locks import exclusive, share
from indexes.segments import verify_segment

# Columns of the array of what is alive.
VERSION, DOCUMENT, ACL, SOURCE = range(4)
_ID = re.compile(r"g-\d{8}T\d{6}-[0-9a-f]{6}")
_REINDEX = "ragflow index --full builds a new generation from the store"


@dataclass(frozen=True, slots=True)
class SegmentRef:
    """A segment of a generation: its folder's name, rows, and the SHA-256 of its ``segment.json``."""

    id: str
    rows: int
    digest: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a generation is made of. ``state`` digests what is alive and by which models it was built.

    ``number`` counts the generations of a workspace: two may be made within the second of their ids.
    ``parsing`` is the key of the parsing and ``settings`` the configuration that it was built with, both
    empty where they were not told. ``dimensions``: of its vectors, 0 where that was not told. ``report`` is
    what a gate found before it was to be promoted, None where none was asked; ``held`` in it is True when the
    gate held it. ``kept_back``: a person wanted it built, and not to be live yet.
    """

    id: str
    created: str
    parent: str | None
    embedder: str
    chunker: str
    analyser: str
    sources: tuple[str, ...]
    segments: tuple[SegmentRef, ...]
    alive_digest: str
    state: str
    documents: int
    chunks: int
    report: Mapping[str, Any] | None = None
    number: int = 0
    parsing: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    dimensions: int = 0
    kept_back: bool = False

    @property
    def held(self) -> bool:
        """Whether a gate or a person held it back when it was to be promoted."""
        return self.kept_back or (self.report is not None and bool(self.report.get("held")))


def new_id(now: datetime | None = None) -> str:
    """Make a generation id: ``g-`` and UTC time and six hex digits."""
    moment = now or datetime.now(UTC)
    return f"g-{moment:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


class Generations:
    """The generations of one workspace."""

    def __init__(self, workspace: Path) -> None:
        self.folder = workspace / "generations"
        self.segments = workspace / "segments"
        self._current = workspace / "current"

    def prepare(self) -> None:
        """Create the folders."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.segments.mkdir(mode=0o700, exist_ok=True)

    def live(self) -> str | None:
        """Give the id of the live generation; None when nothing was promoted yet."""
        try:
            found = self._current.read_text().strip()
        except FileNotFoundError:
            return None
        if not _ID.fullmatch(found):
            raise StoreDamaged(
                "the file `current` names no generation", hint="ragflow generations promote ID"
            )
        return found

    def kept(self) -> list[str]:
        """Give the ids of the generations that are there, oldest first; a damaged manifest is none."""
        found = []
        for path in self.folder.glob("g-*.json"):
            with suppress(StoreDamaged, UnknownGeneration):
                found.append((self.manifest(path.stem).number, path.stem))
        return [one for _, one in sorted(found)]

    def manifest(self, generation: str) -> Manifest:
        """Read a manifest. Raises ``UnknownGeneration`` or ``StoreDamaged``."""
        if not _ID.fullmatch(generation):
            raise _unknown(generation)
        path = self.folder / f"{generation}.json"
        try:
            fields = json.loads(path.read_bytes())
            fields.pop("schema")
            fields["segments"] = tuple(SegmentRef(**one) for one in fields["segments"])
            fields["sources"] = tuple(fields["sources"])
            return Manifest(**fields)
        except FileNotFoundError:
            raise _unknown(generation) from None
        except (ValueError, KeyError, TypeError) as error:
            raise StoreDamaged(f"{path.name} is damaged: {error}", hint=_REINDEX) from error

    def alive(self, manifest: Manifest, *, check: bool = False) -> NDArray[np.int64]:
        """Map what is alive in a generation: int64 of shape (versions, 4), sorted by version."""
        path = self.folder / f"{manifest.id}.npy"
        try:
            if check and hashlib.sha256(path.read_bytes()).hexdigest() != manifest.alive_digest:
                raise StoreDamaged(f"{path.name} is not what its digest says", hint=_REINDEX)
            found: NDArray[np.int64] = np.load(path, mmap_mode="r" if path.stat().st_size > _EMPTY else None)
        except (OSError, ValueError) as error:
            raise StoreDamaged(f"{path.name} cannot be read: {error}", hint=_REINDEX) from error
        return found

    def hold(self, generation: str | None = None) -> tuple[Manifest, int]:
        """Open a generation, the live one without a name; give its manifest and what keeps it until closed.

        Raises ``NoGeneration`` when nothing was promoted yet, ``UnknownGeneration`` for a name not kept.
        """
        if generation is not None:
            descriptor = share(self.folder / f"{generation}.json")
            if descriptor is None:
                raise _unknown(generation)
            return self.manifest(generation), descriptor
        while True:
            live = self.live()
            if live is None:
                raise NoGeneration("nothing has been indexed yet", hint="ragflow index")
            descriptor = share(self.folder / f"{live}.json")
            if descriptor is not None:
                return self.manifest(live), descriptor
            if self.live() == live:
                raise StoreDamaged(f"the live generation {live} is gone", hint=_REINDEX)

    def write(self, manifest: Manifest, alive: NDArray[np.int64]) -> Manifest:
        """Write a generation beside the live one. The manifest comes last: until then it is not there.

        Gives the manifest with ``alive_digest`` and ``number`` filled in.
        """
        buffer = BytesIO()
        np.save(buffer, alive)
        digest = hashlib.sha256(buffer.getvalue()).hexdigest()
        newest = max((self.manifest(one).number for one in self.kept()), default=0)
        manifest = replace(manifest, alive_digest=digest, number=newest + 1)
        write_atomic(self.folder / f"{manifest.id}.npy", buffer.getvalue())
        self._write_manifest(manifest)
        return manifest

    def record(self, manifest: Manifest, report: Mapping[str, Any]) -> Manifest:
        """Write what a gate found into the manifest of a generation that is not live, by one atomic rename.

        The caller holds the write lock, and saw with ``idle`` that no process holds the generation.
        """
        return self._rewrite(replace(manifest, report=report, kept_back=False))

    def keep_back(self, manifest: Manifest) -> Manifest:
        """Write that a person wants a generation to wait, as ``record`` does."""
        return manifest if manifest.kept_back else self._rewrite(replace(manifest, kept_back=True))

    def _rewrite(self, manifest: Manifest) -> Manifest:
        assert manifest.id != self.live(), "what is live is never changed"
        self._write_manifest(manifest)
        return manifest

    def held(self) -> list[str]:
        """Give the kept generations that were held and that were not live since, oldest first.

        One that a person promoted all the same is live, or what was built beside it names it as its parent.
        """
        manifests = [self.manifest(one) for one in self.kept()]
        been_live = {self.live(), *(one.parent for one in manifests)}
        return [one.id for one in manifests if one.held and one.id not in been_live]

    def idle(self, generation: str) -> bool:
        """Tell whether no process holds a generation."""
        with exclusive(self.folder / f"{generation}.json") as alone:
            return alone

    def _write_manifest(self, manifest: Manifest) -> None:
        body = {"schema": "ragflow.generation/1", **asdict(manifest)}
        write_atomic(self.folder / f"{manifest.id}.json", json.dumps(body, indent=1).encode())

    def verify(self, manifest: Manifest) -> None:
        """Check every file of a generation against its digest. Raises ``StoreDamaged``."""
        self.alive(manifest, check=True)
        for segment in manifest.segments:
            if segment_digest(self.segments / segment.id) != segment.digest:
                raise StoreDamaged(f"segment {segment.id} is not the one of the manifest", hint=_REINDEX)
            verify_segment(self.segments / segment.id)

    def promote(self, generation: str) -> None:
        """Make a generation live by one atomic rename."""
        self.manifest(generation)
        write_atomic(self._current, f"{generation}\n".encode())

    def collect(self, keep: int, *, spare: str | None = None) -> list[str]:
        """Remove generations beyond the newest ``keep``, and segments that no generation names.

        The live one stays, ``spare``, which does not count, and any that a process holds. Gives the
        removed ids.
        """
        live = self.live()
        others = [one for one in self.kept() if one not in (live, spare)]
        removed = [one for one in others[: max(0, len(others) - (keep - 1))] if self.remove(one)]
        self.sweep()
        return removed

    def remove(self, generation: str) -> bool:
        """Remove a generation unless a process holds it."""
        path = self.folder / f"{generation}.json"
        with exclusive(path) as alone:
            if alone:
                path.unlink()
                path.with_suffix(".npy").unlink(missing_ok=True)
        return alone

    def orphans(self) -> list[Path]:
        """Give files and folders that no manifest names: what a killed sync left behind."""
        named = {segment.id for one in self.kept() for segment in self.manifest(one).segments}
        found = [path for path in self.segments.iterdir() if path.name not in named]
        kept = set(self.kept())
        found += [
            path for path in self.folder.iterdir() if path.name.endswith(".tmp") or path.stem not in kept
        ]
        found += self._current.parent.glob(".*.tmp")
        return sorted(found)

    def sweep(self) -> None:
        """Remove the orphans. Only the holder of the write lock may."""
        for path in self.orphans():
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        sync_folder(self.segments)
        sync_folder(self.folder)


_EMPTY = 128  # bytes of a .npy header: an array without rows cannot be mapped


def segment_digest(folder: Path) -> str:
    """Give the SHA-256 of a segment's ``segment.json``, which holds the digests of its files."""
    try:
        return hashlib.sha256((folder / "segment.json").read_bytes()).hexdigest()
    except OSError as error:
        raise StoreDamaged(
            f"segment {folder.name} cannot be read: {error.strerror}", hint=_REINDEX
        ) from error


def state_digest(models: Sequence[str], sources: Sequence[str], alive: NDArray[np.int64]) -> str:
    """Digest what a generation says: equal states answer alike."""
    head = json.dumps([list(models), list(sources)]).encode()
    return hashlib.sha256(head + np.ascontiguousarray(alive).tobytes()).hexdigest()


def _unknown(generation: str) -> UnknownGeneration:
    return UnknownGeneration(
        f"no generation {generation} is kept", hint="ragflow generations list shows them"
    )


def release(descriptor: int) -> None:
    """Give a held generation back."""
    os.close(descriptor)
