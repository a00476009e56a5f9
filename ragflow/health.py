"""The checks of ``doctor`` that need the workspace open. None shows a document's name or text."""

from pathlib import Path

from indexes import ingest
from indexes.errors import LockHeld, StorageError
from indexes.generations import Generations
from indexes.locks import writer_lock
from indexes.store import Store
from ragflow.copies import abandoned, remove_abandoned
from ragflow.doctor import Check

_NEVER = "nothing is indexed yet"


def examine(workspace: Path, *, fix: bool) -> list[Check]:
    """Check the store, the live generation and what killed runs left behind; ``fix`` removes the latter."""
    if not (workspace / "store.sqlite").exists():
        return [Check("store", "warn", _NEVER, "ragflow index")]
    generations = Generations(workspace)
    return [_store(workspace / "store.sqlite"), _live(generations), _orphans(workspace, generations, fix=fix)]


def _store(path: Path) -> Check:
    try:
        with Store.open(path) as store:
            problems = ingest.problems(store)
    except StorageError as error:
        return Check("store", "fail", str(error), error.hint)
    if problems:
        return Check(
            "store", "fail", "; ".join(problems), "restore it from a backup, or ragflow index --full"
        )
    return Check("store", "ok", f"sound, {path.stat().st_size / 1e6:,.0f} MB")


def _live(generations: Generations) -> Check:
    try:
        live = generations.live()
        if live is None:
            return Check("generation", "warn", _NEVER, "ragflow index")
        manifest = generations.manifest(live)
        generations.verify(manifest)
    except StorageError as error:
        return Check("generation", "fail", str(error), error.hint)
    size = (
        f"{manifest.documents:,} documents, {manifest.chunks:,} chunks, {len(manifest.segments)} segment(s)"
    )
    return Check("generation", "ok", f"{live}: every file is what its digest says; {size}")


def _orphans(workspace: Path, generations: Generations, *, fix: bool) -> Check:
    try:
        with writer_lock(workspace / "lock"):
            found = [*generations.orphans(), *abandoned(workspace)]
            if found and fix:
                generations.sweep()
                remove_abandoned(workspace)
                return Check("orphans", "ok", f"removed {len(found)} file(s) that a killed run had left")
    except LockHeld:
        return Check("orphans", "ok", "an index run is going on: not looked at")
    except StorageError as error:
        return Check("orphans", "fail", str(error), error.hint)
    except OSError as error:
        return Check("orphans", "warn", f"cannot be looked at: {error.strerror}", "run doctor as the owner")
    if found:
        message = f"{len(found)} file(s) left by a killed run, named by no generation"
        return Check("orphans", "warn", message, "ragflow doctor --fix, or the next ragflow index")
    return Check("orphans", "ok", "none")
