"""Batches sized by memory: every text in one, none larger than there is room for, out of memory is halved."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexes.batching import ACTIVATIONS, MOST_TEXTS, batches, computed
from indexes.errors import StorageError

WIDTH = 384
COUNTS = st.lists(st.integers(1, 512), max_size=60)


def room(tokens):
    """Bytes that are free where so many tokens fit into a batch."""
    return tokens * 2 * 4 * ACTIVATIONS * WIDTH


def test_what_fits_together_is_together_longest_first():
    assert batches([3, 200, 7, 100, 90], free=room(200), width=WIDTH) == [[1], [3, 4], [2, 0]]
    assert batches([3, 200, 7, 100, 90], free=room(1000), width=WIDTH) == [[1, 3, 4, 2, 0]]


def test_a_wider_model_and_less_memory_make_smaller_batches():
    counts = [100] * 8
    sizes = [len(batches(counts, free=room(400), width=width)[0]) for width in (WIDTH, 2 * WIDTH, 9 * WIDTH)]
    assert sizes == [4, 2, 1]


def test_a_text_for_which_there_is_no_room_stands_alone():
    assert batches([500, 400, 1], free=0, width=WIDTH) == [[0], [1], [2]]
    assert batches([], free=0, width=WIDTH) == []


def test_no_batch_has_more_texts_than_make_sense():
    made = batches([1] * (MOST_TEXTS + 1), free=10**15, width=WIDTH)
    assert [len(batch) for batch in made] == [MOST_TEXTS, 1]


@given(COUNTS, st.integers(0, 4000))
def test_every_text_is_in_one_batch_and_padding_is_paid_for(counts, tokens):
    made = batches(counts, free=room(tokens), width=WIDTH)
    assert sorted(at for batch in made for at in batch) == list(range(len(counts)))
    for batch in made:
        assert len(batch) == 1 or max(counts[at] for at in batch) * len(batch) <= tokens


class Device:
    """Computes vectors of as many texts at once as it has room for."""

    def __init__(self, texts):
        self.texts, self.sizes = texts, []

    def compute(self, texts):
        if len(texts) > self.texts:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        self.sizes.append(len(texts))
        return np.array([[len(text)] for text in texts], np.float32)


@given(st.lists(st.text(max_size=9), min_size=1, max_size=40), st.integers(1, 8), st.randoms())
def test_a_batch_that_is_out_of_memory_is_halved_and_every_row_keeps_its_place(texts, most, random):
    device, places = Device(most), list(range(len(texts)))
    random.shuffle(places)
    rows = computed(texts, [places], device.compute)
    assert rows[:, 0].tolist() == [len(text) for text in texts]
    assert sum(device.sizes) == len(texts)


def test_no_memory_for_one_text_is_told_with_a_cure():
    with pytest.raises(StorageError, match="too little memory") as refusal:
        computed(["a", "b"], [[0, 1]], Device(0).compute)
    assert "embed.device" in refusal.value.hint


def test_another_failure_of_the_device_is_not_taken_for_a_lack_of_memory():
    def broken(_):
        raise RuntimeError("device-side assert triggered")

    with pytest.raises(RuntimeError, match="assert"):
        computed(["a", "b"], [[0, 1]], broken)
