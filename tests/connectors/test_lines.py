import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.items import Raw
from connectors.lines import kept, line_at, opened, within
from connectors.parsing.dispatch import parse
from connectors.parsing.pool import ParserPool

LINK = "https://code.example/blob/c/a#L{line}"

MARKDOWN = """---
title: W1
layout: page
---


{% comment %}
gone
{% endcomment %}
# W10 heading {#id}

W12 a paragraph that
W13 is *wrapped
W14 here*  with a break
W15 and `code`.


W18 another one.

- W20 a list
- W21 its items
  W22 wrapped

    W24 within

1. W26 numbered

> W28 quoted
> W29 lines

```python
W32 = code


W35 = more
```

| W38 | x |
|-----|---|
| W40 | y |
| W41 | z |

<div>
W44 raw
</div>

W47 Setext
==========

    W50 indented

W52\\
W53 hard
"""


def parsed(text, name, *, link=LINK):
    data = text.encode() if isinstance(text, str) else text
    (document,) = parse(Raw("a", data, name, link=link), ocr="off").documents
    return document


def words_and_lines(document):
    return {
        match[0]: line_at(document.lines, document.text, match.start())
        for match in re.finditer(r"W\d+", document.text)
    }


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_each_word_of_a_markdown_file_knows_its_line(ends):
    document = parsed(MARKDOWN.replace("\n", ends), "a.md")
    found = words_and_lines(document)
    assert len(found) == 23
    # What stands in raw HTML has the line of what stood before it, and those that follow.
    del found["W44"]
    assert found == {word: int(word[1:]) for word in found}


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_each_word_of_a_plain_text_knows_its_line(ends):
    text = "\n\nW3 one\n\n\n\nW7 two  \n\tW8\n   \n\u00a0\nW11 e\u0301\u200b\u0301 W11\n\n"
    document = parsed(text.replace("\n", ends), "a.py")
    found = words_and_lines(document)
    assert found == {word: int(word[1:]) for word in found}
    assert len(found) == 4


def test_what_breaks_no_line_of_the_file_counts_none():
    document = parsed("W1 a\x0cW1 b\u2028W1\rW1\nW2 c\n", "a.txt")
    assert {line_at(document.lines, document.text, m.start()) for m in re.finditer("W1", document.text)} == {
        1
    }
    assert words_and_lines(document)["W2"] == 2


@given(
    st.lists(
        st.sampled_from(["", "  ", "word", "\tindented ", "\u200b", "e\u0301", "\x0c", "a\rb"]), max_size=30
    )
)
def test_every_line_of_canonical_text_stands_where_it_is_told(lines):
    numbered = [
        f"W{number} {line}" if line.strip(" \u200b\t\x0c") else line for number, line in enumerate(lines, 1)
    ]
    if not any("W" in line for line in numbered):
        return
    document = parsed("\n".join(numbered), "a.txt")
    found = words_and_lines(document)
    assert found == {word: int(word[1:]) for word in found}


BLOCKS = st.lists(
    st.sampled_from(
        [
            "# heading",
            "text\nwrapped",
            "- item\n- item",
            "> quoted",
            "```\ncode\n\n\nmore\n```",
            "| a | b |\n|---|---|\n| c | d |",
            "",
            "<b>raw</b>",
            "<!-- x\ny -->",
            "1. one\n   more",
            "---",
            "    code",
            "![alt\ntext](x)",
            "a  \nb",
        ]
    ),
    max_size=12,
)


@given(BLOCKS, st.booleans())
def test_asking_for_lines_changes_nothing_else(blocks, front):
    text = ("---\ntitle: x\n---\n" if front else "") + "\n\n".join(blocks) + "\n\nend\n"
    with_lines, without = parsed(text, "a.md"), parsed(text, "a.md", link=None)
    assert with_lines.text == without.text
    assert with_lines.anchors == without.anchors
    assert with_lines.title == without.title
    assert without.lines == ()
    assert with_lines.lines == tuple(sorted(with_lines.lines))
    assert words_and_lines(with_lines) == {}
    last = line_at(with_lines.lines, with_lines.text, len(with_lines.text) - 1)
    assert last == text.count("\n")


def test_only_a_link_that_asks_has_lines():
    assert parsed("text\n", "a.txt", link="https://h/a").lines == ()
    assert parsed("text\n", "a.txt").lines == ((0, 1),)
    assert parsed("<p data-line='7'>text</p>", "a.html").lines == ()
    assert parsed("a,b\n1,2\n", "a.csv").lines == ()


def test_lines_come_through_the_workers_pipes():
    text = "one\n\n\n\nfive\n"
    with ParserPool(1, ocr="off") as pool:
        (document,) = pool.parse(Raw("a", text.encode(), "a.txt", link=LINK)).documents
    assert document.lines == ((0, 1), (5, 5))


def test_a_member_has_the_link_of_what_holds_it_without_a_line(tmp_path):
    import io
    import zipfile

    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("a.txt", "text")
    document = parsed(data.getvalue(), "a.zip")
    assert (document.link, document.lines) == ("https://code.example/blob/c/a", ())


def test_a_link_without_a_line_opens_the_file():
    assert opened("https://h/a#L{line}", 7) == "https://h/a#L7"
    assert opened("https://h/a#L{line}", None) == "https://h/a"
    assert opened("https://h/a?line={line}#x", None) == "https://h/a?line=1#x"
    assert opened("https://h/a#x", None) == "https://h/a#x"
    assert opened(None, 7) is None


@given(st.text(alphabet="a\n", max_size=40), st.data())
def test_a_span_tells_the_same_lines(text, data):
    noted = data.draw(st.lists(st.tuples(st.integers(0, len(text)), st.integers(1, 99)), max_size=6))
    lines = kept(noted, text)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    inner = within(lines, text, start, end)
    for position in range(start, end):
        assert line_at(inner, text[start:end], position, start=start) == line_at(lines, text, position)
