"""Flags that several commands share, so that they read alike everywhere."""

from typing import Annotated

import typer


def unicode_only(value: list[str] | str | None) -> list[str] | str | None:
    """Refuse bytes that are no Unicode: no name of this program holds any.

    Raises:
        typer.BadParameter: there are some.
    """
    for text in [value] if isinstance(value, str) else value or ():
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise typer.BadParameter("this is no UTF-8 text")
    return value


Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
JsonLines = Annotated[bool, typer.Option("--json", help="Print JSON instead of text, one object a line.")]
Readers = Annotated[
    list[str] | None,
    typer.Option(
        "--as",
        metavar="READER",
        callback=unicode_only,
        help="Read as user:NAME or group:NAME instead of yourself (repeatable; identity.impersonate).",
    ),
]
Sources = Annotated[
    list[str] | None,
    typer.Option("--source", metavar="SOURCE", callback=unicode_only, help="Only this source (repeatable)."),
]
Question = Annotated[str, typer.Argument(metavar="QUESTION", help="In quotes; - reads stdin.")]
DocumentId = Annotated[
    str, typer.Argument(metavar="DOCUMENT", callback=unicode_only, help="SOURCE/ITEM, as in sources list.")
]
RunId = Annotated[str, typer.Argument(metavar="RUN", callback=unicode_only, help='A run, or "last".')]
