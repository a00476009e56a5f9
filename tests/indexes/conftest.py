"""A tiny BERT checkpoint, written in milliseconds, for the laws that do not need real weights."""

import json
import struct
from types import SimpleNamespace

import numpy as np
import pytest

HIDDEN, HEADS, LAYERS, POSITIONS = 8, 2, 2, 16
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "leave", "is", "28", "days", "pump", "off", "a", "."]
CONFIG = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "hidden_size": HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "max_position_embeddings": POSITIONS,
    "layer_norm_eps": 1e-12,
}


def write_safetensors(path, tensors):
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, value in tensors.items():
        raw = value.astype("<f4").tobytes()
        place = [len(data), len(data) + len(raw)]
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": place}
        data += raw
    encoded = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(encoded)) + encoded + data)


def random_tensors(*, prefix="", seed=7):
    shapes = {
        "embeddings.word_embeddings.weight": (len(WORDS), HIDDEN),
        "embeddings.position_embeddings.weight": (POSITIONS, HIDDEN),
        "embeddings.token_type_embeddings.weight": (2, HIDDEN),
        "embeddings.LayerNorm.weight": (HIDDEN,),
        "embeddings.LayerNorm.bias": (HIDDEN,),
    }
    square, wide = (HIDDEN, HIDDEN), (4 * HIDDEN, HIDDEN)
    dense = {f"attention.self.{name}": square for name in ("query", "key", "value")} | {
        "attention.output.dense": square,
        "intermediate.dense": wide,
        "output.dense": wide[::-1],
    }
    for layer in range(LAYERS):
        for name, shape in dense.items():
            shapes[f"encoder.layer.{layer}.{name}.weight"] = shape
            shapes[f"encoder.layer.{layer}.{name}.bias"] = shape[:1]
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes[f"encoder.layer.{layer}.{name}.weight"] = (HIDDEN,)
            shapes[f"encoder.layer.{layer}.{name}.bias"] = (HIDDEN,)
    random = np.random.default_rng(seed)
    return {prefix + name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def write_tokenizer(path):
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    tokenizer = Tokenizer(
        models.WordPiece({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]")
    )
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    # As published checkpoints have it: fixed at a length that is not the model's.
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=4)
    tokenizer.save(str(path))


def write_checkpoint(folder):
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    write_safetensors(folder / "model.safetensors", random_tensors())
    write_tokenizer(folder / "tokenizer.json")
    return folder


@pytest.fixture(scope="session")
def tiny_bert():
    """How to write a tiny checkpoint folder, whole or in parts."""
    return SimpleNamespace(
        config=CONFIG,
        heads=HEADS,
        hidden=HIDDEN,
        layers=LAYERS,
        positions=POSITIONS,
        random_tensors=random_tensors,
        write_checkpoint=write_checkpoint,
        write_safetensors=write_safetensors,
    )


@pytest.fixture
def tiny_folder(tmp_path):
    """A tiny BERT checkpoint folder of one's own, to be spoilt."""
    return write_checkpoint(tmp_path / "tiny-bert")


@pytest.fixture
def site(new_world, qdrant_server):
    """A workspace that holds documents which no server was told of yet."""
    from qdrant_site import DOCUMENTS, Site

    made = Site(new_world(), qdrant_server)
    made.sync(DOCUMENTS, publish=False)
    return made


@pytest.fixture
def undisturbed(site):
    """What the server of ``site`` holds after a push that nothing disturbs."""
    from qdrant_server import QdrantServer
    from qdrant_site import DOCUMENTS, Site

    with QdrantServer() as calm:
        other = Site(site.world, calm)
        assert other.push() == len(DOCUMENTS)
        return other.points()
