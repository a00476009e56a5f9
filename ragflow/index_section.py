"""The keys of ``index`` in ``ragflow.yaml``: where the index lives. Told in docs/scale.md."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from indexes.qdrant import MOST_AT_ONCE
from ragflow.section import Section, Share, Text

_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_ADDRESS = re.compile(r"https?://[^/?#@\s]+(/[^?#\s]*)?")


def _alias(value: str) -> str:
    if not _ALIAS.fullmatch(value):
        raise ValueError(f'"{value}" cannot name a collection: use letters, digits, "-", "_" and "."')
    return value


def _address(value: str) -> str:
    if not _ADDRESS.fullmatch(value):
        raise ValueError(f'"{value}" is no address of a Qdrant server: write http://HOST:6333')
    return value


class Hnsw(Section):
    """The server's graph: links of a point, and how widely it is searched to build it (``ef``: to answer)."""

    m: Annotated[int, Field(ge=4, le=256)] = 16
    ef_construct: Annotated[int, Field(ge=4, le=4096)] = 100
    ef: Annotated[int, Field(ge=1, le=65_536)] | None = None


class Qdrant(Section):
    """How collections are laid out on the server, and how it is spoken to.

    ``alias``: what the live collection is called, this workspace's own on that server. ``api_key_env``: the
    variable that holds its key, if it has one. ``shards`` and ``replicas`` null: as the server sees fit.
    ``on_disk``: vectors and graph stay on its disk. ``batch``: points sent at once; ``timeout``: seconds for
    one request; ``retries``: how often one without an answer is sent again.
    """

    alias: Annotated[str, AfterValidator(_alias)] = "ragflow"
    api_key_env: Text = "QDRANT_API_KEY"
    shards: Annotated[int, Field(ge=1, le=1024)] | None = None
    replicas: Annotated[int, Field(ge=1, le=16)] | None = None
    quantization: Literal["int8", "binary"] | None = None
    hnsw: Hnsw = Hnsw()
    on_disk: bool = False
    batch: Annotated[int, Field(ge=1, le=MOST_AT_ONCE)] = 256
    timeout: Annotated[float, Field(gt=0, le=600)] = 10
    retries: Annotated[int, Field(ge=0, le=10)] = 4


class Brake(Section):
    """A sync that would delete more than both stops and asks."""

    share: Share = 0.2
    documents: Annotated[int, Field(ge=0)] = 10


class Index(Section):
    """How many generations are kept, and where they are searched.

    ``url`` null: in the workspace alone; else on a Qdrant server too, see ``qdrant``.
    """

    url: Annotated[str, AfterValidator(_address)] | None = None
    keep_generations: Annotated[int, Field(ge=1, le=100)] = 3
    brake: Brake = Brake()
    qdrant: Qdrant = Qdrant()
