"""Dead letters: what could not be had or read is listed, tried again, and never costs what was indexed."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from connectors.documents import Unreadable
from connectors.errors import UnreadableDocument
from connectors.items import Item, Raw
from indexes import failures, ingest
from indexes.failures import Failure
from indexes.index import EmbeddedIndex
from indexes.plan import ParseKeys, SourceSpec
from indexes.query import Query
from indexes.report import SyncReport
from indexes.testing import MemorySource, Planted, World

NewWorld = Callable[[], World]
LEAVE = Planted("hr/leave", "Employees get 28 days of annual leave. Unused days lapse in March.")
BANDS = Planted("hr/bands", "The salary band of a senior engineer starts at 74,000 euro.")
PASSING = sorted(failures.PASSING)


class Troubled(MemorySource):
    """A source of which some items cannot be had, by a reason for each."""

    def __init__(self, planted: list[Planted], **reasons: str) -> None:
        super().__init__(planted)
        self.reasons = reasons
        self.fetched: list[str] = []

    def fetch(self, item: Item) -> Raw:
        self.fetched.append(item.id)
        if item.id in self.reasons:
            why = self.reasons[item.id]
            raise UnreadableDocument(f"{item.id} is {why}", reason=why, hint=f"mend {why}")
        return super().fetch(item)


def sync(world: World, source: MemorySource, **options: object) -> SyncReport:
    chosen = replace(world.options(), **options)  # type: ignore[arg-type]
    return world.run([SourceSpec("hr", "memory", source, None)], options=chosen)


def listed(world: World) -> list[tuple[str, str, int]]:
    return [(one.document, one.reason, one.tries) for one in failures.failures(world.store)]


def found(index: EmbeddedIndex, text: str) -> dict[str, str]:
    hits = index.search(Query(text, frozenset({"everyone"}), k=50)).hits
    return {hit.document: hit.text for hit in hits}


@pytest.mark.parametrize("reason", PASSING)
def test_what_was_indexed_stays_while_its_item_cannot_be_had(new_world: NewWorld, reason: str) -> None:
    world = new_world()
    sync(world, MemorySource([LEAVE, BANDS]))
    changed = replace(LEAVE, text="Employees get 30 days of annual leave.")
    for tries in (1, 2):
        report = sync(world, Troubled([changed, BANDS], leave=reason))
        assert found(world.index(), "annual leave")[LEAVE.name] == LEAVE.text
        assert listed(world) == [(LEAVE.name, reason, tries)]
        assert report.unreadable == (Unreadable(LEAVE.name, reason, f"mend {reason}"),)
        assert (report.sources["hr"].status, report.sources["hr"].unreadable) == ("ok", 1)
        assert (report.sources["hr"].updated, report.sources["hr"].unchanged) == (0, 2)
    assert sync(world, Troubled([changed, BANDS])).promoted
    assert found(world.index(), "annual leave")[LEAVE.name] == changed.text
    assert listed(world) == []


@pytest.mark.parametrize("reason", PASSING)
def test_an_item_never_indexed_is_listed_and_tried_again_by_each_sync(
    new_world: NewWorld, reason: str
) -> None:
    world = new_world()
    for tries in (1, 2, 3):
        source = Troubled([LEAVE, BANDS], leave=reason)
        report = sync(world, source)
        assert "leave" in source.fetched
        assert listed(world) == [(LEAVE.name, reason, tries)]
        assert [one.item for one in report.unreadable] == [LEAVE.name]
    assert sync(world, MemorySource([LEAVE, BANDS])).sources["hr"].unreadable == 0
    assert set(found(world.index(), "annual leave")) >= {LEAVE.name}
    assert listed(world) == []


def test_it_is_tried_again_though_its_fingerprint_is_the_old_one(new_world: NewWorld) -> None:
    world = new_world()
    sync(world, MemorySource([LEAVE]))
    sync(world, Troubled([LEAVE], leave="unreachable"), full=True)  # --full fetches what has not changed
    assert listed(world) == [(LEAVE.name, "unreachable", 1)]
    source = Troubled([LEAVE])
    report = sync(world, source)
    assert (source.fetched, listed(world)) == (["leave"], [])
    assert not report.promoted  # the very same bytes


def test_a_reason_in_the_bytes_is_tried_again_only_when_they_change(new_world: NewWorld) -> None:
    world = new_world()
    sync(world, MemorySource([LEAVE, BANDS]))
    large = replace(LEAVE, text="Too large.")
    for _ in range(2):
        source = Troubled([large, BANDS], leave="too_large")
        sync(world, source)
        assert listed(world) == [(LEAVE.name, "too_large", 1)]
    assert source.fetched == []
    assert LEAVE.name not in found(world.index(), "annual leave")
    source = Troubled([replace(LEAVE, text="Larger still."), BANDS], leave="too_large")
    sync(world, source)
    assert listed(world) == [(LEAVE.name, "too_large", 2)]


def test_what_parsing_cannot_read_is_listed_with_tries_that_were_made(new_world: NewWorld) -> None:
    world = new_world()
    empty = Planted("hr/empty", "")
    for _ in range(2):
        sync(world, MemorySource([empty, BANDS]))
        assert listed(world) == [("hr/empty", "empty", 1)]
    with_ocr = ParseKeys("1", "2")  # what a second try depends on has changed
    sync(world, MemorySource([empty, BANDS]), keys=with_ocr)
    assert listed(world) == [("hr/empty", "empty", 2)]
    sync(world, MemorySource([replace(empty, text="Now it holds a sentence."), BANDS]), keys=with_ocr)
    assert listed(world) == []


def test_it_is_the_first_time_and_the_last_that_are_kept(
    new_world: NewWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = new_world()
    # A clock that jumps back decides nothing.
    for moment in ("2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z", "2025-01-01T00:00:00Z"):
        monkeypatch.setattr(failures, "now", lambda moment=moment: moment)
        sync(world, Troubled([LEAVE], leave="unreachable"))
    [one] = failures.failures(world.store)
    assert (one.first, one.last, one.tries) == ("2026-01-02T00:00:00Z", "2025-01-01T00:00:00Z", 3)


def test_what_the_source_lists_no_more_is_no_failure(new_world: NewWorld) -> None:
    world = new_world()
    sync(world, Troubled([LEAVE, BANDS], leave="vanished", bands="unreachable"))
    assert len(listed(world)) == 2
    sync(world, Troubled([BANDS], bands="unreachable"))
    assert listed(world) == [(BANDS.name, "unreachable", 2)]


def test_a_lost_right_holds_though_the_item_cannot_be_had(new_world: NewWorld) -> None:
    world = new_world()
    sync(world, MemorySource([LEAVE, BANDS]))
    open_index = world.index()
    assert LEAVE.name in found(open_index, "annual leave")
    changed = replace(LEAVE, text="Other.", readers=("group:hr",))
    sync(world, Troubled([changed, BANDS], leave="unreachable"))
    assert LEAVE.name not in found(open_index, "annual leave")


def test_a_source_that_is_down_ends_with_what_was_fetched_and_deletes_nothing(new_world: NewWorld) -> None:
    world = new_world()
    many = [Planted(f"hr/{number:02}", f"Rule {number} is about folder {number}.") for number in range(20)]
    sync(world, MemorySource(many[:3]))
    down = {f"{number:02}": "unreachable" for number in range(5, 20)}
    source = Troubled(many, **down)
    report = sync(world, source)
    hr = report.sources["hr"]
    assert (hr.status, hr.added, hr.deleted) == ("failed", 7, 0)
    assert "5 items in a row" in (hr.error or "")
    assert len(source.fetched) == 7  # two that answered, five that did not
    assert set(found(world.index(), "folder")) == {one.name for one in many[:5]}
    assert sync(world, MemorySource(many)).documents == len(many)
    assert listed(world) == []


def test_to_read_again_reads_these_items_alone_and_deletes_nothing(new_world: NewWorld) -> None:
    world = new_world()
    empty = Planted("hr/empty", "")
    sync(world, Troubled([LEAVE, BANDS, empty], leave="denied"))
    source = Troubled([LEAVE, empty, replace(BANDS, text="Bands have changed.")])
    report = sync(world, source, only={"hr": {"leave", "empty", "absent"}})
    assert sorted(source.fetched) == ["empty", "leave"]
    assert listed(world) == [("hr/empty", "empty", 2)]  # parsed again, though the bytes are the same
    assert (report.sources["hr"].updated, report.sources["hr"].deleted) == (2, 0)
    gone = sync(world, Troubled([]), only={"hr": {"empty"}})
    assert (gone.sources["hr"].deleted, gone.documents) == (0, 2)


def test_the_items_of_failures_are_found_through_their_members(new_world: NewWorld) -> None:
    world = new_world()
    sync(world, MemorySource([LEAVE]))
    item = Item("box.zip", "f", ("everyone",))
    members = (
        Unreadable("box.zip!/a.pdf", "damaged", "mend it"),
        Unreadable("box.zip!/a.pdf", "damaged", "mend it"),  # a zip may hold one name twice
        Unreadable("box.zip!/b/c.zip!/d.pdf", "locked", "unlock it"),
    )
    box = ingest.Fetched(item, "d", "1", ingest.Parsed((), members))
    ingest.store_items(world.store, "hr", [box], ingest.Seen())
    assert listed(world) == [(f"hr/{one.item}", one.reason, 1) for one in members[1:]]
    wanted = failures.items_of(world.store, failures.failures(world.store, ["hr"]))
    assert wanted == {"hr": {"box.zip"}}
    # A neighbour whose name begins alike is another item.
    near = ingest.Fetched(replace(item, id="box.zip2"), "d", "1", ingest.Parsed((), ()))
    ingest.store_items(world.store, "hr", [near], ingest.Seen())
    assert len(listed(world)) == 2
    ingest.store_items(world.store, "hr", [replace(box, parsed=ingest.Parsed((), ()))], ingest.Seen())
    assert listed(world) == []


def test_a_failure_is_named_by_its_document() -> None:
    assert Failure("hr", "a/b.pdf", "damaged", "", 1, "", "").document == "hr/a/b.pdf"
