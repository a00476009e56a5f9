"""Where the documents disagree, the answer shows both sides, each with its citation and date."""

from collections.abc import Sequence
from dataclasses import dataclass

from evals.conflicts import conflict
from evals.grounding import Quote
from indexes.analysis import analyse
from indexes.query import Hit
from ragflow.cite import Proposed
from ragflow.passages import Scored

MAX_ADDED = 2


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The claims with the other side of each conflict, and the passages that their quotes count in.

    ``conflicts``: what differs, a line each; empty where the documents agree.
    """

    claims: tuple[Proposed, ...]
    passages: tuple[Hit, ...]
    conflicts: tuple[str, ...] = ()


def reconcile(
    question: str,
    claims: Sequence[Proposed],
    passages: Sequence[Hit],
    ranked: Sequence[Scored],
    hits: Sequence[Hit],
) -> Reconciled:
    """Set beside each proven claim what another document says against it.

    The other side is one of the sentences that may answer the question (``ranked``, of ``hits``), word for
    word. No conflict where the question names what tells the two apart: a
    price of one product, asked for by its name, is not at odds with another's. Claims that already
    stand against each other are left as they are.
    """
    asked = frozenset(analyse(question))
    shown, given = list(claims), list(passages)
    found: list[str] = []
    for at, claim in enumerate(claims):
        for other in claims[at + 1 :]:
            found += _between(_sides(claim, passages), _sides(other, passages), asked)
    for each in (one for one in ranked if one.candidate.header is None):
        if len(shown) - len(claims) == MAX_ADDED:
            break
        hit, text = hits[each.candidate.hit], each.candidate.text
        differing = [
            line for claim in claims for line in _between(_sides(claim, passages), [(hit, text)], asked)
        ]
        if differing and not _shown(hit, each.candidate.start, shown, given):
            given.append(hit)
            quote = Quote(len(given) - 1, text, each.candidate.start)
            shown.append(Proposed(" ".join(text.split()), (quote,)))
            found += differing
    return Reconciled(tuple(shown), tuple(given), tuple(dict.fromkeys(found)))


_Side = tuple[Hit, str]


def _sides(claim: Proposed, passages: Sequence[Hit]) -> list[_Side]:
    """Return what the claim stands on, word for word: a paraphrase may have lost what tells two apart."""
    return [(passages[quote.passage], quote.text) for quote in claim.quotes]


def _between(mine: Sequence[_Side], theirs: Sequence[_Side], asked: frozenset[str]) -> list[str]:
    found = []
    for hit, text in mine:
        for other, said in theirs:
            if hit.document == other.document or _told_apart((hit, text), (other, said), asked):
                continue
            differing = conflict(text, said)
            if differing is not None:
                found.append(differing)
    return found


def _told_apart(mine: _Side, theirs: _Side, asked: frozenset[str]) -> bool:
    """Does the question name something that stands with one of the two sentences alone?"""
    return bool(asked & (_around(mine) ^ _around(theirs)))


def _around(side: _Side) -> frozenset[str]:
    hit, text = side
    return frozenset(analyse("\n".join((hit.title, *hit.headings, text))))


def _shown(hit: Hit, start: int, claims: Sequence[Proposed], passages: Sequence[Hit]) -> bool:
    """Is a claim already quoting this place?"""
    place = (hit.document, hit.revision, hit.start + start)
    for claim in claims:
        for quote in claim.quotes:
            cited = passages[quote.passage]
            if place == (cited.document, cited.revision, cited.start + (quote.start or 0)):
                return True
    return False
