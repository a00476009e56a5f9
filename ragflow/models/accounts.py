"""What the runs of one open workspace spend, one after the other, and what they have used of vectors."""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ragflow.deadlines import Deadline
from ragflow.model_sections import Budget

if TYPE_CHECKING:
    from ragflow.models.budget import Spending

_NANO = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Used:
    """What vectors took: requests, texts, tokens, and billionths of a US dollar. Sums since it was opened."""

    requests: int = 0
    texts: int = 0
    tokens: int = 0
    nano: int = 0

    @property
    def usd(self) -> float:
        """The cost in US dollars; 0 also where the price is not known."""
        return self.nano / _NANO

    def since(self, before: "Used") -> "Used":
        """Return what came after ``before``."""
        return Used(
            self.requests - before.requests,
            self.texts - before.texts,
            self.tokens - before.tokens,
            self.nano - before.nano,
        )


class Account:
    """The spending of the run that goes on now, its end, and a sum of what vectors took. Threads may add.

    ``ledger``: the file of the workspace's days. Nothing is opened or imported before it is wanted: a
    question without any model needs none of it.
    """

    def __init__(self, budget: Budget, ledger: Path) -> None:
        self._budget, self._path = budget, ledger
        self._spending: Spending | None = None
        self._used = Used()
        self._lock = threading.Lock()
        self.deadline: Deadline | None = None

    def begin(self, seconds: float | None = None) -> None:
        """Begin a run, which may spend all of ``budget.run_usd``. ``seconds``: how long it may take."""
        self._spending = None
        self.deadline = None if seconds is None else Deadline(seconds)

    @property
    def spending(self) -> "Spending":
        """What the run spends."""
        with self._lock:
            if self._spending is None:
                from ragflow.models.budget import Spending
                from ragflow.models.ledger import Ledger

                self._spending = Spending(self._budget, Ledger(self._path))
            return self._spending

    @property
    def used(self) -> Used:
        """What vectors took since this was made."""
        return self._used

    def add(self, *, texts: int, tokens: int, nano: int) -> None:
        """Count one request."""
        with self._lock:
            now = self._used
            self._used = Used(now.requests + 1, now.texts + texts, now.tokens + tokens, now.nano + nano)
