"""The run records of a workspace, as an asker may see them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING

from ragflow.config import Config
from ragflow.errors import NotFound
from ragflow.identity import Asker
from ragflow.library import Library
from ragflow.records import Run, blank, named
from ragflow.runs import RunStore

if TYPE_CHECKING:
    from ragflow.workflows.live import LiveRuns

_OPERATORS = frozenset({"index", "forget"})


class History:
    """Looks into the records. A run belongs to its actor; an auditor sees those of others.

    One that names what the asker may not read now is not there. Runs that brought the index up to date or
    erased something tell of all documents: they are shown to their own actor, and to an auditor who may
    stand in for others and so read everything. A workflow's run is there from its beginning.
    """

    def __init__(
        self, store: RunStore, library: Callable[[], Library], live: Callable[[], "LiveRuns"]
    ) -> None:
        self._store = store
        self._library = library
        self._live = live

    def newest(self, limit: int, asker: Asker) -> list[Run]:
        """Give at most ``limit`` runs, newest first; those that are not there leave no gap."""
        owner = None if asker.auditor and not asker.acting else asker.actor
        read = limit
        while True:
            runs = self._listed(read, owner)
            seen = [one for one in runs if self._may_see(one, asker)]
            if len(seen) >= limit or len(runs) < read:
                return seen[:limit]
            read *= 4

    def each(self, asker: Asker, *, since: str = "") -> Iterator[Run]:
        """Give all runs created since then (``timestamp``), oldest first, one at a time."""
        owner = None if asker.auditor and not asker.acting else asker.actor
        return self.seen(self._store.each(owner=owner, since=since), asker)

    def seen(self, runs: Iterable[Run], asker: Asker) -> Iterator[Run]:
        """Give those of the runs that the asker may see. Each document is looked up once."""
        hidden: dict[str, bool] = {}

        def of(documents: frozenset[str]) -> bool:
            new = documents.difference(hidden)
            if new:
                found = self._library().hidden(new, frozenset(asker.readers))
                hidden.update((name, name in found) for name in new)
            return any(hidden[name] for name in documents)

        return (run for run in runs if self._may_see(run, asker, of))

    def get(self, run: str, asker: Asker) -> Run:
        """Give one run; ``last`` is the asker's own newest. Raises ``NotFound``."""
        if run == "last":
            own = self.newest(1, replace(asker, auditor=False))
            found = own[0] if own else None
        else:
            found = self._store.get(run) or self._live().get(run)
        if found is None or not self._may_see(found, asker):
            raise NotFound(f"not found: run {run}", hint="ragflow runs list")
        return found

    def shows(self, run: Run, asker: Asker) -> bool:
        """Tell whether a run is there for the asker."""
        return self._may_see(run, asker)

    def _listed(self, limit: int, owner: str | None) -> list[Run]:
        """Give the newest records, and runs of workflows that have none yet, by when they began."""
        ended = list(self._store.list(limit, owner=owner))
        live = [one for one in self._live().newest(limit, owner) if self._store.get(one.run) is None]
        if not live:
            return ended
        return sorted([*live, *ended], key=lambda run: run.created, reverse=True)[:limit]

    def _may_see(
        self, run: Run, asker: Asker, any_hidden: Callable[[frozenset[str]], bool] | None = None
    ) -> bool:
        own = run.actor[0] == asker.actor
        if not own and (asker.acting or not asker.auditor):
            return False
        if run.kind in _OPERATORS:
            return not asker.acting and (own or asker.impersonator)
        documents = named(run)
        if any_hidden is not None:
            return not any_hidden(documents)
        return not documents or not self._library().hidden(documents, frozenset(asker.readers))


def begun(config: Config, kind: str, *, asker: Asker, created: str, generation: str | None) -> Run:
    """Give a record of a kind that is done, with nothing in it yet."""
    return blank(
        kind,
        actor=asker.principals,
        created=created,
        generation=generation,
        config_digest=config.digest,
        version=version("ragflow"),
    )
