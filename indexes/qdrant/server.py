"""A Qdrant server as this program calls it: bounded, tried again, and its errors mapped to ours."""

import importlib.util
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from indexes.errors import ExtraMissing, ServerRefused, ServerUnavailable

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

OLDEST = (1, 19)
"""The first version that counts document frequencies among the points that a filter leaves."""

Quantization = Literal["int8", "binary"]

_LONGEST_WAIT = 8.0
_LONGEST_PAUSE = 30.0  # seconds; a server that asks for more is not waited for longer
_SHOWN = 200
_ADDRESS = "look whether index.url is right; a Qdrant server's port is 6333 unless configured otherwise"

_Given = TypeVar("_Given")


@dataclass(frozen=True, slots=True)
class Server:
    """Where the server is and how collections are laid out there; see ``index.qdrant`` in docs/scale.md.

    ``alias``: the name of the live collection, and the beginning of each collection's own. ``shards`` and
    ``replicas`` None: the server decides. ``m``, ``ef_construct`` and ``ef`` are of its HNSW graph, ``ef``
    None: what the server takes. ``on_disk``: vectors and graph are mapped from its disk, not held in its
    memory. ``batch``: points sent at once. ``timeout``: seconds for one request; ``retries``: how often one
    that got no answer is sent again.
    """

    url: str
    api_key: str | None = field(default=None, repr=False)
    alias: str = "ragflow"
    shards: int | None = None
    replicas: int | None = None
    quantization: Quantization | None = None
    m: int = 16
    ef_construct: int = 100
    ef: int | None = None
    on_disk: bool = False
    batch: int = 256
    timeout: float = 10.0
    retries: int = 4


def require() -> None:
    """Raise ``ExtraMissing`` where qdrant-client is not installed; nothing is imported."""
    if importlib.util.find_spec("qdrant_client") is None:
        raise ExtraMissing(
            "index.url needs the package qdrant-client, which is not installed",
            hint='pip install "ragflow[qdrant]"',
        )


class _Again(Exception):
    """A request that may succeed when sent again, ``after`` so many seconds; ``said``: what became of it."""

    def __init__(self, said: str, *, after: float = 0.0) -> None:
        super().__init__(said)
        self.said = said
        self.after = after


ABSENT, EXISTS = 404, 409
"""The status of an error where what was asked for is not there, and where what was to be made is."""


class Remote:
    """Calls one server. Every request is one that may be sent twice. Not for several threads at once.

    ``client`` makes what requests go through; None: a ``QdrantClient`` over HTTP. ``wait``: seconds before
    the first repetition, doubled for each further one.
    """

    def __init__(
        self, server: Server, *, client: "Callable[[], QdrantClient] | None" = None, wait: float = 0.2
    ) -> None:
        self.server = server
        self._make = client or self._over_http
        self._wait = wait

    def call(self, request: "Callable[[QdrantClient], _Given]") -> _Given:
        """Send a request and return what it gives.

        Raises:
            ServerUnavailable: no answer, or an error of the server's, every time; or no sound answer. Its
                ``status`` is ABSENT or EXISTS where the server says so.
            ServerRefused: the key is refused.
        """
        client = self._client
        backing_off = wait_exponential(self._wait, _LONGEST_WAIT) + wait_random(0, self._wait)
        trying = Retrying(
            retry=retry_if_exception_type(_Again),
            stop=stop_after_attempt(self.server.retries + 1),
            wait=lambda state: max(backing_off(state), _asked_for(state)),
            reraise=True,
        )
        try:
            given: _Given = trying(self._once, client, request)
        except _Again as error:
            raise ServerUnavailable(
                f"the Qdrant server at {self.server.url} {error.said}",
                hint="look whether it runs and index.url is right, then run the same command again",
            ) from error.__cause__
        return given

    def check_version(self) -> str:
        """Return the server's version. Raises ``ServerUnavailable`` where it is too old, and as ``call``."""
        version = self.call(lambda client: client.info()).version
        parts = tuple(int(one) if one.isdigit() else 0 for one in version.split(".")[:2])
        if parts < OLDEST:
            oldest = ".".join(map(str, OLDEST))
            raise ServerUnavailable(
                f"the Qdrant server at {self.server.url} is version {version}; {oldest} or newer is needed",
                hint="upgrade the server: docs/scale.md",
            )
        return version

    @cached_property
    def _client(self) -> "QdrantClient":
        return self._make()

    def _over_http(self) -> "QdrantClient":
        from qdrant_client import QdrantClient

        with warnings.catch_warnings():
            # That a key travels over plain http is for `doctor` to say, once.
            warnings.simplefilter("ignore")
            return QdrantClient(
                url=self.server.url,
                api_key=self.server.api_key,
                timeout=math.ceil(self.server.timeout),
                prefer_grpc=False,
                check_compatibility=False,
                trust_env=False,  # a proxy that the environment names would see vectors and key
            )

    def _once(self, client: "QdrantClient", request: "Callable[[QdrantClient], _Given]") -> _Given:
        from pydantic import ValidationError
        from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
        from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

        try:
            return request(client)
        except ResourceExhaustedResponse as error:
            after = min(float(error.retry_after_s), _LONGEST_PAUSE)
            raise _Again("has too much to do", after=after) from error
        except UnexpectedResponse as error:
            raise self._answered(error.status_code or 0, _words(error.content)) from error
        except ResponseHandlingException as error:
            if isinstance(error.source, ValidationError):
                raise self._strange() from error
            raise _Again(f"does not answer ({_kind(error.source)})") from error
        except ValidationError as error:
            raise self._strange() from error

    def _answered(self, status: int, words: str) -> Exception:
        told = f": {words}" if words else ""
        if status in (401, 403):
            return ServerRefused(
                f"the Qdrant server at {self.server.url} refuses the key"
                if self.server.api_key
                else f"the Qdrant server at {self.server.url} wants a key",
                hint="set the variable that index.qdrant.api_key_env names to a key that may write",
            )
        if status in (ABSENT, EXISTS):
            said = "there is no such thing" if status == ABSENT else "it is there already"
            return ServerUnavailable(
                f"{self.server.url} answers that {said}{told}", hint=_ADDRESS, status=status
            )
        if status in (408, 425, 429) or status >= 500:
            return _Again(f"answers with {status}{told}")
        return ServerUnavailable(
            f"the Qdrant server at {self.server.url} refuses a request ({status}){told}",
            hint=f"look whether its version is {'.'.join(map(str, OLDEST))} or newer: ragflow doctor",
        )

    def _strange(self) -> ServerUnavailable:
        return ServerUnavailable(
            f"what answers at {self.server.url} is no Qdrant server, or one of another version",
            hint=_ADDRESS,
        )


def _asked_for(state: RetryCallState) -> float:
    """Return the seconds that the server asked to be left alone."""
    error = state.outcome.exception() if state.outcome else None
    return error.after if isinstance(error, _Again) else 0.0


def _words(content: bytes) -> str:
    """Return what the server says of an error, on one line; "" where it speaks another language."""
    import json

    try:
        said = json.loads(content)["status"]["error"]
    except (ValueError, KeyError, TypeError):
        return ""
    return " ".join(str(said).split())[:_SHOWN]


def _kind(error: Exception) -> str:
    """Return what a failure of the connection was, as people say it."""
    import httpx

    if isinstance(error, httpx.TimeoutException):
        return "time-out"
    if isinstance(error, httpx.ConnectError):
        return "no connection"
    return "the connection broke off" if isinstance(error, httpx.TransportError) else type(error).__name__
