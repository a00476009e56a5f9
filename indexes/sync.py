"""Sources -> store -> generation: the index walk. Plan, then apply; killed anywhere, it goes on.

Two reconciliations, each decided by what *is*, not by what a former run meant to do: what a source
lists against what the store knows, then what the store holds against the live generation. Losses of
access and deletions are committed first and hold at once, in every process and every generation; new
text and wider access wait for the promotion.
"""

import hashlib
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import sqlalchemy as sa

from connectors.documents import Parsed, Unreadable
from connectors.errors import ConnectorError, UnreadableDocument
from connectors.items import Item, Raw
from indexes import ingest, schema
from indexes.build import Builder, Origin, Target, target
from indexes.collect import collect
from indexes.embedding import Embedder
from indexes.errors import StorageError
from indexes.flags import flagged, scan_texts
from indexes.generations import Generations, Manifest
from indexes.plan import Plan, SourceSpec, list_items, make_plan
from indexes.report import GateDecision, Parsers, Progress, SourceReport, SyncOptions, SyncReport
from indexes.store import Store
from indexes.telling import tell_languages

_COMMIT_ITEMS = 64
_COMMIT_SECONDS = 2.0
_JOURNAL_LINES = 1_000
# Of Markdown on two cores; replaced by the workspace's own pace after the first sync.
_SECONDS_PER_BYTE = 2e-5
_WORTH_LEARNING = 100_000
# A file that vanished after it was listed: its last text stays until a listing proves it deleted.
_KEEP_TEXT = frozenset({"vanished"})


class Sync:
    """One run of the index walk. The caller holds the workspace's write lock."""

    def __init__(
        self,
        store: Store,
        generations: Generations,
        embedder: Callable[[], Embedder],
        pool: Callable[[], Parsers],
        options: SyncOptions,
        *,
        progress: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._generations = generations
        self._embedder = embedder
        self._pool = pool
        self._options = options
        self._progress = progress

    def run(self, specs: Sequence[SourceSpec], *, configured: Collection[str]) -> SyncReport:
        """Bring these sources, and with them the index, up to date.

        Sources that the store holds but that are not ``configured`` any more are deleted.
        """
        if self._options.dry_run:
            return self._report({spec.name: self._foresee(spec) for spec in specs}, _Built())
        self._generations.prepare()
        self._live()  # a damaged live generation is told before anything of it could be swept away
        self._generations.sweep()
        self._step("begun")
        began = time.monotonic()
        for gone in sorted(ingest.known_sources(self._store) - set(configured)):
            ingest.bury(self._store, gone, ingest.known_items(self._store, gone).keys())
        for spec in specs:  # before any listing can fail: who lost a whole source loses it now
            self._restrict(spec)
        self._step("restricted")
        reports = {spec.name: self._source(spec) for spec in specs}
        self._step("stored")
        if scan_texts(
            self._store, progress=lambda done, all_: self._progress(Progress("scan", None, done, all_))
        ):
            self._step("scanned")
        if tell_languages(
            self._store, progress=lambda done, all_: self._progress(Progress("language", None, done, all_))
        ):
            self._step("told")
        built = self._generation()
        if built.manifest is not None:
            self._collect(built.manifest)
            self._step("collected")
        self._learn(time.monotonic() - began, sum(one.bytes for one in reports.values()))
        self._step("done")
        return self._report(reports, built)

    def estimate(self, report: SyncReport) -> float:
        """Give the seconds that a planned sync may take, by the pace of the last one that read anything."""
        with self._store.read() as connection:
            known = connection.scalar(
                sa.select(schema.meta.c.value).where(schema.meta.c.key == "seconds_per_byte")
            )
        return float(known or _SECONDS_PER_BYTE) * sum(one.bytes for one in report.sources.values())

    def _learn(self, seconds: float, size: int) -> None:
        if size < _WORTH_LEARNING:
            return
        self._store.remember("seconds_per_byte", str(seconds / size))

    # -- source -> store -------------------------------------------------------------------------

    def _restrict(self, spec: SourceSpec) -> None:
        if spec.ceiling is None:
            return
        known = ingest.known_items(self._store, spec.name)
        narrowed = {
            one.item: admitted
            for one in known.values()
            if (admitted := spec.admits(one.readers)) != one.readers
        }
        ingest.set_readers(self._store, spec.name, narrowed)

    def _plan(self, spec: SourceSpec) -> tuple[Plan, dict[str, ingest.KnownItem]]:
        self._progress(Progress("list", spec.name, 0, None))
        listed = list_items(spec)
        known = ingest.known_items(self._store, spec.name)
        plan = make_plan(spec, listed, known, keys=self._options.keys, full=self._options.full)
        return plan, known

    def _foresee(self, spec: SourceSpec) -> SourceReport:
        try:
            plan, _ = self._plan(spec)
        except ConnectorError as error:
            return _failed(error)
        return SourceReport(
            status="held" if self._held(plan) else "ok",
            added=len(plan.added) - plan.moved,
            updated=len(plan.changed),
            deleted=len(plan.deleted) - plan.moved,
            moved=plan.moved,
            access_changed=len(plan.readers),
            unchanged=plan.unchanged,
            bytes=plan.bytes,
        )

    def _held(self, plan: Plan) -> bool:
        return not self._options.allow_deletes and plan.held_by(self._options.brake)

    def _source(self, spec: SourceSpec) -> SourceReport:
        try:
            plan, known = self._plan(spec)
            ingest.set_readers(self._store, spec.name, plan.readers)
            self._step("access")
            if self._held(plan):
                return _held(plan)
            return self._apply(spec, plan, known)
        except ConnectorError as error:
            return _failed(error)

    def _apply(self, spec: SourceSpec, plan: Plan, known: Mapping[str, ingest.KnownItem]) -> SourceReport:
        left = {known[one].raw_digest for one in plan.deleted} - {None}
        ingest.bury(self._store, spec.name, plan.deleted)
        self._step("buried")
        tally = _Tally()
        items = {item.id: item for item in (*plan.added, *plan.changed)}
        if items:
            with self._pool() as pool:
                raws = self._fetch(spec, items, known, tally)
                waiting: list[ingest.Fetched] = []
                since = time.monotonic()
                for done, (item_id, parsed) in enumerate(pool.parse_all(raws), start=1):
                    self._progress(Progress("read", spec.name, done, len(items)))
                    waiting.append(self._fetched(items[item_id], tally.digests.pop(item_id), parsed))
                    if len(waiting) >= _COMMIT_ITEMS or time.monotonic() - since > _COMMIT_SECONDS:
                        self._keep(spec.name, waiting, tally)
                        since = time.monotonic()
                self._keep(spec.name, waiting, tally)
        added = {item.id for item in plan.added}
        moved = sum(1 for one in added if tally.seen.get(one) in left)
        return SourceReport(
            status="ok",
            added=len(added) - moved,
            updated=len(items) - len(added) - tally.same,
            deleted=len(plan.deleted) - moved,
            moved=moved,
            access_changed=len(plan.readers),
            unchanged=plan.unchanged + tally.same,
            bytes=plan.bytes,
        )

    def _fetch(
        self,
        spec: SourceSpec,
        items: Mapping[str, Item],
        known: Mapping[str, ingest.KnownItem],
        tally: "_Tally",
    ) -> Iterator[Raw]:
        """Fetch what changed; what turns out to be the same bytes, or unreadable, goes no further."""
        same: list[Item] = []
        for item in items.values():
            before = known.get(item.id)
            try:
                raw = spec.connector.fetch(item)
            except UnreadableDocument as error:
                if error.reason in _KEEP_TEXT:
                    tally.same += before is not None
                    continue
                parsed = Parsed((), (Unreadable(item.id, error.reason, error.hint),))
                tally.failed.append(self._fetched(item, None, parsed))
                continue
            digest = hashlib.sha256(raw.data).hexdigest()
            tally.seen[item.id] = digest
            if not self._options.full and before is not None and self._already(before, digest):
                same.append(item)
                tally.same += 1
                continue
            tally.digests[item.id] = digest
            yield raw
        ingest.same_bytes(self._store, spec.name, same)

    def _already(self, before: ingest.KnownItem, digest: str) -> bool:
        expected = self._options.keys.failed if before.unreadable else self._options.keys.read
        return before.raw_digest == digest and before.parsed_by == expected

    def _fetched(self, item: Item, digest: str | None, parsed: Parsed) -> ingest.Fetched:
        keys = self._options.keys
        return ingest.Fetched(item, digest, keys.read if parsed.documents else keys.failed, parsed)

    def _keep(self, source: str, waiting: list[ingest.Fetched], tally: "_Tally") -> None:
        ingest.store_items(self._store, source, [*waiting, *tally.failed])
        waiting.clear()
        tally.failed.clear()
        self._step("fetched")

    # -- store -> generation ---------------------------------------------------------------------

    def _generation(self) -> "_Built":
        """Build, ask the gate, promote. Nothing when the live generation already holds all of it."""
        embedder = self._embedder()
        goal = target(self._store, embedder.key, self._options.chunking)
        live = self._live()
        if not self._options.full and live is not None:
            if live.state == goal.state:
                return _Built()
            if goal.state == self._rolled_back():
                return _Built(reason="rolled_back")
        manifest = self._waiting(goal, live) or self._build(goal, live, embedder)
        decision = None if self._options.gate is None else self._options.gate(manifest, live)
        if decision is not None:
            report = {**decision.report, "held": not decision.promote, "reason": decision.reason}
            manifest = self._generations.record(manifest, report)
            self._step("gated")
        if decision is None or decision.promote:
            self._generations.promote(manifest.id)
            self._step("promoted")
        return _Built(manifest, decision.reason if decision else None, decision)

    def _build(self, goal: Target, live: Manifest | None, embedder: Embedder) -> Manifest:
        builder = Builder(
            self._store,
            self._generations,
            embedder,
            self._options.chunking,
            step=self._step,
            progress=lambda done, total: self._progress(Progress("embed", None, done, total)),
        )
        return builder.build(goal, live, full=self._options.full, origin=self._origin())

    def _origin(self) -> Origin:
        return Origin(self._options.keys.read, self._options.settings)

    def _waiting(self, goal: Target, live: Manifest | None) -> Manifest | None:
        """Give the generation that is this goal, built before and held by a gate or left by a kill.

        Only one that is newer than the live one counts, so that the order of generations stays that of
        their promotions, and none that a process holds, since the gate's report is written into it.
        """
        if self._options.full:
            return None
        oldest = 0 if live is None else live.number
        for one in reversed(self._generations.kept()):
            found = self._generations.manifest(one)
            same = found.state == goal.state and Origin(found.parsing, found.settings) == self._origin()
            if found.number > oldest and same and self._generations.idle(one):
                try:
                    self._generations.verify(found)
                except StorageError:
                    continue  # damaged: build it anew
                return found
        return None

    def _collect(self, built: Manifest) -> None:
        """Remove what is not needed any more; of those that a gate held, only the newest is."""
        for one in self._generations.held():
            if one != built.id:
                self._generations.remove(one)
        collect(
            self._store,
            self._generations,
            keep=self._options.keep_generations,
            cited=self._options.cited,
            spare=built.id,
        )

    def _live(self) -> Manifest | None:
        try:
            live = self._generations.live()
            return None if live is None else self._generations.manifest(live)
        except StorageError:
            if not self._options.full:
                raise
            return None  # --full builds anew, whatever became of the live one

    def _rolled_back(self) -> str | None:
        with self._store.read() as connection:
            return connection.scalar(sa.select(schema.meta.c.value).where(schema.meta.c.key == "rolled_back"))

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

    def _report(self, reports: dict[str, SourceReport], built: "_Built") -> SyncReport:
        d = schema.documents.c
        query = (
            sa.select(d.source, d.name, d.reason, d.hint)
            .where(~d.dead, d.reason.is_not(None), d.source.in_(reports))
            .order_by(d.name)
        )
        with self._store.read() as connection:
            rows = connection.execute(query).all()
        counted = {
            name: _with_unreadable(report, sum(1 for row in rows if row.source == name))
            for name, report in reports.items()
        }
        live = self._live()
        return SyncReport(
            sources=counted,
            unreadable=tuple(Unreadable(row.name, row.reason, row.hint or "") for row in rows),
            generation=live.id if live else None,
            promoted=built.promoted,
            reason=built.reason,
            documents=live.documents if live else 0,
            chunks=live.chunks if live else 0,
            candidate=built.manifest.id if built.manifest and built.decision else None,
            gate=built.manifest.report if built.manifest and built.decision else None,
            flagged=flagged(self._store, reports),
        )


@dataclass(frozen=True, slots=True)
class _Built:
    """The generation that was built or found waiting, and what became of it."""

    manifest: Manifest | None = None
    reason: str | None = None
    decision: GateDecision | None = None

    @property
    def promoted(self) -> bool:
        return self.manifest is not None and (self.decision is None or self.decision.promote)


@dataclass(slots=True)
class _Tally:
    """Running counts of one source while its items stream by."""

    same: int = 0
    digests: dict[str, str] = field(default_factory=dict)
    seen: dict[str, str] = field(default_factory=dict)
    failed: list[ingest.Fetched] = field(default_factory=list)


def _failed(error: ConnectorError) -> SourceReport:
    return SourceReport(status="failed", error=str(error), hint=error.hint)


def _held(plan: Plan) -> SourceReport:
    gone = len(plan.deleted) - plan.moved
    return SourceReport(
        status="held",
        unchanged=plan.known,
        access_changed=len(plan.readers),
        error=f"{gone} of {plan.known} items are gone from the source: the brake holds this source",
        hint="look whether the source is whole; if it is, run `ragflow index --allow-deletes`",
    )


def _with_unreadable(report: SourceReport, count: int) -> SourceReport:
    return replace(report, unreadable=count)
