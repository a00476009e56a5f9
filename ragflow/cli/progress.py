"""Progress of long work on stderr: a bar with rate and time left on a terminal, else a line now and then."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ragflow.terminal import escape

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from indexes.report import Progress

_SECONDS_BETWEEN_LINES = 5.0


@contextmanager
def reporting() -> Iterator[Callable[["Progress"], None]]:
    """Give what takes progress, for the length of a ``with``."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    from rich.console import Console

    with bars(Console(stderr=True)) as report:
        yield report


@contextmanager
def bars(console: "Console") -> Iterator[Callable[["Progress"], None]]:
    """Give what shows progress on a terminal; the bars go when the work is done."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as shown:
        yield Bar(shown)


def describe(progress: "Progress") -> str:
    """Say what is being done, to which source."""
    return escape(f"{progress.source}: {progress.phase}" if progress.source else progress.phase)


@dataclass(frozen=True, slots=True)
class Rate:
    """How many a second since the first report: at ``began`` (seconds), ``first`` were done."""

    began: float
    first: int

    def of(self, done: int, now: float) -> str:
        """Return the rate in words; "" while there is none."""
        passed = now - self.began
        return f"{(done - self.first) / passed:.1f}/s" if passed > 0 and done > self.first else ""


@dataclass(slots=True)
class Bar:
    """One bar for each phase of each source, the finished ones full."""

    bars: "Bars"
    tasks: "dict[str, TaskID]" = field(default_factory=dict)
    rates: dict[str, Rate] = field(default_factory=dict)

    def __call__(self, progress: "Progress") -> None:
        """Take one report."""
        name, now = describe(progress), time.monotonic()
        if name not in self.tasks:
            self.tasks[name] = self.bars.add_task(name, total=progress.total, rate="")
        rate = self.rates.setdefault(name, Rate(now, progress.done)).of(progress.done, now)
        self.bars.update(self.tasks[name], completed=progress.done, total=progress.total, rate=rate)


@dataclass(slots=True)
class Lines:
    """A plain line on stderr, at most every five seconds, so that logs stay short."""

    written: float = field(default_factory=time.monotonic)
    rates: dict[str, Rate] = field(default_factory=dict)

    def __call__(self, progress: "Progress") -> None:
        """Take one report."""
        name, now = describe(progress), time.monotonic()
        rate = self.rates.setdefault(name, Rate(now, progress.done)).of(progress.done, now)
        if now - self.written < _SECONDS_BETWEEN_LINES:
            return
        self.written = now
        of = f" of {progress.total:,}" if progress.total is not None else ""
        sys.stderr.write(f"{name} {progress.done:,}{of}{f', {rate}' if rate else ''}\n")
        sys.stderr.flush()
