"""The worker process of the pool: reads batches from its input, answers each item as it is parsed."""

import ctypes
import os
import resource
import signal
import sys
from typing import BinaryIO, cast

from connectors.parsing.dispatch import parse
from connectors.parsing.frames import parsed_header, raw_from, read_frame, write_frame
from connectors.parsing.hidden import Hidden
from connectors.parsing.other import Ocr
from connectors.parsing.second import load

_PR_SET_PDEATHSIG = 1


def main(parent: int, ocr: str, hidden: str, memory_bytes: int, *, second: bool = False) -> None:
    """Serve until the input ends. ``parent`` is the process id without which this one must not live.

    ``second``: the second parser is loaded, before the first item; its environment is prepared.
    """
    _die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Data, not address space: the libraries map far more than they ever touch.
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # Whatever a library prints must not land between the frames.
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, sys.stdout.fileno())
    if second:
        # spaCy takes torch along wherever that is installed: seconds and 100 MB for what nothing here uses.
        sys.modules["torch"] = None  # type: ignore[assignment]
        load()
    # The parent starts the clock of the first item when this says that the libraries are loaded.
    write_frame(answers, "ready")
    answers.flush()
    serve(sys.stdin.buffer, answers, cast(Ocr, ocr), cast(Hidden, hidden))


def serve(tasks: BinaryIO, answers: BinaryIO, ocr: Ocr, hidden: Hidden) -> None:
    """Answer batch after batch: a frame with the number of items, then one frame an item."""
    while (head := read_frame(tasks)) is not None:
        count = cast(int, head[0])
        # The whole batch is read before the first answer: else both sides could wait on full pipes.
        batch = [read_frame(tasks) for _ in range(count)]
        for frame in batch:
            if frame is None:
                return
            write_frame(answers, parsed_header(parse(raw_from(*frame), ocr=ocr, hidden=hidden)))
            answers.flush()


def _die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends; elsewhere the end of the input does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
