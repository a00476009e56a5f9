"""Where tests of the Qdrant index run: in the library's local mode, on the scripted server, on a real one.

The real one is the server that ``QDRANT_URL`` names (``QDRANT_API_KEY``: its key). It must be on this
machine, since tests reach no other; ``examples/scale/compose.yaml`` starts one. Where the variable is not
set there is no such place, and nothing is skipped.
"""

import os
import secrets
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

LOCAL, SCRIPTED, REAL = "local", "scripted", "real"


@dataclass(frozen=True, slots=True)
class Place:
    """A server of the test's own, or a corner of the real one.

    ``url`` and ``api_key`` reach it; local mode has an invented url, and ``client`` makes what reaches it
    (None: HTTP does). ``alias``: a name that nothing else there begins with. ``server``: the scripted one,
    None elsewhere.
    """

    name: str
    url: str
    api_key: str | None
    alias: str
    client: Callable[[], Any] | None = None
    server: Any = None


def names() -> list[Any]:
    """The places that there are, as parameters of a fixture."""
    real = [pytest.param(REAL, marks=pytest.mark.qdrant)] if os.environ.get("QDRANT_URL") else []
    return [LOCAL, SCRIPTED, *real]


@contextmanager
def place(name: str) -> Iterator[Place]:
    """A place for one test; what the test made there is removed afterwards."""
    alias = f"test-{secrets.token_hex(6)}"
    if name == LOCAL:
        client = _local_client()
        yield Place(name, "http://local.invalid", None, alias, client=lambda: client)
        client.close()
    elif name == SCRIPTED:
        from qdrant_server import QdrantServer

        with QdrantServer() as server:
            yield Place(name, server.url, None, alias, server=server)
    else:
        url, key = os.environ["QDRANT_URL"], os.environ.get("QDRANT_API_KEY")
        try:
            yield Place(name, url, key, alias)
        finally:
            _clear(url, key, alias)


def _local_client() -> Any:
    from qdrant_client import QdrantClient

    class Local(QdrantClient):
        def create_payload_index(self, *args: Any, **kwargs: Any) -> Any:
            """As its parent, which warns that local mode has no use for one."""
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return super().create_payload_index(*args, **kwargs)

    return Local(":memory:")


def _clear(url: str, key: str | None, alias: str) -> None:
    from qdrant_client import QdrantClient

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the key goes over plain http, on this machine
        client = QdrantClient(url=url, api_key=key, prefer_grpc=False, check_compatibility=False)
    try:
        for one in client.get_collections().collections:
            if one.name.startswith(alias):
                client.delete_collection(one.name)
    finally:
        client.close()
