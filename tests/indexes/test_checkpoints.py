"""Killed in the middle of a source, a sync goes on at the item: real processes, a real ``kill -9``."""

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from indexes import schema
from indexes.store import Store

# At most this many were fetched and not stored yet: a commit's worth, and what threads had under way.
LOST = 64 + 64 + 4

CHILD = """
import hashlib, os, re, signal, sys
from pathlib import Path
import numpy as np
from connectors.items import Item, Raw
from indexes.build import Chunking
from indexes.plan import SourceSpec
from indexes.sync import Sync
from indexes.testing import World

folder, items, fetchers, kills = Path(sys.argv[1]), *map(int, sys.argv[2:])

class Words:
    key, dimensions, max_tokens = "words", 4, 100
    def embed(self, texts, *, queries=False):
        rows = [np.frombuffer(hashlib.sha256(one.encode()).digest()[:4], np.uint8) + 1.0 for one in texts]
        return np.array([one / np.linalg.norm(one) for one in rows], np.float32)
    def token_offsets(self, text):
        return [one.span() for one in re.finditer(r"\\\\w+", text)]

class Many:
    def __init__(self):
        self.log = os.open(folder / "fetched.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    def list(self):
        for number in range(items):
            yield Item(f"i{number}", "f", ("everyone",), 20)
    def fetch(self, item):
        os.write(self.log, f"{item.id}\\\\n".encode())
        return Raw(item.id, f"Note {int(item.id[1:]) % 7}".encode(), "x.txt", "text/plain")

real, stored = Sync._step, 0

def step(self, state):
    global stored
    real(self, state)
    stored += state == "fetched"
    if stored == kills:
        os.kill(os.getpid(), signal.SIGKILL)

Sync._step = step
world = World(folder, Words(), chunking=Chunking(mode="document"))
report = world.run([SourceSpec("many", "memory", Many(), None, fetchers)])
assert report.sources["many"].status == "ok" and report.documents == items, report
world.close()
""".replace("\\\\", "\\")


def fetched(folder: Path) -> list[str]:
    return (folder / "fetched.log").read_text().split()


def test_a_source_that_was_killed_is_gone_on_with_at_the_item(
    tmp_path: Path, rounds: Callable[..., int]
) -> None:
    items, kills = rounds(fast=1_000, soak=100_000), rounds(fast=3, soak=10)
    chance, done, known = random.Random(5), Counter[str](), set[str]()

    def run(nth: int) -> int:
        arguments = [str(tmp_path), str(items), str(chance.choice([1, 4])), str(nth)]
        command = [sys.executable, "-c", CHILD, *arguments]
        return subprocess.run(command, check=False, env=dict(os.environ)).returncode

    for _ in range(kills):
        assert run(chance.randint(1, 4)) == -signal.SIGKILL
        with Store.open(tmp_path / "store.sqlite") as store, store.read() as connection:
            stored = set(connection.scalars(sa.select(schema.items.c.item)))
        now = Counter(fetched(tmp_path))
        # Nothing that was stored before this run was fetched in it, and little was fetched in vain.
        assert not [one for one in done if now[one] > done[one] and one in known]
        assert len(now) - len(stored) <= LOST
        done, known = now, stored
    before = len(fetched(tmp_path))
    assert run(-1) == 0
    assert len(fetched(tmp_path)) - before == items - len(stored)
    assert set(fetched(tmp_path)) == {f"i{number}" for number in range(items)}
