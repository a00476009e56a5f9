"""The shape of a model's reply. Anything else is no reply."""

import unicodedata
from functools import cache
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

MAX_CLAIM = 1000  # code points
MAX_QUOTE = 4000
MAX_QUOTES = 3
MAX_CLAIMS = 50
MAX_MISSING = 10


def bounded(limit: int) -> AfterValidator:
    """Refuse blank and overlong text. Not in the schema: servers make grammars of it, and choke on these."""

    def check(text: str) -> str:
        if not text.strip():
            raise ValueError("this text is empty")
        if len(text) > limit:
            raise ValueError(f"this text has {len(text)} characters; at most {limit} are allowed")
        return text

    return AfterValidator(check)


def plain(text: str) -> str:
    """Refuse what steers a terminal or turns the direction of text round: canonical text has none of it."""
    for sign in text:
        steers = unicodedata.category(sign) == "Cc" and sign not in "\n\r\t"
        turns = "\u202a" <= sign <= "\u202e" or "\u2066" <= sign <= "\u2069" or sign >= "\U000e0000"
        if steers or turns or "\ud800" <= sign <= "\udfff":
            raise ValueError(f"this text holds the character U+{ord(sign):04X}")
    return text


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class QuoteShape(_Shape):
    """Words copied letter by letter from the passage of that number, counted from 1."""

    # A number that no passage has is no matter of shape: it is found when the quote is looked for.
    passage: int
    text: Annotated[str, bounded(MAX_QUOTE)]


class ClaimShape(_Shape):
    """One sentence, and the quotes that prove it: one to three."""

    text: Annotated[str, bounded(MAX_CLAIM), AfterValidator(plain)]
    # A claim without a quote is found to cite nothing, and the model is told so; the others stand.
    quotes: Annotated[list[QuoteShape], Field(max_length=MAX_QUOTES)]


class AnswerShape(_Shape):
    """The claims that answer the question, none where no passage does, and what of it stays open."""

    claims: Annotated[list[ClaimShape], Field(max_length=MAX_CLAIMS)]
    missing: Annotated[list[Annotated[str, bounded(MAX_CLAIM)]], Field(max_length=MAX_MISSING)]


@cache
def answer_shape(max_claims: int) -> type[AnswerShape]:
    """Return the shape of a reply, which tells the model how many claims are read.

    It allows more: a reply is not asked again for a claim too many, the first ones are taken.
    """

    class Answer(AnswerShape):
        """The claims that answer the question, none where no passage does, and what of it stays open."""

        claims: Annotated[
            list[ClaimShape], Field(max_length=MAX_CLAIMS, description=f"At most {max_claims}.")
        ]

    return Answer
