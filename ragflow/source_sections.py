"""The sections of ``sources`` in ``ragflow.yaml``: one class for each type of source."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

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


class ReadersBy(Section):
    """Who reads the items whose id ``glob`` matches; the first that matches wins over ``readers``."""

    glob: Text
    readers: tuple[Reader, ...]


class FilesSource(Common):
    """A folder, a file or an fsspec URL. ``max_bytes`` per file; ``exclude`` wins over ``include``."""

    type: Literal["files"]
    path: Text
    include: tuple[Text, ...] = ("**/*",)
    exclude: tuple[Text, ...] = ("**/~$*",)
    max_bytes: Annotated[int, Field(ge=1)] = MAX_BYTES
    readers_by: tuple[ReadersBy, ...] = ()
    parser: Literal["kreuzberg"] = "kreuzberg"


class BeirSource(Common):
    """A folder that holds ``corpus.jsonl``."""

    type: Literal["beir"]
    path: Text


Source = Annotated[FilesSource | BeirSource, Field(discriminator="type")]
SOURCE_TYPES: Mapping[str, type[Common]] = {"files": FilesSource, "beir": BeirSource}
"""The classes of ``Source`` by their ``type``."""
