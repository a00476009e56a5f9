"""How much a virtual environment takes on disk, and whether torch crept in.

``python benchmarks/size.py .venv`` needs nothing but Python. MB are millions of bytes of allocated
blocks, hard links counted once: never less than what ``du -sm`` says in MiB. Exit 1 over the limit or
with torch.
"""

import argparse
import sys
from pathlib import Path

LIMIT_MB = 720
LARGEST = 12


def allocated(path: Path, seen: set[tuple[int, int]]) -> int:
    """Bytes of the blocks under a path, not following links, each file once."""
    total = 0
    for entry in (path, *path.rglob("*")):
        stat = entry.lstat()
        if (stat.st_dev, stat.st_ino) not in seen:
            seen.add((stat.st_dev, stat.st_ino))
            total += stat.st_blocks * 512
    return total


def main() -> int:
    """Print the size and its largest parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("environment", type=Path)
    folder = parser.parse_args().environment
    packages = next(folder.glob("lib/python*/site-packages"))
    seen: set[tuple[int, int]] = set()
    parts = {part.name: allocated(part, seen) for part in packages.iterdir()}
    total = sum(parts.values()) + allocated(folder, seen)
    for name, size in sorted(parts.items(), key=lambda part: -part[1])[:LARGEST]:
        print(f"{size / 1e6:8.1f} MB  {name}")
    has_torch = (packages / "torch").exists()
    print(f"{total / 1e6:8.1f} MB  {folder} (limit {LIMIT_MB}); torch {'PRESENT' if has_torch else 'absent'}")
    return 1 if has_torch or total / 1e6 >= LIMIT_MB else 0


if __name__ == "__main__":
    sys.exit(main())
