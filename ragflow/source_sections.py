"""The sections of ``sources`` in ``ragflow.yaml``: one class for each type of source."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from ragflow.mail_section import MailSource
from ragflow.rest_section import RestKeys
from ragflow.section import MAX_BYTES, Common, Reader, Section, Text
from ragflow.sql_section import SqlSource


class Outbound(Section):
    """What may be reached by http though it is not public: host names, addresses, networks."""

    allow: tuple[Text, ...] = ()


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


class PluginSource(Common):
    """A source of a type that another distribution brings by an entry point of ``ragflow.connectors``.

    ``item_readers``: its items' readers are what the connector says, and ``readers`` read all of it besides;
    without it nobody outside ``readers`` reads anything. ``parallel``: how many threads fetch at once.
    """

    type: Text
    options: Annotated[dict[str, Any], Field(default_factory=dict)]
    item_readers: bool = False
    parallel: Annotated[int, Field(ge=1, le=32)] = 1

    @property
    def own_readers(self) -> bool:
        """Whether the connector tells who may read an item."""
        return self.item_readers


BuiltIn = Annotated[
    FilesSource | GitSource | MailSource | SqlSource | RestSource | WebSource | BeirSource,
    Field(discriminator="type"),
]
SOURCE_TYPES: Mapping[str, type[Common]] = {
    "files": FilesSource,
    "git": GitSource,
    "mail": MailSource,
    "sql": SqlSource,
    "rest": RestSource,
    "web": WebSource,
    "beir": BeirSource,
}
"""The classes of ``BuiltIn`` by their ``type``."""


def plugin_types() -> tuple[str, ...]:
    """Return the types that other distributions bring; a name of ours stays ours."""
    from connectors.plugins import installed

    return tuple(dict.fromkeys(one.type for one in installed() if one.type not in SOURCE_TYPES))


def _kind(value: Any) -> str:
    """Return which half of the union a source belongs to; what is installed is looked up only if need be."""
    named = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    ours = not isinstance(named, str) or named in SOURCE_TYPES or named not in plugin_types()
    return BUILT_IN if ours else PLUGIN


BUILT_IN, PLUGIN = "built-in", "plugin"
Source = Annotated[
    Annotated[BuiltIn, Tag(BUILT_IN)] | Annotated[PluginSource, Tag(PLUGIN)], Discriminator(_kind)
]
