"""Are the numbers and dates of a claim those of its quotes, and do they count the same things there?"""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import lru_cache

from evals.amounts import Amount, amounts, dates, is_year
from evals.polarity import clauses
from evals.slots import exchanged, numbers, usurped
from indexes.analysis import analyse

_CELLS = re.compile(r"\s*(?:\||\t)\s*")


def miscounted(claim: str, quotes: Sequence[str]) -> Iterator[str]:
    """Say which numbers and dates of the claim are not those of its quotes, or belong to something else."""
    yield from _undated(claim, quotes)
    spans = [date.span for date in dates(claim)]
    claimed = amounts(claim, outside=spans)
    if not claimed:
        return
    text = "\n".join(quotes)
    stated = [date for quote in quotes for date in dates(quote)]
    years = {Decimal(date.year) for date in stated if date.year is not None}
    given = amounts(text, outside=[date.span for date in dates(text)])
    for amount in claimed:
        written = claim[slice(*amount.span)]
        equal = [other for other in given if other.value == amount.value]
        if not equal and not (amount.value in years and not amount.unit):
            yield f"a number that is not in the quotes: {written}"
        elif equal and not any(other.unit == amount.unit for other in equal):
            yield f"another unit stands by {written} in the quotes"
        elif equal and (_counts_another(claim, amount, quotes) or _of_another_column(claim, amount, text)):
            yield f"in the quotes {written} belongs to something else"
    yield from _misplaced(claim, quotes)


def _undated(claim: str, quotes: Sequence[str]) -> Iterator[str]:
    stated = [date for quote in quotes for date in dates(quote)]
    for date in dates(claim):
        if not any(date.fits(other) for other in stated):
            yield f"a date that is not in the quotes: {claim[slice(*date.span)]}"


def _misplaced(claim: str, quotes: Sequence[str]) -> Iterator[str]:
    mine = numbers(claim)
    theirs = [numbers(quote) for quote in quotes]
    for slot, _ in usurped(mine, theirs, [False] * len(theirs)):
        yield f"in the quotes another number stands where the claim has {claim[slice(*slot.span)]}"
    for quote, found in zip(quotes, theirs, strict=True):
        for one, two in exchanged(claim, mine, quote, found):
            yield (
                "in the quotes they stand the other way round: "
                f"{claim[slice(*one.span)]}, {claim[slice(*two.span)]}"
            )


def _counts_another(claim: str, amount: Amount, quotes: Sequence[str]) -> bool:
    """Do the words that the claim puts around the number stand by another number of the same unit?

    Each clause of the quotes that holds a number of this unit is compared with the claim's own clause, and
    its whole quote with it: the number belongs where most of those words are. Equal counts decide nothing,
    nor does a lead of one across quotes.
    """
    words = _bare(next((clause for clause in clauses(claim) if _written_in(amount, clause)), claim))
    sort = (amount.unit, is_year(amount, claim))
    own, beside, elsewhere = -1, -1, -1
    for quote in quotes:
        around = len(words & _bare(quote))
        here, others = -1, -1
        for said, counted in _counted(quote):
            shared = len(words & said) + around
            values = {value for value, *other in counted if tuple(other) == sort}
            if amount.value in values:
                here = max(here, shared)
            elif values:
                others = max(others, shared)
        own = max(own, here)
        if here >= 0:
            beside = max(beside, others)
        else:
            elsewhere = max(elsewhere, others)
    return own >= 0 and (own < beside or own < elsewhere - 1)


@lru_cache(maxsize=1024)
def _counted(quote: str) -> tuple[tuple[frozenset[str], tuple[tuple[Decimal, str, bool], ...]], ...]:
    """Return the clauses that hold numbers: their words, and each number's value, unit, and if it is a year.

    "Up to 120 in Germany and up to 180 in Switzerland": with one word or none before its number ("selling
    120"), a clause goes on with those of the one before.
    """
    clauses_found = []
    lead = frozenset[str]()
    for clause in clauses(quote):
        found = amounts(clause)
        if found:
            opening = _bare(clause[: found[0].span[0]])
            lead = opening if len(opening) > 1 else opening | lead
            counted = tuple((each.value, each.unit, is_year(each, clause)) for each in found)
            clauses_found.append((_bare(clause) | lead, counted))
    return tuple(clauses_found)


def _written_in(amount: Amount, clause: str) -> bool:
    return any(other.value == amount.value and other.unit == amount.unit for other in amounts(clause))


def _of_another_column(claim: str, amount: Amount, text: str) -> bool:
    """Does a quoted header name the column of another number for what the claim says?

    Rows are lines with cells. The claim names a column by all the words of its header, or by one that no
    other column has.
    """
    rows = [
        _CELLS.split(line.strip().strip("|").strip())
        for line in text.split("\n")
        if "|" in line or "\t" in line
    ]
    words = set(analyse(claim))
    named = False
    for row in rows:
        held = [
            at for at, cell in enumerate(row) if any(other.value == amount.value for other in amounts(cell))
        ]
        for header in rows:
            if not held or 0 in held or header is row or len(header) != len(row):
                continue
            columns = _columns(header, words)
            if columns and not columns.isdisjoint(held):
                return False
            named = named or bool(columns)
    return named


def _columns(header: Sequence[str], words: set[str]) -> set[int]:
    """Return the columns, but the first, that the words name: wholly, else by a term of theirs alone."""
    terms = [set(analyse(cell)) for cell in header]
    whole = {at for at, own in enumerate(terms) if at and own and own <= words}
    others = [set[str]().union(*(other for other in terms if other is not own)) for own in terms]
    return whole or {at for at, own in enumerate(terms) if at and (own - others[at]) & words}


@lru_cache(maxsize=2048)
def _bare(clause: str) -> frozenset[str]:
    """Return the content words of a clause, without numbers."""
    return frozenset(term for term in analyse(clause) if not any(sign.isdigit() for sign in term))
