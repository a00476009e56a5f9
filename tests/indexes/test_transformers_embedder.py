"""The engine sentence-transformers: prompts, pooling and length are the model's; one text, the same bytes."""

import importlib.util
import json
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexes import torch_model
from indexes.batching import computed
from indexes.errors import EngineMissing, ModelMissing
from indexes.onnx_embedder import OnnxEmbedder
from indexes.transformers_embedder import TransformersEmbedder
from indexes.weights import find

pytest.importorskip("sentence_transformers", reason="the extra is not installed")

WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] leave is 28 days pump off a . query passage :".split()
PROMPTS = {"query": "query: ", "passage": "passage: "}
TEXTS = st.lists(st.lists(st.sampled_from(WORDS[5:]), max_size=40).map(" ".join), min_size=1, max_size=9)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A model with prompts, random and tiny, as the libraries save it."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Dense, Normalize, Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling
    from transformers import BertConfig, BertModel, BertTokenizer

    torch.manual_seed(7)
    folder = tmp_path_factory.mktemp("saved")
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    BertModel(BertConfig(vocab_size=len(WORDS), max_position_embeddings=32, **shape)).save_pretrained(folder)
    BertTokenizer(vocab={word: at for at, word in enumerate(WORDS)}).save_pretrained(folder)
    modules = [Transformer(str(folder)), Pooling(16, "cls"), Dense(16, 12), Normalize()]
    SentenceTransformer(modules=modules, device="cpu", prompts=PROMPTS).save(
        str(folder / "whole"), create_model_card=False
    )
    return folder / "whole"


@pytest.fixture
def own(saved, tmp_path):
    """A copy of it, to be spoilt."""
    return shutil.copytree(saved, tmp_path / "own")


@pytest.fixture(scope="module")
def embedder(saved, tmp_path_factory):
    return TransformersEmbedder.open(saved, device="cpu", cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def default(tmp_path_factory):
    folder = find("all-MiniLM-L6-v2").folder
    return TransformersEmbedder.open(folder, device="cpu", cache=tmp_path_factory.mktemp("cache"))


def theirs(folder, texts, prompt):
    """What the library itself gives for texts, one at a time."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    vectors = [model.encode([text], prompt=prompt, show_progress_bar=False)[0] for text in texts]
    return np.stack(vectors)


def change(path, **keys):
    path.write_text(json.dumps(json.loads(path.read_text()) | keys))


def test_a_question_and_a_document_have_the_models_own_prompts(embedder, saved):
    texts = ["leave is 28 days .", "pump off", ""]
    asked, said = embedder.embed(texts, queries=True), embedder.embed(texts)
    assert np.allclose(asked, theirs(saved, texts, "query: "), atol=1e-6)
    assert np.allclose(said, theirs(saved, texts, "passage: "), atol=1e-6)
    assert np.abs(asked - said).max() > 1e-3


def test_without_prompts_both_are_alike(own, tmp_path):
    change(own / "config_sentence_transformers.json", prompts={})
    plain = TransformersEmbedder.open(own, device="cpu", cache=tmp_path)
    assert np.array_equal(plain.embed(["leave"]), plain.embed(["leave"], queries=True))
    assert np.allclose(plain.embed(["leave"]), theirs(own, ["leave"], ""), atol=1e-6)


def test_vectors_have_length_one_and_the_told_shape(embedder):
    vectors = embedder.embed(["leave", "", "pump off " * 30])
    assert vectors.shape == (3, embedder.dimensions) == (3, 12)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert embedder.embed([]).shape == (0, 12)


def test_what_lies_beyond_the_last_token_is_not_seen_and_the_prompt_counts(embedder):
    assert embedder.max_tokens == 32
    seen = 32 - 2 - len("passage :".split())
    words = "leave " * seen
    assert np.array_equal(*embedder.embed([words, words + "pump"]))
    assert not np.array_equal(*embedder.embed([words, "leave " * (seen - 1) + "pump"]))


def test_token_offsets_are_code_points_of_the_whole_text_without_special_tokens(embedder, default):
    text = "leave is 28 days . " * 40 + "cafe\u0301 \U0001f600 off"
    offsets = embedder.token_offsets(text)
    assert len(offsets) > 200
    assert text[slice(*offsets[0])] == "leave"
    assert text[slice(*offsets[-1])] == "off"
    assert embedder.token_offsets("") == []
    onnx = OnnxEmbedder.open(find("all-MiniLM-L6-v2").folder, precision="fp32", cache=default._note.parent)
    assert list(default.token_offsets(text)) == list(onnx.token_offsets(text))


@given(TEXTS, st.randoms(), st.booleans())
@settings(suppress_health_check=[*settings().suppress_health_check, HealthCheck.function_scoped_fixture])
def test_a_text_gives_the_same_bytes_in_any_company_and_order(embedder, texts, random, queries):
    together = dict(zip(texts, embedder.embed(texts, queries=queries), strict=True))
    company = random.sample(texts, random.randint(1, len(texts)))
    for text, row in zip(company, embedder.embed(company, queries=queries), strict=True):
        assert row.tobytes() == together[text].tobytes()


def test_the_default_model_gives_a_real_text_the_same_bytes_in_any_company_and_order(default, real_texts):
    together = default.embed(real_texts)
    assert np.array_equal(default.embed(real_texts[::-1])[::-1], together)
    for text, row in zip(real_texts, together, strict=True):
        assert default.embed([text])[0].tobytes() == row.tobytes()


@pytest.fixture(scope="module")
def real_texts(repository):
    files = sorted((repository / "examples" / "northwind").rglob("*.md"))
    texts = [
        part for file in files for part in file.read_text(encoding="utf-8").split("\n\n") if part.strip()
    ]
    assert len(texts) > 20
    return texts[:40]


def agreement(engine, texts, cache):
    onnx = OnnxEmbedder.open(find("all-MiniLM-L6-v2").folder, precision="fp32", cache=cache)
    return (engine.embed(texts) * onnx.embed(texts)).sum(axis=1).min()


def test_the_default_model_gives_what_onnx_gives(default, real_texts, tmp_path):
    assert agreement(default, [*real_texts, "", "leave " * 900], tmp_path) >= 0.9999


def test_and_so_it_does_on_scientific_abstracts(default, real_data, tmp_path):
    with (real_data / "scifact" / "corpus.jsonl").open(encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line, _ in zip(lines, range(30), strict=False)]
    assert agreement(default, texts, tmp_path) >= 0.9999


def test_batches_give_the_same_vectors_but_for_rounding_and_halve_where_memory_ends(saved):
    import torch

    model = torch_model.load(saved, "cpu")
    texts = ["leave", "pump off a . " * 5, "28 days", "is", "leave is 28 days ."]
    alone = np.concatenate([model.vectors([text], queries=False) for text in texts])
    sizes = []

    def small_device(_, arguments):
        sizes.append(len(arguments[0]["input_ids"]))
        if sizes[-1] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    model._model.register_forward_pre_hook(small_device)
    rows = computed(texts, [[1, 4, 2, 0, 3]], lambda some: model.vectors(some, queries=False))
    assert np.allclose(rows, alone, atol=1e-6)
    assert max(sizes) == 5
    assert [size for size in sizes if size <= 2] == [2, 1, 2]


def test_tokens_are_counted_as_the_model_sees_them(saved):
    model = torch_model.load(saved, "cpu")
    assert model.tokens(["leave", "leave " * 99], queries=True) == [2 + len("query :".split()) + 1, 32]


def test_the_key_changes_with_what_a_vector_depends_on(own, tmp_path):
    def key():
        return TransformersEmbedder.open(own, device="cpu", cache=tmp_path / "cache").key

    keys = [key()]
    assert key() == keys[0]
    shutil.copytree(own, tmp_path / "moved")
    assert TransformersEmbedder.open(tmp_path / "moved", device=None, cache=tmp_path / "cache").key == keys[0]
    change(own / "config_sentence_transformers.json", prompts={"query": "question: "})
    keys.append(key())
    change(own / "1_Pooling" / "config.json", pooling_mode="mean")
    keys.append(key())
    assert len(set(keys)) == 3


def test_weights_of_which_some_are_absent_are_refused(own, tmp_path):
    from safetensors.torch import load_file, save_file

    tensors = load_file(own / "model.safetensors")
    kept = {name: tensor for name, tensor in tensors.items() if "layer.1" not in name}
    save_file(kept, own / "model.safetensors", {"format": "pt"})
    half = TransformersEmbedder.open(own, device="cpu", cache=tmp_path / "cache")
    with pytest.raises(ModelMissing, match="not all of the model"):
        half.embed(["leave"])
    with pytest.raises(ModelMissing, match="not all of the model"):  # and it is found again
        TransformersEmbedder.open(own, device="cpu", cache=tmp_path / "cache").embed(["leave"])


def test_a_model_is_loaded_twice_once(own, tmp_path, monkeypatch):
    for _ in range(2):
        TransformersEmbedder.open(own, device="cpu", cache=tmp_path / "cache").embed(["leave"])
        monkeypatch.setattr(torch_model, "load_checked", lambda *_: pytest.fail("checked again"))


def test_weights_that_are_no_numbers_are_refused(own, tmp_path):
    import torch
    from safetensors.torch import load_file, save_file

    tensors = load_file(own / "model.safetensors")
    save_file(
        {name: torch.full_like(tensor, torch.nan) for name, tensor in tensors.items()},
        own / "model.safetensors",
        {"format": "pt"},
    )
    with pytest.raises(ModelMissing, match="NaN"):
        TransformersEmbedder.open(own, device="cpu", cache=tmp_path).embed(["leave"])


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("content", [None, b"", b"{}"])
def test_a_missing_or_damaged_file_is_told_with_a_cure(own, tmp_path, name, content):
    (own / name).unlink()
    if content is not None:
        (own / name).write_bytes(content)
    with pytest.raises(ModelMissing) as refusal:
        TransformersEmbedder.open(own, device="cpu", cache=tmp_path).embed(["leave"])
    assert "docs/models.md" in refusal.value.hint


def test_a_device_that_is_not_there_is_told_before_anything_is_embedded(saved, tmp_path):
    with pytest.raises(ModelMissing, match=r"embed\.device is cuda:7") as refusal:
        TransformersEmbedder.open(saved, device="cuda:7", cache=tmp_path)
    assert "embed.device" in refusal.value.hint


@pytest.mark.parametrize("absent", ["torch", "sentence_transformers"])
def test_the_absent_extra_is_told_when_the_model_is_opened(saved, tmp_path, monkeypatch, absent):
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == absent else there(name))
    with pytest.raises(EngineMissing, match=f"{absent} is not installed") as refusal:
        TransformersEmbedder.open(saved, device=None, cache=tmp_path)
    assert 'pip install "ragflow[transformers]"' in refusal.value.hint
