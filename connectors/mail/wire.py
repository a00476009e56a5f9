"""One connection to an IMAP server: encrypted, bounded in bytes and time, whatever the server says."""

import binascii
import imaplib
import re
import ssl
import time
from dataclasses import dataclass, field
from typing import Literal, NoReturn

from connectors.addresses import is_loopback
from connectors.errors import AccessDenied, SourceMisconfigured, SourceUnavailable
from connectors.retrying import Passing

Tls = Literal["implicit", "starttls", "none"]
CHATTER = 1_000_000
"""Bytes that an answer without messages may have."""

_BLOCK = 65_536
_SLOWEST = 4096
_LATER = re.compile(
    r"\[(?:UNAVAILABLE|INUSE|LIMIT|SERVERBUG|CONTACTADMIN)\]|too many|maximum number", re.IGNORECASE
)
_NOT_TLS = re.compile(
    r"WRONG_VERSION_NUMBER|UNKNOWN_PROTOCOL|HTTP_REQUEST|UNSUPPORTED_PROTOCOL|HANDSHAKE_FAILURE"
)
GARBAGE = (ValueError, TypeError, IndexError, KeyError, AttributeError)
"""What ``imaplib`` raises when an answer is not what it expects."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where to log in, and how. ``password_env`` names where ``password`` (None: not set) comes from.

    ``port`` 0: 993 with ``tls`` implicit, else 143. ``timeout``: seconds to connect, and to wait for more.
    """

    host: str
    user: str
    password: str | None = field(repr=False)
    password_env: str
    port: int = 0
    tls: Tls = "implicit"
    timeout: float = 30.0

    @property
    def shown(self) -> str:
        """The server as messages name it."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"{name}:{self.number}"

    @property
    def number(self) -> int:
        """The port."""
        return self.port or (993 if self.tls == "implicit" else 143)


class Flooded(Exception):
    """The server sends more than was allowed. Not one of ``imaplib``, which makes its own all the same."""


class Wire(imaplib.IMAP4):
    """A connection that reads at most ``allow`` bytes for one answer, and gives up on one that drips.

    ``selected``: the folder that is open, and its UIDVALIDITY.
    """

    selected: tuple[str, int] | None = None
    _buffer: bytearray
    _patience: float | None
    _most = CHATTER
    _got = 0
    _since = 0.0

    def open(self, host: str = "", port: int | None = None, timeout: float | None = None) -> None:
        """Connect; called by ``imaplib``."""
        self._buffer = bytearray()
        self._patience = timeout
        self.allow(CHATTER)
        super().open(host, port or 143, timeout)

    def allow(self, most: int) -> None:
        """Let the next answers have so many bytes together."""
        self._most, self._got, self._since = most, 0, time.monotonic()

    def read(self, size: int) -> bytes:
        """Return exactly so many bytes."""
        if size > self._most:
            raise Flooded(f"the server announces {size} bytes")
        while len(self._buffer) < size:
            self._receive()
        return self._taken(size)

    def readline(self) -> bytes:
        """Return one line with its end."""
        seen = 0
        while (end := self._buffer.find(b"\n", seen)) < 0:
            seen = len(self._buffer)
            self._receive()
        return self._taken(end + 1)

    def encrypt(self, context: ssl.SSLContext) -> None:
        """Go on under TLS; what was said before, in clear, counts for nothing."""
        answer, _ = self.xatom("STARTTLS")
        if answer != "OK" or self._buffer:
            raise self.abort("the server does not start TLS")
        self.sock = context.wrap_socket(self.sock, server_hostname=self.host)
        self.untagged_responses = {}
        self.learn()

    def learn(self) -> None:
        """Ask again what the server can do."""
        _, data = self.capability()
        self.capabilities = tuple(bytes(data[-1]).decode("ascii").upper().split())

    def _receive(self) -> None:
        # Waiting ends with each single byte: together they must keep up a pace.
        patience = self._patience or 30.0
        if time.monotonic() - self._since > patience + self._got / _SLOWEST:
            raise self.abort("the server sends too slowly")
        block = self.sock.recv(_BLOCK)
        if not block:
            raise self.abort("the server closed the connection")
        self._got += len(block)
        if self._got > self._most + _BLOCK:
            raise Flooded("the server sends more than was asked for")
        self._buffer += block

    def _taken(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken


class _Encrypted(Wire, imaplib.IMAP4_SSL):
    """The same over TLS from the first byte."""


def hang_up(wire: Wire) -> None:
    """Close a connection without a word."""
    try:
        wire.shutdown()
    except OSError:
        # It was broken already; the descriptor is closed all the same.
        return


def check(server: Server) -> None:
    """Raise ``SourceMisconfigured`` where a password would go over the network in clear, or cannot be one."""
    if server.tls == "none" and not is_loopback(server.host):
        raise SourceMisconfigured(
            f"`tls: none` would send the password to {server.shown} in clear",
            hint="write `tls: implicit` or `tls: starttls`",
        )
    if re.search(r"[\x00\r\n]", server.user + (server.password or "")):
        raise SourceMisconfigured(
            f"the user or the password of {server.shown} holds a line break",
            hint=f"set {server.password_env} without one",
        )


def connect(server: Server) -> Wire:
    """Return a connection that is logged in.

    Raises:
        Passing: no connection, or no answer: another try may help.
        SourceUnavailable: TLS is not to be had, or not to be trusted.
        AccessDenied: the password is not set, or refused.
        SourceMisconfigured: see ``check``.
    """
    check(server)
    if server.password is None:
        raise AccessDenied(
            f"no password for {server.user} at {server.shown}: {server.password_env} is not set",
            hint=f"set the variable {server.password_env}",
        )
    try:
        wire = _opened(server)
    except ssl.SSLError as error:
        _tls_failed(server, error)
    except (OSError, Flooded, imaplib.IMAP4.error, *GARBAGE) as error:
        raise Passing(f"{server.shown} cannot be reached: {error}"[:300]) from error
    try:
        _log_in(wire, server, server.password)
    except BaseException:
        hang_up(wire)
        raise
    return wire


def _opened(server: Server) -> Wire:
    # The system's trust; OpenSSL itself honours SSL_CERT_FILE.
    context = ssl.create_default_context()
    if server.tls == "implicit":
        return _Encrypted(server.host, server.number, ssl_context=context, timeout=server.timeout)
    wire = Wire(server.host, server.number, server.timeout)
    try:
        if server.tls == "starttls":
            wire.encrypt(context)
    except BaseException:
        hang_up(wire)
        raise
    return wire


def _tls_failed(server: Server, error: ssl.SSLError) -> NoReturn:
    said = getattr(error, "verify_message", "") or error.reason or "TLS failed"
    if isinstance(error, ssl.SSLCertVerificationError):
        raise SourceUnavailable(
            f"the certificate of {server.shown} is not accepted: {said}",
            hint="check the host name, and that this machine trusts who signed it (SSL_CERT_FILE)",
        ) from error
    if _NOT_TLS.search(str(said)):
        raise SourceUnavailable(
            f"{server.shown} does not speak TLS: {said}",
            hint="check `port` and `tls`: implicit is usually on 993, starttls on 143",
        ) from error
    raise Passing(f"{server.shown} broke off TLS: {said}") from error


def _log_in(wire: Wire, server: Server, password: str) -> None:
    try:
        if "AUTH=PLAIN" in wire.capabilities:
            wire.authenticate("PLAIN", lambda _: f"\0{server.user}\0{password}".encode())
        else:
            wire.login(server.user, password)
    except UnicodeError as error:
        raise AccessDenied(
            f"{server.shown} takes only ASCII passwords", hint=f"change {server.password_env}"
        ) from error
    except (OSError, Flooded, imaplib.IMAP4.abort, binascii.Error, *GARBAGE) as error:
        raise Passing(f"{server.shown} does not let us log in: {type(error).__name__}") from error
    except imaplib.IMAP4.error as error:
        if _LATER.search(str(error)):
            raise Passing(f"{server.shown} lets nobody in now") from error
        # The server's own words stay out: they may repeat what was sent.
        raise AccessDenied(
            f"{server.shown} refuses {server.user} with the password in {server.password_env}",
            hint="correct `user`, or the variable",
        ) from None
