"""Documents in their languages: told once, stored, indexed by their own rules, found by their own words."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from indexes import build, schema, telling
from indexes.embedding import Vectors
from indexes.generations import Generations
from indexes.query import Found, Query, System
from indexes.segments import open_segment
from indexes.testing import Planted, World, shown

READERS = frozenset({"everyone"})
GERMAN = Planted(
    "de/urlaub", "Jeder Mitarbeiter erhält 28 Urlaubstage. Die Kündigungsfristen sind im Vertrag."
)
FRENCH = Planted("fr/conges", "Les employés ont droit à 28 jours de congés. L'hôtel est payé par la société.")
SPANISH = Planted("es/vacaciones", "Los empleados tienen 28 días de vacaciones. El hotel lo paga la empresa.")
ITALIAN = Planted(
    "it/ferie", "I dipendenti hanno diritto a 28 giorni di ferie. L'albergo è pagato dalla società."
)
DUTCH = Planted("nl/vakantie", "De werknemers hebben recht op 28 vakantiedagen. Het hotel wordt vergoed.")
ENGLISH = Planted("en/leave", "The employees get 28 days of leave. The hotel is paid by the company.")
CHINESE = Planted("zh/leave", "每位员工每年有二十八天年假。差旅费由公司报销。")
JAPANESE = Planted("ja/leave", "従業員には年に28日の有給休暇があります。出張の費用は会社が払います。")
KOREAN = Planted("ko/leave", "모든 직원은 연 28일의 휴가를 받습니다. 출장비는 회사가 지급합니다.")
EUROPEAN = (GERMAN, FRENCH, SPANISH, ITALIAN, DUTCH, ENGLISH)
ASIAN = (CHINESE, JAPANESE, KOREAN)


class Counting:
    """Vectors by the letters of a text, and how many texts were embedded: quality is not the point here."""

    key = "letters"
    dimensions = 8
    max_tokens = 200

    def __init__(self) -> None:
        self.count = 0

    def embed(self, texts: Sequence[str], *, queries: bool = False) -> Vectors:
        self.count += len(texts)
        counts = [[1 + sum(ord(sign) % 8 == slot for sign in text) for slot in range(8)] for text in texts]
        vectors = np.array(counts, np.float32).reshape(len(texts), 8)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def token_offsets(self, text: str) -> Sequence[tuple[int, int]]:
        return [match.span() for match in re.finditer(r"\S+", text)]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "world", Counting())
    yield made
    made.close()


def search(world: World, text: str, system: System = "lexical") -> Found:
    return world.index().search(Query(text, READERS, system=system))


def documents(found: Found) -> list[str]:
    return [hit.document for hit in found.hits]


def languages(world: World) -> dict[str, str | None]:
    with world.store.read() as connection:
        ids = connection.scalars(sa.select(schema.versions.c.id)).all()
    return {one.name: one.language for one in world.store.versions(ids).values()}


def test_a_sync_tells_and_stores_each_document_s_language(world: World) -> None:
    world.sync([*EUROPEAN, *ASIAN, Planted("en/x", "4711")])
    told = {name.partition("/")[0]: language for name, language in languages(world).items() if name != "en/x"}
    assert all(name == language for name, language in told.items())
    assert languages(world)["en/x"] == schema.UNDECIDED


def test_a_language_is_told_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    true = telling.of_document
    monkeypatch.setattr(telling, "of_document", lambda title, text: seen.append(text) or true(title, text))
    world.sync([GERMAN])
    world.sync([GERMAN, FRENCH])
    world.sync([GERMAN, FRENCH])
    assert seen == [GERMAN.text, FRENCH.text]


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize(
    ("question", "document"),
    [
        ("Wie lang ist die Kündigungsfrist?", GERMAN),
        ("Combien de jours de congé a un employé ?", FRENCH),
        ("¿Cuántas vacaciones tiene un empleado?", SPANISH),
        ("Quanti giorni di ferie ha un dipendente?", ITALIAN),
        ("Heeft een werknemer een vakantiedag?", DUTCH),
        ("How many days does an employee get?", ENGLISH),
        ("年假", CHINESE),
        ("差旅费由谁报销？", CHINESE),
        ("休暇", JAPANESE),
        ("휴가", KOREAN),
    ],
)
def test_a_document_is_found_by_words_of_its_language_in_another_form(
    world: World,
    question: str,
    document: Planted,
    mixed: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    world.sync([*EUROPEAN, *ASIAN] if mixed else [document])
    assert documents(search(world, question))[:1] == [document.name]


@pytest.mark.parametrize("word", ["假期", "休日", "휴일", "猫", "Fristlosigkeit"])
def test_a_word_that_no_document_holds_finds_none(world: World, word: str) -> None:
    world.sync([*EUROPEAN, *ASIAN])
    assert documents(search(world, word)) == []


def test_hits_tell_by_which_rules_they_were_read(world: World) -> None:
    world.sync([GERMAN, ENGLISH, CHINESE])
    found = search(world, "hotel Kündigungsfrist 年假")
    assert {hit.document: hit.language for hit in found.hits} == {
        "de/urlaub": "de",
        "en/leave": "en",
        "zh/leave": "en",
    }
    assert set(found.idfs) == {"de", "en"}
    assert "kundigungsfrist" in found.idfs["de"]


def test_the_idf_of_a_search_is_in_the_question_s_language_where_that_is_readable(world: World) -> None:
    world.sync([GERMAN, FRENCH, ENGLISH, Planted("en/more", ENGLISH.text)])
    assert search(world, "Wie lang ist die Frist?").language == "de"
    assert search(world, "Quel est le délai ?").language == "fr"
    assert search(world, "¿Cuál es el plazo?").language == "en"  # not readable: that of the most rows
    world.sync([GERMAN])
    alone = search(world, "What is the Frist?")
    assert (alone.language, alone.idfs, set(alone.idf)) == ("de", {}, {"what", "is", "the", "frist"})


def test_hidden_documents_of_another_language_change_nothing(tmp_path: Path) -> None:
    questions = ("die Kündigungsfrist", "hotel 28", "How many days of leave?", "employé", "年假 28")
    for open_, closed in ((EUROPEAN[5:], EUROPEAN[:5]), (EUROPEAN[:1], EUROPEAN[1:]), (EUROPEAN[:2], ASIAN)):
        hidden = [Planted(one.name, one.text, ("group:hr",)) for one in closed]
        whole = World(tmp_path / f"whole-{open_[0].name[:2]}-{len(open_)}", Counting())
        alone = World(tmp_path / f"alone-{open_[0].name[:2]}-{len(open_)}", Counting())
        whole.sync([*open_, *hidden])
        alone.sync(open_)
        for question in questions:
            for system in ("lexical", "hybrid", "dense"):
                assert shown(search(whole, question, system)) == shown(search(alone, question, system))
        whole.close()
        alone.close()


# ------------------------------------------------------------------ what older programs wrote


def as_older_program_wrote_it(world: World) -> str:
    """Take the languages off the live generation, and give its id: English rules, as they were before."""
    generations = Generations(world.folder)
    live = generations.live()
    assert live is not None
    for one in generations.manifest(live).segments:
        folder = generations.segments / one.id
        path = folder / "segment.json"
        record = json.loads(path.read_text())
        record["format"] = 2
        del record["files"]["languages.npy"]
        path.write_text(json.dumps(record))
        (folder / "languages.npy").unlink()
    with world.store.write() as connection:
        connection.execute(schema.versions.update().values(language=None))
    world.store.remember("language_detector", None)
    return live


def test_a_segment_of_an_older_program_is_read_as_english(world: World) -> None:
    world.sync([GERMAN, ENGLISH])
    generations = Generations(world.folder)
    segments = generations.manifest(as_older_program_wrote_it(world)).segments
    for one in segments:
        postings = open_segment(generations.segments / one.id).postings
        assert postings.languages.tolist() == [0] * one.rows
    found = search(world, "How many days?")
    assert (found.language, found.idfs) == ("en", {})


def test_an_older_generation_is_written_anew_without_embedding_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedder = Counting()
    world = World(tmp_path / "world", embedder)
    with monkeypatch.context() as before:
        before.setattr(build, "ANALYSER", "english-snowball/1")
        before.setattr(build.PostingsBuilder, "add", _in_english(build.PostingsBuilder.add))
        world.sync(EUROPEAN)
    old = as_older_program_wrote_it(world)
    embedded = embedder.count
    assert documents(search(world, "Kündigungsfrist")) == []
    report = world.sync(EUROPEAN)
    assert report.promoted
    assert report.generation != old
    assert embedder.count == embedded
    assert all(one.unchanged for one in report.sources.values())
    assert documents(search(world, "Kündigungsfrist")) == [GERMAN.name]
    assert languages(world)[GERMAN.name] == "de"
    assert not world.sync(EUROPEAN).promoted
    world.close()


def _in_english(true):
    def add(self, body, title, headings, *, language="en"):
        true(self, body, title, headings, language="en")

    return add


def test_another_detector_tells_all_languages_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.sync([GERMAN])
    with world.store.write() as connection:
        connection.execute(schema.versions.update().values(language="xx"))
    world.sync([GERMAN])
    assert languages(world)[GERMAN.name] == "xx"
    monkeypatch.setattr(telling, "DETECTOR", "another")
    world.sync([GERMAN])
    assert languages(world)[GERMAN.name] == "de"


# ------------------------------------------------------------------ English alone is what it was

ENGLISH_PAGES = {
    "a/leave": "Employees get 28 days of annual leave. Unused days lapse in March; the company's policy "
    "says why.",
    "a/travel": "Book trains before planes. Hotels above 140 euro need an approval. The U.S. office books "
    "via AT-10.",
    "b/filing": "The 10-K filing names 1,000 of 12,345.60 shares, version 3.5, and well-known co-workers.",
    "b/cafe": "The café in Zürich opens at 8. Naïve employees' policies were reimbursed, reimbursing travel.",
}
ONE, TWO, NONE = 1.203972804326, 0.69314718056, 2.302585092994
# Computed by the program as it was when there was English alone.
SCORES = [
    (
        "How many days of annual leave?",
        [("a/leave", 4.751393)],
        {"annual": ONE, "day": ONE, "leav": ONE, "mani": NONE},
    ),
    ("company policies", [("a/leave", 1.89712), ("b/cafe", 0.754913)], {"compani": ONE, "polici": TWO}),
    ("hotel approval in the US", [("a/travel", 3.425095)], {"approv": ONE, "hotel": ONE, "us": ONE}),
    (
        "10K filing of 1000 shares",
        [("b/filing", 5.381337)],
        {"1000": ONE, "10k": ONE, "file": ONE, "share": ONE},
    ),
    ("zurich cafe", [("b/cafe", 3.287929)], {"cafe": ONE, "zurich": ONE}),
    (
        "travel travel reimbursement",
        [("b/cafe", 2.509045), ("a/travel", 0.918629)],
        {"reimburs": ONE, "travel": TWO},
    ),
    (
        "version 3.5 well known",
        [("b/filing", 4.688036)],
        {"3.5": ONE, "known": ONE, "version": ONE, "well": ONE},
    ),
    ("die der Tage", [], {"der": NONE, "die": NONE, "tage": NONE}),
]


def test_english_documents_score_what_they_scored_before_there_were_languages(world: World) -> None:
    world.sync([Planted(name, text) for name, text in ENGLISH_PAGES.items()])
    for question, scores, idf in SCORES:
        found = search(world, question)
        assert [(hit.document, hit.scores.lexical) for hit in found.hits] == scores
        assert {term: round(value, 12) for term, value in found.idf.items()} == idf
        assert (found.language, found.idfs) == ("en", {})
