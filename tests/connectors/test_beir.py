import json
from pathlib import Path

import pytest

from connectors.beir import Beir
from connectors.errors import SourceMisconfigured, SourceUnavailable, UnreadableDocument
from connectors.items import Connector
from connectors.parsing import parse
from connectors.testing import ConnectorContract

LINES = (
    {"_id": "d1", "title": "Cells", "text": "Cells divide. caf\u00e9"},
    {"_id": "d2", "title": "", "text": "No title here."},
    {"_id": "d/3", "text": "No title at all.", "metadata": {"year": 2020}},
)


def corpus(root: Path, *lines: object) -> Path:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines or LINES]
    (root / "corpus.jsonl").write_text("\n".join(texts) + "\n")
    return root


class TestBeirContract(ConnectorContract):
    @pytest.fixture(autouse=True)
    def _source(self, tmp_path: Path) -> None:
        self.root = corpus(tmp_path)

    def connector(self) -> Connector:
        return Beir(self.root, readers=["everyone"])


def test_a_line_is_a_document_with_its_title(tmp_path: Path) -> None:
    source = Beir(corpus(tmp_path), readers=["everyone"])
    documents = [parse(source.fetch(item)).documents[0] for item in source.list()]
    assert [(d.item, d.title, d.text) for d in documents] == [
        ("d1", "Cells", "Cells divide. caf\u00e9"),
        ("d2", "d2", "No title here."),
        ("d/3", "3", "No title at all."),
    ]


def test_the_fingerprint_is_of_the_line_alone(tmp_path: Path) -> None:
    source = Beir(corpus(tmp_path), readers=[])
    before = {item.id: item.fingerprint for item in source.list()}
    corpus(tmp_path, LINES[2], {**LINES[0], "text": "Cells die."}, LINES[1])
    after = {item.id: item.fingerprint for item in source.list()}
    assert after.pop("d1") != before.pop("d1")
    assert after == before


def test_blank_lines_are_none_and_the_file_itself_may_be_named(tmp_path: Path) -> None:
    corpus(tmp_path, LINES[0], "", LINES[1], "  ")
    assert [item.id for item in Beir(tmp_path / "corpus.jsonl", readers=[]).list()] == ["d1", "d2"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{not json", "not JSON"),
        ("[]", "_id"),
        ({"text": "x"}, "_id"),
        ({"_id": 7, "text": "x"}, "_id"),
        ({"_id": "", "text": "x"}, "_id"),
        ({"_id": "d9"}, "text"),
        ({"_id": "d9", "text": None}, "text"),
        ({"_id": "d9", "text": "x", "title": 3}, "title"),
        (LINES[0], "second time"),
    ],
)
def test_a_wrong_line_is_named_by_its_number(tmp_path: Path, line: object, said: str) -> None:
    source = Beir(corpus(tmp_path, LINES[0], "", line), readers=[])
    with pytest.raises(SourceMisconfigured, match="line 3") as caught:
        list(source.list())
    assert said in str(caught.value)
    assert caught.value.hint


def test_a_missing_corpus_is_not_an_empty_source(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable):
        list(Beir(tmp_path, readers=[]).list())


def test_a_line_that_changed_since_it_was_listed_is_vanished(tmp_path: Path) -> None:
    source = Beir(corpus(tmp_path), readers=[])
    (first, *_) = source.list()
    corpus(tmp_path, LINES[1])
    with pytest.raises(UnreadableDocument) as caught:
        source.fetch(first)
    assert caught.value.reason == "vanished"


def test_a_lone_surrogate_is_dropped(tmp_path: Path) -> None:
    source = Beir(corpus(tmp_path, '{"_id": "d1", "text": "a\\ud800b"}'), readers=[])
    assert source.fetch(next(source.list())).data == b"ab"


def test_a_real_corpus_is_listed_whole(real_data: Path) -> None:
    source = Beir(real_data / "scifact", readers=["everyone"])
    items = list(source.list())
    assert len(items) == 5183
    assert parse(source.fetch(items[-1])).documents[0].title
