"""The sections of ``sources`` in ``ragflow.yaml``: one class for each type of source."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from connectors.addresses import is_loopback
from ragflow.section import Reader, Section, Text

MAX_BYTES = 100_000_000


class Outbound(Section):
    """What may be reached by http though it is not public: host names, addresses, networks."""

    allow: tuple[Text, ...] = ()


class Common(Section):
    """What every source has. ``readers``: who may read all of it. The router reads the other two."""

    readers: tuple[Reader, ...] = ()
    description: str = ""
    examples: tuple[Text, ...] = ()

    @property
    def own_readers(self) -> bool:
        """Whether the source tells its items' readers itself; ``readers`` then read all of it besides."""
        return False


class FilesSource(Common):
    """A folder, a file or an fsspec URL. ``max_bytes`` per file; ``exclude`` wins over ``include``."""

    type: Literal["files"]
    path: Text
    include: tuple[Text, ...] = ("**/*",)
    exclude: tuple[Text, ...] = ("**/~$*",)
    max_bytes: Annotated[int, Field(ge=1)] = MAX_BYTES


class BeirSource(Common):
    """A folder that holds ``corpus.jsonl``."""

    type: Literal["beir"]
    path: Text


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


Source = Annotated[FilesSource | BeirSource | MailSource, Field(discriminator="type")]
SOURCE_TYPES: Mapping[str, type[Common]] = {"files": FilesSource, "beir": BeirSource, "mail": MailSource}
"""The classes of ``Source`` by their ``type``."""
