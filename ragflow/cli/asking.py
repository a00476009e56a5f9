"""``search``, ``ask`` and ``verify``: find passages, answer with proof, prove an answer again."""

import json
from typing import Annotated, Any, Literal

import typer

from ragflow.cli.answers import answered, found, proven
from ragflow.cli.frame import Frame, argument, emit, say, warn, width
from ragflow.cli.options import Json, Question, Readers, Sources, unicode_only

System = Literal["hybrid", "lexical", "dense"]


def add(program: typer.Typer) -> None:
    """Add the commands of this module."""
    program.command("search")(search)
    program.command("ask")(ask)
    program.command("verify")(verify)


def search(  # noqa: PLR0913 - each is a flag of the command line
    ctx: typer.Context,
    question: Question,
    *,
    as_: Readers = None,
    sources: Sources = None,
    k: Annotated[int | None, typer.Option("-k", metavar="N", min=1, max=1000, help="How many.")] = None,
    system: Annotated[System, typer.Option("--system", help="How hits are found.")] = "hybrid",
    as_json: Json = False,
) -> None:
    """Show the passages nearest to a question.

    The exit code is 6 where nothing indexed is readable for you.
    """
    from ragflow.errors import check_question

    frame: Frame = ctx.obj
    text = check_question(argument(question))
    with frame.app() as app:
        asker = app.asker(as_ or ())
        report = app.find(text, readers=asker.readers, sources=sources or None, k=k, system=system)
    if as_json:
        emit(report.to_json())
    else:
        for line in found(report.to_json(), width()):
            say(line)
    raise typer.Exit(report.exit_code)


def ask(
    ctx: typer.Context,
    question: Question,
    *,
    as_: Readers = None,
    sources: Sources = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show what was found, measured and rejected too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Answer a question, each claim with its proof.

    The exit code is 6 where the documents that you may read do not answer it.
    """
    from ragflow.errors import check_question

    frame: Frame = ctx.obj
    text = check_question(argument(question))
    with frame.app() as app:
        answer = app.answer(text, asker=app.asker(as_ or ()), sources=sources or None, explain=explain)
    shown = answer.to_json()
    if shown["run"] is None:
        warn("not recorded: the workspace cannot be written")
    for warning in shown["warnings"]:
        warn(warning)
    if as_json:
        emit(shown)
    else:
        for line in answered(shown, width()):
            say(line)
    raise typer.Exit(answer.exit_code)


def verify(
    ctx: typer.Context,
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            callback=unicode_only,
            help='A run, "last", or - for an `ask --json` object on stdin.',
        ),
    ],
    *,
    as_: Readers = None,
    as_json: Json = False,
) -> None:
    """Prove the citations of an answer again.

    No model takes part: each quote must stand at its place in its revision.
    The exit code is 8 where one fails or the record was changed, 9 where the evidence is gone.
    """
    frame: Frame = ctx.obj
    subject: str | dict[str, Any] = _object(argument("-")) if run == "-" else run
    with frame.app() as app:
        proof = app.verify(subject, readers=app.asker(as_ or ()).readers)
    if as_json:
        emit(proof.to_json())
    else:
        for line in proven(proof.to_json()):
            say(line)
    raise typer.Exit(proof.exit_code)


def _object(text: str) -> dict[str, Any]:
    from ragflow.errors import UsageError

    hint = "ragflow ask QUESTION --json | ragflow verify -"
    try:
        value = json.loads(text)
        # Half a surrogate pair is valid JSON, but no text.
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise UsageError("stdin holds no JSON", hint=hint) from error
    if not isinstance(value, dict):
        raise UsageError("stdin holds no JSON object", hint=hint)
    return value
