"""``embed.engine: sentence-transformers``, on the command line: it indexes, answers, says what is wrong."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys

import pytest

from indexes.weights import find
from ragflow.cli import main
from ragflow.config import load

pytest.importorskip("sentence_transformers", reason="the extra is not installed")

ONNX = ["embed.engine=onnx", "embed.device=null"]
CONFIG = """\
version: 1
sources: {docs: {type: files, path: docs, readers: [everyone]}}
embed: {engine: sentence-transformers, device: cpu}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "leave.md").write_text(
        "# Leave\n\nEvery employee gets 28 days of paid leave a year.\n"
    )
    (tmp_path / "docs" / "pump.md").write_text("# Pumps\n\nThe pump is switched off before it is cleaned.\n")
    (tmp_path / "ragflow.yaml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def run(folder, capsys):
    def run(*arguments):
        code = main(["-C", str(folder), *arguments])
        output = capsys.readouterr()
        return code, output.out, output.err

    return run


def test_it_indexes_and_answers_and_another_engine_is_refused(run):
    code, out, _ = run("index", "--json")
    assert (code, json.loads(out)["documents"]) == (0, 2)
    code, out, err = run("ask", "How many days of leave does an employee get?", "--json")
    answer = json.loads(out)
    assert (code, answer["outcome"], err) == (0, "answered", "")
    assert "28 days" in answer["answer"]
    assert run("verify", answer["run"])[0] == 0
    code, out, _ = run("generations", "list", "--json")
    assert code == 0
    assert len(out.splitlines()) == 1
    code, _, err = run("--set", ONNX[0], "--set", ONNX[1], "ask", "How many days?")
    assert code == 2
    assert "the index was built with all-MiniLM-L6-v2 sentence-transformers" in err
    # Nothing changed: no new generation, and the model is not even loaded.
    assert json.loads(run("index", "--json")[1])["generation"] == answer["generation"]


def test_the_absent_extra_is_told_before_anything_is_read(run, folder, monkeypatch):
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else there(name))
    monkeypatch.setattr("indexes.sync.Sync.run", lambda *_, **__: pytest.fail("it was read"))
    code, _, err = run("index")
    assert code == 2
    assert "embed.engine is sentence-transformers, and torch is not installed" in err
    assert 'pip install "ragflow[transformers]"' in err
    code, out, _ = run("doctor")
    assert code == 8
    assert "torch is not installed" in out


def test_a_damaged_folder_is_told_before_anything_is_read_and_by_doctor(run, folder):
    shutil.copytree(find("all-MiniLM-L6-v2").folder, folder / "own")
    ours = ("--set", "embed.model=own")
    assert "ok    model: own by sentence-transformers, digest" in run(*ours, "doctor")[1]
    assert not (folder / ".ragflow").exists()  # a look writes nothing
    (folder / "own" / "tokenizer.json").write_text("{")
    for command, code in (("index", 2), ("doctor", 8)):
        found, out, err = run(*ours, command)
        assert found == code
        assert "the model's tokenizer.json is absent or damaged" in out + err


def test_weights_that_are_not_the_published_ones_are_refused(run, folder, monkeypatch):
    own = shutil.copytree(find("all-MiniLM-L6-v2").folder, folder / "own")
    weights = own / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    known = find("all-MiniLM-L6-v2")
    spoilt = type(known)(own, known.sha256)
    monkeypatch.setattr("indexes.weights.find", lambda _: spoilt)
    for command, code in (("index", 2), ("doctor", 8)):
        found, out, err = run(command)
        assert found == code
        assert "model.safetensors is damaged: its SHA-256" in out + err


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("acme/none", "acme/none is not on this machine"),
        ("none", "no model named 'none' is known"),
        ("./none", "there is no such folder"),
        ("/a/b/c", "there is no such folder"),
    ],
)
def test_a_model_that_is_not_there_is_told(run, monkeypatch, tmp_path, model, told):
    # Whether offline or not: no test reaches the hub.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    code, _, err = run("--set", f"embed.model={model}", "index")
    assert code == 2
    assert told in err
    assert "embed.model" in err


def test_a_name_on_the_hub_is_a_folder_where_there_is_one(folder):
    config = load(folder / "ragflow.yaml", overrides=["embed.model=acme/tiny"])
    assert config.model == "acme/tiny"
    (folder / "acme" / "tiny").mkdir(parents=True)
    assert config.model == str(folder / "acme" / "tiny")
    onnx = load(folder / "ragflow.yaml", overrides=[*ONNX, "embed.model=a/b"])
    assert onnx.model == str(folder / "a" / "b")


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("embed.device=tpu", 'device must be cpu, cuda, cuda:1 (and so on) or mps, not "tpu"'),
        ("embed.precision=int8", "precision is a key of engine onnx"),
        ("embed.engine=onnx", "device is a key of engine sentence-transformers"),
    ],
)
def test_keys_that_do_not_fit_together_are_told(run, setting, told):
    code, _, err = run("--set", setting, "index")
    assert code == 2
    assert told in err


def test_with_onnx_neither_torch_nor_its_friends_are_imported(folder):
    code = (
        "import contextlib, io, sys\nfrom ragflow.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):\n"
        "    for command in (['index'], ['ask', 'How many days of leave?'], ['doctor']):\n"
        "        assert main([*sys.argv[1:], *command]) == 0\n"
        "print({'torch', 'transformers', 'sentence_transformers', 'huggingface_hub'} & set(sys.modules))"
    )
    settings = [part for setting in ONNX for part in ("--set", setting)]
    arguments = [sys.executable, "-c", code, "-C", str(folder), *settings]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("set()", "")


def chapter(repository):
    rest = (repository / "docs" / "models.md").read_text().partition("# Bring your own embedding model")[2]
    return rest.partition("\n## ")[0]


def test_the_page_on_models_shows_configuration_that_loads_and_commands_that_work(repository, tmp_path):
    [block] = re.findall(r"```yaml\n(.*?)```", chapter(repository), re.DOTALL)
    (tmp_path / "ragflow.yaml").write_text(block)
    assert load(tmp_path / "ragflow.yaml").embed.engine == "sentence-transformers"
    shutil.copytree(find("all-MiniLM-L6-v2").folder, tmp_path / "e5-small")
    (tmp_path / "e5-small" / ".cache").mkdir()
    (tmp_path / "e5-small" / ".cache" / "lock").write_text("stays behind")
    note, check = re.findall(r"```bash\n(\(cd .*?)```", chapter(repository), re.DOTALL)
    subprocess.run(["bash", "-e", "-c", note], cwd=tmp_path, check=True)
    assert "model.safetensors" in (tmp_path / "e5-small.sha256").read_text()
    shutil.rmtree(tmp_path / "e5-small" / ".cache")
    subprocess.run(["bash", "-e", "-c", check], cwd=tmp_path, check=True)
    (tmp_path / "e5-small" / "tokenizer.json").write_text("{}")
    assert (
        subprocess.run(["bash", "-c", check], cwd=tmp_path, check=False, capture_output=True).returncode == 1
    )
