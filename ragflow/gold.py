"""Gold and the index: which of it is still there, and the documents that new gold is proposed from."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from evals.cases import Case
from evals.citations import gold_documents
from indexes.index import EmbeddedIndex
from indexes.store import Store
from ragflow.systems import Kit

if TYPE_CHECKING:
    from evals.proposals import Page

_NAMED = 3  # gold documents that a reason names


def gone(cases: Sequence[Case], kit: Kit) -> dict[str, str]:
    """Return the cases none of whose gold documents their readers could find, each with the reason.

    Absent and forbidden look alike: to tell them apart would tell that a hidden document is there.
    """
    known: dict[frozenset[str], frozenset[str]] = {}
    left: dict[str, str] = {}
    for case in cases:
        readers, gold = kit.readers(case), gold_documents(case)
        if readers not in known:
            known[readers] = frozenset(one.name for one in kit.index.versions(kit.index.readable(readers)))
        if gold and not gold & known[readers]:
            named = ", ".join(sorted(gold)[:_NAMED])
            what = "its gold documents are" if len(gold) > 1 else "its gold document is"
            left[case.id] = f"{what} not in the index: {named}"
    return left


def pages(index: EmbeddedIndex, store: Store, readers: frozenset[str]) -> "Iterator[Page]":
    """Yield the documents that these readers may read, by name."""
    from evals.proposals import Page

    access = store.access()
    for one in index.versions(index.readable(readers)):
        anchors = store.anchors(one.layout)
        yield Page(
            document=one.name,
            readers=tuple(sorted(access.of(one.document_id) & readers)),
            title=one.title,
            text=index.text(one.revision),
            headings=tuple((each.label, each.start, each.end) for each in anchors if each.kind == "heading"),
            source=one.name.partition("/")[0],
        )
