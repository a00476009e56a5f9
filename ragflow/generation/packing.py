"""Hits -> the passages of a prompt: best first, side by side, none twice, within a budget of tokens."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from types import MappingProxyType

from connectors.documents import Anchor
from evals.amounts import amounts, dates
from evals.polarity import opposed
from indexes.analysis import analyse
from indexes.injection import scan
from indexes.query import Flag, Hit
from ragflow.generation.widening import Span, fitted, lengthened, widen

Count = Callable[[str], int]
Shingles = set[tuple[str, ...]]

ALIKE = 0.8  # Jaccard index of word shingles: from here on two passages are the same but for trifles
SHINGLE = 3  # words
COMPARABLE = 0.5  # of the best score: a hit below it does not go before better ones of a known source
SIDE_BY_SIDE = 2  # so many hits a source or document may bring before every comparable one has brought one
WORTH_CUTTING = 100  # tokens with what stands around a passage: of less it would be a scrap
ROOMY = 400  # tokens: a smaller budget is not shared out

NOWHERE: Mapping[str, int] = MappingProxyType({})


def pack(
    hits: Sequence[Hit],
    *,
    budget_tokens: int,
    count: Count,
    text_of: Callable[[Hit], str],
    anchors_of: Callable[[Hit], tuple[Anchor, ...]],
    focus: Mapping[str, int] = NOWHERE,
) -> tuple[Hit, ...]:
    """Return what a prompt shows of the hits, best first; together at most ``budget_tokens``.

    Each source, then each document, brings its best hit before any brings a third, as far as their scores
    can be compared. What is nearly the same as a passage before it is left out, unless a number, a date, a
    name or a negation differs: versions that contradict each other both stay. A hit that is cut is made
    longer (see ``widening``) where the budget allows, but not by what reads like an order to a program, or
    what a person who opens the file would not see.
    Hits of one document that overlap or touch become one passage, at the place of the first. What does not
    fit, or would take more than half of the budget from the others, is cut to the sentences around ``focus``
    (offset in the document, by chunk id; absent: its beginning), or left out where too little is left.
    ``text == text_of(hit)[start:end]`` holds for every passage; a hit for which it does not hold is never
    made longer. No hits, or no budget: no passages.
    """
    most = max(budget_tokens // 2, min(budget_tokens, ROOMY)) if len(hits) > 1 else budget_tokens
    packer = _Packer((budget_tokens, most), cache(count), text_of, anchors_of, focus)
    kept: list[tuple[Hit, Shingles]] = []
    for hit in side_by_side(hits):
        mine = _shingles(hit.text)
        if not any(_same((hit, mine), other) for other in kept) and packer.add(hit):
            kept.append((hit, mine))
    return tuple(packer.passages)


class _Packer:
    """Holds the passages so far and what they cost."""

    def __init__(
        self,
        budget: tuple[int, int],
        count: Count,
        text_of: Callable[[Hit], str],
        anchors_of: Callable[[Hit], tuple[Anchor, ...]],
        focus: Mapping[str, int],
    ) -> None:
        self.passages: list[Hit] = []
        self._costs: list[int] = []
        self._budget, self._most = budget
        self._count = count
        self._text_of, self._anchors_of, self._focus = text_of, anchors_of, focus

    def add(self, hit: Hit) -> bool:
        """Take a hit in, made whole if there is room, as it is, or cut; say whether it was."""
        text = self._text_of(hit)
        if not hit.text.strip():
            return False
        if text[hit.start : hit.end] != hit.text:
            return self._put(hit)
        wide = widen(hit, text)
        if any(_beside(hit, *span) for span in (*_orders(hit, wide, text), *_unseen(hit, wide))):
            wide = hit.start, hit.end
        for span in dict.fromkeys([wide, (hit.start, hit.end)]):
            if self._count(text[slice(*span)]) > self._most:
                continue
            if self._put(self._joined(self._over(hit, span, text, hit.flags), text)):
                return True
        room = min(self._most, self._budget - sum(self._costs))
        if self.passages and room < WORTH_CUTTING:
            return False
        at = self._focus.get(hit.chunk, hit.start)
        cut = fitted(text, (hit.start, hit.end), at, lambda span: self._count(text[slice(*span)]) <= room)
        return cut is not None and self._put(self._joined(self._over(hit, cut, text, hit.flags), text))

    def _over(self, hit: Hit, span: Span, text: str, flags: Sequence[Flag]) -> Hit:
        """Return the hit over another span. Anchors are looked up only here: that takes a query each."""
        if span == (hit.start, hit.end):
            return hit
        return lengthened(hit, span, text, self._anchors_of(hit), flags)

    def _joined(self, hit: Hit, text: str) -> Hit:
        """Return the hit together with the passages of its document that it overlaps or touches."""
        near = [other for other in self.passages if _touches(hit, other, text)]
        if not near:
            return hit
        span = min(one.start for one in (hit, *near)), max(one.end for one in (hit, *near))
        flags = [flag for one in (*near, hit) for flag in one.flags]
        return self._over(near[0], span, text, flags)

    def _put(self, hit: Hit) -> bool:
        """Put a passage in for all that lie inside it, at the place of the first, if the budget allows."""
        inside = [at for at, other in enumerate(self.passages) if _holds(hit, other)]
        cost = self._count(hit.text)
        if sum(self._costs) - sum(self._costs[at] for at in inside) + cost > self._budget:
            return False
        place = inside[0] if inside else len(self.passages)
        for at in reversed(inside):
            del self.passages[at], self._costs[at]
        self.passages.insert(place, hit)
        self._costs.insert(place, cost)
        return True


def side_by_side(hits: Sequence[Hit]) -> Iterator[Hit]:
    """Give the hits in the order in which they are packed.

    That is their own, but a third hit of a source or document waits until every other one whose best hit
    is comparable (half of the best score or more) has brought that.
    """
    waiting = list(hits)
    floor = COMPARABLE * max((hit.fused for hit in hits), default=0.0)
    brought: Counter[str] = Counter()
    while waiting:
        first = waiting[0]
        for key in (_source, _document):
            if brought[key(first)] >= SIDE_BY_SIDE:
                fresh = [hit for hit in waiting if not brought[key(hit)] and hit.fused >= floor]
                if fresh:
                    first = fresh[0]
                    break
        waiting.remove(first)
        brought.update([_source(first), _document(first)])
        yield first


def _source(hit: Hit) -> str:
    return f"source {hit.document.partition('/')[0]}"


def _document(hit: Hit) -> str:
    return f"document {hit.document}"


def _orders(hit: Hit, span: Span, text: str) -> list[Span]:
    """Return what reads like an order to a program in the longer span."""
    found = scan(text[slice(*span)]) if span != (hit.start, hit.end) else ()
    return [(span[0] + flag.start, span[0] + flag.end) for flag in found]


def _unseen(hit: Hit, span: Span) -> list[Span]:
    """Return what a person would not see in the longer span."""
    return [one for one in hit.unseen if one[0] < span[1] and span[0] < one[1]]


def _beside(hit: Hit, start: int, end: int) -> bool:
    return end <= hit.start or hit.end <= start


def _touches(hit: Hit, other: Hit, text: str) -> bool:
    """Do they stand in one text, with nothing but white space between them?"""
    if (hit.document, hit.revision) != (other.document, other.revision):
        return False
    between = text[min(hit.end, other.end) : max(hit.start, other.start)]
    return not between.strip() and text[other.start : other.end] == other.text


def _holds(hit: Hit, other: Hit) -> bool:
    return (hit.document, hit.revision) == (other.document, other.revision) and (
        hit.start <= other.start and other.end <= hit.end
    )


def same(one: Hit, other: Hit) -> bool:
    """Do the hits say the same, but for a few words that are no numbers, dates, names or negations?"""
    return _same((one, _shingles(one.text)), (other, _shingles(other.text)))


def _same(one: tuple[Hit, Shingles], other: tuple[Hit, Shingles]) -> bool:
    (hit, mine), (known, theirs) = one, other
    if hit.text == known.text:
        return True
    if not mine or not theirs or len(mine & theirs) < ALIKE * len(mine | theirs):
        return False
    return _counts_alike(hit.text, known.text)


def _counts_alike(one: str, other: str) -> bool:
    """Do figures, dates, names and negations agree?"""
    return (
        _figures(one) == _figures(other)
        and _names(one) == _names(other)
        and not any(opposed(one, [other]))
        and not any(opposed(other, [one]))
    )


def _shingles(text: str) -> Shingles:
    terms = analyse(text)
    if len(terms) < SHINGLE:
        return set()
    return set(zip(*(terms[at:] for at in range(SHINGLE)), strict=False))


def _figures(text: str) -> tuple[object, ...]:
    found = dates(text)
    return (
        Counter((one.year, one.month, one.day) for one in found),
        Counter((one.value, one.unit) for one in amounts(text, outside=[one.span for one in found])),
        Counter(term for term in analyse(text) if any(map(str.isdigit, term)) or term in ("no", "not")),
    )


def _names(text: str) -> set[str]:
    """Return the words in capitals, those too that merely begin a sentence: both texts have them alike."""
    return {word.strip("\"'()[].,;:!?") for word in text.split() if word[:1].isupper()}
