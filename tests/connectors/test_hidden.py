"""What a person who opens a file would not see is found when it is read, and left out or kept and flagged."""

import io
from collections.abc import Callable

import docx
import pytest
from docx.shared import Pt, RGBColor
from hypothesis import given
from hypothesis import strategies as st

from connectors.documents import Document
from connectors.items import Raw
from connectors.parsing import parse
from connectors.parsing.draft import Draft
from connectors.parsing.hidden import Hidden, hide, regions, unmarked, visible, wholly
from connectors.parsing.pool import ParserPool

FRAME = (
    "<html><head><style>{css}</style></head><body><p>Seen before.</p>{body}<p>Seen after.</p></body></html>"
)


def read(data: bytes, name: str, hidden: Hidden = "drop") -> Document:
    (document,) = parse(Raw(name, data, name), hidden=hidden).documents
    return document


def page(body: str, css: str = "", hidden: Hidden = "drop") -> Document:
    return read(FRAME.format(css=css, body=body).encode(), "page.html", hidden)


def unseen(document: Document) -> list[str]:
    return [document.text[start:end] for start, end in document.hidden]


UNSEEN = [
    ('<p style="display:none">SECRET words</p>', ""),
    ('<p style="display: none !important">SECRET words</p>', ""),
    ('<p class="x">SECRET words</p>', ".x { display: none }"),
    ('<p id="x">SECRET words</p>', "p.y, #x { visibility: hidden }"),
    ("<p hidden>SECRET words</p>", ""),
    ('<p style="visibility:hidden">SECRET words</p>', ""),
    ('<p style="font-size:0">SECRET words</p>', ""),
    ('<p style="font-size:1px">SECRET words</p>', ""),
    ('<p style="opacity:0">SECRET words</p>', ""),
    ('<p style="color:white">SECRET words</p>', ""),
    ('<p style="color:#fefefe">SECRET words</p>', ""),
    ('<p style="color:rgba(0,0,0,0)">SECRET words</p>', ""),
    ('<p style="color:transparent">SECRET words</p>', ""),
    ('<div style="background:#000"><p style="color:black">SECRET words</p></div>', ""),
    ('<p style="position:absolute; left:-9999px">SECRET words</p>', ""),
    ('<p style="text-indent:-9999px">SECRET words</p>', ""),
    ('<div style="height:0; overflow:hidden"><p>SECRET words</p></div>', ""),
    ('<p style="position:absolute; clip: rect(0,0,0,0)">SECRET words</p>', ""),
    ("<!-- SECRET words for whoever reads this page -->", ""),
    ('<h2 style="display:none">SECRET words</h2>', ""),
    ("<ul><li hidden>SECRET words</li></ul>", ""),
    ('<div style="display:none"><table><tr><td>SECRET<td>words</table></div>', ""),
]
SEEN = [
    ('<div style="background:#036"><p style="color:white">KEPT words</p></div>', ""),
    ('<div style="background:url(x.png)"><p style="color:white">KEPT words</p></div>', ""),
    ('<div style="visibility:hidden"><p style="visibility:visible">KEPT words</p></div>', ""),
    ('<p class="x">KEPT words</p>', "@media print { .x { display: none } }"),
    ('<p class="x">KEPT words</p>', "nav .x { display: none }"),
    ('<p hidden="until-found">KEPT words</p>', ""),
    ("<details><summary>More</summary><p>KEPT words</p></details>", ""),
    ('<p style="display:none">gone<p>KEPT words', ""),
    ("<ul><li hidden>gone<li>KEPT words</ul>", ""),
    ("<table><tr hidden><td>gone<tr><td>KEPT words</table>", ""),
    ('<p style="font-size:0.9em">KEPT words</p>', ""),
    ("<p>KEPT words \ufdd0 stay \ufdd1</p>", ""),
]


@pytest.mark.parametrize(("body", "css"), UNSEEN)
def test_what_a_page_does_not_show_is_left_out_or_flagged(body: str, css: str) -> None:
    left = page(body, css)
    assert "SECRET" not in left.text
    assert "words" not in left.text
    assert left.dropped == 1 or "<td>" in body
    assert left.hidden == ()
    kept = page(body, css, "flag")
    assert kept.dropped == 0
    assert "SECRET" in "".join(unseen(kept))
    assert not any("Seen" in one for one in unseen(kept))
    for document in (left, kept):
        assert document.text.startswith("Seen before.")
        assert document.text.endswith("Seen after.")


@pytest.mark.parametrize(("body", "css"), SEEN)
def test_what_a_page_shows_stays(body: str, css: str) -> None:
    assert "KEPT words" in page(body, css).text
    assert not any("KEPT" in one for one in unseen(page(body, css, "flag")))


def test_a_style_sheet_from_elsewhere_may_give_the_ground_of_white_text() -> None:
    sheet = '<html><head><link rel="stylesheet" href="x.css"></head><body><p style="color:white">Banner</p>'
    assert read(sheet.encode(), "page.html").text == "Banner"


def test_hidden_words_are_in_no_heading_and_no_title() -> None:
    body = '<h1>Leave <span style="display:none">SECRET</span></h1><p>Text.</p>'
    for hidden in ("drop", "flag"):
        document = page(body, hidden=hidden)
        assert [one.label for one in document.anchors if one.kind == "heading"] == ["Leave"]
        assert "SECRET" not in document.title


def word(write: Callable[[docx.document.Document], None]) -> bytes:
    document = docx.Document()
    document.add_paragraph("Seen before.")
    write(document)
    document.add_paragraph("Seen after.")
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def vanished(document: docx.document.Document) -> None:
    document.add_paragraph().add_run("SECRET words").font.hidden = True


def white(document: docx.document.Document) -> None:
    document.add_paragraph().add_run("SECRET words").font.color.rgb = RGBColor(255, 255, 255)


def tiny(document: docx.document.Document) -> None:
    document.add_paragraph().add_run("SECRET words").font.size = Pt(1)


def styled(document: docx.document.Document) -> None:
    style = document.styles.add_style("Unseen", 1)
    style.font.hidden = True
    child = document.styles.add_style("Child", 1)
    child.base_style = style
    document.add_paragraph("SECRET words", style="Child")


def commented(document: docx.document.Document) -> None:
    run = document.add_paragraph("Seen in between.").runs[0]
    document.add_comment(runs=run, text="SECRET words", author="Mia")


def in_a_bullet(document: docx.document.Document) -> None:
    document.add_paragraph(style="List Bullet").add_run("SECRET words").font.hidden = True


@pytest.mark.parametrize("write", [vanished, white, tiny, styled, commented, in_a_bullet])
def test_what_a_word_file_does_not_show_is_left_out_or_flagged(
    write: Callable[[docx.document.Document], None],
) -> None:
    data = word(write)
    left, kept = read(data, "a.docx"), read(data, "a.docx", "flag")
    assert "SECRET" not in left.text
    assert left.dropped == 1
    assert ["SECRET words" in one for one in unseen(kept)] == [True]
    assert not any("Seen" in one for one in unseen(kept))


def test_white_letters_on_a_ground_are_seen() -> None:
    def banner(document: docx.document.Document) -> None:
        cell = document.add_table(1, 1).cell(0, 0)
        cell.paragraphs[0].add_run("KEPT words").font.color.rgb = RGBColor(255, 255, 255)

    assert "KEPT words" in read(word(banner), "a.docx").text


SHOWN = b"BT /F1 12 Tf 72 700 Td (Seen text) Tj ET\n"
PDF_UNSEEN = {
    "white": b"BT 1 1 1 rg /F1 12 Tf 72 600 Td (SECRET words) Tj ET",
    "nearly white": b"BT .99 .99 .98 rg /F1 12 Tf 72 600 Td (SECRET words) Tj ET",
    "tiny": b"BT /F1 1 Tf 72 600 Td (SECRET words) Tj ET",
    "made tiny": b"q .05 0 0 .05 0 0 cm BT /F1 12 Tf 1440 12000 Td (SECRET words) Tj ET Q",
    "beside the page": b"BT /F1 12 Tf 900 600 Td (SECRET words) Tj ET",
    "below the page": b"BT /F1 12 Tf 72 -200 Td (SECRET words) Tj ET",
    "not drawn": b"BT 3 Tr /F1 12 Tf 72 600 Td (SECRET words) Tj ET",
}
PDF_SEEN = {
    "white on a dark ground": b"0 0 .4 rg 60 590 300 30 re f 1 g BT /F1 12 Tf 72 600 Td (KEPT words) Tj ET",
    "grey": b"BT .5 g /F1 12 Tf 72 600 Td (KEPT words) Tj ET",
    "small print": b"BT /F1 5 Tf 72 600 Td (KEPT words) Tj ET",
    "across the edge": b"BT /F1 12 Tf 560 600 Td (KEPT words) Tj ET",
}


@pytest.mark.parametrize("drawn", PDF_UNSEEN.values(), ids=PDF_UNSEEN)
def test_what_a_pdf_does_not_show_is_left_out_or_flagged(samples: type, drawn: bytes) -> None:
    data = samples.drawn(SHOWN + drawn)
    left, kept = read(data, "a.pdf"), read(data, "a.pdf", "flag")
    assert left.text == "Seen text"
    assert left.dropped == 1
    assert unseen(kept) == ["SECRET words"]
    assert [one.label for one in kept.anchors] == ["1"]


@pytest.mark.parametrize("drawn", PDF_SEEN.values(), ids=PDF_SEEN)
def test_what_a_pdf_shows_stays(samples: type, drawn: bytes) -> None:
    document = read(samples.drawn(SHOWN + drawn), "a.pdf")
    assert "KEPT" in document.text
    assert document.dropped == 0


def test_the_text_under_a_scan_is_read(samples: type) -> None:
    scan = b"0 g 72 600 m 160 612 l 72 612 m 160 600 l S BT 3 Tr /F1 12 Tf 72 600 Td (KEPT words) Tj ET"
    assert "KEPT words" in read(samples.drawn(scan), "scan.pdf").text


def test_a_worker_reads_as_this_process_does() -> None:
    raw = Raw("a.html", FRAME.format(css="", body="<p hidden>SECRET words</p>").encode(), "a.html")
    for hidden in ("drop", "flag"):
        with ParserPool(workers=1, hidden=hidden) as pool:
            assert pool.parse(raw) == parse(raw, hidden=hidden)


WORDS = st.text("ab \n", max_size=8)


@given(st.lists(st.tuples(st.booleans(), WORDS), max_size=8))
def test_only_what_is_marked_is_hidden(parts: list[tuple[bool, str]]) -> None:
    written = "".join(hide(text) if hidden else text for hidden, text in parts)
    assert unmarked(written) == "".join(text for _, text in parts)
    assert visible(written) == "".join(text for hidden, text in parts if not hidden)
    assert "".join(unmarked(written[start:end]) for start, end in regions(written)) == "".join(
        text for hidden, text in parts if hidden
    )
    assert wholly(written) == (
        any(hidden and text for hidden, text in parts)
        and not any(text.strip() for hidden, text in parts if not hidden)
    )
    draft = Draft("test/1")
    draft.write(written)
    raw = Raw("a", b"", "a")
    kept, left = draft.document(raw, hidden="flag"), draft.document(raw, hidden="drop")
    assert kept.text.replace(" ", "").replace("\n", "") == unmarked(written).replace(" ", "").replace(
        "\n", ""
    )
    assert left.text.replace(" ", "").replace("\n", "") == visible(written).replace(" ", "").replace("\n", "")
    assert all(0 <= start < end <= len(kept.text) for start, end in kept.hidden)
    assert "\ufdd0" not in kept.text + left.text
