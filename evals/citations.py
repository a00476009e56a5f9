"""Do the citations of an answer point at the gold: its documents, its places, its very words?

Three levels, each within the one before. *Document*: the cited document is gold. *Span*: the cited
quote and a gold quote of that document overlap by at least half of the shorter, counted in characters
after ``evals.folding``; they overlap when one stands whole in the other, or one ends with what the other
begins with. *Anchor*, between them: the citation is right at span level, or its passage holds a gold
quote of that document, or it has the same anchors (page, heading and so on, all of them) as a citation
that is right at span level. A gold quote has no place of its own: where it stands is known only by what
was cited.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Literal

from evals.cases import Case, GoldQuote, Response, Span
from evals.folding import fold, locate
from evals.measures import Metric, Taken

NO_ANSWER = "this system gives no answer"
NOT_ANSWERED = "not answered"
NO_GOLD_DOCUMENT = "no gold document"
NO_GOLD_QUOTE = "no gold quote"

Level = Literal["document", "anchor", "span"]

_LEVELS: tuple[Level, ...] = ("document", "anchor", "span")
_SHARED = 0.5
_REMEMBERED = 8192


def answered(response: Response) -> bool:
    """Say whether something was answered: ``answered``, ``partial`` or ``conflicting``."""
    return response.outcome in ("answered", "partial", "conflicting")


def gold_documents(case: Case) -> frozenset[str]:
    """Return the documents that are judged relevant (grade 1 and up) or hold a gold quote."""
    judged = {document for document, grade in (case.judgements or {}).items() if grade >= 1}
    return frozenset(judged | {gold.document for gold in case.quotes or ()})


def overlap(cited: str, gold: str) -> float:
    """Return how much of the shorter text both share, in characters after folding: 0 to 1.

    1 where one stands whole (no word or number cut) in the other; else the longest end of one that
    begins the other. Not the longest common piece: "30 days of leave" would half support "28 days of
    leave". 0 where either is blank.
    """
    return _overlap(cited, gold)


def matches(citation: Span, gold: GoldQuote) -> bool:
    """Say whether a citation is right at span level by this gold quote."""
    return citation.document == gold.document and overlap(citation.quote, gold.quote) >= _SHARED


def proves(case: Case, response: Response) -> bool:
    """Say whether any citation is right at span level."""
    return any(matches(citation, gold) for gold in case.quotes or () for citation in response.citations)


def precision(case: Case, response: Response, level: Level) -> Taken:
    """Return the share of citations that are right at a level; 0 for an answer that cites nothing."""
    missing = _missing(case, response, level)
    if missing:
        return missing
    if not answered(response):
        return NOT_ANSWERED
    right = [_right(citation, case, response, level) for citation in response.citations]
    return (sum(right) / len(right) if right else 0.0,)


def recall(case: Case, response: Response, level: Level) -> Taken:
    """Return the share of gold documents (level document) or quotes that are cited; 0 when not answered."""
    missing = _missing(case, response, level)
    if missing:
        return missing
    if not answered(response):
        return (0.0,)
    if level == "document":
        wanted = gold_documents(case)
        return (len(wanted & {citation.document for citation in response.citations}) / len(wanted),)
    quotes = case.quotes or ()
    cited = [any(_reaches(c, gold, response, level) for c in response.citations) for gold in quotes]
    return (sum(cited) / len(cited),)


def _right(citation: Span, case: Case, response: Response, level: Level) -> bool:
    if level == "document":
        return citation.document in gold_documents(case)
    return any(_reaches(citation, gold, response, level) for gold in case.quotes or ())


def _reaches(citation: Span, gold: GoldQuote, response: Response, level: Level) -> bool:
    """Say whether a citation is right by this gold quote at the level span or anchor."""
    if matches(citation, gold):
        return True
    if level == "span" or citation.document != gold.document:
        return False
    return _stands(gold.quote, citation.passage) or any(
        frozenset(other.anchors) == frozenset(citation.anchors) != frozenset() and matches(other, gold)
        for other in response.citations
    )


def _missing(case: Case, response: Response | None, level: Level) -> str | None:
    """Return why a case is left out, if it is."""
    if response is not None and response.outcome is None:
        return NO_ANSWER
    if level == "document":
        return None if gold_documents(case) else NO_GOLD_DOCUMENT
    return None if case.quotes else NO_GOLD_QUOTE


@lru_cache(maxsize=_REMEMBERED)
def _overlap(cited: str, gold: str) -> float:
    first, second = fold(cited).text.strip(), fold(gold).text.strip()
    shorter, longer = sorted((first, second), key=len)
    if not shorter:
        return 0.0
    if locate(shorter, longer):
        return 1.0
    # Whole containment that would cut a word is no overlap: an end is shorter than the shorter text.
    for shared in range(len(shorter) - 1, 0, -1):
        if first.endswith(second[:shared]) or second.endswith(first[:shared]):
            return shared / len(shorter)
    return 0.0


@lru_cache(maxsize=_REMEMBERED)
def _stands(quote: str, passage: str) -> bool:
    return locate(quote, passage) is not None


def _declared(share: str, level: Level, taken: Callable[[Case, Response, Level], Taken]) -> Metric:
    return Metric(
        f"citation_{share}@{level}",
        "answer",
        lambda case, response: taken(case, response, level),
        lambda case: _missing(case, None, level) or (0.0,),
    )


def _metrics() -> Iterable[Metric]:
    for level in _LEVELS:
        yield _declared("precision", level, precision)
        yield _declared("recall", level, recall)


METRICS = tuple(_metrics())
