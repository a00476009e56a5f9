"""The sections of ``sources`` in ``ragflow.yaml``: one class for each type of source."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from connectors.addresses import is_loopback
from ragflow.rest_section import RestKeys
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


class ReadersBy(Section):
    """Who reads the items whose id ``glob`` matches; the first that matches wins over ``readers``."""

    glob: Text
    readers: tuple[Reader, ...]


class Storage(Section):
    """How to reach an S3 bucket. The three ``_env`` name environment variables that hold the credentials."""

    endpoint: Text | None = None
    region: Text = "us-east-1"
    key_env: Text | None = None
    secret_env: Text | None = None
    token_env: Text | None = None
    anonymous: bool = False


class FilesSource(Common):
    """A folder, a file or an fsspec URL. ``max_bytes`` per file; ``exclude`` wins over ``include``.

    ``storage`` is for s3 alone. ``parallel``: how many files are read at once.
    """

    type: Literal["files"]
    path: Text
    include: tuple[Text, ...] = ("**/*",)
    exclude: tuple[Text, ...] = ("**/~$*",)
    max_bytes: Annotated[int, Field(ge=1)] = MAX_BYTES
    readers_by: tuple[ReadersBy, ...] = ()
    parser: Literal["kreuzberg"] = "kreuzberg"
    storage: Storage = Storage()
    parallel: Annotated[int, Field(ge=1, le=32)] = 4


class GitSource(Common):
    """Files that a repository tracks at ``ref``: a local path, https, ssh or file.

    ``link``: an address with ``{commit}``, ``{path}`` and ``{line}``. ``token_env``: the variable that holds
    an https remote's token, or USER:TOKEN.
    """

    type: Literal["git"]
    path: Text
    ref: Text = "HEAD"
    include: tuple[Text, ...] = ("**/*",)
    exclude: tuple[Text, ...] = ("**/~$*",)
    max_bytes: Annotated[int, Field(ge=1)] = MAX_BYTES
    link: Text | None = None
    token_env: Text | None = None
    readers_by: tuple[ReadersBy, ...] = ()
    parallel: Annotated[int, Field(ge=1, le=32)] = 4


class BeirSource(Common):
    """A folder that holds ``corpus.jsonl``."""

    type: Literal["beir"]
    path: Text


class WebSource(Common):
    """Web pages: ``start`` addresses whose links are followed, a ``sitemap``, or both.

    ``rate``: requests a second, ``parallel`` at once; ``timeout``: seconds to connect, and between blocks.
    ``token_env``: the variable that holds what ``header`` says to the hosts of ``start`` and ``sitemap``.
    """

    type: Literal["web"]
    start: tuple[Text, ...] = ()
    sitemap: Text | None = None
    hosts: tuple[Text, ...] = ()
    include: tuple[Text, ...] = ("**/*",)
    exclude: tuple[Text, ...] = ()
    depth: Annotated[int, Field(ge=0)] = 3
    max_pages: Annotated[int, Field(ge=1)] = 1000
    main_content: bool = True
    robots: bool = True
    rate: Annotated[float, Field(gt=0)] = 2
    parallel: Annotated[int, Field(ge=1, le=16)] = 2
    timeout: Annotated[float, Field(gt=0)] = 30
    max_bytes: Annotated[int, Field(ge=1)] = MAX_BYTES
    header: Text = "Authorization"
    token_env: Text | None = None
    readers_by: tuple[ReadersBy, ...] = ()


class RestSource(RestKeys, Common):
    """A paged JSON API, described."""

    type: Literal["rest"]

    @property
    def own_readers(self) -> bool:
        """Whether the API tells who reads its items."""
        return self.access is not None


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


Source = Annotated[
    FilesSource | GitSource | MailSource | RestSource | WebSource | BeirSource, Field(discriminator="type")
]
SOURCE_TYPES: Mapping[str, type[Common]] = {
    "files": FilesSource,
    "git": GitSource,
    "mail": MailSource,
    "rest": RestSource,
    "web": WebSource,
    "beir": BeirSource,
}
"""The classes of ``Source`` by their ``type``."""
