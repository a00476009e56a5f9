"""Advisory locks on files: one writer for a workspace, any number of readers for a generation.

Locks are ``flock`` on descriptors that Python opens close-on-exec, so no child inherits one: when the
holder dies, however it dies, the lock is free.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from indexes.errors import LockHeld

_POLL = 0.05


@contextmanager
def writer_lock(path: Path, *, wait: float = 0.0) -> Iterator[None]:
    """Hold the workspace's one write lock, waiting up to ``wait`` seconds for it.

    Raises ``LockHeld``, naming the holder's process and since when, if it stays taken.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _acquire(descriptor, path, wait)
        holder = {"pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(holder).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, path: Path, wait: float) -> None:
    end = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                raise LockHeld(
                    f"another process is writing this workspace: {_holder(path)}",
                    hint="wait for it to end, or give --wait SECONDS",
                ) from None
            time.sleep(_POLL)
        else:
            return


def _holder(path: Path) -> str:
    with suppress(OSError, ValueError, KeyError, TypeError):
        known = json.loads(path.read_text())
        return f"process {int(known['pid'])}, since {known['since']}"
    return "holder unknown"


def share(path: Path) -> int | None:
    """Open ``path`` and hold a shared lock on it; None when the file is gone. The caller closes it.

    The file is checked after locking: one that was removed in between counts as gone.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    if os.fstat(descriptor).st_nlink == 0:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def exclusive(path: Path) -> Iterator[bool]:
    """Give True while holding ``path`` alone; False when someone shares it or it is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield False
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
