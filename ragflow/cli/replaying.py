"""``runs verify``, ``runs replay`` and ``runs export``: records looked at again."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragflow.cli.frame import Frame, aside, emit, say
from ragflow.cli.options import Json, Readers, unicode_only
from ragflow.cli.records import run_group
from ragflow.terminal import escape, wrapped

if TYPE_CHECKING:
    from ragflow.replaying.checking import Checked
    from ragflow.replaying.replay import Replayed

_Run = Annotated[
    str,
    typer.Argument(metavar="RUN", callback=unicode_only, help='A run, "last", or a file of runs export.'),
]
_WIDTH = 80


def add() -> None:
    """Add the commands of this module to those of ``runs``."""
    run_group.command("verify")(verify)
    run_group.command("replay")(replay)
    run_group.command("export")(export)


def verify(
    ctx: typer.Context,
    run: Annotated[
        str | None,
        typer.Argument(metavar="RUN", callback=unicode_only, help='A run, "last", or a file of runs export.'),
    ] = None,
    *,
    every: Annotated[
        bool, typer.Option("--all", help="Check all of your runs; an auditor's are all.")
    ] = False,
    as_: Readers = None,
    as_json: Json = False,
) -> None:
    """Check that records are what was written.

    Their digests, their chain and their tapes are. What expired or was erased is proven by its digest.
    """
    if (run is None) != every:
        raise typer.BadParameter("name a run, or give --all", param_hint="RUN")
    frame: Frame = ctx.obj
    with frame.app() as app:
        report = app.replaying().verify(run, app.asker(as_ or ()))
    if as_json:
        emit(report.to_json())
    else:
        for line in _checked(report):
            say(line)
    raise typer.Exit(report.exit_code)


def replay(
    ctx: typer.Context,
    run: _Run,
    *,
    changed: Annotated[
        str | None,
        typer.Option(
            "--with",
            metavar="WHAT=VALUE",
            callback=unicode_only,
            help="Change one thing: model=TIER_OR_MODEL or generation=GENERATION.",
        ),
    ] = None,
    as_: Readers = None,
    as_json: Json = False,
) -> None:
    """Do a run again from its record, and compare.

    It takes no index, no model and no network. Rules, prompts and checks are those of today; what the run
    took from outside is what it took then. With --with, that one thing is real, and what would change is
    shown. Nothing is recorded.
    """
    frame: Frame = ctx.obj
    with frame.app() as app, aside():
        report = app.replaying().replay(run, app.asker(as_ or ()), changed=changed)
    if as_json:
        emit(report.to_json())
    else:
        for line in _replayed(report):
            say(line)
    raise typer.Exit(report.exit_code)


def export(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", callback=unicode_only, help='A run, or "last".')],
    *,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE", help="Write there, not to stdout.")
    ] = None,
    as_: Readers = None,
) -> None:
    """Write all of a run into one file, as for a ticket.

    Record, tape, rules, and a summary on top. It holds what the documents say: whoever gets it can read that.
    runs verify and runs replay take it.
    """
    frame: Frame = ctx.obj
    with frame.app() as app:
        shown = app.replaying().export(run, app.asker(as_ or ()))
    text = json.dumps(shown, ensure_ascii=False, indent=1)
    if out is None:
        say(text)
        return
    _write(out, text + "\n")
    say(f"{escape(shown['run'])} is in {escape(str(out))}")


def _write(file: Path, text: str) -> None:
    from ragflow.errors import AlreadyThere, map_errors

    with map_errors():
        try:
            number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError as error:
            raise AlreadyThere(f"{file} is there already", hint="name another file after -o") from error
        with os.fdopen(number, "w", encoding="utf-8") as stream:
            stream.write(text)


def _checked(report: "Checked") -> Iterator[str]:
    told = report.to_json()
    for one in told["runs"]:
        state = "intact" if one["record"] == "intact" else "CHANGED"
        notes = [one["detail"]] if one["detail"] else []
        notes += [f"its contents are {one['contents']}"] if one["contents"] != "kept" else []
        notes += ["its tape is gone"] if one["tape"] == "gone" else []
        yield f"{escape(one['run'])}: {state}{''.join(f'; {escape(note)}' for note in notes)}"
    if not report.chain:
        yield "The runs before and after it were not looked at: they are not in the file."
    if report.every:
        yield f"{told['checked']:,} checked, {told['intact']:,} intact, {len(told['changed']):,} changed"
        if told["expired"] or told["erased"]:
            yield f"{told['expired']:,} expired and {told['erased']:,} erased are proven by digests"


def _replayed(report: "Replayed") -> Iterator[str]:
    run = escape(report.run)
    if report.same is None:
        yield wrapped(f"{run} cannot be replayed: {report.reason}", _WIDTH)
        return
    tried = f" with {escape(report.trial)}" if report.trial else ""
    if report.same:
        yield f"{run}{tried}: the same, byte for byte"
    else:
        yield f"{run}{tried}: it {'would differ' if tried else 'differs'}"
    yield from (wrapped(change, _WIDTH, indent="  ") for change in report.changes)
    yield from (wrapped(note, _WIDTH, indent="  ") for note in report.notes)
    if report.configuration is None:
        yield "The rules of then are not known."
    elif report.configuration:
        yield "The rules have changed since:"
        yield from (wrapped(change, _WIDTH, indent="  ") for change in report.configuration)
    if report.diff:
        yield ""
        yield from (escape(line) for line in report.diff)
