"""A stored evaluation as somebody may see it today: without what they may not read now.

Figures are numbers of what could be read when they were measured, and stay.
"""

from collections.abc import Collection
from dataclasses import replace

from evals.erasing import case_for, case_names, row_for, row_names
from evals.results import EvalRun
from ragflow.identity import Asker
from ragflow.library import Library

# Sections of the configuration that name sources, people or documents.
_TELLING = frozenset({"sources", "identity", "routes", "gates"})
_HIDDEN = "its gold may not be read"


def view(run: EvalRun, asker: Asker, library: Library | None, sources: Collection[str]) -> EvalRun:
    """Return a run without the names and words of documents that the asker may not read now.

    Who may stand in for others could read what anybody may; hidden from them is what nobody may read, and
    they see the whole configuration. ``library`` None: there is no index, and nobody else sees any document.
    ``sources``: the configured ones.
    """
    readers = None if asker.impersonator else frozenset(asker.readers)
    hidden = _hidden(run, library, readers, sources)
    if readers is None:
        shown = frozenset(sources)
    else:
        shown = frozenset() if library is None else library.sources(readers)
    setup = run.setup
    if readers is not None:
        setup = replace(setup, config={key: setup.config[key] for key in setup.config if key not in _TELLING})
    touched = {case.id for case in run.cases if not hidden.isdisjoint(case_names(case))}
    setup = replace(
        setup,
        excluded={id_: _HIDDEN if id_ in touched else why for id_, why in setup.excluded.items()},
    )
    return EvalRun(
        setup,
        tuple(case_for(case, hidden) for case in run.cases),
        tuple(row_for(row, hidden, shown) for row in run.rows),
    )


def _hidden(
    run: EvalRun, library: Library | None, readers: frozenset[str] | None, sources: Collection[str]
) -> frozenset[str]:
    """Return the names, as the run has them, of documents that the readers may not know of."""
    named = {name for row in run.rows for name in row_names(row)}
    named |= {name for case in run.cases for name in case_names(case)}
    if library is None:
        return frozenset() if readers is None else frozenset(named)
    if run.setup.kind != "beir":
        return library.hidden(named, readers)
    # Here a name is an item, and which source it is of was not kept.
    hidden: set[str] = set()
    for source in sources:
        found = library.hidden({f"{source}/{name}" for name in named}, readers)
        hidden |= {name.partition("/")[2] for name in found}
    return frozenset(hidden)
