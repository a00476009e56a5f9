"""Turn claims that were proven into numbered citations of document spans."""

from collections.abc import Sequence
from dataclasses import dataclass

from evals.grounding import Quote
from indexes.query import Hit
from ragflow.answers import Citation, Claim


@dataclass(frozen=True, slots=True)
class Proposed:
    """A claim before it is numbered. Each quote counts its passage from 0 in the hits."""

    text: str
    quotes: tuple[Quote, ...]


def cite(claims: Sequence[Proposed], hits: Sequence[Hit]) -> tuple[tuple[Claim, ...], tuple[Citation, ...]]:
    """Number the quotes of the claims, in order of first use from 1; the same span is the same number.

    Every quote must know its ``start`` in its hit's text (``pipeline`` sees to it); a citation's span is
    then ``hit.start`` further on, in the document. No claims: nothing.
    """
    numbers: dict[tuple[str, str, int, int], int] = {}
    citations: list[Citation] = []
    numbered: list[Claim] = []
    for claim in claims:
        ids: list[int] = []
        for quote in claim.quotes:
            hit = hits[quote.passage]
            start, end = _span(quote, hit)
            key = (hit.document, hit.revision, start, end)
            if key not in numbers:
                numbers[key] = len(numbers) + 1
                citations.append(_citation(numbers[key], hit, start, end))
            if numbers[key] not in ids:
                ids.append(numbers[key])
        numbered.append(Claim(claim.text, tuple(ids)))
    return tuple(numbered), tuple(citations)


def _span(quote: Quote, hit: Hit) -> tuple[int, int]:
    start = quote.start
    if start is None or hit.text[start : start + len(quote.text)] != quote.text:
        raise AssertionError("a quote reached cite without its place in the passage")
    return hit.start + start, hit.start + start + len(quote.text)


def _citation(number: int, hit: Hit, start: int, end: int) -> Citation:
    return Citation(
        id=number,
        document=hit.document,
        revision=hit.revision,
        start=start,
        end=end,
        quote=hit.text[start - hit.start : end - hit.start],
        anchors=tuple(anchor for anchor in hit.anchors if anchor.start < end and start < anchor.end),
        link=hit.link_at(start),
        modified=hit.modified,
        flagged=any(flag.start < end and start < flag.end for flag in hit.flags),
    )
