"""Deliberate regressions: does the evaluation find each of them?

``python benchmarks/regressions.py [--data DATA] [--work FOLDER] [--only WORD]``

Each breaks one thing in a copy of a workspace (the example company; SciFact and the conversations of
MTRAG where DATA holds them), evaluates
it on the same questions as the sound one, and asks ``compare`` and the gate. Found means: at least one
metric is worse with statistics (after Holm), or the gate fails. Two checks go the other way: the sound
workspace, evaluated or built twice, must not be found.
"""

import argparse
import contextlib
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

import indexes.analysis
import indexes.build
import indexes.onnx_embedder
import indexes.sync
import ragflow
import ragflow.pipeline
from evals.comparison import compare
from evals.gating import Gate, decide
from evals.results import EvalRun
from indexes.build import Builder
from indexes.chunks import Chunk
from ragflow.evaluation import RunOptions

NORTHWIND = Path(__file__).resolve().parent.parent / "examples" / "northwind"
Patch = Callable[[], contextlib.AbstractContextManager[object]]


@dataclass(frozen=True)
class Regression:
    """One thing broken. ``system``: the one looked at. ``rebuilt``: the index is built under the patch."""

    name: str
    data: str
    system: str = "hybrid"
    patch: Patch = contextlib.nullcontext
    overrides: tuple[str, ...] = ()
    rebuilt: bool = False
    sound: bool = False


@contextlib.contextmanager
def patched(*changes: tuple[object, str, object]) -> Iterator[None]:
    """Set attributes for a while; what is analysed is forgotten before and after."""
    indexes.analysis._known().clear()  # noqa: SLF001  a cache of the true analyser's terms
    with contextlib.ExitStack() as stack:
        for owner, name, value in changes:
            stack.enter_context(patch.object(owner, name, value))
        yield
    indexes.analysis._known().clear()  # noqa: SLF001


def another_analyser() -> tuple[object, str, object]:
    """Have every segment written anew: the builder takes the live ones for another analyser's."""
    return (indexes.build, "ANALYSER", "broken/1")


def chunks_by(change: Callable[[Sequence[Chunk]], Sequence[Chunk]]) -> Patch:
    """Change the chunks of every document before they are indexed."""
    true = indexes.build.chunks_of

    def chunks(*given: Any) -> tuple[Chunk, ...]:
        return tuple(change(true(*given)))

    return lambda: patched((indexes.build, "chunks_of", chunks), another_analyser())


def of_every_other_document() -> Patch:
    """Leave the chunks of every second document out."""
    true = indexes.build.chunks_of
    seen: dict[str, int] = {}

    def chunks(store: Any, version: Any, *given: Any) -> tuple[Chunk, ...]:
        number = seen.setdefault(version.name, len(seen))
        return true(store, version, *given) if number % 2 else ()

    return lambda: patched((indexes.build, "chunks_of", chunks), another_analyser())


def vectors_of_the_next_chunk() -> contextlib.AbstractContextManager[object]:
    """Give each chunk the vector of the one after it in its batch."""
    true = Builder._embed  # noqa: SLF001

    def embed(self: Builder, rows: Any) -> Any:
        block = true(self, rows)
        return replace(block, vectors=np.roll(block.vectors, 1, axis=0).copy())

    return patched((Builder, "_embed", embed), another_analyser())


def pooling_of_the_first_token() -> contextlib.AbstractContextManager[object]:
    """Take the first token's vector of a model that was trained for the mean."""
    true = indexes.onnx_embedder.read_architecture
    return patched(
        (indexes.onnx_embedder, "read_architecture", lambda folder: replace(true(folder), pooling="cls"))
    )


def no_stop_words() -> contextlib.AbstractContextManager[object]:
    """Index and ask for every word."""
    return patched((indexes.analysis, "STOP_WORDS", {"en": frozenset()}), another_analyser())


def no_stems() -> contextlib.AbstractContextManager[object]:
    """Index and ask for words as they are written."""
    return patched((indexes.analysis, "_stem", lambda _: lambda word: word), another_analyser())


def quotes_shifted_by_one() -> contextlib.AbstractContextManager[object]:
    """Cite one character further on than what was proven."""
    true = ragflow.pipeline.cite

    def shifted(claims: Any, hits: Any) -> Any:
        numbered, citations = true(claims, hits)
        return numbered, tuple(_shifted(one, hits) for one in citations)

    return patched((ragflow.pipeline, "cite", shifted))


def _shifted(citation: Any, hits: Any) -> Any:
    hit = next(h for h in hits if h.document == citation.document and h.start <= citation.start < h.end)
    start, end = citation.start + 1, citation.end + 1
    return replace(citation, start=start, end=end, quote=hit.text[start - hit.start : end - hit.start])


def the_last_hit_is_cited() -> contextlib.AbstractContextManager[object]:
    """Cite the text of the last hit for every claim."""
    true = ragflow.pipeline.cite

    def wrong(claims: Any, hits: Any) -> Any:
        numbered, citations = true(claims, hits)
        last = hits[-1]
        return numbered, tuple(
            replace(one, document=last.document, start=last.start, end=last.end, quote=last.text)
            for one in citations
        )

    return patched((ragflow.pipeline, "cite", wrong))


ALL = (
    Regression("the sound workspace, evaluated twice", "northwind", sound=True),
    Regression(
        "the sound workspace, built twice",
        "northwind",
        patch=lambda: patched(another_analyser()),
        rebuilt=True,
        sound=True,
    ),
    Regression("every second chunk missing", "northwind", patch=chunks_by(lambda c: c[1::2]), rebuilt=True),
    Regression(
        "only the first chunk of a document", "northwind", patch=chunks_by(lambda c: c[:1]), rebuilt=True
    ),
    Regression("vectors of the next chunk", "northwind", "dense", vectors_of_the_next_chunk, rebuilt=True),
    Regression("quotes shifted by one", "northwind", patch=quotes_shifted_by_one),
    Regression("the last hit is cited", "northwind", patch=the_last_hit_is_cited),
    Regression("everything is answered", "northwind", overrides=("answer.min_confidence=0",)),
    Regression("almost nothing is answered", "northwind", overrides=("answer.min_confidence=0.95",)),
    Regression("stop words off", "mtrag_un", "lexical", no_stop_words, rebuilt=True),
    Regression("stemming off", "scifact", "lexical", no_stems, rebuilt=True),
    Regression(
        "term frequency not saturated", "scifact", "lexical", overrides=("search.k1=1000", "search.b=0")
    ),
    Regression("vectors not used", "scifact", overrides=("search.dense_weight=0",)),
    Regression("words not used", "scifact", overrides=("search.dense_weight=1",)),
    Regression("half of the documents missing", "scifact", patch=of_every_other_document(), rebuilt=True),
    Regression("wrong pooling", "mtrag_un", "dense", pooling_of_the_first_token, rebuilt=True),
)


def conversations(data: Path, folder: Path) -> Path:
    """Write the questions of conversations that have gold passages as a BEIR folder, once."""
    if not (folder / "qrels" / "test.tsv").exists():
        (folder / "qrels").mkdir(parents=True, exist_ok=True)
        tasks = [json.loads(line) for line in (data / "tasks.jsonl").read_text().splitlines()]
        tasks = [
            one for one in tasks if one["answerability"] in ("ANSWERABLE", "PARTIAL") and one["context_ids"]
        ]
        shutil.copy(data / "corpus.jsonl", folder)
        asked = [json.dumps({"_id": one["id"], "text": one["question"]}) for one in tasks]
        (folder / "queries.jsonl").write_text("\n".join(asked) + "\n")
        judged = [f"{one['id']}\t{passage}\t1" for one in tasks for passage in one["context_ids"]]
        (folder / "qrels" / "test.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *judged]) + "\n")
    return folder


class Bench:
    """Sound workspaces, each evaluated once, and copies of them to be broken."""

    def __init__(self, folder: Path, data: Path) -> None:
        self._folder = folder
        self._data = data
        self._sound: dict[str, EvalRun] = {}

    def questions(self, data: str) -> Path:
        """Return the data set's path."""
        if data == "northwind":
            return NORTHWIND / "questions.jsonl"
        if data == "mtrag_un":
            return conversations(self._data / data, self._folder / "conversations")
        return self._data / data

    def workspace(self, data: str) -> Path:
        """Return the sound workspace, indexed first where it is absent."""
        folder = self._folder / data
        if not (folder / ".ragflow" / "current").exists():
            if data == "northwind":
                shutil.copytree(
                    NORTHWIND, folder, ignore=shutil.ignore_patterns(".ragflow"), dirs_exist_ok=True
                )
            else:
                folder.mkdir(parents=True, exist_ok=True)
                (folder / "ragflow.yaml").write_text(
                    "version: 1\nsources:\n  scifact:\n    type: beir\n"
                    f"    path: {self.questions(data).resolve()}\n    readers: [everyone]\n"
                    "chunk: {mode: document}\n"
                )
            self._allow(folder)
            with ragflow.open(folder) as app:
                app.index()
        return folder

    def _allow(self, folder: Path) -> None:
        from ragflow.identity import login

        path = folder / "ragflow.yaml"
        text = path.read_text()
        if not any(line.startswith("identity:") for line in text.splitlines()):
            path.write_text(text + f"\nidentity: {{impersonate: [{login()}]}}\n")

    def evaluated(self, folder: Path, regression: Regression, overrides: Sequence[str] = ()) -> EvalRun:
        """Evaluate one system of a workspace."""
        with ragflow.open(folder, overrides=overrides) as app:
            options = RunOptions(systems=(regression.system,), resume=False)
            return app.evaluation().run(self.questions(regression.data), options)

    def sound(self, regression: Regression) -> EvalRun:
        """Return the sound workspace's run of the same system."""
        key = f"{regression.data} {regression.system}"
        if key not in self._sound:
            self._sound[key] = self.evaluated(self.workspace(regression.data), regression)
        return self._sound[key]

    def broken(self, regression: Regression) -> EvalRun:
        """Break a copy and evaluate it."""
        with tempfile.TemporaryDirectory(dir=self._folder) as temporary:
            copy = Path(temporary) / "copy"
            shutil.copytree(self.workspace(regression.data), copy, ignore=shutil.ignore_patterns("evals"))
            with regression.patch():
                if regression.rebuilt:
                    with ragflow.open(copy, overrides=regression.overrides) as app:
                        app.index()
                return self.evaluated(copy, regression, regression.overrides)


def found_by(sound: EvalRun, broken: EvalRun, system: str) -> list[str]:
    """Return what finds the broken run: the metrics that are worse, and the gate."""
    pairs = [(system, system)]
    compared = compare(sound, broken, systems=pairs, sliced=False)
    found = [
        f"{one.metric} {one.a_value:.3f} -> {one.b_value:.3f}" for one in compared if one.verdict == "worse"
    ]
    decided = decide(sound, broken, Gate("nDCG@10", 0.05, 30), system=system)
    return found + (["the gate"] if decided.status == "failed" else [])


def main() -> int:
    """Print what found each regression; exit 8 when one was not found, or the sound one was."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    missed = 0
    with tempfile.TemporaryDirectory() as temporary:
        bench = Bench(options.work or Path(temporary), options.data)
        for regression in ALL:
            if options.only not in f"{regression.data} {regression.name}":
                continue
            if regression.data != "northwind" and not (options.data / regression.data).is_dir():
                print(f"{regression.data:10} {regression.name:40} skipped: no such data set")
                continue
            found = found_by(bench.sound(regression), bench.broken(regression), regression.system)
            wrong = bool(found) == regression.sound
            missed += wrong
            print(
                f"{regression.data:10} {regression.name:40} {'WRONG ' if wrong else ''}"
                f"{'; '.join(found[:4]) or 'nothing found'}",
                flush=True,
            )
    return 8 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
