"""A source of 100,000 small items: indexed once, again with nothing changed, and with 100 items changed.

``python benchmarks/sync_scale.py --source sql|rest|memory [--items N] [--work FOLDER] [--python PYTHON]``.
What is measured is ``ragflow index`` as a process of its own: wall and CPU seconds, peak memory, with its
children. A work folder that is kept is indexed no second time. Exit 8: a figure is not reached.
"""

import argparse
import json
import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from memory import anonymous, descendants
from small_items import CHANGED, KINDS, Kind, state

from connectors.items import Item, Raw
from indexes.plan import SourceSpec

AGAIN = 3
CONFIG = """\
version: 1
sources:
  many: {section}
chunk: {{mode: document}}
outbound: {{allow: [127.0.0.1]}}
"""


# -- inside a process that is counted --------------------------------------------------------------


def child(work: Path, kind: Kind) -> int:
    """Run ``ragflow index --json`` and write down what was fetched, parsed and embedded."""
    from connectors.parsing.pool import ParserPool
    from indexes.onnx_embedder import OnnxEmbedder
    from ragflow import sources
    from ragflow.cli import main

    counts = {"fetched": 0, "parsed": 0, "embedded": 0}
    counting = threading.Lock()
    spec, parse_all, embed = sources.spec, ParserPool.parse_all, OnnxEmbedder.embed

    def counted(config: Any, name: str) -> SourceSpec:
        found = spec(config, name)
        connector = kind.connector(work) if kind.connector else found.connector
        fetch = connector.fetch

        def fetched(item: Item) -> Raw:
            with counting:
                counts["fetched"] += 1
            return fetch(item)

        connector.fetch = fetched  # type: ignore[method-assign]
        return replace(found, connector=connector)

    def parsed(self: ParserPool, raws: Any) -> Any:
        for one in parse_all(self, raws):
            counts["parsed"] += 1
            yield one

    def embedded(self: OnnxEmbedder, texts: Any, *, queries: bool = False) -> Any:
        counts["embedded"] += len(texts)
        return embed(self, texts, queries=queries)

    sources.spec, ParserPool.parse_all, OnnxEmbedder.embed = counted, parsed, embedded  # type: ignore[method-assign]
    code = main(["-C", str(work), "index", "--json"])
    (work / "counts.json").write_text(json.dumps(counts))
    return code


# -- the measuring process -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Seen:
    """One index run: its report; seconds; MB (10^6 bytes), children summed; what it did, by who counted.

    ``memory`` is anonymous; ``resident`` is the peak of the process itself, with the files that it maps.
    """

    report: dict[str, Any]
    seconds: float
    cpu: float
    memory: float
    resident: float
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bench:
    """A source in its folder. ``address``: the API's, where there is one."""

    name: str
    work: Path
    python: str
    address: str | None

    def run(self, *, counted: bool = False) -> Seen:
        """Run one index run and watch it; ``counted``: in a process that counts what it does."""
        counted = counted or KINDS[self.name].connector is not None
        command = [self.python, "-m", "ragflow.cli", "-C", str(self.work), "index", "--json"]
        if counted:
            command = [self.python, __file__, "--child", "--work", str(self.work), "--source", self.name]
        known, asked = self._embedded(), self._asked()
        seen = _watched(command, self.work / "report.json")
        counts: dict[str, int] = json.loads((self.work / "counts.json").read_text()) if counted else {}
        counts["new vectors"] = len(self._embedded() - known)
        if self.address:
            counts["asked of the API"] = self._asked() - asked
        return replace(seen, counts=counts)

    def _embedded(self) -> set[object]:
        store = self.work / ".ragflow" / "store.sqlite"
        if not store.exists():
            return set()
        with closing(sqlite3.connect(store)) as connection:
            return {key for (key,) in connection.execute("SELECT key FROM embeddings")}

    def _asked(self) -> int:
        if self.address is None:
            return 0
        with urllib.request.urlopen(f"{self.address}/asked") as answer:
            return int(json.load(answer)["items"])


def _watched(command: list[str], report: Path) -> Seen:
    with report.open("wb") as out:
        began, before = time.perf_counter(), _cpu()
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, env=environment)
        most, resident = 0, 0
        while process.poll() is None:
            most = max(most, sum(map(anonymous, descendants(process.pid))))
            resident = max(resident, _peak(process.pid))
            time.sleep(0.02)
        seconds = time.perf_counter() - began
    assert process.stderr is not None
    if process.returncode:
        sys.exit(f"index exited {process.returncode}: {process.stderr.read().decode()[-2_000:]}")
    return Seen(json.loads(report.read_text()), seconds, _cpu() - before, most / 1e6, resident / 1e6)


def _cpu() -> float:
    """Return the CPU seconds of all children that have ended, with theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _peak(process: int) -> int:
    with suppress(OSError, IndexError):
        return int(Path(f"/proc/{process}/status").read_text().split("VmHWM:")[1].split()[0]) * 1024
    return 0


@contextmanager
def bench(name: str, work: Path, items: int, python: str) -> Iterator[Bench]:
    """Make the source, and index it for the first time, unless both are there already."""
    kind, new = KINDS[name], not (work / "items.json").exists()
    if new:
        (work / "items.json").write_text(json.dumps([items, 0]))
        kind.fill(work)
    with kind.running(work) as section:
        (work / "ragflow.yaml").write_text(CONFIG.format(section=section))
        address = section.partition('url: "')[2].partition("/content")[0] if name == "rest" else None
        one = Bench(name, work, python, address)
        if not (work / ".ragflow" / "current").exists():
            told("first", one.run())
        else:
            one.run()  # what an earlier benchmark has changed, and not read
        yield one


def told(name: str, one: Seen) -> None:
    """Print the line of a run."""
    counts = ", ".join(f"{key} {value:,}" for key, value in one.counts.items())
    print(
        f"{name:16} {one.seconds:7.1f} {one.cpu:7.1f} {one.memory:8.0f} {one.resident:8.0f}"
        f"   {one.report['generation']}   {counts}",
        flush=True,
    )


def change(one: Bench) -> None:
    """Change the first hundred items."""
    items, changes = state(one.work)
    (one.work / "items.json").write_text(json.dumps([items, changes + 1]))
    KINDS[one.name].change(one.work)


def main() -> int:
    """Print the figures; exit 8 when one is not reached."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", choices=sorted(KINDS), default="memory")
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return child(options.work, KINDS[options.source])
    with tempfile.TemporaryDirectory() as temporary:
        work = (options.work or Path(temporary)).resolve()
        work.mkdir(exist_ok=True)
        print(f"{options.source:16} seconds     CPU   MB anon MB resid   generation")
        with bench(options.source, work, options.items, options.python) as one:
            same = [one.run() for _ in range(AGAIN)]
            for seen in same:
                told("nothing changed", seen)
            change(one)
            changed = one.run(counted=True)
            told(f"{CHANGED} changed", changed)
    return judged(same, changed)


def judged(same: list[Seen], changed: Seen) -> int:
    """Say which figures are reached."""
    seconds = statistics.median(one.seconds for one in same)
    memory = max(max(one.memory, one.resident) for one in same)
    more = changed.seconds - seconds
    reached = {
        f"nothing changed: {seconds:.1f} s (median of {AGAIN}; must be < 20)": seconds < 20,
        f"nothing changed: {memory:.0f} MB at most (must be < 300)": memory < 300,
        "nothing changed: nothing promoted, nothing embedded, nothing asked": not any(
            one.report["promoted"] or any(one.counts.values()) for one in same
        ),
        f"{CHANGED} changed: exactly so many of all that is counted, and in the report": all(
            count == CHANGED for count in changed.counts.values()
        )
        and changed.report["sources"]["many"]["updated"] == CHANGED,
        f"{CHANGED} changed: {more:.1f} s more (must be <= 10)": more <= 10,
    }
    for what, ok in reached.items():
        print(f"{'ok  ' if ok else 'MISS'} {what}")
    return 0 if all(reached.values()) else 8


if __name__ == "__main__":
    sys.exit(main())
