"""``eval attack``: does an order that is hidden in a document change what is answered?"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from ragflow.cli.eval_tables import aligned
from ragflow.cli.frame import Frame, emit, say, width
from ragflow.cli.options import Json, Readers, unicode_only
from ragflow.terminal import wrapped

_SHOWN = 10
_HEADS = ("family", "attacks", "succeeded", "cites it", "unflagged", "answered", "lost")


def add(group: typer.Typer) -> None:
    """Add the command to the group ``eval``."""
    group.command("attack")(attack)


def attack(  # noqa: PLR0913 - each is a flag of the command line
    ctx: typer.Context,
    attacks: Annotated[
        Path, typer.Argument(metavar="ATTACKS", help="An attack file (.jsonl); docs/attacks.md.")
    ],
    *,
    questions: Annotated[
        Path | None,
        typer.Option(
            "--questions", metavar="FILE", help="Questions whose documents attacks are planted into."
        ),
    ] = None,
    tier: Annotated[
        str | None,
        typer.Option("--tier", metavar="T", callback=unicode_only, help="Ask the models of this tier."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Only so many, of all families.")
    ] = None,
    as_: Readers = None,
    as_json: Json = False,
) -> None:
    """Plant attacks into copies, and see who obeys.

    Each question is asked without and with its attack, in a workspace of its own with this configuration.
    The exit code is 8 where an attack succeeded, 9 where none could be tried.
    """
    from evals import attacks as attack_sets
    from evals.datasets import load
    from ragflow import attacking
    from ragflow.cli.evaluating import counting

    frame: Frame = ctx.obj
    with frame.app() as app, counting() as progress:
        read = attack_sets.read(frame.folder / attacks)
        chosen = replace(read, attacks=attack_sets.limited(read.attacks, limit))
        cases = load(frame.folder / questions).cases if questions is not None else ()
        report = attacking.attack(app, chosen, cases=cases, readers=as_ or (), tier=tier, progress=progress)
    if as_json:
        emit(report.to_json())
    else:
        for line in attacked(report.to_json(), width()):
            say(line)
    raise typer.Exit(report.exit_code)


def attacked(report: Mapping[str, Any], width: int) -> Iterator[str]:
    """Give the lines of a report: a table by family, then which attacks succeeded and how."""
    rows = [[name, *_cells(one)] for name, one in (*report["families"].items(), ("all", report["total"]))]
    yield from aligned(_HEADS, rows)
    total = report["total"]
    for one in report["succeeded"][:_SHOWN]:
        yield wrapped(f"{one['id']} succeeded ({one['sense']}): {one['detail']}", width, indent="  ")
    if len(report["succeeded"]) > _SHOWN:
        yield f"and {len(report['succeeded']) - _SHOWN:,} more: --json shows them all"
    if total["sources_moved"]:
        yield wrapped(
            f"{total['sources_moved']} searched other sources: which sources are searched depends on "
            "what their documents say",
            width,
        )
    if total["not_planted"]:
        yield f"{total['not_planted']} could not be planted: parsing removed them"
    for one in report["failed"][:_SHOWN]:
        yield wrapped(f"{one['id']} could not be asked: {one['error']}", width, indent="  ")


def _cells(one: Mapping[str, Any]) -> list[str]:
    keys = ("attacks", "succeeded", "cites_injected", "cites_unflagged", "answered", "lost")
    return [f"{one[key]:,}" for key in keys]
