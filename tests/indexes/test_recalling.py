"""What is remembered of vectors is what would be computed again."""

from hypothesis import given
from hypothesis import strategies as st

from indexes.recalling import Recalling

TEXTS = st.lists(st.sampled_from(["leave", "pay", "a hotel night", "", "the moon"]), max_size=6)


class Counting:
    """An embedder that keeps what it was asked for."""

    key, dimensions, max_tokens = "k", 3, 9

    def __init__(self):
        self.asked = []

    def token_offsets(self, text):
        return [(0, len(text))]

    def embed(self, texts, *, queries=False):
        import numpy as np

        self.asked += [(text, queries) for text in texts]
        return np.array([[len(text), 1, queries] for text in texts], np.float32).reshape(len(texts), 3)


@given(st.lists(st.tuples(TEXTS, st.booleans()), max_size=8))
def test_recalled_vectors_are_those_of_the_model_and_nothing_is_embedded_twice(batches):
    model, plain = Counting(), Counting()
    recalling_model = Recalling(model)
    for texts, queries in batches:
        recalled = recalling_model.embed(texts, queries=queries)
        assert recalled.tobytes() == plain.embed(texts, queries=queries).tobytes()
    assert len(model.asked) == len(set(model.asked))


def test_the_oldest_are_forgotten():
    model = Counting()
    held = Recalling(model, kept=2)
    for text in ("a", "b", "c", "b", "a"):
        held.embed([text])
    assert [text for text, _ in model.asked] == ["a", "b", "c", "a"]


def test_it_passes_for_the_model_that_it_asks():
    held = Recalling(Counting())
    assert (held.key, held.dimensions, held.max_tokens) == ("k", 3, 9)
    assert held.token_offsets("pay") == [(0, 3)]
