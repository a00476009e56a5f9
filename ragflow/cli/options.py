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
Meta = Annotated[
    list[str] | None,
    typer.Option(
        "--meta",
        metavar="KEY=VALUE",
        callback=unicode_only,
        help="What rules of routes may know of the question (repeatable).",
    ),
]


def metadata(pairs: list[str] | None) -> dict[str, str]:
    """Return the pairs of ``--meta``; the last of a key counts.

    Raises:
        typer.BadParameter: one has no ``=``, or nothing before it.
    """
    found: dict[str, str] = {}
    for pair in pairs or ():
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise typer.BadParameter(f"write KEY=VALUE, not {pair}", param_hint="--meta")
        found[key.strip()] = value.strip()
    return found
