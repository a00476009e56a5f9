"""Word, Excel and PowerPoint files by their usual libraries, with every timestamp set by the original."""

import re
import zipfile
from datetime import date, datetime
from io import BytesIO
from typing import Any

from examples.northwind.writers.blocks import Block, Original

# The oldest time that a zip member can carry: the same for all, so that it says nothing.
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


def write_docx(original: Original) -> bytes:
    """Headings, paragraphs, lists and tables in Word's own styles."""
    import docx

    document = docx.Document()
    _set_properties(document.core_properties, original)
    for block in original.blocks:
        if block.kind == "heading":
            document.add_heading(block.text, block.level)
        elif block.kind == "table":
            table = document.add_table(0, len(block.rows[0]), style="Table Grid")
            for row in block.rows:
                for cell, text in zip(table.add_row().cells, row, strict=True):
                    cell.text = text
        elif block.kind in ("bullets", "numbers"):
            style = "List Bullet" if block.kind == "bullets" else "List Number"
            for line in block.lines:
                document.add_paragraph(re.sub(r"^\d+\. ", "", line), style)
        else:
            document.add_paragraph(block.text)
    return _saved(document, original)


def write_pptx(original: Original) -> bytes:
    """One slide a section: its text and lists in the body, then its table, then the speaker's notes."""
    from pptx import Presentation

    deck = Presentation()
    _set_properties(deck.core_properties, original)
    for number, (title, blocks) in enumerate(original.sections()):
        lines = [line for b in blocks if b.kind in ("paragraph", "bullets") for line in b.lines]
        # The usual template's layouts: 0 a title slide, 1 a title and a body, 5 a title alone.
        layout = (1 if lines else 5) if number else 0
        slide = deck.slides.add_slide(deck.slide_layouts[layout])
        slide.shapes.title.text = title
        if lines:
            slide.placeholders[1].text_frame.text = "\n".join(lines)
        for block in blocks:
            if block.kind == "table":
                _draw_table(slide, block, top=3.9 if lines else 1.9)
            elif block.kind == "note":
                slide.notes_slide.notes_text_frame.text = block.text
    return _saved(deck, original)


def _draw_table(slide: Any, block: Block, *, top: float) -> None:
    from pptx.util import Inches

    frame = slide.shapes.add_table(
        len(block.rows), len(block.rows[0]), Inches(0.6), Inches(top), Inches(8.8), Inches(2.4)
    )
    for i, row in enumerate(block.rows):
        for j, text in enumerate(row):
            frame.table.cell(i, j).text = text


def write_xlsx(original: Original) -> bytes:
    """One sheet a section; cells that look like numbers, shares or dates are stored as such."""
    import openpyxl
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    stamp = datetime.fromisoformat(original.date)
    book.properties.title, book.properties.creator = original.title, original.author
    book.properties.created = stamp
    for title, blocks in original.sections():
        sheet = book.create_sheet(title)
        rows = [row for block in blocks for row in block.rows]
        for number, row in enumerate(rows, 1):
            for column, text in enumerate(row, 1):
                value, style = _typed(text)
                cell = sheet.cell(number, column, value)
                cell.number_format = style
                if number == 1:
                    cell.font = Font(bold=True)
        sheet.freeze_panes = "A2"
        for column, cells in enumerate(zip(*rows, strict=True), 1):
            sheet.column_dimensions[get_column_letter(column)].width = max(map(len, cells)) + 3
    return _saved(book, original)


def _typed(text: str) -> tuple[str | int | float | date, str]:
    """A cell's value and number format: ``24.90`` keeps its two places, ``2.8%`` is stored as 0.028."""
    places = len(text.rstrip("%").partition(".")[2])
    digits = "0." + "0" * places if places else "0"
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return date.fromisoformat(text), "yyyy-mm-dd"
    if re.fullmatch(r"-?\d+(\.\d+)?%", text):
        return round(float(text[:-1]) / 100, places + 2), digits + "%"
    if re.fullmatch(r"-?\d+", text):
        return int(text), "General"
    if re.fullmatch(r"-?\d+\.\d+", text):
        return float(text), digits
    return text, "General"


def _set_properties(properties: Any, original: Original) -> None:
    stamp = datetime.fromisoformat(original.date)
    properties.title, properties.author = original.title, original.author
    properties.last_modified_by = original.author
    properties.created = properties.modified = stamp
    properties.revision = 1
    properties.comments = ""


def _saved(file: Any, original: Original) -> bytes:
    out = BytesIO()
    file.save(out)
    with zipfile.ZipFile(out) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    # openpyxl writes the time of saving, whatever the workbook says.
    stamp = rf"\g<1>{original.date}T00:00:00Z\g<2>".encode()
    modified = re.compile(rb"(<dcterms:modified[^>]*>)[^<]*(</dcterms:modified>)")
    return zip_bytes([(n, modified.sub(stamp, d) if n == "docProps/core.xml" else d) for n, d in members])


def zip_bytes(members: list[tuple[str, bytes]]) -> bytes:
    """A zip archive of the members in this order, with one fixed time and no extra fields.

    ``mimetype`` is stored, not deflated, as OpenDocument and EPUB demand.
    """
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name, ZIP_EPOCH)
            info.compress_type = zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
            info.create_system = 3
            info.external_attr = 0o644 << 16
            archive.writestr(info, data)
    return out.getvalue()
