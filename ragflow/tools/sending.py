"""One HTTP request of a tool: made through ``Outbound``, its failures told by whether anything was done."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from connectors.errors import (
    AddressRefused,
    ConnectorError,
    ResponseTooLarge,
    SourceMisconfigured,
    Unanswered,
)
from ragflow.workflows.contracts import Json
from ragflow.workflows.errors import ToolFailed, WhyFailed

if TYPE_CHECKING:
    from connectors.outbound import Reply

MOST_BYTES = 1_000_000  # of an answer, and of a result
_CURABLE = frozenset({408, 425, 429})
_UNDONE = frozenset({307, 308})  # by their meaning: ask again elsewhere


@dataclass(frozen=True, slots=True)
class Sending:
    """How requests of one tool are made. ``timeout``: seconds for one; ``write``: it changes something.

    A redirect of a write is never followed.
    """

    name: str
    allow: tuple[str, ...]
    timeout: float
    write: bool

    def send(self, method: str, url: str, letter: "Letter") -> "Reply":
        """Make one request, once, and return its answer, whatever its status below 500.

        Raises:
            ToolFailed: there was no answer, or one of a server that failed.
        """
        from connectors.outbound import Limits, Outbound
        from connectors.retrying import Patience

        limits = Limits(
            timeout=self.timeout,
            total=self.timeout,
            max_bytes=MOST_BYTES,
            patience=Patience(tries=1, asked=0),
            redirects=0 if self.write else 5,
        )
        # Made for each request: a connection that was kept may have been closed, and nobody would know
        # whether what was sent over it arrived.
        with Outbound(allow=self.allow, limits=limits) as outbound:
            try:
                reply = outbound.request(
                    method, url, headers=letter.headers, credentials=letter.credentials, body=letter.body
                )
            except ConnectorError as error:
                raise self._failed(error) from error
        if reply.status >= 500:
            raise self._status(reply.status, url)
        return reply

    def rejected(self, reply: "Reply") -> ToolFailed:
        """Return the error of an answer whose status does not mean done."""
        return self._status(reply.status, reply.url, reply.headers.get("location"))

    def failed(
        self, message: str, kind: WhyFailed, *, happened: bool | None, curable: bool = False
    ) -> ToolFailed:
        """Return an error; of a read nothing can have happened."""
        known = happened if self.write else False
        return ToolFailed(f"the tool {self.name}: {message}", kind=kind, happened=known, curable=curable)

    def _status(self, status: int, url: str, location: str | None = None) -> ToolFailed:
        shown = f"{url.partition('?')[0]} answered {status}"
        if 300 <= status < 400 and location:
            message = f"{shown}: it redirects, and a write is not sent anywhere else; name the final address"
            return self.failed(message, "rejected", happened=False if status in _UNDONE else None)
        sure = 400 <= status < 500 and status != 408
        kind: WhyFailed = "rejected" if status < 500 else "error"
        return self.failed(
            shown, kind, happened=False if sure else None, curable=status >= 500 or status in _CURABLE
        )

    def _failed(self, error: ConnectorError) -> ToolFailed:
        status = getattr(error, "status", None)
        if status is not None:
            made = self._status(status, str(error).partition(" answered ")[0])
        elif isinstance(error, ResponseTooLarge):
            made = self.failed(f"its answer has more than {MOST_BYTES} bytes", "too_large", happened=None)
        elif isinstance(error, Unanswered):
            late = _timed_out(error)
            made = self.failed(str(error), "time_out" if late else "unreachable", happened=None, curable=True)
        else:
            hopeless = isinstance(error, (AddressRefused, SourceMisconfigured))
            made = self.failed(str(error), "unreachable", happened=False, curable=not hopeless)
        if isinstance(error, (AddressRefused, SourceMisconfigured)):
            made.hint = error.hint
        return made


@dataclass(frozen=True, slots=True)
class Letter:
    """What a request bears besides its address. ``credentials``: headers that one host alone gets."""

    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    credentials: Mapping[str, str] = field(default_factory=dict)


def json_of(reply: "Reply") -> Json:
    """Return the JSON of an answer, None where it is empty. Raises ``ValueError``."""
    if not reply.body.strip():
        return None
    return json.loads(reply.body.decode("utf-8"), parse_constant=_refused)


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _timed_out(error: BaseException | None) -> bool:
    import urllib3

    seen = 0
    while error is not None and seen < 10:
        if isinstance(error, (TimeoutError, urllib3.exceptions.TimeoutError)):
            return True
        error, seen = error.__cause__ or error.__context__, seen + 1
    return False
