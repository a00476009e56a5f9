"""``index``: bring the index up to date with its sources, with progress."""

import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragflow.cli.frame import Frame, emit, say, warn
from ragflow.cli.options import Json
from ragflow.cli.plans import planned, reembedded
from ragflow.cli.progress import reporting
from ragflow.cli.tables import indexed, table
from ragflow.terminal import escape, one_line

if TYPE_CHECKING:
    from indexes.reembedding import Reembedding
    from indexes.report import SyncPlan

_SHOWN_EXCLUDED = 5


def add(program: typer.Typer) -> None:
    """Add the command of this module."""
    program.command("index")(index)


def index(  # noqa: PLR0913 - each is a flag of the command line
    ctx: typer.Context,
    sources: Annotated[
        list[str] | None, typer.Argument(metavar="SOURCE", help="Only these; all without.")
    ] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, do nothing.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Read and embed everything again.")] = False,
    allow_deletes: Annotated[
        bool, typer.Option("--allow-deletes", help="Agree to a large number of deletions.")
    ] = False,
    gate: Annotated[
        bool, typer.Option("--gate", help="Promote only what the rules of gates find not worse.")
    ] = False,
    hold: Annotated[
        bool, typer.Option("--hold", help="Build beside the live index and promote nothing.")
    ] = False,
    wait: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", min=0, help="Wait for another index run to end.")
    ] = 0.0,
    as_json: Json = False,
) -> None:
    """Read what changed in the sources and make it searchable.

    All sources are listed first, and what is to be done is shown on stderr before it is done.
    Interrupted at any moment, it goes on where it stopped the next time. With --gate the new index becomes
    live only if it answers the questions of gates no worse than the live one; else it is held, with exit
    code 8 (worse) or 9 (cannot tell). With --hold it waits in any case, to be compared and promoted by
    hand. Deletions and lost access hold at once all the same.
    """
    frame: Frame = ctx.obj
    if hold and gate:
        raise typer.BadParameter("--hold promotes nothing, --gate decides: give one of them")
    with frame.app() as app, reporting() as progress:
        report = app.index(
            sources or None,
            dry_run=dry_run,
            full=full,
            allow_deletes=allow_deletes,
            gate=gate,
            hold=hold,
            wait=wait,
            progress=progress,
            planned=_nothing if as_json or dry_run else _foretell,
            foreseen=_nothing if as_json else _forewarn,
        )
    if as_json:
        emit(report.to_json())
    else:
        if dry_run:
            say("Nothing was changed; an index run would do this:")
            for line in (*planned(report.sync.plan), *_ahead(report.sync.reembedding)):
                say(line)
        shown = report.to_json()
        for line in (*indexed(shown), *gated(shown), *held(shown)):
            say(line)
    if report.sync.gate is not None and report.sync.promoted and report.sync.gate["status"] == "inconclusive":
        warn(report.sync.reason or "")
    raise typer.Exit(report.exit_code)


def _foretell(plan: "SyncPlan") -> None:
    """Show the plan on stderr, where progress is shown too."""
    for line in planned(plan):
        sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _forewarn(ahead: "Reembedding") -> None:
    """Show on stderr what is to be embedded anew."""
    for line in _ahead(ahead):
        sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _ahead(ahead: "Reembedding | None") -> Iterator[str]:
    from ragflow.reports import reembedding_json  # pydantic is slow to import

    return iter(()) if ahead is None else reembedded(reembedding_json(ahead))


def _nothing(_: object) -> None:
    return


def held(report: Mapping[str, Any]) -> Iterator[str]:
    """Give the lines of a generation that was built to wait: what to do with it."""
    if report["held"] is None:
        return
    name = escape(report["held"])
    yield f"{name} waits beside the live index. To compare the two, and to make it live:"
    yield "  ragflow eval compare --generations"
    yield f"  ragflow generations promote {name}"


def gated(report: Mapping[str, Any]) -> Iterator[str]:
    """Give the lines of a gate: its checks, the questions left out, and how to promote what it held."""
    gate = report["gate"]
    if gate is None:
        return
    if gate["checks"]:
        yield ""
        keys = ("dataset", "metric", "baseline", "candidate", "margin", "status")
        heads = ("data set", "metric", "live", "new", "margin", "gate")
        yield from table(heads, [[_cell(one[key]) for key in keys] for one in gate["checks"]])
    for data in gate["datasets"]:
        yield from _excluded(data)
    if not report["promoted"]:
        yield ""
        yield f"{escape(gate['candidate'])} is held beside it. To look at what differs, and to make it live:"
        yield "  ragflow generations diff"
        yield f"  ragflow generations promote {escape(gate['candidate'])}"


def _excluded(data: Mapping[str, Any]) -> Iterator[str]:
    left = data["excluded"]
    if left:
        yield f"{len(left)} of {data['questions']} questions of {escape(data['path'])} were left out:"
        for case, why in list(left.items())[:_SHOWN_EXCLUDED]:
            yield f"  {one_line(case, 40)}: {one_line(why, 100)}"
        if len(left) > _SHOWN_EXCLUDED:
            yield f"  and {len(left) - _SHOWN_EXCLUDED} more (--json names all)"


def _cell(value: object) -> str:
    return "" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
