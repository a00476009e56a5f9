"""What one JSON API answers: credentials, statuses and bodies -> values, or errors that say why."""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime

from connectors.errors import (
    AccessDenied,
    AddressRefused,
    ResponseTooLarge,
    SourceMisconfigured,
    SourceUnavailable,
    Unanswered,
    UnreadableDocument,
)
from connectors.outbound import Outbound, Reply
from connectors.paging import Answer, Ask, BrokeOff
from connectors.targets import target

Secret = Callable[[str], str | None]
"""The name of an environment variable -> its value, None where it is not set."""
_PAGE_BYTES = 32_000_000
_GONE = frozenset({404, 410})
_DENIED = frozenset({401, 403})
_NEXT_TIME = "what was indexed of it stays; the next index run asks again"


@dataclass(frozen=True, slots=True)
class Auth:
    """How to sign in, by names of environment variables: a token in a header, or user and password."""

    token: str | None = None
    header: str = "Authorization"
    prefix: str = "Bearer "
    user: str | None = None
    password: str | None = None

    @property
    def named(self) -> str:
        """Return the variables as a sentence names them."""
        return " and ".join(one for one in (self.user, self.password, self.token) if one)

    def headers(self, secret: Secret) -> dict[str, str]:
        """Return the headers that sign in. Raises ``SourceMisconfigured``: a variable is not set."""
        if self.token is not None:
            return {self.header: self.prefix + _value(self.token, secret)}
        if self.user is None or self.password is None:
            return {}
        pair = f"{_value(self.user, secret)}:{_value(self.password, secret)}"
        return {"Authorization": "Basic " + b64encode(pair.encode()).decode("ascii")}


def _value(name: str, secret: Secret) -> str:
    value = (secret(name) or "").strip()
    if not value:
        raise SourceMisconfigured(
            f"the environment variable {name} is not set", hint=f"set {name} to what signs in to this source"
        )
    return value


class RestClient:
    """Asks one API. ``base``: a URL of it; its scheme, host and port alone get the credentials."""

    def __init__(
        self, base: str, *, auth: Auth, headers: Mapping[str, str], outbound: Outbound, secret: Secret
    ) -> None:
        self._place = target(base)
        self._auth = auth
        self._headers = {"Accept": "application/json", **headers}
        self._outbound = outbound
        self._secret = secret

    @property
    def shown(self) -> str:
        """Return the API's address without what nobody should read."""
        return self._place.shown

    def page(self, ask: Ask, *, first: bool) -> Answer:
        """Return a page of a listing; after the first, an answer that is no page is a listing that broke off.

        Raises:
            AccessDenied: it is refused, also when the credentials have expired half-way.
            BrokeOff: it answers otherwise than the first page did.
            SourceMisconfigured: it is not there, or leads to another host.
            SourceUnavailable: it does not answer, or not with JSON.
        """
        if not self._own(ask.url):
            raise SourceMisconfigured(
                f"{self.shown}: a page of the listing is on another host: {target(ask.url).shown}",
                hint="a listing is read from one host alone: correct `url`, or `pages.prefix`",
            )
        try:
            reply = self._reply(ask, _PAGE_BYTES)
        except ResponseTooLarge as error:
            raise SourceUnavailable(str(error), hint="ask for fewer entries on a page") from error
        if reply.status in _DENIED:
            raise self.denied(reply.status)
        try:
            if reply.status == 200:
                return self._answer(reply)
            said = SourceMisconfigured if 400 <= reply.status < 500 else SourceUnavailable
            raise said(f"{self.shown} answered {reply.status}", hint="check `url` and what it asks for")
        except (SourceMisconfigured, SourceUnavailable) as error:
            if first:
                raise
            raise BrokeOff(str(error)) from error

    def denied(self, status: int) -> AccessDenied:
        """Return the error of a listing that is refused."""
        named = self._auth.named
        hint = f"check what {named} holds, and that it may list" if named else "say how to sign in by `auth`"
        return AccessDenied(f"{self.shown} answered {status}: it does not let us in", hint=hint)

    def item(self, ask: Ask, item: str, most: int | None = None) -> Answer:
        """Return the JSON of one item. Raises what ``file`` raises; ``damaged`` is no JSON."""
        reply = self.file(ask, item, most)
        try:
            return self._answer(reply)
        except SourceUnavailable as error:
            raise UnreadableDocument(f"{item}: {error}", reason="damaged", hint=error.hint) from error

    def file(self, ask: Ask, item: str, most: int | None = None) -> Reply:
        """Return the bytes of one item.

        Raises:
            UnreadableDocument: ``vanished``, ``denied``, ``too_large``, ``unreachable``, ``damaged`` (its
                address is none).
            SourceUnavailable: the API itself does not answer.
        """
        try:
            own = self._own(ask.url)
        except SourceMisconfigured as error:
            raise UnreadableDocument(f"{item}: {error}", reason="damaged", hint=error.hint) from error
        try:
            reply = self._reply(ask, most)
        except (Unanswered, AddressRefused) as error:
            raise UnreadableDocument(f"{item}: {error}", reason="unreachable", hint=error.hint) from error
        except SourceUnavailable as error:
            if own:
                raise
            raise UnreadableDocument(f"{item}: {error}", reason="unreachable", hint=error.hint) from error
        if reply.status == 200:
            return reply
        shown = target(reply.url).shown
        if reply.status in _GONE:
            hint = "it was there when the source was listed: the next index run notices"
            raise UnreadableDocument(f"{item} is gone from {shown}", reason="vanished", hint=hint)
        if reply.status in _DENIED:
            hint = (
                f"give {self._auth.named or 'everybody'} the right to read it, or leave it out of the listing"
            )
            raise UnreadableDocument(f"{item}: {shown} answered {reply.status}", reason="denied", hint=hint)
        raise UnreadableDocument(
            f"{item}: {shown} answered {reply.status}", reason="unreachable", hint=_NEXT_TIME
        )

    def _own(self, url: str) -> bool:
        return target(url).origin == self._place.origin

    def _reply(self, ask: Ask, most: int | None) -> Reply:
        signed = self._auth.headers(self._secret) if self._own(ask.url) else {}
        if ask.body is None:
            return self._outbound.request(
                "GET", ask.url, headers=self._headers, credentials=signed, max_bytes=most
            )
        headers = {**self._headers, "Content-Type": "application/json"}
        return self._outbound.query(
            ask.url, ask.body.encode(), headers=headers, credentials=signed, max_bytes=most
        )

    def _answer(self, reply: Reply) -> Answer:
        try:
            document = json.loads(reply.body)
            return Answer(reply.url, document, reply.headers.get("link", ""), _date(reply))
        except (ValueError, RecursionError) as error:
            kind = reply.headers.get("content-type", "something").partition(";")[0]
            raise SourceUnavailable(
                f"{target(reply.url).shown} answered with {kind[:60]} that is no JSON",
                hint="check the address; a page to sign in there means that the credentials do not hold",
            ) from error


def _date(reply: Reply) -> datetime | None:
    try:
        date = parsedate_to_datetime(reply.headers.get("date", ""))
    except (ValueError, TypeError):
        return None
    return date if date.tzinfo is not None else None
