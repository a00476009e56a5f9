"""How long a question may take, counted on a clock that nobody sets back."""

import time
from collections.abc import Callable


class Deadline:
    """A moment in the future. ``clock`` gives seconds; the process's monotonic clock unless told."""

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def left(self) -> float:
        """Give the seconds that are left, 0 when it is over."""
        return max(0.0, self._end - self._clock())

    @property
    def over(self) -> bool:
        """Tell whether nothing is left."""
        return self.left() == 0.0
