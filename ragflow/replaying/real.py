"""What ``replay --with`` reaches for: real models, a generation of the index, opened when wanted."""

from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from indexes.embedding import Embedder, opened_late
from indexes.index import EmbeddedIndex
from ragflow.config import Config
from ragflow.models.accounts import Account
from ragflow.parts import Models, Workshop

OpenIndex = Callable[[Callable[[], Embedder], str | None], EmbeddedIndex]


class Real:
    """Opens, and closes what it opened. ``account``: what models and vectors are booked to."""

    def __init__(
        self, config: Config, account: Account, open_index: OpenIndex, embedder: Callable[[], Embedder]
    ) -> None:
        self._config, self._account = config, account
        self._open_index, self._embedder = open_index, embedder
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        self._account.begin(self._config.answer.timeout)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def models(self) -> Models:
        """Return the configured models, which share what one question may spend."""
        return Models(self._config, spending=self._account)

    def workshop(self, generation: str | None) -> Workshop:
        """Return what makes parts over a generation, the live one unless named."""
        index = self._open_index(self._embedder, generation)
        self._opened.callback(index.close)
        return Workshop(self._config, index, opened_late(self._embedder))
