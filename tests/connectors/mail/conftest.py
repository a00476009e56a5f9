"""A real mail server for all tests of this folder, and a new mailbox on it for each."""

import itertools
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import dovecot
import pytest
from mailboxes import Mailbox

COUNT = itertools.count(1)


@pytest.fixture(scope="session")
def certificate(need_system: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PEM file with a key and a certificate for localhost that nobody else trusts."""
    need_system("openssl", "makes a certificate for the mail server")
    file = tmp_path_factory.mktemp("certificate") / "server.pem"
    command = (
        "req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    subprocess.run(
        [
            shutil.which("openssl") or "openssl",
            *command.split(),
            "-keyout",
            file,
            "-out",
            file.with_suffix(".crt"),
        ],
        check=True,
        capture_output=True,
    )
    with file.open("a") as whole:
        whole.write(file.with_suffix(".crt").read_text())
    return file


@pytest.fixture(scope="session")
def imap_server(
    need_system: Callable[..., None], certificate: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dovecot.Dovecot]:
    need_system("dovecot", "is a real mail server", present=dovecot.program() is not None)
    with dovecot.Dovecot(tmp_path_factory.mktemp("dovecot"), certificate=certificate) as server:
        yield server


@pytest.fixture
def mailbox(imap_server: dovecot.Dovecot, tmp_path: Path) -> Iterator[Mailbox]:
    """A new, empty mailbox."""
    state = tmp_path / "state"
    state.mkdir()
    box = Mailbox(imap_server, f"user{next(COUNT)}", state)
    yield box
    box.close()
