import datetime as dt
import io
import os
import subprocess
import sys
from pathlib import Path

import docx
import openpyxl
import PIL.Image
import pptx
import pytest
from docx.oxml import OxmlElement
from hypothesis import given
from hypothesis import strategies as st
from pptx.util import Inches

from connectors.documents import Document, Parsed
from connectors.items import Raw
from connectors.parsing import parse
from connectors.parsing.failures import HINTS
from connectors.parsing.plain import decode
from connectors.parsing.sheets import shown


def read(data: bytes, name: str, **more: str) -> Document:
    parsed = parse(Raw(item=name, data=data, name=name, **more))
    assert not parsed.unreadable
    return parsed.documents[0]


def reason(data: bytes, name: str) -> str:
    parsed = parse(Raw(item=name, data=data, name=name))
    assert not parsed.documents
    (only,) = parsed.unreadable
    assert only.item == name
    assert only.hint
    return only.reason


def spans(document: Document, kind: str) -> dict[str, str]:
    return {a.label: document.text[a.start : a.end] for a in document.anchors if a.kind == kind}


def rows(document: Document) -> list[tuple[str, str]]:
    return [(a.label, document.text[a.start : a.end]) for a in document.anchors if a.kind == "row"]


# Text


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
def test_plain_text_is_read_in_its_own_encoding(encoding: str) -> None:
    text = "The café pays 28 € on the first day.\r\nEvery month, “as agreed”."
    assert read(text.encode(encoding), "a.txt").text == text.replace("\r\n", "\n")


def test_a_declared_encoding_goes_before_guessing() -> None:
    assert (
        read("Größe".encode("iso8859-15"), "a.txt", media_type="text/plain; charset=iso-8859-15").text
        == "Größe"
    )
    page = '<meta charset="shift_jis"><p>契約</p>'.encode("shift_jis")
    assert read(page, "a.html").text == "契約"


def test_a_file_cannot_choose_an_encoding_that_is_none() -> None:
    assert decode(b"a+AGI-", declared="utf-7") == "a+AGI-"
    assert decode(b"\\u0041", declared="unicode_escape") == "\\u0041"
    assert decode(b"abc", declared="hex") == "abc"
    assert decode(b"abc", declared="no-such-thing") == "abc"


@given(
    st.binary(max_size=300),
    st.sampled_from(["a.txt", "a.md", "a.html", "a.csv", "a.eml", "a", "a.json", "a.vtt"]),
)
def test_no_bytes_make_a_reader_raise(data: bytes, name: str) -> None:
    parsed = parse(Raw(item=name, data=data, name=name))
    for document in parsed.documents:
        assert all(0 <= a.start < a.end <= len(document.text) for a in document.anchors)
    assert all(one.reason in HINTS for one in parsed.unreadable)


@given(st.text(alphabet="ab <>/&;!-#*|`[]()\n\t:=\"'1. {}%", max_size=200))
def test_anchors_stay_inside_whatever_the_markup(text: str) -> None:
    for name in ("a.md", "a.html"):
        for document in parse(Raw(item=name, data=text.encode(), name=name)).documents:
            order = [(a.start, -a.end, a.kind) for a in document.anchors]
            assert order == sorted(order)
            assert all(0 <= a.start < a.end <= len(document.text) for a in document.anchors)


# Markdown and HTML

PAGE = """---
title: "Leave policy"
owner: people
---
# Leave

Everyone gets **28 days** of [paid leave](https://example.com/leave).

## Carrying over

- up to _five_ days
- until March
  1. by form
  2. by mail

| Grade | Days |
|-------|-----:|
| A     | 28   |
| B     | 30   |

```python
days = 28  # *not* emphasis
```

# Contact
Ask <b>people</b>@example.com
"""


def test_markdown_is_read_as_its_reader_sees_it() -> None:
    document = read(PAGE.encode(), "leave.md")
    assert document.title == "Leave policy"
    assert "Everyone gets 28 days of paid leave." in document.text
    assert "- up to five days\n- until March\n  1. by form\n  2. by mail" in document.text
    assert "days = 28  # *not* emphasis" in document.text
    assert "Ask people@example.com" in document.text
    assert "owner" not in document.text
    assert "https://" not in document.text
    assert rows(document) == [("1", "Grade | Days"), ("2", "A | 28"), ("3", "B | 30")]


def test_a_heading_spans_its_section_with_its_subsections() -> None:
    headings = spans(read(PAGE.encode(), "leave.md"), "heading")
    assert list(headings) == ["Leave", "Carrying over", "Contact"]
    assert headings["Leave"].startswith("Leave\n")
    assert headings["Leave"].endswith(headings["Carrying over"])
    assert headings["Contact"] == "Contact\n\nAsk people@example.com"


def test_tags_of_a_site_generator_are_dropped_only_where_there_is_one() -> None:
    body = 'See [travel]({% page "/travel" %}).\n{% comment %}\nsecret\n{% endcomment %}'
    assert read(f"---\ntitle: T\n---\n{body}".encode(), "a.md").text == "See travel."
    assert "{% comment %}" in read(f"# T\n\n{body}".encode(), "a.md").text


def test_html_gives_what_is_shown() -> None:
    page = b"""<!doctype html><html><head><title>Prices &amp; terms</title><style>p {}</style></head>
    <body><script>var x = "<p>no</p>";</script><h1>Prices</h1><p>Valid<br>from <i>May</i></p>
    <ul><li>net<li>gross</ul><template>never</template>
    <table><tr><th>Plan<th>Price</tr><tr><td>Small<td>10&nbsp;EUR</table><p>End"""
    document = read(page, "prices.html")
    assert document.title == "Prices & terms"
    assert document.text == (
        "Prices\n\nValid\nfrom May\n\n- net\n- gross\n\nPlan | Price\nSmall | 10 EUR\n\nEnd"
    )


def test_a_head_without_its_end_hides_nothing() -> None:
    assert read(b"<html><head><title>T</title><p>shown", "a.html").text == "shown"


def test_a_table_for_layout_only_is_read_as_text() -> None:
    document = read(b"<table><tr><td>Dear Ann,</td></tr><tr><td>see you.</td></tr></table>", "a.html")
    assert document.text == "Dear Ann,\nsee you."
    assert not rows(document)


def test_a_spanning_cell_keeps_the_columns() -> None:
    page = b"<table><tr><td>a<td>b<td>c<tr><td colspan=2>ab<td>c</table>"
    assert rows(read(page, "a.html"))[1] == ("2", "ab |  | c")


# Tables


def test_separated_values_are_rows() -> None:
    for text in ("Item,Price\nPen,2\n", "Item;Price\nPen;2\n", "Item\tPrice\nPen\t2\n"):
        assert rows(read(text.encode(), "prices.csv")) == [("1", "Item | Price"), ("2", "Pen | 2")]
    assert rows(read(b"Item\tPrice, net\n", "prices.tsv")) == [("1", "Item | Price, net")]


def test_a_caption_stays_apart_from_the_header() -> None:
    document = read(b"Price list\nItem,Price\nPen,2\n", "prices.csv")
    assert document.text == "Price list\n\nItem | Price\nPen | 2"


def test_a_sheet_shows_what_a_person_sees(samples) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Q1"
    sheet.append(["Item", "Count", "Price", "Share", "Day"])
    sheet.append(["Pen", 28.0, 1200.5, 0.125, dt.date(2026, 3, 1)])
    sheet.append([])
    sheet.append(["Cup", 3, -2, 1, dt.datetime(2026, 3, 1, 9, 30)])  # noqa: DTZ001
    for row in (2, 4):
        sheet.cell(row, 3).number_format = '"$"#,##0.00'
        sheet.cell(row, 4).number_format = "0.0%"
    other = book.create_sheet("Empty")
    book.create_sheet("Notes").append(["one line"])
    assert other.max_row == 1
    document = read(samples.saved(book), "prices.xlsx")
    assert rows(document) == [
        ("1", "Item | Count | Price | Share | Day"),
        ("2", "Pen | 28 | $1,200.50 | 12.5% | 2026-03-01"),
        ("4", "Cup | 3 | -$2.00 | 100.0% | 2026-03-01 09:30"),
        ("1", "one line"),
    ]
    assert list(spans(document, "sheet")) == ["Q1", "Notes"]
    assert spans(document, "sheet")["Notes"] == "one line"


@pytest.mark.parametrize(
    ("value", "number_format", "expected"),
    [
        (28.0, "General", "28"),
        (0.1 + 0.2, "General", "0.3"),
        (1e20, "General", "1e+20"),
        (1234567, "#,##0", "1,234,567"),
        (0.5, "0%", "50%"),
        (1234.5, "#,##0.00 [$€-407]", "1,234.50 €"),
        (-0.001, "0.00", "0.00"),
        (2.5, "0.##", "2.5"),
        (2, "0.##", "2"),
        (7, "000", "007"),
        (True, "General", "TRUE"),
        (dt.time(9, 5), "h:mm", "09:05"),
        (dt.timedelta(hours=30, minutes=5), "[h]:mm", "30:05"),
        (dt.datetime(2026, 3, 1, 9, 29, 59, 999_990), "General", "2026-03-01 09:30"),  # noqa: DTZ001
        ("as it is", "@", "as it is"),
    ],
)
def test_values_are_shown_without_locale(value: object, number_format: str, expected: str) -> None:
    assert shown(value, number_format) == expected


# Office files


def contract() -> docx.document.Document:
    document = docx.Document()
    document.add_heading("Terms", level=1)
    document.add_paragraph("The notice period is three months.")
    document.add_heading("Fees", level=2)
    document.add_paragraph("monthly", style="List Bullet")
    table = document.add_table(2, 2)
    for place, text in enumerate(("Service", "Fee", "Support", "100\nEUR")):
        table.cell(place // 2, place % 2).text = text
    document.add_paragraph("After the table.")
    document.add_heading("Law", level=1)
    return document


def test_a_word_file_keeps_order_headings_and_rows(samples) -> None:
    document = read(samples.saved(contract()), "contract.docx")
    assert document.title == "Terms"
    assert document.text == (
        "Terms\n\nThe notice period is three months.\n\nFees\n\n- monthly\n\nService | Fee\nSupport | 100 EUR"
        "\n\nAfter the table.\n\nLaw"
    )
    headings = spans(document, "heading")
    assert headings["Fees"].endswith("After the table.")
    assert headings["Terms"].endswith("After the table.")
    assert rows(document) == [("1", "Service | Fee"), ("2", "Support | 100 EUR")]


def test_deleted_words_are_gone_and_inserted_ones_are_there(samples) -> None:
    document = docx.Document()
    paragraph = document.add_paragraph("The fee is ")
    for tag, text in (("w:del", "90"), ("w:ins", "100")):
        change, run = OxmlElement(tag), OxmlElement("w:r")
        word = OxmlElement("w:delText" if tag == "w:del" else "w:t")
        word.text = text
        run.append(word)
        change.append(run)
        paragraph._p.append(change)
    assert read(samples.saved(document), "a.docx").text == "The fee is 100"


def test_a_deck_has_slides_titles_tables_and_notes(samples) -> None:
    deck = pptx.Presentation()
    first = deck.slides.add_slide(deck.slide_layouts[1])
    first.shapes.title.text = "Roadmap"
    first.placeholders[1].text = "Launch in May\nHire two"
    first.notes_slide.notes_text_frame.text = "Say it slowly."
    second = deck.slides.add_slide(deck.slide_layouts[6])
    table = second.shapes.add_table(2, 2, Inches(1), Inches(1), Inches(4), Inches(1)).table
    for place, text in enumerate(("Team", "Size", "Sales", "4")):
        table.cell(place // 2, place % 2).text = text
    group = second.shapes.add_group_shape()
    group.shapes.add_textbox(Inches(1), Inches(3), Inches(2), Inches(1)).text_frame.text = "in a group"
    document = read(samples.saved(deck), "deck.pptx")
    assert document.title == "Roadmap"
    slides = spans(document, "slide")
    assert slides["1"] == "Roadmap\n\nLaunch in May\nHire two\n\nNotes: Say it slowly."
    assert slides["2"] == "Team | Size\nSales | 4\n\nin a group"
    assert spans(document, "heading") == {"Roadmap": slides["1"]}


def test_a_pdf_has_pages_in_characters_not_bytes(samples) -> None:
    document = read(samples.pdf("Café “one”", "", "Page thrée", title="Handbook"), "a.pdf")
    assert document.title == "Handbook"
    assert spans(document, "page") == {"1": "Café “one”", "3": "Page thrée"}


def test_a_title_that_is_only_a_number_or_a_file_name_is_none(samples) -> None:
    for title in ("0000320193-22-000070", "report-v2.indd", "untitled"):
        assert read(samples.pdf("words", title=title), "Annual report.pdf").title == "Annual report"


def test_the_source_knows_the_title_and_the_date_better() -> None:
    document = read(
        b"# Own", "a.md", title="Given", modified="2026-01-01T00:00:00Z", link="https://x.example"
    )
    assert (document.title, document.modified, document.link) == (
        "Given",
        "2026-01-01T00:00:00Z",
        "https://x.example",
    )


# Mail and archives


def test_a_message_has_its_headers_body_and_attachments(samples) -> None:
    data = samples.mail(
        "Offer 17", "We accept.\n", notes_dot_txt=b"first", terms_dot_pdf=samples.pdf("Net 30 days")
    )
    parsed = parse(Raw(item="in/offer.eml", data=data, name="offer.eml"))
    message, notes, terms = parsed.documents
    assert message.text == (
        "From: Ann Lee <ann@example.com>\nTo: Bo Kim <bo@example.com>\n"
        "Date: Tue, 03 Mar 2026 09:30:00 +0200\nSubject: Offer 17\n\nWe accept."
    )
    assert (message.title, message.modified) == ("Offer 17", "2026-03-03T07:30:00Z")
    assert spans(message, "message") == {"Offer 17": message.text}
    assert (notes.item, notes.text) == ("in/offer.eml!/notes.txt", "first")
    assert (terms.item, terms.text) == ("in/offer.eml!/terms.pdf", "Net 30 days")


def test_an_html_mail_is_read_like_a_page() -> None:
    data = b"From: a@example.com\nSubject: Hi\nContent-Type: text/html\n\n<h1>News</h1><p>All <b>good</b>"
    assert read(data, "a.eml").text.endswith("Subject: Hi\n\nNews\n\nAll good")


def test_members_of_one_name_all_survive(samples) -> None:
    inner = samples.mail("Two", "Body", same_dot_txt=b"one")
    again = inner.replace(b"\n--", b"\n--", 1)
    boundary = inner.rsplit(b"--", 2)[1].strip()
    part = (
        b"--"
        + boundary
        + b'\nContent-Type: text/plain\nContent-Disposition: attachment; filename="same.txt"\n\ntwo\n--'
    )
    head, tail = again.rsplit(b"--" + boundary + b"--", 1)
    parsed = parse(Raw(item="m.eml", data=head + part + boundary + b"--" + tail, name="m.eml"))
    assert {d.item: d.text for d in parsed.documents[1:]} == {
        "m.eml!/same.txt": "one",
        "m.eml!/same.txt~2": "two",
    }


def test_an_archive_is_its_members_and_hidden_ones_are_out(samples) -> None:
    data = samples.zipped(
        {"b/two.md": b"# Two", "a.txt": b"one", "__MACOSX/a.txt": b"no", "b/.git/x.txt": b"no"}
    )
    parsed = parse(Raw(item="all.zip", data=data, name="all.zip", link="https://x.example"))
    assert [(d.item, d.link) for d in parsed.documents] == [
        ("all.zip!/a.txt", "https://x.example"),
        ("all.zip!/b/two.md", "https://x.example"),
    ]


def test_members_are_read_three_deep_and_then_refused(samples) -> None:
    data = b"deep"
    name = "a.txt"
    for level in range(4):
        data, name = samples.zipped({name: data}), f"z{level}.zip"
    parsed = parse(Raw(item=name, data=data, name=name))
    assert not parsed.documents
    assert [(one.item, one.reason) for one in parsed.unreadable] == [
        ("z3.zip!/z2.zip!/z1.zip!/z0.zip!/a.txt", "too_large")
    ]


def test_a_bomb_is_refused_and_its_neighbours_are_read(samples) -> None:
    data = samples.zipped({"bomb.txt": b"0" * 30_000_000, "note.txt": b"fine"})
    parsed = parse(Raw(item="x.zip", data=data, name="x.zip"))
    assert [d.item for d in parsed.documents] == ["x.zip!/note.txt"]
    assert [(one.item, one.reason) for one in parsed.unreadable] == [("x.zip!/bomb.txt", "too_large")]


# What cannot be read


def test_reasons_are_stable_words(samples) -> None:
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le")
    word = samples.saved(contract())
    assert reason(b"", "a.txt") == "empty"
    assert reason(b" \n\t\n", "a.md") == "empty"
    assert reason(samples.zipped({}), "a.zip") == "empty"
    assert reason(ole, "a.xlsx") == "locked"
    assert reason(samples.pdf(""), "scan.pdf") == "no_text_layer"
    assert reason(b"%PDF-1.7\nnothing", "a.pdf") == "damaged"
    assert reason(word[: len(word) // 2], "a.docx") == "damaged"
    assert reason(samples.zipped({"a.txt": b"abc" * 500})[:-30], "a.zip") == "damaged"
    assert reason(bytes(range(256)) * 8, "a.bin") == "unsupported"


def test_the_bytes_decide_not_the_name(samples) -> None:
    assert read(samples.pdf("true pdf"), "a.docx").text == "true pdf"
    assert read(samples.saved(contract()), "a.pdf").title == "Terms"
    assert read(samples.saved(contract()), "noname").title == "Terms"
    assert read(b"<html><body><p>saved page</body>", "a.xls").text == "saved page"
    assert read(b"plain words", "a.conf").text == "plain words"


def test_every_prefix_of_an_office_file_is_taken_calmly(samples) -> None:
    book = openpyxl.Workbook()
    book.active.append(["a"])
    for data, name in ((samples.saved(contract()), "a.docx"), (samples.saved(book), "a.xlsx")):
        for cut in range(0, len(data), len(data) // 8):
            parsed = parse(Raw(item=name, data=data[:cut], name=name))
            assert all(one.reason in HINTS for one in parsed.unreadable)


def test_other_formats_are_read_as_plain_text() -> None:
    assert "first | " not in read(b'{"city": "Bergen"}', "a.json").text
    assert "Bergen" in read(b'{"city": "Bergen"}', "a.json").text
    assert read(b"{\\rtf1\\ansi Hello from Bergen.\\par}", "a.rtf").text == "Hello from Bergen."
    assert "Bergen" in read(b"Title\n=====\n\nBergen is *wet*.\n", "a.rst").text


def test_reading_again_gives_the_same(samples) -> None:
    for data, name in (
        (samples.saved(contract()), "a.docx"),
        (samples.pdf("a", "b"), "b.pdf"),
        (PAGE.encode(), "c.md"),
    ):
        raw = Raw(item=name, data=data, name=name)
        assert parse(raw) == parse(raw)


def test_nothing_is_printed(samples, capfd) -> None:
    parse(Raw(item="a.pdf", data=samples.pdf(""), name="a.pdf"))
    parse(Raw(item="a.png", data=b"\x89PNG\r\n\x1a\n" + b"\0" * 50, name="a.png"))
    assert capfd.readouterr() == ("", "")


def test_real_office_files_are_read_or_refused_with_a_reason(real_data) -> None:
    root = real_data / "office_files"
    files = sorted(path for path in root.rglob("*") if path.is_file())
    results: dict[str, Parsed] = {}
    for path in files:
        name = path.relative_to(root).as_posix()
        results[name] = parse(Raw(item=name, data=path.read_bytes(), name=path.name), ocr="off")
    read_well = [name for name, parsed in results.items() if parsed.documents]
    for parsed in results.values():
        assert all(one.reason in HINTS for one in parsed.unreadable)
        for document in parsed.documents:
            assert all(0 <= a.start < a.end <= len(document.text) for a in document.anchors)
    for kind, least in {"docx": 53, "html": 51, "eml": 41, "xlsx": 17, "pptx": 17, "pdf": 76}.items():
        assert sum(name.endswith(f".{kind}") for name in read_well) >= least, kind


def test_reading_leaves_nothing_in_the_home_folder(tmp_path: Path, repository: Path) -> None:
    picture = io.BytesIO()
    PIL.Image.new("RGB", (200, 60), "white").save(picture, "PNG")
    (tmp_path / "a.png").write_bytes(picture.getvalue())
    (tmp_path / "a.rtf").write_bytes(b"{\\rtf1\\ansi Hello from Bergen.\\par}")
    home = tmp_path / "home"
    home.mkdir()
    code = (
        "import pathlib, sys; sys.path.insert(0, sys.argv[1]); from connectors.items import Raw;"
        " from connectors.parsing import parse;"
        " [parse(Raw(n, pathlib.Path(n).read_bytes(), n)) for n in ('a.rtf', 'a.png')]"
    )
    own = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home)}
    subprocess.run([sys.executable, "-c", code, str(repository)], cwd=tmp_path, env=own, check=True)
    assert not [path for path in home.rglob("*") if path.is_file()]
