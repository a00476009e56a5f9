"""Leases: who is alive. A process that executes runs holds one, named by its executor id, until it dies.

SQLite: a locked file in ``.ragflow/leases/``. PostgreSQL: an advisory lock of a session. Neither can outlive
its process, however that ends; a machine that is cut off loses its session within half a minute.
"""

import fcntl
import hashlib
import os
import secrets
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from ragflow.workflows.database import Database
from ragflow.workflows.errors import DatabaseGone

FOLDER = "leases"  # in the workspace
_NAMESPACE = "ragflow lease "
# The server ends the session of a machine that does not answer any more (seconds, tries).
_KEEPALIVE = "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"
_CLIENT = {
    "connect_timeout": 10,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}


class Lease(Protocol):
    """The lease of this process. ``executor`` is its name, of no other process ever."""

    @property
    def executor(self) -> str: ...

    def held(self) -> bool:
        """Tell whether it still is; a lease that was lost never comes back by itself."""

    def alive(self, executor: str, connection: Connection) -> bool:
        """Tell whether another executor holds its lease; ``connection`` is in the transaction that asks."""

    def take_again(self) -> None:
        """Hold it again after it was lost. Raises ``DatabaseGone``."""

    def sweep(self) -> None:
        """Remove what processes that are no more have left."""

    def close(self) -> None:
        """Give it back."""


def living(executor: str, connection: Connection, folder: Path) -> bool:
    """Tell whether an executor holds its lease, without one of one's own: for those who only look."""
    if connection.dialect.name == "postgresql":
        return _has_session(executor, connection)
    return _locked(folder, executor)


def new_executor() -> str:
    """Return a name that no other process has: machine, process, chance."""
    host = "".join(sign if sign.isalnum() else "-" for sign in socket.gethostname().lower())[:40]
    return f"{host or 'host'}-{os.getpid()}-{secrets.token_hex(4)}"


def take(database: Database, folder: Path, executor: str) -> Lease:
    """Take the lease of an executor. ``folder``: of lock files, made where it is absent."""
    return SessionLease(database.engine, executor) if database.server else FileLease(folder, executor)


class FileLease:
    """A locked file. The descriptor is closed in children, also in those that fork without exec."""

    def __init__(self, folder: Path, executor: str) -> None:
        self.executor = executor
        self._folder = folder
        folder.mkdir(mode=0o700, exist_ok=True)
        self._path = folder / f"{executor}.lock"
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        os.write(self._descriptor, str(os.getpid()).encode())  # once it says this, it has been locked
        self._process = os.getpid()
        os.register_at_fork(after_in_child=self._forked)

    def held(self) -> bool:
        """Tell whether this process has it: a forked child does not."""
        return self._descriptor >= 0 and os.getpid() == self._process

    def alive(self, executor: str, connection: Connection) -> bool:  # noqa: ARG002 - files know
        """Tell whether the file of an executor is locked."""
        return _locked(self._folder, executor)

    def take_again(self) -> None:
        """Nothing: a locked file is not lost."""

    def sweep(self) -> None:
        """Remove the files of processes that are no more: an executor without one is dead as well."""
        for path in self._folder.glob("*.lock"):
            with suppress(OSError):
                descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if os.fstat(descriptor).st_size:  # an empty one is about to be locked by its maker
                        path.unlink()
                finally:
                    os.close(descriptor)

    def close(self) -> None:
        """Unlock and remove the file."""
        if self._descriptor >= 0:
            with suppress(OSError):
                self._path.unlink()
            os.close(self._descriptor)
            self._descriptor = -1

    def _forked(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)  # the lock is the parent's: it must not outlive it in a child
            self._descriptor = -1


class SessionLease:
    """An advisory lock of a connection of its own, which nothing else uses."""

    def __init__(self, engine: Engine, executor: str) -> None:
        self.executor = executor
        self._place = engine.url.set(password=None).render_as_string()
        self._engine = create_engine(
            engine.url, poolclass=NullPool, connect_args=_CLIENT, isolation_level="AUTOCOMMIT"
        )
        self._connection: Connection | None = None
        self._guard = threading.Lock()  # a connection serves one thread at a time
        self.take_again()

    def held(self) -> bool:
        """Ask the server; False for good where the connection is gone."""
        with self._guard:
            if self._connection is None:
                return False
            try:
                self._connection.execute(text("SELECT 1"))
            except DBAPIError:
                self._drop()
                return False
            return True

    def alive(self, executor: str, connection: Connection) -> bool:
        """Tell whether a session holds it. Where none does, it stays free until the transaction ends."""
        return _has_session(executor, connection)

    def take_again(self) -> None:
        """Open a connection and lock. Raises ``DatabaseGone``."""
        with self._guard:
            self._drop()
            try:
                self._connection = self._engine.connect()
                for statement in _KEEPALIVE.split(";"):
                    self._connection.execute(text(statement))
                self._connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _key(self.executor)})
            except DBAPIError as error:
                self._drop()
                raise DatabaseGone(f"the database {self._place} does not answer") from error

    def sweep(self) -> None:
        """Nothing: the server has unlocked what they had."""

    def close(self) -> None:
        """Close the connection, which unlocks."""
        with self._guard:
            self._drop()
        self._engine.dispose()

    def _drop(self) -> None:
        if self._connection is not None:
            with suppress(DBAPIError):
                self._connection.close()
            self._connection = None


def _locked(folder: Path, executor: str) -> bool:
    try:
        descriptor = os.open(folder / f"{executor}.lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: two that look meet nobody
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _has_session(executor: str, connection: Connection) -> bool:
    # Shared: two that look at once do not take each other for the holder.
    asked = text("SELECT pg_try_advisory_xact_lock_shared(:key)")
    return not connection.execute(asked, {"key": _key(executor)}).scalar_one()


def _key(executor: str) -> int:
    """Return the number that PostgreSQL knows an executor by: 64 bits of its digest."""
    digest = hashlib.sha256((_NAMESPACE + executor).encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
