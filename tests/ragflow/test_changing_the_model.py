"""Another embedding model: refused in words where it is not the index's, built beside, compared, promoted."""

import importlib.util
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import yaml

import ragflow
from indexes.report import Progress
from ragflow import identity
from ragflow.cli import main
from ragflow.errors import WeightsMismatch
from ragflow.evaluation import RunOptions

TOPICS = "pump valve boiler crane ladder forklift helmet lathe".split()
EVERYONE = ["everyone"]
INT8 = ("embed.precision=int8",)
SMALL = ("chunk.tokens=40", "chunk.overlap=0")
Clone = Callable[[Path, Path], Path]


def configure(folder: Path, **sections: Any) -> None:
    sources = {name: {"type": "files", "path": name, "readers": ["everyone"]} for name in ("docs", "more")}
    rule = {"dataset": "questions.jsonl", "metric": "nDCG@10", "min_questions": 5}
    data = {"version": 1, "sources": sources, "gates": [rule], **sections}
    (folder / "ragflow.yaml").write_text(yaml.safe_dump(data))


def write_documents(folder: Path) -> None:
    (folder / "docs").mkdir(parents=True)
    (folder / "more").mkdir()
    for number, topic in enumerate(TOPICS):
        text = f"Every {topic} is inspected each spring by the {topic} warden, who keeps the {topic} log.\n"
        (folder / "docs" / f"d{number}.txt").write_text(text)
    (folder / "more" / "canteen.txt").write_text("The canteen opens at noon.\n")
    cases = [
        {"id": f"q{n}", "question": f"Who inspects the {topic}?", "documents": [f"docs/d{n}.txt"]}
        for n, topic in enumerate(TOPICS)
    ]
    (folder / "questions.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mind") / "indexed"
    write_documents(folder)
    configure(folder)
    with ragflow.open(folder) as app:
        assert app.index().exit_code == 0
    return folder


@pytest.fixture
def folder(indexed: Path, tmp_path: Path, clone: Clone) -> Path:
    return clone(indexed, tmp_path / "workspace")


@pytest.fixture(scope="module")
def bert(repository: Path) -> ModuleType:
    """How to write tiny checkpoints."""
    spec = importlib.util.spec_from_file_location("tiny_bert", repository / "tests/indexes/conftest.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def tiny(tmp_path: Path, bert: ModuleType) -> Path:
    """A workspace with a model folder of its own."""
    folder = tmp_path / "tiny"
    write_documents(folder)
    bert.write_checkpoint(folder / "model")
    configure(folder, embed={"model": str(folder / "model")})
    with ragflow.open(folder) as app:
        assert app.index().exit_code == 0
    return folder


def live(folder: Path) -> str:
    with ragflow.open(folder) as app:
        (found,) = [one["generation"] for one in app.generations() if one["live"]]
    return str(found)


def run(folder: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["-C", str(folder), *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


# -- the model is not the one of the index ---------------------------------------------------------------

EMBEDDING = [
    ["ask", "Who inspects the pump?"],
    ["search", "Who inspects the pump?"],
    ["search", "Who inspects the pump?", "--system", "dense"],
    ["route", "Who inspects the pump?"],
    ["eval", "run", "questions.jsonl", "--systems", "hybrid"],
    ["eval", "route", "questions.jsonl"],
    ["access", "test", "--limit", "1"],
]


@pytest.mark.parametrize("command", EMBEDDING, ids=lambda one: " ".join(one[:2]))
def test_every_command_that_embeds_says_which_model_was_and_which_is_and_two_ways_out(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.chdir(folder)
    code, out, err = run(folder, capsys, "--set", INT8[0], *command)
    assert (code, out) == (2, "")
    said = err[err.index("error: ") :]
    assert said == (
        "error: the index was built with all-MiniLM-L6-v2 fp32 onnx, 384 dimensions;"
        " all-MiniLM-L6-v2 int8 onnx, 384 dimensions is configured\n"
        "hint: set embed.precision back to fp32; or `ragflow index` builds a new index beside the live one"
        " (--dry-run says how long)\n"
    )


def test_words_alone_are_searched_without_the_model(folder: Path) -> None:
    with ragflow.open(folder, overrides=INT8) as app:
        found = app.find("pump warden", readers=EVERYONE, system="lexical")
    assert found.hits[0].document == "docs/d0.txt"


def mismatch(folder: Path) -> WeightsMismatch:
    with ragflow.open(folder) as app, pytest.raises(WeightsMismatch) as refused:
        app.search("pump", readers=EVERYONE)
    return refused.value


def test_other_weights_under_the_same_name_are_told(tiny: Path, bert: ModuleType) -> None:
    bert.write_safetensors(tiny / "model" / "model.safetensors", bert.random_tensors(seed=8))
    refused = mismatch(tiny)
    assert f"the model {tiny}/model fp32 onnx, " not in str(refused)
    assert "is not the one of that name that the index was built with: its files changed" in str(refused)
    assert refused.hint.startswith("put the former files back; or `ragflow index`")


def test_other_dimensions_under_the_same_name_are_told(
    tiny: Path, bert: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = live(tiny)
    monkeypatch.setattr(bert, "HIDDEN", 12)
    monkeypatch.setitem(bert.CONFIG, "hidden_size", 12)
    shutil.rmtree(tiny / "model")
    bert.write_checkpoint(tiny / "model")
    refused = mismatch(tiny)
    assert "has 12 dimensions; the index was built when it had 8: another model" in str(refused)
    assert refused.hint.startswith("put the former model back; or `ragflow index`")
    with ragflow.open(tiny) as app:
        ahead = app.index(dry_run=True).to_json()["reembedding"]
        assert (ahead["reason"], ahead["changed"]) == ("model changed", [])
        assert live(tiny) == before
        assert app.index().sync.promoted  # beside the live one, from nothing of it
    with ragflow.open(tiny) as app:
        newest, oldest = app.generations()
        assert (newest["built_by"]["dimensions"], oldest["built_by"]["dimensions"]) == (12, 8)
        assert app.search("pump", readers=EVERYONE)


def test_a_model_that_gives_no_numbers_stores_nothing(
    tiny: Path, bert: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    before = live(tiny)
    spoilt = bert.random_tensors()
    spoilt["embeddings.LayerNorm.weight"] = np.full_like(spoilt["embeddings.LayerNorm.weight"], np.nan)
    bert.write_safetensors(tiny / "model" / "model.safetensors", spoilt)
    code, _, err = run(tiny, capsys, "index")
    assert (code, live(tiny)) == (2, before)
    assert "error: the embedding model gave a vector that holds what is no number" in err
    assert "hint: set embed.* to a model that works; the live index is as it was" in err


# -- built beside the live one ---------------------------------------------------------------------------


@pytest.mark.parametrize("overrides", [INT8, SMALL])
def test_a_dry_run_tells_what_would_be_embedded_and_changes_nothing(
    folder: Path, overrides: tuple[str, ...]
) -> None:
    before = live(folder)
    with ragflow.open(folder, overrides=overrides) as app:
        report = app.index(dry_run=True).to_json()
    ahead = report["reembedding"]
    if overrides == INT8:
        assert ahead["changed"] == [{"key": "embed.precision", "live": "fp32", "configured": "int8"}]
        assert (ahead["reason"], ahead["chunks"], ahead["cached"]) == ("model changed", 9, 0)
        assert ahead["seconds"] is not None
        assert report["estimate_s"] == ahead["seconds"]  # no document is to be read
    else:
        assert ahead["reason"] == "chunking changed"
        assert [one["key"] for one in ahead["changed"]] == ["chunk.tokens", "chunk.overlap"]
    assert (live(folder), report["generation"], report["held"]) == (before, before, None)


def test_others_go_on_asking_while_the_new_model_is_built(folder: Path) -> None:
    before, answers = live(folder), []

    def watch(progress: Progress) -> None:
        if progress.phase == "embed" and len(answers) < 3:
            with ragflow.open(folder) as other:
                answers.append(other.ask("Who inspects the pump?", readers=EVERYONE).generation)

    with ragflow.open(folder, overrides=INT8) as app:
        report = app.index(progress=watch)
    assert report.sync.promoted
    assert set(answers) == {before}
    with ragflow.open(folder, overrides=INT8) as app:
        assert app.ask("Who inspects the pump?", readers=EVERYONE).generation == report.sync.generation


def test_the_command_line_tells_it_before_and_says_what_to_do_with_what_is_held(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = live(folder)
    code, out, err = run(folder, capsys, "--set", INT8[0], "index", "--hold")
    assert code == 0
    assert "Model changed since the live index was built:\n  embed.precision: fp32 -> int8\n" in err
    assert "9 chunks to embed, beside the live index: " in err
    held = json.loads(run(folder, capsys, "generations", "list", "--json")[1].splitlines()[0])
    assert held["held"]
    assert out.splitlines()[-4:] == [
        f"{before} stays live.",
        f"{held['generation']} waits beside the live index. To compare the two, and to make it live:",
        "  ragflow eval compare --generations",
        f"  ragflow generations promote {held['generation']}",
    ]
    assert held["built_by"] == {
        "engine": "onnx",
        "model": "all-MiniLM-L6-v2",
        "precision": "int8",
        "dimensions": 384,
        "name": "all-MiniLM-L6-v2 int8 onnx, 384 dimensions",
        "embedder": held["built_by"]["embedder"],
        "chunker": "structure-1 structure 200 40",
        "analyser": held["built_by"]["analyser"],
        "parsing": held["built_by"]["parsing"],
    }
    code, out, _ = run(folder, capsys, "generations", "promote", held["generation"])
    assert out.splitlines() == [
        f"{held['generation']} is live",
        "It was built with other settings than ragflow.yaml has now; set there:",
        "  embed.precision: int8 (now fp32)",
        "Until then questions are refused, and the next index run builds anew.",
    ]
    code, out, _ = run(folder, capsys, "generations", "rollback")
    assert (code, out) == (0, f"{before} is live\n")
    assert run(folder, capsys, "search", "pump")[0] == 0


def test_to_hold_and_to_be_gated_exclude_each_other(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, capsys, "index", "--hold", "--gate")[0] == 2


def test_a_first_index_can_wait_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_documents(tmp_path / "new")
    configure(tmp_path / "new", embed={"precision": "fp32"})
    code, out, _ = run(tmp_path / "new", capsys, "index", "--hold")
    assert (code, "Nothing is live yet." in out) == (0, True)
    assert run(tmp_path / "new", capsys, "search", "pump")[0] == 3
    name = out.split()[-1]
    assert run(tmp_path / "new", capsys, "generations", "promote", name)[0] == 0
    assert run(tmp_path / "new", capsys, "search", "pump")[0] == 0


# -- compared before the promotion ------------------------------------------------------------------------


def hold(folder: Path, overrides: tuple[str, ...] = INT8) -> str:
    with ragflow.open(folder, overrides=overrides) as app:
        held = app.index(hold=True).sync.held
    assert held is not None
    return held


def test_two_generations_are_compared_each_with_its_own_model(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    before, held = live(folder), hold(folder)
    kept = sorted(path.name for path in (folder / ".ragflow" / "generations").iterdir())
    shown = []
    for named in (
        ["--generations"],
        ["--dataset", "questions.jsonl"],
        [held],
        [before, held, "--dataset", "questions.jsonl"],
    ):
        code, out, _ = run(folder, capsys, "eval", "compare", *named, "--metrics", "nDCG@10", "--json")
        assert code == 0
        shown.append(json.loads(out))
    assert all(one == shown[0] for one in shown)
    (first, *_) = shown
    assert (first["schema"], first["a"], first["b"]) == ("ragflow.compare/1", before, held)
    assert {"key": "embed.precision", "a": "fp32", "b": "int8"} in first["settings"]
    whole = next(one for one in first["comparisons"] if not one["slice"])
    assert (whole["metric"], whole["n"], whole["a_value"], whole["b_value"]) == ("nDCG@10", 8, 1.0, 1.0)
    assert whole["verdict"] == "not_distinguishable"
    # Nothing came of it: no run, no report, nothing promoted.
    assert sorted(path.name for path in (folder / ".ragflow" / "generations").iterdir()) == kept
    assert live(folder) == before
    with ragflow.open(folder) as app:
        assert app.evaluation().runs() == []


def test_a_worse_one_is_found_worse_and_stays_unpromoted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(len(TOPICS)):
        text = (folder / "docs" / f"d{number}.txt").read_text()
        (folder / "docs" / f"d{number}.txt").write_text(text.replace(TOPICS[number], TOPICS[number - 1]))
    before, held = live(folder), hold(folder, ())
    code, out, _ = run(folder, capsys, "eval", "compare", "--generations", "--metrics", "nDCG@10,MRR@10")
    assert code == 0
    assert f"A {before}\nB {held}\n" in out
    assert "B is worse in nDCG@10, MRR@10." in out


CANNOT = [
    (["--generations"], 9, "no generation waits beside the live one"),
    (["g-20260101T000000-000000"], 2, "no generation g-20260101T000000-000000 is kept"),
    (["LIVE"], 9, "is both sides"),
    (["--generations", "--dataset", "absent.jsonl"], 2, "absent.jsonl"),
    (["--generations", "--metrics", "nDGC@10"], 2, "nDGC@10"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), CANNOT)
def test_what_cannot_be_compared_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: str
) -> None:
    named = [live(folder) if one == "LIVE" else one for one in arguments]
    found, _, err = run(folder, capsys, "eval", "compare", *named)
    assert (found, words in err) == (code, True), err


def test_without_a_data_set_of_gates_one_must_be_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(folder, gates=[])
    hold(folder)
    code, _, err = run(folder, capsys, "eval", "compare", "--generations")
    assert (code, "hint: --dataset questions.jsonl" in err) == (2, True)


def test_one_whose_model_is_gone_cannot_be_compared(
    tiny: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(tiny, ("embed.model=all-MiniLM-L6-v2",))
    (tiny / "model").rename(tiny / "elsewhere")
    code, _, err = run(
        tiny, capsys, "--set", "embed.model=all-MiniLM-L6-v2", "eval", "compare", "--generations"
    )
    assert code == 9
    assert f"the model that {live(tiny)} was built by is not there any more" in err


def test_questions_of_others_are_left_out_as_in_every_evaluation(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (folder / "questions.jsonl").read_text().splitlines()
    mine, theirs = lines[0], [json.dumps(json.loads(one) | {"readers": ["group:hr"]}) for one in lines[1:]]
    (folder / "questions.jsonl").write_text("\n".join([mine, *theirs]) + "\n")
    hold(folder)
    code, out, err = run(folder, capsys, "eval", "compare", "--generations", "--metrics", "nDCG@10", "--json")
    assert (code, json.loads(out)["comparisons"][0]["n"]) == (0, 1)
    assert "7 of 8 questions are left out: " in err
    configure(folder, identity={"impersonate": [identity.login()]})
    _, out, _ = run(folder, capsys, "eval", "compare", "--generations", "--metrics", "nDCG@10", "--json")
    assert json.loads(out)["comparisons"][0]["n"] == 8


def test_a_generation_that_is_compared_is_collected_by_no_sync(folder: Path) -> None:
    from ragflow.generation_trials import Trial

    held, seen = hold(folder), []

    def sync(progress: Progress) -> None:
        if progress.phase.startswith("A, ") and progress.done == 3:
            (folder / "more" / "new.txt").write_text("The lift is repaired on Mondays.\n")
            with ragflow.open(folder) as other:
                seen.append(other.index().sync.promoted)

    with ragflow.open(folder) as app:
        a, b = app.evaluation().generations(Trial(metrics=("nDCG@10",)), progress=sync)
    assert (seen, b.setup.generation) == ([True], held)
    assert [row.error for row in (*a.rows, *b.rows)] == [None] * 16


def test_an_evaluation_of_the_live_one_needs_its_model(folder: Path) -> None:
    with ragflow.open(folder, overrides=INT8) as app, pytest.raises(WeightsMismatch):
        app.evaluation().run(folder / "questions.jsonl", RunOptions(systems=("dense",)))
    with ragflow.open(folder, overrides=INT8) as app:
        done = app.evaluation().run(folder / "questions.jsonl", RunOptions(systems=("lexical",)))
    assert done.setup.status == "done"
