import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.documents import Anchor, Document, Parsed, Unreadable
from connectors.errors import ConnectorError, SourceUnavailable
from connectors.items import Raw
from connectors.parsing import ParserPool, parse
from connectors.parsing.frames import (
    parsed_from,
    parsed_header,
    raw_from,
    raw_header,
    read_frame,
    write_frame,
)

ROOT = Path(__file__).resolve().parents[2]


def note(number: int) -> Raw:
    return Raw(item=f"{number}.txt", data=f"note {number}".encode(), name=f"{number}.txt", title="N")


def children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def slow_page(seconds: int) -> bytes:
    """A page that takes the reader a long time: tables in tables, each read again by the one around it."""
    return b"<table><tr><td>" * 1200 * seconds + b"x" * 1200 * seconds


@pytest.fixture
def pool() -> Iterator[ParserPool]:
    with ParserPool(workers=2) as pool:
        yield pool


@given(
    st.builds(Raw, st.text(), st.binary(), st.text(), st.none() | st.text(), st.none() | st.text()),
    st.lists(st.builds(Anchor, st.just("row"), st.text(), st.integers(0, 9), st.integers(0, 9)), max_size=3),
)
def test_frames_give_back_what_they_took(raw: Raw, anchors: list[Anchor]) -> None:
    parsed = Parsed(
        (Document(raw.item, raw.name, "text", tuple(anchors), "p/1"),), (Unreadable("a", "empty", "b"),)
    )
    stream = io.BytesIO()
    write_frame(stream, raw_header(raw), raw.data)
    write_frame(stream, parsed_header(parsed))
    stream.seek(0)
    first, second = read_frame(stream), read_frame(stream)
    assert first is not None
    assert second is not None
    assert raw_from(*first) == raw
    assert parsed_from(second[0]) == parsed
    assert read_frame(stream) is None
    assert read_frame(io.BytesIO(stream.getvalue()[:-1][:20])) is None


def test_a_pool_parses_as_this_process_does(pool: ParserPool, samples: type) -> None:
    raws = [
        Raw("a.pdf", samples.pdf("one", "two"), "a.pdf"),
        Raw("b.eml", samples.mail("S", "Body", c_dot_txt=b"c"), "b.eml"),
        Raw("c.md", "# Ä\n\n| a |\n|---|\n| b |".encode(), "c.md", link="https://x.example"),
        Raw("d.bin", bytes(256) * 9, "d.bin"),
    ]
    assert dict(pool.parse_all(raws)) == {raw.item: parse(raw) for raw in raws}


def test_every_item_is_answered_once(pool: ParserPool) -> None:
    answered = [item for item, _ in pool.parse_all(note(number) for number in range(300))]
    assert sorted(answered) == sorted(f"{number}.txt" for number in range(300))


def test_nothing_is_spawned_for_no_item() -> None:
    before = children()
    with ParserPool() as pool:
        assert list(pool.parse_all([])) == []
        assert children() == before


def test_workers_stay_for_the_next_call_and_end_with_the_pool() -> None:
    before = set(children())
    with ParserPool(workers=1) as pool:
        assert pool.parse(note(1)).documents[0].text == "note 1"
        first = set(children()) - before
        pool.parse(note(2))
        assert set(children()) - before == first
        assert len(first) == 1
    assert not set(children()) - before


def test_items_are_asked_for_only_as_workers_become_free(pool: ParserPool, samples: type) -> None:
    asked = []

    def supply() -> Iterator[Raw]:
        for number in range(50):
            asked.append(number)
            yield Raw(f"{number}.pdf", samples.pdf("x"), f"{number}.pdf")

    answers = pool.parse_all(supply())
    next(answers)
    assert len(asked) < 10
    answers.close()
    assert pool.parse(note(1)).documents


def test_an_error_of_the_supply_passes_through_and_the_pool_lives_on(pool: ParserPool) -> None:
    def supply() -> Iterator[Raw]:
        yield note(1)
        raise SourceUnavailable("gone")

    with pytest.raises(SourceUnavailable):
        list(pool.parse_all(supply()))
    assert pool.parse(note(2)).documents


def test_what_takes_too_long_is_ended_and_the_rest_goes_on(samples: type) -> None:
    raws = [
        note(1),
        Raw("slow.html", slow_page(300), "slow.html"),
        note(2),
        Raw("a.pdf", samples.pdf("x"), "a.pdf"),
    ]
    with ParserPool(workers=1, timeout=1.0) as pool:
        answers = dict(pool.parse_all(raws))
    assert [one.reason for one in answers.pop("slow.html").unreadable] == ["timeout"]
    assert all(parsed.documents for parsed in answers.values())
    assert len(answers) == 3


def test_what_takes_too_much_memory_is_ended_and_the_rest_goes_on() -> None:
    large = Raw("large.csv", b"a,b,c\n" * 4_000_000, "large.csv")
    with ParserPool(workers=1, memory_mb=150) as pool:
        answers = dict(pool.parse_all([note(1), large, note(2)]))
    assert [one.reason for one in answers.pop("large.csv").unreadable] == ["out_of_memory"]
    assert all(parsed.documents for parsed in answers.values())


def test_a_worker_that_dies_costs_its_item_and_no_other(pool: ParserPool) -> None:
    def supply() -> Iterator[Raw]:
        yield note(1)
        yield Raw("slow.html", slow_page(300), "slow.html")
        for worker in pool._slots:
            if worker is not None and worker.tasks and worker.tasks[0].item == "slow.html":
                worker._process.send_signal(signal.SIGSEGV)
        yield from (note(number) for number in range(2, 80))

    answers = dict(pool.parse_all(supply()))
    crashed = [item for item, parsed in answers.items() if parsed.unreadable]
    assert len(answers) == 80
    assert len(crashed) <= 1
    assert all(answers[item].unreadable[0].reason == "crashed" for item in crashed)


def test_an_idle_worker_that_died_is_replaced(pool: ParserPool) -> None:
    pool.parse(note(1))
    for worker in pool._slots:
        if worker is not None:
            worker._process.kill()
            worker._process.wait()
    assert pool.parse(note(2)).documents


def test_workers_that_cannot_start_are_an_error(pool: ParserPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.parsing.pool._CODE", "raise SystemExit(3)")
    with pytest.raises(ConnectorError, match="start"):
        pool.parse(note(1))


def test_modules_of_the_working_folder_are_not_loaded(
    pool: ParserPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "struct.py").write_text("raise SystemExit(9)")
    (tmp_path / "connectors.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    assert pool.parse(note(1)).documents


def test_no_worker_outlives_a_killed_parent(tmp_path: Path) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from connectors.items import Raw
from connectors.parsing import ParserPool
pool = ParserPool(workers=2)
pool.parse(Raw("a.txt", b"a", "a.txt"))
slow = b"<table><tr><td>" * 72000 + b"x" * 72000
print("ready", flush=True)
list(pool.parse_all([Raw("s1.html", slow, "s1.html"), Raw("s2.html", slow, "s2.html")]))
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=tmp_path) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        workers: list[psutil.Process] = []
        while len(workers) < 2:
            workers = psutil.Process(parent.pid).children(recursive=True)
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        _, alive = psutil.wait_procs(workers, timeout=2)
    assert not [one for one in alive if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def test_an_interrupt_at_the_terminal_is_for_the_parent_alone(pool: ParserPool) -> None:
    pool.parse(note(1))
    (worker,) = (worker for worker in pool._slots if worker is not None)
    assert os.getsid(worker._process.pid) != os.getsid(0)
    worker._process.send_signal(signal.SIGINT)
    time.sleep(0.05)
    assert worker.fit()
    assert pool.parse(note(2)).documents
