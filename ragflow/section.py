"""What every section of ``ragflow.yaml`` is made of."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, StringConstraints

from connectors import readers

READER = readers.READER
MAX_BYTES = 100_000_000  # of one item, unless a source says otherwise
SOURCE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


def _reader(value: str) -> str:
    if not READER.fullmatch(value):
        raise ValueError(f'"{value}" is not a reader: write user:NAME, group:NAME or everyone')
    return value


def _source_name(value: str) -> str:
    if not SOURCE_NAME.fullmatch(value):
        raise ValueError(
            f'"{value}" cannot name a source: use a-z, 0-9, "-" and "_", starting with a letter or digit'
        )
    return value


def _parser(value: Any) -> str | dict[str, str]:
    """Take the name of a parser, or one for each of some formats."""
    if value == "kreuzberg":
        return "kreuzberg"
    from connectors.parsing import second, sniff  # most files name no other parser

    named = {"text": value} if isinstance(value, str) else value
    if not isinstance(named, dict) or not named:
        raise ValueError(f"write {_PARSERS}, or a section with one for each format, {_EXAMPLE}")
    for kind, name in named.items():
        if kind not in sniff.FORMATS:
            meant = sniff.by_name(f"a.{kind}")
            right = f": write {meant}" if meant != "unknown" else f" ({', '.join(sorted(sniff.FORMATS))})"
            raise ValueError(f'"{kind}" is no format{right}')
        if name not in ("kreuzberg", second.NAME):
            raise ValueError(f'"{name}" is no parser: write {_PARSERS}')
        if name == second.NAME and kind not in second.FORMATS:
            reads = ", ".join(sorted(second.FORMATS))
            raise ValueError(f"unstructured does not read {kind} here, only {reads}: leave it to kreuzberg")
    return value if isinstance(value, str) else dict(named)


_PARSERS = "kreuzberg or unstructured"
_EXAMPLE = "like {html: unstructured}"
Text = Annotated[str, StringConstraints(min_length=1)]
Reader = Annotated[str, AfterValidator(_reader)]
SourceName = Annotated[str, AfterValidator(_source_name)]
Parser = Annotated[str | dict[str, str], PlainValidator(_parser)]
Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A section that cannot be changed and knows all of its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Common(Section):
    """What every source has. ``readers``: who may read all of it. The router reads the next two.

    ``parser``: of every format that it reads, or by format; kreuzberg reads all others.
    """

    readers: tuple[Reader, ...] = ()
    description: str = ""
    examples: tuple[Text, ...] = ()
    parser: Parser = "kreuzberg"

    @property
    def own_readers(self) -> bool:
        """Whether the source tells its items' readers itself; ``readers`` then read all of it besides."""
        return False
