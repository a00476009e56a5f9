"""Another model or chunking: foreseen exactly, built beside the live one, gone on with after a kill."""

import hashlib
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from indexes import schema
from indexes.build import Chunking
from indexes.embedding import Vectors
from indexes.errors import ModelMismatch, VectorsUnsound
from indexes.plan import SourceSpec
from indexes.query import Query
from indexes.reembedding import Reembedding
from indexes.report import SyncOptions, Watch
from indexes.store import Store
from indexes.testing import MemorySource, Planted, World

EVERYONE = frozenset({"everyone"})
NOTES = [Planted(f"ops/{n}", f"Note {n} is about folder {n} and its colour.") for n in range(150)]
MORE = Planted("ops/more", "The canteen opens at noon.")


class Words:
    """An embedder of its own right: a text's vector comes from its bytes. It counts what it embeds."""

    max_tokens = 100

    def __init__(self, key: str, dimensions: int = 4) -> None:
        self.key, self.dimensions = key, dimensions
        self.embedded: list[str] = []

    def embed(self, texts: Sequence[str], *, queries: bool = False) -> Vectors:
        self.embedded += texts
        rows = [
            np.frombuffer(hashlib.sha256(f"{self.key} {one}".encode()).digest(), np.uint8) for one in texts
        ]
        vectors = np.array([row[: self.dimensions] + 1.0 for row in rows], np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def token_offsets(self, text: str) -> Sequence[tuple[int, int]]:
        return [one.span() for one in re.finditer(r"\w+", text)]


class Dying(Words):
    """The same model, in a process that is stopped once it has embedded so many texts."""

    def __init__(self, key: str, most: int) -> None:
        super().__init__(key)
        self.most = most

    def embed(self, texts: Sequence[str], *, queries: bool = False) -> Vectors:
        if len(self.embedded) >= self.most:
            raise KeyboardInterrupt
        return super().embed(texts)


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path / "world", Words("old"), chunking=Chunking(mode="document"))
    made.sync(NOTES)
    return made


def use(world: World, embedder: Words) -> Words:
    world.embedder = embedder
    return embedder


def rows(world: World, table: sa.Table) -> int:
    with world.store.read() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def unmeasured(world: World) -> SyncOptions:
    """Options by which nothing is embedded but what is kept."""
    return replace(world.options(), measure=False)


def begin_and_die(world: World, planted: Sequence[Planted] = NOTES, *, most: int = 64) -> int:
    """Begin to embed by the new model and be stopped; give how many texts were embedded."""
    dying = use(world, Dying("new", most))
    with pytest.raises(KeyboardInterrupt):
        world.sync(planted, options=unmeasured(world))
    return len(dying.embedded)


def foreseen(world: World, planted: Sequence[Planted] = NOTES, **changes: object) -> Reembedding | None:
    """What a dry run says."""
    return world.sync(planted, options=replace(world.options(), dry_run=True, **changes)).reembedding


# -- resuming ----------------------------------------------------------------------------------------


def test_what_was_begun_is_gone_on_with_and_no_text_is_embedded_twice(world: World) -> None:
    live = world.generations.live()
    done = begin_and_die(world)
    assert (world.generations.live(), 0 < done < len(NOTES)) == (live, True)
    new = use(world, Words("new"))
    assert world.sync(NOTES, options=unmeasured(world)).promoted
    assert len(new.embedded) == len(set(new.embedded)) == len(NOTES) - done


def test_syncs_of_the_old_configuration_in_between_throw_nothing_away(world: World) -> None:
    done = begin_and_die(world)
    old = use(world, Words("old"))
    for number in range(5):  # each makes a generation and collects
        assert world.sync([*NOTES, replace(MORE, text=f"Canteen {number}.")]).promoted
    assert len(old.embedded) == 5
    new = use(world, Words("new"))
    world.sync(NOTES, options=unmeasured(world))
    assert len(new.embedded) == len(NOTES) - done


def test_one_that_was_held_and_replaced_is_built_again_from_the_cache(world: World) -> None:
    holding = replace(unmeasured(world), hold=True)
    use(world, Words("new"))
    held = world.sync(NOTES, options=holding).held
    use(world, Words("old"))
    world.sync([*NOTES, MORE])
    assert held not in world.generations.kept()
    new = use(world, Words("new"))
    assert world.sync([*NOTES, MORE], options=holding).held
    assert new.embedded == [f"more\n{MORE.text}"]


def test_what_no_generation_needs_any_more_leaves_the_cache(world: World) -> None:
    options = replace(world.options(), keep_generations=1)
    use(world, Words("new"))
    world.sync(NOTES, options=options)
    assert rows(world, schema.embeddings) == rows(world, schema.chunks) == len(NOTES)
    with world.store.read() as connection:
        assert set(connection.scalars(sa.select(schema.chunks.c.embedder))) == {"new"}
    assert world.store.recall("reembedding") is None


def test_a_deleted_document_leaves_the_vectors_of_every_model(world: World) -> None:
    begin_and_die(world, most=128)
    use(world, Words("old"))
    gone = world.sync(NOTES[:10])  # its proof looks at the whole cache
    assert gone.proven_deleted == len(NOTES) - 10
    assert rows(world, schema.chunks) <= 2 * 10
    with world.store.read() as connection:
        keys = set(connection.scalars(sa.select(schema.embeddings.c.key)))
        assert keys == set(connection.scalars(sa.select(schema.chunks.c.embedding)))


CHILD = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from test_reembedding import NOTES, Words, unmeasured
from indexes.build import Builder, Chunking
from indexes.testing import World

real, kept = Builder._embed, 0

def embed(self, rows):
    global kept
    block = real(self, rows)
    kept += 1
    if kept == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return block

Builder._embed = embed
model = Words("new")
world = World(Path(sys.argv[1]), model, chunking=Chunking(mode="document"))
report = world.sync(NOTES, options=unmeasured(world))
assert report.promoted, report
print(len(model.embedded))
world.close()
"""


def test_killed_in_the_middle_the_next_run_embeds_only_the_rest(
    world: World, rounds: Callable[..., int]
) -> None:
    world.close()
    chance, batches = random.Random(3), 0
    here = str(Path(__file__).parent)

    def run(nth: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", CHILD, str(world.folder), str(nth), here]
        return subprocess.run(command, check=False, capture_output=True, text=True, env=dict(os.environ))

    for _ in range(rounds(fast=2, soak=10)):
        batches = max(batches, nth := chance.randint(1, 2))
        assert run(nth).returncode == -signal.SIGKILL
        with Store.open(world.folder / "store.sqlite") as store:
            assert store.recall("reembedding") == json.dumps(["new", Chunking(mode="document").key])
    last = run(-1)
    assert (last.returncode, last.stdout.split()) == (0, [str(len(NOTES) - 64 * batches)]), last.stderr


# -- looking ahead -------------------------------------------------------------------------------------


@pytest.mark.parametrize("begun", [False, True])
def test_what_is_foreseen_is_what_is_embedded(world: World, *, begun: bool) -> None:
    done = begin_and_die(world) if begun else 0
    use(world, Words("old"))
    world.sync([*NOTES, MORE])
    new = use(world, Words("new"))
    ahead = foreseen(world, [*NOTES, MORE], measure=False)
    assert ahead is not None
    assert (ahead.reason, ahead.chunks) == ("model changed", len(NOTES) + 1)
    assert (ahead.cached, new.embedded) == (done, [])
    report = world.sync([*NOTES, MORE], options=unmeasured(world))
    assert (len(new.embedded), report.reembedding) == (ahead.fresh, ahead)
    assert sum(map(len, new.embedded)) == ahead.characters


def test_it_is_told_before_anything_is_embedded_and_after_what_was_lost_is_lost(world: World) -> None:
    new, told = use(world, Words("new")), []

    def take(ahead: Reembedding) -> None:
        told.append((ahead.chunks, len(new.embedded), rows(world, schema.documents)))
        dead = sa.select(sa.func.count()).where(schema.documents.c.dead)
        with world.store.read() as connection:
            told.append(connection.scalar(dead))

    spec = SourceSpec("ops", "memory", MemorySource(NOTES[:100]), EVERYONE)
    world.run([spec], options=unmeasured(world), watch=Watch(foreseen=take))
    assert told == [(100, 0, 150), 50]


def test_another_chunking_is_foreseen_and_nothing_is_where_nothing_changed(world: World) -> None:
    assert foreseen(world) is None
    assert foreseen(world, [*NOTES, MORE]) is None
    world.chunking = Chunking(tokens=16, overlap=0)
    ahead = foreseen(world, measure=False)
    assert ahead is not None
    assert (ahead.reason, ahead.fresh) == ("chunking changed", 0)  # short notes are cut alike
    use(world, Words("new"))
    both = foreseen(world, measure=False)
    assert both is not None
    assert both.reason == "model and chunking changed"


def test_a_pace_is_measured_or_remembered_or_not_told(world: World) -> None:
    new = use(world, Words("new"))
    unknown = foreseen(world, measure=False)
    assert unknown is not None
    assert (unknown.seconds, new.embedded) == (None, [])
    measured = foreseen(world)
    assert measured is not None
    assert measured.seconds is not None
    assert measured.seconds > 0
    assert 0 < len(new.embedded) <= 20
    world.store.remember("embedding_seconds new", "2.0")
    remembered = foreseen(world)
    assert remembered is not None
    assert remembered.seconds == 2.0 * len(NOTES)


def test_what_was_rolled_back_from_is_not_foreseen_again(world: World) -> None:
    use(world, Words("new"))
    report = world.sync(NOTES)
    manifest = world.generations.manifest(str(report.generation))
    world.generations.promote(str(manifest.parent))
    world.store.remember("rolled_back", manifest.state)
    assert foreseen(world) is None


# -- holding -------------------------------------------------------------------------------------------


def test_what_is_held_waits_and_a_plain_sync_promotes_it(world: World) -> None:
    live = world.generations.live()
    new = use(world, Words("new"))
    options = replace(unmeasured(world), hold=True)
    report = world.sync(NOTES, options=options)
    assert (report.promoted, report.generation, report.gate) == (False, live, None)
    assert report.held is not None
    assert world.generations.held() == [report.held]
    assert (world.generations.live(), world.generations.kept()) == (live, [live, report.held])
    again = world.sync(NOTES, options=options)
    use(world, Words("old"))
    world.sync(NOTES)  # nothing to do: what waits stays
    assert (again.held, world.generations.kept()) == (report.held, [live, report.held])
    use(world, new)
    plain = world.sync(NOTES, options=unmeasured(world))
    assert (plain.promoted, plain.generation, plain.held) == (True, report.held, None)
    assert len(new.embedded) == len(NOTES)


def test_deletions_hold_at_once_in_a_held_sync(world: World) -> None:
    use(world, Words("new"))
    world.sync(NOTES[:-1], options=replace(world.options(), hold=True))
    use(world, Words("old"))
    hits = world.index().search(Query(NOTES[-1].text, EVERYONE, k=200)).hits
    assert NOTES[-1].name not in {hit.document for hit in hits}


# -- vectors -------------------------------------------------------------------------------------------


class Broken(Words):
    """A model that gives what is no unit vector of its width."""

    def __init__(self, how: str) -> None:
        super().__init__("broken")
        self.how = how

    def embed(self, texts: Sequence[str], *, queries: bool = False) -> Vectors:
        good = super().embed(texts)
        if self.how == "nan":
            good[-1, 0] = np.nan
        elif self.how == "long":
            good[-1] *= 2
        elif self.how == "null":
            good[-1] = 0
        return {"wide": np.repeat(good, 2, axis=1), "few": good[1:], "flat": good.ravel()}.get(self.how, good)


@pytest.mark.parametrize("how", ["nan", "long", "null", "wide", "few", "flat"])
def test_what_is_no_unit_vector_is_refused_and_nothing_of_it_is_stored(world: World, how: str) -> None:
    before = (world.generations.live(), world.generations.kept(), rows(world, schema.embeddings))
    use(world, Broken(how))
    with pytest.raises(VectorsUnsound) as refused:
        world.sync([*NOTES, MORE])
    assert "live index is as it was" in refused.value.hint
    assert (world.generations.live(), world.generations.kept(), rows(world, schema.embeddings)) == before
    use(world, Words("old"))
    assert world.index().search(Query("folder 7", EVERYONE)).hits
    assert world.sync([*NOTES, MORE]).promoted
    assert world.generations.orphans() == []


def test_another_width_under_the_same_name_is_refused_and_full_builds_anew(world: World) -> None:
    live = world.generations.live()
    wide = use(world, Words("old", dimensions=6))
    with pytest.raises(ModelMismatch, match="has 6 dimensions now; the live index was built when it had 4"):
        world.sync([*NOTES, MORE])
    assert world.generations.live() == live
    index = world.index()
    with pytest.raises(ModelMismatch, match="has 6 dimensions; the index was built when it had 4"):
        index.search(Query("folder 7", EVERYONE))
    assert index.search(Query("folder 7", EVERYONE, system="lexical")).hits
    report = world.sync([*NOTES, MORE], options=replace(world.options(), full=True))
    assert report.promoted
    assert world.generations.manifest(str(report.generation)).dimensions == 6
    assert len(wide.embedded) == len(NOTES) + 1  # what the cache holds of the other width is no vector of it
    assert index.search(Query("folder 7", EVERYONE)).hits


# -- older workspaces ------------------------------------------------------------------------------------


def test_a_manifest_and_a_store_of_an_older_program_are_used_as_they_are(world: World) -> None:
    from older_stores import without_embedders  # a child imports this file, and knows no servers

    world.close()
    path = world.folder / "store.sqlite"
    with sqlite3.connect(path) as old:
        without_embedders(old)
        old.execute("update meta set value = '3' where key = 'schema'")
    old.close()
    for manifest in (world.folder / "generations").glob("*.json"):
        text = re.sub(r',\s*"(dimensions|kept_back)": \w+', "", manifest.read_text())
        assert "dimensions" not in text
        manifest.write_text(text)
    world.store = Store.open(path, write=True)
    same = use(world, Words("old"))
    assert not world.sync(NOTES).promoted
    full = world.sync(NOTES, options=replace(world.options(), full=True))
    assert (full.promoted, same.embedded) == (True, [])
    assert world.generations.manifest(str(full.generation)).dimensions == 4
    assert rows(world, schema.chunks) == len(NOTES)
