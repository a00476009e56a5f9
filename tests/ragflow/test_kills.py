"""Killed at every boundary and at any moment: nothing lost, nothing done twice, nothing rejected done."""

import random
from collections import Counter

import pytest
from doomed import Doomed
from doomed_site import Site
from effect_server import EffectServer

EACH_ONCE = Counter({"KEYED": 1, "GUARDED": 1, "ASKABLE": 1, "BLIND": 1})


@pytest.fixture(scope="module")
def doomed():
    with Doomed() as started:
        yield started


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def site(request, tmp_path_factory):
    database = password = None
    if request.param == "postgresql":
        postgres = request.getfixturevalue("postgres")
        database, password = bare(postgres.database())
    folder = tmp_path_factory.mktemp(request.param) / "site"
    with EffectServer() as server:
        yield Site(folder, server, database=database, password=password)


def bare(url):
    """A URL without its password, and the password."""
    from sqlalchemy.engine import make_url

    made = make_url(url)
    return made._replace(password=None).render_as_string(), made.password


def undisturbed(site, doomed, name):
    """How many boundaries the first command passes until it waits, and the decision until the end."""
    began = site.start(doomed, name)
    assert began.code == 7, began
    (asked,) = site.pending(doomed, began.json()["run"])
    ended = site.decide(doomed, asked)
    assert ended.code == 0, ended
    assert each(site, name) == EACH_ONCE
    return began.boundaries, ended.boundaries


def each(site, name):
    return Counter({what.upper(): count for what, count in site.done(name).items()})


def killed_at(site, doomed, name, at, before, verdict="approve"):
    """Kill the first command at a boundary, or the decision where the first one has fewer; then go on."""
    if at <= before:
        assert site.start(doomed, name, kill_at=at).killed
        run = site.run_of(doomed, name)
        if run is None:
            assert not each(site, name)  # it died before anything was promised
            return None
    else:
        run = site.start(doomed, name).json()["run"]
        (asked,) = site.pending(doomed, run)
        site.decide(doomed, asked, verdict, kill_at=at - before)
    return site.carry(doomed, run, verdict)


def chosen(every, count, seed):
    """All of them, or so many, spread at random but the same ones every time."""
    return sorted(random.Random(seed).sample(every, min(count, len(every))))


def test_killed_at_every_boundary_each_thing_is_done_once(site, doomed, rounds):
    before, after = undisturbed(site, doomed, "calm")
    every = list(range(1, before + after + 1))
    for at in chosen(every, rounds(fast=12, soak=len(every)), seed=1):
        name = f"at{at}"
        record = killed_at(site, doomed, name, at, before)
        if record is not None:
            assert (record["status"], record["outcome"]) == ("done", "done"), (at, record)
            assert each(site, name) == EACH_ONCE, (at, site.done(name))


def test_killed_at_every_boundary_what_was_rejected_is_not_done(site, doomed, rounds):
    before, after = 40, 6
    for at in chosen(list(range(1, before + after)), rounds(fast=4, soak=before + after), seed=2):
        name = f"no{at}"
        began = site.start(doomed, name, kill_at=at)
        run = site.run_of(doomed, name) if began.killed else began.json()["run"]
        if run is None:
            continue
        record = site.carry(doomed, run, "reject")
        assert (record["status"], record["outcome"]) == ("done", "rejected"), (at, record)
        assert each(site, name) == Counter({"KEYED": 1}), (at, site.done(name))


def test_killed_at_any_moment_again_and_again(site, doomed, rounds):
    chance = random.Random(3)
    for number in range(rounds(fast=5, soak=200)):
        name = f"any{number}"
        site.start(doomed, name, kill_after=chance.uniform(0.05, 1.5))
        run = site.run_of(doomed, name)
        if run is None:
            assert not each(site, name)
            continue
        site(doomed, "runs", "resume", run, kill_after=chance.uniform(0.05, 1.5))
        record = site.carry(doomed, run)
        assert (record["status"], record["outcome"]) == ("done", "done"), record
        assert each(site, name) == EACH_ONCE, site.done(name)
