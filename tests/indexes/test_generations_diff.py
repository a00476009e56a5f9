"""What two generations differ in is told by name, and of what the asker may read alone."""

from collections.abc import Callable
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexes.difference import Difference, difference
from indexes.report import GateDecision
from indexes.testing import Planted, World

NewWorld = Callable[[], World]
LEAVE = Planted("hr/leave", "Employees get 28 days of annual leave. Unused days lapse in March.")
BANDS = Planted("hr/bands", "The salary band of a senior engineer starts at 74,000 euro.", ("group:hr",))
TRAVEL = Planted("ops/travel", "Book trains before planes. Hotels above 140 euro need an approval.")
SHOES = Planted("ops/shoes", "Safety shoes are worn in the warehouse.")
CEILINGS = {"hr": ("everyone", "group:hr", "user:mia"), "ops": ("everyone", "group:hr", "user:mia")}
BOTH = frozenset({"everyone", "group:hr"})


def changes(world: World, *readers: str) -> Difference:
    """The difference between the two newest generations."""
    a, b = (world.generations.manifest(one) for one in world.generations.kept()[-2:])
    return difference(world.store, world.generations, (a, b), frozenset(readers) or BOTH)


def test_each_kind_of_change_is_named(new_world: NewWorld) -> None:
    world = new_world()
    stays = Planted("ops/stays", "The canteen opens at noon.")
    world.sync([LEAVE, BANDS, TRAVEL, stays, SHOES], ceilings=CEILINGS)
    world.sync(
        [
            replace(LEAVE, text="Employees get 30 days of annual leave."),
            replace(BANDS, readers=("group:hr", "user:mia")),
            replace(SHOES, name="hr/shoes"),
            stays,
            Planted("ops/new", "The lift is repaired on Mondays."),
        ],
        ceilings=CEILINGS,
    )
    assert changes(world) == Difference(
        added=("ops/new",),
        removed=("ops/travel",),
        updated=("hr/leave",),
        moved=(("ops/shoes", "hr/shoes"),),
        access_changed=("hr/bands",),
        unchanged=1,
        a=5,
        b=5,
    )


def test_what_left_and_came_back_as_it_was_is_unchanged(new_world: NewWorld) -> None:
    world = new_world()
    world.sync([LEAVE, TRAVEL])
    world.sync([TRAVEL])
    world.sync([LEAVE, TRAVEL])
    a, _, b = (world.generations.manifest(one) for one in world.generations.kept())
    found = difference(world.store, world.generations, (a, b), BOTH)
    assert (found.added, found.removed, found.updated, found.unchanged) == ((), (), (), 2)


def test_one_of_two_twins_that_left_is_removed_not_moved(new_world: NewWorld) -> None:
    world = new_world()
    twin = replace(SHOES, name="ops/twin")
    world.sync([LEAVE, SHOES, twin])
    world.sync([LEAVE, replace(SHOES, name="ops/third")])
    found = changes(world)
    assert (found.moved, found.removed, found.added) == ((), ("ops/shoes", "ops/twin"), ("ops/third",))


def test_what_a_gate_holds_can_be_looked_at(new_world: NewWorld) -> None:
    world = new_world()
    world.sync([LEAVE])
    gate = lambda *_: GateDecision(promote=False, reason="worse")  # noqa: E731
    world.sync([LEAVE, TRAVEL], options=replace(world.options(), gate=gate))
    assert changes(world).added == ("ops/travel",)


def test_an_updated_document_that_others_may_read_is_both(new_world: NewWorld) -> None:
    world = new_world()
    world.sync([LEAVE], ceilings=CEILINGS)
    world.sync([replace(LEAVE, text="30 days.", readers=("everyone", "user:mia"))], ceilings=CEILINGS)
    found = changes(world)
    assert (found.updated, found.access_changed, found.unchanged) == (("hr/leave",), ("hr/leave",), 0)


PEOPLE = st.sampled_from([(), ("everyone",), ("group:hr",), ("user:mia",), ("everyone", "user:mia")])
TEXTS = st.sampled_from(["Shoes are worn.", "Hats are worn.", "Gloves are worn."])
STATES = st.dictionaries(st.sampled_from(["hr/a", "hr/b", "ops/c", "ops/d"]), st.tuples(TEXTS, PEOPLE))


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(STATES, STATES, st.sampled_from(["everyone", "group:hr", "user:mia"]))
def test_a_hidden_document_changes_no_name_and_no_number(
    new_world: NewWorld,
    before: dict[str, tuple[str, tuple[str, ...]]],
    after: dict[str, tuple[str, tuple[str, ...]]],
    asker: str,
) -> None:
    """The same two syncs without the documents that are hidden from the asker give the same difference."""

    def run(world: World, *, hidden: bool) -> Difference:
        always = Planted("ops/always", "The canteen opens at noon.")
        for number, state in enumerate((before, after)):
            planted = [
                Planted(name, text, readers)
                for name, (text, readers) in state.items()
                if hidden or visible(name, number)
            ]
            mark = Planted("ops/mark", f"Sync {number}.")  # so that the second sync makes a generation
            world.sync([*planted, always, mark], ceilings=CEILINGS)
        return changes(world, asker)

    def visible(name: str, number: int) -> bool:
        """Whether the asker is let in by what the generation knew and by what the source says last."""
        now, last = (before, after)[number], after if name in after else before
        return asker in now[name][1] and asker in last[name][1]

    assert run(new_world(), hidden=True) == run(new_world(), hidden=False)
