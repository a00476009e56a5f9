"""The one function by which anything of this program talks HTTP to another machine.

Only http and https. A host is resolved once a request, every address that it resolves to is checked, and
the connection goes to an address that was checked: a name that resolves differently a moment later gains
nothing. Loopback, private, link-local, shared, reserved and metadata addresses are refused unless listed.
Redirects are followed here, at most five, each checked again; credentials stay with the host that they
were given for. Bodies are read up to a limit, after decompression. No proxy variables are read.
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cached_property
from ipaddress import ip_address
from typing import TYPE_CHECKING, NoReturn, Self
from urllib.parse import urljoin, urlsplit

from connectors.addresses import Allowed
from connectors.errors import (
    AddressRefused,
    ResponseTooLarge,
    SourceMisconfigured,
    SourceUnavailable,
    Unanswered,
)
from connectors.retrying import Passing, Patience, retried

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, HTTPConnectionPool

REDIRECTS = 5
_MOVED = frozenset({301, 302, 303, 307, 308})
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS"})
_BLOCK = 65_536
_POOLS = 64
_CONNECTIONS = 16
Resolve = Callable[[str, int], Sequence[str]]
"""(host, port) -> its addresses as text, in the order in which to try them. Raises ``OSError``."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered; names of ``headers`` in lower case. ``url``: where, after redirects."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """``timeout``: seconds to connect, and between blocks. ``rate``: requests a second, 0 for any."""

    timeout: float = 30.0
    max_bytes: int = 100_000_000
    rate: float = 0.0
    patience: Patience = field(default_factory=Patience)


def resolved(host: str, port: int) -> list[str]:
    """Return the addresses of a host by the system's resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Outbound:
    """Makes requests under one set of rules. Safe for several threads; close it, or use it in a ``with``.

    ``allow`` lists what may be reached though it is not public: an address, a network (``10.0.0.0/8``),
    or a host name; a name alone never opens link-local or metadata addresses.
    """

    def __init__(
        self,
        *,
        allow: Iterable[str] = (),
        limits: Limits = Limits(),
        resolve: Resolve = resolved,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._allowed = Allowed(allow)
        self._limits = limits
        self._resolve = resolve
        self._sleep = sleep
        self._pace = _Pace(limits.rate, sleep)
        self._pools: dict[tuple[str, str, str, int], HTTPConnectionPool] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for pool in self._pools.values():
                pool.close()
            self._pools.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def check(self, url: str) -> list[str]:
        """Return the addresses that a URL's host has, all permitted; for other clients of the same rules.

        Raises ``AddressRefused``, ``SourceMisconfigured`` (no URL), ``SourceUnavailable`` (no such host).
        """
        try:
            return self._addresses(_target(url))
        except Passing as error:
            raise SourceUnavailable(str(error), hint=_LATER) from error

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        credentials: Mapping[str, str] | None = None,
        body: bytes | None = None,
        max_bytes: int | None = None,
    ) -> Reply:
        """Make a request and return the answer, whatever its status but those that are tried again.

        GET, HEAD and OPTIONS are tried again after broken connections, half bodies, time-outs and 408, 425,
        429, 500, 502, 503, 504, as long as a ``Retry-After`` asks. ``credentials`` are headers that only the
        URL's own host gets, over https never over http after a redirect.

        Raises:
            AddressRefused: the host, or one that a redirect leads to, is not to be reached.
            ResponseTooLarge: the body is over ``max_bytes``, compressed or not.
            SourceMisconfigured: this is no http(s) URL.
            SourceUnavailable: no connection, too many redirects, a broken certificate.
            Unanswered: the server is there, and did not answer this request after all tries.
        """

        def once() -> Reply:
            return self._followed(method, url, headers or {}, credentials or {}, body, max_bytes)

        patience = self._limits.patience if method in _REPEATABLE else Patience(tries=1)
        try:
            return retried(once, patience, sleep=self._sleep)
        except _NoAnswer as error:
            raise Unanswered(str(error), hint=_LATER) from error
        except Passing as error:
            raise SourceUnavailable(str(error), hint=_LATER) from error

    def _followed(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        credentials: Mapping[str, str],
        body: bytes | None,
        max_bytes: int | None,
    ) -> Reply:
        origin = target = _target(url)
        for _ in range(REDIRECTS + 1):
            sent = {**headers, **(credentials if target.origin == origin.origin else {})}
            reply = self._single(method, target, sent, body, max_bytes or self._limits.max_bytes)
            place = reply.headers.get("location")
            if reply.status not in _MOVED or not place:
                return reply
            if reply.status == 303 or (reply.status in (301, 302) and method == "POST"):
                method, body = "GET", None
            target = _target(urljoin(target.url, place))
        raise SourceUnavailable(
            f"{origin.shown} redirects more than {REDIRECTS} times", hint="name the page's final address"
        )

    def _single(
        self, method: str, target: "_Target", headers: Mapping[str, str], body: bytes | None, most: int
    ) -> Reply:
        import urllib3

        addresses = self._addresses(target)
        self._pace.wait()
        failed: Exception | None = None
        for address in addresses:
            pool = self._pool(target, address)
            try:
                response = pool.request(
                    method,
                    target.path,
                    body=body,
                    headers={"Host": target.authority, "Accept-Encoding": "gzip, deflate", **headers},
                    redirect=False,
                    retries=False,
                    preload_content=False,
                    decode_content=True,
                )
                return self._read(target, response, most)
            except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError) as error:
                failed = error
            except (urllib3.exceptions.SSLError, ssl.SSLError) as error:
                raise SourceUnavailable(
                    f"{target.shown}: its certificate or TLS is not accepted: {_said(error)}",
                    hint="check the host name, and that this machine trusts who signed the certificate",
                ) from error
            except (urllib3.exceptions.HTTPError, OSError) as error:
                raise _NoAnswer(f"{target.shown}: {_said(error)}") from error
        raise Passing(f"{target.shown} cannot be reached: {_said(failed)}") from failed

    def _read(self, target: "_Target", response: "BaseHTTPResponse", most: int) -> Reply:
        headers = {name.lower(): value for name, value in response.headers.items()}
        try:
            if response.status in _PASSING:
                self._turned_away(target, response.status, _asked(headers.get("retry-after")))
            body = _body(target, response, most)
        except BaseException:
            response.close()
            raise
        response.release_conn()
        return Reply(target.url, response.status, headers, body)

    def _turned_away(self, target: "_Target", status: int, asked: float | None) -> NoReturn:
        if asked is not None:
            self._pace.pause(min(asked, self._limits.patience.asked))
        raise _NoAnswer(f"{target.shown} answered {status}", after=asked)

    def _addresses(self, target: "_Target") -> list[str]:
        try:
            found = list(self._resolve(target.host, target.port))
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN:
                raise Passing(f"{target.host} cannot be looked up now") from error
            raise SourceUnavailable(
                f"there is no host {target.host}", hint="check the address, and this machine's DNS"
            ) from error
        except (OSError, UnicodeError) as error:
            raise SourceUnavailable(
                f"{target.host} cannot be looked up: {_said(error)}", hint="check the address"
            ) from error
        for address in found:
            if not self._allowed.permits(target.host, ip_address(address.partition("%")[0])):
                raise AddressRefused(
                    f"{target.shown} is at {address}, which is not public",
                    hint=f"if it is to be reached, add {target.host} or {address} to outbound.allow",
                )
        if not found:
            raise SourceUnavailable(f"{target.host} has no address", hint="check the address")
        return found

    def _pool(self, target: "_Target", address: str) -> "HTTPConnectionPool":
        import urllib3

        key = (target.scheme, target.host, address, target.port)
        timeout = urllib3.Timeout(connect=self._limits.timeout, read=self._limits.timeout)
        with self._lock:
            if key not in self._pools:
                if len(self._pools) >= _POOLS:
                    self._pools.pop(next(iter(self._pools))).close()
                if target.scheme == "https":
                    self._pools[key] = urllib3.HTTPSConnectionPool(
                        address,
                        target.port,
                        timeout=timeout,
                        maxsize=_CONNECTIONS,
                        ssl_context=ssl.create_default_context(),
                        assert_hostname=target.host,
                        server_hostname=target.host,
                    )
                else:
                    self._pools[key] = urllib3.HTTPConnectionPool(
                        address, target.port, timeout=timeout, maxsize=_CONNECTIONS
                    )
            return self._pools[key]


@dataclass(frozen=True)
class _Target:
    """A URL in the parts that are connected to. ``host`` in ASCII, without brackets."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    @cached_property
    def authority(self) -> str:
        name = f"[{self.host}]" if ":" in self.host else self.host
        usual = 443 if self.scheme == "https" else 80
        return name if self.port == usual else f"{name}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def shown(self) -> str:
        """Where, without the query: it may hold what nobody should read in a log."""
        return self.url.partition("?")[0]


def _target(url: str) -> _Target:
    if any(char.isspace() or not char.isprintable() or char == "\\" for char in url):
        raise _no_url(url)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        if parts.username is not None or parts.password is not None:
            raise SourceMisconfigured(
                f"the address of {host} holds a name or password",
                hint="name an environment variable that holds it",
            )
        if parts.scheme not in ("http", "https") or not host or port == 0:
            raise _no_url(url)
        if not host.isascii():
            host = host.encode("idna").decode("ascii")
    except ValueError as error:
        raise _no_url(url) from error
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return _Target(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), path)


def _no_url(url: str) -> SourceMisconfigured:
    shown = url.partition("?")[0][:200]
    return SourceMisconfigured(f"no http or https address: {shown!r}", hint="write https://HOST/PATH")


def _body(target: _Target, response: "BaseHTTPResponse", most: int) -> bytes:
    declared = response.headers.get("Content-Length", "")
    parts: list[bytes] = []
    size = int(declared) if declared.isdecimal() and int(declared) > most else 0
    if not size:
        for block in response.stream(_BLOCK):
            parts.append(block)
            size += len(block)
            if size > most:
                break
    if size > most:
        raise ResponseTooLarge(
            f"{target.shown} gives more than {most} bytes",
            hint="raise `max_bytes`, or leave the item out with `exclude`",
        )
    return b"".join(parts)


def _asked(value: str | None) -> float | None:
    """Return the seconds of a ``Retry-After``, or None; a date in the past is now."""
    if not value:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def _said(error: Exception | None) -> str:
    """Return an error of urllib3 without the pool and the address that stand before its words."""
    text = str(getattr(error, "reason", None) or error)
    return (text.rsplit(": ", 1)[-1] if ": " in text else text).strip("()' \"") or type(error).__name__


class _NoAnswer(Passing):
    """The server was reached, and did not answer this request."""


_LATER = "try again later: `ragflow index` goes on where it stopped"


class _Pace:
    """Lets requests pass at a rate, and none before a pause is over; for several threads."""

    def __init__(self, rate: float, sleep: Callable[[float], None]) -> None:
        self._gap = 1 / rate if rate > 0 else 0.0
        self._sleep = sleep
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Return when it is this request's turn."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._gap
        if turn > now:
            self._sleep(turn - now)

    def pause(self, seconds: float) -> None:
        """Let nobody pass for so long."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)
