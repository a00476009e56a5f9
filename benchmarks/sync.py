"""A folder of 1,135 real pages: the first index run, and the second with nothing changed; time and memory.

``python benchmarks/sync.py --data DATA [--work FOLDER] [--python PYTHON]``; DATA holds ``handbooks/``.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from memory import peak

CONFIG = """\
version: 1
sources:
  handbooks: {{type: files, path: "{path}", readers: [everyone]}}
"""
AGAIN = 5


def main() -> int:
    """Print the figures; exit 8 when one is not reached."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path)
    parser.add_argument("--python", type=Path, default=Path(sys.executable))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        work.mkdir(exist_ok=True)
        (work / "ragflow.yaml").write_text(CONFIG.format(path=(options.data / "handbooks").resolve()))
        command = [str(options.python), "-m", "ragflow.cli", "-C", str(work), "index"]
        memory, seconds = peak(command)
        kept = sorted((work / ".ragflow" / "generations").iterdir())
        again = [peak(command) for _ in range(AGAIN)]
        unchanged = kept == sorted((work / ".ragflow" / "generations").iterdir())
    second = statistics.median(taken for _, taken in again)
    print(f"first index run        {seconds:8.1f} s   peak {memory:6.0f} MB (must be <= 1,500)")
    print(f"second, nothing new    {second:8.2f} s   (median of {AGAIN}; must be < 3)")
    print(f"no new generation      {unchanged}")
    return 0 if memory <= 1500 and second < 3 and unchanged else 8


if __name__ == "__main__":
    sys.exit(main())
