"""``index``: the sources that were asked for, brought up to date, and a record of it."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial

from indexes.embedding import Embedder
from indexes.generations import Generations
from indexes.report import Gate, Watch
from indexes.store import Store
from indexes.sync import Sync
from ragflow import sources as sources_of
from ragflow import upkeep
from ragflow.config import Config
from ragflow.records import Run, new_id, timestamp
from ragflow.reports import IndexReport
from ragflow.runs import RunStore


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be indexed, and how; the fields are the flags of the command. ``judge``: of ``--gate``."""

    sources: tuple[str, ...]
    dry_run: bool
    full: bool
    allow_deletes: bool
    judge: Callable[[Store], Gate] | None


@dataclass(frozen=True, slots=True)
class Work:
    """What indexing works with. ``blank``: (kind, created, generation) -> an empty record."""

    config: Config
    generations: Generations
    embedder: Callable[[], Embedder]
    runs: RunStore
    blank: Callable[[str, str, str | None], Run]


def run(
    work: Work,
    wanted: Wanted,
    writing: Callable[[], AbstractContextManager[Store]],
    watch: Watch,
) -> IndexReport:
    """Sync, or say what that would do. ``writing`` holds the write lock and gives the store."""
    config, name = work.config, new_id("r")
    began, created = time.perf_counter(), timestamp()
    with writing() as store:
        if not wanted.dry_run:
            work.embedder()  # absent weights are told before anything is read
        work.runs.expire(config.runs.keep_days)
        options = replace(
            sources_of.options(config, name, cited=work.runs.cited()),
            dry_run=wanted.dry_run,
            full=wanted.full,
            allow_deletes=wanted.allow_deletes,
            gate=wanted.judge(store) if wanted.judge else None,
            settings=upkeep.settings_of(config),
        )
        parsers = partial(sources_of.parsers, config)
        sync = Sync(store, work.generations, work.embedder, parsers, options, watch)
        specs = [sources_of.spec(config, source) for source in wanted.sources]
        done = sync.run(specs, configured=tuple(config.sources))
        estimate = round(done.plan.total_seconds, 1) if wanted.dry_run else None
    spent = {"total": round((time.perf_counter() - began) * 1000, 1)}
    report = IndexReport(None if wanted.dry_run else name, wanted.dry_run, done, spent, estimate)
    if not wanted.dry_run:
        blank = work.blank("index", created, done.generation)
        about = {"sources": list(wanted.sources)}
        work.runs.add(
            replace(blank, run=name, exit_code=report.exit_code, input=about, output=report.to_json())
        )
    return report
