"""The sections of ``sources`` in ``ragflow.yaml``: one class for each type of source."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from connectors.errors import SourceMisconfigured
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


def _no_password(url: str) -> str:
    """Refuse a password; SQLAlchemy takes everything between the colon and the last @ for one."""
    of_file = url.startswith("sqlite")
    if (not of_file and re.search(r"://[^:@/]*:[^@]+@", url)) or re.search(
        r"[?&;][^=&]*(pass|pwd|secret|token)[^=&]*=", url, re.IGNORECASE
    ):
        raise ValueError(
            "it holds a password: put the whole url into an environment variable, and name that in `url_env`"
        )
    return url


def _template(text: str) -> str:
    from connectors.sql_rows import Template

    try:
        Template.parse(text)
    except SourceMisconfigured as error:
        raise ValueError(f"{error}: {error.hint}") from error
    return text


def _link(text: str) -> str:
    if not re.match(r"https?://[^/{]", text):
        raise ValueError(f'"{text}" is no address: begin it with https://HOST/')
    return text


def _several(value: object) -> object:
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


Template = Annotated[Text, AfterValidator(_template)]


class SqlSource(Common):
    """Rows of a database: ``query`` gives them, ``key`` names them, ``text`` is made of their columns.

    The database is named by ``url``, without a password, or by the variable ``url_env``.
    """

    type: Literal["sql"]
    url: Annotated[Text, AfterValidator(_no_password)] | None = None
    url_env: Text | None = None
    query: Text
    key: Annotated[tuple[Text, ...], BeforeValidator(_several), Field(min_length=1)]
    text: Template
    title: Template | None = None
    updated: Text | None = None
    readers_column: Text | None = None
    readers_separator: Text = ","
    readers_template: Text | None = None
    link: Annotated[Template, AfterValidator(_link)] | None = None
    author: Text | None = None
    modified: Text | None = None
    format: Literal["text", "html", "markdown"] = "text"
    parallel: Annotated[int, Field(ge=1, le=32)] = 4
    timeout: Annotated[float, Field(gt=0)] = 30
    max_bytes: Annotated[int, Field(ge=1)] = MAX_BYTES

    @property
    def own_readers(self) -> bool:
        """Whether a column tells who may read a row."""
        return self.readers_column is not None

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if (self.url is None) == (self.url_env is None):
            raise ValueError("name the database by url or by url_env, one of them")
        if self.readers_template is not None and self.readers_column is None:
            raise ValueError("readers_template needs readers_column")
        if self.readers_template is not None and "{value}" not in self.readers_template:
            raise ValueError("readers_template must hold {value}")
        return self


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


BuiltIn = Annotated[FilesSource | BeirSource | SqlSource, Field(discriminator="type")]
SOURCE_TYPES: Mapping[str, type[Common]] = {"files": FilesSource, "beir": BeirSource, "sql": SqlSource}
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
