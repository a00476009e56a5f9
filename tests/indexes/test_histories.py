"""Random histories of sources, syncs, faults, kills, rollbacks and erasures: the index equals the model.

The model knows what the store should hold, and what each generation showed. What a reader finds must always
be exactly: what the live generation holds, minus what was deleted since, for readers who were among those
of the generation and are among those of now.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from connectors.errors import SourceUnavailable, UnreadableDocument
from connectors.items import Item, Raw
from indexes import failures, schema
from indexes.errors import NoGeneration
from indexes.forget import forget
from indexes.index import EmbeddedIndex
from indexes.plan import Brake, SourceSpec
from indexes.query import Query
from indexes.report import SyncReport
from indexes.sync import Sync
from indexes.testing import MemorySource, Planted, World

READERS = ("everyone", "group:hr", "user:mia")
WORDS = ("leave", "hotel", "salary", "folder")
STATES = (
    "begun restricted planned access buried fetched stored scanned embedded segment compacted manifest"
    " promoted collected erased done"
).split()
NAMES = st.sampled_from([f"{source}/{item}" for source in ("hr", "ops") for item in "abcde"])
ACCESS = st.sampled_from(
    [("everyone",), ("group:hr",), ("everyone", "user:mia"), ("group:hr", "user:mia"), ()]
)


class Killed(BaseException):
    """The process ends here, as far as the index is concerned."""


@dataclass(frozen=True)
class Trouble:
    """What a source does in one sync: it breaks off its listing, or at a fetch; items that do not answer."""

    lists: bool = True
    fetches: int | None = None
    unreachable: frozenset[str] = frozenset()


TROUBLE = st.sampled_from(
    [
        Trouble(),
        Trouble(lists=False),
        Trouble(fetches=0),
        Trouble(fetches=1),
        *(Trouble(unreachable=frozenset(some)) for some in ("ab", "cde", "abcde")),
    ]
)
TROUBLES = st.fixed_dictionaries({"hr": TROUBLE, "ops": TROUBLE})


@dataclass(frozen=True)
class Edit:
    """One change at a source: ``put`` (new or changed), ``remove``, ``rename`` or ``access``."""

    kind: str
    name: str
    word: str
    readers: tuple[str, ...]
    to: str = "a"


EDITS = st.lists(
    st.builds(
        Edit,
        st.sampled_from(["put", "put", "remove", "rename", "access"]),
        NAMES,
        st.sampled_from(WORDS),
        ACCESS,
        st.sampled_from("abcde"),
    ),
    min_size=2,
    max_size=6,
)


class Source(MemorySource):
    """Planted documents, handed over with trouble; it remembers what it handed over."""

    def __init__(self, planted: Sequence[Planted], trouble: Trouble) -> None:
        super().__init__(planted)
        self._trouble = trouble
        self.given: set[str] = set()

    def list(self) -> Iterator[Item]:
        yield from super().list()
        if not self._trouble.lists:
            raise SourceUnavailable("the listing broke off", hint="try again")

    def fetch(self, item: Item) -> Raw:
        if item.id in self._trouble.unreachable:
            raise UnreadableDocument("no answer", reason="unreachable", hint="try again")
        if self._trouble.fetches is not None and len(self.given) >= self._trouble.fetches:
            raise SourceUnavailable("the connection broke", hint="try again")
        self.given.add(item.id)
        return super().fetch(item)


@dataclass
class Stored:
    """A document as the store should hold it. ``text`` None: it was never had. ``life`` tells lives apart."""

    life: int
    text: str | None
    readers: tuple[str, ...]


@dataclass
class Model:
    """What the sources hold, what the store should hold, and what generations showed."""

    sources: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    store: dict[str, Stored] = field(default_factory=dict)
    shown: dict[str | None, dict[str, Stored]] = field(default_factory=lambda: {None: {}})
    live: str | None = None
    lives: int = 0

    def finds(self, reader: str) -> dict[str, str | None]:
        """Give what a reader should find."""
        return {
            name: then.text
            for name, then in self.shown[self.live].items()
            if (now := self.store.get(name)) is not None
            and now.life == then.life
            and reader in now.readers
            and reader in then.readers
        }

    def finds_all(self) -> dict[str, dict[str, str | None]]:
        """Give what each reader should find."""
        return {reader: self.finds(reader) for reader in READERS}

    def readable(self) -> dict[str, Stored]:
        """Give what a generation that is built now should hold."""
        return {name: replace(one) for name, one in self.store.items() if one.text is not None}

    def apply(self, source: str, status: str, given: set[str]) -> None:
        """Do to the store what a sync should do, having been given the bytes of these items."""
        listed = {name: one for name, one in self.sources.items() if name.startswith(f"{source}/")}
        for name in [one for one in self.store if one.startswith(f"{source}/")]:
            if name in listed:
                self.store[name].readers = listed[name][1]
            elif status != "held":
                del self.store[name]
        for name, (text, readers) in listed.items():
            if name.partition("/")[2] in given:
                if name not in self.store:
                    self.lives += 1
                    self.store[name] = Stored(self.lives, None, readers)
                self.store[name].text = text


class Histories(RuleBasedStateMachine):
    """Each rule is something that happens; after each, everybody finds exactly what the model says."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.model = Model()
        self.open_index = world.index()

    @initialize(first=st.dictionaries(NAMES, st.tuples(st.sampled_from(WORDS), ACCESS), min_size=4))
    def begin(self, first: dict[str, tuple[str, tuple[str, ...]]]) -> None:
        self.edit([Edit("put", name, word, readers) for name, (word, readers) in first.items()])
        self.sync_whole([])

    @rule(
        edits=EDITS,
        troubles=TROUBLES,
        only=st.sampled_from([("hr", "ops"), ("hr",), ("ops",)]),
        fetchers=st.sampled_from([1, 3]),
        allowed=st.booleans(),
    )
    def sync(
        self,
        edits: list[Edit],
        troubles: dict[str, Trouble],
        only: tuple[str, ...],
        fetchers: int,
        *,
        allowed: bool,
    ) -> None:
        self.do_sync(edits, troubles, only, fetchers, allowed=allowed)

    def do_sync(
        self,
        edits: list[Edit],
        troubles: dict[str, Trouble],
        only: tuple[str, ...],
        fetchers: int,
        *,
        allowed: bool,
    ) -> None:
        self.edit(edits)
        sources = {name: self.source(name, troubles[name]) for name in only}
        report = self.run(sources, fetchers=fetchers, allowed=allowed)
        for name, source in sources.items():
            status = report.sources[name].status
            if not troubles[name].lists:
                assert status == "failed"
                continue
            assert status != "held" or not allowed
            self.model.apply(name, status, source.given)
            self.unsettled(name, status)
        self.promoted(report.reason)

    @rule(edits=EDITS, troubles=TROUBLES)  # what breaks is what this is about: it happens more often
    def sync_of_all(self, edits: list[Edit], troubles: dict[str, Trouble]) -> None:
        self.do_sync(edits, troubles, ("hr", "ops"), 1, allowed=True)

    @rule(edits=EDITS, state=st.sampled_from(STATES), nth=st.integers(1, 2))
    def sync_killed(self, edits: list[Edit], state: str, nth: int) -> None:
        self.edit(edits)
        before = self.model.finds_all()
        real, seen, reached = Sync._step, 0, False

        def step(sync: Sync, now: str) -> None:
            nonlocal seen, reached
            real(sync, now)
            seen += now == state
            if seen == nth:
                reached = True
                raise Killed

        Sync._step = step  # type: ignore[method-assign]
        try:
            self.run({name: self.source(name) for name in ("hr", "ops")})
        except Killed:
            pass
        finally:
            Sync._step = real  # type: ignore[method-assign]
        if not reached or STATES.index(state) >= STATES.index("buried"):
            self.nothing_lost_is_found()
        elif state not in ("access", "buried"):
            assert self.found() == before
        self.sync_whole([])

    @rule(edits=EDITS)
    def sync_whole(self, edits: list[Edit]) -> None:
        self.edit(edits)
        sources = {name: self.source(name) for name in ("hr", "ops")}
        report = self.run(sources)
        for name in sources:
            # What a killed sync had stored need not be fetched again: all of it is there all the same.
            every = {one.partition("/")[2] for one in self.model.sources if one.startswith(f"{name}/")}
            self.model.apply(name, "ok", every)
        self.promoted(report.reason)
        if report.reason is None:
            assert report.documents == len(self.model.sources)
        assert failures.failures(self.world.store) == []

    @rule()
    def rollback(self) -> None:
        left = self.world.generations.manifest(self.world.generations.live() or "")
        if left.parent in self.world.generations.kept() and left.parent in self.model.shown:
            self.world.generations.promote(left.parent)
            self.world.store.remember("rolled_back", left.state)
            self.model.live = left.parent

    @rule(name=NAMES)
    def forget(self, name: str) -> None:
        shown = {one: now for one, now in self.model.shown[self.model.live].items() if one != name}
        self.close_index()
        forget(self.world.store, self.world.generations, name, cited=())
        self.model.store.pop(name, None)
        self.model.live = self.world.generations.live()
        self.model.shown[self.model.live] = shown

    # -- what must hold --------------------------------------------------------------------------

    @invariant()
    def everybody_finds_exactly_what_the_model_says(self) -> None:
        assert self.found() == self.model.finds_all()

    @invariant()
    def the_store_gives_exactly_the_readers_of_the_model(self) -> None:
        d, a, v, t = (one.c for one in (schema.documents, schema.acls, schema.versions, schema.texts))
        query = (
            sa.select(d.name, a.readers, t.characters)
            .join(schema.acls, a.id == d.acl)
            .join(schema.versions, v.id == d.version)
            .join(schema.texts, t.revision == v.revision)
            .where(~d.dead)
        )
        with self.world.store.read() as connection:
            rows = connection.execute(query).all()
        held = {row.name: (tuple(json.loads(row.readers)), row.characters) for row in rows}
        expected = {name: (one.readers, len(one.text or "")) for name, one in self.model.readable().items()}
        assert held == expected

    # -- the means -------------------------------------------------------------------------------

    def edit(self, edits: list[Edit]) -> None:
        """Change what the sources hold."""
        sources = self.model.sources
        for one in edits:
            text, readers = sources.get(one.name, ("", ()))
            if one.kind == "put":
                sources[one.name] = (f"A note on the {one.word}.", one.readers)
            elif one.name in sources:
                del sources[one.name]
                if one.kind == "rename":
                    sources[f"{one.name.partition('/')[0]}/{one.to}"] = (text, readers)
                elif one.kind == "access":
                    sources[one.name] = (text, one.readers)

    def source(self, name: str, trouble: Trouble = Trouble()) -> Source:
        planted = [
            Planted(document, text, readers)
            for document, (text, readers) in self.model.sources.items()
            if document.startswith(f"{name}/")
        ]
        return Source(planted, trouble)

    def run(self, sources: dict[str, Source], *, fetchers: int = 1, allowed: bool = True) -> SyncReport:
        specs = [
            SourceSpec(name, "memory", source, frozenset(READERS), fetchers)
            for name, source in sources.items()
        ]
        options = replace(self.world.options(), brake=Brake(0.2, 1), allow_deletes=allowed)
        return self.world.run(specs, options=options, configured=["hr", "ops"])

    def promoted(self, reason: str | None) -> None:
        if reason != "rolled_back":
            self.model.live = self.world.generations.live()
            self.model.shown[self.model.live] = self.model.readable()

    def unsettled(self, source: str, status: str) -> None:
        """What was listed and never had is known to the store, as unreadable."""
        if status != "held":
            for name, (_, readers) in self.model.sources.items():
                if name.startswith(f"{source}/") and name not in self.model.store and self.known(name):
                    self.model.lives += 1
                    self.model.store[name] = Stored(self.model.lives, None, readers)

    def known(self, name: str) -> bool:
        with self.world.store.read() as connection:
            where = (schema.documents.c.name == name) & ~schema.documents.c.dead
            return connection.scalar(sa.select(schema.documents.c.id).where(where)) is not None

    def nothing_lost_is_found(self) -> None:
        for reader, found in self.found().items():
            for name in found:
                assert name in self.model.sources
                assert reader in self.model.sources[name][1]

    def found(self) -> dict[str, dict[str, str | None]]:
        """What each reader finds, by an index that stays open and by one that is opened now."""
        fresh = self.world.index()
        found = [self.by(index) for index in (self.open_index, fresh)]
        fresh.close()
        fresh._store.close()
        assert found[0] == found[1]
        return found[0]

    def by(self, index: EmbeddedIndex) -> dict[str, dict[str, str | None]]:
        queries = {reader: Query("a note", frozenset({reader}), k=50, merge="none") for reader in READERS}
        try:
            return {
                reader: {hit.document: hit.text for hit in index.search(query).hits}
                for reader, query in queries.items()
            }
        except NoGeneration:
            return {reader: {} for reader in READERS}

    def close_index(self) -> None:
        """An index that is open would keep what is to be erased."""
        self.open_index.close()

    def teardown(self) -> None:
        self.open_index._store.close()
        self.world.close()


def test_after_any_history_everybody_finds_exactly_what_is_theirs(
    new_world: Callable[[], World], rounds: Callable[..., int]
) -> None:
    run_state_machine_as_test(
        lambda: Histories(new_world()),
        settings=settings(
            max_examples=rounds(fast=20, soak=300),
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
