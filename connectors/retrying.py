"""Trying again what another try may cure: with growing, random pauses, and as long as the other side asks."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

_Given = TypeVar("_Given")


class Passing(Exception):
    """A failure that another try may cure. ``after``: seconds that the other side asked to wait."""

    def __init__(self, message: str, *, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


@dataclass(frozen=True, slots=True)
class Patience:
    """How often to try (the first included) and how long to pause, in seconds.

    Pauses grow from ``first`` to ``longest``, each drawn between nothing and its bound (full jitter).
    What the other side asks for is the least that is waited, up to ``asked``; when it asks for more, there
    is no further try.
    """

    tries: int = 5
    first: float = 0.5
    longest: float = 30.0
    asked: float = 120.0


def retried(
    call: Callable[[], _Given],
    patience: Patience = Patience(),
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> _Given:
    """Return what ``call`` gives, called again after each ``Passing`` that it raises.

    Raises ``Passing``, the last one, when the tries are used up; anything else at once.
    """
    from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt
    from tenacity.wait import wait_random_exponential

    grown = wait_random_exponential(multiplier=patience.first, max=patience.longest)

    def pause(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        asked = error.after if isinstance(error, Passing) else None
        # Who asks for no pause at all would else get all tries within a moment.
        return max(grown(state), asked or 0.0)

    def curable(error: BaseException) -> bool:
        return isinstance(error, Passing) and (error.after is None or error.after <= patience.asked)

    tries = Retrying(
        stop=stop_after_attempt(patience.tries),
        wait=pause,
        retry=retry_if_exception(curable),
        sleep=sleep,
        reraise=True,
    )
    return tries(call)
