"""Does a claim stand in its quotes, and do the quotes stand in the passages? No model is needed.

The same functions validate an answer before it is shown and measure answers in an evaluation. They are
made to fail closed: a true paraphrase may be turned down, a claim that its quotes do not carry should
not get through.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from evals.counting import miscounted
from evals.entailment import Entailment
from evals.folding import locate, plain, whole
from evals.names import Surroundings, misnamed
from evals.polarity import opposed
from indexes.analysis import analyse
from indexes.sentences import sentences

__all__ = ["Finding", "Kind", "Passage", "Quote", "check", "locate"]

Kind = Literal["fabricated", "misattributed", "stitched", "number_mismatch", "unsupported", "contradicted"]

MIN_QUOTE_WORDS = 5
MIN_SENTENCE_WORDS = 3
MIN_SHARE = 0.5
_PRONOUN = re.compile(r"(?:He|She|It|They|His|Her|Its|Their|This|These)\b")
_ANTECEDENT = 250  # characters: a sentence or two
_MIN_PIECE = 3  # words: shorter pieces are found in any text
_ELLIPSIS = re.compile(r"\s*(?:\[\s*(?:\.{3}|\u2026)\s*\]|\.{3,}|\u2026)\s*")
_NEGATED_BEFORE = re.compile(
    r"\b(?:not|never|no|cannot|\w+n['\u2019]t|without|neither|nor)\b[^.!?;:\n]{0,24}$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a claim. ``detail`` says what, in words for a person."""

    kind: Kind
    detail: str


@dataclass(frozen=True, slots=True)
class Quote:
    """A text that a claim cites. ``passage`` counts from 0; ``start`` is where it stands there, if known."""

    passage: int
    text: str
    start: int | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """A text that may be cited, with the spans of its whole table rows (code points, half-open).

    ``title`` is no text to quote, but tells what the passage is about.
    """

    text: str
    rows: tuple[tuple[int, int], ...] = ()
    title: str = ""


def check(
    claim: str,
    quotes: Sequence[Quote],
    passages: Sequence[Passage],
    *,
    question: str = "",
    entailment: Entailment | None = None,
) -> tuple[Finding, ...]:
    """Return everything that is wrong with the claim; nothing when its quotes prove it.

    First each quote must stand, whole, in the passage it names, with five content words, as a whole
    table row, or as a whole sentence of three. Then the claim is held against the quotes that stand:
    half of its content words, every name in its place, every number with its unit and what it counts,
    every date, and no clause negated or turned into its opposite. A claim that is its one quote, word for
    word, needs only the first part. A name that the ``question`` asks about may be missing from the
    quotes, if the passages that they stand in have it.

    What passes all this, and is not its quote, is put to ``entailment`` where there is one: it must follow
    from its quotes, and must not be their opposite.
    """
    found: list[Finding] = []
    standing: list[Quote] = []
    for quote in quotes:
        wrong = _stands(quote, passages)
        if wrong is None:
            standing.append(quote)
        else:
            found.append(wrong)
    if not quotes:
        return (Finding("unsupported", "the claim cites nothing"),)
    if found and not standing:
        return tuple(found)
    found += [finding for quote in quotes if (finding := _enough(quote, quotes, passages))]
    found += [finding for quote in quotes if (finding := _beheaded(quote, passages))]
    texts = [quote.text for quote in standing]
    if not any(_same(claim, text) for text in texts):
        found += _supported(claim, texts, _around(question, standing, passages))
        found += [Finding("number_mismatch", detail) for detail in miscounted(claim, texts)]
        found += [Finding("contradicted", detail) for detail in opposed(claim, texts)]
        if entailment is not None and not found:
            found += _inferred(claim, texts, entailment)
    return tuple(found)


def _inferred(claim: str, quotes: Sequence[str], entailment: Entailment) -> Iterator[Finding]:
    """Give what a model says against a claim that passed the rest."""
    seen = entailment.infer("\n".join(quotes), claim)
    if seen.contradiction > entailment.contradicts:
        yield Finding(
            "contradicted", f"the model of entailment calls it the opposite ({seen.contradiction:.2f})"
        )
    elif seen.entailment < entailment.entails:
        yield Finding(
            "unsupported", f"it does not follow, says the model of entailment ({seen.entailment:.2f})"
        )


def _around(question: str, quotes: Sequence[Quote], passages: Sequence[Passage]) -> Surroundings:
    cited = dict.fromkeys(quote.passage for quote in quotes)
    return Surroundings(
        question,
        "\n".join(passages[at].title for at in cited),
        "\n".join(passages[at].text for at in cited),
        "\n".join(_meant(quote, passages[quote.passage].text) for quote in quotes),
    )


def _meant(quote: Quote, text: str) -> str:
    """Return what stands right before a quote that begins with a pronoun: it names what is meant."""
    span = place(quote, text) if _PRONOUN.match(quote.text) else None
    return text[max(0, span[0] - _ANTECEDENT) : span[0]] if span else ""


def _stands(quote: Quote, passages: Sequence[Passage]) -> Finding | None:
    if 0 <= quote.passage < len(passages) and place(quote, passages[quote.passage].text):
        return None
    if any(locate(quote.text, passage.text) for passage in passages):
        return Finding(
            "misattributed", f"not in passage {quote.passage + 1} but in another: {_short(quote.text)}"
        )
    if _patched(quote.text, [plain(passage.text) for passage in passages]):
        return Finding("stitched", f"put together from several places: {_short(quote.text)}")
    return Finding("fabricated", f"stands nowhere: {_short(quote.text)}")


def place(quote: Quote, text: str) -> tuple[int, int] | None:
    """Return where a quote stands in its passage: at its ``start`` if it is there whole, else found."""
    if quote.start is not None and quote.text and text.startswith(quote.text, quote.start):
        end = quote.start + len(quote.text)
        if whole(text, quote.start, end):
            return quote.start, end
    return locate(quote.text, text)


def _patched(text: str, folded: Sequence[str]) -> bool:
    """Can the quote be cut into pieces of three words or more (any length at an ellipsis) that stand?"""
    pieces = [piece for piece in _ELLIPSIS.split(text) if piece.strip()]
    if len(pieces) > 1 and all(any(locate(piece, each) for each in folded) for piece in pieces):
        return True
    words = plain(text).split()
    at = 0
    while at < len(words):
        reach = at
        while reach < len(words) and any(locate(" ".join(words[at : reach + 1]), each) for each in folded):
            reach += 1
        if reach - at < _MIN_PIECE:
            return False
        at = reach
    return bool(words)


def _enough(quote: Quote, quotes: Sequence[Quote], passages: Sequence[Passage]) -> Finding | None:
    """Is the quote long enough to say something? A second quote beside a long one (a header) may be short."""
    if len(analyse(quote.text)) >= MIN_QUOTE_WORDS or not 0 <= quote.passage < len(passages):
        return None
    passage = passages[quote.passage]
    span = place(quote, passage.text)
    if span is None or any(
        _trimmed(passage.text, row) == _trimmed(passage.text, span) for row in passage.rows
    ):
        return None
    if says_enough(quote.text) and _trimmed(passage.text, span) in sentences(passage.text):
        return None
    if any(len(analyse(other.text)) >= MIN_QUOTE_WORDS for other in quotes if other is not quote):
        return None
    return Finding("unsupported", f"the quote has fewer than five content words: {_short(quote.text)}")


def says_enough(sentence: str) -> bool:
    """Tell whether a whole sentence may be a quote: it ends in a stop and has three content words.

    Five are asked of a part of a sentence, which may have lost what turned it round; a whole one lost
    nothing.
    """
    return sentence.rstrip("\"')*_").endswith((".", "!")) and len(analyse(sentence)) >= MIN_SENTENCE_WORDS


def _trimmed(text: str, span: tuple[int, int]) -> tuple[int, int]:
    inner = text[span[0] : span[1]]
    return span[0] + len(inner) - len(inner.lstrip()), span[0] + len(inner.rstrip())


def _beheaded(quote: Quote, passages: Sequence[Passage]) -> Finding | None:
    """Does the quote begin right after a negation that it leaves out?"""
    if not 0 <= quote.passage < len(passages):
        return None
    text = passages[quote.passage].text
    span = place(quote, text)
    if span is None or not text[span[0]].islower():
        return None
    cut = _NEGATED_BEFORE.search(text[max(0, span[0] - 60) : span[0]])
    return cut and Finding("contradicted", f"the quote leaves out the negation before it: {_short(cut[0])}")


def _same(claim: str, quote: str) -> bool:
    return plain(claim.strip()) == plain(quote.strip())


def _supported(claim: str, quotes: Sequence[str], around: Surroundings) -> Iterator[Finding]:
    wanted, held = set(analyse(claim)), set(analyse("\n".join(quotes)))
    known = {*analyse(around.question), *analyse(around.titles)} - held
    if not wanted or len(wanted & held) < MIN_SHARE * len(wanted - known):
        yield Finding("unsupported", "fewer than half of the claim's words stand in its quotes")
    for detail in misnamed(claim, quotes, around):
        yield Finding("unsupported", detail)


def _short(text: str) -> str:
    bare = " ".join(text.split())
    return bare if len(bare) <= 80 else bare[:79] + "\u2026"
