"""``approvals``: the requests of runs that wait for a person, and the decisions on them."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragflow.cli.frame import Frame, aside, emit, emit_lines, say, width
from ragflow.cli.options import Json, JsonLines, unicode_only
from ragflow.cli.tables import table
from ragflow.terminal import escape, one_line, wrapped

if TYPE_CHECKING:
    from ragflow.app import App
    from ragflow.approvals.desk import Desk
    from ragflow.approvals.rows import Asked
    from ragflow.identity import Asker

group = typer.Typer(rich_markup_mode=None, help="Look at actions that wait for a person, and decide.")

ApprovalId = Annotated[str, typer.Argument(metavar="A", callback=unicode_only, help="As in approvals list.")]
Digest = Annotated[
    str,
    typer.Option("--digest", metavar="D", callback=unicode_only, help="What was looked at: approvals show."),
]
Comment = Annotated[
    str | None, typer.Option("--comment", metavar="TEXT", callback=unicode_only, help="Why; it is recorded.")
]
Changes = Annotated[
    list[str],
    typer.Option(
        "--set", metavar="KEY=VALUE", callback=unicode_only, help="A new argument: amount=90 (repeatable)."
    ),
]
Detach = Annotated[
    bool, typer.Option("--detach", help="Decide and leave; `ragflow worker` goes on with the run.")
]
Nobody = Annotated[list[str] | None, typer.Option("--as", hidden=True)]


def add(program: typer.Typer) -> None:
    """Add the commands of this module."""
    program.add_typer(group, name="approvals")


@group.command("list")
def list_(
    ctx: typer.Context,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Those that are decided or ran out too.")] = False,
    as_: Nobody = None,
    as_json: JsonLines = False,
) -> None:
    """List what waits for you, and what you wait for.

    An auditor's list holds all requests.
    """
    from ragflow.approvals import objects
    from ragflow.approvals.rows import now_utc

    with _desk(ctx, as_) as at:
        rows = at.desk.list(at.asker, everything=everything) if at.desk else []
    now = now_utc()
    if as_json:
        emit_lines(objects.approval(one, now) for one in rows)
        return
    if not rows:
        say("Nothing waits for you." if not everything else "There is no request that concerns you.")
        return
    for line in _table(rows, at.asker):
        say(line)


@group.command("show")
def show(ctx: typer.Context, approval: ApprovalId, *, as_: Nobody = None, as_json: Json = False) -> None:
    """Show all that there is to see before you decide."""
    from ragflow.approvals import objects
    from ragflow.approvals.desk import no_say
    from ragflow.approvals.rows import now_utc
    from ragflow.cli.approval_screen import screen

    with _desk(ctx, as_) as at:
        desk = at.there(approval)
        asked = desk.show(approval, at.asker)
        outdated = desk.outdated(asked)
    if as_json:
        emit(objects.approval(asked, now_utc(), screen=True))
        return
    may = no_say(asked, at.asker)
    for line in screen(asked, now_utc(), width=width(), may=may, outdated=outdated):
        say(line)


@group.command("approve")
def approve(  # noqa: PLR0913 - each is a flag of the command line
    ctx: typer.Context,
    approval: ApprovalId,
    *,
    digest: Digest,
    comment: Comment = None,
    detach: Detach = False,
    as_: Nobody = None,
    as_json: Json = False,
) -> None:
    """Agree to exactly what approvals show showed; the run goes on.

    The exit code is that of the run: 7 where it waits again.
    """

    def decide(desk: "Desk", asker: "Asker") -> "Asked":
        return desk.approve(approval, digest, asker=asker, comment=comment)

    _decide(ctx, approval, decide, _Then(as_, detach, as_json))


@group.command("reject")
def reject(  # noqa: PLR0913 - each is a flag of the command line
    ctx: typer.Context,
    approval: ApprovalId,
    *,
    digest: Digest,
    comment: Comment = None,
    detach: Detach = False,
    as_: Nobody = None,
    as_json: Json = False,
) -> None:
    """Refuse it: the action is not done. The run goes on, and mostly ends there."""

    def decide(desk: "Desk", asker: "Asker") -> "Asked":
        return desk.reject(approval, digest, asker=asker, comment=comment)

    _decide(ctx, approval, decide, _Then(as_, detach, as_json))


@group.command("revise")
def revise(  # noqa: PLR0913 - each is a flag of the command line
    ctx: typer.Context,
    approval: ApprovalId,
    *,
    digest: Digest,
    changes: Changes,
    comment: Comment = None,
    detach: Detach = False,
    as_: Nobody = None,
    as_json: Json = False,
) -> None:
    """Agree to it with other arguments; the run goes on with them.

    Others may have to agree to the new ones: then the run waits again, exit code 7.
    """

    def decide(desk: "Desk", asker: "Asker") -> "Asked":
        return desk.revise(approval, digest, changes, asker=asker, comment=comment)

    _decide(ctx, approval, decide, _Then(as_, detach, as_json))


@dataclass(frozen=True, slots=True)
class _Then:
    """The flags that all decisions share."""

    as_: list[str] | None
    detach: bool
    as_json: bool


@dataclass(frozen=True, slots=True)
class _At:
    """A workspace, who asks, and the desk; None where no run was ever begun."""

    app: "App"
    asker: "Asker"
    desk: "Desk | None"

    def there(self, approval: str) -> "Desk":
        from ragflow.errors import NotFound

        if self.desk is None:
            raise NotFound(f"not found: request {approval}", hint="ragflow approvals list --all")
        return self.desk


@contextmanager
def _desk(ctx: typer.Context, as_: Sequence[str] | None) -> "Iterator[_At]":
    from ragflow.approvals.desk import Desk
    from ragflow.approvals.opening import hidden, opened
    from ragflow.errors import NotAllowed, map_errors
    from ragflow.tools.fitting import fitting

    if as_:
        raise NotAllowed(
            "nobody looks at requests or decides in the name of another: whoever is logged in does",
            hint="leave --as out",
        )
    frame: Frame = ctx.obj
    with frame.app() as app, map_errors():
        database = opened(app.config)
        if database is None:
            yield _At(app, app.asker(), None)
            return
        with database:
            desk = Desk(
                app.config, database, hidden=hidden(app.config), fits=lambda tool: fitting(app.config, tool)
            )
            yield _At(app, app.asker(), desk)


def _decide(ctx: typer.Context, approval: str, decide: "Callable[[Desk, Asker], Asked]", then: _Then) -> None:
    """Decide, say so, and go on with the run. What is decided stays so, whatever becomes of the run."""
    from ragflow.approvals import objects
    from ragflow.approvals.rows import now_utc
    from ragflow.errors import RagflowError

    with _desk(ctx, then.as_) as at:
        with aside():
            asked = decide(at.there(approval), at.asker)
        shown = objects.approval(asked, now_utc())
        if not then.as_json:
            for line in _said(asked, shown):
                say(line)
            sys.stdout.flush()  # the run may take long, or be killed: what is decided is told
        ended: dict[str, Any] | None = None
        code, failure = 0, None
        if not then.detach:
            try:
                with aside():
                    ended, code = went_on(at.app, asked.run)
            except RagflowError as error:
                failure, code = error, error.exit_code
            except KeyboardInterrupt as stopped:
                stopped.add_note(
                    f"{asked.approval} is {asked.status}; ragflow worker goes on with {asked.run}"
                )
                raise
    if then.as_json:
        became = failure.to_json()["error"] if failure else ended
        emit({**shown, "run_now": became})
        raise typer.Exit(code)
    if failure is not None:
        raise failure
    say(_became(asked.run, ended))
    raise typer.Exit(code)


def went_on(app: "App", run: str) -> tuple[dict[str, Any] | None, int]:
    """Go on with a run in this process; return what its record says now, and its exit code.

    None and 0 where somebody else works on it already: a worker was faster.
    """
    from ragflow.workflows.errors import RunHeld

    try:
        with app.orchestration() as work:
            report = work.go_on(run)
    except RunHeld:
        return None, 0
    kept = ("run", "status", "outcome", "exit_code")
    ended = {key: report.record[key] for key in kept}
    waits = [one["approval"] for one in report.record["approvals"] if one["status"] == "pending"]
    return {**ended, "waits_for": waits}, report.exit_code


def _said(asked: "Asked", shown: Mapping[str, Any]) -> Iterator[str]:
    from ragflow.cli.approval_screen import difference

    yield f"{escape(asked.approval)} is {asked.status}: {escape(asked.tool)}"
    if "before" in shown:
        yield from difference(shown["before"], shown["arguments"], width())


def _became(run: str, ended: Mapping[str, Any] | None) -> str:
    if ended is None:
        return f"{escape(run)} goes on with the next worker: ragflow worker"
    if ended["waits_for"]:
        return f"{escape(run)} waits again: ragflow approvals show {escape(ended['waits_for'][0])}"
    outcome = f", {ended['outcome']}" if ended["outcome"] else ""
    return wrapped(f"{run} is {ended['status']}{outcome}: ragflow runs show {run}", width())


def _table(rows: "Sequence[Asked]", asker: "Asker") -> Iterator[str]:
    from ragflow.approvals.desk import no_say
    from ragflow.approvals.rows import now_utc
    from ragflow.cli.approval_screen import moment

    now = now_utc()
    yield from table(
        ["approval", "status", "you", "tool", "by", "until"],
        [
            [
                one.approval,
                one.status_at(now),
                "decide" if one.status_at(now) == "pending" and no_say(one, asker) is None else "",
                one_line(one.tool, 14),
                one_line(one.actor, 12),
                moment(one.expires).removesuffix(" UTC"),
            ]
            for one in rows
        ],
    )
