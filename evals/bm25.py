"""rank-bm25 over the same chunks: the baseline that every retrieval report stands beside."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from indexes.analysis import analyse, analysed_as, question_words


class Baseline:
    """BM25Okapi of the package rank-bm25, as shipped (k1 1.5, b .75, epsilon .25), over analysed words.

    ``chunks``: (chunk id, text, language); a text is analysed in its language, and a question in all that
    there are: a word that gives several terms counts as each. The statistics are rank-bm25's own. A
    question's scores are added up over the chunks that hold its words instead of all chunks: bit for bit
    those of ``BM25Okapi.get_scores``.
    """

    def __init__(self, chunks: Sequence[tuple[str, str, str]]) -> None:
        from rank_bm25 import BM25Okapi

        words = [analyse(text, language) for _, text, language in chunks]
        self._languages = sorted({analysed_as(language) for _, _, language in chunks})
        self._names = np.array([name for name, _, _ in chunks], dtype=np.object_)
        self._postings: dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}
        if not any(words):  # rank-bm25 divides by the number of words
            return
        self._okapi = BM25Okapi(words)
        lengths = np.array(self._okapi.doc_len)
        k1, b = self._okapi.k1, self._okapi.b
        self._norms = k1 * (1 - b + b * lengths / self._okapi.avgdl)
        self._postings = _inverted(self._okapi.doc_freqs)

    def rank(self, question: str, k: int) -> list[tuple[str, float]]:
        """Return the best ``k`` chunks that hold a word of the question, as (chunk id, score).

        Best first, ties by chunk id. A word that the question repeats counts each time. A word in more
        than half of a small corpus may score below 0. No chunk holds a word: ``[]``.
        """
        scores = np.zeros(len(self._names))
        held = np.zeros(len(self._names), np.bool_)
        for word in self._words(question):
            posting = self._postings.get(word)
            if posting is None:
                continue
            rows, counts = posting
            weight = counts * (self._okapi.k1 + 1) / (counts + self._norms[rows])
            scores[rows] += self._okapi.idf[word] * weight
            held[rows] = True
        found = np.flatnonzero(held)
        if 0 < k < len(found):  # ties for the last place are kept until the names decide
            last = np.partition(scores[found], -k)[-k]
            found = found[scores[found] >= last]
        ranked = sorted(
            (-score, name) for score, name in zip(scores[found].tolist(), self._names[found], strict=True)
        )
        return [(name, -score) for score, name in ranked[: max(k, 0)]]

    def _words(self, question: str) -> list[str]:
        words = question_words(question, self._languages)
        return [term for word in words for term in sorted(set(word.values()))]


def _inverted(documents: Sequence[dict[str, int]]) -> dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return word -> (rows, counts) from each row's counts."""
    rows: dict[str, list[int]] = {}
    counts: dict[str, list[int]] = {}
    for row, document in enumerate(documents):
        for word, count in document.items():
            rows.setdefault(word, []).append(row)
            counts.setdefault(word, []).append(count)
    return {word: (np.array(rows[word]), np.array(counts[word])) for word in rows}
