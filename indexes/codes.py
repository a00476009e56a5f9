"""Vectors at one byte a dimension: what a search reads first, a quarter of what the floats weigh.

A code never scores. It says of each row how near it may be at most, with a bound that is proven row by
row; only rows that may be among the nearest are then multiplied exactly. So the result is that of the
exact product, and this file only decides how much memory is read for it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexes.embedding import Vectors

CODES, NOTES = "codes.npy", "code-notes.npy"

BLOCK = 32_768
"""Rows of a block. Inside one, a dimension's codes of all rows lie side by side: (dimensions, rows)."""

_HIGHEST = 127
# A row's byte times the question's is added in pairs to 16 bits before AVX-512: 2 * 127 * 127 still fits.
_MIDDLE = 64
_STEPS = 63
# What float32 may round away of a product, in parts of the lengths: three operations, and one comparison.
_ROUNDED = 16 * float(np.finfo(np.float32).eps)


@dataclass(frozen=True, slots=True)
class Codes:
    """Row i of the vectors is about ``scales[i] * code[i]``.

    ``values``: int8, block after block. ``sums``: of each row's codes. ``error``: the greatest length of
    a difference to the vector; ``length``: the greatest of what a code stands for.
    """

    values: NDArray[np.int8]
    scales: NDArray[np.float32]
    sums: NDArray[np.int32]
    error: float
    length: float

    @classmethod
    def of(cls, vectors: Vectors) -> "Codes":
        """Code vectors of shape (rows, dimensions) in memory."""
        parts = list(_coded(vectors))
        values = [np.empty(0, np.int8), *(values for values, _ in parts)]
        return cls._noted(np.concatenate(values), _joined([notes for _, notes in parts]))

    @classmethod
    def load(cls, folder: Path) -> "Codes":
        """Map what ``write`` left. Raises OSError or ValueError where it cannot be read."""
        notes = np.load(folder / NOTES, mmap_mode="r")
        return cls._noted(np.asarray(np.load(folder / CODES, mmap_mode="r")), notes)

    @classmethod
    def _noted(cls, values: NDArray[np.int8], notes: NDArray[np.float32]) -> "Codes":
        scales, errors, lengths, sums = notes
        return cls(
            values, scales, sums.astype(np.int32), float(errors.max(initial=0)), float(lengths.max(initial=0))
        )

    def __len__(self) -> int:
        return len(self.scales)

    def nearest(
        self, vector: NDArray[np.float32], mask: NDArray[np.bool_], depth: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32], float]:
        """Give the rows of ``mask`` that may be among its ``depth`` nearest, as ``near`` gives them.

        The ``depth`` rows that seem nearest are so near, less the slack, in truth; what seems further off
        than that by another slack cannot reach them.
        """
        near, slack = self.near(vector)
        np.copyto(near, -np.inf, where=~mask)
        lowest = float(np.partition(near, -depth)[-depth]) - 2 * slack if len(near) > depth else -np.inf
        rows = np.flatnonzero(near >= lowest)
        rows = rows[mask[rows]]
        return rows, near[rows], slack

    def near(self, vector: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
        """Give each row's inner product with ``vector``, about, and by how much any may be wrong.

        With x = s c + r and q = t u + p: x q - s t (c u) = r q + s c p, and by Cauchy and Schwarz that is
        at most |r| |q| + |s c| |p|. The product of the codes, c u, is exact.
        """
        wide = vector.astype(np.float64)
        step = float(np.abs(wide).max(initial=0.0)) / _STEPS or 1.0
        steps = np.rint(wide / step)
        asked = (steps + _MIDDLE).astype(np.uint8)[np.newaxis]
        length, lost = (float(np.linalg.norm(one)) for one in (wide, wide - step * steps))
        near = np.empty(len(self), np.float32)
        for first in range(0, len(self), BLOCK):
            # Block by block and in place: fresh memory costs more here than the arithmetic.
            part = slice(first, min(first + BLOCK, len(self)))
            codes = self.values[part.start * len(vector) : part.stop * len(vector)]
            products = _product()(asked, codes.reshape(len(vector), -1))
            products -= _MIDDLE * self.sums[part]
            np.multiply(products, self.scales[part], out=near[part], casting="same_kind")
        near *= np.float32(step)
        return near, self.error * length + self.length * lost + _ROUNDED * (self.length + self.error) * length


def write(folder: Path, vectors: Vectors) -> list[Path]:
    """Write the codes of mapped vectors block by block; the same vectors give the same bytes."""
    paths = [folder / CODES, folder / NOTES]
    notes = []
    with paths[0].open("wb") as file:
        header = {"descr": "|i1", "fortran_order": False, "shape": (vectors.size,)}
        np.lib.format.write_array_header_1_0(file, header)
        for values, about in _coded(vectors):
            file.write(values.data)
            notes.append(about)
    np.save(paths[1], _joined(notes), allow_pickle=False)
    return paths


def _coded(vectors: Vectors) -> Iterator[tuple[NDArray[np.int8], NDArray[np.float32]]]:
    """Give each block's codes and notes: (4, rows) of scale, error, length and sum."""
    for first in range(0, len(vectors), BLOCK):
        block = np.asarray(vectors[first : first + BLOCK], np.float32)
        scales = np.abs(block).max(axis=1) / np.float32(_HIGHEST)
        codes = np.rint(block / np.where(scales, scales, np.float32(1))[:, np.newaxis])
        meant = codes.astype(np.float64) * scales[:, np.newaxis]
        lengths = (np.linalg.norm(block - meant, axis=1), np.linalg.norm(meant, axis=1))
        # Rounding to float32 may make a bound smaller: the next number above is safe.
        errors, meants = (np.nextafter(one.astype(np.float32), np.float32(np.inf)) for one in lengths)
        notes = np.stack([scales, errors, meants, codes.sum(axis=1, dtype=np.float32)])
        yield np.ascontiguousarray(codes.astype(np.int8).T).reshape(-1), notes


def _joined(notes: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.concatenate([np.empty((4, 0), np.float32), *notes], axis=1)


@cache
def _product() -> Callable[[NDArray[np.uint8], NDArray[np.int8]], NDArray[np.int32]]:
    """Return what multiplies (1, d) by (d, n) bytes into n sums, by ONNX Runtime: numpy has none as fast."""
    import onnx
    import onnxruntime

    describe = onnx.helper.make_tensor_value_info
    inputs = [
        describe("question", onnx.TensorProto.UINT8, [1, "d"]),
        describe("rows", onnx.TensorProto.INT8, ["d", "n"]),
    ]
    outputs = [describe("sums", onnx.TensorProto.INT32, [1, "n"])]
    node = onnx.helper.make_node("MatMulInteger", ["question", "rows"], ["sums"])
    graph = onnx.helper.make_graph([node], "product", inputs, outputs)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )

    def run(question: NDArray[np.uint8], rows: NDArray[np.int8]) -> NDArray[np.int32]:
        sums: NDArray[np.int32] = session.run(None, {"question": question, "rows": rows})[0][0]
        return sums

    return run
