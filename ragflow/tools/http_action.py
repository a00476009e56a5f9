"""HTTP actions: a request as data in ``ragflow.yaml``, arguments as values in it, never as text."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from pydantic import BaseModel

from ragflow.records import canonical
from ragflow.tool_sections import HttpAction
from ragflow.tools.declared import State
from ragflow.tools.schemas import LEFT_OUT, filled
from ragflow.tools.sending import Letter, Sending, json_of
from ragflow.workflows.contracts import Caller, Json
from ragflow.workflows.errors import ToolFailed

_MISSING = object()


@dataclass(frozen=True, slots=True)
class HttpTool:
    """Satisfies ``declared.Performer``. ``secret``: gives the value of an environment variable, or None."""

    action: HttpAction
    takes: type[BaseModel]
    sending: Sending
    secret: Callable[[str], str | None]
    lasts: bool = True

    @property
    def about(self) -> str:
        return f"{self.action.method} {self.action.url.partition('?')[0]}"

    @property
    def takes_key(self) -> bool:
        return self.action.key_header is not None

    @property
    def can_be_asked(self) -> bool:
        return self.action.ask is not None

    def perform(self, arguments: BaseModel, key: str, caller: Caller) -> Json:  # noqa: ARG002
        action = self.action
        given = arguments.model_dump(mode="json", by_alias=True, exclude_none=True)
        url = with_query(action.url, filled(action.query, given))
        body = None if action.body is None else filled(action.body, given)
        letter = Letter(
            None if body is None or body is LEFT_OUT else canonical(body).encode(),
            self._headers(key, sends=body is not None),
            self._credentials(),
        )
        reply = self.sending.send(action.method, url, letter)
        if reply.status not in action.success:
            raise self.sending.rejected(reply)
        try:
            value = json_of(reply)
        except ValueError as error:
            # The status says that it was done, unless what it says is part of the rule.
            happened = None if action.expect else True
            raise self.sending.failed("its answer is no JSON", "garbage", happened=happened) from error
        for path, wanted in action.expect.items():
            if not _same(at(value, path), wanted):
                message = f"its answer does not hold {canonical(wanted)} at {path}"
                raise self.sending.failed(message, "rejected", happened=None)
        return value

    def state(self, arguments: BaseModel, key: str) -> State:  # noqa: ARG002
        ask = self.action.ask
        if ask is None:
            return State("unknown")
        url = with_query(ask.url, {ask.parameter: key})
        own = _origin(ask.url) == _origin(self.action.url)
        letter = Letter(credentials=self._credentials() if own else {})
        try:
            reply = self.sending.send("GET", url, letter)
            if reply.status in ask.done:
                return State("done", json_of(reply))
        except ToolFailed:
            return State("unknown")
        except ValueError:
            return State("done")
        return State("not_done" if reply.status in ask.not_done else "unknown")

    def _headers(self, key: str, *, sends: bool) -> dict[str, str]:
        headers = dict(self.action.headers)
        if sends:
            headers["content-type"] = "application/json"
        if self.action.key_header is not None:
            headers[self.action.key_header] = key
        return headers

    def _credentials(self) -> dict[str, str]:
        action = self.action
        if action.credential_env is None:
            return {}
        value = self.secret(action.credential_env)
        if value is None:
            raise self.sending.failed(f"{action.credential_env} is not set", "error", happened=False)
        return {action.credential_header: f"{action.credential_prefix}{value}"}


def with_query(url: str, query: Mapping[str, Any]) -> str:
    """Return a URL with values added to its query: a list several times, an object as JSON."""
    pairs = [
        (name, _text(one))
        for name, value in query.items()
        for one in (value if isinstance(value, list) else [value])
        if one is not None
    ]
    parts = urlsplit(url)
    whole = "&".join(part for part in (parts.query, urlencode(pairs)) if part)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, whole, ""))


def at(value: Json, path: str) -> object:
    """Return what stands at a dotted path (``data.0.state``) of some JSON."""
    for step in path.split("."):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return _MISSING
    return value


def _same(value: object, wanted: object) -> bool:
    return value is not _MISSING and canonical(value) == canonical(wanted)


def _text(value: Json) -> str:
    return value if isinstance(value, str) else canonical(value)


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
