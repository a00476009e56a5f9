"""A source of 100,000 small items: indexed once, again with nothing changed, and with 100 items changed.

``python benchmarks/sync_scale.py [--source memory] [--items 100000] [--work FOLDER]``. ``memory`` is a
connector that makes its items up, so that what is measured is the sync alone. The whole process of
``ragflow index`` is measured: seconds, peak memory; what it fetches, parses and embeds is counted inside it.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from memory import anonymous, descendants

from connectors.items import Connector, Item, Raw
from indexes.plan import SourceSpec

CHANGED = 100
TEXTS = 500  # different ones: the others are found in the cache of embeddings
CONFIG = """\
version: 1
sources:
  many: {source}
chunk: {{mode: document}}
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """A source to measure: its section, how to fill it, how to change items; ``connector``: a made-up one."""

    section: Callable[[Path], str]
    fill: Callable[[Path, int], None]
    change: Callable[[Path, int], None]
    connector: Callable[[Path], Connector] | None = None


class Made:
    """A connector over ``items.json``: how many items there are, how many have changed, for which time."""

    def __init__(self, folder: Path) -> None:
        self._count, self._changed, self._time = json.loads((folder / "items.json").read_text())

    def list(self) -> Iterator[Item]:
        """Give the items; readers differ between ten groups."""
        for number in range(self._count):
            text = self._text(number)
            digest = hashlib.sha256(text).hexdigest()
            yield Item(f"note-{number:06}", digest, ("everyone", f"group:g{number % 10}"), len(text))

    def fetch(self, item: Item) -> Raw:
        """Give one."""
        return Raw(item.id, self._text(int(item.id[5:])), f"{item.id}.txt", "text/plain", title="Rules")

    def _text(self, number: int) -> bytes:
        if number < self._changed:
            return f"Note {number} was changed and is like no other one, {self._time} at most.".encode()
        return f"Rule {number % TEXTS} says that folder {number % TEXTS} is kept for seven years.".encode()


def _fill(folder: Path, items: int) -> None:
    (folder / "items.json").write_text(json.dumps([items, 0, 0]))


def _change(folder: Path, changed: int) -> None:
    items, _, times = json.loads((folder / "items.json").read_text())
    (folder / "items.json").write_text(json.dumps([items, changed, times + 1]))


KINDS = {
    # The section is of another type; the child puts the made-up connector in its place.
    "memory": Kind(lambda _: "{type: beir, path: ., readers: [everyone]}", _fill, _change, Made),
}


# -- inside the process that is measured -----------------------------------------------------------


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

    def embedded(self: OnnxEmbedder, texts: Any) -> Any:
        counts["embedded"] += len(texts)
        return embed(self, texts)

    sources.spec, ParserPool.parse_all, OnnxEmbedder.embed = counted, parsed, embedded  # type: ignore[method-assign]
    code = main(["-C", str(work), "index", "--json"])
    status = Path("/proc/self/status").read_text()
    counts["most_mb"] = int(status.split("VmHWM:")[1].split()[0]) * 1024 // 10**6
    (work / "counts.json").write_text(json.dumps(counts))
    return code


# -- the measuring process -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Seen:
    """One index run: its report, its counts, seconds, and MB of anonymous memory, children summed."""

    report: dict[str, Any]
    counts: dict[str, int]
    seconds: float
    memory: float


def measured(work: Path, source: str) -> Seen:
    """Run one index run and watch it."""
    command = [sys.executable, __file__, "--child", "--work", str(work), "--source", source]
    with (work / "report.json").open("wb") as out:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, env={**os.environ, "PYTHONPATH": _path()})
        most = 0
        while process.poll() is None:
            most = max(most, sum(map(anonymous, descendants(process.pid))))
            time.sleep(0.02)
        seconds = time.perf_counter() - began
    if process.returncode:
        sys.exit(f"index exited {process.returncode}: {(work / 'report.json').read_text()}")
    read = [json.loads((work / name).read_text()) for name in ("report.json", "counts.json")]
    return Seen(read[0], read[1], seconds, most / 1e6)


def _path() -> str:
    return str(Path(__file__).resolve().parents[1])


def told(name: str, one: Seen) -> None:
    """Print the line of a run."""
    counts = " ".join(f"{key} {value:,}" for key, value in one.counts.items() if key != "most_mb")
    print(
        f"{name:16} {one.seconds:7.1f} s   {one.memory:5.0f} MB anonymous, {one.counts['most_mb']:,} MB with"
        f" mapped files   {counts}   {one.report['generation']}"
    )


def main() -> int:
    """Print the figures; exit 8 when one is not reached."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", choices=sorted(KINDS), default="memory")
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    kind = KINDS[options.source]
    if options.child:
        return child(options.work, kind)
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        work.mkdir(exist_ok=True)
        if not (work / "ragflow.yaml").exists():
            kind.fill(work, options.items)
            (work / "ragflow.yaml").write_text(CONFIG.format(source=kind.section(work)))
            told("first", measured(work, options.source))
        kind.change(work, 0)
        measured(work, options.source)  # whatever an earlier benchmark had changed is as it was
        same = measured(work, options.source)
        told("nothing changed", same)
        kind.change(work, CHANGED)
        changed = measured(work, options.source)
        told(f"{CHANGED} changed", changed)
    exact = all(changed.counts[key] == CHANGED for key in ("fetched", "parsed", "embedded"))
    reached = {
        "nothing changed: < 20 s": same.seconds < 20,
        "nothing changed: < 300 MB": same.memory < 300 and same.counts["most_mb"] < 300,
        "nothing changed: no new generation": not same.report["promoted"],
        f"{CHANGED} changed: exactly so many fetched, parsed, embedded": exact,
        f"{CHANGED} changed: at most 10 s more": changed.seconds <= same.seconds + 10,
    }
    for what, ok in reached.items():
        print(f"{'ok  ' if ok else 'MISS'} {what}")
    return 0 if all(reached.values()) else 8


if __name__ == "__main__":
    sys.exit(main())
