"""Fetching the items of one source by several threads, with a bound on what waits to be parsed.

The threads only call ``connector.fetch``; all else stays on the thread that takes the results.
"""

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from connectors.errors import ConnectorError, SourceUnavailable, UnreadableDocument
from connectors.items import Connector, Item, Raw

Result = tuple[Item, Raw | UnreadableDocument]

_UNREACHABLE_IN_A_ROW = 5
_LEAVE_SECONDS = 1.0
_TICK = 0.1


@dataclass(frozen=True, slots=True)
class Window:
    """How much may be under way or waiting at once: items, and their bytes (``guess`` where not told).

    One item is always let through, however large.
    """

    items: int = 64
    bytes: int = 64_000_000
    guess: int = 1_000_000


class Fetching:
    """Fetches items while it is entered: ``for item, result in fetching.results()``.

    ``results`` gives every item with its bytes or with why it cannot be read, in the order in which they
    arrive. When the source as a whole fails, it ends early, after what was fetched until then, and ``error``
    tells why; so it does when five items in a row are unreachable. Any other error is raised, once.

    On leaving, the threads end: each finishes the call it is in. After an interrupt they are waited for only
    for a moment; what they still fetch is thrown away, and they end with the process.
    """

    def __init__(
        self, connector: Connector, items: Sequence[Item], *, fetchers: int = 1, window: Window = Window()
    ) -> None:
        self.error: ConnectorError | None = None
        self._connector = connector
        self._window = window
        self._todo = deque(items)
        self._done: deque[tuple[Item, Raw | BaseException]] = deque()
        self._sizes: dict[str, int] = {}
        self._stopped = False
        self._row = 0
        self._change = threading.Condition()
        count = min(fetchers, len(items))
        # With one fetcher there is nothing to overlap: the caller's own thread fetches.
        self._threads = [
            threading.Thread(target=self._work, name=f"fetch-{number}", daemon=True)
            for number in range(count if count > 1 else 0)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        interrupted = kind is not None and not issubclass(kind, Exception)
        for thread in self._threads:
            thread.join(_LEAVE_SECONDS / len(self._threads) if interrupted else None)

    def results(self) -> Iterator[Result]:
        """Give the items with their results, each once."""
        for item, result in self._threaded() if self._threads else self._alone():
            if isinstance(result, Raw | UnreadableDocument):
                yield item, result
            elif not isinstance(result, ConnectorError):
                raise result

    def _arrived(self, result: Raw | BaseException) -> None:
        """Begin nothing new once the source is down, or we are broken. The first error is what is told."""
        with self._change:
            if isinstance(result, UnreadableDocument) and result.reason == "unreachable":
                self._row += 1
                if self._row == _UNREACHABLE_IN_A_ROW:
                    self.error = self.error or _down(self._row, result)
                    self._stop()
                return
            self._row = 0
            if isinstance(result, BaseException) and not isinstance(result, UnreadableDocument):
                if isinstance(result, ConnectorError):
                    self.error = self.error or result
                self._stop()

    def _stop(self) -> None:
        with self._change:
            self._stopped = True
            self._change.notify_all()

    def _alone(self) -> Iterator[tuple[Item, Raw | BaseException]]:
        while self._todo and not self._stopped:
            item = self._todo.popleft()
            result: Raw | BaseException
            try:
                result = self._connector.fetch(item)
            except ConnectorError as error:
                result = error
            self._arrived(result)
            yield item, result

    def _threaded(self) -> Iterator[tuple[Item, Raw | BaseException]]:
        while True:
            with self._change:
                while not self._done:
                    if not self._sizes and (not self._todo or self._stopped):
                        return
                    self._change.wait(_TICK)  # in slices: an interrupt is heard between them
                item, result = self._done.popleft()
                del self._sizes[item.id]
                self._change.notify_all()
            yield item, result

    def _work(self) -> None:
        while (item := self._next()) is not None:
            result: Raw | BaseException
            try:
                result = self._connector.fetch(item)
            except BaseException as error:  # noqa: BLE001 - raised again by ``results``, on the caller's thread
                result = error
            with self._change:
                if isinstance(result, Raw):
                    self._sizes[item.id] = len(result.data)
                self._arrived(result)
                self._done.append((item, result))
                self._change.notify_all()

    def _next(self) -> Item | None:
        """Take the next item as soon as the window has room for it."""
        with self._change:
            while self._todo and not self._stopped:
                if self._fits(self._todo[0]):
                    item = self._todo.popleft()
                    self._sizes[item.id] = self._size(item)
                    return item
                self._change.wait()
            return None

    def _fits(self, item: Item) -> bool:
        held = sum(self._sizes.values())
        return not self._sizes or (
            len(self._sizes) < self._window.items and held + self._size(item) <= self._window.bytes
        )

    def _size(self, item: Item) -> int:
        return self._window.guess if item.size is None else item.size


def _down(row: int, last: UnreadableDocument) -> SourceUnavailable:
    return SourceUnavailable(
        f"{row} items in a row gave no answer, the last one being: {last}",
        hint=last.hint or "look whether the source is up, then run `ragflow index` again",
    )
