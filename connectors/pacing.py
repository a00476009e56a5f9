"""Requests at a rate, and pauses that the other side asks for."""

import threading
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime


class Pace:
    """Lets requests pass at a rate, and none before a pause is over; for several threads."""

    def __init__(self, rate: float, sleep: Callable[[float], None] = time.sleep) -> None:
        self._gap = 1 / rate if rate > 0 else 0.0
        self._sleep = sleep
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Return when it is this request's turn."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._gap
        if turn > now:
            self._sleep(turn - now)

    def slow_to(self, rate: float) -> None:
        """Pass at this rate, unless the present one is slower; the next request waits for it already."""
        with self._lock:
            wider = max(self._gap, 1 / rate)
            if self._next:
                self._next += wider - self._gap
            self._gap = wider

    def pause(self, seconds: float) -> None:
        """Let nobody pass for so long."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)


def asked_pause(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a ``Retry-After`` asks for, or None; a date in the past is now.

    A date is compared with the answer's own ``Date``, where there is one: our clock may be wrong. Names of
    ``headers`` in lower case.
    """
    value = headers.get("retry-after", "").strip()
    if value.isdecimal():
        return float(value)
    then = _seconds(value)
    if then is None:
        return None
    sent = _seconds(headers.get("date", ""))
    return max(0.0, then - (time.time() if sent is None else sent))


def _seconds(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp() if date else None
    except (ValueError, TypeError, OverflowError):
        return None
