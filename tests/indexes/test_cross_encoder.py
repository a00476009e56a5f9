"""A CrossEncoder reads pairs: the same bytes in any company, from files of this machine, else refused."""

import importlib.util
import json
import math
import shutil
import sys

import numpy as np
import pytest
import tiny_cross_encoders as tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from indexes.cross_encoder import CrossEncoder, CrossEncoderReranker
from indexes.errors import ExtraMissing, ModelMissing, ModelUnfit

QUESTION = "How many days of leave?"
PASSAGES = ["28 days of annual leave.", "Trains before planes.", "", "leave " * 200, "Größe: 3 µm\x00"]
NLI = ("CONTRADICTION", "entailment", "Neutral")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny.write(tmp_path_factory.mktemp("models") / "reranker")


@pytest.fixture(scope="module")
def reranker(folder):
    return CrossEncoderReranker(CrossEncoder.open(str(folder)))


@pytest.fixture
def own(folder, tmp_path):
    """A checkpoint of one's own, to be spoilt."""
    return shutil.copytree(folder, tmp_path / "own")


def test_a_score_is_the_models_own(folder, reranker):
    scores = reranker.score(QUESTION, PASSAGES)
    numbers = [row[0] for row in tiny.logits(folder, [(QUESTION, one) for one in PASSAGES])]
    assert scores == [round(1 / (1 + math.exp(-number)), 6) for number in numbers]
    assert len(set(scores)) == len(PASSAGES), "the checkpoint must tell the passages apart"


def test_a_score_is_the_number_itself_where_the_configuration_says_so(tmp_path):
    folder = tiny.write(tmp_path / "m", sigmoid=False)
    plain = CrossEncoderReranker(CrossEncoder.open(str(folder)))
    numbers = [row[0] for row in tiny.logits(folder, [(QUESTION, one) for one in PASSAGES])]
    assert plain.score(QUESTION, PASSAGES) == [round(number, 6) for number in numbers]
    assert not plain.bounded
    older = tiny.write(tmp_path / "older")
    tiny.change(older, sbert_ce_default_activation_function="torch.nn.modules.linear.Identity")
    also = CrossEncoderReranker(CrossEncoder.open(str(older)))
    assert also.score(QUESTION, PASSAGES) == plain.score(QUESTION, PASSAGES)


@given(st.lists(st.text(max_size=300), min_size=1, max_size=6), st.text(max_size=100), st.randoms())
@settings(max_examples=30)
def test_a_pair_has_the_same_number_in_any_company_and_order(reranker, passages, question, chance):
    alone = {one: reranker.score(question, [one]) for one in passages}
    chance.shuffle(passages)
    together = reranker.score(question, passages)
    assert [[one] for one in together] == [alone[one] for one in passages]


def test_no_pair_gives_no_number(reranker):
    assert reranker.score(QUESTION, []) == []


def test_an_input_beyond_the_models_longest_is_cut(folder, reranker):
    long = "leave " * 1_000
    assert reranker.score(QUESTION, [long]) == reranker.score(QUESTION, [long + "or not"])
    assert reranker.score(long, [long])[0] > 0


def test_the_key_follows_the_files_and_the_device(folder, own, reranker):
    assert CrossEncoder.open(str(own)).key == reranker.key
    assert CrossEncoder.open(str(own), device="cuda").key != reranker.key
    (own / "README.md").write_text("words about it")
    assert CrossEncoder.open(str(own)).key == reranker.key
    tiny.change(own, sentence_transformers={"activation_fn": "torch.nn.modules.linear.Identity"})
    assert CrossEncoder.open(str(own)).key != reranker.key


def test_nothing_is_printed_or_loaded_before_a_pair_is_read(folder, capfd):
    opened = CrossEncoderReranker(CrossEncoder.open(str(folder)))
    assert "_model" not in vars(opened._encoder)
    opened.score(QUESTION, PASSAGES)
    assert "_model" in vars(opened._encoder)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("labels", "told"),
    [(NLI, "tells CONTRADICTION, entailment, Neutral apart"), (("no", "yes"), "tells no, yes apart")],
)
def test_a_model_with_more_labels_is_no_reranker(tmp_path, labels, told):
    encoder = CrossEncoder.open(str(tiny.write(tmp_path / "m", labels)))
    with pytest.raises(ModelUnfit, match=told) as caught:
        CrossEncoderReranker(encoder)
    assert "search.rerank" in caught.value.hint


def test_a_model_that_embeds_is_no_cross_encoder(own):
    tiny.change(own, architectures=["BertModel"])
    with pytest.raises(ModelUnfit, match=r"BertModel has no head for pairs of texts"):
        CrossEncoder.open(str(own))


def test_an_unknown_function_over_the_scores_is_refused(own):
    tiny.change(own, sentence_transformers={"activation_fn": "os.getcwd"})
    with pytest.raises(ModelUnfit, match=r"asks for os\.getcwd over its scores"):
        CrossEncoderReranker(CrossEncoder.open(str(own)))


def unlink(*names):
    def spoil(folder):
        for name in names:
            (folder / name).unlink()

    return spoil


def headless(folder):
    from safetensors.numpy import load_file, save_file

    held = load_file(folder / "model.safetensors")
    bare = {name: one for name, one in held.items() if not name.startswith("classifier")}
    save_file(bare, folder / "model.safetensors", metadata={"format": "pt"})


def poisoned(folder):
    from safetensors.numpy import load_file, save_file

    held = load_file(folder / "model.safetensors")
    held["classifier.bias"] = np.array([np.nan], np.float32)
    save_file(held, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (unlink("config.json"), "has no readable config.json"),
        (lambda folder: (folder / "config.json").write_text("{"), "is no JSON"),
        (lambda folder: (folder / "config.json").write_text("[]"), "is no JSON object"),
        (unlink("model.safetensors"), "has no weights"),
        (unlink("tokenizer.json"), "has no tokenizer"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"x" * 99), "does not load"),
        (lambda folder: tiny.change(folder, hidden_size=64), "does not load"),
        (lambda folder: tiny.change(folder, model_type="nosuch"), "does not load"),
        (lambda folder: (folder / "tokenizer.json").write_text("{"), "does not load"),
        (headless, "has no weights for classifier"),
        (poisoned, "gives what is no number"),
    ],
)
def test_a_spoilt_checkpoint_is_told_with_a_cure(own, spoil, told, capfd):
    spoil(own)
    with pytest.raises(ModelMissing, match=told) as caught:
        CrossEncoderReranker(CrossEncoder.open(str(own))).score(QUESTION, PASSAGES)
    assert caught.value.hint
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_device_that_is_not_there_is_told(folder):
    encoder = CrossEncoder.open(str(folder), device="nowhere")
    with pytest.raises(ModelMissing, match="does not load"):
        encoder.load()


def test_a_name_is_looked_for_on_this_machine_alone(folder, tmp_path, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    for name in ("acme/reranker", "reranker", "no such/../name", "a/b/c"):
        with pytest.raises(ModelMissing, match="no model of that name in the hub's cache"):
            CrossEncoder.open(name)
    kept = tmp_path / "models--acme--reranker"
    shutil.copytree(folder, kept / "snapshots" / "abc")
    (kept / "refs").mkdir()
    (kept / "refs" / "main").write_text("abc")
    assert CrossEncoder.open("acme/reranker").labels == ("LABEL_0",)


def test_without_the_extra_it_says_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    assert importlib.util.find_spec("sentence_transformers") is None
    with pytest.raises(ExtraMissing, match="needs the extra transformers") as caught:
        CrossEncoder.open(str(folder))
    assert caught.value.hint == 'pip install "ragflow[transformers]"'


def test_labels_are_counted_as_the_library_does(own):
    told = json.loads((own / "config.json").read_text())
    del told["id2label"]
    (own / "config.json").write_text(json.dumps(told))
    assert CrossEncoder.open(str(own)).labels == ("LABEL_0", "LABEL_1")
    tiny.change(own, num_labels=1)
    assert CrossEncoder.open(str(own)).labels == ("LABEL_0",)
