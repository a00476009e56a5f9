"""The section of a source of type ``sql``."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from connectors.errors import SourceMisconfigured
from ragflow.section import MAX_BYTES, Common, Text


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
