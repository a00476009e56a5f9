"""``access``: who may read a document and why; whether anything leaks out of any command."""

import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragflow.cli.frame import Frame, emit, say, width
from ragflow.cli.options import DocumentId, Json, Readers
from ragflow.terminal import escape, wrapped

if TYPE_CHECKING:
    from ragflow.access_probing import Output, Run
    from ragflow.config import Config

_SHOWN = 20

group = typer.Typer(rich_markup_mode=None, help="Explain who may read what, and test that nothing leaks.")


def add(program: typer.Typer) -> None:
    """Add the commands of this module."""
    program.add_typer(group, name="access")


@group.command("explain")
def explain(ctx: typer.Context, document: DocumentId, *, as_: Readers = None, as_json: Json = False) -> None:
    """Say who may read a document now, and why.

    For those in identity.impersonate or identity.auditors; for others no document is found. With --as:
    whether these readers may read it, and if not, which condition fails.
    """
    from ragflow.access import explain as explain_access

    frame: Frame = ctx.obj
    with frame.app() as app:
        report = explain_access(app.config, document, as_ or ()).to_json()
    if as_json:
        emit(report)
        return
    for line in explained(report, width()):
        say(line)


def explained(report: Mapping[str, Any], width: int) -> Iterator[str]:
    """Give the lines of an explanation: who may read it, from where, and whether the asker may."""
    source = report["source"]
    yield f"{escape(report['document'])}, of source {escape(source['name'])}"
    yield f"  may be read now by   {_listed(report['may_read_now'])}"
    yield f"  the store lets in    {_listed(report['now']['readers'])}"
    live = report["live"]
    held = "it does not hold it" if live["readers"] is None else _listed(live["readers"])
    yield f"  the live generation  {held}"
    configured = source["readers_from"] == "configuration"
    words = "the configuration of its source" if configured else "what the source says of it"
    yield f"  readers come from    {words}"
    yield ""
    verdict = f"may read it, by {_listed(report['by'])}" if report["may_read"] else "may NOT read it"
    yield wrapped(f"{_listed(report['readers'])}: {verdict}", width)
    for one in report["conditions"]:
        yield wrapped(f"{'yes' if one['holds'] else 'NO '}  {one['because']}", width, indent="  ")


def _listed(names: list[str]) -> str:
    return escape(", ".join(names)) or "nobody"


@group.command("test")
def try_access(
    ctx: typer.Context,
    *,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, help="At most so many sets of readers, and askers.")
    ] = 20,
    as_json: Json = False,
) -> None:
    """Plant canaries and look for them in every output.

    A copy of the workspace gets documents that only some may read; then every command is run as everybody
    who is configured, and as a stranger. The exit code is 8 where one shows what it must not. No model is
    asked, and the copy is removed at the end.
    """
    from ragflow import parts
    from ragflow.access_probing import tried
    from ragflow.cli.evaluating import counting
    from ragflow.errors import map_errors

    frame: Frame = ctx.obj
    with frame.app() as app:
        config = app.config
    with counting() as progress, commands() as run, map_errors():
        report = tried(config, parts.embedder(config), run, limit=limit, progress=progress)
    if as_json:
        emit(report.to_json())
    else:
        for line in tested(report.to_json()):
            say(line)
    raise typer.Exit(report.exit_code)


@contextmanager
def commands() -> Iterator["Run"]:
    """Give what runs a command in this process and returns what it gives; one workspace at a time."""
    from ragflow.access_probing import Output
    from ragflow.app import App
    from ragflow.cli import main

    opened: list[App] = []

    def run(config: "Config", arguments: Sequence[str], stdin: str) -> "Output":
        if not opened:
            opened.append(App(config))
        app = opened[0]
        app.config = config
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
        before, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8")
        try:
            with redirect_stdout(out), redirect_stderr(err):
                code = main(["-C", str(config.folder), *arguments], opener=lambda *_: nullcontext(app))
        finally:
            sys.stdin = before
        return Output(code, *(_written(one) for one in (out, err)))

    try:
        yield run
    finally:
        for one in opened:
            one.close()


def _written(stream: io.TextIOWrapper) -> str:
    stream.flush()
    stream.seek(0)
    return stream.read()


def tested(report: Mapping[str, Any]) -> Iterator[str]:
    """Give the lines of a test: what was tried, and which outputs failed, at whom and by what."""
    yield (
        f"{report['canaries']:,} canaries of {len(report['sets']):,} sets of readers, "
        f"{len(report['askers']):,} askers, {report['outputs']:,} outputs"
    )
    if report["left_out"]:
        yield f"{report['left_out']:,} sets and askers were left out: --limit"
    for one in report["failures"][:_SHOWN]:
        words = _FAILED[one["what"]]
        yield f"FAILED {escape(one['output'])}, as {_listed(one['readers'])}: {words} {escape(one['canary'])}"
    if len(report["failures"]) > _SHOWN:
        yield f"and {len(report['failures']) - _SHOWN:,} more: --json shows them all"
    yield "nothing leaked" if not report["failures"] else f"{len(report['failures']):,} outputs failed"


_FAILED = {
    "shown": "it shows",
    "counted": "it counts",
    "told_apart": "it is another than for what never was:",
    "not_found": "it proves nothing, for it does not show",
}
