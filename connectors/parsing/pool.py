"""Parsing in worker processes with limits of time and memory: no file can stop or take down a sync."""

import contextlib
import io
import os
import selectors
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self, cast

from connectors.documents import Parsed
from connectors.errors import ConnectorError
from connectors.items import Raw
from connectors.parsing.failures import unreadable
from connectors.parsing.frames import parsed_from, raw_header, read_frame, write_frame
from connectors.parsing.hidden import Hidden
from connectors.parsing.other import Ocr
from connectors.parsing.second import SILENCE
from connectors.parsing.sniff import suffix

_ROOT = str(Path(__file__).resolve().parents[2])
# -P keeps the working folder, where anyone may have put a module, off the path.
_MAIN = (
    "import sys; sys.path.append(sys.argv[1]); from connectors.parsing.worker import main;"
    " main(int(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5])"
)
_CODE = f"{_MAIN})"
# Only the worker's own environment is changed, before anything of the second parser is imported.
_SECOND = f"import os; os.environ.update({SILENCE!r}); {_MAIN}, second=True)"
_BATCH_ITEMS = 32
_SMALL_BYTES = 16_384
_CHEAP = frozenset({"txt", "md", "markdown"})
_TICK = 0.05
_START_SECONDS = 60.0
_MB = 1_000_000
_PAGE = os.sysconf("SC_PAGE_SIZE")


class ParserPool:
    """Parses items in spawned processes; what a file breaks is replaced, and the rest goes on.

    ``timeout``: seconds for one item with all its members. ``memory_mb``: resident memory of one worker
    (10^6 bytes). Nothing is spawned before the first item. Use it as a context manager, and from one
    thread: the kernel ends a worker together with the thread that started it.
    """

    def __init__(
        self,
        workers: int = 2,
        *,
        timeout: float = 60.0,
        memory_mb: int = 1024,
        ocr: Ocr = "auto",
        hidden: Hidden = "drop",
    ) -> None:
        self._timeout = timeout
        self._arguments = (ocr, hidden, memory_mb * _MB)
        self._slots: list[_Worker | None] = [None] * max(1, workers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all workers; the pool may be used again and then starts new ones."""
        for place, worker in enumerate(self._slots):
            if worker is not None:
                worker.kill()
                self._slots[place] = None

    def parse(self, raw: Raw) -> Parsed:
        """Return what one item gives."""
        return next(parsed for _, parsed in self.parse_all((raw,)))

    def parse_all(self, raws: Iterable[Raw]) -> Iterator[tuple[str, Parsed]]:
        """Yield (item id, what it gave) once for each of ``raws``, in the order in which they are done.

        ``raws`` is read only as workers become free. An error raised by ``raws`` itself passes through.
        """
        batches = _Batches(raws)
        try:
            while True:
                batches.fill(self._idle, self._timeout)
                busy = [worker for worker in self._slots if worker is not None and worker.tasks]
                if not busy:
                    return
                yield from self._collect(busy, batches)
        finally:
            for place, worker in enumerate(self._slots):
                if worker is not None and worker.tasks:
                    worker.kill()
                    self._slots[place] = None

    def _idle(self, *, second: bool) -> "_Worker | None":
        """Return a worker that has nothing to do, started if need be; ``second``: with the second parser."""
        for place, worker in enumerate(self._slots):
            if worker is not None and worker.tasks:
                continue
            if worker is not None and worker.second == second and worker.fit():
                return worker
            if worker is not None:
                worker.kill()
            started = self._slots[place] = _Worker(*self._arguments, second=second)
            return started
        return None

    def _collect(self, busy: list["_Worker"], batches: "_Batches") -> Iterator[tuple[str, Parsed]]:
        """Wait a moment for answers; then end the workers that broke, or broke a limit."""
        with selectors.DefaultSelector() as selector:
            for worker in busy:
                selector.register(worker.answers, selectors.EVENT_READ, worker)
            ready = {key.data for key, _ in selector.select(_TICK)}
        for worker in busy:
            reason = ""
            if worker in ready:
                answer = worker.receive(self._timeout)
                if isinstance(answer, Parsed):
                    yield worker.tasks.popleft().item, answer
                else:
                    reason = answer
            else:
                reason = worker.excess()
            if reason:
                worker.kill()
                self._slots[self._slots.index(worker)] = None
                failed = worker.tasks.popleft()
                batches.again(worker.tasks)
                worker.tasks.clear()
                yield failed.item, Parsed((), (unreadable(failed.item, reason),))


class _Batches:
    """Hands out the items in batches: small plain texts together, every other item alone."""

    def __init__(self, raws: Iterable[Raw]) -> None:
        self._raws = iter(raws)
        self._waiting: deque[Raw] = deque()

    def fill(self, idle: "_Idle", timeout: float) -> None:
        """Give every idle worker a batch, as long as there are items; asks for no worker in vain."""
        while batch := self._next():
            worker = idle(second=bool(batch[0].unstructured))
            if worker is None:
                self._waiting.extendleft(reversed(batch))
                return
            worker.send(batch, timeout)

    def again(self, raws: Iterable[Raw]) -> None:
        """Put back what a broken worker had not begun."""
        self._waiting.extendleft(reversed(list(raws)))

    def _next(self) -> list[Raw]:
        batch: list[Raw] = []
        while len(batch) < _BATCH_ITEMS:
            raw = self._waiting.popleft() if self._waiting else next(self._raws, None)
            if raw is None:
                break
            if batch and (not _is_cheap(raw) or bool(raw.unstructured) != bool(batch[0].unstructured)):
                self._waiting.appendleft(raw)
                break
            batch.append(raw)
            if not _is_cheap(raw):
                break
        return batch


def _is_cheap(raw: Raw) -> bool:
    return len(raw.data) <= _SMALL_BYTES and suffix(raw.name) in _CHEAP


class _Idle(Protocol):
    """Gives a worker that has nothing to do; None where all are busy."""

    def __call__(self, *, second: bool) -> "_Worker | None": ...


class _Worker:
    """One process, the batch it works on, and the moment at which its present item is overdue."""

    def __init__(self, ocr: Ocr, hidden: Hidden, memory_bytes: int, *, second: bool) -> None:
        self.tasks: deque[Raw] = deque()
        self.second = second
        self._memory = memory_bytes
        self._loaded = 0
        self._deadline = 0.0
        self._ready = False
        self._peak = 0
        # Its own session: an interrupt at the terminal is the parent's to decide on.
        self._process = subprocess.Popen(  # noqa: S603
            [
                *(sys.executable, "-P", "-c", _SECOND if second else _CODE),
                *(_ROOT, str(os.getpid()), ocr, hidden, str(memory_bytes * 2)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            # Unbuffered: a buffer could hide a second answer from the selector.
            bufsize=0,
        )
        self.answers = cast(BinaryIO, self._process.stdout)
        self._input = io.BufferedWriter(cast(io.RawIOBase, self._process.stdin))

    def fit(self) -> bool:
        """Say whether the process can take another batch: it runs, and the last one left its memory free."""
        return self._process.poll() is None and self._resident() <= self._half()

    def send(self, batch: list[Raw], timeout: float) -> None:
        """Send a batch; a process that is gone shows when the answer is awaited."""
        self.tasks.extend(batch)
        self._deadline = time.monotonic() + timeout + (0 if self._ready else _START_SECONDS)
        try:
            write_frame(self._input, len(batch))
            for raw in batch:
                write_frame(self._input, raw_header(raw), raw.data)
            self._input.flush()
        except BrokenPipeError:
            return

    def receive(self, timeout: float) -> "Parsed | str":
        """Return the answer for the first task, or the reason why there is none; empty when it only began.

        Raises:
            ConnectorError: the process did not get as far as to be ready.
        """
        frame = read_frame(self.answers)
        self._deadline = time.monotonic() + timeout
        if self._ready:
            # An allocation that fails ends the process at once: then its size tells what happened.
            ended = "out_of_memory" if self._peak > self._half() else "crashed"
            return parsed_from(frame[0]) if frame is not None else ended
        if frame is None:
            raise ConnectorError("the parser process does not start", hint="ragflow doctor")
        self._ready = True
        self._loaded = self._resident() if self.second else 0
        return ""

    def excess(self) -> str:
        """Return the reason to end the process now, or an empty text."""
        if self._resident() > self._memory:
            return "out_of_memory"
        return "timeout" if time.monotonic() > self._deadline else ""

    def kill(self) -> None:
        """End the process, now, and wait for it."""
        self._process.kill()
        self.answers.close()
        # What was not yet written went with the process.
        with contextlib.suppress(BrokenPipeError):
            self._input.close()
        self._process.wait()

    def _half(self) -> int:
        """Return half of the memory, not counting the language model that is there from the start."""
        return (self._memory + self._loaded) // 2

    def _resident(self) -> int:
        try:
            pages = Path(f"/proc/{self._process.pid}/statm").read_bytes().split()[1]
        except (OSError, IndexError):
            return 0
        resident = int(pages) * _PAGE
        self._peak = max(self._peak, resident)
        return resident
