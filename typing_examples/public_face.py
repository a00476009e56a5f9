"""Never run, only checked: what a caller's type checker sees of the pinned Python face.

``make check`` runs pyright (strict) and mypy over it. A line that stops type-checking here breaks
somebody's program.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import assert_type

import numpy as np
from numpy.typing import NDArray

import evals
import ragflow
from connectors.documents import Anchor
from connectors.errors import ConnectorError
from connectors.items import Connector, Item, Raw
from evals.cases import Case, Ranked, Response
from indexes.embedding import Embedder
from indexes.query import Hit
from ragflow.answers import Answer, Citation, Claim, Outcome
from ragflow.reports import IndexReport
from ragflow.verify import Proof


def open_and_ask(folder: str | Path) -> None:
    with ragflow.open(folder) as app:
        assert_type(app, ragflow.App)
        assert_type(app.index(sources=None, dry_run=False), IndexReport)
        assert_type(app.search("leave?", readers=["group:hr"], k=10), tuple[Hit, ...])
        answer = app.ask("leave?", readers=["group:hr"])
        assert_type(answer, Answer)
        if answer.run is not None:
            assert_type(app.verify(answer.run, readers=["group:hr"]), Proof)


def read_answer(answer: Answer) -> None:
    assert_type(answer.outcome, Outcome)
    assert_type(answer.confidence, float)
    for claim in answer.claims:
        assert_type(claim, Claim)
    for citation in answer.citations:
        assert_type(citation, Citation)
        assert_type(citation.anchors, tuple[Anchor, ...])
        assert_type((citation.start, citation.end), tuple[int, int])


def one_error_tree(folder: str) -> str:
    try:
        ragflow.open(folder).close()
    except ragflow.RagflowError as error:
        assert_type(error.exit_code, int)
        return error.hint
    return ""


class OneNote:
    """A connector of somebody else's: no base class, only the two methods."""

    def list(self) -> Iterator[Item]:
        yield Item(id="note", fingerprint="1", readers=("everyone",), size=5)

    def fetch(self, item: Item) -> Raw:
        if item.id != "note":
            raise ConnectorError("no such note", hint="list again")
        return Raw(item=item.id, data=b"hello", name="note.txt")


class Constant:
    """An embedder of somebody else's."""

    dimensions = 2
    key = "constant"
    max_tokens = 256

    def embed(self, texts: Sequence[str], *, queries: bool = False) -> NDArray[np.float32]:  # noqa: ARG002
        return np.tile(np.array([1, 0], dtype=np.float32), (len(texts), 1))

    def token_offsets(self, text: str) -> Sequence[tuple[int, int]]:
        return [(0, len(text))] if text else []


connector: Connector = OneNote()
embedder: Embedder = Constant()


def answerer(case: Case) -> Response:
    """A system of somebody else's, to be measured."""
    return Response(ranking=(Ranked(f"pages/{case.id}", 1.0),))


report: evals.Report = evals.run([Case("q1", "who?", judgements={"pages/q1": 1})], answerer, ["nDCG@10"])
figure: float = report.figures["nDCG@10"].value
