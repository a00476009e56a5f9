"""A PostgreSQL cluster of its own on loopback, in a temporary folder, gone when the tests are.

```python
with Postgres() as server:
    url = server.database()      # postgresql://owner:...@127.0.0.1:PORT/db_1
    server.run(url, "CREATE TABLE t (id int)")
    server.crash(); server.start()
```
It ends with the process that started it, also when that is killed: the shell that holds the server waits
on a pipe. PostgreSQL refuses to run as root: then it runs as the user ``postgres``.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import psycopg

PASSWORD = "h%nter two/2@"
_PLACES = "/usr/lib/postgresql/*/bin"
# The server's own process, ended when stdin closes.
_HOLD = '"$@" & server=$!; cat >/dev/null; kill -INT $server 2>/dev/null; wait $server'
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "logging_collector": "off",
    "lc_messages": "C",
}


def programs() -> Path | None:
    """The folder of the newest server's programs; None where there is none, or no user to run it."""
    if os.geteuid() == 0 and shutil.which("runuser") is None:
        return None
    found = sorted(Path("/").glob(_PLACES[1:]), key=lambda path: float(path.parent.name))
    if found and (found[-1] / "initdb").exists():
        return found[-1]
    there = shutil.which("initdb")
    return Path(there).resolve().parent if there else None


class Postgres:
    """One cluster. ``url`` is that of its first database."""

    def __init__(self) -> None:
        folder = programs()
        assert folder is not None
        self._programs = folder
        self._folder = Path(tempfile.mkdtemp(prefix="ragflow-postgres-"))
        self._as = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def __enter__(self) -> Self:
        try:
            self._initialise()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop it and remove its folder."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def url(self) -> str:
        return self.of("postgres")

    def of(self, database: str, *, user: str = "owner", password: str = PASSWORD) -> str:
        """The url of a database."""
        from urllib.parse import quote

        return f"postgresql://{user}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    def database(self) -> str:
        """Make an empty database and return its url."""
        self._databases += 1
        name = f"db_{self._databases}"
        self.run(self.url, f"CREATE DATABASE {name}")
        return self.of(name)

    def run(self, url: str, statement: str, values: Any = None, *, many: bool = False) -> list[Any]:
        """Execute a statement (for each of many values) and return its rows, if it has any."""
        with psycopg.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
            if many:
                cursor.executemany(statement, values)
            else:
                cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def start(self) -> None:
        """Start it, and return when it answers."""
        options = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
        server = [str(self._programs / "postgres"), "-D", str(self._data), "-p", str(self.port), *options]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._as, "sh", "-c", _HOLD, "sh", *server],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                start_new_session=True,  # an interrupt at the terminal is for the tests
            )
        until = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.url, connect_timeout=5).close()
            except psycopg.OperationalError:
                if time.monotonic() > until or self._process.poll() is not None:
                    raise
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """End it in order; nothing where it does not run."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process = None

    def crash(self) -> None:
        """End it at once, all connections cut."""
        assert self._process is not None
        first_line = (self._data / "postmaster.pid").read_text().split("\n")[0]
        os.kill(int(first_line), signal.SIGQUIT)
        self.stop()

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _initialise(self) -> None:
        secret = self._folder / "secret"
        secret.write_text(PASSWORD)
        if self._as:
            shutil.chown(self._folder, "postgres")
            shutil.chown(secret, "postgres")
        words = ["-D", str(self._data), "-U", "owner", "--pwfile", str(secret), "-A", "scram-sha-256"]
        words += ["-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        program = str(self._programs / "initdb")
        subprocess.run([*self._as, program, *words], check=True, stdout=subprocess.DEVNULL, cwd=self._folder)
        secret.unlink()
