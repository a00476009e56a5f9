"""Leases: held while a process lives, free when it does not, never come back by themselves."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from engine_kit import PASSWORD
from postgres import Postgres

from ragflow.workflows import leases
from ragflow.workflows.database import Database
from ragflow.workflows.errors import DatabaseGone, RunHeld
from ragflow.workflows.rows import Rows

NOW = "2026-01-02T00:00:00Z"

HOLDER = """
import sys, time
from pathlib import Path
from ragflow.workflows import leases
from ragflow.workflows.database import Database
database = Database.of_url(sys.argv[1]) if "://" in sys.argv[1] else Database.of_file(Path(sys.argv[1]))
lease = leases.take(database, Path(sys.argv[2]), "holder")
print("held", flush=True)
time.sleep(600)
"""
VALUES = {
    "run": "r-20260101T000000-abcdef", "workflow": "count", "created": "2026-01-01T00:00:00Z",
    "actor": ["user:mia"], "source_digest": "s", "config_digest": "c", "policy": "p", "generation": None,
    "version": "0", "input": {}, "retry_of": None,
}  # fmt: skip


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path):
    """A place of a database: a file's path, or a server's url."""
    if request.param == "sqlite":
        return str(tmp_path / "runs.sqlite")
    return request.getfixturevalue("postgres").database()


@pytest.fixture
def database(place):
    with _opened(place) as database:
        yield database


def _opened(place):
    return Database.of_url(place) if "://" in place else Database.of_file(Path(place))


@pytest.fixture
def holder(place, tmp_path):
    """A process that holds the lease of the executor ``holder``."""
    repository = str(Path(__file__).resolve().parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, place, str(tmp_path / "leases")],
        stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": repository},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.fixture
def lease(database, tmp_path):
    taken = leases.take(database, tmp_path / "leases", leases.new_executor())
    yield taken
    taken.close()


def _alive(database, lease, executor):
    with database.begin() as connection:
        return lease.alive(executor, connection)


def test_a_lease_is_held_while_its_process_lives_and_no_longer(database, lease, holder):
    assert lease.held()
    assert _alive(database, lease, lease.executor)
    assert not _alive(database, lease, "nobody")
    assert _alive(database, lease, "holder")
    holder.send_signal(signal.SIGSTOP)  # it sleeps, and lives
    assert _alive(database, lease, "holder")
    holder.kill()
    holder.wait()
    while _alive(database, lease, "holder"):  # a server hears of it a moment later
        time.sleep(0.01)
    assert lease.held()


def test_a_run_passes_on_only_where_the_lease_of_its_owner_is_free(database, lease, holder, tmp_path):
    rows = Rows(database, lease)
    row = rows.begin({**VALUES, "actor": ("user:mia",)}, owned=True)
    assert (row.owner, row.fence, rows.standing(row)) == (lease.executor, 1, "mine")

    other = leases.take(database, tmp_path / "leases", "other")
    others = Rows(database, other)
    with pytest.raises(RunHeld, match=lease.executor):
        others.take_over(row.run)
    assert others.open(NOW) == []
    lease.close()
    while _alive(database, other, row.owner):
        time.sleep(0.01)
    assert [one.run for one in others.open(NOW)] == [row.run]
    taken = others.take_over(row.run)
    assert (taken.owner, taken.fence) == ("other", 2)
    # The one that had it can write nothing more.
    assert rows.standing(row) == "lost"
    assert not rows.release(row)
    assert not rows.end(row, {"status": "done"})
    assert others.standing(taken) == "mine"
    other.close()


def test_many_take_a_run_at_once_and_one_has_it(place, database, lease, tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    run = Rows(database, lease).begin(VALUES, owned=False).run

    def take(number):
        with _opened(place) as own:
            mine = leases.take(own, tmp_path / "leases", f"taker-{number}")
            try:
                return Rows(own, mine).take_over(run).owner
            except RunHeld:
                return None
            finally:
                if number != 0:  # a lease that is given back makes the run free again
                    mine_of.append(mine)

    mine_of = []
    with ThreadPoolExecutor(8) as threads:
        owners = [owner for owner in threads.map(take, range(8)) if owner]
    for mine in mine_of:
        mine.close()
    assert len(owners) == 1


def test_a_forked_child_neither_holds_the_lease_nor_keeps_it(tmp_path):
    with Database.of_file(tmp_path / "runs.sqlite") as database:
        lease = leases.take(database, tmp_path / "leases", "parent")
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:  # pragma: no cover - it ends without a word
            os.write(writing, b"held" if lease.held() else b"free")
            signal.pause()
        assert os.read(reading, 4) == b"free"
        assert lease.held()
        lease.close()
        other = leases.take(database, tmp_path / "leases", "other")
        try:
            assert not _alive(database, other, "parent")
        finally:
            other.close()
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(reading)
            os.close(writing)


def test_files_of_dead_processes_are_swept_and_those_of_living_ones_stay(tmp_path):
    folder = tmp_path / "leases"
    with Database.of_file(tmp_path / "runs.sqlite") as database:
        lease, living = (leases.take(database, folder, name) for name in ("mine", "living"))
        (folder / "dead.lock").write_text("4711")
        lease.sweep()
        assert sorted(path.stem for path in folder.iterdir()) == ["living", "mine"]
        living.close()
        lease.close()
        assert list(folder.iterdir()) == []


def test_a_lease_that_was_lost_with_the_server_is_noticed_before_anything_is_taken(tmp_path):
    with Postgres() as server, Database.of_url(server.of("postgres"), PASSWORD) as database:
        lease = leases.take(database, tmp_path / "leases", "mine")
        rows = Rows(database, lease)
        row = rows.begin(VALUES, owned=True)
        server.stop()
        assert not lease.held()
        with pytest.raises(DatabaseGone):
            lease.take_again()
        server.start()
        assert not lease.held()  # it does not come back by itself
        with pytest.raises(RunHeld, match="lost its lease"):
            rows.take_over(row.run)
        lease.take_again()
        assert lease.held()
        assert rows.disown() == 1
        assert rows.take_over(row.run).fence == 2
        lease.close()


def test_runs_that_a_worker_leaves_out_keep_no_others_from_their_turn(database, lease):
    rows = Rows(database, lease)
    names = [rows.begin({**VALUES, "run": f"r-{at}"}, owned=False).run for at in range(4)]
    held = rows.begin({**VALUES, "run": "r-0-held"}, owned=True).run
    assert held not in {one.run for one in rows.open(NOW)}
    assert [one.run for one in rows.open(NOW, limit=2)] == names[:2]
    assert [one.run for one in rows.open(NOW, but=names[:2], limit=2)] == names[2:]


def test_a_user_has_no_run_of_one_whose_name_has_other_letters(database, lease):
    rows = Rows(database, lease)
    for at, actor in enumerate(("user:Mia", "user:mia", "user:mi%", "user:mia2")):
        rows.begin({**VALUES, "run": f"r-{at}", "actor": (actor, "everyone")}, owned=False)
    newest = [rows.newest(actor) for actor in ("user:mia", "user:MIA", "user:mi_")]
    assert [one and one.run for one in newest] == ["r-1", None, None]
