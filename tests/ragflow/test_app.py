"""The Python face over a real workspace: proofs, evidence, erasing, rights, and what bad states get."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

import ragflow
from ragflow.errors import (
    DiskFull,
    NoGeneration,
    NotFound,
    QuestionError,
    StoreDamaged,
    UnknownSource,
    WeightsMissing,
    WorkspaceTooNew,
)

CONFIG = """\
version: 1
sources:
  open: {type: files, path: open, readers: [everyone]}
  hr: {type: files, path: hr, readers: [group:hr]}
"""
LEAVE = "# Annual leave\n\nEvery employee gets 28 days of paid annual leave in each calendar year.\n"
BANDS = "# Salary bands\n\nThe salary band of a senior engineer starts at 74,000 euros a year.\n"
QUESTION = "How many days of paid annual leave does every employee get?"
HR_QUESTION = "Where does the salary band of a senior engineer start?"
EVERYONE = ["everyone"]
HR = ["everyone", "group:hr"]
Clone = Callable[[Path, Path], Path]


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("app") / "indexed"
    (folder / "open").mkdir(parents=True)
    (folder / "hr").mkdir()
    (folder / "ragflow.yaml").write_text(CONFIG)
    (folder / "open" / "leave.md").write_text(LEAVE)
    (folder / "open" / "travel.txt").write_text(
        "Trains are booked before planes. Hotels above 140 euros need a yes."
    )
    (folder / "hr" / "bands.md").write_text(BANDS)
    with ragflow.open(folder) as app:
        assert app.index().exit_code == 0
    return folder


@pytest.fixture
def folder(indexed: Path, tmp_path: Path, clone: Clone) -> Path:
    return clone(indexed, tmp_path / "workspace")


@pytest.fixture
def app(folder: Path) -> Iterator[ragflow.App]:
    with ragflow.open(folder) as opened:
        yield opened


def test_an_answer_is_proven_again_from_its_record_and_from_its_object(app: ragflow.App) -> None:
    answer = app.ask(QUESTION, readers=EVERYONE)
    assert answer.outcome == "answered"
    assert answer.run is not None
    for subject in (answer.run, "last", answer.to_json(), json.loads(json.dumps(answer.to_json()))):
        proof = app.verify(subject, readers=EVERYONE)
        assert (proof.exit_code, {one.status for one in proof.citations}) == (0, {"proven"})
    text = app.text(answer.citations[0].document, readers=EVERYONE)
    for cited in answer.citations:
        assert text[cited.start : cited.end] == cited.quote


def test_one_changed_character_of_a_shown_answer_is_found(app: ragflow.App) -> None:
    shown = app.ask(QUESTION, readers=EVERYONE).to_json()
    shown["citations"][0]["quote"] = shown["citations"][0]["quote"].replace("28", "29")
    assert app.verify(shown, readers=EVERYONE).exit_code == 8


def test_a_changed_answer_over_unchanged_claims_is_found(app: ragflow.App) -> None:
    shown = app.ask(QUESTION, readers=EVERYONE).to_json()
    shown["answer"] = shown["answer"].replace("28", "29")
    proof = app.verify(shown, readers=EVERYONE)
    assert (proof.record, proof.exit_code) == ("changed", 8)


def test_one_changed_character_of_a_record_is_found(folder: Path, app: ragflow.App) -> None:
    run = app.ask(QUESTION, readers=EVERYONE).run
    assert run is not None
    with sqlite3.connect(folder / ".ragflow" / "runs.sqlite") as database:
        database.execute("update runs set record = replace(record, '28 days', '29 days')")
    database.close()
    proof = app.verify(run, readers=EVERYONE)
    assert (proof.record, proof.exit_code) == ("changed", 8)


def test_one_changed_character_of_the_store_is_found(folder: Path, app: ragflow.App) -> None:
    answer = app.ask(QUESTION, readers=EVERYONE)
    assert answer.run is not None
    app.close()
    with sqlite3.connect(folder / ".ragflow" / "store.sqlite") as database:
        query = "select text from texts where revision = ?"
        (packed,) = database.execute(query, (answer.citations[0].revision,)).fetchone()
        text = zstandard.ZstdDecompressor().decompress(packed).replace(b"28", b"29")
        changed = zstandard.ZstdCompressor().compress(text)
        database.execute(
            "update texts set text = ? where revision = ?", (changed, answer.citations[0].revision)
        )
    database.close()
    proof = app.verify(answer.run, readers=EVERYONE)
    assert (proof.citations[0].status, proof.exit_code) == ("failed", 8)


def test_the_source_now_is_told(folder: Path, app: ragflow.App) -> None:
    run = app.ask(QUESTION, readers=EVERYONE).run
    assert run is not None

    def now() -> tuple[str, str]:
        app.index(allow_deletes=True)
        only = app.verify(run, readers=EVERYONE).citations
        return only[0].status, only[0].source_now

    assert now() == ("proven", "unchanged")
    (folder / "open" / "leave.md").rename(folder / "open" / "holidays.md")
    assert now() == ("proven", "moved")
    (folder / "open" / "holidays.md").unlink()
    assert now() == ("proven", "deleted")
    (folder / "open" / "leave.md").write_text(LEAVE.replace("28", "30"))
    assert now() == ("proven", "changed")


def test_evidence_of_a_deleted_document_outlives_many_generations(folder: Path, app: ragflow.App) -> None:
    run = app.ask(QUESTION, readers=EVERYONE).run
    assert run is not None
    (folder / "open" / "leave.md").unlink()
    for number in range(5):
        (folder / "open" / "travel.txt").write_text(f"Trains are booked before planes, rule {number}.")
        app.index()
    assert app.verify(run, readers=EVERYONE).exit_code == 0
    assert app.ask(QUESTION, readers=EVERYONE).outcome == "not_found"


def test_who_lost_access_cannot_see_the_run_any_more(folder: Path, app: ragflow.App) -> None:
    run = app.ask(HR_QUESTION, readers=HR).run
    assert run is not None
    assert app.verify(run, readers=HR).exit_code == 0
    asker = app.asker()
    with pytest.raises(NotFound):
        app.verify(run, readers=EVERYONE)
    with pytest.raises(NotFound):
        app.run(run, asker)
    assert run not in {row["run"] for row in app.runs(50, asker)}


def test_an_answer_from_outside_cannot_probe_hidden_text(app: ragflow.App) -> None:
    shown = app.ask(HR_QUESTION, readers=HR).to_json()
    assert app.verify(shown, readers=HR).exit_code == 0
    hidden = app.verify(shown, readers=EVERYONE).citations[0]
    guessed = json.loads(json.dumps(shown).replace("74,000", "75,000"))
    assert app.verify(guessed, readers=EVERYONE).citations[0] == hidden
    assert (hidden.status, hidden.source_now) == ("unavailable", "deleted")


def test_a_hidden_source_is_an_unknown_source(app: ragflow.App) -> None:
    said = []
    for name in ("hr", "xx"):
        with pytest.raises(UnknownSource) as error:
            app.find(QUESTION, readers=EVERYONE, sources=[name])
        said.append((str(error.value).replace(name, "?"), error.value.hint))
    assert said[0] == said[1]
    assert app.find(HR_QUESTION, readers=HR, sources=["hr"]).hits


def test_who_may_read_nothing_is_told_so_by_the_exit_code(folder: Path) -> None:
    only_hr = CONFIG.replace("readers: [everyone]", "readers: [group:hr]")
    (folder / "ragflow.yaml").write_text(only_hr)
    with ragflow.open(folder) as app:
        app.index()
        assert (app.find(QUESTION, readers=EVERYONE).exit_code, app.find("zebra", readers=HR).exit_code) == (
            6,
            0,
        )
        assert app.ask(QUESTION, readers=EVERYONE).exit_code == 6


def test_hidden_and_absent_documents_are_not_found_alike(app: ragflow.App) -> None:
    for name in ("hr/bands.md", "hr/absent.md"):
        for look in (app.show, app.text):
            with pytest.raises(NotFound) as error:
                look(name, readers=EVERYONE)
            assert str(error.value) == f"not found: {name}"
    assert "74,000" in app.text("hr/bands.md", readers=HR)


def test_forgetting_erases_text_vectors_and_quotes_and_leaves_digests(folder: Path, app: ragflow.App) -> None:
    run = app.ask(QUESTION, readers=EVERYONE).run
    assert run is not None
    (folder / "open" / "leave.md").unlink()
    report = app.forget("open/leave.md")
    assert (report["documents"], report["records"], report["held_by_open_processes"]) == (1, 1, [])
    with pytest.raises(NotFound):
        app.text("open/leave.md", readers=EVERYONE)
    proof = app.verify(run, readers=EVERYONE)
    assert (proof.record, proof.exit_code) == ("intact", 9)
    assert "28 days" not in json.dumps(app.run(run, app.asker()))
    assert app.ask(QUESTION, readers=EVERYONE).outcome == "not_found"
    app.close()
    left = b"".join(
        path.read_bytes()
        for path in (folder / ".ragflow").rglob("*")
        if path.is_file() and "model" not in path.parts
    )
    assert b"28 days of paid" not in left


def test_an_unconfigured_source_is_not_searched_and_then_deleted(folder: Path) -> None:
    (folder / "ragflow.yaml").write_text(
        CONFIG.replace("  open: {type: files, path: open, readers: [everyone]}\n", "")
    )
    with ragflow.open(folder) as app:
        assert app.find(QUESTION, readers=HR).found.sources == ("hr",)
        app.index()
        assert [row.document for row in app.documents(readers=HR)] == ["hr/bands.md"]


@pytest.mark.parametrize("question", ["", " \n", "x" * 8_001])
def test_a_question_must_be_one(app: ragflow.App, question: str) -> None:
    for asking in (app.ask, app.search):
        with pytest.raises(QuestionError) as error:
            asking(question, readers=EVERYONE)
        assert error.value.exit_code == 2


def test_nothing_indexed_yet_says_so(folder: Path) -> None:
    shutil.rmtree(folder / ".ragflow")
    with ragflow.open(folder) as app, pytest.raises(NoGeneration) as error:
        app.ask(QUESTION, readers=EVERYONE)
    assert (error.value.exit_code, error.value.hint) == (3, "ragflow index")


def test_an_index_without_a_chunk_is_no_index(folder: Path) -> None:
    shutil.rmtree(folder / ".ragflow")
    for path in (*(folder / "open").iterdir(), *(folder / "hr").iterdir()):
        path.unlink()
    with ragflow.open(folder) as app:
        assert app.index().sync.chunks == 0
        with pytest.raises(NoGeneration):
            app.ask(QUESTION, readers=EVERYONE)


def test_a_workspace_of_a_newer_program_is_refused(folder: Path) -> None:
    with sqlite3.connect(folder / ".ragflow" / "store.sqlite") as database:
        database.execute("update meta set value = '99' where key = 'schema'")
    database.close()
    with ragflow.open(folder) as app, pytest.raises(WorkspaceTooNew) as error:
        app.ask(QUESTION, readers=EVERYONE)
    assert error.value.exit_code == 2


def test_damage_is_told_and_mended_by_a_full_index(folder: Path) -> None:
    live = (folder / ".ragflow" / "current").read_text().strip()
    (folder / ".ragflow" / "generations" / f"{live}.json").write_text("{")
    with ragflow.open(folder) as app:
        for act in (lambda: app.ask(QUESTION, readers=EVERYONE), app.index):
            with pytest.raises(StoreDamaged) as error:
                act()
            assert "--full" in error.value.hint
        assert {check.status for check in app.health(fix=False) if check.name == "generation"} == {"fail"}
        assert app.index(full=True).exit_code == 0
        assert app.ask(QUESTION, readers=EVERYONE).outcome == "answered"


def test_damaged_weights_are_told_before_anything_is_read(folder: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    with ragflow.open(folder, overrides=[f"embed.model={model}"]) as app:
        with pytest.raises(WeightsMissing) as error:
            app.index()
        assert error.value.exit_code == 2


def without_override(*command: str) -> list[str]:
    """The command as a user whom modes bind: root is stripped of its power to override them."""
    if os.geteuid():
        return [*command]
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--", *command]


def test_a_workspace_that_cannot_be_written_still_answers(
    folder: Path, need_system: Callable[..., None]
) -> None:
    need_system(
        "setpriv",
        "root must be bound by modes for this test",
        present=shutil.which("setpriv") or os.geteuid(),
    )
    command = without_override(sys.executable, "-m", "ragflow.cli", "-C", str(folder))
    paths = [folder, folder / ".ragflow", *(folder / ".ragflow").rglob("*")]
    for path in paths:
        path.chmod(0o500 if path.is_dir() else 0o400)
    asked = subprocess.run([*command, "ask", QUESTION, "--json"], check=False, capture_output=True, text=True)
    refused = subprocess.run([*command, "index", "--json"], check=False, capture_output=True, text=True)
    for path in paths:
        path.chmod(0o700)
    assert asked.returncode == 0, asked.stderr
    answer = json.loads(asked.stdout)
    assert (answer["outcome"], answer["run"]) == ("answered", None)
    assert "not recorded" in asked.stderr
    assert refused.returncode == 4
    assert json.loads(refused.stdout)["error"]["type"] == "NoRight"


def test_a_full_disk_is_one_sentence_and_loses_nothing(
    folder: Path, need_system: Callable[..., None]
) -> None:
    mounted = folder.parent / "small"
    mounted.mkdir()
    used = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    size = ["mount", "-t", "tmpfs", "-o", f"size={used + 2_500_000}", "tmpfs", str(mounted)]
    small = not os.geteuid() and subprocess.run(size, check=False, capture_output=True).returncode == 0
    if not small:
        pytest.skip("no right to mount a small disk")
    try:
        shutil.copytree(folder, mounted, dirs_exist_ok=True)
        many = mounted / "open"
        for number in range(400):
            (many / f"{number}.txt").write_text(f"Rule {number} says that folder {number} is blue. " * 8)
        with ragflow.open(mounted) as app:
            before = app.search(QUESTION, readers=EVERYONE)
            with pytest.raises(DiskFull) as error:
                app.index()
            assert error.value.exit_code == 4
            assert app.search(QUESTION, readers=EVERYONE) == before
    finally:
        subprocess.run(["umount", "-l", str(mounted)], check=False)
