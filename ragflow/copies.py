"""Copies of a workspace that a command makes for a while, and those that a killed one left behind."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from indexes.errors import LockHeld
from indexes.locks import writer_lock

_PREFIX = ".access-"


@contextmanager
def copy_folder(beside: Path | None) -> Iterator[Path]:
    """Give a new folder in ``beside`` (None: among temporary files), locked while it lives, then removed."""
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=beside) as made, writer_lock(Path(made) / "lock"):
        yield Path(made)


def abandoned(workspace: Path) -> list[Path]:
    """Give the copies inside a workspace that no living process holds: they hold its texts."""
    found = []
    for one in sorted(workspace.glob(f"{_PREFIX}*")):
        try:
            with writer_lock(one / "lock"):
                found.append(one)
        except LockHeld:
            continue
    return found


def remove_abandoned(workspace: Path) -> int:
    """Remove those copies, and give how many they were."""
    found = abandoned(workspace)
    for one in found:
        shutil.rmtree(one, ignore_errors=True)
    return len(found)
