"""Bytes -> draft by unstructured, format by format. Every call is local; languages are not guessed.

What decides trust stays ours: how bytes are decoded, what is hidden (marked before unstructured sees it),
and that attachments are documents of their own.
"""

import io
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectors.errors import UnreadableDocument
from connectors.items import Raw
from connectors.parsing.draft import Draft
from connectors.parsing.elements import write_elements
from connectors.parsing.failures import failure
from connectors.parsing.front_matter import TAGS, front_matter
from connectors.parsing.hidden import unmarked
from connectors.parsing.mail import read_mail
from connectors.parsing.plain import decode
from connectors.parsing.second import NAME
from connectors.parsing.veiled import veiled_page, veiled_word
from connectors.parsing.versions import named

if TYPE_CHECKING:
    from unstructured.documents.elements import Element

# Its guesses of languages come from a sampler, and decide nothing here: "" turns them off.
_NO_GUESS = [""]
_XML_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")
_ESCAPES = re.compile(r"\\[nrt]")
_ESCAPES_IN_BYTES = re.compile(rb"\\\x00?[nrt]")
_MARKDOWN = ["tables", "fenced_code"]
_LOCKED = ("password", "encrypt")
_CURE = "save it again, or let kreuzberg read files of its format (`parser` of the source)"


@dataclass(frozen=True, slots=True)
class _Task:
    """One file. ``text``: what its bytes decode to; only asked of formats that are text."""

    data: bytes
    kind: str
    declared: str

    @property
    def text(self) -> str:
        """The text without marks of hidden text, which only we may set."""
        says = self.kind in ("html", "xml")
        return unmarked(decode(self.data, declared=self.declared, says_itself=says))

    def draft(self) -> Draft:
        """Return an empty draft that names this parser."""
        return Draft(f"{named(NAME)} {self.kind}/1")


def read_partitioned(raw: Raw, kind: str, *, declared: str = "") -> tuple[Draft, tuple[Raw, ...]]:
    """Read a format of ``second.FORMATS``: its text as a draft, and its members (of mail only).

    ``second.load`` was called in this process.

    Raises:
        UnreadableDocument: ``locked``, ``damaged`` (also where only unstructured cannot read it), ``empty``.
    """
    task = _Task(raw.data, kind, declared)
    try:
        if kind == "mail":
            return read_mail(raw.data, raw.item, write=_write_body, parser=task.draft().parser)
        if kind == "msg":
            return _message(task, raw.item)
        return _READERS[kind](task), ()
    except (UnreadableDocument, MemoryError, RecursionError):
        raise
    except Exception as error:
        if any(word in str(error).lower() for word in _LOCKED):
            raise failure("locked", "the file needs a password") from error
        hint = f"unstructured cannot read this file ({type(error).__name__}): {_CURE}"
        raise UnreadableDocument("unstructured fails", reason="damaged", hint=hint) from error


def _text(task: _Task) -> Draft:
    draft = task.draft()
    write_elements(_of_text(task.text), draft)
    return draft


def _page(task: _Task) -> Draft:
    draft = task.draft()
    _write_page(task.text, draft)
    return draft


def _markdown(task: _Task) -> Draft:
    """Render and partition, as unstructured's own reader of Markdown does: hidden text is marked between."""
    import markdown

    draft = task.draft()
    text, title = task.text, ""
    if front := front_matter(text):
        title, text = front[0], TAGS.sub("", text[front[1] :])
    # Names of extensions, never their objects: nothing but these two is looked up.
    _write_page(markdown.markdown(text, extensions=_MARKDOWN), draft)
    draft.title = title
    return draft


def _xml(task: _Task) -> Draft:
    from unstructured.partition.xml import partition_xml

    draft = task.draft()
    # What it was encoded in no longer holds of text.
    text = _XML_DECLARATION.sub("", task.text)
    write_elements(partition_xml(text=text, languages=_NO_GUESS), draft)
    return draft


def _word(task: _Task) -> Draft:
    from unstructured.partition.docx import partition_docx

    draft = task.draft()
    data, draft.title = veiled_word(task.data)
    found = partition_docx(file=io.BytesIO(data), languages=_NO_GUESS)
    write_elements(found, draft)
    return draft


def _slides(task: _Task) -> Draft:
    import pptx
    from unstructured.partition.pptx import partition_pptx

    draft = task.draft()
    draft.title = pptx.Presentation(io.BytesIO(task.data)).core_properties.title or ""
    found = partition_pptx(file=io.BytesIO(task.data), include_slide_notes=True, languages=_NO_GUESS)
    write_elements(_bare(found), draft, parts="slide")
    return draft


def _sheets(task: _Task) -> Draft:
    import openpyxl
    from unstructured.partition.xlsx import partition_xlsx

    draft = task.draft()
    if task.kind == "xlsx":
        with closing(openpyxl.load_workbook(io.BytesIO(task.data), read_only=True)) as book:
            draft.title = book.properties.title or ""
    # Whole sheets: the tables that it would find in them have rows without the sheet's own numbers.
    found = partition_xlsx(file=io.BytesIO(task.data), find_subtable=False, languages=_NO_GUESS)
    if not _holds_escapes(task.data):
        for element in found:
            element.metadata.text_as_html = _ESCAPES.sub(" ", element.metadata.text_as_html or "")
    write_elements(_bare(found), draft, parts="sheet", grid=True)
    return draft


def _holds_escapes(data: bytes) -> bool:
    """Tell whether a workbook itself holds a backslash before n, r or t: pandas writes breaks in cells so."""
    parts = [data]
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as book:
            parts = [book.read(name) for name in book.namelist() if name.endswith(".xml")]
    return any(_ESCAPES_IN_BYTES.search(part) for part in parts)


def _separated(task: _Task) -> Draft:
    from unstructured.partition.csv import partition_csv
    from unstructured.partition.tsv import partition_tsv

    draft = task.draft()
    read = partition_tsv if task.kind == "tsv" else partition_csv
    data = io.BytesIO(task.text.encode(errors="replace"))
    write_elements(read(file=data, encoding="utf-8", languages=_NO_GUESS), draft, grid=True)
    return draft


def _message(task: _Task, item: str) -> tuple[Draft, tuple[Raw, ...]]:
    """Read a message of Outlook: its shown headers and its body; attachments are members."""
    from oxmsg import Message
    from unstructured.partition.msg import partition_msg

    message = Message.load(io.BytesIO(task.data))
    draft = task.draft()
    draft.title = unmarked(message.subject or "")
    to = ", ".join(one.email_address for one in message.recipients)
    sent = message.sent_date.isoformat(" ", "minutes") if message.sent_date else ""
    for name, shown in (("From", message.sender), ("To", to), ("Date", sent), ("Subject", message.subject)):
        if shown:
            draft.line(f"{name}: {unmarked(' '.join(shown.split()))}")
    draft.gap()
    found = partition_msg(file=io.BytesIO(task.data), process_attachments=False, languages=_NO_GUESS)
    write_elements(_bare(found), draft)
    draft.mark("message", draft.title or "(no subject)", 0)
    members = [
        Raw(f"{item}!/{name}", one.file_bytes, name, one.mime_type)
        for number, one in enumerate(message.attachments, start=1)
        for name in (one.file_name or f"attachment-{number}.bin",)
        if one.file_bytes
    ]
    return draft, tuple(members)


def _write_body(text: str, media_type: str, draft: Draft) -> None:
    """Write the body of a mail."""
    if media_type == "text/html":
        _write_page(unmarked(text), draft)
    else:
        write_elements(_of_text(unmarked(text)), draft)


def _of_text(text: str) -> "Sequence[Element]":
    from unstructured.partition.text import partition_text

    found: Sequence[Element] = partition_text(text=text, languages=_NO_GUESS)
    return found


def _write_page(page: str, draft: Draft) -> None:
    from unstructured.partition.html import partition_html

    veiled, draft.title = veiled_page(page)
    if veiled.strip():
        # The outermost items of a list of a page are one deep.
        write_elements(partition_html(text=veiled, languages=_NO_GUESS), draft, lists=1)


def _bare(elements: "Sequence[Element]") -> "Sequence[Element]":
    """Return elements without marks of hidden text, which the file itself cannot set."""
    for element in elements:
        element.text = unmarked(element.text)
        if element.metadata.text_as_html:
            element.metadata.text_as_html = unmarked(element.metadata.text_as_html)
    return elements


_READERS: Mapping[str, Callable[[_Task], Draft]] = {
    "text": _text,
    "markdown": _markdown,
    "html": _page,
    "xml": _xml,
    "docx": _word,
    "pptx": _slides,
    "xlsx": _sheets,
    "xls": _sheets,
    "csv": _separated,
    "tsv": _separated,
}
