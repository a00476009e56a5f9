"""Sentences: spans that cover the text, cut where a reader would cut."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexes.sentences import sentences

PIECES = st.sampled_from(
    [
        *"aB1 .?!\n\t|#-()\"'\u2019\u2026\u3002\u00e9\u4e2d\u2028\x85",
        "Dr. ",
        "e.g. ",
        "U.S. ",
        "No. 5 ",
        "\n\n",
        "\n- ",
        "\n1. ",
        "word ",
        "The ",
        "| a | b |\n",
        "# Title\n",
    ]
)
TEXTS = st.lists(PIECES, max_size=60).map("".join) | st.text(max_size=80)


def cut(text):
    return [text[start:end] for start, end in sentences(text)]


@given(TEXTS)
def test_spans_are_ordered_disjoint_stripped_and_cover_all_but_white_space(text):
    position = 0
    for start, end in sentences(text):
        assert position <= start < end <= len(text)
        assert not text[position:start].strip()
        assert text[start:end] == text[start:end].strip()
        position = end
    assert not text[position:].strip()


@given(TEXTS, TEXTS)
def test_a_blank_line_parts_what_stands_before_from_what_stands_after(one, other):
    text = f"{one}\n\n{other}"
    assert not any(start < len(one) < end for start, end in sentences(text) if text[start:end].strip())
    assert cut(text) == cut(one) + cut(other)


@pytest.mark.parametrize(
    "text",
    [
        "Dr. Osei met Prof. Lind at 5 p.m. on Monday.",
        "Fees, e.g. for travel, rose by 3.5 percent vs. 2.75 percent before.",
        "See No. 12 and Fig. 3 for the J. K. Berg case.",
        "Northwind Inc. Holdings pays Acme Ltd. Group.",
        "Item 1A. Risk Factors",
        "1. Switch the pump off",
        "The U.S. Treasury agreed.",
        "He paused ... and went on.",
        "It was ready (c. 1600) for use.",
    ],
)
def test_a_stop_that_ends_no_sentence_does_not_cut(text):
    assert cut(text) == [text]


@pytest.mark.parametrize(
    "parts",
    [
        ["Leave is 28 days.", "It starts in January."],
        ['"Stop!"', "He left."],
        ["Is it so?", "(Nobody knows.)", "Perhaps."],
        ["We moved to the U.S.", "The rest stayed."],
        ["Bring pens, paper, etc.", "The rest is there."],
        ["So be it\u2026", "Then he left."],
        ["It costs $3.50.", "2,000 were sold."],
        ["\u300c\u4f11\u6687\u306f28\u65e5\u3002\u300d", "\u6b21\u306b\u3002"],
    ],
)
def test_a_sentence_ends_where_a_reader_sees_its_end(parts):
    assert cut(" ".join(parts)) == parts


def test_layout_parts_headings_items_and_rows():
    lines = ["# Leave", "- first item", "- second item", "2) third", "| a | b |", "| 1 | 2 |", "name\tdays"]
    assert cut("\n".join(lines)) == lines


def test_a_wrapped_paragraph_is_joined_and_short_lines_are_not():
    paragraph = (
        "The holiday allowance of every full-time employee is twenty-eight days, and\n"
        "Mondays in lieu of bank holidays count on top of it. Part-time employees get\n"
        "their share."
    )
    first, second = cut(paragraph)
    assert first.endswith("top of it.")
    assert second == "Part-time employees get\ntheir share."
    assert cut("Holiday allowance\nEvery employee of the company has twenty-eight days of paid leave.") == [
        "Holiday allowance",
        "Every employee of the company has twenty-eight days of paid leave.",
    ]


@pytest.mark.parametrize(
    "unit",
    [
        ".",
        "x",
        "word ",
        ". ",
        "! ",
        "e.g. ",
        ".'",
        "'",
        "| ",
        "\n",
        "\t",
        "a\n",
        "- a\n",
        "\u3002",
        "=",
        "( ",
    ],
)
def test_long_monotonous_text_is_cut_like_any_other(unit):
    text = unit * 100_000  # quadratic time would take minutes
    assert "".join("".join(cut(text)).split()) == "".join(text.split())


def test_agrees_with_sentences_that_people_marked(real_data: Path):
    """Almost every cut is one of theirs; theirs also cut inside tables that lost their layout."""
    both = ours_only = theirs_only = 0
    with (real_data / "clapnq" / "clapnq_dev_answerable.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            passage = json.loads(line)["passages"][0]
            text, position, theirs = passage["text"], 0, set()
            for sentence in passage["sentences"]:
                position = max(position, text.find(sentence, position) + len(sentence))
                theirs.add(position)
            ours = {end for _, end in sentences(text)}
            both += len(ours & theirs)
            ours_only += len(ours - theirs)
            theirs_only += len(theirs - ours)
    assert both / (both + ours_only) > 0.98
    assert both / (both + theirs_only) > 0.85
