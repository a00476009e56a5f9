"""The most anonymous memory that a command and its children hold at once, read from /proc every 20 ms."""

import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

GOOD_CODES = {0, 6}


def descendants(root: int) -> list[int]:
    """The process and all that it started."""
    found = [root]
    for process in found:
        with suppress(OSError):
            for task in Path(f"/proc/{process}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def anonymous(process: int) -> int:
    """Bytes of private and shared anonymous memory of one process; 0 once it has ended."""
    with suppress(OSError, ValueError):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    return 0


def peak(command: list[str]) -> tuple[float, float]:
    """Run a command. Gives its peak in MB (10^6 bytes, children summed) and its seconds."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    most = 0
    while process.poll() is None:
        most = max(most, sum(map(anonymous, descendants(process.pid))))
        time.sleep(0.02)
    if process.returncode not in GOOD_CODES:
        sys.exit(f"{' '.join(command)} exited {process.returncode}")
    return most / 1e6, time.perf_counter() - began
