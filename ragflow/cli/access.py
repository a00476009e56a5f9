"""``access``: who may read a document and why; whether anything leaks out of any command."""

from collections.abc import Iterator, Mapping
from typing import Any

import typer

from ragflow.cli.frame import Frame, emit, say, width
from ragflow.cli.options import DocumentId, Json, Readers
from ragflow.terminal import escape, wrapped

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
