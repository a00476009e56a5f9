"""The lexical leg over rows of several languages: each row is asked in its own, each word counts once."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexes.analysis import analyse, question_words
from indexes.codes import Codes
from indexes.lexical import bm25, readable_idf, readable_idfs
from indexes.postings import PostingsBuilder
from indexes.query import Ranking
from indexes.segments import Rows, Segment, Slice

RANKING = Ranking()


class Row(NamedTuple):
    """A row as a test states it: body, title, language, and whether the asker may read it."""

    body: str
    title: str
    language: str
    readable: bool = True


said = st.lists(
    st.sampled_from("hotel die Kosten kosten 140 Nacht nuit coûte le Frist l'hôtel was 1.500".split()),
    max_size=6,
).map(" ".join)
rows = st.lists(st.builds(Row, said, said, st.sampled_from(["en", "de", "fr"]), st.booleans()), max_size=8)


def slices(groups: Sequence[Sequence[Row]]) -> list[Slice]:
    made = []
    for group in groups:
        builder = PostingsBuilder()
        for row in group:
            builder.add(row.body, row.title, "", language=row.language)
        count = len(group)
        places = Rows(np.arange(count), np.zeros(count, np.int32), np.ones(count, np.int32))
        vectors = np.ones((count, 1), np.float32)
        segment = Segment(Path("unwritten"), places, vectors, Codes.of(vectors), builder.build())
        made.append(Slice(segment, np.array([row.readable for row in group], np.bool_)))
    return made


def scores(groups: Sequence[Sequence[Row]], question: str, languages: Sequence[str]) -> list[list[float]]:
    """The scores of each readable row, group by group, 0 where it holds no word."""
    made = slices(groups)
    found = bm25(made, (), question_words(question, languages), RANKING)
    spread = []
    for each, (held, values) in zip(made, found, strict=True):
        totals = np.zeros(len(each.mask))
        totals[held] = values
        spread.append(totals[each.mask].tolist())
    return spread


def plainly(readable: Sequence[Row], question: str, languages: Sequence[str]) -> list[float]:
    """The same in plain Python, from the definition."""
    words = question_words(question, languages)
    counts = [[Counter(analyse(text, row.language)) for text in (row.body, row.title)] for row in readable]
    lengths = [body.total() + 2.0 * title.total() for body, title in counts]
    average = sum(lengths) / len(lengths) or 1.0
    given_scores = []
    for row, (body, title), length in zip(readable, counts, lengths, strict=True):
        total = 0.0
        for term in sorted({word[row.language] for word in words if row.language in word}):
            same = {pair for word in words if word.get(row.language) == term for pair in word.items()}
            holding = sum(
                any(other.language == name and (b[t] or h[t]) for name, t in same)
                for other, (b, h) in zip(readable, counts, strict=True)
            )
            idf = math.log(1 + (len(readable) - holding + 0.5) / (holding + 0.5))
            frequency = body[term] + 2.0 * title[term]
            norm = RANKING.k1 * (1 - RANKING.b + RANKING.b * (length / average))
            total += idf * (frequency * (RANKING.k1 + 1) / (frequency + norm)) if frequency else 0.0
        given_scores.append(total)
    return given_scores


def present(made: Sequence[Row]) -> list[str]:
    return sorted({row.language for row in made if row.readable})


@given(rows, said, st.integers(0, 8))
def test_scores_are_those_of_the_definition_however_rows_are_spread(
    made: list[Row], question: str, cut: int
) -> None:
    readable = [row for row in made if row.readable]
    if not readable:
        return
    languages = present(made)
    found = [score for group in scores([made[:cut], made[cut:]], question, languages) for score in group]
    assert found == pytest.approx(plainly(readable, question, languages), abs=1e-9)


@given(rows, said)
def test_rows_that_may_not_be_read_change_no_bit_whatever_their_language(
    made: list[Row], question: str
) -> None:
    readable = [row for row in made if row.readable]
    languages = present(made)
    words = question_words(question, languages)
    assert scores([made], question, languages) == scores([readable], question, languages)
    assert readable_idfs(slices([made]), words, languages) == readable_idfs(
        slices([readable]), words, languages
    )


@given(rows, said, st.sampled_from(["en", "de", "fr"]))
def test_rows_of_one_language_score_bit_for_bit_as_its_terms_do(
    made: list[Row], question: str, language: str
) -> None:
    same = [row._replace(language=language) for row in made]
    terms, words = analyse(question, language), question_words(question, [language])
    by_terms, by_words = bm25(slices([same]), terms, (), RANKING), bm25(slices([same]), (), words, RANKING)
    for one, other in zip(by_terms, by_words, strict=True):
        assert [each.tolist() for each in one] == [each.tolist() for each in other]
    idfs = readable_idfs(slices([same]), words, [language])
    assert idfs == {language: readable_idf(slices([same]), terms)}


def test_a_word_that_is_a_stop_word_in_a_row_s_language_is_not_looked_for_there() -> None:
    made = [Row("die Kosten", "", "de"), Row("many die at sea", "", "en")]
    assert scores([made], "die", ["de", "en"])[0][0] == 0
    assert scores([made], "die", ["de", "en"])[0][1] > 0


def test_a_name_that_all_languages_share_counts_once_and_is_as_rare_as_it_is() -> None:
    mixed = [Row("Visa 140", "", language) for language in ("de", "en", "fr")] + [Row("x", "", "en")]
    plain = [row._replace(language="en") for row in mixed]
    assert scores([mixed], "Visa 140", ["de", "en", "fr"]) == scores([plain], "Visa 140", ["en"])


def test_a_word_is_found_in_each_language_by_its_own_stem() -> None:
    made = [Row("Kündigungsfristen", "", "de"), Row("Les employés", "", "fr"), Row("employees", "", "en")]
    languages = ["de", "en", "fr"]
    assert [score > 0 for score in scores([made], "Kündigungsfrist", languages)[0]] == [True, False, False]
    assert [score > 0 for score in scores([made], "employé", languages)[0]] == [False, True, False]
    assert [score > 0 for score in scores([made], "employee", languages)[0]] == [False, False, True]
