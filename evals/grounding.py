"""Does a claim stand in its quotes, and do the quotes stand in the passages? No model is asked.

The same functions validate an answer before it is shown and measure answers in an evaluation. They are
made to fail closed: a true paraphrase may be turned down, a claim that its quotes do not carry should
not get through.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from evals.amounts import Amount, amounts, dates, is_unit
from evals.folding import fold, locate, whole
from evals.polarity import clauses, opposed
from indexes.analysis import analyse
from indexes.sentences import sentences

__all__ = ["Finding", "Kind", "Passage", "Quote", "check", "locate"]

Kind = Literal["fabricated", "misattributed", "stitched", "number_mismatch", "unsupported", "contradicted"]

MIN_QUOTE_WORDS = 5
MIN_SENTENCE_WORDS = 3
MIN_SHARE = 0.5
_MIN_PIECE = 3  # words: shorter pieces are found in any text
_ELLIPSIS = re.compile(r"\s*(?:\[\s*(?:\.{3}|\u2026)\s*\]|\.{3,}|\u2026)\s*")
_NAME = re.compile(r"(?<![.!?]\s)(?<!^)\b[^\W\d_a-z][\w'\u2019&-]*")
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
    """A text that may be cited, with the spans of its whole table rows (code points, half-open)."""

    text: str
    rows: tuple[tuple[int, int], ...] = ()


def check(claim: str, quotes: Sequence[Quote], passages: Sequence[Passage]) -> tuple[Finding, ...]:
    """Return everything that is wrong with the claim; nothing when its quotes prove it.

    First each quote must stand, whole, in the passage it names, with five content words, as a whole
    table row, or as a whole sentence of three. Then the claim is held against the quotes that stand:
    half of its content words, every name, every number with its unit and what it counts, every date,
    and no clause negated or turned into its opposite. A claim that is its one quote, word for word,
    needs only the first part.
    """
    found: list[Finding] = []
    standing: list[str] = []
    for quote in quotes:
        wrong = _stands(quote, passages)
        if wrong is None:
            standing.append(quote.text)
        else:
            found.append(wrong)
    if not quotes:
        return (Finding("unsupported", "the claim cites nothing"),)
    if found and not standing:
        return tuple(found)
    found += [finding for quote in quotes if (finding := _enough(quote, quotes, passages))]
    found += [finding for quote in quotes if (finding := _beheaded(quote, passages))]
    if not any(_same(claim, text) for text in standing):
        found += _supported(claim, standing)
        found += _numbered(claim, standing)
        found += [Finding("contradicted", detail) for detail in opposed(claim, standing)]
    return tuple(found)


def _stands(quote: Quote, passages: Sequence[Passage]) -> Finding | None:
    if 0 <= quote.passage < len(passages) and place(quote, passages[quote.passage].text):
        return None
    if any(locate(quote.text, passage.text) for passage in passages):
        return Finding(
            "misattributed", f"not in passage {quote.passage + 1} but in another: {_short(quote.text)}"
        )
    if _patched(quote.text, [fold(passage.text).text for passage in passages]):
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
    words = fold(text).text.split()
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
    return fold(claim.strip()).text == fold(quote.strip()).text


def _supported(claim: str, quotes: Sequence[str]) -> Iterable[Finding]:
    wanted, held = set(analyse(claim)), set(analyse("\n".join(quotes)))
    if not wanted or len(wanted & held) < MIN_SHARE * len(wanted):
        yield Finding("unsupported", "fewer than half of the claim's words stand in its quotes")
    for name in dict.fromkeys(match[0] for match in _NAME.finditer(claim)):
        if not is_unit(name) and any(term not in held for term in analyse(name)):
            yield Finding("unsupported", f"a name that is not in the quotes: {name}")


def _numbered(claim: str, quotes: Sequence[str]) -> Iterable[Finding]:
    text = "\n".join(quotes)
    stated = [date for quote in quotes for date in dates(quote)]
    claimed = dates(claim)
    for date in claimed:
        if not any(date.fits(other) for other in stated):
            yield Finding("number_mismatch", f"a date that is not in the quotes: {claim[slice(*date.span)]}")
    spans = [date.span for date in claimed]
    given = amounts(text, outside=[date.span for date in dates(text)])
    years = {Decimal(date.year) for date in stated if date.year is not None}
    for amount in amounts(claim, outside=spans):
        written = claim[slice(*amount.span)]
        equal = [other for other in given if other.value == amount.value]
        if not equal and not (amount.value in years and not amount.unit):
            yield Finding("number_mismatch", f"a number that is not in the quotes: {written}")
        elif equal and not any(other.unit == amount.unit for other in equal):
            yield Finding("number_mismatch", f"another unit stands by {written} in the quotes")
        elif equal and _counts_another(claim, amount, text):
            yield Finding("number_mismatch", f"in the quotes {written} belongs to something else")


def _counts_another(claim: str, amount: Amount, text: str) -> bool:
    """Do the words that the claim puts around the number stand by another number of the same unit?

    Each clause of the quotes that holds a number of this unit is compared with the claim's own clause:
    the number belongs where most of those words are. Equal counts decide nothing.
    """
    around = next((clause for clause in clauses(claim) if written_in(amount, clause)), claim)
    words = _bare(around)
    best_own, best_other, lead = -1, -1, set[str]()
    for clause in clauses(text):
        numbers = amounts(clause)
        if not numbers:
            continue
        # "up to 120 in Germany and up to 180 in Switzerland": without words of its own before its
        # number, a clause goes on with those of the one before.
        opening = _bare(clause[: numbers[0].span[0]])
        lead = opening or lead
        shared = len(words & (_bare(clause) | lead))
        alike = [other for other in numbers if other.unit == amount.unit]
        if any(other.value == amount.value for other in alike):
            best_own = max(best_own, shared)
        elif alike:
            best_other = max(best_other, shared)
    return 0 <= best_own < best_other


def written_in(amount: Amount, clause: str) -> bool:
    """Say whether the clause holds an equal amount."""
    return any(other.value == amount.value and other.unit == amount.unit for other in amounts(clause))


def _bare(clause: str) -> set[str]:
    """Return the content words of a clause, without numbers."""
    return {term for term in analyse(clause) if not any(sign.isdigit() for sign in term)}


def _short(text: str) -> str:
    bare = " ".join(text.split())
    return bare if len(bare) <= 80 else bare[:79] + "\u2026"
