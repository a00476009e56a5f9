"""Whether recorded answers can be done again, byte for byte: python benchmarks/replaying.py [--asks 200].

The example company's questions are asked in turn without a model, of a scripted model that quotes honestly,
of one that fails every other time, and as questions that follow another, until there are as many as wanted.
Then the model's server is stopped, the index and the model's weights are moved away, and every run is
replayed from its record. A replay is the same where its ``ragflow.ask/1`` is, but for run, created and
timings_ms. Prints how many were, what differed, connections that were tried meanwhile, and ms each.
"""

import argparse
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from itertools import count, cycle
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "servers"))

from scripted_server import Reply, ScriptedServer, chosen, status, verdict  # type: ignore[import-not-found]

import ragflow
from evals.datasets import load
from ragflow.answering import AskOptions
from ragflow.identity import login

EXAMPLE = Path(__file__).parent.parent / "examples" / "northwind"
GROUPS = "user:bench, group:hr, group:sales, group:engineering"
WAYS = ("no model", "a model", "a failing model", "a thread")
_PASSAGE = re.compile(r'<passage-(\w{12}) number="(\d+)"[^\n]*>\n(.*?)\n</passage-\1>', re.DOTALL)
_SENTENCE = re.compile(r"[A-Z][^\n.!?]{30,300}[.!?]")


def main() -> None:
    """Ask, take everything away, replay, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--asks", type=int, default=200)
    wanted = parser.parse_args().asks
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "northwind"
        shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns(".ragflow"))
        numbers = count()
        good, failing = chosen(honest), chosen(lambda one: status(500) if next(numbers) % 2 else honest(one))
        with ScriptedServer([good]) as first, ScriptedServer([failing]) as second:
            configure(folder, good=first.url, failing=second.url)
            runs = asked(folder, wanted)
        for name in ("segments", "generations", "model"):
            if (folder / ".ragflow" / name).exists():
                (folder / ".ragflow" / name).rename(Path(place) / name)
        replayed(folder, runs)


def configure(folder: Path, *, good: str, failing: str) -> None:
    """Let the actor read everything, and ask the two models."""
    tiers = ", ".join(
        f"{name}: {{try: [{{model: openai/{name}, api_base: {url}}}], retries: 0, cooldown: 0}}"
        for name, url in (("good", good), ("failing", failing))
    )
    with (folder / "ragflow.yaml").open("a") as stream:
        stream.write(f"\nidentity: {{principals: {{{login()}: [{GROUPS}]}}}}\nmodels: {{{tiers}}}\n")


def honest(request: dict[str, Any]) -> Reply:
    """Quote the first sentence of the first passage that has one."""
    for found in _PASSAGE.finditer(request["messages"][-1]["content"]):
        if sentence := _SENTENCE.search(found[3]):
            quotes = [{"passage": int(found[2]), "text": sentence[0]}]
            return verdict({"claims": [{"text": sentence[0], "quotes": quotes}], "missing": []})
    return verdict({"claims": [], "missing": []})


def asked(folder: Path, wanted: int) -> list[tuple[str, str, str]]:
    """Ask as often as wanted; return of each run its id, the way it was asked, and its outcome."""
    runs: list[tuple[str, str, str]] = []
    with ragflow.open(folder) as app:
        app.index()
        asker = app.asker()
        questions = [case.question for case in load(folder / "questions.jsonl").cases]
        before: str | None = None
        for question, at in zip(cycle(questions), range(wanted), strict=False):
            way = WAYS[(at // len(questions)) % len(WAYS)]
            tier = {"a model": "good", "a failing model": "failing"}.get(way)
            options = AskOptions(tier=tier, thread=before if way == "a thread" else None, explain=at % 2 == 0)
            answer = app.answer(question, asker=asker, options=options)
            assert answer.run is not None
            runs.append((answer.run, way, answer.outcome))
            before = answer.run
    return runs


def replayed(folder: Path, runs: list[tuple[str, str, str]]) -> None:
    """Replay all runs, and print."""
    tried: list[str] = []
    events = {"socket.connect", "socket.getaddrinfo"}
    sys.addaudithook(lambda event, told: tried.append(f"{event} {told[1:]}") if event in events else None)
    took: list[float] = []
    same, ways = Counter[str](), Counter(way for _, way, _ in runs)
    with ragflow.open(folder) as app:
        asker = app.asker()
        for run, way, _ in runs:
            began = time.perf_counter()
            report = app.replaying().replay(run, asker)
            took.append((time.perf_counter() - began) * 1_000)
            same[way] += report.same is True
            if not report.same:
                print(f"  {run} ({way}): {report.reason or '; '.join(report.changes)}")
    outcomes = dict(Counter(outcome for *_, outcome in runs))
    print(f"{len(runs)} asks ({outcomes}), {same.total()} replayed the same")
    for way in ways:
        print(f"  {way:18}{same[way]:4} of {ways[way]}")
    p95 = statistics.quantiles(took, n=20)[-1]
    print(f"  ms each: p50 {statistics.median(took):.1f}, p95 {p95:.1f}; connections tried: {len(tried)}")


if __name__ == "__main__":
    main()
