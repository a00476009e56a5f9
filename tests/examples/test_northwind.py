"""The example company: its questions hold, and its binary files come from their originals."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
import yaml
from PIL import Image, ImageChops

from connectors.documents import Document, Parsed
from connectors.items import Raw
from connectors.parsing import parse
from indexes.analysis import analyse

SCANS = {"handbook/office/parking-notice.scan.pdf", "handbook/office/first-aid.png"}
ZIPS = {".docx", ".xlsx", ".pptx", ".odt", ".epub"}


@pytest.fixture(scope="module")
def company(repository: Path) -> Path:
    return repository / "examples" / "northwind"


@pytest.fixture(scope="module")
def files(company: Path) -> dict[str, Path]:
    """Every file by its document name, ``<source>/<relative path>``."""
    root = company / "documents"
    return {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def parsed(files: dict[str, Path]) -> list[Parsed]:
    """What each file gives without OCR; items carry their source, as document names do."""
    return [parse(Raw(name, path.read_bytes(), path.name), ocr="off") for name, path in files.items()]


@pytest.fixture(scope="module")
def documents(parsed: list[Parsed]) -> dict[str, Document]:
    """Every document and member that can be read."""
    return {document.item: document for each in parsed for document in each.documents}


@pytest.fixture(scope="module")
def questions(company: Path) -> list[dict[str, Any]]:
    lines = (company / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def configuration(company: Path) -> dict[str, Any]:
    loaded = yaml.safe_load((company / "ragflow.yaml").read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def write_documents(repository: Path, out: Path) -> None:
    command = [sys.executable, "-m", "examples.northwind.write_documents", "--out", str(out)]
    subprocess.run(command, cwd=repository, check=True, capture_output=True)


@pytest.fixture(scope="module")
def written(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("northwind")
    write_documents(repository, out)
    return out


def test_the_company_has_four_sources_with_different_readers(
    configuration: dict[str, Any], files: dict[str, Path]
) -> None:
    readers = {name: source["readers"] for name, source in configuration["sources"].items()}
    assert readers == {
        "handbook": ["everyone"],
        "hr": ["group:hr"],
        "sales": ["group:sales"],
        "engineering": ["group:engineering"],
    }
    assert {name.split("/")[0] for name in files} == set(readers)


def test_the_corpus_is_wide_and_small(company: Path, files: dict[str, Path]) -> None:
    assert len(files) >= 44
    assert len({path.suffix for path in files.values()}) >= 11
    assert sum(path.stat().st_size for path in company.rglob("*") if path.is_file()) < 1_000_000


def test_only_the_pictures_of_text_need_ocr(parsed: list[Parsed]) -> None:
    unreadable = {failure.item: failure.reason for each in parsed for failure in each.unreadable}
    assert unreadable == dict.fromkeys(SCANS, "no_text_layer")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("handbook/office/parking-notice.scan.pdf", "The cost is 85 euros."),
        ("handbook/office/first-aid.png", "Cool burns with water for ten minutes."),
    ],
)
def test_pictures_of_text_are_read_by_ocr(
    files: dict[str, Path], need_system: Callable[..., None], name: str, words: str
) -> None:
    need_system("tesseract", "it reads pictures of text")
    parsed = parse(Raw(name, files[name].read_bytes(), name), ocr="auto")
    assert parsed.unreadable == ()
    assert words in " ".join(parsed.documents[0].text.split())
    pages = [one.label for one in parsed.documents[0].anchors if one.kind == "page"]
    assert pages == (["1"] if name.endswith(".pdf") else [])


def test_readable_documents_are_long_enough_to_be_cut(documents: dict[str, Document]) -> None:
    words = {name: len(document.text.split()) for name, document in documents.items()}
    assert min(words.values()) >= 50
    assert sum(words.values()) >= 12_000
    assert sum(count >= 300 for count in words.values()) >= 10


def test_questions_are_sixty_with_fifteen_that_have_no_answer(questions: list[dict[str, Any]]) -> None:
    assert len(questions) == 60
    assert len({question["id"] for question in questions}) == 60
    assert sum(question["answerable"] is False for question in questions) == 15
    assert sum(question["answerable"] is True for question in questions) == 45


def test_every_question_has_every_key(questions: list[dict[str, Any]]) -> None:
    keys = "id question history readers answerable documents quotes answer source tags group reviewed"
    for question in questions:
        assert list(question) == keys.split()
        assert question["reviewed"] is True


def test_an_answer_comes_with_gold_and_no_answer_without(questions: list[dict[str, Any]]) -> None:
    for question in questions:
        assert bool(question["answer"]) is question["answerable"], question["id"]
        assert bool(question["quotes"]) is question["answerable"], question["id"]
        assert {quote["document"] for quote in question["quotes"]} == set(question["documents"])


def test_every_gold_quote_stands_in_the_canonical_text(
    questions: list[dict[str, Any]], documents: dict[str, Document]
) -> None:
    gold = [(q["id"], quote) for q in questions for quote in q["quotes"]]
    lost = [entry for entry in gold if entry[1]["quote"] not in documents[entry[1]["document"]].text]
    assert lost == []


def test_an_asker_may_read_the_gold_documents(
    questions: list[dict[str, Any]], configuration: dict[str, Any]
) -> None:
    for question in questions:
        for document in question["documents"]:
            source = document.split("/")[0]
            assert question["source"] == source
            assert set(question["readers"]) & set(configuration["sources"][source]["readers"])


def test_what_a_group_is_told_everyone_is_not(
    questions: list[dict[str, Any]], configuration: dict[str, Any]
) -> None:
    restricted = {q["question"]: q for q in questions if "restricted" in q["tags"]}
    hidden = {q["question"]: q for q in questions if "hidden" in q["tags"]}
    assert len(restricted) == 5
    assert set(restricted) == set(hidden)
    for text, question in hidden.items():
        gold = {document.split("/")[0] for document in restricted[text]["documents"]}
        assert not any(
            set(question["readers"]) & set(configuration["sources"][source]["readers"]) for source in gold
        )


def test_gold_is_spread_over_sources_and_formats(questions: list[dict[str, Any]]) -> None:
    gold = [document for question in questions for document in question["documents"]]
    assert {document.split("/")[0] for document in gold} == {"handbook", "hr", "sales", "engineering"}
    assert len({document.rsplit(".", 1)[1] for document in gold}) >= 11


def test_half_of_the_questions_use_other_words_than_their_quotes(questions: list[dict[str, Any]]) -> None:
    shares = []
    for question in (q for q in questions if q["answerable"]):
        asked = set(analyse(question["question"]))
        quoted = set(analyse(" ".join(quote["quote"] for quote in question["quotes"])))
        shares.append(len(asked & quoted) / len(asked))
    assert sum(share < 1 / 3 for share in shares) >= len(shares) / 2


def test_the_three_demo_questions_are_for_everyone(questions: list[dict[str, Any]]) -> None:
    demo = [question for question in questions if "demo" in question["tags"]]
    assert [question["answerable"] for question in demo] == [True, True, False]
    assert all(question["readers"] == ["everyone"] for question in demo)
    assert [document.rsplit(".", 1)[1] for q in demo for document in q["documents"]] == ["md", "pdf"]


def test_every_binary_file_has_an_original(company: Path, files: dict[str, Path]) -> None:
    root = company / "originals"
    originals = {path.relative_to(root).as_posix().removesuffix(".md") for path in root.rglob("*.md")}
    text = {".md", ".txt", ".html", ".eml", ".csv", ".json"}
    assert originals == {name for name, path in files.items() if path.suffix not in text}


def test_the_script_reproduces_the_files(files: dict[str, Path], written: Path) -> None:
    rebuilt = {path.relative_to(written).as_posix(): path for path in written.rglob("*") if path.is_file()}
    assert rebuilt
    different = [name for name, path in rebuilt.items() if not same_content(path, files[name])]
    assert different == []


def test_two_runs_of_the_script_give_the_same_bytes(repository: Path, written: Path, tmp_path: Path) -> None:
    write_documents(repository, tmp_path)
    first = {path.relative_to(written): path.read_bytes() for path in written.rglob("*") if path.is_file()}
    again = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert first == again


def same_content(one: Path, other: Path) -> bool:
    """Byte for byte; but deflate may differ between zlib builds, and letters between FreeType builds."""
    if one.suffix in ZIPS:
        return members(one) == members(other)
    if one.name.endswith((".scan.pdf", ".png")):
        difference = ImageChops.difference(picture(one), picture(other))
        changed = difference.point(lambda level: 255 * (level > 64)).histogram()[255]
        return changed <= 0.01 * difference.width * difference.height
    return one.read_bytes() == other.read_bytes()


def members(path: Path) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def picture(path: Path) -> Image.Image:
    if path.suffix == ".png":
        with Image.open(path) as image:
            return image.convert("L")
    with pypdfium2.PdfDocument(path) as document:
        page = document[0]
        try:
            rendered = page.render(scale=1).to_pil().convert("L")
        finally:
            page.close()
    assert isinstance(rendered, Image.Image)
    return rendered
