"""A stored evaluation as somebody may see it today: without what they may not read now.

Figures are numbers of what could be read when they were measured, and stay.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

from evals.erasing import case_for, case_names, row_for, row_names
from evals.results import EvalRun
from ragflow.identity import Asker
from ragflow.library import Library

# Sections of the configuration that name sources, people or documents.
_TELLING = frozenset({"sources", "identity", "routes", "gates"})
_NOT_SHOWN = "its gold is not shown"


def view(run: EvalRun, asker: Asker, library: Library | None, sources: Collection[str]) -> EvalRun:
    """Return a run without the names and words of documents that the asker may not read now.

    Who may stand in for others could read what anybody may; hidden from them is what nobody may read, and
    they see the whole configuration. The gold of one's own questions stays as one wrote it, whether its
    documents are there or not; of others' it is shown as far as its documents may be read. ``library`` None:
    there is no index, and nobody else sees any document. ``sources``: the configured ones.
    """
    readers = None if asker.impersonator else frozenset(asker.readers)
    shown: Collection[str] = sources
    if readers is not None:
        shown = frozenset() if library is None else library.sources(readers)
        config = {key: value for key, value in run.setup.config.items() if key not in _TELLING}
        run = replace(run, setup=replace(run.setup, config=config))
    named = {name for row in run.rows for name in row_names(row)}
    hidden = _Names(library, readers, sources if run.setup.kind == "beir" else None).hidden(named)
    run = replace(run, rows=tuple(row_for(row, hidden, shown) for row in run.rows))
    return run if run.setup.actor[:1] == (asker.actor,) else _of_others(run, library, readers, sources)


def _of_others(
    run: EvalRun, library: Library | None, readers: frozenset[str] | None, sources: Collection[str]
) -> EvalRun:
    named = {name for case in run.cases for name in case_names(case)}
    known = _Names(library, readers, sources if run.setup.kind == "beir" else None).known(named)
    unknown = named - known
    touched = {case.id for case in run.cases if not unknown.isdisjoint(case_names(case))}
    excluded = {id_: _NOT_SHOWN if id_ in touched else why for id_, why in run.setup.excluded.items()}
    cases = tuple(case_for(case, unknown) for case in run.cases)
    return replace(run, setup=replace(run.setup, excluded=excluded), cases=cases)


@dataclass(frozen=True, slots=True)
class _Names:
    """Which documents may be known. ``sources`` not None: names are items of any of these (BEIR)."""

    library: Library | None
    readers: frozenset[str] | None
    sources: Collection[str] | None

    def hidden(self, named: Collection[str]) -> frozenset[str]:
        """Return those that are hidden."""
        if self.library is None:
            return frozenset() if self.readers is None else frozenset(named)
        return self._plain(self.library.hidden(self._whole(named), self.readers))

    def known(self, named: Collection[str]) -> frozenset[str]:
        """Return those that may be known; one that is hidden in any source is not."""
        if self.library is None:
            return frozenset(named) if self.readers is None else frozenset()
        return self._plain(self.library.known(self._whole(named), self.readers)) - self.hidden(named)

    def _whole(self, named: Collection[str]) -> set[str]:
        if self.sources is None:
            return set(named)
        return {f"{source}/{name}" for source in self.sources for name in named}

    def _plain(self, named: Collection[str]) -> frozenset[str]:
        return frozenset(named if self.sources is None else (name.partition("/")[2] for name in named))
