"""``search``, ``ask`` and ``verify``: find passages, answer with proof, prove an answer again."""

import json
from collections.abc import Iterable
from typing import Annotated, Any, Literal

import typer

from ragflow.cli.answers import answered, estimated, found, proven
from ragflow.cli.frame import Frame, argument, emit, say, warn, width
from ragflow.cli.options import Json, Meta, Question, Readers, Sources, metadata, unicode_only

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
    shown = report.to_json()
    _print(shown, found(shown, width()), as_json=as_json)
    raise typer.Exit(report.exit_code)


def ask(  # noqa: PLR0913 - each is a flag of the command line
    ctx: typer.Context,
    question: Question,
    *,
    as_: Readers = None,
    sources: Sources = None,
    tier: Annotated[
        str | None, typer.Option("--tier", metavar="TIER", help="Let the models of this tier answer.")
    ] = None,
    fallback: Annotated[
        bool,
        typer.Option("--no-fallback", help="Only models may answer: exit 5 where none does."),
    ] = False,
    thread: Annotated[
        str | None, typer.Option("--thread", metavar="RUN", help="The run that this question follows.")
    ] = None,
    meta: Meta = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Say what models would cost at most, and ask none.")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show what was found, measured and rejected too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Answer a question, each claim with its proof.

    The exit code is 6 where the documents that you may read do not answer it.
    """
    from ragflow.answering import AskOptions
    from ragflow.errors import check_question

    frame: Frame = ctx.obj
    text = check_question(argument(question))
    options = AskOptions(sources or None, explain, tier, not fallback, metadata(meta), thread)
    with frame.app() as app:
        if estimate:
            priced = app.estimate(text, asker=app.asker(as_ or ()), options=options).to_json()
            _print(priced, estimated(priced), as_json=as_json)
            return
        answer = app.answer(text, asker=app.asker(as_ or ()), options=options)
    shown = answer.to_json()
    if shown["run"] is None:
        warn("not recorded: the workspace cannot be written")
    for warning in shown["warnings"]:
        warn(warning)
    _print(shown, answered(shown, width()), as_json=as_json)
    raise typer.Exit(answer.exit_code)


def _print(shown: dict[str, Any], lines: Iterable[str], *, as_json: bool) -> None:
    if as_json:
        emit(shown)
        return
    for line in lines:
        say(line)


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
    shown = proof.to_json()
    _print(shown, proven(shown), as_json=as_json)
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
