"""Upkeep of a workspace's generations: list, promote, roll back, compare. Writers hold the write lock."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from indexes.embedding import Embedder
from indexes.errors import NoGeneration, UnknownGeneration
from indexes.generations import Generations, Manifest
from indexes.store import Store
from ragflow.config import Config
from ragflow.identity import Asker

if TYPE_CHECKING:
    from indexes.forget import Forgotten
    from indexes.report import Gate, Progress

SCHEMA = "ragflow.promotion/1"


def settings_of(config: Config) -> dict[str, Any]:
    """Return what of the configuration a generation depends on, as a plain object for its manifest."""
    return {
        "chunk": config.chunk.model_dump(mode="json"),
        "embed": config.embed.own(),
        "parse": {"ocr": config.parse.ocr, "hidden_text": config.parse.hidden_text},
    }


def gating(
    config: Config, asker: Asker, embedder: Callable[[], Embedder], progress: "Callable[[Progress], None]"
) -> "Callable[[Store], Gate]":
    """Read the rules and data sets of ``gates`` and return what makes the gate of an open store.

    Raises as ``gates.read``: what cannot be applied is told before anything is built.
    """
    from ragflow import gates  # an index run without a gate needs nothing of an evaluation

    questions = gates.read(config)
    return lambda store: gates.Gating(config, store, embedder, asker, questions, progress)


def listed(
    generations: Generations, store: Callable[[], Store], readers: frozenset[str] | None
) -> list[dict[str, Any]]:
    """Give the kept generations, newest first, as ``ragflow.generation/1``.

    Documents and chunks are counted as the readers may know of them; None counts all.
    """
    from indexes.difference import Size, sizes  # a cold ask needs nothing of it

    live, held = generations.live(), generations.held()
    manifests = [generations.manifest(one) for one in reversed(generations.kept())]
    if readers is None:
        counted = [Size(one.documents, one.chunks) for one in manifests]
    else:
        counted = sizes(store(), generations, manifests, readers) if manifests else []
    return [
        {
            "schema": "ragflow.generation/1",
            "generation": one.id,
            "created": one.created,
            "live": one.id == live,
            "held": one.id in held,
            "parent": one.parent,
            "documents": size.documents,
            "chunks": size.chunks,
        }
        for one, size in zip(manifests, counted, strict=True)
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
    before = _before(generations, live)
    generations.verify(generations.manifest(before))
    generations.promote(before)
    store.remember("rolled_back", left.state)
    return {"schema": SCHEMA, "generation": before, "rolled_back": live}


def diff(
    store: Store, generations: Generations, names: tuple[str | None, str | None], asker: Asker
) -> dict[str, Any]:
    """Return what differs between two kept generations as ``ragflow.generations_diff/1``.

    Documents are named, and counted, as the asker may read them. Without names: the live one and what
    waits beside it, else the one before it and the live one; with one, that one and the live one. What a
    gate found is shown to who asked it, to an auditor, and to who has all the rights that it was asked with.
    """
    from indexes.difference import difference  # a cold ask needs nothing of it

    a, b = _chosen(generations, *names)
    found = difference(store, generations, (a, b), frozenset(asker.readers))
    return {
        "schema": "ragflow.generations_diff/1",
        "a": _about(a, found.a, generations.live()),
        "b": _about(b, found.b, generations.live()),
        "added": list(found.added),
        "removed": list(found.removed),
        "updated": list(found.updated),
        "moved": [{"from": old, "to": new} for old, new in found.moved],
        "access_changed": list(found.access_changed),
        "unchanged": found.unchanged,
        "configuration": _configuration(a, b),
        "gate": _gate(b, asker),
    }


def _chosen(generations: Generations, a: str | None, b: str | None) -> tuple[Manifest, Manifest]:
    live = generations.live()
    if live is None:
        raise NoGeneration("nothing has been indexed yet", hint="ragflow index")
    if a is None:
        kept = generations.kept()
        b = kept[-1] if live in kept else live
        a = live if b != live else _before(generations, live)
    return generations.manifest(a), generations.manifest(b or live)


def _about(manifest: Manifest, documents: int, live: str | None) -> dict[str, Any]:
    return {
        "generation": manifest.id,
        "created": manifest.created,
        "live": manifest.id == live,
        "documents": documents,
    }


def _configuration(a: Manifest, b: Manifest) -> list[dict[str, Any]]:
    """Return the settings that differ, then the keys of what was built by, which name every cause."""
    old, new = ({**_flat(one.settings), **_keys(one)} for one in (a, b))
    told = bool(a.settings and b.settings)
    keys = [key for key in {**old, **new} if told or key in _keys(a)]
    return [
        {"key": key, "a": old.get(key), "b": new.get(key)} for key in keys if old.get(key) != new.get(key)
    ]


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{section}.{key}": value for section, keys in settings.items() for key, value in keys.items()}


def _keys(manifest: Manifest) -> dict[str, str]:
    keys = {"embedder": manifest.embedder, "chunker": manifest.chunker, "analyser": manifest.analyser}
    return keys | ({"parsing": manifest.parsing} if manifest.parsing else {})


def _gate(manifest: Manifest, asker: Asker) -> dict[str, Any] | None:
    report = manifest.report
    if report is None:
        return None
    own = not asker.acting and (asker.auditor or asker.actor == report["actor"])
    if not own and not set(report["readers"]).issubset(asker.readers):
        return None
    shown = ("status", "held", "reason", "change", "baseline", "created", "checks")
    return {key: report[key] for key in shown}


def _before(generations: Generations, live: str) -> str:
    """Return the generation before the live one: its parent, else the newest older one that was live."""
    held = generations.held()
    kept = [one for one in generations.kept() if one not in held]
    earlier = kept[: kept.index(live)] if live in kept else kept
    if not earlier:
        raise UnknownGeneration("no earlier generation is kept", hint="ragflow generations list")
    parent = generations.manifest(live).parent
    return parent if parent in earlier else earlier[-1]


def forgotten(document: str, gone: "Forgotten", *, records: int) -> dict[str, Any]:
    """Return what was erased as ``ragflow.forget/1``."""
    return {
        "schema": "ragflow.forget/1",
        "document": document,
        "documents": gone.documents,
        "revisions": gone.versions,
        "records": records,
        "generation": gone.generation,
        "held_by_open_processes": list(gone.held),
    }
