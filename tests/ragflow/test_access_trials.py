"""``access test``: it passes where nothing leaks, and fails for each filter that is broken on purpose."""

import hashlib
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

import ragflow
from indexes import difference, lexical, ranking, schema
from indexes.embedding import Embedder
from indexes.ranking import Slice
from ragflow import access_probing, access_trials, evaluation, history, library, parts, upkeep
from ragflow.access_probing import Findings, Run, tried
from ragflow.cli import main
from ragflow.cli.access import commands
from ragflow.config import Config, load
from ragflow.errors import ConfigError, NoGeneration, NotFound
from ragflow.library import DocumentRow, Library

CONFIG = """\
version: 1
sources:
  hr: {type: files, path: hr, readers: [group:hr]}
  open: {type: files, path: open, readers: [everyone]}
identity: {groups: groups.csv}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("access")
    for name, text in (("hr", "The salary is paid on the 25th."), ("open", "Leave is 28 days a year.")):
        (made / name).mkdir()
        (made / name / "page.md").write_text(f"# Page\n\n{text}\n")
    (made / "groups.csv").write_text("hr,mia\n")
    (made / "ragflow.yaml").write_text(CONFIG)
    with ragflow.open(made) as app:
        assert app.index().exit_code == 0
    return made


@pytest.fixture(autouse=True)
def _one_embedder(monkeypatch: pytest.MonkeyPatch, embedder: Embedder) -> None:
    monkeypatch.setattr(parts, "embedder", lambda _, **__: embedder)


@pytest.fixture
def config(folder: Path) -> Config:
    return load(folder / "ragflow.yaml", environ={})


@pytest.fixture
def run() -> Iterator[Run]:
    with commands() as made:
        yield made


def files(folder: Path) -> dict[str, str]:
    """Every file of a workspace but those that SQLite makes to read it, with its digest."""
    return {
        str(one.relative_to(folder)): hashlib.sha256(one.read_bytes()).hexdigest()
        for one in sorted(folder.rglob("*"))
        if one.is_file() and not one.name.endswith(("-shm", "-wal"))
    }


def test_nothing_leaks_everything_readable_is_found_and_the_workspace_stays_as_it_was(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(folder)
    assert main(["-C", str(folder), "access", "test", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert files(folder) == before
    outputs = shown.pop("outputs")
    assert outputs > 400
    assert shown == {
        "schema": "ragflow.access_test/1",
        "status": "passed",
        "canaries": 6,
        "sets": [[], ["everyone"], ["group:hr"]],
        "askers": [
            ["everyone", "user:canary-stranger"],
            ["everyone"],
            ["everyone", "group:hr"],
            ["everyone", "group:hr", "user:mia"],
        ],
        "left_out": 0,
        "failures": [],
    }


def failed(config: Config, embedder: Embedder, run: Run, *, limit: int = 1) -> set[tuple[str, str]]:
    """What fails for a stranger, where nobody may read the canaries."""
    found: Findings = tried(config, embedder, run, limit=limit)
    assert found.exit_code == (8 if found.failures else 0)
    return {(one.output, one.what) for one in found.failures}


def test_an_unbroken_program_passes(config: Config, embedder: Embedder, run: Run) -> None:
    assert failed(config, embedder, run) == set()


def lexical_leg(monkeypatch: pytest.MonkeyPatch) -> None:
    right = lexical._readable

    def wrong(each: Slice, *others: object) -> object:
        return right(Slice(each.segment, np.ones_like(each.mask)), *others)  # type: ignore[arg-type]

    monkeypatch.setattr(lexical, "_readable", wrong)


def dense_leg(monkeypatch: pytest.MonkeyPatch) -> None:
    right = ranking._approximate

    def wrong(rows: ranking._Rows, *others: object) -> object:
        every = [Slice(one.segment, np.ones_like(one.mask)) for one in rows.slices]
        return right(replace(rows, slices=every), *others)  # type: ignore[arg-type]

    monkeypatch.setattr(ranking, "_approximate", wrong)


def list_of_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(self: Library, *_: object) -> list[DocumentRow]:
        with self._store.read() as connection:
            names = connection.scalars(sa.select(schema.documents.c.name)).all()
        return [DocumentRow(name, "", "0" * 64, 9, 1, None, None) for name in names]

    monkeypatch.setattr(Library, "documents", wrong)


def words_of_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Library.show

    def wrong(self: Library, document: str, readers: frozenset[str]) -> object:
        try:
            return right(self, document, readers)
        except NotFound:
            raise NotFound(f"{'forbidden' if self.exists(document) else 'not found'}: {document}") from None

    monkeypatch.setattr(Library, "show", wrong)


def names_of_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Config.choose
    monkeypatch.setattr(Config, "choose", lambda self, names, **_: right(self, names))


def sizes_of_generations(monkeypatch: pytest.MonkeyPatch) -> None:
    right = upkeep.listed
    monkeypatch.setattr(upkeep, "listed", lambda generations, store, _: right(generations, store, None))


def differences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(difference._Rights, "visible", lambda _, alive: np.array(alive))


def records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "named", lambda _: frozenset())


def evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "view", lambda run, *_: run)


def texts(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Library.text

    def wrong(self: Library, document: str, readers: frozenset[str]) -> str:
        try:
            return right(self, document, readers)
        except NotFound:
            known = self._store.versions_of(document)
            if not known:
                raise
            return self._store.text(known[0].revision) or ""

    monkeypatch.setattr(library.Library, "text", wrong)


Break = Callable[[pytest.MonkeyPatch], None]


@pytest.mark.parametrize(
    ("breaking", "outputs"),
    [
        (lexical_leg, {("search --system lexical", "shown"), ("search --system lexical", "told_apart")}),
        (dense_leg, {("search --system dense", "shown")}),
        (list_of_documents, {("sources list", "counted")}),
        (words_of_an_error, {("sources show", "told_apart")}),
        (names_of_sources, {("search --source", "told_apart")}),
        (sizes_of_generations, {("generations list", "counted")}),
        (differences, {("generations diff", "shown"), ("generations diff", "counted")}),
        (texts, {("sources text", "shown"), ("sources text", "told_apart")}),
    ],
)
def test_a_broken_filter_is_found(
    config: Config,
    embedder: Embedder,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    breaking: Break,
    outputs: set[tuple[str, str]],
) -> None:
    breaking(monkeypatch)
    assert outputs <= failed(config, embedder, run)


@pytest.mark.parametrize(
    ("breaking", "outputs"),
    [
        (records, {("runs show", "shown"), ("runs list", "shown"), ("runs show of an auditor", "shown")}),
        (evaluations, {("eval show --question", "shown"), ("eval report", "shown")}),
    ],
)
def test_what_was_stored_for_one_who_might_read_it_is_found(
    config: Config,
    embedder: Embedder,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    breaking: Break,
    outputs: set[tuple[str, str]],
) -> None:
    breaking(monkeypatch)
    chosen = access_trials.trials(config, limit=3, chance=random.Random(1))
    stranger = replace(chosen, askers=chosen.askers[:1])
    monkeypatch.setattr(access_probing, "trials", lambda *_, **__: stranger)
    assert outputs <= failed(config, embedder, run)


def test_a_filter_that_hides_everything_proves_nothing(
    config: Config, embedder: Embedder, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranking, "_lexical", lambda *_: ranking._NOTHING)
    monkeypatch.setattr(access_trials, "STRANGER", "group:hr")
    assert ("search --system lexical", "not_found") in failed(config, embedder, run, limit=2)


def test_the_copy_goes_with_an_interrupt(folder: Path, config: Config, embedder: Embedder) -> None:
    before = files(folder)

    def interrupted(*_: object) -> object:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tried(config, embedder, interrupted, limit=1)  # type: ignore[arg-type]
    assert files(folder) == before


def test_what_cannot_be_tried_is_said(tmp_path: Path, embedder: Embedder, run: Run) -> None:
    (tmp_path / "ragflow.yaml").write_text(CONFIG)
    (tmp_path / "groups.csv").write_text("broken\n")
    config = load(tmp_path / "ragflow.yaml", environ={})
    with pytest.raises(ConfigError):
        tried(config, embedder, run, limit=1)
    (tmp_path / "groups.csv").write_text("")
    assert main(["-C", str(tmp_path), "access", "test"]) == NoGeneration.exit_code


def test_words_are_new(folder: Path, config: Config) -> None:
    assert access_probing.SCHEMA == "ragflow.access_test/1"

    chosen = access_trials.trials(config, limit=20, chance=random.Random(1))
    words = [each for one in chosen.canaries for each in (one.mark, one.secret, one.probe)]
    assert len(set(words)) == len(words) == 18
    assert {one.source for one in chosen.canaries if not one.source.startswith("canary-")} == {"hr", "open"}
