"""Connections to addresses that were checked, kept open between requests, each answer with a time limit.

A timeout of a socket bounds the wait for the next byte only: a server that sends one byte now and then
would hold a thread for ever. So each read here also looks at how much time the whole answer has left.
"""

import io
import ssl
import threading
import time
from functools import partial
from http.client import HTTPResponse
from socket import socket
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from connectors.targets import Target

_POOLS = 64
_CONNECTIONS = 16


class Pools:
    """Pools of connections by address, the least used closed first. Safe for several threads.

    ``timeout``: seconds to connect, to the end of an answer's head, and between blocks of its body.
    ``total``: seconds for an answer as a whole.
    """

    def __init__(self, timeout: float, total: float) -> None:
        self._timeout = urllib3.Timeout(connect=timeout, read=timeout)
        self._limits = (timeout, max(timeout, total))
        self._pools: dict[tuple[str, str, str, int], urllib3.HTTPConnectionPool] = {}
        self._tls: ssl.SSLContext | None = None
        self._lock = threading.Lock()

    def pool(self, target: Target, address: str) -> urllib3.HTTPConnectionPool:
        """Return the pool of connections to a host at one of its addresses."""
        key = (target.scheme, target.host, address, target.port)
        with self._lock:
            pool = self._pools.pop(key, None) or self._made(target, address)
            self._pools[key] = pool
            if len(self._pools) > _POOLS:
                self._pools.pop(next(iter(self._pools))).close()
            return pool

    def close(self) -> None:
        """Close all connections that are not in use; those in use close when they are given back."""
        with self._lock:
            for pool in self._pools.values():
                pool.close()
            self._pools.clear()

    def _made(self, target: Target, address: str) -> urllib3.HTTPConnectionPool:
        if target.scheme == "http":
            pool = urllib3.HTTPConnectionPool(
                address, target.port, timeout=self._timeout, maxsize=_CONNECTIONS
            )
            pool.ConnectionCls = partial(_Plain, limits=self._limits)  # type: ignore[assignment]
            return pool
        if self._tls is None:
            self._tls = ssl.create_default_context()
        secure = urllib3.HTTPSConnectionPool(
            address,
            target.port,
            timeout=self._timeout,
            maxsize=_CONNECTIONS,
            ssl_context=self._tls,
            server_hostname=target.host,
        )
        secure.ConnectionCls = partial(_Secure, limits=self._limits)  # type: ignore[assignment]
        return secure


class _Timed(HTTPResponse):
    """An answer whose head and body must be there in time. ``limits``: seconds for the head, for all."""

    def __init__(
        self, sock: socket, debuglevel: int = 0, *, method: str | None = None, limits: tuple[float, float]
    ) -> None:
        super().__init__(sock, debuglevel, method)
        self.fp.close()
        self._started = time.monotonic()
        self._total = limits[1]
        self._line = _Line(sock, self._started + limits[0])
        self.fp = io.BufferedReader(self._line)

    def begin(self) -> None:
        super().begin()
        self._line.deadline = self._started + self._total


class _Line(io.RawIOBase):
    """What comes from a socket, until ``deadline`` (monotonic seconds)."""

    def __init__(self, sock: socket, deadline: float) -> None:
        super().__init__()
        self._sock = sock
        self._longest = sock.gettimeout()
        self._raw = sock.makefile("rb", buffering=0)
        self.deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer takes too long")
        self._sock.settimeout(left if self._longest is None else min(left, self._longest))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Plain(HTTPConnection):
    def __init__(self, *args: Any, limits: tuple[float, float], **options: Any) -> None:
        super().__init__(*args, **options)
        self.response_class = partial(_Timed, limits=limits)  # type: ignore[assignment]


class _Secure(HTTPSConnection):
    def __init__(self, *args: Any, limits: tuple[float, float], **options: Any) -> None:
        super().__init__(*args, **options)
        self.response_class = partial(_Timed, limits=limits)  # type: ignore[assignment]
