"""Whatever the server does during a push, it ends right or with one clear error; what is live stays live."""

import os
import random
import signal
import subprocess
import sys

import pytest
from qdrant_faults import (
    ALIASES,
    COUNT,
    CREATE,
    DROP,
    FINISH,
    INDEX,
    QUERY,
    UPSERT,
    cut,
    dies,
    disk_full,
    done_then_cut,
    half,
    hang,
    only_promised,
    slow,
    status,
)
from qdrant_server import LARGEST, QdrantServer
from qdrant_site import ALIAS, BATCH, DOCUMENTS, FEWER, RETRIES, Site

from indexes.errors import NotPushed, ServerUnavailable
from indexes.qdrant import MOST_AT_ONCE

PASSING = [
    *(status(code, at=UPSERT, skip=1) for code in (500, 502, 503, 504, 429)),
    status(429, at=UPSERT, skip=1, retry_after="1"),
    disk_full(skip=1),
    cut(at=UPSERT, skip=1),
    done_then_cut(skip=1),
    half(skip=1),
    half(skip=2, code=None),
    slow(0.05, at=UPSERT),
    only_promised(skip=1),
    only_promised(skip=1, said="wait_timeout"),
    *(status(503, at=at) for at in (CREATE, INDEX, COUNT, FINISH, "GET /")),
    *(cut(at=at) for at in (CREATE, INDEX, COUNT, FINISH, "GET /", "GET /collections/*/exists")),
    *(done_then_cut(at=at) for at in (CREATE, INDEX, FINISH)),
]


@pytest.mark.parametrize("fault", PASSING, ids=lambda fault: f"{fault.then}-{fault.at}".replace(" ", "_"))
def test_a_push_that_is_disturbed_once_ends_as_one_that_is_not(site, undisturbed, fault):
    site.server.add(fault)
    site.push()
    assert site.server.struck == [fault]
    assert site.points() == undisturbed
    assert site.told()["complete"] is True
    assert site.push() == 0


@pytest.mark.parametrize("done", [False, True])
def test_no_answer_is_waited_for_no_longer_than_configured(site, undisturbed, done):
    site.server.add(hang(at=UPSERT, skip=1, done=done))
    Site(site.world, site.server, timeout=1).push()
    assert site.points() == undisturbed


LASTING = [
    ("500", status(500, at=UPSERT)),
    ("No space left on device", disk_full()),
    ("429", status(429, at=UPSERT)),
    ("the connection broke off", cut(at=UPSERT)),
    *(("503", status(503, at=at)) for at in (CREATE, INDEX, COUNT, FINISH, ALIASES)),
    *(("the connection broke off", done_then_cut(at=at)) for at in (CREATE, UPSERT, FINISH, ALIASES)),
]


@pytest.mark.parametrize(("said", "fault"), LASTING)
def test_a_server_that_goes_on_failing_is_one_error_and_the_live_index_stays(
    new_world, qdrant_server, said, fault
):
    site = Site(new_world(), qdrant_server)
    before = site.sync(FEWER).generation
    found = site.found()
    site.server.add(*[fault] * (RETRIES + 1))
    with pytest.raises(ServerUnavailable, match=said) as caught:
        site.sync(DOCUMENTS)
    assert site.server.url in str(caught.value)
    assert caught.value.hint
    assert site.live == before
    assert site.found() == found
    if fault != done_then_cut(at=ALIASES):  # else the alias was moved, and nobody could know
        assert site.server.aliases() == {ALIAS: f"{ALIAS}-{before}"}
    again = site.sync(DOCUMENTS)
    assert again.promoted
    assert site.server.aliases() == {ALIAS: f"{ALIAS}-{again.generation}"}
    assert len(site.points()) == len(DOCUMENTS)
    assert site.told()["complete"] is True


def test_whatever_passes_by_in_any_order_the_points_are_the_same(site, undisturbed, rounds):
    for seed in range(rounds(fast=8, soak=300)):
        drawn = random.Random(seed)
        with QdrantServer() as server:
            here = Site(site.world, server)
            for _ in range(200):
                if drawn.random() < 0.5:
                    server.add(*_some_faults(drawn))
                try:
                    here.push()
                    break
                except ServerUnavailable:
                    server.revive()
            assert here.points() == undisturbed
            assert here.told()["complete"] is True


def _some_faults(drawn):
    made = []
    for _ in range(drawn.randint(1, 6)):
        at = drawn.choice([CREATE, INDEX, UPSERT, UPSERT, UPSERT, COUNT, FINISH])
        skip = drawn.randint(0, 4)
        made.append(
            drawn.choice(
                [
                    status(drawn.choice([500, 502, 503, 429]), at=at, skip=skip),
                    cut(at=at, skip=skip),
                    done_then_cut(at=at, skip=skip),
                    half(at=UPSERT, skip=skip, code=drawn.choice([500, None])),
                    only_promised(at=UPSERT, skip=skip),
                    dies(at=at, skip=skip, done=drawn.random() < 0.5),
                ]
            )
        )
    return made


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("at", [UPSERT, FINISH, ALIASES])
def test_a_server_that_goes_down_leaves_the_live_index_as_it_was(new_world, qdrant_server, at, done):
    site = Site(new_world(), qdrant_server)
    before = site.sync(FEWER).generation
    found = site.found()
    site.server.add(dies(at=at, done=done))
    with pytest.raises(ServerUnavailable, match=r"no connection|broke off"):
        site.sync(DOCUMENTS)
    assert site.live == before
    with pytest.raises(ServerUnavailable):
        site.found()
    site.server.revive()
    assert site.found() == found
    assert site.sync(DOCUMENTS).promoted
    assert len(site.points()) == len(DOCUMENTS)


def test_what_was_pushed_in_half_is_not_searched(new_world, qdrant_server):
    site = Site(new_world(), qdrant_server)
    site.sync(DOCUMENTS, publish=False)
    site.server.add(dies(at=UPSERT, skip=2))
    with pytest.raises(ServerUnavailable):
        site.push()
    site.server.revive()
    assert 0 < len(site.points()) < len(DOCUMENTS)
    with pytest.raises(NotPushed):
        site.found()


PUSHING = """
import sys
from pathlib import Path
from indexes.generations import Generations
from indexes.qdrant.publisher import QdrantPublisher
from indexes.qdrant.server import Remote, Server
from indexes.query import Ranking
from indexes.store import Store

folder, url, alias, batch = sys.argv[1:]
generations = Generations(Path(folder))
with Store.open(Path(folder) / "store.sqlite", write=True) as store:
    remote = Remote(Server(url, alias=alias, batch=int(batch)))
    QdrantPublisher(remote, store, generations, Ranking()).push(generations.manifest(generations.live()))
"""


@pytest.mark.parametrize(
    ("at", "skip", "done"),
    [(CREATE, 0, True), (INDEX, 1, False), (UPSERT, 0, True), (UPSERT, 2, False), (FINISH, 0, False)],
)
def test_a_push_that_is_killed_is_gone_on_with(site, undisturbed, repository, at, skip, done):
    site.server.add(hang(at=at, skip=skip, done=done))
    command = [sys.executable, "-c", PUSHING, str(site.world.folder), site.server.url, ALIAS, str(BATCH)]
    environment = {**os.environ, "PYTHONPATH": str(repository)}
    with subprocess.Popen(command, env=environment) as pushing:
        site.server.wait_struck()
        os.kill(pushing.pid, signal.SIGKILL)
    assert pushing.returncode == -signal.SIGKILL
    again = Site(site.world, site.server)  # what was killed had named the workspace
    again.push()
    assert again.points() == undisturbed
    assert again.told()["complete"] is True


def test_a_question_is_asked_again_and_what_fails_for_good_is_no_answer(new_world, qdrant_server):
    site = Site(new_world(), qdrant_server)
    site.sync(DOCUMENTS)
    found = site.found()
    for fault in (status(503, at=QUERY), cut(at=QUERY), cut(at="GET /collections/*")):
        site.server.add(fault)
        assert site.found() == found
    site.server.add(*[status(500, at=QUERY)] * (RETRIES + 1))
    with pytest.raises(ServerUnavailable, match="500"):
        site.found()
    assert site.found() == found


def test_points_that_a_server_lost_are_missed(site, undisturbed):
    site.push()
    some = sorted(undisturbed)[:5]
    site.server.ask("POST", f"/collections/{ALIAS}-{site.live}/points/delete", {"points": some})
    site.push()
    assert site.points() == undisturbed


def test_what_cannot_be_tidied_up_does_not_undo_a_promotion(new_world, qdrant_server):
    site = _untidy(new_world, qdrant_server)
    before = site.live
    with pytest.raises(ServerUnavailable):
        site.sync(DOCUMENTS)
    assert site.live != before
    assert site.server.aliases() == {ALIAS: f"{ALIAS}-{site.live}"}
    site.sync(DOCUMENTS[:-1])
    kept = sorted(f"{ALIAS}-{one}" for one in site.world.generations.kept())
    assert site.server.collections() == kept


def test_what_cannot_be_tidied_up_is_told_as_such(new_world, qdrant_server):
    site = _untidy(new_world, qdrant_server)
    with pytest.raises(ServerUnavailable) as caught:
        site.sync(DOCUMENTS)
    assert "nothing was changed" not in caught.value.hint


def _untidy(new_world, server):
    """A workspace with as many generations as are kept, at a server that will not drop a collection."""
    site = Site(new_world(), server)
    for documents in (FEWER, FEWER[:-1], FEWER[:-2]):
        site.sync(documents)
    server.add(*[status(500, at=DROP)] * (RETRIES + 1))
    return site


def test_the_largest_batch_that_can_be_configured_is_one_that_a_server_takes():
    # A point of 384 dimensions and some 40 terms: 10,127 bytes of JSON, over 11,921 chunks of two handbooks.
    assert MOST_AT_ONCE * 10_127 < LARGEST
