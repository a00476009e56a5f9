"""The HTML report: what stands in it, and what never does."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.figures import figures
from evals.report import render
from evals.report.charts import Axes, bar, curve
from evals.report.markup import Markup, element, plain, text

SECTIONS = (
    *("Summary", "Figures with 95 % intervals", "Systems compared", "Question by question"),
    *("Answers and refusals", "Slices", "Worst questions", "Failures and what was left out"),
    "How it was measured",
)


class Reader(HTMLParser):
    """What a browser would make of a page, as far as the laws here need it."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.tags, self.texts, self.attributes = [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return " ".join("".join(self.texts).split())

    def values(self, *names):
        return [value for _, name, value in self.attributes if name in names]


@pytest.fixture(scope="module")
def run(evaluated):
    return evaluated()


# -- what stands in it ---------------------------------------------------------------------------


def test_every_section_stands_and_the_contents_lead_to_it(page):
    read = Reader(page)
    assert [heading for heading in SECTIONS if heading not in read.text] == []
    ids = read.values("id")
    assert len(ids) == len(set(ids))
    links = [value for tag, name, value in read.attributes if name == "href" and tag == "a"]
    assert links
    assert [link for link in links if not link.startswith("#") or link[1:] not in ids] == []


def test_headings_go_down_one_level_at_a_time(both):
    levels = [int(tag[1]) for tag in Reader(both).tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_every_table_has_a_caption_and_heads_with_a_scope(page):
    read = Reader(page)
    assert read.tags.count("caption") == read.tags.count("table") > 10
    assert len(read.values("scope")) == read.tags.count("th")


def test_the_figures_shown_are_those_of_the_run(run, page):
    shown = Reader(page).text.replace("\N{MINUS SIGN}", "-")
    for system in run.setup.systems:
        for name, figure in figures(run, system).items():
            if figure.n and name not in {"latency_ms", "tokens"}:
                assert f"{figure.value:.3f}" in shown, (system, name)
                assert f"{figure.low:.3f} to {figure.high:.3f}" in shown, (system, name)


def test_it_says_what_was_evaluated(run, page):
    shown = Reader(page).text
    for known in (
        "r-1",
        "g-20261122T183011-1c9e02",
        "ab" * 32,
        "cd" * 32,
        "user:mia",
        "work/questions.jsonl",
        "search.k",
    ):
        assert known in shown


def test_a_system_is_told_in_words_with_shapes(page):
    shown = Reader(page).text
    assert "hybrid is better than bm25 at finding the right documents" in shown
    assert "▲ better" in shown
    assert re.search(r"hybrid gave \d+ right and \d+ wrong answers and refused \d+ questions", shown)


def test_failures_results_that_are_none_and_exclusions_are_told(page):
    shown = Reader(page).text
    for told in (
        "TimeoutError",
        "its number is none (NaN)",
        "its gold document hr/old.docx is not in the index",
        "1 not a number",
    ):
        assert told in shown


def test_another_run_is_compared_and_its_questions_stand_side_by_side(both):
    shown = Reader(both).text
    assert "Compared with the other run" in shown
    assert "Questions that changed most" in shown
    assert "hybrid in r-1" in shown
    assert "hybrid in r-2" in shown
    assert 'class="sides"' in both


def test_a_run_on_other_data_is_shown_and_not_compared(run):
    other = replace(run, setup=replace(run.setup, digest="ef" * 32, run="r-9"))
    shown = Reader(render(run, other)).text
    assert "cannot be compared" in shown
    assert "evaluated other data" in shown
    assert all(heading in shown for heading in SECTIONS)


def test_a_run_that_only_searched_says_that_there_are_no_answers(evaluated):
    shown = Reader(render(evaluated(12, systems=("bm25", "dense"), names=("nDCG@10", "R@100")))).text
    assert "Every system of this run only searches" in shown


def test_a_single_system_has_nothing_to_compare_with(evaluated):
    shown = Reader(render(evaluated(12, systems=("hybrid",)))).text
    assert "only one system was evaluated" in shown
    assert "It takes two systems, or two runs" in shown


def test_a_run_without_rows_says_why_nothing_is_shown(run):
    shown = Reader(render(replace(run, rows=()))).text
    assert "No metric could be computed" in shown
    assert "was not asked" in shown
    assert "nan" not in shown.lower().replace("(nan)", "").split()


def test_a_metric_that_nobody_knows_any_more_is_named(run):
    odd = replace(run, setup=replace(run.setup, metrics=(*run.setup.metrics, "gone_metric")))
    assert "unknown metric 'gone_metric'" in Reader(render(odd)).text


def test_the_worst_are_limited_and_the_limit_is_said(evaluated):
    page = render(evaluated(60, systems=("bm25",)))
    worst = page[page.index('id="worst"') : page.index('id="failures"')]
    assert worst.count('class="card"') == 30
    assert "the worst 30" in worst


def test_the_same_run_gives_the_same_bytes(run, page):
    assert render(run) == page


def test_three_hundred_questions_on_four_systems_stay_under_a_megabyte(evaluated):
    names = ("nDCG@10", "R@100", "CRAG")
    long = "how many days of leave " * 12
    run = evaluated(300, systems=("bm25", "dense", "hybrid", "reranked"), names=names, words=long)
    page = render(run)
    assert len(page.encode()) < 1_000_000


# -- nothing from a document becomes part of the page --------------------------------------------


@given(st.text())
def test_text_stays_text(raw):
    read = Reader(element("p", {"title": raw}, raw).html)
    assert read.tags == ["p"]
    assert read.values("title") == ["".join(read.texts)]
    assert "".join(read.texts) == Reader(text(raw)).texts[0] if raw else not read.texts


@given(st.text(alphabet=st.characters(categories=("Cc", "Cf", "Cs"))))
def test_what_would_deceive_is_shown_as_its_code_point(raw):
    shown = text(raw)
    kept = set("\n\t\xad\u200c\u200d")
    assert [each for each in shown if ord(each) < 32 and each not in kept] == []
    assert [each for each in shown if "\u202a" <= each <= "\u202e" or "\u2066" <= each <= "\u2069"] == []
    shown.encode()


@given(st.text(), st.integers(2, 50))
def test_a_cut_text_is_one_line_of_at_most_so_many_characters(raw, limit):
    shown = plain(raw, limit)
    assert len(shown) <= limit
    assert "\n" not in shown


def test_hostile_text_adds_no_element_attribute_or_address(evaluated, hostile_words):
    read = Reader(render(evaluated(12, words=hostile_words)))
    tame = Reader(render(evaluated(12)))
    assert set(read.tags) <= set(tame.tags)
    assert {name for _, name, _ in read.attributes} == {name for _, name, _ in tame.attributes}
    assert "<script>document.title" in read.text


def test_it_holds_no_script_no_inline_style_and_no_outside_address(both):
    read = Reader(both)
    assert "script" not in read.tags
    assert [name for _, name, _ in read.attributes if name == "style" or name.startswith("on")] == []
    assert [link for link in read.values("href", "src") if not link.startswith(("#", "data:"))] == []
    assert "url(" not in both
    assert "@import" not in both


def test_the_policy_allows_its_own_style_and_nothing_else(page):
    policy = next(value for value in Reader(page).values("content") if "default-src" in value)
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    )


def test_a_bar_keeps_inside_its_cell_whatever_it_is_given():
    for value in (-5.0, 0.0, 0.4, 1.0, 9.0):
        drawn = bar(value, value, value, domain=(0.0, 1.0), accent=True).html
        places = re.findall(r'(?:x|x1|x2|width)="(-?[\d.]+)%"', drawn)
        assert places
        assert all(0 <= float(place) <= 100 for place in places)


def test_a_curve_without_points_is_a_frame():
    drawn = curve([], [], Axes("t", "d", "x", "y"), name="c")
    assert isinstance(drawn, Markup)
    assert 'class="line"' not in drawn.html
