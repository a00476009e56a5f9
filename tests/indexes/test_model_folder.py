"""A model's folder: what decides vectors is in its digest, and what is absent or damaged is named."""

import json

import pytest

from indexes import model_folder
from indexes.errors import ModelMissing

MODULES = [
    ("", "sentence_transformers.models.Transformer"),
    ("1_Pooling", "sentence_transformers.models.Pooling"),
    ("2_Normalize", "sentence_transformers.models.Normalize"),
]


def write_modules(folder, modules=MODULES):
    rows = [
        {"idx": at, "name": str(at), "path": path, "type": kind} for at, (path, kind) in enumerate(modules)
    ]
    (folder / "modules.json").write_text(json.dumps(rows))


@pytest.fixture
def folder(tiny_folder):
    write_modules(tiny_folder)
    (tiny_folder / "1_Pooling").mkdir()
    (tiny_folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    (tiny_folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": {"query": "q: "}}))
    (tiny_folder / "README.md").write_text("What it is.")
    return tiny_folder


def test_a_whole_folder_passes_and_tells_its_width(folder, tiny_bert):
    model_folder.check(folder)
    assert model_folder.width(folder) == tiny_bert.hidden


def test_a_checkpoint_without_modules_is_one_transformer(tiny_folder):
    model_folder.check(tiny_folder)


@pytest.mark.parametrize(
    "name",
    [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "modules.json",
        "1_Pooling/config.json",
        "config_sentence_transformers.json",
    ],
)
def test_whatever_decides_a_vector_is_in_the_digest(folder, tmp_path, name):
    before = model_folder.digest(folder, cache=None)
    path = folder / name
    path.write_bytes(path.read_bytes() + b" ")
    assert model_folder.digest(folder, cache=None) != before


def test_descriptions_and_copies_for_other_libraries_are_not(folder):
    before = model_folder.digest(folder, cache=None)
    (folder / "README.md").write_text("Something else.")
    (folder / ".gitattributes").write_text("x")
    for other in ("onnx/model.onnx", "onnx/config.json", "tf_model.h5", "pytorch_model.bin"):
        (folder / other).parent.mkdir(exist_ok=True)
        (folder / other).write_bytes(b"x")
    assert model_folder.digest(folder, cache=None) == before
    assert model_folder.digest(folder, cache=folder / "notes") == before


def test_the_digest_is_that_of_the_copied_folder(folder, tmp_path):
    links = tmp_path / "snapshot"
    for path in folder.rglob("*"):
        if path.is_file():
            link = links / path.relative_to(folder)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path)  # as the hub's cache has it
    assert model_folder.digest(links, cache=None) == model_folder.digest(folder, cache=None)


@pytest.mark.parametrize(
    "name", ["config.json", "model.safetensors", "tokenizer.json", "1_Pooling/config.json", "1_Pooling"]
)
def test_what_is_absent_is_named(folder, name):
    path = folder / name
    if path.is_dir():
        (path / "config.json").unlink()
        path.rmdir()
    else:
        path.unlink()
    with pytest.raises(ModelMissing, match=path.name) as refusal:
        model_folder.check(folder)
    assert "docs/models.md" in refusal.value.hint


@pytest.mark.parametrize(
    "name", ["config.json", "modules.json", "tokenizer.json", "config_sentence_transformers.json"]
)
@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe"])
def test_what_is_damaged_is_named(folder, name, content):
    (folder / name).write_bytes(content)
    with pytest.raises(ModelMissing, match=name):
        model_folder.check(folder)


@pytest.mark.parametrize("name", ["modules.json", "config_sentence_transformers.json"])
def test_another_kind_of_json_is_damage(folder, name):
    (folder / name).write_bytes(b"[1]")
    with pytest.raises(ModelMissing, match=name):
        model_folder.check(folder)


def test_weights_that_are_cut_short_are_named(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(ModelMissing, match=r"model\.safetensors is damaged: a tensor lies outside"):
        model_folder.check(folder)


def test_a_shard_that_is_absent_is_named(folder):
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    with pytest.raises(ModelMissing, match=r"has no model-00002-of-00002\.safetensors"):
        model_folder.check(folder)


@pytest.mark.parametrize("path", ["/etc", "../other"])
def test_a_module_outside_of_the_folder_is_refused(folder, path):
    write_modules(folder, [(path, MODULES[0][1])])
    with pytest.raises(ModelMissing, match=r"modules\.json"):
        model_folder.check(folder)


def test_program_code_of_a_model_is_refused(folder):
    write_modules(folder, [("", "modeling_own.OwnTransformer"), MODULES[1]])
    with pytest.raises(ModelMissing, match=r"program code of its own \(modeling_own\.OwnTransformer\)"):
        model_folder.check(folder)


def test_an_adapter_and_a_reranker_are_refused(folder):
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelMissing, match="adapter"):
        model_folder.check(folder)
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"model_type": "CrossEncoder"}))
    with pytest.raises(ModelMissing, match="CrossEncoder"):
        model_folder.check(folder)


def test_no_folder_is_told(tmp_path):
    for look in (model_folder.check, lambda folder: model_folder.digest(folder, cache=None)):
        with pytest.raises(ModelMissing, match="no model folder"):
            look(tmp_path / "none")
