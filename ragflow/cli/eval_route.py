"""``eval route``: are questions sent to the sources that hold their answers, and how much is searched?"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from ragflow.cli.eval_tables import aligned, figure, left_out
from ragflow.cli.frame import Frame, emit, say, warn, width
from ragflow.cli.options import Json, Readers
from ragflow.cli.progress import reporting
from ragflow.cli.routing import BY
from ragflow.terminal import escape, one_line, wrapped

Report = Mapping[str, Any]

CANNOT_SAY = 9
_SHOWN = 10
_NAMES = {
    "route_top1": "best source is right",
    "route_recall": "right ones searched",
    "route_searched": "share searched",
    "route_accuracy": "right ones, no others",
    "route_macro_F1": "macro F1",
}
_BY = {**BY, "all": "nothing (all searched)"}


def add(group: typer.Typer) -> None:
    """Add the command to the group ``eval``."""
    group.command("route")(route)


def route(
    ctx: typer.Context,
    dataset: Annotated[
        Path, typer.Argument(metavar="DATASET", help="A question file whose questions name their source.")
    ],
    *,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Only so many, drawn at random.")
    ] = None,
    as_: Readers = None,
    as_json: Json = False,
) -> None:
    """Measure where the router alone sends questions.

    Shows how often the best source is right and how much is searched, what decided, which sources are
    mistaken for which, the questions that went wrong, and what another level of the scores would give.
    The exit code is 9 where no question names its source.
    """
    frame: Frame = ctx.obj
    with frame.app() as app, _counting() as progress:
        found = app.evaluation().routes(
            frame.folder / dataset, limit=limit, readers=tuple(as_ or ()), progress=progress, note=warn
        )
    report = found.to_json()
    if as_json:
        emit(report)
    else:
        for line in routes(report, width()):
            say(line)
    raise typer.Exit(0 if report["metrics"]["route_recall"]["n"] else CANNOT_SAY)


@contextmanager
def _counting() -> Iterator[Callable[[int, int], None]]:
    """Give what takes (done, total) and shows it on stderr, for the length of a ``with``."""
    from indexes.report import Progress

    with reporting() as report:
        yield lambda done, total: report(Progress("route", None, done, total))


def routes(report: Report, width: int) -> Iterator[str]:
    """Give the lines of a report: figures, what decided, confusions, levels, what went wrong."""
    rows = [
        [
            _NAMES[name],
            figure(one["value"]),
            f"{figure(one['low'])} to {figure(one['high'])}",
            f"{one['n']:,}",
        ]
        for name, one in report["metrics"].items()
        if one["n"]
    ]
    if rows:
        yield from aligned(("", "value", "95 % interval", "n"), rows)
    yield from left_out(report["metrics"], width)
    decided = ", ".join(f"{_BY.get(by, by)} {count:,}" for by, count in report["by"].items())
    if decided:
        yield wrapped(f"decided by: {decided}", width)
    if report["confusion"]:
        yield ""
        yield from _confused(report["confusion"])
    if report["levels"] is not None:
        yield ""
        yield from _levels(report["levels"], width)
    yield from _wrong(report["wrong"], width)


def _confused(confusion: Report) -> Iterator[str]:
    columns = sorted({name for row in confusion.values() for name in row} | set(confusion))
    rows = [[gold, *(f"{row.get(name, 0):,}" for name in columns)] for gold, row in confusion.items()]
    yield from aligned(("right one \\ best", *columns), rows)


def _levels(levels: Report, width: int) -> Iterator[str]:
    rows = [
        [name, figure(one["level"]), figure(one["recall"]), figure(one["searched"])]
        for name, one in (("shipped", levels["shipped"]), ("fitted here", levels["fitted"]))
    ]
    yield from aligned(("level of the scores", "level", "right ones searched", "share searched"), rows)
    yield wrapped(
        f"Both over the {levels['n']:,} questions that scores decided; the fitted one is cross-fitted.", width
    )


def _wrong(wrong: list[Report], width: int) -> Iterator[str]:
    if not wrong:
        return
    yield ""
    yield f"{len(wrong):,} went wrong" + (f", the first {_SHOWN}:" if len(wrong) > _SHOWN else ":")
    for one in wrong[:_SHOWN]:
        yield one_line(f"{one['id']}: {one['question']}", width)
        if one["error"] is not None:
            yield one_line(f"  failed: {one['error']}", width)
            continue
        searched = ", ".join(one["searched"]) or "nothing"
        right = " and ".join(one["gold"])
        yield escape(f"  right {right}; best {one['best']}; searched {searched} (by {one['by']})")
    if len(wrong) > _SHOWN:
        yield "--json shows them all"
