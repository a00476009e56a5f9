"""Judge the shipped scores where nothing was fitted: python benchmarks/routing_transfer.py DATA WORKSPACE.

DATA holds handbooks/ and kgrag_sec10q/. The workspace indexes them as the sources gsa18f, sourcegraph and
filings; it is made, and indexed, where it is not there (some 14,000 chunks). The questions are
questions/handbooks_and_filings.jsonl, written before the router. A question is right when its best source
holds the answer and every source that holds it is among the chosen. Examples are the questions of the
other fold. Prints the figures in three settings, and what scoring takes.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import ragflow
from evals.cases import Case
from evals.datasets import load
from evals.measures import Metric
from evals.routes import golds
from evals.statistics import interval
from indexes.embedding import Embed
from indexes.index import EmbeddedIndex
from indexes.query import Found, Query
from indexes.store import Store
from ragflow import parts
from ragflow.remembering import Remembering
from ragflow.routing.scores import DEPTH, Described, SourceScores, profiled, weighed

QUESTIONS = Path(__file__).parent / "questions" / "handbooks_and_filings.jsonl"
READERS = frozenset({"everyone"})
RIGHT = Metric("right", "routing", lambda *_: "", lambda _: "")
DESCRIPTIONS = {
    "gsa18f": "The 18F and TTS handbook: how a digital services office of the United States federal "
    "government (GSA) works. Leave, travel, hiring, pay, tools, security and working with partner agencies.",
    "sourcegraph": "The Sourcegraph handbook: how a remote software company that sells code search works. "
    "Benefits, time off, expenses, hiring, engineering, product, sales, support and security.",
    "filings": "Quarterly reports (form 10-Q) of Apple, Amazon and Nvidia: revenue, income, cash flows, "
    "shares, debts, legal proceedings and risks.",
}
CONFIGURATION = """\
version: 1
sources:
  gsa18f: {{type: files, path: {data}/handbooks/18f/pages, readers: [everyone]}}
  sourcegraph: {{type: files, path: {data}/handbooks/sourcegraph, readers: [everyone]}}
  filings: {{type: files, path: {data}/kgrag_sec10q, include: ["**/*.pdf"], readers: [everyone]}}
"""


def opened(data: Path, workspace: Path) -> tuple[EmbeddedIndex, Remembering]:
    """Return the index of the workspace, made where it is not there, and what embeds its questions."""
    file = workspace / "ragflow.yaml"
    if not file.exists():
        workspace.mkdir(parents=True, exist_ok=True)
        file.write_text(CONFIGURATION.format(data=data.resolve()))
        with ragflow.open(workspace) as app:
            app.index()
    with ragflow.open(workspace) as app:
        config = app.config
    embedder = parts.embedder(config)
    embed = Remembering(lambda: embedder)
    store = Store.open(config.workspace / "store.sqlite")
    return EmbeddedIndex(config.workspace, store, lambda: embed, parts.ranking(config)), embed


def described(cases: Sequence[Case], kinds: str, fold: int) -> dict[str, Described]:
    """Return what is configured of each source for the questions of a fold: examples are of the other."""
    return {
        source: Described(
            text if "d" in kinds else "",
            tuple(one.question for one in cases if one.source == source and one.fold != fold)
            if "e" in kinds
            else (),
        )
        for source, text in DESCRIPTIONS.items()
    }


def scored(cases: Sequence[Case], found: Sequence[Found], kinds: str, embed: Embed) -> list[SourceScores]:
    """Return the scores of every question in a setting."""
    profiles = [profiled(described(cases, kinds, fold), embed) for fold in (0, 1)]
    return [
        weighed(each, embed([case.question])[0], profiles[case.fold])
        for case, each in zip(cases, found, strict=True)
    ]


def line(name: str, cases: Sequence[Case], scores: Sequence[SourceScores]) -> None:
    """Print a setting's figures: right at all with its interval, by tag, then its two halves."""
    best = np.array([one.scores[0].source in golds(case) for case, one in zip(cases, scores, strict=True)])
    among = np.array([golds(case) <= set(one.chosen) for case, one in zip(cases, scores, strict=True)])
    clear = np.array(["clear" in case.tags for case in cases])
    right = (best & among).astype(np.float64)
    low, high = interval(RIGHT, right[:, None])
    searched = np.mean([len(one.chosen) / len(one.scores) for one in scores])
    print(
        f"{name:24} right {right.mean():.3f} ({low:.3f} to {high:.3f});",
        f"ambiguous {right[~clear].mean():.3f}, clear {right[clear].mean():.3f};",
        f"best {best.mean():.3f}, all among the chosen {among.mean():.3f},",
        f"searched {searched:.3f}, off topic {sum(one.off_topic for one in scores)}",
    )


def milliseconds(cases: Sequence[Case], index: EmbeddedIndex, embed: Remembering) -> None:
    """Print what a search takes, its question's vector known as it is in ``ask``, and what scores add."""
    profiles = profiled(described(cases, "de", 0), embed.embed)
    spent = []
    for case in cases:
        vector = embed.embed([case.question], queries=True)[0]
        began = time.perf_counter()
        found = index.search(Query(case.question, READERS, k=DEPTH, merge="none"))
        searched = time.perf_counter()
        weighed(found, vector, profiles)
        spent.append((searched - began, time.perf_counter() - searched))
    search, added = np.median(np.array(spent), axis=0) * 1_000
    print(f"p50 of the search {search:.1f} ms, of the scores {added:.1f} ms")


def main() -> None:
    """Judge and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("workspace", type=Path)
    options = parser.parse_args()
    index, embed = opened(options.data, options.workspace)
    cases = load(QUESTIONS).cases
    for case in cases:
        embed.know(case.question)
    found = [index.search(Query(case.question, READERS, k=DEPTH, merge="none")) for case in cases]
    for name, leg in (("BM25", "lexical"), ("MiniLM", "dense")):
        first = [max(each.hits, key=lambda hit, leg=leg: getattr(hit.scores, leg) or 0.0) for each in found]
        best = [hit.document.partition("/")[0] in golds(case) for case, hit in zip(cases, first, strict=True)]
        print(f"{name:24} best {np.mean(best):.3f}")
    for name, kinds in (("evidence only", ""), ("descriptions", "d"), ("descriptions, examples", "de")):
        line(name, cases, scored(cases, found, kinds, embed.embed))
    milliseconds(cases, index, embed)


if __name__ == "__main__":
    main()
