"""A sync can be trusted: what it plans, what it holds back, what holds at once, what a rollback keeps."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.errors import SourceUnavailable, UnreadableDocument
from connectors.items import Item, Raw
from indexes import build, schema
from indexes.build import Chunking
from indexes.errors import StoreDamaged
from indexes.forget import forget
from indexes.generations import Generations, new_id
from indexes.index import EmbeddedIndex
from indexes.plan import Brake, SourceSpec
from indexes.query import Query
from indexes.report import SyncPlan, Watch
from indexes.testing import MemorySource, Planted, World, shown

NewWorld = Callable[[], World]
LEAVE = Planted("hr/leave", "Employees get 28 days of annual leave. Unused days lapse in March.")
BANDS = Planted("hr/bands", "The salary band of a senior engineer starts at 74,000 euro.", ("group:hr",))
TRAVEL = Planted("ops/travel", "Book trains before planes. Hotels above 140 euro need an approval.")


def found(index: EmbeddedIndex, text: str, *readers: str) -> set[str]:
    """The documents of the hits."""
    query = Query(text, frozenset(readers or ("everyone",)), k=50, merge="none")
    return {hit.document for hit in index.search(query).hits}


def rollback(world: World) -> None:
    """Make the generation before the live one live, as the command does."""
    live = world.generations.live()
    assert live is not None
    left = world.generations.manifest(live)
    assert left.parent is not None
    world.generations.promote(left.parent)
    world.store.remember("rolled_back", left.state)


class Failing(MemorySource):
    """A source that breaks off after some items, or when something is fetched."""

    def __init__(
        self, planted: list[Planted], *, listed: int | None = None, fetched: int | None = None
    ) -> None:
        super().__init__(planted)
        self._listed, self._fetched = listed, fetched

    def list(self) -> Iterator[Item]:
        for number, item in enumerate(super().list()):
            if number == self._listed:
                raise SourceUnavailable("the connection broke", hint="try again")
            yield item

    def fetch(self, item: Item) -> Raw:
        if self._fetched is not None:
            if not self._fetched:
                raise SourceUnavailable("the connection broke", hint="try again")
            self._fetched -= 1
        return super().fetch(item)


def spec(name: str, connector: MemorySource, *readers: str) -> SourceSpec:
    return SourceSpec(name, "memory", connector, frozenset(readers or ("everyone", "group:hr")))


def test_a_sync_counts_what_it_did(new_world: NewWorld) -> None:
    world = new_world()
    first = world.sync([LEAVE, BANDS, TRAVEL])
    assert (first.sources["hr"].added, first.sources["ops"].added, first.promoted) == (2, 1, True)
    changed = replace(LEAVE, text="Employees get 30 days of annual leave. Unused days lapse in March.")
    second = world.sync([changed, Planted("hr/new", "Shoes are to be worn in the warehouse."), TRAVEL])
    hr = second.sources["hr"]
    assert (hr.added, hr.updated, hr.deleted, hr.unchanged) == (1, 1, 1, 0)
    assert second.sources["ops"].unchanged == 1
    assert (second.documents, second.chunks) == (3, 3)


def test_a_sync_that_changes_nothing_makes_no_generation(new_world: NewWorld) -> None:
    world = new_world()
    first = world.sync([LEAVE, BANDS, TRAVEL])
    again = world.sync([LEAVE, BANDS, TRAVEL])
    assert (again.generation, again.promoted, again.reason) == (first.generation, False, None)
    assert world.generations.kept() == [first.generation]


class Noting(MemorySource):
    """A source that notes into a shared list when it is listed and fetched."""

    def __init__(self, planted: list[Planted], notes: list[str], *, broken: bool = False) -> None:
        super().__init__(planted)
        self._notes, self._broken = notes, broken

    def list(self) -> Iterator[Item]:
        self._notes.append("list")
        if self._broken:
            raise SourceUnavailable("the connection broke", hint="try again")
        yield from super().list()

    def fetch(self, item: Item) -> Raw:
        self._notes.append("fetch")
        return super().fetch(item)


def test_all_sources_are_listed_then_the_plan_is_told_then_losses_hold_then_it_is_fetched(
    new_world: NewWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, notes = new_world(), list[str]()
    plans: list[SyncPlan] = []
    world.sync([LEAVE, BANDS, TRAVEL])
    open_index = world.index()
    assert LEAVE.name in found(open_index, "annual leave")

    class Watching(Noting):
        def fetch(self, item: Item) -> Raw:
            # The second source's losses hold before anything of the first one is fetched.
            assert found(open_index, "annual leave hotel", "everyone") == {TRAVEL.name}
            assert BANDS.name not in found(open_index, "salary band", "group:hr")
            return super().fetch(item)

    def told(plan: SyncPlan) -> None:
        notes.append("plan")
        plans.append(plan)

    new = Planted("ops/new", "Shoes are to be worn in the warehouse.")
    secret = replace(LEAVE, readers=("group:hr",))
    specs = [spec("ops", Watching([TRAVEL, new], notes)), spec("hr", Noting([secret], notes))]
    world.run(specs, watch=Watch(planned=told))
    assert notes == ["list", "list", "plan", "fetch"]
    [plan] = plans
    ops, hr = plan.sources["ops"], plan.sources["hr"]
    assert (ops.added, ops.updated, ops.deleted, ops.unchanged, ops.bytes) == (1, 0, 0, 1, len(new.text))
    assert (hr.added, hr.deleted, hr.access_changed, hr.unchanged, hr.bytes) == (0, 1, 1, 1, 0)
    assert plan.seconds["ops"] > plan.seconds["hr"] == 0
    assert plan.total_seconds == plan.seconds["ops"]


def test_the_plan_tells_why_a_source_fails_or_is_held_and_which_one_goes(new_world: NewWorld) -> None:
    world, plans = new_world(), list[SyncPlan]()
    many = [Planted(f"hr/{number}", f"Rule {number} is about folder {number}.") for number in range(30)]
    world.sync([*many, TRAVEL, replace(LEAVE, name="old/leave")])
    broken = spec("ops", Noting([TRAVEL], [], broken=True))
    report = world.run(
        [spec("hr", MemorySource(many[:10])), broken],
        options=replace(world.options(), brake=Brake()),
        watch=Watch(planned=plans.append),
    )
    [plan] = plans
    assert {name: one.status for name, one in plan.sources.items()} == {
        "hr": "held",
        "ops": "failed",
        "old": "ok",
    }
    assert "20 of 30 items are gone from source hr" in (plan.sources["hr"].error or "")
    assert plan.sources["ops"].error == "the connection broke"
    assert (plan.sources["old"].deleted, report.proven_deleted) == (1, 1)
    assert report.plan == plan
    assert set(report.sources) == {"hr", "ops"}


def test_a_source_that_lists_an_item_twice_fails_and_the_others_go_on(new_world: NewWorld) -> None:
    class Twice(MemorySource):
        def list(self) -> Iterator[Item]:
            yield from super().list()
            yield from super().list()

    class Nameless(MemorySource):
        def list(self) -> Iterator[Item]:
            yield Item("", "f", ("everyone",))

    world = new_world()
    world.sync([LEAVE, TRAVEL])
    report = world.run(
        [
            spec("hr", Twice([LEAVE])),
            spec("x", Nameless([])),
            spec("ops", MemorySource([replace(TRAVEL, text="New.")])),
        ]
    )
    assert [one.status for one in report.sources.values()] == ["failed", "failed", "ok"]
    assert "hr lists 'leave' twice" in (report.sources["hr"].error or "")
    assert found(world.index(), "leave hotel new") == {LEAVE.name, TRAVEL.name}


def test_two_sources_may_hold_an_item_of_one_id(new_world: NewWorld) -> None:
    world = new_world()
    twins = [replace(LEAVE, name=f"{source}/leave") for source in ("hr", "ops")]
    world.sync(twins)
    assert found(world.index(), "annual leave") == {"hr/leave", "ops/leave"}
    world.sync(twins[1:], ceilings={"hr": ("everyone",)})
    assert found(world.index(), "annual leave") == {"ops/leave"}


def test_one_source_alone_leaves_the_others_as_they_are(new_world: NewWorld) -> None:
    world = new_world()
    world.sync([LEAVE, BANDS, TRAVEL])
    report = world.run([spec("ops", MemorySource([]))], configured=["hr", "ops"])
    assert report.sources["ops"].deleted == 1
    assert found(world.index(), "leave salary hotel", "everyone", "group:hr") == {LEAVE.name, BANDS.name}


def test_several_fetchers_give_what_one_gives(new_world: NewWorld) -> None:
    one, many = new_world(), new_world()
    planted = [Planted(f"hr/{number}", f"Rule {number} is about folder {number}.") for number in range(40)]
    one.run([spec("hr", MemorySource(planted))])
    many.run([replace(spec("hr", MemorySource(planted)), fetchers=8)])
    for text in ("folder 7", "rule"):
        query = Query(text, frozenset({"everyone"}), k=50)
        assert shown(one.index().search(query)) == shown(many.index().search(query))


def test_a_clock_that_jumps_back_decides_nothing(
    new_world: NewWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, years = new_world(), iter((2030, 2020, 2025))

    def jumping(now: datetime | None = None) -> str:
        # Segments ask without a time, and are told apart by chance.
        return new_id(None if now is None else datetime(next(years), 1, 1, tzinfo=UTC))

    monkeypatch.setattr(build, "new_id", jumping)
    made = [world.sync(planted).generation for planted in ([LEAVE], [LEAVE, TRAVEL], [TRAVEL])]
    assert world.generations.kept() == made
    assert world.generations.live() == made[-1]
    assert found(world.index(), "leave hotel") == {TRAVEL.name}
    assert not world.sync([TRAVEL], ceilings={"hr": ("everyone",)}).promoted


def test_a_dry_run_changes_nothing(new_world: NewWorld) -> None:
    world = new_world()
    world.sync([LEAVE])
    before = world.generations.live(), world.store.epoch()
    plan = world.sync([LEAVE, BANDS], options=replace(world.options(), dry_run=True))
    assert plan.sources["hr"].added == 1
    assert (world.generations.live(), world.store.epoch()) == before


def test_a_listing_that_breaks_off_deletes_nothing(new_world: NewWorld) -> None:
    world = new_world()
    world.sync([LEAVE, BANDS, TRAVEL])
    broken = spec("hr", Failing([LEAVE, BANDS], listed=1))
    report = world.run([broken, spec("ops", MemorySource([TRAVEL]))])
    assert report.sources["hr"].status == "failed"
    assert report.sources["hr"].error == "the connection broke"
    assert report.sources["ops"].status == "ok"
    assert found(world.index(), "leave salary hotel", "everyone", "group:hr") == {
        LEAVE.name,
        BANDS.name,
        TRAVEL.name,
    }


def test_a_source_that_fails_while_fetching_keeps_what_it_gave(new_world: NewWorld) -> None:
    world = new_world()
    many = [
        Planted(f"hr/{number}", f"Rule {number} is about the colour of folder {number}.")
        for number in range(5)
    ]
    report = world.run([spec("hr", Failing(many, fetched=2)), spec("ops", MemorySource([TRAVEL]))])
    assert (report.sources["hr"].status, report.sources["ops"].status) == ("failed", "ok")
    assert TRAVEL.name in found(world.index(), "hotels")
    assert (
        world.run([spec("hr", MemorySource(many)), spec("ops", MemorySource([TRAVEL]))]).documents
        == len(many) + 1
    )


def test_an_unreadable_item_is_reported_and_the_rest_done(new_world: NewWorld) -> None:
    class Locked(MemorySource):
        def fetch(self, item: Item) -> Raw:
            if item.id == "bands":
                raise UnreadableDocument("no right", reason="denied", hint="give the right to read it")
            return super().fetch(item)

    world = new_world()
    report = world.run([spec("hr", Locked([LEAVE, BANDS]))])
    assert [(one.item, one.reason, one.hint) for one in report.unreadable] == [
        ("hr/bands", "denied", "give the right to read it")
    ]
    assert report.sources["hr"].unreadable == 1
    assert found(world.index(), "leave") == {LEAVE.name}


def test_the_brake_holds_a_source_that_shrinks(new_world: NewWorld) -> None:
    world = new_world()
    many = [
        Planted(f"hr/{number}", f"Rule {number} is about the colour of folder {number}.")
        for number in range(30)
    ]
    world.sync(many)
    careful = replace(world.options(), brake=Brake())
    held = world.sync([*many[:15], replace(many[15], text="Changed.")], options=careful)
    assert held.sources["hr"].status == "held"
    assert "14 of 30" in (held.sources["hr"].error or "")
    assert not held.promoted
    assert found(world.index(), "folder 29") == {one.name for one in many}
    allowed = world.sync(many[:15], options=replace(careful, allow_deletes=True))
    assert (allowed.sources["hr"].deleted, allowed.documents) == (15, 15)


@pytest.mark.parametrize(("gone", "status"), [(10, "ok"), (11, "held")])
def test_the_brake_stops_above_both_limits(new_world: NewWorld, gone: int, status: str) -> None:
    world = new_world()
    many = [
        Planted(f"hr/{number}", f"Rule {number} is about the colour of folder {number}.")
        for number in range(40)
    ]
    world.sync(many)
    report = world.sync(many[gone:], options=replace(world.options(), brake=Brake(share=0.2, documents=10)))
    assert report.sources["hr"].status == status


def test_a_revocation_holds_even_when_the_brake_does(new_world: NewWorld) -> None:
    world = new_world()
    many = [
        Planted(f"hr/{number}", f"Rule {number} is about the colour of folder {number}.")
        for number in range(30)
    ]
    world.sync(many)
    open_index = world.index()
    assert len(found(open_index, "colour of folder")) == len(many)
    secret = [replace(one, readers=("group:hr",)) for one in many[:10]]
    report = world.sync(
        secret, options=replace(world.options(), brake=Brake()), ceilings={"hr": ("everyone", "group:hr")}
    )
    assert report.sources["hr"].status == "held"
    assert found(open_index, "colour of folder") == {one.name for one in many[10:]}


def test_renamed_items_count_as_moved_and_do_not_brake(new_world: NewWorld) -> None:
    world = new_world()
    many = [Planted(f"hr/old/{number}", f"Rule {number} is about folder {number}.") for number in range(30)]
    world.sync(many)
    renamed = [replace(one, name=one.name.replace("old", "new")) for one in many]
    report = world.sync(renamed, options=replace(world.options(), brake=Brake()))
    hr = report.sources["hr"]
    assert (hr.status, hr.moved, hr.added, hr.deleted) == ("ok", 30, 0, 0)
    assert found(world.index(), "folder") == {one.name for one in renamed}


def test_who_lost_a_source_loses_it_though_the_sync_fails(new_world: NewWorld) -> None:
    world = new_world()
    world.sync([LEAVE, TRAVEL])
    open_index = world.index()
    assert found(open_index, "annual leave") == {LEAVE.name, TRAVEL.name}
    broken = spec("hr", Failing([LEAVE], listed=0), "group:hr")
    report = world.run([broken, spec("ops", MemorySource([TRAVEL]))])
    assert report.sources["hr"].status == "failed"
    for index in (open_index, world.index()):
        assert found(index, "annual leave") == {TRAVEL.name}


def test_revoked_then_rolled_back_stays_revoked(new_world: NewWorld) -> None:
    world = new_world()
    world.sync([LEAVE, TRAVEL])
    open_index = world.index()
    found(open_index, "annual leave")
    world.sync([replace(LEAVE, readers=("group:hr",)), TRAVEL], ceilings={"hr": ("everyone", "group:hr")})
    rollback(world)
    for index in (open_index, world.index()):
        assert found(index, "annual leave") == {TRAVEL.name}
        assert found(index, "annual leave", "group:hr") == set()  # nor does a rollback grant


def test_deleted_then_rolled_back_stays_deleted(new_world: NewWorld) -> None:
    world = new_world()
    world.sync([LEAVE, TRAVEL])
    open_index = world.index()
    found(open_index, "annual leave")
    world.sync([TRAVEL], ceilings={"hr": ("everyone",)})
    rollback(world)
    for index in (open_index, world.index()):
        assert found(index, "annual leave") == {TRAVEL.name}


def test_a_document_that_came_back_does_not_revive_its_former_self(new_world: NewWorld) -> None:
    world = new_world()
    world.sync([LEAVE, TRAVEL])
    world.sync([TRAVEL], ceilings={"hr": ("everyone",)})
    world.sync([replace(LEAVE, text="Employees get 31 days of annual leave."), TRAVEL])
    world.generations.promote(world.generations.kept()[0])
    assert found(world.index(), "annual leave") == {TRAVEL.name}


def test_a_grant_waits_for_the_promotion(new_world: NewWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world = new_world()
    world.sync([LEAVE, BANDS])
    open_index = world.index()

    def no_space(_: Generations, __: str) -> None:
        raise OSError(28, "No space left on device")

    wide = replace(BANDS, readers=("everyone",))
    with monkeypatch.context() as patch:
        patch.setattr(Generations, "promote", no_space)
        with pytest.raises(OSError, match="No space"):
            world.sync([LEAVE, wide])
    assert found(open_index, "salary band") == {LEAVE.name}
    assert world.sync([LEAVE, wide]).promoted
    assert found(open_index, "salary band") == {LEAVE.name, BANDS.name}


def test_after_a_rollback_the_same_state_is_not_promoted_again(new_world: NewWorld) -> None:
    world = new_world()
    first = world.sync([LEAVE])
    world.sync([LEAVE, TRAVEL])
    rollback(world)
    again = world.sync([LEAVE, TRAVEL])
    assert (again.promoted, again.reason, again.generation) == (False, "rolled_back", first.generation)
    assert world.sync([LEAVE, TRAVEL, BANDS]).promoted


def test_a_change_of_access_alone_embeds_nothing(new_world: NewWorld) -> None:
    world = new_world()
    world.sync([LEAVE, BANDS])
    before = {one.name for one in world.generations.segments.iterdir()}
    report = world.sync(
        [replace(LEAVE, readers=("group:hr",)), BANDS], ceilings={"hr": ("everyone", "group:hr")}
    )
    assert (report.sources["hr"].access_changed, report.promoted) == (1, True)
    assert {one.name for one in world.generations.segments.iterdir()} == before


def test_compaction_changes_no_answer(new_world: NewWorld) -> None:
    world, fresh = new_world(), new_world()
    many = [
        Planted(f"hr/{number}", f"Rule {number} is about the colour of folder {number}.")
        for number in range(12)
    ]
    for upto in range(2, 13, 2):
        world.sync(many[:upto])
    last = world.sync(many[::2])
    fresh.sync(many[::2])
    assert last.generation is not None
    assert len(world.generations.manifest(last.generation).segments) == 1
    for text in ("colour of folder 7", "rule", "folder 3"):
        query = Query(text, frozenset({"everyone"}), k=50)
        assert shown(world.index().search(query)) == shown(fresh.index().search(query))


def test_a_held_generation_is_collected_only_when_let_go(new_world: NewWorld) -> None:
    world = new_world()
    options = replace(world.options(), keep_generations=1)
    first = world.sync([LEAVE], options=options).generation
    held = world.index()
    held.view()
    world.sync([LEAVE, TRAVEL], options=options)
    assert first in world.generations.kept()
    held.close()
    third = world.sync([LEAVE, TRAVEL, BANDS], options=options)
    assert world.generations.kept() == [third.generation]
    assert world.generations.orphans() == []


def test_collection_leaves_only_what_is_reachable(new_world: NewWorld) -> None:
    world = new_world()
    options = replace(world.options(), keep_generations=1)
    world.sync([LEAVE, TRAVEL], options=options)
    world.sync([TRAVEL], options=options, ceilings={"hr": ("everyone",)})
    with world.store.read() as connection:
        counts = {
            table.name: connection.scalar(sa.select(sa.func.count()).select_from(table))
            for table in (schema.documents, schema.versions, schema.texts, schema.chunks, schema.embeddings)
        }
    assert set(counts.values()) == {1}, counts


def test_cited_evidence_outlives_the_document(new_world: NewWorld) -> None:
    world = new_world()
    world.sync([LEAVE, TRAVEL])
    revision = world.store.versions_of(LEAVE.name)[0].revision
    options = replace(world.options(), keep_generations=1, cited={(LEAVE.name, revision)})
    for number in range(2):
        world.sync([TRAVEL, replace(BANDS, text=f"Band {number}.")], options=options)
    assert world.store.text(revision) == LEAVE.text
    with world.store.read() as connection:
        kept = connection.scalar(sa.select(sa.func.count()).select_from(schema.chunks))
    assert kept == 2  # the evidence has no vector any more


def test_what_is_forgotten_leaves_no_text_and_no_vector(new_world: NewWorld) -> None:
    world = new_world()
    world.sync([LEAVE])
    world.sync([LEAVE, TRAVEL])
    gone = forget(world.store, world.generations, LEAVE.name, cited=())
    assert (gone.documents, gone.held) == (1, ())
    assert world.store.versions_of(LEAVE.name) == []
    assert world.generations.kept() == [gone.generation]
    assert found(world.index(), "annual leave") == {TRAVEL.name}
    with world.store.read() as connection:
        left = connection.scalar(sa.select(sa.func.count()).select_from(schema.embeddings))
    assert left == 1
    for path in world.generations.segments.rglob("*"):
        assert not path.is_file() or b"annual" not in path.read_bytes()


def test_another_chunking_builds_anew_beside_the_live_one(new_world: NewWorld) -> None:
    world = new_world()
    long = Planted("hr/long", " ".join(f"Sentence number {n} speaks of rule {n}." for n in range(60)))
    first = world.sync([long])
    world.chunking = Chunking(tokens=60, overlap=0)
    second = world.sync([long])
    assert second.promoted
    assert second.chunks > first.chunks


def test_a_damaged_segment_is_found(new_world: NewWorld) -> None:
    world = new_world()
    report = world.sync([LEAVE, TRAVEL])
    assert report.generation is not None
    manifest = world.generations.manifest(report.generation)
    world.generations.verify(manifest)
    path = world.generations.segments / manifest.segments[0].id / "vectors.npy"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)
    with pytest.raises(StoreDamaged, match="vectors"):
        world.generations.verify(manifest)


def test_a_manifest_is_plain_json_that_names_all_of_its_files(new_world: NewWorld) -> None:
    world = new_world()
    report = world.sync([LEAVE])
    manifest = json.loads((world.generations.folder / f"{report.generation}.json").read_text())
    assert manifest["schema"] == "ragflow.generation/1"
    assert [one["id"] for one in manifest["segments"]] == [
        one.name for one in world.generations.segments.iterdir()
    ]


WORDS = ("leave", "hotel", "salary", "folder")
STATE = st.dictionaries(
    st.sampled_from([f"{source}/{item}" for source in ("hr", "ops") for item in "abcd"]),
    st.tuples(st.sampled_from(WORDS), st.sampled_from([("everyone",), ("group:hr",), ()])),
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(history=st.lists(STATE, min_size=1, max_size=5))
def test_after_each_sync_the_index_holds_exactly_what_the_sources_hold(
    new_world: NewWorld, history: list[dict[str, tuple[str, tuple[str, ...]]]]
) -> None:
    world = new_world()
    ceilings = {"hr": ("everyone", "group:hr"), "ops": ("everyone", "group:hr")}
    open_index = world.index()
    for state in history:
        planted = [
            Planted(name, f"A note on the {word}.", readers) for name, (word, readers) in state.items()
        ]
        report = world.sync(planted, ceilings=ceilings)
        assert report.documents == len(planted)
        for asker in ("everyone", "group:hr"):
            expected = {one.name for one in planted if asker in one.readers}
            assert not planted or found(open_index, "note", asker) == expected


class Titled(MemorySource):
    """Texts of which the source tells a title of its own."""

    title = "Leave"

    def list(self) -> Iterator[Item]:
        for item in super().list():
            yield replace(item, fingerprint=f"{item.fingerprint} {self.title}")

    def fetch(self, item: Item) -> Raw:
        return replace(super().fetch(item), title=self.title)


def test_a_new_title_of_the_same_text_is_taken_over(new_world: NewWorld) -> None:
    world = new_world()
    source = Titled([LEAVE])
    world.run([spec("hr", source)])
    source.title = "Holidays"
    report = world.run([spec("hr", source)])
    assert report.sources["hr"].updated == 1
    (hit,) = world.index().search(Query("holidays", frozenset({"everyone"}), system="lexical")).hits
    assert (hit.title, hit.document) == ("Holidays", LEAVE.name)
