"""A BERT checkpoint folder -> one ONNX graph from token ids to a unit vector, without torch.

Only ``build`` imports onnx. The graph uses the standard operators of opset 18 and fused ones of ONNX
Runtime (domain ``com.microsoft``), which its CPU provider has: the embeddings with their norm, attention
over the joined query, key and value projections, the bias with its GELU, and products quantised at run
time. It is meant to run as it is, without ONNX Runtime's own optimisation.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from indexes.errors import ModelMissing
from indexes.weights import WEIGHTS_FILE, read_safetensors

if TYPE_CHECKING:
    import onnx

BUILDER = "bert-2"
"""Changes whenever a built graph may compute other vectors."""

OPSET = 18
_FUSED = "com.microsoft"
_OTHER = (
    "only BERT checkpoints run here; the extra `transformers` runs others: pip install ragflow[transformers]"
)

Pooling = Literal["mean", "cls"]
Precision = Literal["fp32", "int8"]
Tensors = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Architecture:
    """What a checkpoint folder says of itself. ``max_tokens`` counts special tokens too."""

    layers: int
    heads: int
    hidden: int
    epsilon: float
    pooling: Pooling
    max_tokens: int


def read_architecture(folder: Path) -> Architecture:
    """Read ``config.json`` and, where present, the pooling and length of sentence-transformers.

    Without ``1_Pooling/config.json`` the mean is taken; without ``sentence_bert_config.json`` the
    length is that of the position table.

    Raises:
        ModelMissing: a file is absent or unreadable, or the model is none that ``build`` supports.
    """
    config = _read_json(folder / "config.json")
    _refuse_others(config)
    sentence = _read_json(folder / "sentence_bert_config.json", optional=True)
    if sentence.get("do_lower_case"):
        raise ModelMissing("the model lower-cases text before its tokenizer", hint=_OTHER)
    try:
        positions = int(config["max_position_embeddings"])
        return Architecture(
            layers=int(config["num_hidden_layers"]),
            heads=int(config["num_attention_heads"]),
            hidden=int(config["hidden_size"]),
            epsilon=float(config.get("layer_norm_eps", 1e-12)),
            pooling=_read_pooling(folder),
            max_tokens=min(positions, int(sentence.get("max_seq_length") or positions)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelMissing(f"config.json of {folder.name} is incomplete: {error}", hint=_OTHER) from error


def _read_json(path: Path, *, optional: bool = False) -> dict[str, Any]:
    if optional and not path.exists():
        return {}
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ModelMissing(
            f"the model's {path.name} is absent or damaged", hint="install the model again"
        ) from error
    if not isinstance(value, dict):
        raise ModelMissing(f"the model's {path.name} is not a JSON object", hint="install the model again")
    return value


def _refuse_others(config: Mapping[str, Any]) -> None:
    """Refuse what would build but compute other vectors than the checkpoint's own library."""
    wanted = {"model_type": "bert", "position_embedding_type": "absolute", "hidden_act": "gelu"}
    for key, value in wanted.items():
        if config.get(key, value if key != "model_type" else None) != value:
            raise ModelMissing(f"the model's {key} is {config.get(key)!r}, not {value!r}", hint=_OTHER)
    if config.get("is_decoder") or config.get("add_cross_attention"):
        raise ModelMissing("the model is a decoder, not an encoder", hint=_OTHER)


def _read_pooling(folder: Path) -> Pooling:
    """Return the pooling. Newer folders name it, older ones switch each mode on or off."""
    if any(path.name.endswith("_Dense") for path in folder.iterdir()):
        raise ModelMissing("the model has a dense layer after its pooling", hint=_OTHER)
    pooling = _read_json(folder / "1_Pooling" / "config.json", optional=True)
    named = pooling.get("pooling_mode")
    modes = {key for key, on in pooling.items() if key.startswith("pooling_mode_") and on is True}
    if named == "mean" or (named is None and modes <= {"pooling_mode_mean_tokens"}):
        return "mean"
    if named == "cls" or (named is None and modes == {"pooling_mode_cls_token"}):
        return "cls"
    told = named or ", ".join(sorted(modes))
    raise ModelMissing(f"the model's pooling ({told}) is neither mean nor cls", hint=_OTHER)


def build(folder: Path, architecture: Architecture, precision: Precision) -> "onnx.ModelProto":
    """Return the graph, its weights inside.

    With ``int8`` the matrices are quantised, symmetrically and per output channel, and activations
    at run time, per tensor; tables, norms, attention weights and pooling stay float32.

    Inputs, int32 of shape (batch, sequence): ``input_ids``, ``attention_mask``, ``token_type_ids``.
    Output ``embedding``, float32 of shape (batch, hidden), rows of length 1.

    Raises:
        ModelMissing: the weights are damaged or not those of the architecture.
    """
    from onnx import TensorProto, checker, helper

    graph = _Graph(_tensors(folder / WEIGHTS_FILE, architecture), precision)
    _embeddings(graph, architecture)
    hidden = "hidden_0"
    for layer in range(architecture.layers):
        hidden = _layer(graph, architecture, layer, hidden)
    _pool(graph, architecture, hidden)
    shape = ["batch", "sequence"]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT32, shape)
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    output = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", architecture.hidden])
    model = helper.make_model(
        helper.make_graph(graph.nodes, "bert", inputs, [output], graph.initializers),
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(_FUSED, 1)],
        producer_name="ragflow",
        producer_version=BUILDER,
    )
    # Opset 18 came with IR 8: an older ONNX Runtime then reads the graph too.
    model.ir_version = 8
    checker.check_model(model)
    return model


def _tensors(path: Path, architecture: Architecture) -> dict[str, NDArray[np.generic]]:
    """Return the checkpoint's tensors without a ``bert.`` prefix, the word table checked for its width."""
    tensors = {name.removeprefix("bert."): value for name, value in read_safetensors(path).items()}
    words = tensors.get("embeddings.word_embeddings.weight")
    if words is None or words.ndim != 2 or words.shape[1] != architecture.hidden:
        raise ModelMissing(f"{path.name} does not hold the weights that config.json describes", hint=_OTHER)
    return tensors


class _Graph:
    """Nodes and initializers while they are gathered."""

    def __init__(self, tensors: Tensors, precision: Precision) -> None:
        self.precision = precision
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self._tensors = tensors

    def weight(self, name: str) -> NDArray[np.float32]:
        """Return a tensor of the checkpoint as float32."""
        if name not in self._tensors:
            raise ModelMissing(f"the weights lack {name}", hint=_OTHER)
        return np.asarray(self._tensors[name], dtype=np.float32)

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        from onnx import numpy_helper

        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def parameter(self, name: str) -> str:
        """Add a tensor of the checkpoint as it is."""
        return self.constant(name, self.weight(name))

    def quantised(self, name: str, matrix: NDArray[np.float32]) -> tuple[str, str]:
        """Add a matrix (in, out) as int8 with one float32 scale a column; give both names."""
        scale = np.maximum(np.abs(matrix).max(axis=0), np.float32(1e-12)) / np.float32(127)
        levels = np.clip(np.rint(matrix / scale), -127, 127).astype(np.int8)
        return self.constant(name, levels), self.constant(f"{name}.scale", scale.astype(np.float32))

    def add(
        self, op: str, inputs: Sequence[str], output: str, attributes: Mapping[str, Any] | None = None
    ) -> str:
        """Add a node, named by its first output, and return that; commas part several outputs.

        An operator's domain stands before a colon.
        """
        from onnx import helper

        domain, _, kind = op.rpartition(":")
        outputs = output.split(",")
        self.nodes.append(
            helper.make_node(
                kind, list(inputs), outputs, name=outputs[0], domain=domain, **(attributes or {})
            )
        )
        return outputs[0]


def _embeddings(graph: _Graph, architecture: Architecture) -> None:
    """Words, positions and types, summed and normalised: ``hidden_0``."""
    names = ("word_embeddings", "position_embeddings", "token_type_embeddings")
    tables = [graph.parameter(f"embeddings.{name}.weight") for name in names]
    norm = [graph.parameter(f"embeddings.LayerNorm.{part}") for part in ("weight", "bias")]
    graph.add(
        f"{_FUSED}:EmbedLayerNormalization",
        ["input_ids", "token_type_ids", *tables, *norm],
        "hidden_0,unused_lengths",
        {"epsilon": architecture.epsilon},
    )


def _layer(graph: _Graph, architecture: Architecture, layer: int, hidden: str) -> str:
    """One encoder layer: attention, then the feed-forward net, each with residual and norm."""
    prefix = f"encoder.layer.{layer}."
    joined = [
        [graph.weight(f"{prefix}attention.self.{name}.{part}") for name in ("query", "key", "value")]
        for part in ("weight", "bias")
    ]
    weights = np.concatenate([matrix.T for matrix in joined[0]], axis=1)
    matrix = f"{prefix}qkv.weight"
    bias = graph.constant(f"{prefix}qkv.bias", np.concatenate(joined[1]))
    attended = _attention(graph, architecture, (hidden, matrix, bias), weights)
    epsilon = architecture.epsilon
    middle = _residual(graph, attended, hidden, f"{prefix}attention.output.", epsilon)
    wide = _product(graph, middle, f"{prefix}intermediate.dense.weight")
    bias = graph.parameter(f"{prefix}intermediate.dense.bias")
    active = graph.add(f"{_FUSED}:BiasGelu", [wide, bias], f"active_{layer}")
    return _residual(graph, active, middle, f"{prefix}output.", epsilon)


def _attention(
    graph: _Graph, architecture: Architecture, names: tuple[str, str, str], weights: NDArray[np.float32]
) -> str:
    """Multi-head attention of a layer. ``names``: its input, its joined matrix, its joined bias."""
    hidden, matrix, bias = names
    output = f"{matrix}.attended"
    heads = {"num_heads": architecture.heads}
    if graph.precision == "fp32":
        inputs = [hidden, graph.constant(matrix, weights), bias, "attention_mask"]
        return graph.add(f"{_FUSED}:Attention", inputs, output, heads)
    parts = [f"{matrix}.input", f"{matrix}.input_scale", f"{matrix}.input_zero"]
    graph.add("DynamicQuantizeLinear", [hidden], ",".join(parts))
    quantised, scale = graph.quantised(matrix, weights)
    zero = graph.constant(f"{matrix}.zero", np.zeros(weights.shape[1], np.int8))
    inputs = [parts[0], quantised, bias, parts[1], scale, "attention_mask", parts[2], zero]
    return graph.add(f"{_FUSED}:QAttention", inputs, output, heads)


def _product(graph: _Graph, value: str, weight: str) -> str:
    """Multiply by a linear layer's matrix, which PyTorch keeps as (out, in)."""
    matrix = graph.weight(weight).T
    output = f"{weight}.product"
    if graph.precision == "fp32":
        return graph.add("MatMul", [value, graph.constant(weight, matrix)], output)
    return graph.add(f"{_FUSED}:DynamicQuantizeMatMul", [value, *graph.quantised(weight, matrix)], output)


def _residual(graph: _Graph, value: str, skip: str, prefix: str, epsilon: float) -> str:
    """Dense layer with bias, plus ``skip``, normalised.

    Plain operators: ONNX Runtime's fused SkipLayerNormalization is slower on the CPU.
    """
    product = _product(graph, value, f"{prefix}dense.weight")
    biased = graph.add("Add", [product, graph.parameter(f"{prefix}dense.bias")], f"{prefix}biased")
    total = graph.add("Add", [biased, skip], f"{prefix}total")
    norm = [graph.parameter(f"{prefix}LayerNorm.{part}") for part in ("weight", "bias")]
    attributes = {"epsilon": epsilon, "axis": -1}
    return graph.add("LayerNormalization", [total, *norm], f"{prefix}normalised", attributes)


def _pool(graph: _Graph, architecture: Architecture, hidden: str) -> None:
    """Mean over the unmasked tokens, or the first token; then L2 normalisation: ``embedding``."""
    one, last = np.array([1], np.int64), np.array([-1], np.int64)
    axis_1, axis_last = graph.constant("axis_1", one), graph.constant("axis_last", last)
    if architecture.pooling == "cls":
        first = graph.constant("first", np.array(0, np.int64))
        pooled = graph.add("Gather", [hidden, first], "pooled", {"axis": 1})
    else:
        mask = graph.add("Cast", ["attention_mask"], "mask", {"to": 1})
        column = graph.add("Unsqueeze", [mask, axis_last], "mask_column")
        kept = graph.add("Mul", [hidden, column], "kept")
        total = graph.add("ReduceSum", [kept, axis_1], "total", {"keepdims": 0})
        count = graph.add("ReduceSum", [mask, axis_1], "count", {"keepdims": 1})
        pooled = graph.add("Div", [total, count], "pooled")
    length = graph.add("ReduceL2", [pooled, axis_last], "length", {"keepdims": 1})
    floor = graph.constant("floor", np.array(1e-12, np.float32))
    graph.add("Div", [pooled, graph.add("Max", [length, floor], "length_floored")], "embedding")
