"""A gate stands between a built generation and the live one; who lost access or text never waits for it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from indexes.generations import Manifest
from indexes.index import EmbeddedIndex
from indexes.query import Query, Ranking
from indexes.report import Gate, GateDecision, SyncOptions
from indexes.testing import Planted, World

NewWorld = Callable[[], World]
LEAVE = Planted("hr/leave", "Employees get 28 days of annual leave. Unused days lapse in March.")
BANDS = Planted("hr/bands", "The salary band of a senior engineer starts at 74,000 euro.")
TRAVEL = Planted("ops/travel", "Book trains before planes. Hotels above 140 euro need an approval.")
CEILINGS = {"hr": ("everyone", "group:hr"), "ops": ("everyone", "group:hr")}


class Judge:
    """A gate that says what it was told to, and remembers what it was asked."""

    def __init__(self, *, promote: bool) -> None:
        self.promote = promote
        self.asked: list[tuple[str, str | None]] = []

    def __call__(self, candidate: Manifest, live: Manifest | None) -> GateDecision:
        self.asked.append((candidate.id, live.id if live else None))
        return GateDecision(promote=self.promote, reason="because", report={"checks": [len(self.asked)]})


def gated(world: World, gate: Gate, **changes: object) -> SyncOptions:
    return replace(world.options(), gate=gate, **changes)


def found(index: EmbeddedIndex, text: str, *readers: str) -> set[str]:
    query = Query(text, frozenset(readers or ("everyone",)), k=50)
    return {hit.document for hit in index.search(query).hits}


def test_a_gate_is_asked_before_the_promotion_and_its_report_stays_in_the_manifest(
    new_world: NewWorld,
) -> None:
    world = new_world()
    yes = Judge(promote=True)
    first = world.sync([LEAVE], options=gated(world, yes))
    second = world.sync([LEAVE, BANDS], options=gated(world, yes))
    assert (first.promoted, second.promoted) == (True, True)
    assert yes.asked == [(first.generation, None), (second.generation, first.generation)]
    manifest = world.generations.manifest(str(second.generation))
    assert manifest.report == {"checks": [2], "held": False, "reason": "because"}
    assert second.gate == manifest.report
    assert not manifest.held
    world.generations.verify(manifest)


def test_what_is_held_stays_beside_the_live_one_and_can_be_promoted(new_world: NewWorld) -> None:
    world = new_world()
    first = world.sync([LEAVE])
    index = world.index()
    held = world.sync([LEAVE, BANDS], options=gated(world, Judge(promote=False)))
    assert (held.promoted, held.reason, held.generation) == (False, "because", first.generation)
    assert (held.documents, held.chunks) == (1, 1)
    assert found(index, "senior engineer salary") == {LEAVE.name}
    assert held.candidate is not None
    assert world.generations.manifest(held.candidate).held
    world.generations.promote(held.candidate)
    assert found(index, "senior engineer salary") == {LEAVE.name, BANDS.name}


def test_asking_again_after_a_hold_builds_nothing_anew(new_world: NewWorld) -> None:
    world = new_world()
    world.sync([LEAVE])
    no = Judge(promote=False)
    first = world.sync([LEAVE, BANDS], options=gated(world, no))
    segments = sorted(one.name for one in world.generations.segments.iterdir())
    second = world.sync([LEAVE, BANDS], options=gated(world, no))
    assert first.candidate == second.candidate
    assert sorted(one.name for one in world.generations.segments.iterdir()) == segments
    assert len(no.asked) == 2
    assert second.gate is not None
    assert second.gate["checks"] == [2]  # the newer report
    plain = world.sync([LEAVE, BANDS])
    assert (plain.promoted, plain.generation, plain.gate) == (True, first.candidate, None)


def test_a_sync_without_changes_asks_no_gate(new_world: NewWorld) -> None:
    world = new_world()
    world.sync([LEAVE])
    no = Judge(promote=False)
    report = world.sync([LEAVE], options=gated(world, no))
    assert (no.asked, report.promoted, report.reason, report.gate) == ([], False, None, None)


def test_a_dry_run_asks_no_gate(new_world: NewWorld) -> None:
    world = new_world()
    world.sync([LEAVE])
    no = Judge(promote=False)
    report = world.sync([LEAVE, BANDS], options=gated(world, no, dry_run=True))
    assert (no.asked, report.sources["hr"].added) == ([], 1)
    assert len(world.generations.kept()) == 1


def test_deletions_and_lost_access_hold_at_once_and_grants_wait(new_world: NewWorld) -> None:
    world = new_world()
    secret = Planted("hr/secret", "The salary of the board is 99,000 euro.", ("group:hr",))
    world.sync([LEAVE, BANDS, TRAVEL, secret], ceilings=CEILINGS)
    index = world.index()
    everything = "leave salary hotels board"
    assert found(index, everything) == {LEAVE.name, BANDS.name, TRAVEL.name}
    no = Judge(promote=False)
    report = world.sync(
        [replace(LEAVE, readers=("group:hr",)), TRAVEL, replace(secret, readers=("everyone",))],
        options=gated(world, no),
        ceilings=CEILINGS,
    )
    assert not report.promoted
    for one in (index, world.index()):
        assert found(one, everything) == {TRAVEL.name}  # bands deleted, leave lost, the secret not yet won
        assert found(one, everything, "group:hr") == set()  # neither what it won nor what it lost
        assert found(one, everything, "everyone", "group:hr") == {LEAVE.name, TRAVEL.name, secret.name}
    assert world.sync(
        [replace(LEAVE, readers=("group:hr",)), TRAVEL, replace(secret, readers=("everyone",))],
        ceilings=CEILINGS,
    ).promoted
    assert found(index, everything) == {TRAVEL.name, secret.name}
    assert found(index, everything, "group:hr") == {LEAVE.name}


@pytest.mark.parametrize("death", [RuntimeError("the evaluation broke"), KeyboardInterrupt()])
def test_a_crash_inside_the_gate_leaves_the_live_one_live_and_the_next_sync_whole(
    new_world: NewWorld, death: BaseException
) -> None:
    def die(candidate: Manifest, live: Manifest | None) -> GateDecision:
        raise death

    world = new_world()
    first = world.sync([LEAVE, TRAVEL])
    with pytest.raises(type(death)):
        world.sync([LEAVE, BANDS], options=gated(world, die))
    assert world.generations.live() == first.generation
    assert found(world.index(), "hotels salary") == {LEAVE.name}  # travel is deleted, gate or not
    yes = Judge(promote=True)
    again = world.sync([LEAVE, BANDS], options=gated(world, yes))
    assert (again.promoted, len(yes.asked)) == (True, 1)
    assert world.generations.orphans() == []
    assert found(world.index(), "hotels salary") == {LEAVE.name, BANDS.name}


def test_the_one_that_waits_is_kept_whatever_is_collected_and_a_newer_one_replaces_it(
    new_world: NewWorld,
) -> None:
    world = new_world()
    first = world.sync([LEAVE], options=replace(world.options(), keep_generations=1))
    no = Judge(promote=False)
    one = world.sync([LEAVE, BANDS], options=gated(world, no, keep_generations=1))
    assert world.generations.kept() == [first.generation, one.candidate]
    two = world.sync([LEAVE, TRAVEL], options=gated(world, no, keep_generations=1))
    assert world.generations.kept() == [first.generation, two.candidate]
    three = world.sync([TRAVEL], options=gated(world, Judge(promote=True), keep_generations=1))
    assert world.generations.kept() == [three.generation]


def test_what_was_held_takes_no_place_of_a_generation_to_roll_back_to(new_world: NewWorld) -> None:
    world = new_world()
    first = world.sync([LEAVE])
    second = world.sync([LEAVE, BANDS])
    for number in range(4):
        more = Planted("ops/rule", f"Rule {number} is about the colour of folder {number}.")
        world.sync([LEAVE, BANDS, more], options=gated(world, Judge(promote=False)))
    assert world.generations.kept()[:2] == [first.generation, second.generation]
    assert len(world.generations.kept()) == 3


def test_what_a_person_promoted_all_the_same_can_be_rolled_back_to(new_world: NewWorld) -> None:
    world = new_world()
    world.sync([LEAVE])
    held = world.sync([LEAVE, BANDS], options=gated(world, Judge(promote=False)))
    assert world.generations.held() == [held.candidate]
    world.generations.promote(str(held.candidate))
    assert world.generations.held() == []
    last = world.sync([LEAVE, BANDS, TRAVEL])
    assert world.generations.manifest(str(last.generation)).parent == held.candidate
    assert (world.generations.held(), len(world.generations.kept())) == ([], 3)


def test_the_order_of_generations_is_that_of_their_promotions(new_world: NewWorld) -> None:
    world = new_world()
    world.sync([LEAVE])
    world.sync([LEAVE, BANDS], options=gated(world, Judge(promote=False)))
    world.sync([LEAVE, TRAVEL])
    # The state that was held once is older than what is live now: it is built anew.
    last = world.sync([LEAVE, BANDS, TRAVEL])
    assert world.generations.kept()[-1] == last.generation


def test_a_damaged_one_that_waits_is_built_anew(new_world: NewWorld) -> None:
    world = new_world()
    world.sync([LEAVE])
    held = world.sync([LEAVE, BANDS], options=gated(world, Judge(promote=False)))
    manifest = world.generations.manifest(str(held.candidate))
    for segment in manifest.segments[1:]:
        (world.generations.segments / segment.id / "vectors.npy").write_bytes(b"spoilt")
    report = world.sync([LEAVE, BANDS])
    assert report.promoted
    assert report.generation != held.candidate
    assert found(world.index(), "senior engineer salary") == {LEAVE.name, BANDS.name}


def test_one_that_a_process_holds_is_never_rewritten(new_world: NewWorld) -> None:
    world = new_world()
    first = world.sync([LEAVE])
    second = world.sync([LEAVE, BANDS])
    holder = world.index()
    found(holder, "leave")  # holds the second
    world.generations.promote(str(first.generation))
    before = (world.generations.folder / f"{second.generation}.json").read_bytes()
    report = world.sync([LEAVE, BANDS], options=gated(world, Judge(promote=False)))
    assert report.candidate != second.generation
    assert (world.generations.folder / f"{second.generation}.json").read_bytes() == before


def test_an_index_on_a_named_generation_stays_with_it_under_the_access_of_now(new_world: NewWorld) -> None:
    world = new_world()
    first = world.sync([LEAVE, BANDS])
    index = EmbeddedIndex(
        world.folder, world.store, lambda: world.embedder, Ranking(), generation=first.generation
    )
    world.sync([replace(LEAVE, text="Employees get 30 days."), TRAVEL], ceilings=CEILINGS)
    hits = index.search(Query("leave salary hotels", frozenset(["everyone"]))).hits
    assert [hit.text for hit in hits] == [LEAVE.text]
    index.close()
