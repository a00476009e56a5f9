"""``route``: where a question would go, and why."""

from collections.abc import Iterator, Mapping
from typing import Any

import typer

from ragflow.cli.frame import Frame, argument, emit, say, width
from ragflow.cli.options import Json, Meta, Question, Readers, Sources, metadata
from ragflow.cli.tables import table
from ragflow.terminal import escape, wrapped

BY = {
    "asked": "you",
    "rule": "a rule",
    "scores": "scores",
    "model": "a model",
    "all": "nothing (all that you may read)",
    "small_talk": "small talk",
    "empty": "nothing asked",
    "off_topic": "off topic",
}


def add(program: typer.Typer) -> None:
    """Add the command of this module."""
    program.command("route")(route)


def route(
    ctx: typer.Context,
    question: Question,
    *,
    as_: Readers = None,
    sources: Sources = None,
    meta: Meta = None,
    as_json: Json = False,
) -> None:
    """Show where a question would go, and why.

    Names the sources, what decided, the rules that were looked at, the scores, the prompt, the tier.
    The exit code is 6 where it would be refused, or nothing indexed is readable for you.
    """
    from ragflow.errors import check_question

    frame: Frame = ctx.obj
    text = check_question(argument(question))
    with frame.app() as app:
        readers = app.asker(as_ or ()).readers
        report = app.route(text, readers=readers, sources=sources or None, metadata=metadata(meta))
    shown = report.to_json()
    if as_json:
        emit(shown)
    else:
        for line in routed(shown, width()):
            say(line)
    raise typer.Exit(report.exit_code)


def routed(report: Mapping[str, Any], width: int) -> Iterator[str]:
    """Give the lines of a route: what was chosen and why, the rules looked at, the scores."""
    chosen = report["route"]
    yield f"sources: {escape(', '.join(chosen['sources'])) or '(none)'}"
    by = f'the rule "{chosen["rule"]}"' if chosen["rule"] else BY.get(report["by"], report["by"])
    yield f"decided by: {escape(by)}"
    yield wrapped(f"because: {report['because']}", width)
    if report["reason"]:
        yield f"refused: {escape(report['reason'])}"
    else:
        yield f"workflow: {escape(chosen['workflow'])}"
        yield f"tier: {escape(chosen['tier'] or '(no model)')}"
        if chosen["prompt"]:
            yield f"prompt: {escape(chosen['prompt'])} {escape((chosen['prompt_digest'] or '')[:12])}"
    if report["rules"]:
        yield ""
        rows = [[one["rule"], "yes" if one["matched"] else "no", one["because"]] for one in report["rules"]]
        yield from table(("rule", "matched", "because"), rows)
    if report["scores"]:
        yield ""
        shown = [[one["source"], f"{one['probability']:.3f}"] for one in report["scores"]]
        yield from table(("source", "probability"), shown)
