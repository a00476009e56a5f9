"""``index`` and ``sources retry``: what was asked for, brought up to date, and a record of it."""

import time
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from indexes.embedding import Embedder
from indexes.failures import failures, items_of
from indexes.generations import Generations
from indexes.report import Gate, SyncPlan, Watch
from indexes.store import Store
from indexes.sync import Sync
from ragflow import parts
from ragflow import sources as sources_of
from ragflow.approvals import erasing
from ragflow.built_with import settings_of
from ragflow.config import Config
from ragflow.embedding_costs import came_to, estimated, foreseen, told
from ragflow.models.accounts import Account
from ragflow.records import Run, new_id, timestamp
from ragflow.reports import IndexReport
from ragflow.runs import RunStore
from ragflow.watching import exporting
from ragflow.workflows.erasing import expire as expire_runs

if TYPE_CHECKING:
    from ragflow.models.vector_costs import Cost


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be indexed, and how; the fields are the flags of the command. ``judge``: of ``--gate``.

    ``again``: the documents that failed and are to be read again; empty means all that failed, and None that
    this is a common index run. ``hold``: what is built waits beside the live one.
    """

    sources: tuple[str, ...]
    dry_run: bool = False
    full: bool = False
    allow_deletes: bool = False
    judge: Callable[[Store], Gate] | None = None
    again: tuple[str, ...] | None = None
    hold: bool = False


@dataclass(frozen=True, slots=True)
class Work:
    """What indexing works with. ``blank``: (kind, created, generation) -> an empty record."""

    config: Config
    generations: Generations
    embedder: Callable[[], Embedder]
    runs: RunStore
    blank: Callable[[str, str, str | None], Run]
    account: Account


@dataclass(slots=True)
class _Foretelling:
    """Adds to a plan, before anything of it is done, what an embedding API is going to be sent."""

    work: Work
    store: Store
    watch: Watch
    full: bool
    cost: "Cost | None" = None

    def planned(self, plan: SyncPlan) -> None:
        config = self.work.config
        self.cost = foreseen(config, self.store, self.work.generations, plan, full=self.full)
        self.watch.planned(replace(plan, notes=told(config, self.cost)))


def run(
    work: Work,
    wanted: Wanted,
    writing: Callable[[], AbstractContextManager[Store]],
    watch: Watch,
) -> IndexReport:
    """Sync, or say what that would do. ``writing`` holds the write lock and gives the store."""
    config, name = work.config, new_id("r")
    work.account.begin()
    before = work.account.used
    began, created = time.perf_counter(), timestamp()
    with writing() as store:
        if not wanted.dry_run:
            exporting.ready(config)
            parts.ready(config)
            work.embedder()  # absent weights are told before anything is read
        work.runs.expire(config.runs.keep_days)
        erasing.expire(config)
        expire_runs(config)
        options = replace(
            sources_of.options(config, name, cited=work.runs.cited()),
            dry_run=wanted.dry_run,
            full=wanted.full,
            allow_deletes=wanted.allow_deletes,
            gate=wanted.judge(store) if wanted.judge else None,
            settings=settings_of(config),
            publisher=parts.publisher(config, store, work.generations),
            hold=wanted.hold,
            # What is paid for is not embedded just to see how long it takes.
            measure=config.embed.engine != "litellm",
            only=None if wanted.again is None else _again(store, wanted.sources, wanted.again),
        )
        parsers = partial(sources_of.parsers, config)
        foretelling = _Foretelling(work, store, watch, wanted.full)
        following = replace(watch, planned=foretelling.planned)
        sync = Sync(store, work.generations, work.embedder, parsers, options, following)
        names = [name for name in wanted.sources if options.only is None or name in options.only]
        specs = [sources_of.spec(config, name) for name in names]
        done = sync.run(specs, configured=tuple(config.sources))
        done = replace(done, plan=replace(done.plan, notes=told(config, foretelling.cost)))
        if not wanted.dry_run:
            sources_of.forget_states(config)
        ahead = 0.0 if done.reembedding is None else done.reembedding.seconds or 0.0
        estimate = round(done.plan.total_seconds + ahead, 1) if wanted.dry_run else None
    spent = {"total": round((time.perf_counter() - began) * 1000, 1)}
    report = IndexReport(
        None if wanted.dry_run else name,
        wanted.dry_run,
        done,
        spent,
        estimate,
        embedding=None if wanted.dry_run else came_to(config, done, work.account.used.since(before)),
        embedding_estimate=estimated(foretelling.cost),
    )
    if not wanted.dry_run:
        blank = work.blank("index", created, done.generation)
        about = {"sources": list(wanted.sources)}
        if wanted.again is not None:
            about["again"] = list(wanted.again)
        ended = work.runs.add(
            replace(blank, run=name, exit_code=report.exit_code, input=about, output=report.to_json())
        )
        exporting.told(config, ended.to_json())
    return report


def _again(store: Store, sources: Collection[str], documents: Collection[str]) -> dict[str, set[str]]:
    """Give by source the items to read again: of these documents, or of all that failed."""
    found = failures(store, sources)
    return items_of(store, (one for one in found if not documents or one.document in documents))
