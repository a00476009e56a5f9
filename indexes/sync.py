"""Sources -> store -> generation: the index walk. Plan all, then apply; killed anywhere, it goes on.

Two reconciliations, each decided by what *is*, not by what a former run meant to do: what a source
lists against what the store knows, then what the store holds against the live generation. Losses of
access and deletions, of all sources, are committed first and hold at once, in every process and every
generation; new text and wider access wait for the promotion.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import sqlalchemy as sa

from connectors.errors import ConnectorError
from indexes import failures, ingest, pace, schema
from indexes.collect import erase_dead
from indexes.embedding import Embedder
from indexes.flags import flagged, scan_texts
from indexes.generations import Generations
from indexes.plan import Plan, SourceSpec, list_items, make_plan
from indexes.promotion import Built, Promotion
from indexes.proof import prove_deleted
from indexes.reading import Reading, Tally
from indexes.reembedding import Foreseeing, Reembedding, foresee
from indexes.report import Parsers, Progress, SourceReport, SyncOptions, SyncPlan, SyncReport, Watch
from indexes.store import Store
from indexes.telling import tell_languages

_JOURNAL_LINES = 1_000


@dataclass(slots=True)
class _Work:
    """One source on its way through a sync. ``plan`` None: it could not be listed; ``error`` tells why."""

    spec: SourceSpec
    plan: Plan | None = None
    error: ConnectorError | None = None
    held: bool = False
    tally: Tally = field(default_factory=Tally)


class Sync:
    """One run of the index walk. The caller holds the workspace's write lock."""

    def __init__(
        self,
        store: Store,
        generations: Generations,
        embedder: Callable[[], Embedder],
        pool: Callable[[], Parsers],
        options: SyncOptions,
        watch: Watch = Watch(),  # noqa: B008 - a frozen value
    ) -> None:
        self._store = store
        self._generations = generations
        self._embedder = embedder
        self._pool = pool
        self._options = options
        self._watch = watch

    def run(self, specs: Sequence[SourceSpec], *, configured: Collection[str]) -> SyncReport:
        """Bring these sources, and with them the index, up to date.

        Sources that the store holds but that are not ``configured`` any more are deleted.
        """
        promotion = Promotion(
            self._store, self._generations, self._options, step=self._step, progress=self._watch.progress
        )
        if not self._options.dry_run:
            self._generations.prepare()
            promotion.live()  # a damaged live generation is told before anything of it could be swept away
            self._generations.sweep()
            self._step("begun")
            # What the configuration alone takes away is gone before any listing can fail or hang.
            for spec in specs:
                if spec.ceiling is not None:
                    ingest.narrow(self._store, spec.name, spec.admits)
            self._step("restricted")
        works = [self._planned(spec) for spec in specs]
        gone = self._gone(configured)
        plan = self._tell(works, gone)
        if self._options.dry_run:
            foreseen = self._foresee(promotion)
            return replace(self._report(plan.sources, promotion, Built(), plan), reembedding=foreseen)
        self._step("planned")
        began = time.monotonic()
        buried = self._lose(works, gone)
        self._read(works)
        self._step("stored")
        self._scan()
        # Only now: what was lost holds already, and the store has what will be embedded.
        foreseen = self._foresee(promotion)
        if foreseen is not None:
            self._watch.foreseen(foreseen)
        built = promotion.run(self._embedder())
        if built.manifest is not None:
            promotion.collect(built.manifest)
            self._step("collected")
        if erase_dead(self._store, self._options.cited):
            self._step("erased")
        proven = prove_deleted(self._store, self._generations, buried, self._options.cited)
        self._learn(time.monotonic() - began, works)
        self._step("done")
        reports = {one.spec.name: self._done(one) for one in works}
        report = self._report(reports, promotion, built, plan)
        return replace(report, proven_deleted=proven, reembedding=foreseen)

    # -- the plan --------------------------------------------------------------------------------

    def _planned(self, spec: SourceSpec) -> _Work:
        only = self._options.only
        self._watch.progress(Progress("list", spec.name, 0, None))
        try:
            plan = make_plan(
                spec,
                list_items(spec),
                ingest.known_items(self._store, spec.name),
                keys=spec.keys or self._options.keys,
                full=self._options.full,
                only=None if only is None else only.get(spec.name, ()),
            )
        except ConnectorError as error:
            return _Work(spec, error=error)
        held = not self._options.allow_deletes and plan.held_by(self._options.brake)
        return _Work(spec, plan, held=held)

    def _gone(self, configured: Collection[str]) -> dict[str, list[str]]:
        """Give the items of the sources that are configured no more."""
        if self._options.only is not None:
            return {}
        gone = sorted(ingest.known_sources(self._store) - set(configured))
        return {name: ingest.item_ids(self._store, name) for name in gone}

    def _tell(self, works: Sequence[_Work], gone: Mapping[str, Sequence[str]]) -> SyncPlan:
        known = pace.pace(self._store)
        sources = {one.spec.name: _foreseen(one) for one in works}
        sources |= {name: SourceReport("ok", deleted=len(items)) for name, items in gone.items()}
        seconds = {
            one.spec.name: known.seconds(one.plan.bytes, one.plan.unsized)
            for one in works
            if one.plan is not None and not one.held
        }
        plans = [one.plan for one in works if one.plan is not None and not one.held]
        plan = SyncPlan(
            self._with_unreadable(sources),
            seconds,
            # Read again with --full, a text is mostly the one that it was.
            characters=sum(self._unread(one) * known.characters(one.bytes, one.unsized) for one in plans),
            items=sum(len(one.added if self._options.full else one.items) for one in plans),
        )
        self._watch.planned(plan)
        return plan

    def _unread(self, plan: Plan) -> float:
        """Give the share of the items to fetch whose text is not known."""
        return len(plan.added) / len(plan.items) if self._options.full and plan.items else 1.0

    def _foresee(self, promotion: Promotion) -> Reembedding | None:
        """Look ahead, where something is live that another model or chunking would be built beside."""
        live = promotion.live()
        if live is None:
            return None
        looking = Foreseeing(
            self._options.chunking,
            self._options.settings,
            self._options.measure,
            self._options.seen,
            lambda done, total: self._watch.progress(Progress("look ahead", None, done, total)),
        )
        return foresee(self._store, live, self._embedder(), looking)

    # -- source -> store -------------------------------------------------------------------------

    def _lose(self, works: Sequence[_Work], gone: Mapping[str, Sequence[str]]) -> list[ingest.Buried]:
        """Commit all losses of access, then all deletions. Nothing of any source was fetched yet."""
        for one in works:
            if one.plan is not None:
                ingest.set_readers(self._store, one.spec.name, one.plan.readers)
        self._step("access")
        buried: list[ingest.Buried] = []
        for name, items in gone.items():
            buried += ingest.bury(self._store, name, items)
        for one in works:
            if one.plan is not None and not one.held:
                buried += ingest.bury(self._store, one.spec.name, one.plan.deleted)
        self._step("buried")
        return buried

    def _read(self, works: Sequence[_Work]) -> None:
        """Fetch, parse and store, source after source; one that fails does not stop the next."""
        waiting = [one for one in works if one.plan is not None and one.plan.items and not one.held]
        if not waiting:
            return
        with self._pool() as pool:
            for one in waiting:
                assert one.plan is not None, "it was planned"
                reading = Reading(
                    self._store,
                    one.spec,
                    one.plan,
                    one.spec.keys or self._options.keys,
                    step=self._step,
                    progress=self._watch.progress,
                )
                one.tally = reading.run(pool)
                one.error = one.tally.error

    def _scan(self) -> None:
        """Look at the texts that nobody has looked at yet: for orders to a program, for their language."""

        def telling(phase: str) -> Callable[[int, int], None]:
            return lambda done, total: self._watch.progress(Progress(phase, None, done, total))

        if scan_texts(self._store, progress=telling("scan")):
            self._step("scanned")
        if tell_languages(self._store, progress=telling("language")):
            self._step("told")

    def _learn(self, seconds: float, works: Sequence[_Work]) -> None:
        read = [one.tally for one in works]
        pace.learn(
            self._store,
            seconds,
            size=sum(one.bytes for one in read),
            items=sum(one.added + one.updated for one in read),
            characters=sum(one.characters for one in read),
        )

    # -- the record ------------------------------------------------------------------------------

    def _step(self, state: str) -> None:
        """Write a journal line, then tell: a kill after this finds all of the state durable."""
        j = schema.journal
        with self._store.write() as connection:
            if state == "begun":
                newest = connection.scalar(sa.select(sa.func.max(j.c.id))) or 0
                connection.execute(j.delete().where(j.c.id <= newest - _JOURNAL_LINES))
            connection.execute(
                j.insert().values(run=self._options.run, state=state, at=datetime.now(UTC).isoformat())
            )

    def _done(self, work: _Work) -> SourceReport:
        """Say what became of a source: as foreseen, but for what only reading it could tell."""
        foreseen = _foreseen(work)
        if work.plan is None or work.held:
            return foreseen
        plan, tally = work.plan, work.tally
        return replace(
            foreseen,
            added=tally.added - tally.moved,
            updated=tally.updated,
            deleted=len(plan.deleted) - tally.moved,
            moved=tally.moved,
            unchanged=plan.unchanged + tally.kept,
            bytes=tally.bytes,
        )

    def _report(
        self, reports: Mapping[str, SourceReport], promotion: Promotion, built: Built, plan: SyncPlan
    ) -> SyncReport:
        live = promotion.live()
        asked = built.manifest if built.decision else None
        return SyncReport(
            sources=self._with_unreadable(reports),
            unreadable=tuple(one for _, one in failures.unreadable(self._store, reports)),
            generation=live.id if live else None,
            promoted=built.promoted,
            reason=built.reason,
            documents=live.documents if live else 0,
            chunks=live.chunks if live else 0,
            candidate=asked.id if asked else None,
            gate=asked.report if asked else None,
            flagged=flagged(self._store, reports),
            embedded=built.embedded,
            plan=plan,
            held=built.manifest.id if built.held and built.manifest else None,
        )

    def _with_unreadable(self, reports: Mapping[str, SourceReport]) -> dict[str, SourceReport]:
        counts = dict.fromkeys(reports, 0)
        for source, _ in failures.unreadable(self._store, reports):
            counts[source] += 1
        return {name: replace(one, unreadable=counts[name]) for name, one in reports.items()}


def _foreseen(work: _Work) -> SourceReport:
    """Say what is to be done to a source, or why nothing or not all of it is."""
    plan, error = work.plan, work.error
    if plan is None:
        return SourceReport("failed", error=str(error), hint=error.hint if error else None)
    if work.held:
        return _held(plan)
    return SourceReport(
        status="ok" if error is None else "failed",
        added=len(plan.added) - plan.moved,
        updated=len(plan.changed),
        deleted=len(plan.deleted) - plan.moved,
        moved=plan.moved,
        access_changed=len(plan.readers),
        unchanged=plan.unchanged,
        bytes=plan.bytes,
        error=None if error is None else str(error),
        hint=None if error is None else error.hint,
    )


def _held(plan: Plan) -> SourceReport:
    gone = len(plan.deleted) - plan.moved
    return SourceReport(
        status="held",
        unchanged=plan.known,
        access_changed=len(plan.readers),
        error=f"{gone} of {plan.known} items are gone from source {plan.source}: the brake holds it",
        hint="look whether the source is whole; if it is, run `ragflow index --allow-deletes`",
    )
