"""Two workers share one PostgreSQL; one of them is killed and started again all the time."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
from doomed import Doomed
from doomed_site import Site
from effect_server import EffectServer

EACH_ONCE = Counter({"KEYED": 1, "GUARDED": 1, "ASKABLE": 1, "BLIND": 1})


@pytest.fixture
def shared(postgres, tmp_path):
    from sqlalchemy.engine import make_url

    made = make_url(postgres.database())
    url = made._replace(password=None).render_as_string()
    with EffectServer() as server, Doomed() as doomed:
        yield Site(tmp_path / "site", server, database=url, password=made.password), doomed


class Worker:
    """``ragflow worker`` as a process of its own."""

    def __init__(self, site):
        self._site = site
        self.begin()

    def begin(self):
        command = [
            sys.executable,
            "-m",
            "ragflow.cli",
            "-C",
            str(self._site.folder),
            "worker",
            "--parallel",
            "2",
        ]
        environ = {**os.environ, **self._site.environ}
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(command, env=environ, stdout=quiet, stderr=quiet)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self):
        self.process.terminate()
        self.process.wait(timeout=60)


def test_every_run_ends_right_and_each_action_is_done_once(shared, rounds):
    site, doomed = shared
    chance = random.Random(4)
    names = [f"run{number}" for number in range(rounds(fast=40, soak=500))]
    runs = {}
    for name in names:
        begun = site.start(doomed, name, detach=True)
        runs[name] = begun.json()["run"]
    steady, mortal = Worker(site), Worker(site)
    try:
        next_death = time.monotonic() + 3
        while site.open(doomed):
            for one in site.pending(doomed, None):
                site.decide(doomed, one, detach=True)
            if time.monotonic() > next_death:
                mortal.kill()
                mortal.begin()
                next_death = time.monotonic() + chance.uniform(2, 6)
    finally:
        steady.end()
        mortal.kill()
    for name in names:
        assert site.record(doomed, runs[name])["outcome"] == "done", name
        assert Counter({what.upper(): n for what, n in site.done(name).items()}) == EACH_ONCE, name
