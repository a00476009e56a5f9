"""Which texts go through a model together: batches sized by the memory that is free."""

from collections.abc import Callable, Sequence

import numpy as np

from indexes.embedding import Vectors
from indexes.errors import StorageError

ACTIVATIONS = 24
"""Numbers of float32 that a token needs while a layer is computed, for each dimension of the model.

What goes in and out, queries, keys and values, and the feed-forward part, four times as wide, before and
after its activation function, make 15; the rest is what an allocator loses between them.
"""

MOST_TEXTS = 256
"""More than that at once makes no device faster."""


def batches(counts: Sequence[int], *, free: int, width: int) -> list[list[int]]:
    """Return the positions of texts, in batches that fit into the memory that is free.

    ``counts``: tokens of each text, as the model sees it. ``free``: bytes. ``width``: dimensions of the
    model's layers. A batch costs as much as its longest text would as many times, for it is padded to
    that; half of ``free`` is used. The longest come first, so that a batch that is too large after all
    shows at once; ties by position. Every position is in one batch, and no batch is empty: a text for
    which there is not room enough stands alone. No texts: no batches.
    """
    tokens = free // 2 // (4 * ACTIVATIONS * width)
    order = sorted(range(len(counts)), key=lambda at: (-counts[at], at))
    made: list[list[int]] = []
    for at in order:
        if made and len(made[-1]) < MOST_TEXTS and counts[made[-1][0]] * (len(made[-1]) + 1) <= tokens:
            made[-1].append(at)
        else:
            made.append([at])
    return made


def computed(
    texts: Sequence[str], planned: Sequence[list[int]], compute: Callable[[Sequence[str]], Vectors]
) -> Vectors:
    """Return the vectors of texts, one batch after the other; one that is out of memory is halved.

    ``planned``: the batches, of which there is at least one. ``compute`` gives a row for each text and
    raises as torch does where its device has no memory left.

    Raises:
        StorageError: there is too little memory even for one text.
    """
    waiting = list(reversed(planned))
    rows: dict[int, Vectors] = {}
    while waiting:
        batch = waiting.pop()
        try:
            found = compute([texts[at] for at in batch])
        except RuntimeError as error:  # of which torch's own OutOfMemoryError is one; for mps there is none
            if "out of memory" not in str(error).lower():
                raise
            if len(batch) == 1:
                raise StorageError(
                    "the device has too little memory for the model and one text",
                    hint="free its memory, or set embed.device to cpu",
                ) from error
            middle = len(batch) // 2
            waiting += [batch[middle:], batch[:middle]]
        else:
            rows.update(zip(batch, found, strict=True))
    return np.stack([rows[at] for at in range(len(texts))])
