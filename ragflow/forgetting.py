"""``sources forget``: a document erased from everything that holds a word of it; digests stay."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from indexes.forget import Forgotten, forget
from indexes.generations import Generations
from indexes.store import Store
from ragflow import parts, upkeep
from ragflow.approvals import erasing
from ragflow.config import Config
from ragflow.copies import remove_abandoned
from ragflow.errors import NotFound
from ragflow.evaluation import Evaluation
from ragflow.library import Library
from ragflow.records import Run
from ragflow.runs import RunStore
from ragflow.workflows.erasing import WAIT_S, reaching


@dataclass(frozen=True, slots=True)
class Work:
    """What forgetting works with. The write lock is held."""

    config: Config
    store: Store
    generations: Generations
    runs: RunStore
    evaluation: Evaluation


def there(library: Library, document: str) -> None:
    """Raises ``NotFound`` where no document of that name is in the store."""
    if not library.exists(document):
        raise NotFound(f"not found: {document}")


def run(work: Work, document: str, blank: Callable[[str | None], Run]) -> dict[str, Any]:
    """Erase a document that is there and return ``ragflow.forget/1``. ``blank`` gives a record to fill.

    ``held_by_runs``: those that another process executes still. They end before their next step, and what
    they hold goes with them.
    """
    with reaching(work.config, work.runs, document) as reach:
        if reach is not None:  # first: where its server does not answer, nothing is begun
            reach.tell()
            reach.cancel()
        erasing.forget(work.config, document)
        gone = _from_index(work, document)
        # Again: what was going on meanwhile may have kept words of it.
        held = () if reach is None else reach.cancel(wait=WAIT_S)
        record = work.runs.erase(document, forget=blank(gone.generation))
        erased = (record.output or {}).get("erased", {})
        if reach is not None:
            reach.finish(erased)
        cancelled = () if reach is None else reach.cancelled
    still = work.evaluation.forget(document)
    gone = replace(gone, held=(*gone.held, *still))
    report = upkeep.forgotten(document, gone, records=len(erased))
    return {**report, "cancelled_runs": sorted(cancelled), "held_by_runs": sorted(held)}


def _from_index(work: Work, document: str) -> Forgotten:
    remove_abandoned(work.config.workspace)
    cited = {pair for pair in work.runs.cited() if pair[0] != document}
    publisher = parts.publisher(work.config, work.store, work.generations)
    return forget(work.store, work.generations, document, cited=cited, publisher=publisher)
