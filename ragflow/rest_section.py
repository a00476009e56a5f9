"""The keys of a ``rest`` source: a JSON API, described. Told in docs/connectors/rest.md."""

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, JsonValue, model_validator

from connectors.errors import SourceMisconfigured
from connectors.json_paths import Path
from connectors.targets import target
from connectors.url_templates import Template
from ragflow.section import Reader, Section, Text

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_SECRET = frozenset({"authorization", "proxy-authorization", "cookie"})
SINCE = "{since}"


def _checked(check: Callable[[str], object]) -> Callable[[str], str]:
    def checked(value: str) -> str:
        try:
            check(value)
        except SourceMisconfigured as error:
            raise ValueError(f"{error} ({error.hint})") from error
        return value

    return checked


def _header(value: str) -> str:
    if not _HEADER.fullmatch(value):
        raise ValueError(f'"{value}" cannot name a header')
    return value


def _plain_header(value: str) -> str:
    if value.lower() in _SECRET:
        raise ValueError(f"{value} is secret: name an environment variable in `auth`")
    return _header(value)


PathText = Annotated[str, AfterValidator(_checked(Path.parse))]
TemplateText = Annotated[str, AfterValidator(_checked(Template.parse))]
Url = Annotated[str, AfterValidator(_checked(target))]
Body = dict[str, JsonValue]


class RestAuth(Section):
    """A token in a header, or user and password (basic); each the name of an environment variable."""

    token_env: Text | None = None
    header: Annotated[str, AfterValidator(_header)] = "Authorization"
    prefix: str = "Bearer "
    user_env: Text | None = None
    password_env: Text | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        basic = (self.user_env, self.password_env)
        if (self.token_env is None) == (None in basic) or (self.token_env is not None and any(basic)):
            raise ValueError("name `token_env`, or both `user_env` and `password_env`")
        return self


class RestPages(Section):
    """How a listing goes on. ``more``: path to true or false; ``total``: path to the number of entries."""

    style: Literal["single", "next", "header", "cursor", "offset", "page"] = "single"
    path: PathText | None = None
    prefix: str = ""
    parameter: Text | None = None
    first: Annotated[int, Field(ge=0)] | None = None
    more: PathText | None = None
    total: PathText | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needed = {
            "next": ["path"],
            "cursor": ["path", "parameter"],
            "offset": ["parameter"],
            "page": ["parameter"],
        }
        for key in needed.get(self.style, []):
            if getattr(self, key) is None:
                raise ValueError(f"`style: {self.style}` needs `{key}`")
        return self


class RestItem(Section):
    """Where an entry of the listing tells what. ``link``, ``url``: templates, like https://HOST/{id}."""

    id: PathText = "id"
    version: Annotated[tuple[PathText, ...], Field(min_length=1)]
    title: PathText | None = None
    modified: PathText | None = None
    author: PathText | None = None
    link: TemplateText | None = None
    url: TemplateText | None = None
    only: tuple[PathText, ...] = ()
    without: tuple[PathText, ...] = ()


class RestBlocks(Section):
    """Content that is a listing itself, one paragraph an entry."""

    items: PathText
    pages: RestPages | None = None


class RestContent(Section):
    """Where an item's content is. ``url``: a template; without it, the entry holds the content."""

    format: Literal["html", "storage", "markdown", "text", "file"] = "html"
    path: PathText | None = None
    url: TemplateText | None = None
    name: PathText | None = None
    blocks: RestBlocks | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.path is None) != (self.format == "file"):
            raise ValueError(
                "name the content's `path`; with `format: file`, the answer itself is the content"
            )
        if self.url is None and (self.format == "file" or self.blocks is not None):
            raise ValueError("a file, or content in `blocks`, needs a `url`")
        return self


class RestAccess(Section):
    """Where an entry lists who may read it; ``unrestricted``: who may, when all its lists are empty."""

    users: tuple[PathText, ...] = ()
    groups: tuple[PathText, ...] = ()
    unrestricted: tuple[Reader, ...] = ()
    inherited: PathText | None = None

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if not self.users and not self.groups:
            raise ValueError("name the paths of `users`, `groups` or both")
        return self


class RestSlim(Section):
    """A cheaper listing of all ids. ``tells``: what of an entry stands in it as in the full listing."""

    url: Url
    body: Body | None = None
    items: PathText | None = None
    pages: RestPages | None = None
    tells: tuple[Literal["version", "access", "filters"], ...] = ()


class RestChanges(Section):
    """A listing of what changed since ``{since}``, which is written as ``form`` (strftime), in UTC.

    ``overlap``: seconds before what is known already. Each ``full_every``-th listing is full.
    """

    url: Text
    body: Body | None = None
    items: PathText | None = None
    pages: RestPages | None = None
    form: Text = "%Y-%m-%dT%H:%M:%SZ"
    overlap: Annotated[int, Field(ge=0)] = 86_400
    full_every: Annotated[int, Field(ge=1)] = 20

    @model_validator(mode="after")
    def _says_since(self) -> Self:
        if SINCE not in self.url and SINCE not in str(self.body):
            raise ValueError(f"neither `url` nor `body` holds {SINCE}")
        _checked(target)(self.url.replace(SINCE, "0"))
        return self


class RestKeys(Section):
    """A paged JSON API. ``rate``: requests a second; ``parallel``: items fetched at once."""

    url: Url
    body: Body | None = None
    headers: dict[Annotated[str, AfterValidator(_plain_header)], str] = Field(default_factory=dict)
    auth: RestAuth | None = None
    items: PathText
    pages: RestPages = RestPages()
    item: RestItem
    content: RestContent
    access: RestAccess | None = None
    slim: RestSlim | None = None
    changes: RestChanges | None = None
    rate: Annotated[float, Field(ge=0)] = 10
    parallel: Annotated[int, Field(ge=1, le=32)] = 4
    timeout: Annotated[float, Field(gt=0, le=3600)] = 30
    max_bytes: Annotated[int, Field(ge=1)] = 100_000_000

    @model_validator(mode="after")
    def _nothing_goes_unnoticed(self) -> Self:
        told: tuple[Any, ...] = () if self.slim is None else self.slim.tells
        if self.changes is not None and self.slim is None:
            raise ValueError("`changes` tells no deletions: name a `slim` listing of all ids too")
        if self.slim is None:
            return self
        if self.access is not None and "access" not in told:
            raise ValueError(
                "a right that is taken away changes no version, so `slim` must tell access too "
                "(`tells: [access]`); if it cannot, leave `slim` and `changes` out"
            )
        if (self.item.only or self.item.without) and "filters" not in told:
            raise ValueError(
                "`item.only` and `item.without` hold for `slim` as well: say `tells: [filters]` when its "
                "entries have those fields"
            )
        if (self.changes is None) == ("version" not in told):
            raise ValueError(
                "`slim` alone must tell versions (`tells: [version]`); where it cannot, name `changes`, "
                "and only there"
            )
        if self.changes is not None and self.item.modified is None:
            raise ValueError("`changes` needs `item.modified`: up to when changes are known is read from it")
        return self
