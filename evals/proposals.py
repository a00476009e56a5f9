"""Questions proposed from a collection's own pages, for a person to review.

They are put in the page's own words, and so favour lexical search over dense: whoever reviews them should
put them as a reader would who has not seen the page.
"""

import hashlib
import math
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from evals.cases import Case, GoldQuote
from evals.wording import plain, question_of, question_of_heading, unmarked
from indexes.analysis import analyse
from indexes.sentences import sentences

_POOL = 4  # pages looked at for each question wanted
_LEAST_POOL = 200
_ALIKE = 0.6  # share of common terms from which two questions are one
_PAGE_TEXT = 60_000  # characters of a page that are looked at
_PAGE_BEST = 6  # candidates that a page keeps
_RARITY = 0.5  # what the rarity of a question's words weighs beside how well it reads
_CHANCE = 0.3  # what the seed weighs beside both, so that another one brings other questions
_ANSWERING = 3  # sentences of a section among which its heading's answer is looked for
_WORD = re.compile(r"[^\W\d_]+")
_CAPITAL = re.compile(r"(?<=[a-z,;] )[A-Z][^\W\d_]+")  # within a sentence, where only names have one


@dataclass(frozen=True, slots=True)
class Page:
    """A document as text. ``headings``: (label, start, end), code points, each spanning its whole section."""

    document: str
    readers: tuple[str, ...]
    title: str
    text: str
    headings: tuple[tuple[str, int, int], ...]
    source: str


@dataclass(frozen=True, slots=True)
class _Candidate:
    page: Page
    kind: str
    question: str
    answer: str
    start: int
    end: int
    worth: float
    terms: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Read:
    """A page with its sentences' spans, those sentences folded, its words and its terms."""

    page: Page
    spans: tuple[tuple[int, int], ...]
    folded: frozenset[str]
    words: frozenset[str]
    capitals: frozenset[str]
    terms: frozenset[str]

    @classmethod
    def of(cls, page: Page) -> "_Read":
        text = page.text[:_PAGE_TEXT]
        spans = tuple(sentences(text))
        folded = frozenset(_folded(text[start:end]) for start, end in spans)
        words, capitals = frozenset(_WORD.findall(text)), frozenset(_CAPITAL.findall(text))
        return cls(page, spans, folded, words, capitals, frozenset(analyse(text)))


@dataclass(frozen=True, slots=True)
class _Collection:
    """What is counted over the pages drawn: on how many each term stands, and each sentence.

    ``names``: words that more pages write with a capital within a sentence than in lower case.
    """

    seed: int
    pages: int
    with_term: Counter[str]
    with_sentence: Counter[str]
    names: frozenset[str]

    @classmethod
    def of(cls, read: Sequence[_Read], seed: int) -> "_Collection":
        written = Counter(word for one in read for word in one.words)
        capitals = Counter(word for one in read for word in one.capitals)
        names = frozenset(word for word, count in capitals.items() if count > written[word.lower()])
        terms = Counter(term for one in read for term in one.terms)
        lines = Counter(line for one in read for line in one.folded)
        return cls(seed, len(read), terms, lines, names)

    def weighed(self, found: "_Candidate") -> float:
        """Return a candidate's worth among those of its collection.

        A question of words that every page has could be answered by any of them: rarity counts, 0 to 1
        for the three rarest words. So does chance, drawn from the seed and the question alone.
        """
        rare = sorted(math.log((self.pages + 1) / (self.with_term[term] or 1)) for term in found.terms)
        rarity = sum(rare[-3:]) / (3 * math.log(self.pages + 2))
        drawn = random.Random(f"{self.seed} {found.page.document} {found.question}").random()  # noqa: S311
        return found.worth + _RARITY * rarity + _CHANCE * drawn


def propose(pages: Iterable[Page], *, limit: int, seed: int | None) -> list[Case]:
    """Return at most ``limit`` questions with their gold, every one ``reviewed=False``.

    The same pages and seed (None is 0) give the same questions, another seed others. Pages are drawn at
    random and take turns, so that questions spread over documents; of two that ask nearly the same, one
    stays. Sentences that stand on several pages give none, because their gold would not be one document.
    A page that nobody may read gives none. Fewer than ``limit``, or none, where the pages give no more.
    Memory is that of the pages drawn: four for each question wanted, two hundred at least.
    """
    if limit < 1:
        return []
    drawn = [_Read.of(page) for page in _drawn(pages, max(_LEAST_POOL, _POOL * limit), seed or 0)]
    collection = _Collection.of(drawn, seed or 0)
    chosen: list[_Candidate] = []
    for candidate in _in_turns([_best(read, collection) for read in drawn]):
        if not _alike(candidate, chosen):
            chosen.append(candidate)
            if len(chosen) == limit:
                break
    return [_case(candidate) for candidate in chosen]


def _drawn(pages: Iterable[Page], most: int, seed: int) -> list[Page]:
    """Draw pages at random while they go by (Vitter 1985, algorithm R), so that no more are held."""
    chance = random.Random(seed)  # noqa: S311
    kept: list[Page] = []
    for position, page in enumerate(page for page in pages if page.readers):
        if position < most:
            kept.append(page)
        elif (place := chance.randrange(position + 1)) < most:
            kept[place] = page
    chance.shuffle(kept)
    return kept


def _best(read: _Read, collection: _Collection) -> list[_Candidate]:
    """Return the page's best candidates, best first, in the page's order where they are equal."""
    scored = [
        replace(found, worth=collection.weighed(found))
        for found in (*_from_sentences(read, collection), *_from_headings(read, collection))
        if collection.with_sentence[_folded(found.answer)] <= 1
    ]
    return sorted(scored, key=lambda one: (-one.worth, one.start))[:_PAGE_BEST]


def _from_sentences(read: _Read, collection: _Collection) -> Iterator[_Candidate]:
    for start, end in read.spans:
        text = read.page.text[start:end]
        worded = question_of(text, collection.names)
        if worded is not None:
            begin = start + unmarked(text)
            yield _candidate(read.page, "sentence", worded.question, (begin, end), worded.worth)


def _from_headings(read: _Read, collection: _Collection) -> Iterator[_Candidate]:
    page = read.page
    begins = sorted(start for _, start, _ in page.headings)
    for label, start, end in page.headings:
        asked = question_of_heading(label, page.title, collection.names)
        if asked is None:
            continue
        # The section's own text: up to the next heading, of whatever depth.
        own_end = next((begin for begin in begins if start < begin < end), end)
        answering = _answering(read, frozenset(analyse(label)), (start + len(label), own_end))
        if answering is not None:
            yield _candidate(page, "heading", asked[0], answering, asked[1])


def _answering(read: _Read, terms: frozenset[str], section: tuple[int, int]) -> tuple[int, int] | None:
    """Return the span of that early sentence of a section which speaks most of what its heading names."""
    best, most = None, 0
    inside = [span for span in read.spans if section[0] <= span[0] and span[1] <= section[1]]
    for start, end in inside[:_ANSWERING]:
        text = read.page.text[start:end]
        shared = len(terms & set(analyse(plain(text))))
        if shared > most:
            best, most = (start + unmarked(text), end), shared
    return best


def _candidate(page: Page, kind: str, question: str, span: tuple[int, int], worth: float) -> _Candidate:
    start, end = span
    answer = " ".join(page.text[start:end].split())
    return _Candidate(page, kind, question, answer, start, end, worth, frozenset(analyse(question)))


def _in_turns(per_page: Sequence[Sequence[_Candidate]]) -> Iterator[_Candidate]:
    """Give the best of each page, best first, then the second best of each, and so on."""
    for turn in range(_PAGE_BEST):
        yield from sorted(
            (found[turn] for found in per_page if len(found) > turn), key=lambda one: -one.worth
        )


def _alike(candidate: _Candidate, chosen: Sequence[_Candidate]) -> bool:
    """Say whether a chosen question has nearly the same words, or the same sentence for its answer."""
    return any(
        len(candidate.terms & other.terms) >= _ALIKE * len(candidate.terms | other.terms)
        or (candidate.page is other.page and candidate.end == other.end)
        for other in chosen
    )


def _folded(text: str) -> str:
    return " ".join(text[unmarked(text) :].split()).lower()


def _case(candidate: _Candidate) -> Case:
    page = candidate.page
    named = hashlib.sha256(f"{page.document}\0{candidate.question}".encode()).hexdigest()[:8]
    return Case(
        id=f"p-{named}",
        question=candidate.question,
        readers=("everyone",) if "everyone" in page.readers else tuple(sorted(page.readers)),
        answerable="yes",
        judgements={page.document: 1},
        quotes=(GoldQuote(page.document, page.text[candidate.start : candidate.end]),),
        answer=candidate.answer,
        source=page.source,
        tags=("proposed", candidate.kind),
        group=page.document,
        reviewed=False,
    )
