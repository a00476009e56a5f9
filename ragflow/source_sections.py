"""The sections of ``sources`` in ``ragflow.yaml``: one class for each type of source."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

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


class RestSource(RestKeys, Common):
    """A paged JSON API, described."""

    type: Literal["rest"]

    @property
    def own_readers(self) -> bool:
        """Whether the API tells who reads its items."""
        return self.access is not None


Source = Annotated[FilesSource | BeirSource | RestSource, Field(discriminator="type")]
SOURCE_TYPES: Mapping[str, type[Common]] = {"files": FilesSource, "beir": BeirSource, "rest": RestSource}
"""The classes of ``Source`` by their ``type``."""
