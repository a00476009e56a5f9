"""What every section of ``ragflow.yaml`` is made of."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from connectors import readers

READER = readers.READER
MAX_BYTES = 100_000_000  # of one item, unless a source says otherwise
SOURCE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


def _reader(value: str) -> str:
    if not READER.fullmatch(value):
        raise ValueError(f'"{value}" is not a reader: write user:NAME, group:NAME or everyone')
    return value


def _source_name(value: str) -> str:
    if not SOURCE_NAME.fullmatch(value):
        raise ValueError(
            f'"{value}" cannot name a source: use a-z, 0-9, "-" and "_", starting with a letter or digit'
        )
    return value


Text = Annotated[str, StringConstraints(min_length=1)]
Reader = Annotated[str, AfterValidator(_reader)]
SourceName = Annotated[str, AfterValidator(_source_name)]
Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A section that cannot be changed and knows all of its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Common(Section):
    """What every source has. ``readers``: who may read all of it. The router reads the other two."""

    readers: tuple[Reader, ...] = ()
    description: str = ""
    examples: tuple[Text, ...] = ()

    @property
    def own_readers(self) -> bool:
        """Whether the source tells its items' readers itself; ``readers`` then read all of it besides."""
        return False
