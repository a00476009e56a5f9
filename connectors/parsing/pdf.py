"""PDF files: the text layer page by page, by pdfium.

Not by kreuzberg: the page boundaries that it gives drift after an empty page and after white space at a
page's end, it leaves out some columns, and it repeats table text behind the last page.
"""

import re
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from typing import TYPE_CHECKING

from connectors.errors import UnreadableDocument
from connectors.parsing.draft import Draft
from connectors.parsing.failures import failure
from connectors.parsing.other import Ocr, read_scan
from connectors.parsing.pdf_sight import page_text
from connectors.parsing.versions import named

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

# pdfium's sign for a hyphen that ends a line; the break may be there or not.
_BROKEN_WORD = re.compile("[\ufffe\x02](?:\r?\n)?")


def read_pdf(data: bytes, *, ocr: Ocr = "auto") -> Draft:
    """Read a pdf with one ``page`` anchor for each page that has text; a word cut at a line's end stays cut.

    Text that a person would not see is marked as hidden (see ``pdf_sight``).

    Raises:
        UnreadableDocument: ``locked``, ``no_text_layer`` or ``damaged``.
    """
    import pypdfium2

    try:
        with closing(pypdfium2.PdfDocument(data)) as document:
            draft, written = _read(document)
            return draft if written else read_scan(_single_pages(document), ocr=ocr)
    except pypdfium2.PdfiumError as error:
        raise _refused(error) from error


def _read(document: "PdfDocument") -> tuple[Draft, bool]:
    draft = Draft(named("pypdfium2") + " pdf/2")
    draft.title = document.get_metadata_dict().get("Title") or ""
    written = False
    for number in range(len(document)):
        with closing(document[number]) as page, closing(page.get_textpage()) as layer:
            text = _BROKEN_WORD.sub("-\n", page_text(page, layer))
        start = draft.position
        draft.line(text)
        draft.mark("page", str(number + 1), start)
        draft.gap()
        written = written or bool(text.strip())
    return draft, written


def _single_pages(document: "PdfDocument") -> Iterator[bytes]:
    """Give each page as a pdf of its own: so OCR tells what stands on which page."""
    import pypdfium2

    for number in range(len(document)):
        with closing(pypdfium2.PdfDocument.new()) as single:
            single.import_pages(document, [number])
            buffer = BytesIO()
            single.save(buffer)
        yield buffer.getvalue()


def _refused(error: Exception) -> UnreadableDocument:
    said = str(error).lower()
    if "password" in said or "security" in said:
        return failure("locked", "the pdf needs a password")
    return failure("damaged", "not a whole pdf")
