"""Taking a document's wording out of what an evaluation stored; names, numbers and outcomes stay."""

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
