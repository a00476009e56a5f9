"""Upkeep of a workspace's generations: list them, promote one, roll back. The caller holds the write lock."""

from typing import Any

from indexes.errors import NoGeneration, UnknownGeneration
from indexes.generations import Generations
from indexes.store import Store

SCHEMA = "ragflow.promotion/1"


def listed(generations: Generations) -> list[dict[str, Any]]:
    """Give the kept generations, newest first, as ``ragflow.generation/1``."""
    live = generations.live()
    manifests = [generations.manifest(one) for one in reversed(generations.kept())]
    return [
        {
            "schema": "ragflow.generation/1",
            "generation": one.id,
            "created": one.created,
            "live": one.id == live,
            "parent": one.parent,
            "documents": one.documents,
            "chunks": one.chunks,
        }
        for one in manifests
    ]


def promote(generations: Generations, store: Store, generation: str) -> dict[str, Any]:
    """Make a kept generation live after checking its files. Access and deletions stay as they are now."""
    generations.verify(generations.manifest(generation))
    generations.promote(generation)
    store.remember("rolled_back", None)
    return {"schema": SCHEMA, "generation": generation}


def rollback(generations: Generations, store: Store) -> dict[str, Any]:
    """Make the generation before the live one live; no sync promotes the state that was left again."""
    live = generations.live()
    if live is None:
        raise NoGeneration("nothing has been indexed yet", hint="ragflow index")
    left = generations.manifest(live)
    kept = generations.kept()
    earlier = kept[: kept.index(live)]
    if not earlier:
        raise UnknownGeneration("no earlier generation is kept", hint="ragflow generations list")
    before = left.parent if left.parent in earlier else earlier[-1]
    generations.verify(generations.manifest(before))
    generations.promote(before)
    store.remember("rolled_back", left.state)
    return {"schema": SCHEMA, "generation": before, "rolled_back": live}
