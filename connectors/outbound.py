"""The one function by which anything of this program talks HTTP to another machine.

Only http and https. A host is resolved once a request, every address that it resolves to is checked, and
the connection goes to an address that was checked: a name that resolves differently a moment later gains
nothing. Loopback, private, link-local, shared, reserved and metadata addresses are refused unless listed.
Redirects are followed here, at most five, each checked again; credentials stay with the host that they
were given for. Bodies are read up to a limit, after decompression, and within a time limit. No proxy
variables are read.
"""

import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn, Self

from connectors.errors import (
    AddressRefused,
    LedAstray,
    ResponseTooLarge,
    SourceMisconfigured,
    SourceUnavailable,
    Unanswered,
)
from connectors.lookups import LATER, Lookup, Resolve, resolved, said
from connectors.pacing import Pace, asked_pause
from connectors.retrying import Passing, Patience, retried
from connectors.targets import Target, target

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

    from connectors.connecting import Pools

REDIRECTS = 5
_MOVED = frozenset({301, 302, 303, 307, 308})
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS"})
_NO_BODY = frozenset({204, 304})
_BLOCK = 65_536
_ALWAYS = {"accept-encoding": "gzip, deflate", "user-agent": "ragflow"}


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered; names of ``headers`` in lower case. ``url``: where, after redirects."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """``timeout``: seconds to connect, to the end of the head, and between blocks; ``total``: for all.

    ``rate``: requests a second, 0 for any. ``max_bytes`` of a body, decompressed. ``redirects``: at most so
    many are followed; 0: a redirect is an answer like any other.
    """

    timeout: float = 30.0
    max_bytes: int = 100_000_000
    rate: float = 0.0
    patience: Patience = field(default_factory=Patience)
    total: float = 600.0
    redirects: int = REDIRECTS


@dataclass(frozen=True, slots=True)
class _Asking:
    """One request, as it changes from redirect to redirect."""

    method: str
    headers: Mapping[str, str]
    body: bytes | None
    most: int

    def after(self, status: int) -> "_Asking":
        """Return what is asked at the place that an answer with this status names."""
        posted = status in (301, 302) and self.method == "POST"
        if not (posted or (status == 303 and self.method != "HEAD")):
            return self
        kept = {name: value for name, value in self.headers.items() if name.lower() != "content-type"}
        return _Asking("GET", kept, None, self.most)


class Outbound:
    """Makes requests under one set of rules. Safe for several threads; close it, or use it in a ``with``.

    ``allow`` lists what may be reached though it is not public: an address, a network (``10.0.0.0/8``),
    or a host name. Link-local and metadata addresses are opened by their very address only.
    """

    def __init__(
        self,
        *,
        allow: Iterable[str] = (),
        limits: Limits = Limits(),
        resolve: Resolve = resolved,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._lookup = Lookup(allow, resolve)
        self._limits = limits
        self._sleep = sleep
        self._pace = Pace(limits.rate, sleep)
        self._pools: Pools | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            if self._pools is not None:
                self._pools.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def slow_to(self, rate: float) -> None:
        """Make at most so many requests a second from now on; nothing changes if that is not slower."""
        self._pace.slow_to(rate)

    def check(self, url: str) -> list[str]:
        """Return the addresses that a URL's host has, all permitted; for other clients of the same rules.

        Raises ``AddressRefused``, ``SourceMisconfigured`` (no URL), ``SourceUnavailable`` (no such host).
        """
        try:
            return self._lookup.addresses(target(url))
        except Passing as error:
            raise SourceUnavailable(str(error), hint=LATER) from error

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
        URL's own scheme, host and port get: none after a redirect elsewhere, or from https to http.

        Raises:
            AddressRefused: the host, or one that a redirect leads to, is not to be reached.
            ResponseTooLarge: the body is over ``max_bytes``, compressed or not.
            SourceMisconfigured: this is no http(s) URL, or a header holds what none may hold.
            SourceUnavailable: no such host, no connection, a certificate that is not accepted; or the server
                asks to be left alone for longer than our patience.
            Unanswered: the server is there, and did not answer this request after all tries.
            LedAstray: it redirected the request too often, or to a place that is not there.
        """
        asking = _Asking(method, headers or {}, body, max_bytes or self._limits.max_bytes)
        patience = self._limits.patience if method in _REPEATABLE else Patience(tries=1)
        return self._tried(url, asking, credentials or {}, patience)

    def query(
        self,
        url: str,
        body: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        credentials: Mapping[str, str] | None = None,
        max_bytes: int | None = None,
    ) -> Reply:
        """POST what only asks and changes nothing there: it is tried again as a GET is. See ``request``."""
        asking = _Asking("POST", headers or {}, body, max_bytes or self._limits.max_bytes)
        return self._tried(url, asking, credentials or {}, self._limits.patience)

    def _tried(self, url: str, asking: _Asking, credentials: Mapping[str, str], patience: Patience) -> Reply:
        _sendable({**asking.headers, **credentials})
        start = target(url)
        try:
            return retried(lambda: self._followed(start, asking, credentials), patience, sleep=self._sleep)
        except _NoAnswer as error:
            if error.after is not None and error.after > patience.asked:
                raise SourceUnavailable(
                    f"{error}, and asks to come again in {error.after:.0f} seconds",
                    hint=LATER,
                    status=error.status,
                ) from error
            raise Unanswered(str(error), hint=LATER, status=error.status) from error
        except Passing as error:
            raise SourceUnavailable(str(error), hint=LATER) from error

    def _followed(self, start: Target, asking: _Asking, credentials: Mapping[str, str]) -> Reply:
        reply = self._single(start, asking, credentials)
        here = start
        most = self._limits.redirects
        for _ in range(most):
            place = reply.headers.get("location")
            if reply.status not in _MOVED or not place:
                return reply
            asking = asking.after(reply.status)
            try:
                here = here.after(place)
                reply = self._single(here, asking, credentials if here.origin == start.origin else {})
            except SourceMisconfigured as error:
                raise AddressRefused(f"{start.shown} redirects: {error}", hint=_FINAL) from error
            except AddressRefused as error:
                raise AddressRefused(f"{start.shown} redirects: {error}", hint=error.hint) from error
            except SourceUnavailable as error:
                raise LedAstray(f"{start.shown} redirects: {error}", hint=error.hint) from error
            except Passing as error:
                status = error.status if isinstance(error, _NoAnswer) else None
                raise _NoAnswer(
                    f"{start.shown} redirects: {error}", after=error.after, status=status
                ) from error
        if most and reply.status in _MOVED and reply.headers.get("location"):
            raise LedAstray(f"{start.shown} redirects more than {most} times", hint=_FINAL)
        return reply

    def _single(self, place: Target, asking: _Asking, credentials: Mapping[str, str]) -> Reply:
        import urllib3

        addresses = self._lookup.addresses(place)
        self._pace.wait()
        failed: Exception | None = None
        for address in addresses:
            try:
                return self._read(place, asking, self._open(place, address, asking, credentials))
            except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError) as error:
                failed = error
            except (urllib3.exceptions.HTTPError, OSError) as error:
                if _untrusted(error):
                    raise SourceUnavailable(
                        f"{place.shown}: its certificate is not accepted: {said(error)}",
                        hint="check the host name, and that this machine trusts who signed the certificate",
                    ) from error
                raise _NoAnswer(f"{place.shown}: {said(error)}") from error
        raise Passing(f"{place.shown} cannot be reached: {said(failed)}") from failed

    def _open(
        self, place: Target, address: str, asking: _Asking, credentials: Mapping[str, str]
    ) -> "BaseHTTPResponse":
        from connectors.connecting import Pools

        with self._lock:
            self._pools = self._pools or Pools(self._limits.timeout, self._limits.total)
        given = {**asking.headers, **credentials}
        named = {name.lower() for name in given}
        usual = {name: value for name, value in _ALWAYS.items() if name not in named}
        return self._pools.pool(place, address).urlopen(
            asking.method,
            place.path,
            body=asking.body,
            headers={"Host": place.authority, **usual, **given},
            redirect=False,
            retries=False,
            preload_content=False,
            decode_content=True,
        )

    def _read(self, place: Target, asking: _Asking, response: "BaseHTTPResponse") -> Reply:
        # What comes twice is joined by a comma, as HTTP means it.
        headers = {name.lower(): response.headers[name] for name in response.headers}
        try:
            if response.status in _PASSING:
                self._turned_away(place, response.status, asked_pause(headers))
            bodiless = asking.method == "HEAD" or response.status in _NO_BODY
            body = b"" if bodiless else _body(place, response, asking.most)
        except BaseException:
            response.close()
            raise
        response.release_conn()
        return Reply(place.url, response.status, headers, body)

    def _turned_away(self, place: Target, status: int, asked: float | None) -> NoReturn:
        if asked is not None and asked <= self._limits.patience.asked:
            self._pace.pause(asked)
        raise _NoAnswer(f"{place.shown} answered {status}", after=asked, status=status)


def _sendable(headers: Mapping[str, str]) -> None:
    """Refuse what a header cannot hold; its value is not repeated, since it may be a secret."""
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()):
            raise SourceMisconfigured(
                f"the header {name} holds a line break or a letter that no header may hold",
                hint="check the environment variable or the setting that gives it",
            )


def _body(place: Target, response: "BaseHTTPResponse", most: int) -> bytes:
    declared = response.headers.get("Content-Length", "")
    size = int(declared) if declared.isdecimal() and len(declared) < 20 else 0
    parts: list[bytes] = []
    if size <= most:
        size = 0
        for block in response.stream(_BLOCK):
            parts.append(block)
            size += len(block)
            if size > most:
                break
    if size > most:
        raise ResponseTooLarge(
            f"{place.shown} gives more than {most} bytes",
            hint="raise `max_bytes`, or leave the item out with `exclude`",
        )
    return b"".join(parts)


def _untrusted(error: BaseException) -> bool:
    """Say whether a certificate is the cause; another error of TLS may be a line that was cut."""
    chain = [error, *error.args, error.__cause__, error.__context__]
    return any(isinstance(one, ssl.SSLCertVerificationError) for one in chain)


class _NoAnswer(Passing):
    """The server was reached, and did not answer this request. ``status``: what it said instead."""

    def __init__(self, message: str, *, after: float | None = None, status: int | None = None) -> None:
        super().__init__(message, after=after)
        self.status = status


_FINAL = "name the page's final address"
