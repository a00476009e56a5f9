"""The values that go into and come out of a search."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from connectors.documents import Anchor
from connectors.lines import Lines, line_at, opened

System = Literal["hybrid", "lexical", "dense"]
Merge = Literal["near", "equal", "none"]


@dataclass(frozen=True, slots=True)
class Query:
    """A question and who asks. ``readers`` empty finds nothing. ``sources`` None means all of them.

    ``merge``: which hits of different documents count as one, see ``indexes.merging``.
    """

    text: str
    readers: frozenset[str]
    sources: tuple[str, ...] | None = None
    k: int = 10
    system: System = "hybrid"
    merge: Merge = "near"


@dataclass(frozen=True, slots=True)
class Ranking:
    """How hits are scored. Applied at query time: a change needs no new generation.

    ``candidates``: how many of each leg are fused. ``dense_weight`` in [0, 1], the rest is lexical.
    ``title_boost``, ``heading_boost``: how often a term there counts. ``k1``, ``b``: BM25.
    """

    candidates: int = 100
    dense_weight: float = 0.5
    title_boost: float = 2.0
    heading_boost: float = 2.0
    k1: float = 1.2
    b: float = 0.75


@dataclass(frozen=True, slots=True)
class Scores:
    """What each leg gave: BM25 (0 and up), cosine (-1 to 1). None where the leg did not take part.

    ``rerank``: what a reranker's model gave, of any range, more is better; None where it saw no such hit.
    ``fused``: the score of both legs together where another one orders the hits, else None.
    """

    lexical: float | None
    dense: float | None
    rerank: float | None = None
    fused: float | None = None


HIDDEN = "hidden_text"
"""The family of text that a person who opens the file would not see: parsing finds it, no scanner."""


@dataclass(frozen=True, slots=True)
class Flag:
    """A span of the document's text that reads like an order to a program, or that nobody would see."""

    start: int
    end: int
    family: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk found. ``text == revision's text[start:end]``; ``headings`` outermost first.

    ``anchors`` and ``flags`` are those that overlap the chunk; ``unseen`` are all spans of the document that
    a person who opens the file would not see. ``score`` is fused, 0 to 1, rounded to 1e-6; behind a reranker
    it is that of ``indexes.reranking``. It never rises from one hit to the next.
    ``language`` is the one whose rules its words were analysed by: "en" too where there are none for its own.
    ``also``: chunks of other documents that say the same and rank behind it, best first.
    ``link`` opens the document where the chunk starts; ``unopened`` is that link with its ``{line}`` left
    open, if it has one, and ``lines`` tell those of the chunk.
    """

    rank: int
    chunk: str
    document: str
    revision: str
    start: int
    end: int
    title: str
    headings: tuple[str, ...]
    anchors: tuple[Anchor, ...]
    link: str | None
    modified: str | None
    text: str
    score: float
    scores: Scores
    flags: tuple[Flag, ...] = ()
    unseen: tuple[tuple[int, int], ...] = ()
    language: str = "en"
    also: tuple[str, ...] = ()
    unopened: str | None = None
    lines: Lines = ()

    @property
    def fused(self) -> float:
        """What both legs gave together, 0 to 1, whatever orders the hits."""
        return self.score if self.scores.fused is None else self.scores.fused

    def link_at(self, position: int) -> str | None:
        """Return the link that opens the document at a position within the chunk."""
        if self.unopened is None:
            return self.link
        return opened(self.unopened, line_at(self.lines, self.text, position, start=self.start))


@dataclass(frozen=True, slots=True)
class Found:
    """Hits, best first, with the generation that gave them.

    ``idf`` maps each analysed term of the question to its BM25 idf over the readable rows alone. It is
    analysed as ``language``: that of the readable rows, or where they are of several (``idfs`` holds the
    same for each of them) the question's own if it is among them, else that of the most rows.
    ``rows`` is how many chunks were readable at all, ``sources`` the names of the sources they are of.
    """

    hits: tuple[Hit, ...]
    generation: str
    idf: Mapping[str, float]
    rows: int
    sources: tuple[str, ...] = ()
    language: str = "en"
    idfs: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def idf_of(self, hit: Hit) -> Mapping[str, float]:
        """Return the idf of the question's terms as they stand in this hit's language."""
        return self.idfs.get(hit.language, self.idf)


class Index(Protocol):
    """Holds chunks and finds them again. Every one passes ``indexes.testing.IndexContract``.

    Laws:

    - ``search`` gives at most ``query.k`` hits, best first, ties by chunk id.
    - ``search`` never gives, counts or scores a chunk that ``query.readers`` may not read.
    - writing twice is writing once; dropping an unknown document is no error.
    """

    def search(self, query: Query) -> Found: ...
