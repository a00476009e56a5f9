"""The sections of ``ragflow.yaml`` about routes. Read by ``ragflow.sections``."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import SchemaError, SchemaValidator, core_schema

from ragflow.section import Reader, Section, SourceName, Text

_LONGEST = 1_000


def pattern(written: str) -> SchemaValidator:
    """Return what searches a text for a regular expression, whatever the case.

    The engine is the one that pydantic brings, Rust's: its time grows with the length of the text and
    nothing else, so that no question and no pattern can hold a process up. It knows neither look-around
    nor back-references.

    Raises:
        SchemaError: this is no such expression.
    """
    return SchemaValidator(core_schema.str_schema(pattern=f"(?i){written}", regex_engine="rust-regex"))


def _pattern(value: str) -> str:
    if len(value) > _LONGEST:
        raise ValueError(f"this pattern has {len(value):,} characters; at most {_LONGEST:,} are read")
    try:
        pattern(value)
    except SchemaError as error:
        because = str(error).strip().splitlines()[-1].strip().removeprefix("error: ")
        raise ValueError(f"this is no regular expression as Rust writes them: {because}") from error
    return value


def _wording(value: str) -> str:
    if not any(letter.isalnum() for letter in value):
        raise ValueError(f'"{value}" has no letter or digit: no question says it')
    return value


Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]
Wording = Annotated[str, AfterValidator(_wording)]


class When(Section):
    """When a rule matches: each key that is given must hold.

    ``any``, ``all``: words or phrases of the question, whatever their case and inflection. ``regex`` is
    searched in it, whatever the case, as Rust's engine reads it (no look-around, no back-reference).
    ``readers``: the asker is one of these. ``metadata``: what the caller said of the question, all of it.
    ``language``: the question is written in one of these (ISO 639-1).
    """

    any: tuple[Wording, ...] = ()
    all: tuple[Wording, ...] = ()
    regex: Annotated[str, AfterValidator(_pattern), Field(min_length=1)] | None = None
    readers: tuple[Reader, ...] = ()
    metadata: dict[Text, str] = Field(default_factory=dict)
    language: tuple[Language, ...] = ()

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.any or self.all or self.regex or self.readers or self.metadata or self.language):
            raise ValueError("an empty condition would match every question: give it a key, such as any")
        return self


class RouteRule(Section):
    """A rule: where a question goes that it matches. No ``sources``: all of them.

    ``workflow``: the one that ``ragflow run routed`` goes on with; ``ask`` only answers. ``prompt``: a file
    in ``prompts/`` beside ragflow.yaml, or one that is shipped. ``tier``: one of ``models``; null is the one
    of ``answer.tier``.
    """

    name: Text
    when: When
    sources: tuple[SourceName, ...] = ()
    workflow: Text = "answer"
    prompt: Text | None = None
    tier: Text | None = None


class RouterSection(Section):
    """How sources are chosen where no rule matches.

    ``scores``: off searches all of them. ``tier``: the tier whose model decides where the scores cannot.
    """

    scores: Literal["on", "off"] = "on"
    tier: Text | None = None
