"""Which questions of an evaluation may be asked, as whom, and what is measured by default."""

from collections.abc import Sequence

from evals import metrics as metrics_of
from evals.cases import Case
from ragflow import identity
from ragflow.config import Config
from ragflow.errors import NotAllowed
from ragflow.identity import Asker


def forbidden(config: Config, cases: Sequence[Case], asker: Asker) -> dict[str, str]:
    """Return the cases that the actor may not ask with the readers that they name, with the reason.

    Raises ``NotAllowed`` where that is all of them.
    """
    if identity.login() in config.identity.impersonate:
        return {}
    own = set(asker.readers)
    found = {
        case.id: f"{asker.actor} may not stand in for {', '.join(case.readers or ())}"
        for case in cases
        if not own.issuperset(readers_of(case, asker))
    }
    if found and len(found) == len(cases):
        raise NotAllowed(f"no question can be asked: {next(iter(found.values()))}")
    return found


def readers_of(case: Case, asker: Asker) -> frozenset[str]:
    """Return whose rights count for a case: those that it names, else the asker's."""
    return frozenset(asker.readers if case.readers is None else identity.readers(case.readers))


def default_metrics(kind: str) -> tuple[str, ...]:
    """Return the metrics that suit a data set: of retrieval for BEIR, all for a question file."""
    if kind == "beir":
        return metrics_of.RETRIEVAL
    return (
        *metrics_of.RETRIEVAL,
        *metrics_of.ANSWERS,
        *metrics_of.REFUSALS,
        *metrics_of.ROUTING,
        *metrics_of.COSTS,
    )
