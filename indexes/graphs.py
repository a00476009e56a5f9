"""Built graphs and weights' digests, kept in the workspace's model folder so that a start is quick.

What is checked when: a file whose size and modification time are those noted beside its SHA-256 is
taken for unchanged; any other is read and hashed again. A kept graph that does not match its note is
built anew. ``verify`` reads and hashes everything, whatever the notes say.
"""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

GRAPH, WEIGHTS, NOTE = "graph.onnx", "weights.bin", "note.json"


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a file was when it was hashed: bytes, nanoseconds since the epoch, 64 hex."""

    size: int
    mtime_ns: int
    sha256: str


def digest(path: Path, *, known: Stamp | None = None) -> Stamp:
    """Return the file's stamp, hashing it only when ``known`` has another size or time.

    Raises:
        OSError: the file cannot be read.
    """
    stat = path.stat()
    if known is not None and (known.size, known.mtime_ns) == (stat.st_size, stat.st_mtime_ns):
        return known
    with path.open("rb") as file:
        return Stamp(stat.st_size, stat.st_mtime_ns, hashlib.file_digest(file, "sha256").hexdigest())


def remembered_digest(path: Path, cache: Path) -> str:
    """Return the SHA-256 of ``path``, remembered in ``cache`` where that can be written.

    Raises:
        OSError: the file cannot be read.
    """
    place = hashlib.sha256(str(path.resolve()).encode(errors="surrogateescape")).hexdigest()[:16]
    note = cache / f"digest-{place}.json"
    known = _read_note(note).get(path.name)
    stamp = digest(path, known=known)
    if stamp != known:
        with contextlib.suppress(OSError):  # a cache that cannot be written only costs time
            cache.mkdir(parents=True, exist_ok=True)
            _write_note(note, {path.name: stamp})
    return stamp.sha256


def keep(cache: Path, name: str, build: Callable[[], "onnx.ModelProto"]) -> Path | None:
    """Return the path of the kept graph ``name``, building it first where it is absent or damaged.

    The folder appears by one rename, its files synced before, so that processes that build at once
    do not disturb each other: the first wins, the others use what it left. None when the cache
    cannot be written.
    """
    folder = cache / name
    if intact(folder):
        return folder / GRAPH
    try:
        cache.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=cache))
        try:
            _write(scratch, build())
            _publish(scratch, folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except OSError:
        return None
    return folder / GRAPH if intact(folder) else None


def intact(folder: Path, *, thorough: bool = False) -> bool:
    """Say whether a kept graph is what its note says; ``thorough`` hashes it in any case."""
    note = _read_note(folder / NOTE)
    try:
        return GRAPH in note and all(
            digest(folder / name, known=None if thorough else stamp).sha256 == stamp.sha256
            for name, stamp in note.items()
        )
    except OSError:
        return False


def _write(folder: Path, model: "onnx.ModelProto") -> None:
    """Write the graph with its weights beside it, so that ONNX Runtime maps them instead of copying."""
    import onnx

    onnx.save_model(
        model, folder / GRAPH, save_as_external_data=True, all_tensors_to_one_file=True, location=WEIGHTS
    )
    files = sorted(folder.iterdir())  # weights too small to be worth a file stay in the graph
    for path in files:
        with path.open("rb") as file:
            os.fsync(file.fileno())
    _write_note(folder / NOTE, {path.name: digest(path) for path in files})


def _publish(scratch: Path, folder: Path) -> None:
    """Give the finished files their final name, unless a sound graph already bears it."""
    if folder.exists() and not intact(folder):
        shutil.rmtree(folder)
    try:
        scratch.rename(folder)
    except OSError as error:
        # Another process was first: its graph stands, and is checked by the caller.
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
    _sync_folder(folder.parent)


def _read_note(path: Path) -> dict[str, Stamp]:
    """Read stamps by file name; a note that is absent or not sound is an empty one."""
    try:
        value = json.loads(path.read_bytes())
        return {name: Stamp(**entry) for name, entry in value.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _write_note(path: Path, stamps: dict[str, Stamp]) -> None:
    content = json.dumps({name: asdict(stamp) for name, stamp in stamps.items()})
    handle, scratch = tempfile.mkstemp(prefix=".", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(scratch).replace(path)
    except OSError:
        Path(scratch).unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
