"""An OpenAI-compatible server of vectors on loopback that embeds for real, and faults that come first.

```python
with EmbeddingServer(embedder, [status(429), spoiled(nan)]) as server:
    ...  # ask server.url + "/embeddings": the first two requests fail, the others get real vectors
    assert server.texts == ["one", "two"]
```
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from scripted_server import Reply, ScriptedServer, as_json, chosen

from indexes.embedding import Embedder

Data = list[dict[str, Any]]


class EmbeddingServer(ScriptedServer):
    """Embeds with a model of this process, which is asked by one thread at a time.

    ``faults`` are given in order, then vectors for ever. ``width``: the first so many numbers of each
    vector are given, where a request names no ``dimensions``. ``tokens``: whether usage is told.
    """

    def __init__(self, embedder: Embedder, faults: Sequence[Reply | Callable[[Data], Data]] = ()) -> None:
        self._embedder, self._one_at_a_time = embedder, threading.Lock()
        self.width: int | None = None
        self.tokens = True
        made = [one if isinstance(one, Reply) else chosen(self._spoiled(one)) for one in faults]
        super().__init__([*made, chosen(self._reply)])

    @property
    def texts(self) -> list[str]:
        """All texts that came, in the order of their requests."""
        return [text for request in self.requests for text in request["input"]]

    def _reply(self, request: dict[str, Any]) -> Reply:
        return self._told(request, self._data(request))

    def _spoiled(self, spoil: Callable[[Data], Data]) -> Callable[[dict[str, Any]], Reply]:
        return lambda request: self._told(request, spoil(self._data(request)))

    def _data(self, request: dict[str, Any]) -> Data:
        with self._one_at_a_time:
            vectors = self._embedder.embed(request["input"])
        width = request.get("dimensions") or self.width
        rows = [[float(number) for number in row[:width]] for row in vectors]
        return [{"object": "embedding", "index": at, "embedding": row} for at, row in enumerate(rows)]

    def _told(self, request: dict[str, Any], data: Data) -> Reply:
        tokens = sum(len(self._embedder.token_offsets(text)) + 2 for text in request["input"])
        usage = {"usage": {"prompt_tokens": tokens, "total_tokens": tokens}} if self.tokens else {}
        return as_json({"object": "list", "model": request["model"], "data": data, **usage})


def nan(data: Data) -> Data:
    """The first vector holds what is no number."""
    return _first(data, [float("nan"), *data[0]["embedding"][1:]])


def zero(data: Data) -> Data:
    """The first vector is all zero."""
    return _first(data, [0.0] * len(data[0]["embedding"]))


def ragged(data: Data) -> Data:
    """The first vector is shorter than the others."""
    return _first(data, data[0]["embedding"][:-1])


def fewer(data: Data) -> Data:
    """The last vector is missing."""
    return data[:-1]


def twice(data: Data) -> Data:
    """Two vectors bear one number."""
    return [{**one, "index": 0} for one in data]


def words(data: Data) -> Data:
    """The first vector is no list of numbers."""
    return _first(data, ["a"] * len(data[0]["embedding"]))


def backwards(data: Data) -> Data:
    """All vectors are there and numbered, the last one first: this is no fault."""
    return data[::-1]


def longer(data: Data) -> Data:
    """Vectors that are not of length 1: this is no fault."""
    return [{**one, "embedding": [7 * number for number in one["embedding"]]} for one in data]


def _first(data: Data, vector: list[Any]) -> Data:
    return [{**data[0], "embedding": vector}, *data[1:]]
