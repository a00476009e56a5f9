"""Store -> live generation: build what differs, ask the gate, promote, collect what nothing needs."""

from collections.abc import Callable
from dataclasses import dataclass, field

from indexes.build import Builder, Embedded, Origin, Target, target
from indexes.collect import collect
from indexes.embedding import Embedder
from indexes.errors import StorageError
from indexes.generations import Generations, Manifest
from indexes.report import GateDecision, Progress, SyncOptions
from indexes.store import Store


@dataclass(frozen=True, slots=True)
class Built:
    """The generation that was built or found waiting, and what became of it."""

    manifest: Manifest | None = None
    reason: str | None = None
    decision: GateDecision | None = None
    embedded: Embedded = field(default_factory=Embedded)
    held: bool = False

    @property
    def promoted(self) -> bool:
        """Whether it is live now."""
        free = not self.held and (self.decision is None or self.decision.promote)
        return self.manifest is not None and free


class Promotion:
    """Brings what the store holds into the live generation. ``step`` as in ``Builder``."""

    def __init__(
        self,
        store: Store,
        generations: Generations,
        options: SyncOptions,
        *,
        step: Callable[[str], None],
        progress: Callable[[Progress], None],
    ) -> None:
        self._store = store
        self._generations = generations
        self._options = options
        self._step = step
        self._progress = progress

    def live(self) -> Manifest | None:
        """Give the live generation, None when there is none. Raises ``StoreDamaged``."""
        try:
            live = self._generations.live()
            return None if live is None else self._generations.manifest(live)
        except StorageError:
            if not self._options.full:
                raise
            return None  # --full builds anew, whatever became of the live one

    def run(self, embedder: Embedder) -> Built:
        """Build, ask the gate, promote. Nothing when the live generation already holds all of it."""
        goal = target(self._store, embedder.key, self._options.chunking)
        live = self.live()
        if not self._options.full and live is not None:
            if live.state == goal.state:
                self._mend(live)
                return Built()
            if goal.state == self._store.recall("rolled_back"):
                self._mend(live)
                return Built(reason="rolled_back")
        manifest, embedded = self._waiting(goal, live), Embedded()
        if manifest is None:
            manifest, embedded = self._build(goal, live, embedder)
        if self._publish(manifest):
            self._step("pushed")
        if self._options.hold:
            manifest = self._generations.keep_back(manifest)
            self._step("held")
            return Built(manifest, "it was to be built and held", embedded=embedded, held=True)
        decision = None if self._options.gate is None else self._options.gate(manifest, live)
        if decision is not None:
            report = {**decision.report, "held": not decision.promote, "reason": decision.reason}
            manifest = self._generations.record(manifest, report)
            self._step("gated")
        if decision is None or decision.promote:
            # The server's alias first: who asks goes by the workspace's own word, which comes last.
            if self._publish(manifest, switch=True):
                self._step("switched")
            self._generations.promote(manifest.id)
            self._step("promoted")
        return Built(manifest, decision.reason if decision else None, decision, embedded)

    def collect(self, built: Manifest) -> None:
        """Remove what is not needed any more; of those that were held, only the newest is."""
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
        if self._options.publisher is not None:
            self._options.publisher.keep(self._generations.kept())

    def _publish(self, manifest: Manifest, *, switch: bool = False) -> bool:
        """Bring a generation to the server, if there is one; ``switch``: as the live one there."""
        publisher = self._options.publisher
        if publisher is None:
            return False
        publisher.push(manifest, lambda done, total: self._progress(Progress("push", None, done, total)))
        if switch:
            publisher.switch(manifest)
        return True

    def _mend(self, live: Manifest) -> None:
        """Bring the live generation to a server that was named since, or lost it; tidy up there."""
        if self._publish(live, switch=True) and self._options.publisher is not None:
            self._options.publisher.keep(self._generations.kept())

    def _build(self, goal: Target, live: Manifest | None, embedder: Embedder) -> tuple[Manifest, Embedded]:
        builder = Builder(
            self._store,
            self._generations,
            embedder,
            self._options.chunking,
            step=self._step,
            progress=lambda done, total: self._progress(Progress("embed", None, done, total)),
        )
        manifest = builder.build(
            goal, live, full=self._options.full, origin=self._origin(), seen=self._options.seen
        )
        return manifest, builder.embedded

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
