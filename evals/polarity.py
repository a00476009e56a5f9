"""Clauses, and whether one says the opposite of another: negation, antonyms, bounds, hedges, duty."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from evals.opposites import FIRMER, HEDGES, SOFT, negative_of, sides
from indexes.analysis import analyse

_NEAR = 0.7  # of the words that the nearest clause shares
_BREAK = re.compile(
    r"[;|\t()]|\n(?![a-z])|(?<=[.!?])\s+|,(?!\d)|\s[-\u2013\u2014]\s"
    r"|\s(?:and|but|or|while|whereas|although|though|however|because|unless)\s"
)
_BOUNDED = re.compile(
    r"\b(?:no|not)\s+(?P<which>later|more|less|fewer|earlier|greater|longer|higher|lower)\s+than\b",
    re.IGNORECASE,
)
_BOUNDS = {"later": "by", "earlier": "from", "less": "at least", "fewer": "at least", "lower": "at least"}
_PARTED = re.compile(r"(?<=\w) (?=n['\u2019]t\b)")  # "do n't", as some tokenised texts have it
_JOINED = re.compile(r"\b(at least|at most|up to|no longer|more than|less than|fewer than)\b", re.IGNORECASE)
_NEGATION = re.compile(
    r"\b(?:not(?!\s+only)|no|never|none|nobody|nothing|nowhere|neither|nor|cannot|without|hardly"
    r"|\w*n['\u2019]t)\b",
    re.IGNORECASE,
)
_NAMED_NO = re.compile(r"\b(?:No|Never|Nothing|Without)(?= [A-Z])")  # a name: "No Man's Sky"
_HEDGE = re.compile(rf"\b(?:{'|'.join(sorted(HEDGES))})\b", re.IGNORECASE)
_MIN_HEDGED = 3  # content words that both clauses share: fewer do not tell what the hedge is about
_WORD = re.compile(r"[^\W\d]+(?:['\u2019-][^\W\d]+)*")


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a sentence: its words in lower case, its content terms, what negations and hedges fall on."""

    text: str
    words: frozenset[str]
    terms: frozenset[str]
    negated: tuple[frozenset[str], ...]
    hedged: tuple[tuple[str, frozenset[str]], ...]


@lru_cache(maxsize=2048)
def clauses(text: str) -> tuple[str, ...]:
    """Return the clauses of a text, roughly: cut at sentence ends, commas, brackets, conjunctions and cells.

    A line feed cuts, unless a small letter follows. Numbers are never cut. A part without a content word
    belongs to the one before it.
    """
    found: list[str] = []
    for part in _BREAK.split(text):
        if not part:
            continue
        if found and not analyse(part):
            found[-1] += " " + part
        else:
            found.append(part)
    return tuple(found)


def opposed(claim: str, quotes: Sequence[str]) -> Iterator[str]:
    """Say, clause by clause, where the claim turns what its quotes say into the opposite.

    Each clause is held against the quotes' clauses that share most content words with it; a clause that
    shares none is left alone. "All" for "some" and "will" for "may" are the opposite too, not the reverse:
    who says less than is quoted says nothing wrong.
    """
    mine = _parsed(claim)
    theirs = [clause for quote in quotes for clause in _parsed(quote)]
    terms = frozenset().union(*(clause.terms for clause in mine))
    whole = frozenset().union(*(scope for clause in mine for scope in clause.negated))
    unhedged = not any(word in SOFT for clause in mine for word in clause.words)
    for clause in mine:
        shared = [len(clause.terms & other.terms) for other in theirs]
        most = max(shared, default=0)
        if not most:
            continue
        near = [other for other, count in zip(theirs, shared, strict=True) if count >= _NEAR * most]
        if all(_negated_otherwise(clause, other, terms, whole) for other in near):
            yield f"one is negated, the other is not: {clause.text.strip()}"
        nearest = [other for other, count in zip(theirs, shared, strict=True) if count == most]
        for word, opposite in _turned(clause, nearest):
            yield f"the opposite of what is quoted: {word} for {opposite} in {clause.text.strip()}"
        if unhedged and (hedge := _firmer(clause, nearest)):
            yield f"stated as a fact, quoted as {hedge}: {clause.text.strip()}"


def _turned(clause: Clause, near: Sequence[Clause]) -> Iterator[tuple[str, str]]:
    """Give the words of the clause that stand for an opposite in every near clause, with that."""
    for word in sorted(clause.words):
        for opposite in (sides(word) | negative_of(word), FIRMER.get(word, frozenset())):
            found = [(opposite - clause.words) & other.words for other in near if word not in other.words]
            if all(found) and len(found) == len(near):
                yield word, min(found[0])
                break


def _firmer(clause: Clause, near: Sequence[Clause]) -> str | None:
    """Return the hedge that falls, in every near clause, on what the claim states as a fact."""
    found = [
        next((word for word, scope in other.hedged if scope & clause.terms), None)
        for other in near
        if not other.negated and len(clause.terms & other.terms) >= _MIN_HEDGED
    ]
    return found[0] if found and len(found) == len(near) and all(found) else None


def _negated_otherwise(mine: Clause, theirs: Clause, terms: frozenset[str], whole: frozenset[str]) -> bool:
    """Does a negation of either clause fall on words that both say, and on none of them in the other?"""
    lost = any(scope & terms and not scope & whole for scope in theirs.negated)
    held = frozenset().union(*theirs.negated)
    added = any(scope & theirs.terms and not scope & held for scope in mine.negated)
    return lost or added


@lru_cache(maxsize=2048)
def _parsed(text: str) -> tuple[Clause, ...]:
    return tuple(
        Clause(
            clause,
            frozenset(word.lower() for word in _WORD.findall(_JOINED.sub(_joined, clause))),
            frozenset(analyse(clause)),
            tuple(_negated(clause)),
            tuple(_hedged(clause)),
        )
        for clause in clauses(_plain(text))
    )


def _joined(found: re.Match[str]) -> str:
    return found[0].replace(" ", "-")


def _negated(clause: str) -> Iterator[frozenset[str]]:
    """Give, for each negation, the two content words that follow it."""
    for match in _NEGATION.finditer(_NAMED_NO.sub("", clause)):
        after = [term for term in analyse(clause[match.end() :]) if term not in ("not", "no")]
        yield frozenset(after[:2])


def _hedged(clause: str) -> Iterator[tuple[str, frozenset[str]]]:
    """Give, for each hedge, the two content words that follow it, other hedges left out."""
    for match in _HEDGE.finditer(clause):
        after = [term for term in analyse(clause[match.end() :]) if term not in HEDGES]
        yield match[0].lower(), frozenset(after[:2])


def _plain(text: str) -> str:
    """Write bounds without their negation ("no later than" is "by") and contractions in one word."""
    return _BOUNDED.sub(lambda found: _BOUNDS.get(found["which"].lower(), "at most"), _PARTED.sub("", text))
