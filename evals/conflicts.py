"""Do two sentences state the same thing differently? No model is asked.

Made to say so seldom: a price of another plan, a limit for another group and a rule with one more condition
are no conflicts, and nobody should be told that they are.
"""

import re

from evals.amounts import Amount, Date, amounts, dates, is_scale, is_unit
from evals.polarity import opposed
from indexes.analysis import analyse

_WORD = re.compile(r"\w+")
MIN_SHARED = 3
MIN_SHARE = 0.75


def conflict(a: str, b: str) -> str | None:
    """Say what differs where two sentences state the same thing with another number, date or polarity.

    The same thing: without numbers and units, all content words of one stand in the other, three at least
    and three quarters of the other's. None where they agree, or state different things. Symmetric.
    """
    mine, theirs = subject(a), subject(b)
    shared = len(mine & theirs)
    if shared < MIN_SHARED or shared < MIN_SHARE * max(len(mine), len(theirs)):
        return None
    if not (mine <= theirs or theirs <= mine):
        return None
    return _other_amount(a, b) or _other_date(a, b) or _other_way_round(a, b)


def subject(text: str) -> frozenset[str]:
    """Return what a sentence speaks of: its content words without numbers, dates and units."""
    spans = [date.span for date in dates(text)]
    spans += [_with_unit(text, amount) for amount in amounts(text, outside=spans)]
    bare = list(text)
    for start, end in spans:
        bare[start:end] = " " * (end - start)
    return frozenset(term for term in analyse("".join(bare)) if not any(map(str.isdigit, term)))


def _with_unit(text: str, amount: Amount) -> tuple[int, int]:
    """Return the span of a number with the scale and the unit that follow it."""
    start, end = amount.span
    for word in _WORD.finditer(text, end):
        if text[end : word.start()].strip(" -") or not (is_scale(word[0]) or is_unit(word[0])):
            break
        end = word.end()
    return start, end


def _other_amount(a: str, b: str) -> str | None:
    """Say which amount differs: each sentence holds one of the same unit that the other does not hold."""
    mine, theirs = _amounts(a), _amounts(b)
    for amount in mine:
        if _held(amount, theirs):
            continue
        for other in theirs:
            if other.unit == amount.unit and not _held(other, mine):
                return f"{_written(a, amount)} and {_written(b, other)}"
    return None


def _other_date(a: str, b: str) -> str | None:
    """Say which date differs, where each sentence holds just one and neither fits the other."""
    mine, theirs = dates(a), dates(b)
    if len(mine) != 1 or len(theirs) != 1 or _agree(mine[0], theirs[0]):
        return None
    return f"{_written(a, mine[0])} and {_written(b, theirs[0])}"


def _agree(a: Date, b: Date) -> bool:
    """Say whether no part that both state differs."""
    parts = zip((a.year, a.month, a.day), (b.year, b.month, b.day), strict=True)
    return all(mine is None or theirs is None or mine == theirs for mine, theirs in parts)


def _other_way_round(a: str, b: str) -> str | None:
    """Say that one sentence denies the other, where both see it so and use the same words otherwise."""
    if len(subject(a) ^ subject(b)) > 1 or not (any(opposed(a, [b])) and any(opposed(b, [a]))):
        return None
    return "one says the opposite of the other"


def _amounts(text: str) -> tuple[Amount, ...]:
    return amounts(text, outside=[date.span for date in dates(text)])


def _held(amount: Amount, others: tuple[Amount, ...]) -> bool:
    return any(other.value == amount.value and other.unit == amount.unit for other in others)


def _written(text: str, found: Amount | Date) -> str:
    start, end = found.span
    unit = "" if isinstance(found, Date) or not found.unit else f" {found.unit}"
    return f"{text[start:end]}{unit}"
