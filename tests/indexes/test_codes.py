"""Codes: never wrong by more than they say, the same on disk as in memory, and of use."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from indexes import codes
from indexes.codes import Codes

numbers = st.floats(-1, 1, width=32, allow_subnormal=False)


@st.composite
def products(draw: st.DrawFn) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rows = draw(arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=40), elements=numbers))
    return rows, draw(arrays(np.float32, rows.shape[1], elements=numbers))


@given(products())
def test_a_product_is_never_further_off_than_its_slack(
    drawn: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> None:
    rows, vector = drawn
    near, slack = Codes.of(rows).near(vector)
    exact = rows.astype(np.float64) @ vector.astype(np.float64)
    assert (np.abs(near - exact) <= slack + 1e-9).all()


def test_the_largest_numbers_of_all_dimensions_do_not_overflow() -> None:
    rows = np.stack([np.full(1_024, sign, np.float32) for sign in (1, -1)])
    near, _ = Codes.of(rows).near(rows[0])
    assert near == pytest.approx([1_024, -1_024])


def test_the_slack_of_unit_vectors_is_small() -> None:
    random = np.random.default_rng(3)
    rows = random.standard_normal((1_000, 384), np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    near, slack = Codes.of(rows).near(rows[0])
    assert slack < 0.05
    assert np.abs(near - rows @ rows[0]).max() < 0.02


@pytest.mark.parametrize("count", [0, 1, codes.BLOCK - 1, codes.BLOCK, codes.BLOCK + 1])
def test_written_codes_are_those_in_memory(tmp_path: Path, count: int) -> None:
    vectors = np.random.default_rng(5).standard_normal((count, 3), np.float32)
    codes.write(tmp_path, vectors)
    loaded, made = Codes.load(tmp_path), Codes.of(vectors)
    assert loaded.values.tobytes() == made.values.tobytes()
    assert (loaded.scales.tobytes(), loaded.sums.tobytes()) == (made.scales.tobytes(), made.sums.tobytes())
    assert (loaded.error, loaded.length) == (made.error, made.length)
    if count:
        near, slack = loaded.near(vectors[0])
        assert (np.abs(near - vectors.astype(np.float64) @ vectors[0]) <= slack + 1e-6).all()
