"""Shipped tool ``webhook``: JSON by POST to one address, signed as standardwebhooks.com describes it."""

import hmac
import time
from base64 import b64decode, b64encode
from binascii import Error as NoBase64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ragflow.records import canonical
from ragflow.section import Section, Text
from ragflow.tools.declared import State
from ragflow.tools.sending import Letter, Sending
from ragflow.workflows.contracts import Caller, Json

_PREFIX = "whsec_"


class WebhookSettings(Section):
    """Where it goes, and the variable that holds the secret it is signed with.

    ``idempotent``: the other side does what bears one ``webhook-id`` once, so it may be sent again.
    """

    url: Text
    secret_env: Text
    idempotent: bool = False


class WebhookArguments(BaseModel):
    """What is sent."""

    model_config = ConfigDict(extra="forbid")
    type: str = Field(min_length=1, max_length=200, description="of the event, as ticket.opened")
    data: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WebhookTool:
    """Satisfies ``declared.Performer``. ``secret``: gives the value of an environment variable, or None."""

    settings: WebhookSettings
    sending: Sending
    secret: Callable[[str], str | None]
    clock: Callable[[], float] = time.time
    takes: type[BaseModel] = WebhookArguments
    about: str = "Send an event to another program."
    can_be_asked: bool = False
    lasts: bool = True

    @property
    def takes_key(self) -> bool:
        return self.settings.idempotent

    def perform(self, arguments: BaseModel, key: str, caller: Caller) -> Json:  # noqa: ARG002
        secret = self.secret(self.settings.secret_env)
        if secret is None:
            raise self.sending.failed(f"{self.settings.secret_env} is not set", "error", happened=False)
        body = canonical(arguments.model_dump(mode="json")).encode()
        moment = str(int(self.clock()))
        headers = {
            "content-type": "application/json",
            "webhook-id": key,
            "webhook-timestamp": moment,
            "webhook-signature": signature(secret, key, moment, body),
        }
        reply = self.sending.send("POST", self.settings.url, Letter(body, headers))
        if not 200 <= reply.status < 300:
            raise self.sending.rejected(reply)
        return {"status": reply.status, "id": key}

    def state(self, arguments: BaseModel, key: str) -> State:  # noqa: ARG002
        return State("unknown")


def signature(secret: str, key: str, moment: str, body: bytes) -> str:
    """Return ``v1,`` and the base64 of HMAC-SHA256 over ``id.timestamp.body``.

    A secret that begins with ``whsec_`` is base64 behind that; any other is taken as it stands.
    """
    raw = secret.encode()
    if secret.startswith(_PREFIX):
        try:
            raw = b64decode(secret.removeprefix(_PREFIX), validate=True)
        except NoBase64:
            raw = secret.encode()
    signed = hmac.digest(raw, f"{key}.{moment}.".encode() + body, "sha256")
    return f"v1,{b64encode(signed).decode()}"
