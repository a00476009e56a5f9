"""What stands where: the names and numbers of a text with the content words before and after them.

A lie that exchanges one thing for another leaves the words around it alone. So a name or a number of a
claim is looked for in the quotes by its slot: the content words right before and right after it. Where
the quotes have something else of its sort in that slot, and never it, it is said of the wrong thing.
"""

import re
from bisect import bisect_left
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile

from evals.amounts import amounts, dates, is_scale, is_year
from indexes.analysis import analyse

_CAPITAL = r"(?:(?:[^\W\d_a-zß-öø-ÿ]\.){2,}|[^\W\d_a-zß-öø-ÿ][\w'\u2019&]*(?:-\w+)*)"
_RUN = re.compile(rf"\b{_CAPITAL}(?:[ \u00a0]{_CAPITAL})*")
_CALENDAR = re.compile(
    r"(?:(?:January|February|March|April|May|June|July|August|September|October|November|December|Jan|Feb|Mar"
    r"|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\.?|[ \u00a0]|\d+)+"
)
_PIECE = re.compile(r"(?P<end>[.!?;:|](?=\s|$)|\n(?![a-z]))|(?P<word>[^\W_]+(?:['\u2019.,-][^\W_]+)*)")
_OPENS = re.compile(r"(?:^|[.!?:;|\u2022]|\n\s*\n|(?:^|\n)\s*[-*#\d.)]+)[`'\"\u201c\u2018(\s]*$")
_WINDOW = 3  # content words on either side
_NAMED = "^"  # marks a capitalised neighbour: another name tells little of what is said
_MIN_NAMING = 3
_REACH = 12  # characters: farther back nothing opens a sentence
_INVERTING = re.compile(r"\bby\b|\bof\b|['\u2019]s?\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Slot:
    """A name or an amount in its place: its ``terms``, and up to three content terms on either side.

    ``before`` and ``after`` begin with the nearest and end where a sentence or a cell does. ``opens``: one
    capitalised word that begins a sentence, which may be no name. ``sort``: of an amount its unit. Spans
    are code points, half-open.
    """

    terms: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]
    span: tuple[int, int]
    opens: bool = False
    sort: str = ""

    def alike(self, other: "Slot", *, by_names: bool) -> int:
        """Return on how many sides (0 to 2) the same word is the nearest; ``by_names``: a name counts too."""
        sides = (self.before[:1], other.before[:1]), (self.after[:1], other.after[:1])
        same = [mine[0] for mine, theirs in sides if mine == theirs != ()]
        return sum(by_names or not word.startswith(_NAMED) for word in same)

    def near(self, other: "Slot") -> bool:
        """Say whether a nearest word of the one is a nearest word of the other, on whichever side."""
        return not {*self.before[:1], *self.after[:1]}.isdisjoint((*other.before[:1], *other.after[:1]))

    def close(self, other: "Slot", but: Container[str]) -> int:
        """Return how many words, ``but`` for some, both have on the same side."""
        both = set(self.before) & set(other.before), set(self.after) & set(other.after)
        return sum(term.removeprefix(_NAMED) not in but for side in both for term in side)

    def same(self, other: "Slot") -> bool:
        """Say whether both name the same: the whole of the shorter, or at least a word of three letters."""
        mine, theirs = set(self.terms), set(other.terms)
        shared = mine & theirs
        return bool(shared) and (shared in (mine, theirs) or any(len(term) >= _MIN_NAMING for term in shared))


@lru_cache(maxsize=1024)
def names(text: str) -> tuple[Slot, ...]:
    """Return the runs of capitalised words, in order; stop words ("The", "In") and months do not count."""
    found = []
    for match in _RUN.finditer(text):
        run, start = match[0], match.start()
        while " " in run and not analyse(first := run.split(" ", 1)[0]):  # "In Central Europe"
            run, start = run[len(first) + 1 :], start + len(first) + 1
        terms = tuple(analyse(run))
        if terms and not _CALENDAR.fullmatch(run):
            opens = " " not in run and _OPENS.search(text, max(0, start - _REACH), start) is not None
            found.append(((start, match.end()), terms, opens, ""))
    return tuple(_placed(text, found))


@lru_cache(maxsize=1024)
def numbers(text: str) -> tuple[Slot, ...]:
    """Return the amounts of a text, in order, without those inside dates."""
    outside = [date.span for date in dates(text)]
    found = [
        (
            amount.span,
            (str(amount.value.normalize()),),
            False,
            "year" if is_year(amount, text) else amount.unit,
        )
        for amount in amounts(text, outside=outside)
    ]
    return tuple(_placed(text, found))


def usurped(
    mine: Sequence[Slot], quotes: Sequence[Sequence[Slot]], basis: Sequence[bool]
) -> Iterator[tuple[Slot, Slot]]:
    """Give what the claim puts where a quote has something else, with that: its words are beside another.

    ``quotes``: the slots of each; ``basis``: whether each says most of the claim. Left alone is what any
    quote has beside one of the same words, and, unless both sides agree, what that quote has too, elsewhere.
    What takes the place must be nowhere in the claim.
    """
    theirs = [slot for slots in quotes for slot in slots]
    for slot in mine:
        if slot.opens or any(other.same(slot) and other.near(slot) for other in theirs):
            continue
        for slots, by_names in zip(quotes, basis, strict=True):
            sides = 2 if any(other.same(slot) for other in slots) else 1
            rivals = (
                other
                for other in slots
                if not other.opens and other.sort == slot.sort
                if slot.alike(other, by_names=by_names) >= sides
                if not any(other.same(each) for each in mine)
            )
            rival = next(rivals, None)
            if rival is not None:
                yield slot, rival
                break


def exchanged(
    claim: str, mine: Sequence[Slot], quote: str, theirs: Sequence[Slot]
) -> Iterator[tuple[Slot, Slot]]:
    """Give the pairs that stand in each other's place in the claim and in one quote.

    "by", "of" and a genitive turn an order round without turning its sense: where the words between the
    two have other ones in the claim than in the quote, nothing is said.
    """
    for at, first in enumerate(mine):
        for second in mine[at + 1 :]:
            one, two = _only(first, theirs), _only(second, theirs)
            if one is None or two is None or one is two or first.same(second) or first.sort != second.sort:
                continue
            but = {*first.terms, *second.terms, *one.terms, *two.terms}
            own = first.close(one, but) + second.close(two, but)
            crossed = first.close(two, but), second.close(one, but)
            if all(crossed) and sum(crossed) > own:
                there = sorted((one, two), key=lambda slot: slot.span)
                if _turns(claim, first, second) == _turns(quote, *there):
                    yield first, second


def _only(slot: Slot, theirs: Sequence[Slot]) -> Slot | None:
    found = [other for other in theirs if other.same(slot)]
    return found[0] if len(found) == 1 else None


def _turns(text: str, first: Slot, second: Slot) -> list[str]:
    return sorted(found.lower() for found in _INVERTING.findall(text[first.span[1] : second.span[0]]))


_Found = tuple[tuple[int, int], tuple[str, ...], bool, str]


def _placed(text: str, found: Sequence[_Found]) -> Iterator[Slot]:
    if not found:
        return
    pieces = _pieces(text)
    starts = [start for start, _, _ in pieces]
    for span, terms, opens, sort in found:
        first = bisect_left(starts, span[0])
        before = _until(term for _, _, term in reversed(pieces[max(0, first - _WINDOW) : first]))
        last = bisect_left(starts, span[1])
        after = _until(term for _, _, term in pieces[last : last + _WINDOW])
        yield Slot(terms, before, after, span, opens, sort)


@lru_cache(maxsize=1024)
def _pieces(text: str) -> tuple[tuple[int, int, str], ...]:
    return tuple(_terms(text))


def _until(terms: Iterator[str]) -> tuple[str, ...]:
    """Return the terms before the first end."""
    return tuple(takewhile(bool, terms))


def _terms(text: str) -> Iterator[tuple[int, int, str]]:
    """Give the content terms with their spans, and "" where a sentence or a cell ends; no figures."""
    for match in _PIECE.finditer(text):
        if match["end"]:
            yield match.start(), match.end(), ""
        elif not any(sign.isdigit() for sign in match[0]) and not is_scale(match[0]):
            terms = analyse(match[0])
            if terms:
                yield match.start(), match.end(), _NAMED + terms[0] if match[0][0].isupper() else terms[0]
