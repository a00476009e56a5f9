"""Bytes -> documents: which reader reads what, and where every foreign error ends."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from connectors.documents import Document, Parsed, Unreadable
from connectors.errors import UnreadableDocument
from connectors.items import Raw
from connectors.lines import LINE, opened
from connectors.parsing import sniff
from connectors.parsing.archive import read_archive
from connectors.parsing.draft import Draft
from connectors.parsing.failures import HINTS, failure, unreadable
from connectors.parsing.hidden import Hidden
from connectors.parsing.mail import read_mail
from connectors.parsing.other import Ocr, read_other, read_plainly
from connectors.parsing.partitions import read_partitioned
from connectors.parsing.pdf import read_pdf
from connectors.parsing.plain import read_separated, read_text
from connectors.parsing.second import loaded
from connectors.parsing.sheets import read_sheets
from connectors.parsing.slides import read_slides
from connectors.parsing.web import read_html, read_markdown
from connectors.parsing.word import read_word

DEEPEST = 3
_OFFICE = "application/vnd.openxmlformats-officedocument."
_STRUCTURED: dict[str, tuple[Callable[[bytes], Draft], str]] = {
    "docx": (read_word, _OFFICE + "wordprocessingml.document"),
    "xlsx": (read_sheets, _OFFICE + "spreadsheetml.sheet"),
    "pptx": (read_slides, _OFFICE + "presentationml.presentation"),
}
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]|\u202e")

_Outcome = tuple[tuple[Document, ...], tuple[Unreadable, ...]]


def parse(raw: Raw, *, ocr: Ocr = "auto", hidden: Hidden = "drop") -> Parsed:
    """Return the documents in one item's bytes, the item itself first, then its members, and what failed.

    The same bytes give the same documents from run to run and from machine to machine, up to OCR: with
    ``auto``, pictures of text are read where tesseract's models are installed. ``hidden``: whether text
    that a person would not see is left out or stays and is flagged. Members lie at most
    three deep (a file in a zip in a mail is two). Never raises for what the bytes hold; an item that
    gives no text is reported in ``unreadable`` with one of the reasons of ``failures``. What the second
    parser is to read needs ``second.load`` in this process.
    """
    if raw.unstructured and not loaded():
        raise RuntimeError("unstructured is not loaded in this process")
    documents, failed = _parse(raw, ocr, hidden, 0)
    return Parsed(documents, failed)


def _parse(raw: Raw, ocr: Ocr, hidden: Hidden, depth: int) -> _Outcome:
    try:
        draft, members, refused = _read(raw, ocr)
        documents, failed = _kept(draft, raw, members, hidden), refused
    except UnreadableDocument as error:
        return (), (Unreadable(raw.item, error.reason, error.hint),)
    except MemoryError:
        return (), (unreadable(raw.item, "out_of_memory"),)
    except RecursionError:
        return (), (unreadable(raw.item, "too_large"),)
    except Exception as error:  # noqa: BLE001
        # The format libraries raise whatever their authors never met: recorded here, by its name.
        hint = f"{HINTS['damaged']} ({type(error).__name__})"
        return (), (Unreadable(raw.item, "damaged", hint),)
    for member in _named_apart(raw.item, members):
        if depth >= DEEPEST:
            failed = (*failed, unreadable(member.item, "too_large"))
            continue
        # The lines of a member are not those of the file that holds it.
        link = opened(raw.link, None)
        whole = replace(
            member, link=link, modified=raw.modified, author=raw.author, unstructured=raw.unstructured
        )
        inner = _parse(whole, ocr, hidden, depth + 1)
        documents, failed = documents + inner[0], failed + inner[1]
    return documents, failed


def _read(raw: Raw, ocr: Ocr) -> tuple[Draft | None, tuple[Raw, ...], tuple[Unreadable, ...]]:
    """Return what the item itself says (None for a bare container), its members, and those refused."""
    if not raw.data.strip():
        raise failure("empty", "no bytes")
    kind = sniff.format_of(raw)
    # A suffix that nobody knows may still be text (a log, a script): whoever reads text reads it.
    kind = "text" if kind == "unknown" and "text" in raw.unstructured else kind
    if kind == "locked":
        raise failure("locked", "an encrypted office file")
    if kind == "zip":
        members, refused = read_archive(raw.data, raw.item)
        return None, members, refused
    if kind in raw.unstructured:
        draft, members = read_partitioned(raw, kind, declared=_declared(raw))
        return draft, members, ()
    if kind == "mail":
        draft, members = read_mail(raw.data, raw.item)
        return draft, members, ()
    return _read_one(raw, kind, ocr), (), ()


def _read_one(raw: Raw, kind: str, ocr: Ocr) -> Draft:
    declared = _declared(raw)
    if kind in _STRUCTURED:
        return _structured(raw, kind)
    lines = raw.link is not None and LINE in raw.link
    if kind in ("markdown", "html"):
        page = partial(read_markdown, lines=lines) if kind == "markdown" else read_html
        return page(raw.data, declared=declared)
    if kind in ("csv", "tsv"):
        return read_separated(raw.data, tabs=kind == "tsv")
    if kind == "pdf":
        return read_pdf(raw.data, ocr=ocr)
    if kind in sniff.OTHERS:
        return read_other(raw.data, kind, ocr=ocr)
    # An unknown suffix may still be text (a log, a script); bytes that are not are refused there.
    return read_text(raw.data, declared=declared, lines=lines)


def _declared(raw: Raw) -> str:
    found = _CHARSET.search(raw.media_type or "")
    return found[1] if found else ""


def _structured(raw: Raw, kind: str) -> Draft:
    read, media_type = _STRUCTURED[kind]
    try:
        return read(raw.data)
    except (MemoryError, RecursionError):
        raise
    except Exception:  # noqa: BLE001
        # Files that a strict library refuses often open in the office: their bare text is worth having,
        # and the document's ``parser`` records which way it was read.
        return read_plainly(raw.data, media_type)


def _kept(draft: Draft | None, raw: Raw, members: Sequence[Raw], hidden: Hidden) -> tuple[Document, ...]:
    """Return the item's own document; a container needs none, anything else must have text."""
    document = draft.document(raw, hidden=hidden) if draft is not None else None
    if document is not None and document.text:
        return (document,)
    if draft is not None and not members:
        raise failure("empty", "no text")
    return ()


def _named_apart(item: str, members: Sequence[Raw]) -> list[Raw]:
    """Return the members with ids that are NFC, printable and each its own: a second `a.txt` is `a.txt~2`."""
    taken: set[str] = set()
    result = []
    for member in members:
        name = _UNSAFE.sub("_", unicodedata.normalize("NFC", member.item.removeprefix(f"{item}!/")))
        name = name.replace("\\", "/").strip("/") or "member"
        unique, count = name, 1
        while unique in taken:
            count += 1
            unique = f"{name}~{count}"
        taken.add(unique)
        result.append(replace(member, item=f"{item}!/{unique}"))
    return result
