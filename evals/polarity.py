"""Clauses, and whether one says the opposite of another: negation, antonyms, duty against permission."""

import re
from collections.abc import Iterator, Sequence

from indexes.analysis import analyse

_BREAK = re.compile(
    r"[;|\t\n]|(?<=[.!?])\s+|,(?!\d)|\s[-\u2013\u2014]\s"
    r"|\s(?:and|but|or|while|whereas|although|though|however|because|unless)\s"
)
_BOUNDED = re.compile(
    r"\b(?:no|not)\s+(?P<which>later|more|less|fewer|earlier|greater|longer|higher|lower)\s+than\b",
    re.IGNORECASE,
)
_BOUNDS = {"later": "by", "earlier": "from", "less": "at least", "fewer": "at least", "lower": "at least"}
_NEGATION = re.compile(
    r"\b(?:not(?!\s+only)|no|never|none|nobody|nothing|nowhere|neither|nor|cannot|without|hardly|\w+n['\u2019]t)\b",
    re.IGNORECASE,
)
_OPPOSITES = """
    increase|increased|increases|rise|rises|rose|risen|grew|grow|grows|up /
        decrease|decreased|decreases|fall|falls|fell|fallen|shrank|decline|declined|down|dropped;
    before|prior / after|following;
    above|over|exceeding / below|under;
    more|greater|higher|larger|longer / less|fewer|lower|smaller|shorter;
    minimum|at least / maximum|at most|up to;
    allow|allows|allowed|permit|permits|permitted|may|can /
        forbid|forbids|forbidden|prohibit|prohibits|prohibited|banned;
    include|includes|included|including / exclude|excludes|excluded|excluding|except;
    approve|approves|approved|accept|accepts|accepted /
        reject|rejects|rejected|refuse|refused|denied|declined;
    mandatory|compulsory|required|must|shall|obligatory / optional|voluntary|may|can;
    internal / external;
    first|earliest / last|latest;
    open|opens|opened / close|closes|closed;
    paid / unpaid;
    always / never|sometimes|rarely;
    all|every|each / some|few;
    valid / invalid|expired;
    enable|enables|enabled / disable|disables|disabled;
    profit|gain|gains / loss|losses;
    buy|buys|bought / sell|sells|sold;
    employer / employee;
    gross / net
"""
_PAIRS = [
    tuple(re.compile(rf"\b(?:{words.strip()})\b", re.IGNORECASE) for words in pair.split("/"))
    for pair in _OPPOSITES.split(";")
]


def clauses(text: str) -> tuple[str, ...]:
    """Return the clauses of a text, roughly: cut at sentence ends, commas, conjunctions and table cells.

    Numbers are never cut. A part without a content word belongs to the one before it.
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
    shares none is left alone.
    """
    theirs = [clause for quote in quotes for clause in clauses(_plain(quote))]
    for mine in clauses(_plain(claim)):
        words = set(analyse(mine))
        shared = [len(words & set(analyse(clause))) for clause in theirs]
        if not shared or not max(shared):
            continue
        near = [clause for clause, count in zip(theirs, shared, strict=True) if count == max(shared)]
        if all(_negated_otherwise(claim, mine, clause) for clause in near):
            yield f"one is negated, the other is not: {mine.strip()}"
        for one, other in _PAIRS:
            for said, meant in ((one, other), (other, one)):
                turned = said.search(mine) and not meant.search(mine)
                if turned and all(meant.search(clause) and not said.search(clause) for clause in near):
                    yield f"the opposite of what is quoted: {mine.strip()}"


def _negated_otherwise(claim: str, mine: str, theirs: str) -> bool:
    """Does a negation of either clause fall on words that both say, and on none of them in the other?"""
    words = set(analyse(claim))
    whole = set().union(*_negated(claim))
    lost = any(scope & words and not scope & whole for scope in _negated(theirs))
    held = set().union(*_negated(theirs))
    added = any(scope & set(analyse(theirs)) and not scope & held for scope in _negated(mine))
    return lost or added


def _negated(clause: str) -> list[set[str]]:
    """Return, for each negation, the two content words that follow it."""
    return [
        set([term for term in analyse(clause[match.end() :]) if term not in ("not", "no")][:2])
        for match in _NEGATION.finditer(clause)
    ]


def _plain(text: str) -> str:
    """Write bounds without their negation: "no later than" is "by"."""
    return _BOUNDED.sub(lambda found: _BOUNDS.get(found["which"].lower(), "at most"), text)
