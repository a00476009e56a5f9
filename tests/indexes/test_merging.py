"""What says the same is found once, and what differs in what matters is found each time."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexes.merging import Merging
from indexes.query import Hit, Merge, Query, Ranking, Scores, System
from indexes.testing import Planted, World

LONG = (
    "Employees who travel for the company book trains before planes, keep every receipt, and hand them in "
    "with the form that lies in the cabinet of the office. The team lead looks at each form and sends it to "
    "the accountants, who pay the money back with the next salary. Whoever loses a receipt writes a note "
    "that says what was bought, where and why, and lets a colleague sign it. A note is as good as a receipt."
)


def hit(document: str, text: str, *, title: str = "", headings: tuple[str, ...] = (), start: int = 0) -> Hit:
    end = start + len(text)
    return Hit(
        1, f"{document}@0123456789ab:{start}-{end}", document, "0" * 64, start, end, title, headings, (),
        None, None, text, 0.5, Scores(1.0, 0.5),
    )  # fmt: skip


def merged(hits: Sequence[Hit], merge: Merge = "near", k: int = 100) -> list[tuple[str, list[str]]]:
    merging = Merging(merge)
    merging.add(hits, k)
    return [(one.document, [each.rpartition("@")[0] for each in one.also]) for one in merging.hits()]


def same(a: str, b: str, merge: Merge = "near") -> bool:
    return len(merged([hit("s/a", a), hit("s/b", b)], merge)) == 1


def test_the_best_ranked_stands_for_the_others():
    hits = [hit("s/a", "Leave is 28 days."), hit("s/b", "Hotels cost."), hit("s/c", "leave IS 28 days")]
    assert merged(hits) == [("s/a", ["s/c"]), ("s/b", [])]
    assert merged(hits, "none") == [("s/a", []), ("s/b", []), ("s/c", [])]


def test_ranks_are_counted_anew_and_the_rest_of_a_hit_stays():
    hits = [hit("s/a", "one text"), hit("s/b", "one text"), hit("s/c", "another")]
    merging = Merging("near")
    merging.add([replace(one, rank=at) for at, one in enumerate(hits, start=1)], 10)
    a, c = merging.hits()
    assert a == replace(hits[0], rank=1, also=(hits[1].chunk,))
    assert c == replace(hits[2], rank=2)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Employees get 28 days.", "  employees\n\nGET   28 days "),
        ("- Trains before planes", "* trains before planes!"),
        ("The company’s form", "the company's form"),
        ("ﬁles are kept", "files are kept"),
        ("It costs −5 euro", "it costs -5 euro."),
        ("Form 17.", "form 17"),
    ],
)
def test_case_space_and_punctuation_do_not_count(a, b):
    for merge in ("near", "equal"):
        assert same(a, b, merge)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Leave is 28 days.", "Leave is 30 days."),
        ("The rate is 3.5", "The rate is 3-5"),
        ("It is 1,000", "It is 1.000"),
        ("It rose by 5 %", "It rose by 5 €"),
        ("It changed by -5", "It changed by 5"),
        ("Above > 5", "Above < 5"),
        ("On 1/2/2025", "On 1-2-2025"),
        ("Smoking is allowed", "Smoking is not allowed"),
        ("They can travel", "They can't travel"),
        ("1 2 3", "12 3"),
        ("有三天假期", "有五天假期"),
    ],
)
def test_short_texts_that_differ_in_what_matters_are_two(a, b):
    for merge in ("near", "equal"):
        assert not same(a, b, merge)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("the office.", "the office 7."),
        ("Whoever loses", "Whoever never loses"),
        ("lets a colleague", "lets two colleagues"),
        ("the next salary", "the salary of May"),
        ("the next salary", "the salary of Juni"),
        ("the money", "half the money"),
        ("lets a colleague", "doesn't let a colleague"),
        ("the form that", "the form B that"),
        ("pay the money", "pay ≥ the money"),
    ],
)
def test_a_number_a_date_or_a_negation_parts_texts_however_long(old, new):
    changed = LONG.replace(old, new, 1)
    assert changed != LONG
    assert not same(LONG, changed)


def test_a_word_more_or_less_in_a_long_text_is_near_but_not_equal():
    changed = LONG.replace("looks at", "checks", 1)
    assert same(LONG, changed)
    assert not same(LONG, changed, "equal")
    assert not same(LONG, LONG[: len(LONG) // 2])
    assert not same("Trains are booked by Ann.", "Trains are booked by Bob.")


def test_titles_and_headings_tell_apart_what_they_must():
    text = "Employees get their days in March."
    paris, berlin = (
        hit("s/a", text, headings=("Leave", "Paris")),
        hit("s/b", text, headings=("Leave", "Bonn")),
    )
    assert len(merged([paris, berlin])) == 2
    one, other = hit("s/a", text, title="Leave"), hit("s/b", text, title="Leave (2)")
    assert len(merged([one, other])) == 1
    assert len(merged([one, other], "equal")) == 2


def test_chunks_of_one_document_are_never_merged():
    assert merged([hit("s/a", "the same"), hit("s/a", "the same", start=20)]) == [("s/a", []), ("s/a", [])]


def test_texts_without_a_word_are_never_merged():
    assert len(merged([hit("s/a", "---"), hit("s/b", "---"), hit("s/c", ""), hit("s/d", "")])) == 4


words = st.lists(st.sampled_from("leave pays the form of 5 not march days".split()), max_size=40)


@given(st.lists(st.tuples(st.sampled_from("abc"), words), max_size=12), st.integers(1, 12))
def test_a_larger_k_never_changes_what_a_smaller_one_gave(texts, k):
    hits = [hit(f"s/{name}", " ".join(said), start=at) for at, (name, said) in enumerate(texts)]
    for merge in ("near", "equal", "none"):
        some = [document for document, _ in merged(hits, merge, k)]
        assert some == [document for document, _ in merged(hits, merge)][:k]
        assert len(some) <= k


@given(st.lists(st.tuples(st.sampled_from("abc"), words), max_size=12))
def test_nothing_is_lost(texts):
    hits = [hit(f"s/{name}", " ".join(said), start=at) for at, (name, said) in enumerate(texts)]
    merging = Merging("near")
    merging.add(hits, 100)
    shown = [chunk for one in merging.hits() for chunk in (one.chunk, *one.also)]
    assert sorted(shown) == sorted(one.chunk for one in hits)


# -- in the index ------------------------------------------------------------------------------------

NewWorld = Callable[[], World]
SYSTEMS: tuple[System, ...] = ("hybrid", "lexical", "dense")


def test_places_of_merged_hits_are_taken_by_what_stands_behind(new_world: NewWorld):
    world = new_world()
    copies = [Planted(f"a/copy-{number:02}", "Annual leave is granted to everybody.") for number in range(30)]
    others = [Planted(f"b/{name}", f"Annual leave and the {name}.") for name in ("garden", "kitchen", "roof")]
    world.sync([*copies, *others])
    index = world.index(Ranking(candidates=40))
    for system in SYSTEMS:
        query = Query("annual leave", frozenset({"everyone"}), system=system)
        everything = index.search(replace(query, k=40, merge="none")).hits
        assert len(everything) == 33
        for k in (1, 2, 3, 4, 10):
            expected = Merging("near")
            expected.add(everything, k)
            assert index.search(replace(query, k=k)).hits == expected.hits()
        assert len(index.search(query).hits) == 4


def test_only_what_may_be_read_is_merged(new_world: NewWorld):
    text = "Annual leave is granted to everybody."
    whole, alone = new_world(), new_world()
    copies = [Planted("a/1", text, ("group:hr",)), Planted("a/2", text), Planted("a/3", text, ("user:mia",))]
    whole.sync(copies)
    alone.sync(copies[1:2])
    query = Query("annual leave", frozenset({"everyone"}))
    (one,) = whole.index().search(query).hits
    assert (one.document, one.also) == ("a/2", ())
    assert alone.index().search(query).hits == (one,)
    (all_of_them,) = (
        whole.index().search(replace(query, readers=frozenset({"everyone", "group:hr", "user:mia"}))).hits
    )
    assert all_of_them.document == "a/1"
    assert [each.rpartition("@")[0] for each in all_of_them.also] == ["a/2", "a/3"]


def test_scores_do_not_depend_on_merging(new_world: NewWorld):
    world = new_world()
    world.sync([Planted(f"a/{number:03}", f"Annual leave, form {number % 7}.") for number in range(60)])
    index = world.index(Ranking(candidates=10))
    for system in SYSTEMS:
        for k in (1, 5, 12, 50):
            query = Query("annual leave form", frozenset({"everyone"}), k=k, system=system)
            scores = {one.chunk: one.score for one in index.search(replace(query, merge="none")).hits}
            for one in index.search(query).hits:
                assert scores.get(one.chunk, one.score) == one.score
