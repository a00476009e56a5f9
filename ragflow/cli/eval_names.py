"""How the commands of ``eval`` name runs, systems and metrics."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragflow.cli.options import unicode_only

if TYPE_CHECKING:
    from evals.results import EvalRun

# A metric's parameters may hold commas: nDCG(judged_only=True,dcg='exp-log2')@10.
_COMMA = re.compile(r",(?![^(]*\))")

EvalRunId = Annotated[
    str,
    typer.Argument(
        metavar="RUN", callback=unicode_only, help='As in eval list, or "last".', show_default=False
    ),
]
Systems = Annotated[
    str | None,
    typer.Option(
        "--systems",
        metavar="A,B",
        callback=unicode_only,
        help="bm25, lexical, dense, hybrid, reranked or module:function.",
    ),
]
Metrics = Annotated[
    str | None,
    typer.Option(
        "--metrics",
        metavar="A,B",
        callback=unicode_only,
        help="As nDCG@10, token_F1, CRAG; docs/evals.md has all.",
    ),
]


def names(text: str | None) -> tuple[str, ...]:
    """Split ``a,b`` at its commas; None and "" are no name."""
    return tuple(name.strip() for name in _COMMA.split(text or "") if name.strip())


def target(folder: Path, file: Path, *, new: str = "") -> Path:
    """Return where to write a file, once it is sure that it can be made there.

    ``new``: it must not be there yet; the hint for whoever finds it there. "": it is overwritten.

    Raises:
        AlreadyThere: it is there, and must not be.
        UsageError: its folder is not there, or it is a folder itself.
    """
    from ragflow.errors import AlreadyThere, UsageError

    place = folder / file
    if not place.parent.is_dir():
        raise UsageError(f"there is no folder {place.parent}", hint="make it, or name another file")
    if place.is_dir():
        raise UsageError(f"{place} is a folder", hint="name a file")
    if new and (place.exists() or place.is_symlink()):
        raise AlreadyThere(f"{place} is there already", hint=new)
    return place


def chosen_system(run: "EvalRun", wanted: str | None) -> str:
    """Return the system that is named, else what people get (reranked, else hybrid), else the last.

    Raises:
        UsageError: it took no part.
    """
    from ragflow.errors import UsageError

    systems = run.setup.systems
    if wanted is None:
        return next((name for name in ("reranked", "hybrid") if name in systems), systems[-1])
    if wanted not in systems:
        raise UsageError(f"{run.setup.run} has no system {wanted}", hint=f"it has: {', '.join(systems)}")
    return wanted


def pairs(a: "EvalRun", b: "EvalRun", a_system: str, b_system: str) -> list[tuple[str, str]]:
    """Return which systems of two runs to compare; "" where none is named: the other's, else all shared.

    Raises:
        UsageError: a system took no part, none is shared, or one is held against itself.
    """
    from ragflow.errors import UsageError

    if a_system or b_system:
        left, right = (chosen_system(a, a_system or b_system), chosen_system(b, b_system or a_system))
        found = [(left, right)]
    else:
        found = [(one, one) for one in a.setup.systems if one in b.setup.systems]
    if not found:
        raise UsageError(
            f"{a.setup.run} and {b.setup.run} have no system in common",
            hint=f"name one of each: {a.setup.run}:{a.setup.systems[0]} {b.setup.run}:{b.setup.systems[0]}",
        )
    if a.setup.run == b.setup.run and any(one == other for one, other in found):
        raise UsageError(
            f"{a.setup.run} would be compared with itself",
            hint="name two runs (ragflow eval list), or two systems: last:bm25 last:hybrid",
        )
    return found
