"""The proof of deletion holds after a sync, and fails where what was deleted is still somewhere."""

from collections.abc import Callable, Collection
from dataclasses import replace

import pytest
import sqlalchemy as sa

from indexes import ingest, schema
from indexes.errors import StoreDamaged
from indexes.ingest import Buried
from indexes.proof import prove_deleted
from indexes.query import Query
from indexes.report import SyncReport
from indexes.store import Access, Store
from indexes.sync import Sync
from indexes.testing import Planted, World
from indexes.versions import pack

NewWorld = Callable[[], World]
LEAVE = Planted("hr/leave", "Employees get 28 days of annual leave. Unused days lapse in March.")
BANDS = Planted("hr/bands", "The salary band of a senior engineer starts at 74,000 euro.", ("group:hr",))
TRAVEL = Planted("ops/travel", "Book trains before planes. Hotels above 140 euro need an approval.")
CEILINGS: dict[str, Collection[str]] = {"hr": ("everyone", "group:hr")}


def deleted(world: World, **options: object) -> SyncReport:
    """Index three documents, then sync without one of them."""
    world.sync([LEAVE, BANDS, TRAVEL], ceilings=CEILINGS)
    chosen = replace(world.options(), **options)  # type: ignore[arg-type]
    return world.sync([BANDS, TRAVEL], ceilings=CEILINGS, options=chosen)


def buried(world: World) -> list[Buried]:
    d = schema.documents.c
    with world.store.read() as connection:
        rows = connection.execute(sa.select(d.id, d.name).where(d.dead)).all()
    return [Buried(row.id, row.name) for row in rows]


def counts(world: World) -> dict[str, int]:
    tables = (schema.versions, schema.texts, schema.chunks, schema.embeddings, schema.layouts, schema.scans)
    with world.store.read() as connection:
        return {
            one.name: connection.scalar(sa.select(sa.func.count()).select_from(one)) or 0 for one in tables
        }


def prove(world: World) -> int:
    return prove_deleted(world.store, world.generations, buried(world), ())


def test_a_sync_counts_what_it_proved_gone(new_world: NewWorld) -> None:
    world = new_world()
    assert deleted(world).proven_deleted == 1
    assert world.sync([BANDS, TRAVEL], ceilings=CEILINGS).proven_deleted == 0
    assert world.sync([TRAVEL], ceilings=CEILINGS).proven_deleted == 1


def test_nothing_of_it_is_kept_but_the_bare_version_that_a_generation_lists(new_world: NewWorld) -> None:
    world = new_world()
    deleted(world)
    assert len(world.generations.kept()) == 2
    assert counts(world) == {
        "versions": 3,
        "texts": 2,
        "chunks": 2,
        "embeddings": 2,
        "layouts": 1,  # an empty one, which the others have too
        "scans": 2,
    }
    assert ingest.problems(world.store) == []
    world.generations.promote(world.generations.kept()[0])
    everyone = frozenset({"everyone", "group:hr"})
    hits = world.index().search(Query("annual leave salary hotel", everyone, k=50)).hits
    assert {hit.document for hit in hits} == {BANDS.name, TRAVEL.name}


def test_evidence_stays_as_text_alone(new_world: NewWorld) -> None:
    world = new_world()
    world.sync([LEAVE, BANDS, TRAVEL], ceilings=CEILINGS)
    revision = world.store.versions_of(LEAVE.name)[0].revision
    assert deleted(world, cited={(LEAVE.name, revision)}).proven_deleted == 1
    assert world.store.text(revision) == LEAVE.text
    assert (counts(world)["chunks"], counts(world)["embeddings"]) == (2, 2)
    # When the run that cites it has expired, the next sync erases it, though nothing has changed.
    world.sync([BANDS, TRAVEL], ceilings=CEILINGS)
    assert world.store.text(revision) is None


def test_a_text_that_another_document_holds_stays(new_world: NewWorld) -> None:
    world = new_world()
    twin = replace(LEAVE, name="ops/twin")
    world.sync([LEAVE, twin])
    report = world.sync([twin], ceilings={"hr": ("everyone",)})
    assert report.proven_deleted == 1
    hits = world.index().search(Query("annual leave", frozenset({"everyone"}))).hits
    assert [(hit.document, hit.text) for hit in hits] == [(twin.name, twin.text)]


def test_a_kill_before_the_erasure_is_made_good_by_the_next_sync(
    new_world: NewWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    world, real = new_world(), Sync._step

    def step(self: Sync, state: str) -> None:
        real(self, state)
        if state == "promoted" and len(world.generations.kept()) == 2:
            raise Killed

    world.sync([LEAVE, BANDS, TRAVEL], ceilings=CEILINGS)
    with monkeypatch.context() as patch:
        patch.setattr(Sync, "_step", step)
        with pytest.raises(Killed):
            world.sync([BANDS, TRAVEL], ceilings=CEILINGS)
    with pytest.raises(StoreDamaged, match="chunks"):
        prove(world)
    world.sync([BANDS, TRAVEL], ceilings=CEILINGS)
    assert prove(world) == 1


def test_it_fails_when_a_document_lives_on_in_the_store(new_world: NewWorld) -> None:
    world = new_world()
    deleted(world)
    known = buried(world)
    with world.store.write() as connection:
        connection.execute(schema.documents.update().values(dead=False))
    with pytest.raises(StoreDamaged, match="hr/leave was deleted, and the store") as failed:
        prove_deleted(world.store, world.generations, known, ())
    assert "ragflow sources forget hr/leave" in failed.value.hint


def test_it_fails_when_a_kept_generation_shows_it(
    new_world: NewWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = new_world()
    deleted(world)
    real = Store.access

    def forgetful(self: Store) -> Access:
        """Read access as a program would that knew of no tombstones."""
        access, d = real(self), schema.documents.c
        with self.read() as connection:
            for number, acl in connection.execute(sa.select(d.id, d.acl).where(d.dead)):
                access.acl_of[number] = acl
        return access

    monkeypatch.setattr(Store, "access", forgetful)
    before, live = world.generations.kept()
    with pytest.raises(StoreDamaged, match=f"hr/leave was deleted, and generation {before} still"):
        prove_deleted(world.store, world.generations, (), ())
    monkeypatch.undo()
    assert world.generations.live() == live


@pytest.mark.parametrize("table", ["chunks", "texts", "embeddings"])
def test_it_fails_when_a_cache_still_holds_it(new_world: NewWorld, table: str) -> None:
    world = new_world()
    deleted(world)
    assert prove(world) == 1
    [version] = world.store.versions_of(LEAVE.name)
    row = {
        "chunks": {"version": version.id, "chunker": "c", "start": 0, "end": 9, "embedding": b"key"},
        "texts": {"revision": version.revision, "text": pack("x"), "characters": 1},
        "embeddings": {"key": b"loose", "vector": b""},
    }[table]
    with world.store.write() as connection:
        connection.execute(schema.metadata.tables[table].insert(), row)
    with pytest.raises(StoreDamaged, match=table):
        prove(world)
    # The next sync makes it good: it erases before it proves.
    if table != "embeddings":
        world.sync([BANDS, TRAVEL], ceilings=CEILINGS)
        assert prove(world) == 1


def test_a_sync_whose_proof_fails_ends_with_its_error(
    new_world: NewWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, real = new_world(), Sync._step

    def step(self: Sync, state: str) -> None:
        real(self, state)
        if state == "collected":
            with world.store.write() as connection:
                connection.execute(schema.documents.update().values(dead=False))

    world.sync([LEAVE, BANDS, TRAVEL], ceilings=CEILINGS)
    monkeypatch.setattr(Sync, "_step", step)
    with pytest.raises(StoreDamaged, match=LEAVE.name):
        world.sync([BANDS, TRAVEL], ceilings=CEILINGS)


def test_a_kept_generation_that_is_damaged_shows_nothing_and_stops_nothing(new_world: NewWorld) -> None:
    world = new_world()
    deleted(world)
    first = world.generations.kept()[0]
    (world.generations.folder / f"{first}.npy").write_bytes(b"damaged")
    assert prove(world) == 1
