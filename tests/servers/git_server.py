"""Repositories made by the real git, and a real https server in front of them (git http-backend)."""

import os
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from faults import Faults, FaultyServer, QuietHandler


class Clone:
    """A repository with a work tree and a clock of its own: each commit is a minute later."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = 1_767_225_600
        path.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main", ".")

    def git(self, *arguments: str, author: str = "Mia", fails: bool = False) -> str:
        who = {
            f"GIT_{one}_{key}": value
            for one in ("AUTHOR", "COMMITTER")
            for key, value in (
                ("NAME", author),
                ("EMAIL", "who@example.com"),
                ("DATE", f"{self.clock} +0100"),
            )
        }
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.path,
            env={
                "PATH": os.environ["PATH"],
                "GIT_CONFIG_GLOBAL": os.devnull,
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_ALLOW_PROTOCOL": "file",
                **who,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        assert fails or done.returncode == 0, done.stderr
        return done.stdout.decode().strip()

    def write(self, name: str | bytes, data: bytes | str) -> None:
        path = Path(os.fsdecode(os.fsencode(self.path) + b"/" + os.fsencode(name)))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)

    def commit(self, files: Mapping[Any, Any], *, author: str = "Mia") -> str:
        """Commit contents by name; None deletes. Gives the commit's id."""
        self.clock += 60
        for name, data in files.items():
            if data is None:
                self.git("rm", "--quiet", "--", name)
            else:
                self.write(name, data)
        self.git("add", "--all", ".")
        self.git("commit", "--quiet", "--allow-empty", "-m", "change", author=author)
        return self.git("rev-parse", "HEAD")


def certificate(folder: Path, host: str = "localhost", *addresses: str) -> tuple[Path, Path]:
    """Write a certificate for a host and addresses, signed by itself, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    named = [x509.DNSName(host), *(x509.IPAddress(ip_address(one)) for one in addresses)]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(named), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return certificate, private


class GitServer(FaultyServer):
    """Serves the repositories below ``root`` as ``https://localhost:PORT/NAME``; ``asked`` notes requests."""

    def __init__(
        self, root: Path, folder: Path, *, faults: Faults | None = None, only: str | None = None
    ) -> None:
        super().__init__(_Backend, faults=faults)
        self.root, self.only = root, only
        self.asked: list[tuple[str, str | None]] = []
        self.redirect: str | None = None
        self.certificate, key = certificate(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def url_of(self, name: str) -> str:
        return f"https://localhost:{self.port}/{name}"


class _Backend(QuietHandler):
    server: GitServer

    def do_GET(self) -> None:  # noqa: N802 - the name is its parent's
        self._serve(b"")

    def do_POST(self) -> None:  # noqa: N802
        self._serve(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def _serve(self, body: bytes) -> None:
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        if self.server.redirect is not None:
            self.server.faults.send(self, 302, {"Location": self.server.redirect}, b"")
            return
        if self.server.only is not None and self.headers.get("Authorization") != self.server.only:
            self.server.faults.send(self, 401, {"WWW-Authenticate": "Basic"}, b"")
            return
        path, _, query = self.path.partition("?")
        done = subprocess.run(
            ["git", "-c", "safe.directory=*", "http-backend"],
            input=body,
            env={
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(self.server.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type") or "",
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding") or "",
                "GIT_PROTOCOL": self.headers.get("Git-Protocol") or "",
                "REMOTE_ADDR": "127.0.0.1",
            },
            capture_output=True,
            check=False,
        )
        head, _, answer = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        status = int(headers.pop("Status", "200").split()[0])
        self.server.faults.send(self, status, headers, answer)


@contextmanager
def git_server(
    root: Path, folder: Path, *, faults: Faults | None = None, only: str | None = None
) -> Iterator[GitServer]:
    with GitServer(root, folder, faults=faults, only=only) as server:
        yield server
