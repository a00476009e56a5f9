"""Flags that several commands share, so that they read alike everywhere."""

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
JsonLines = Annotated[bool, typer.Option("--json", help="Print JSON instead of text, one object a line.")]
Readers = Annotated[
    list[str] | None,
    typer.Option(
        "--as",
        metavar="READER",
        help="Read as user:NAME or group:NAME instead of yourself (repeatable; identity.impersonate).",
    ),
]
Sources = Annotated[
    list[str] | None,
    typer.Option("--source", metavar="SOURCE", help="Only this source (repeatable)."),
]
Question = Annotated[str, typer.Argument(metavar="QUESTION", help="In quotes; - reads stdin.")]
DocumentId = Annotated[str, typer.Argument(metavar="DOCUMENT", help="SOURCE/ITEM, as in sources list.")]
RunId = Annotated[str, typer.Argument(metavar="RUN", help='A run, or "last".')]
