"""Taking documents out of what an evaluation stored: the wording of an erased one, all of hidden ones."""

from collections.abc import Collection, Iterator
from dataclasses import replace

from evals.cases import Case, Ranked, Span, Statement
from evals.citations import gold_documents
from evals.results import Row


def row_without(row: Row, document: str) -> Row:
    """Return the row without any wording of the document; a row that has none is itself.

    Gone are titles, texts and quotes of it, the claims that cite it and the answer that they are in.
    """
    response = row.response
    if response is None:
        return row
    gone = frozenset(at for at, cited in enumerate(response.citations) if _of(cited.document, document))
    bare = replace(
        response,
        ranking=tuple(_unworded(ranked, document) for ranked in response.ranking),
        citations=tuple(_unquoted(cited, document) for cited in response.citations),
        claims=tuple(_unsaid(claim, gone) for claim in response.claims),
        answer="" if gone else response.answer,
    )
    return row if bare == response else replace(row, response=bare)


def case_without(case: Case, document: str) -> Case:
    """Return the case without gold quotes of the document, nor the gold answer that it may have given."""
    touched = any(_of(named, document) for named in gold_documents(case))
    if not touched or (case.answer is None and not case.quotes):
        return case
    quotes = tuple(gold for gold in case.quotes or () if not _of(gold.document, document))
    return replace(case, quotes=None if case.quotes is None else quotes, answer=None)


def row_names(row: Row) -> Iterator[str]:
    """Yield the documents that a row names, as it names them."""
    response = row.response
    if response is None:
        return
    yield from (one.document for one in response.ranking)
    yield from (one.document for one in response.citations)
    yield from response.everything or ()


def row_for(row: Row, hidden: Collection[str], sources: Collection[str]) -> Row:
    """Return the row as it is shown to somebody from whom these documents are hidden; numbers stay.

    Gone are their names and words, and an answer that cites one of them, as a whole. ``sources``: those that
    may be named.
    """
    response = row.response
    if response is None:
        return row
    touched = any(one.document in hidden for one in response.citations)
    route, everything = response.sources, response.everything
    shown = replace(
        response,
        ranking=tuple(one for one in response.ranking if one.document not in hidden),
        everything=None if everything is None else tuple(one for one in everything if one not in hidden),
        sources=None if route is None else tuple(one for one in route if one in sources),
        best_source=response.best_source if response.best_source in sources else None,
    )
    if touched:
        shown = replace(shown, answer="", claims=(), citations=())
    return row if shown == response else replace(row, response=shown)


def case_names(case: Case) -> frozenset[str]:
    """Return the documents that the gold of a case names, those that it judges irrelevant too."""
    return frozenset([*(case.judgements or ()), *(gold.document for gold in case.quotes or ())])


def case_for(case: Case, hidden: Collection[str]) -> Case:
    """Return the case without what its gold says of hidden documents."""
    if case_names(case).isdisjoint(hidden):
        return case
    quotes, judged = case.quotes, case.judgements
    if quotes is not None:
        quotes = tuple(one for one in quotes if one.document not in hidden)
    if judged is not None:
        judged = {name: grade for name, grade in judged.items() if name not in hidden}
    return replace(case, quotes=quotes, judgements=judged, answer=None)


def _of(named: str, document: str) -> bool:
    """Tell whether a name is the document's or that of a member in it."""
    return named == document or named.startswith(f"{document}!/")


def _unworded(ranked: Ranked, document: str) -> Ranked:
    return replace(ranked, title="", text="") if _of(ranked.document, document) else ranked


def _unquoted(cited: Span, document: str) -> Span:
    return (
        replace(cited, quote="", passage="", anchors=(), title="") if _of(cited.document, document) else cited
    )


def _unsaid(claim: Statement, gone: frozenset[int]) -> Statement:
    return replace(claim, text="") if gone.intersection(claim.citations) else claim
