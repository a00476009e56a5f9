"""Chunks: spans that lose nothing, keep structure, and fit the embedder."""

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from connectors.documents import Anchor, Document
from indexes.chunks import Chunk, chunk_document, embedded_text
from indexes.sentences import sentences

WORD = re.compile(r"\w+|[^\w\s]")


def word_offsets(text):
    return [match.span() for match in WORD.finditer(text)]


def count(text):
    return len(word_offsets(text))


def make(text, *anchors, title="Title"):
    ordered = tuple(sorted(anchors, key=lambda anchor: (anchor.start, -anchor.end, anchor.kind)))
    return Document("a.md", title, text, ordered, "test 1")


def chunk(document, *, tokens=40, overlap=8, mode="structure"):
    return chunk_document(document, mode=mode, tokens=tokens, overlap=overlap, token_offsets=word_offsets)


def texts_of(document, chunks):
    return [document.text[part.start : part.end] for part in chunks]


def table(rows, *, before="", after=""):
    """A document with a table of ``rows`` lines, row anchors on each."""
    lines = ["name | days", *(f"person {number} | {number} days" for number in range(1, rows))]
    anchors, position = [], len(before)
    for number, line in enumerate(lines, start=1):
        anchors.append(Anchor("row", str(number), position, position + len(line)))
        position += len(line) + 1
    return make(before + "\n".join(lines) + after, *anchors)


@st.composite
def documents(draw):
    pieces = st.sampled_from(
        ["word ", "The end. ", "\n", "\n\n", "x", "? ", "Dr. ", "\u00e9", "| a | b |\n", "\t"]
    )
    text = "".join(draw(st.lists(pieces, max_size=120)))
    place = st.integers(0, len(text))
    kinds = st.sampled_from(["page", "sheet", "slide", "heading", "message", "row"])
    anchors = draw(st.lists(st.tuples(kinds, place, place), max_size=12))
    return make(text, *(Anchor(kind, "L", min(a, b), max(a, b)) for kind, a, b in anchors))


SIZES = st.tuples(st.integers(1, 60), st.integers(0, 20))


@given(documents(), SIZES)
def test_every_character_but_white_space_is_in_a_chunk_and_no_chunk_has_white_space_around_it(
    document, sizes
):
    chunks = chunk(document, tokens=sizes[0], overlap=sizes[1])
    covered = set()
    for part in chunks:
        assert 0 <= part.start < part.end <= len(document.text)
        text = document.text[part.start : part.end]
        assert text == text.strip()
        covered.update(range(part.start, part.end))
    assert all(place in covered for place, letter in enumerate(document.text) if not letter.isspace())


@given(documents(), SIZES)
def test_chunks_go_forward_and_none_lies_in_another(document, sizes):
    chunks = chunk(document, tokens=sizes[0], overlap=sizes[1])
    for one, other in pairwise(chunks):
        assert one.start < other.start
        assert one.end < other.end


@given(documents(), SIZES)
def test_no_chunk_crosses_the_edge_of_a_sheet_slide_or_message(document, sizes):
    edges = {
        edge
        for anchor in document.anchors
        if anchor.kind in {"sheet", "slide", "message"} and anchor.start < anchor.end
        for edge in (anchor.start, anchor.end)
    }
    for part in chunk(document, tokens=sizes[0], overlap=sizes[1]):
        assert not any(part.start < edge < part.end for edge in edges)


@given(documents(), SIZES)
def test_a_chunk_holds_no_more_tokens_than_asked(document, sizes):
    for text in texts_of(document, chunk(document, tokens=sizes[0], overlap=sizes[1])):
        assert count(text) <= sizes[0]


@given(documents(), SIZES)
def test_what_two_neighbours_share_is_within_the_overlap(document, sizes):
    chunks = chunk(document, tokens=sizes[0], overlap=sizes[1])
    for one, other in pairwise(chunks):
        assert count(document.text[other.start : one.end]) <= sizes[1]


@given(documents())
def test_document_mode_gives_the_whole_text_as_one_chunk(document):
    chunks = chunk(document, mode="document")
    assert texts_of(document, chunks) == ([document.text.strip()] if document.text.strip() else [])


def test_a_sentence_that_fits_is_never_cut():
    text = " ".join(f"Sentence number {number} tells of leave and pay." for number in range(60))
    document = make(text)
    bounds = sentences(text)
    starts, ends = {start for start, _ in bounds}, {end for _, end in bounds}
    chunks = chunk(document, overlap=12)
    assert len(chunks) > 5
    assert all(part.start in starts and part.end in ends for part in chunks)
    assert all(other.start < one.end for one, other in pairwise(chunks))  # overlap


def test_a_sentence_longer_than_a_chunk_is_cut_between_words():
    text = " ".join(f"word{number}" for number in range(300)) + "."
    document = make(text)
    for part in chunk(document):
        assert part.start == 0 or text[part.start - 1] == " "
        assert part.end == len(text) or text[part.end] == " "


def test_text_without_white_space_is_cut_between_tokens():
    document = make("\u4e2d," * 100)
    chunks = chunk(document)
    assert all(count(text) <= 40 for text in texts_of(document, chunks))
    assert "".join(texts_of(document, chunks)) == document.text


def test_chunks_keep_to_sections_and_know_their_heading_path():
    body = " ".join(["Every employee has leave."] * 8)
    text = f"# Leave\n\n## Holidays\n\n{body}\n\n## Sickness\n\n{body}"
    sick = text.index("## Sickness")
    document = make(
        text,
        Anchor("heading", "Leave", 0, len(text)),
        Anchor("heading", "Holidays", text.index("## Holidays"), sick),
        Anchor("heading", "Sickness", sick, len(text)),
    )
    chunks = chunk(document)
    assert {part.headings for part in chunks} == {("Leave", "Holidays"), ("Leave", "Sickness")}
    assert chunks[0].start == 0  # a heading without text of its own joins what follows
    assert all((part.start >= sick) == (part.headings[-1] == "Sickness") for part in chunks)
    assert not any(part.start < sick < part.end for part in chunks)


def test_small_neighbouring_sections_share_a_chunk_under_their_common_path():
    text = "## One\nShort text.\n## Two\nShort text."
    two = text.index("## Two")
    document = make(
        text,
        Anchor("heading", "All", 0, len(text)),
        Anchor("heading", "One", 0, two),
        Anchor("heading", "Two", two, len(text)),
    )
    assert chunk(document) == (Chunk(0, len(text), ("All",)),)


def test_a_sentence_may_run_over_a_page():
    text = "The first page ends in the middle of\na sentence that goes on."
    edge = text.index("a sentence")
    document = make(text, Anchor("page", "1", 0, edge), Anchor("page", "2", edge, len(text)))
    assert chunk(document) == (Chunk(0, len(text)),)


def test_a_table_is_cut_between_rows_and_its_first_row_goes_with_each_later_chunk():
    document = table(30, before="Leave by person.\n\n", after="\n\nEnd of list.")
    chunks = chunk(document)
    rows = {(anchor.start, anchor.end) for anchor in document.anchors}
    assert len(chunks) > 3
    assert chunks[0].header == ""
    assert {part.header for part in chunks[1:]} == {"name | days"}
    for one, other in pairwise(chunks):
        assert one.end in {end for _, end in rows}
        assert other.start in {start for start, _ in rows}


def test_two_tables_do_not_lend_each_other_their_headers():
    one = table(12)
    shift = len(one.text) + 2
    moved = [Anchor("row", row.label, row.start + shift, row.end + shift) for row in one.anchors]
    second = one.text.replace("name | days", "kind | days")
    document = make(f"{one.text}\n\n{second}", *one.anchors, *moved)
    later = [part for part in chunk(document) if part.start > shift]
    assert later
    assert {part.header for part in later} == {"kind | days"}


def test_title_path_and_header_count_towards_the_size():
    text = " ".join(["Every employee has leave."] * 40)
    document = make(
        text,
        Anchor("heading", "A path of five words", 0, len(text)),
        title="Seven words make up this long title",
    )
    for part in chunk(document):
        assert count(embedded_text(document.title, part, text[part.start : part.end])) <= 40


def test_what_stands_around_the_text_never_takes_more_than_half():
    text = " ".join(["Every employee has leave."] * 40)
    document = make(text, title="word " * 500)
    longest = max(map(count, texts_of(document, chunk(document))))
    assert 15 <= longest <= 20


def test_empty_text_gives_no_chunk():
    assert chunk(make("")) == chunk(make(" \n ")) == ()
    assert chunk(make("\n"), mode="document") == ()
