"""Why a file gives no text: the stable reasons, each with what a person can do."""

from connectors.documents import Unreadable
from connectors.errors import UnreadableDocument

HINTS = {
    "empty": "the file holds no text: leave it out with `exclude`, or fill it",
    "locked": "the file needs a password: save a copy without one",
    "damaged": "the file is broken or not what its name says: open it, save it again, and index it anew",
    "no_text_layer": "the file is a picture of text: install tesseract-ocr, and keep `parse.ocr: auto`",
    "unsupported": "this kind of file cannot be read: save it as pdf, docx, html or plain text",
    "too_large": "the file is over a limit: raise `max_bytes`, split it, or leave it out with `exclude`",
    "timeout": "reading took too long: raise `parse.timeout`, or leave the file out with `exclude`",
    "out_of_memory": "reading took too much memory: raise `parse.memory_mb`, or leave the file out",
    "crashed": "the parser itself broke down on this file: save it in another format, or leave it out",
}


def failure(reason: str, what: str) -> UnreadableDocument:
    """Return the error for one of the reasons above, ``what`` being the plain fact."""
    return UnreadableDocument(what, reason=reason, hint=HINTS[reason])


def unreadable(item: str, reason: str) -> Unreadable:
    """Return the record of an item that gave no text for one of the reasons above."""
    return Unreadable(item, reason, HINTS[reason])
