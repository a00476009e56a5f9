"""The section of a source of type ``mail``."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from connectors.addresses import is_loopback
from ragflow.section import MAX_BYTES, Common, Section, Text


class Imap(Section):
    """Folders of a mailbox on a server. ``port``: by default 993, and 143 where ``tls`` is not implicit."""

    host: Text
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    tls: Literal["implicit", "starttls", "none"] = "implicit"
    user: Text
    password_env: Text
    folders: Annotated[tuple[Text, ...], Field(min_length=1)] = ("INBOX",)
    timeout: Annotated[float, Field(gt=0)] = 30

    @model_validator(mode="after")
    def _password_is_safe(self) -> Self:
        if self.tls == "none" and not is_loopback(self.host):
            raise ValueError(
                f"tls: none would send the password to {self.host} in clear: write implicit or starttls"
            )
        return self


class MailSource(Common):
    """Messages of an mbox file or a Maildir folder (``path``), or of a server (``imap``).

    ``participants``: a message is also read by those whom its address headers name.
    """

    type: Literal["mail"]
    path: Text | None = None
    imap: Imap | None = None
    participants: bool = False
    parallel: Annotated[int, Field(ge=1, le=32)] = 4
    max_bytes: Annotated[int, Field(ge=1)] = MAX_BYTES

    @property
    def own_readers(self) -> bool:
        """Whether each message's participants read it."""
        return self.participants

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.path is None) == (self.imap is None):
            raise ValueError("name the mail by path or by imap, one of them")
        return self
