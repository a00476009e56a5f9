"""How long a process takes from nothing: ``ragflow --help``, and a cold ``ragflow ask``.

``python benchmarks/startup.py --python .venv/bin/python --reference .venv-test/bin/python``

Each figure is the median over whole processes, wall clock. The ask runs over a workspace of 10,000
chunks, in turn with ``python -c "import sentence_transformers"`` by the reference, so that both meet the
same machine; their ratio is what to trust. Without ``--workspace`` one is made in a temporary folder
from 10,000 generated sentences (several minutes: they are embedded once).
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHUNKS = 10_000
QUESTION = "When does the northern depot close?"
PLACES = ("northern", "southern", "central", "coastal", "upper", "lower", "old", "new")
THINGS = ("depot", "warehouse", "canteen", "office", "workshop", "garage", "archive", "laboratory", "counter")
DEEDS = ("closes", "opens", "is cleaned", "is inspected", "takes deliveries", "is guarded", "is heated")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
# 6 is an answer too: not found.
GOOD_CODES = {0, 6}


def seconds(command: list[str]) -> float:
    """Wall-clock time of one process."""
    start = time.perf_counter()
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    taken = time.perf_counter() - start
    if result.returncode not in GOOD_CODES:
        sys.exit(f"{' '.join(command)} exited {result.returncode}: {result.stderr}")
    return taken


def sentence(number: int, choose: random.Random) -> str:
    """One invented rule of a company's house."""
    place, thing, deed, day = (choose.choice(words) for words in (PLACES, THINGS, DEEDS, DAYS))
    hour = choose.randrange(6, 22)
    return f"The {place} {thing} {deed} at {hour} o'clock on {day}, rule {number}."


def build(program: list[str], folder: Path) -> Path:
    """Make and index a workspace of 10,000 one-sentence documents."""
    choose = random.Random(7)
    data = folder / "rules"
    (data / "qrels").mkdir(parents=True)
    rows = [{"_id": str(i), "title": "", "text": sentence(i, choose)} for i in range(CHUNKS)]
    (data / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (data / "queries.jsonl").write_text(json.dumps({"_id": "q", "text": QUESTION}) + "\n")
    (data / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\t0\t1\n")
    workspace = folder / "workspace"
    print(f"indexing {CHUNKS} generated sentences ...", file=sys.stderr)
    subprocess.run([*program, "init", str(workspace), "--beir", str(data)], check=True, capture_output=True)
    subprocess.run([*program, "-C", str(workspace), "index"], check=True, capture_output=True)
    return workspace


def row(name: str, times: list[float]) -> float:
    """Print one figure with its range; give the median."""
    median = statistics.median(times)
    print(f"{name:<40} {median:7.3f} s   ({min(times):.3f} to {max(times):.3f}, n = {len(times)})")
    return median


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", type=Path, default=Path(".venv/bin/python"))
    parser.add_argument("--reference", type=Path, default=Path(".venv-test/bin/python"))
    parser.add_argument("--workspace", type=Path)
    parser.add_argument("--runs", type=int, default=10)
    options = parser.parse_args()
    program = [str(options.python.absolute().with_name("ragflow"))]
    rival = [str(options.reference.absolute()), "-c", "import sentence_transformers"]

    seconds([*program, "--help"])  # the first run after an install compiles
    row("ragflow --help", [seconds([*program, "--help"]) for _ in range(options.runs)])
    with tempfile.TemporaryDirectory() as folder:
        workspace = options.workspace or build(program, Path(folder))
        ask = [*program, "-C", str(workspace), "ask", QUESTION]
        seconds(ask), seconds(rival)
        pairs = [(seconds(ask), seconds(rival)) for _ in range(options.runs)]
    ours = row("ragflow ask, cold", [pair[0] for pair in pairs])
    theirs = row("import sentence_transformers", [pair[1] for pair in pairs])
    print(f"{'ratio':<40} {ours / theirs:7.3f}")


if __name__ == "__main__":
    main()
