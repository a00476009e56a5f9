"""Fetching by several threads: everything once, within the window, and an end that is one."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from connectors.errors import SourceUnavailable, UnreadableDocument
from connectors.items import Item, Raw
from indexes.fetching import Fetching, Window

ITEMS = [Item(f"i{number}", "f", (), 10) for number in range(60)]


class Source:
    """Hands over what ``answer`` gives, and watches how many calls are under way."""

    def __init__(self, answer: Callable[[Item], bytes] = lambda item: item.id.encode()) -> None:
        self._answer = answer
        self._lock = threading.Lock()
        self.asked: list[str] = []
        self.under_way = self.most = 0
        self.threads: set[int] = set()

    def list(self) -> Iterator[Item]:
        yield from ITEMS

    def fetch(self, item: Item) -> Raw:
        with self._lock:
            self.asked.append(item.id)
            self.threads.add(threading.get_ident())
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        try:
            return Raw(item.id, self._answer(item), "x.txt")
        finally:
            with self._lock:
                self.under_way -= 1


def unreachable(item: Item) -> bytes:
    raise UnreadableDocument(f"{item.id} gave no answer", reason="unreachable", hint="try again")


def taken(source: Source, items: list[Item] = ITEMS, **options: object) -> tuple[list[Item], Fetching]:
    with Fetching(source, items, **options) as fetching:  # type: ignore[arg-type]
        return [item for item, _ in fetching.results()], fetching


@pytest.mark.parametrize("fetchers", [1, 4, 100])
def test_every_item_is_given_once_with_its_own_bytes(fetchers: int) -> None:
    source = Source()
    with Fetching(source, ITEMS, fetchers=fetchers) as fetching:
        found = [(item, result.data) for item, result in fetching.results() if isinstance(result, Raw)]
    assert sorted(found, key=lambda one: ITEMS.index(one[0])) == [(one, one.id.encode()) for one in ITEMS]
    assert fetching.error is None
    assert source.under_way == 0


def test_no_items_are_no_results() -> None:
    assert taken(Source(), [], fetchers=4)[0] == []


def test_one_fetcher_is_the_callers_own_thread() -> None:
    source = Source()
    taken(source)
    assert source.threads == {threading.get_ident()}


def test_as_many_calls_are_under_way_as_there_are_fetchers() -> None:
    meeting = threading.Barrier(3, timeout=10)

    def together(item: Item) -> bytes:
        meeting.wait()
        return b"x"

    source = Source(together)
    taken(source, ITEMS[:30], fetchers=3)
    assert source.most == 3


@pytest.mark.parametrize("window", [Window(items=5), Window(bytes=50), Window(bytes=5, guess=10)])
def test_what_waits_stays_within_the_window(window: Window) -> None:
    source = Source(lambda _: b"0123456789")
    most = 1 if window.bytes == 5 else 5  # one is always let through
    with Fetching(source, ITEMS, fetchers=8, window=window) as fetching:
        for done, _ in enumerate(fetching.results(), start=1):
            time.sleep(0.001)  # as a parser that is slower than the source
            assert len(source.asked) - done <= most


def test_items_of_unknown_size_count_by_what_they_turn_out_to_be() -> None:
    unsized = [Item(f"i{number}", "f", ()) for number in range(20)]
    source = Source(lambda _: b"x" * 100)
    found, _ = taken(source, unsized, fetchers=4, window=Window(bytes=250, guess=1))
    assert found
    assert sorted(item.id for item in found) == sorted(item.id for item in unsized)


@pytest.mark.parametrize("fetchers", [1, 4])
def test_a_source_that_fails_ends_it_after_what_was_fetched(fetchers: int) -> None:
    def breaking(item: Item) -> bytes:
        if item.id == "i20":
            raise SourceUnavailable("the connection broke", hint="try again")
        return b"x"

    source = Source(breaking)
    found, fetching = taken(source, fetchers=fetchers)
    assert str(fetching.error) == "the connection broke"
    assert sorted(item.id for item in found) == sorted(set(source.asked) - {"i20"})
    assert len(found) >= 20
    assert len(source.asked) < len(ITEMS)


@pytest.mark.parametrize("fetchers", [1, 4])
def test_five_unreachable_items_in_a_row_are_a_source_that_is_down(fetchers: int) -> None:
    source = Source(unreachable)
    found, fetching = taken(source, fetchers=fetchers)
    assert isinstance(fetching.error, SourceUnavailable)
    assert "5 items in a row" in str(fetching.error)
    assert fetching.error.hint == "try again"
    assert 5 <= len(found) <= 5 + fetchers


def test_one_answer_in_between_is_a_source_that_is_up() -> None:
    def every_fifth(item: Item) -> bytes:
        return b"x" if ITEMS.index(item) % 5 == 4 else unreachable(item)

    found, fetching = taken(Source(every_fifth))
    assert fetching.error is None
    assert len(found) == len(ITEMS)


@pytest.mark.parametrize("fetchers", [1, 4])
def test_a_bug_is_raised_once_and_the_threads_end(fetchers: int) -> None:
    def buggy(item: Item) -> bytes:
        if item.id == "i7":
            raise ZeroDivisionError
        return b"x"

    source = Source(buggy)
    with pytest.raises(ZeroDivisionError):
        taken(source, fetchers=fetchers)
    assert not [one for one in threading.enumerate() if one.name.startswith("fetch-")]


def test_an_interrupt_does_not_wait_for_a_call_that_hangs() -> None:
    let_go = threading.Event()

    def hanging(_: Item) -> bytes:
        let_go.wait(60)
        return b"x"

    source = Source(hanging)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt), Fetching(source, ITEMS, fetchers=4):
        raise KeyboardInterrupt
    assert time.monotonic() - began < 30
    asked = len(source.asked)
    let_go.set()
    for thread in threading.enumerate():
        if thread.name.startswith("fetch-"):
            thread.join()
    assert len(source.asked) == asked  # none began another one
