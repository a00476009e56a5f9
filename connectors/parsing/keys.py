"""Names for all that parsing depends on: when one changes, what was parsed has to be parsed again."""

from collections.abc import Collection
from importlib.metadata import version

from connectors.parsing.hidden import Hidden
from connectors.parsing.other import Ocr, ocr_models
from connectors.parsing.second import second_key

# Raise when a change here may give another text or other anchors for the same bytes.
REVISION = 3
_LIBRARIES = ("kreuzberg", "markdown-it-py", "openpyxl", "pypdfium2", "python-docx", "python-pptx")


def parsing_key(ocr: Ocr, hidden: Hidden = "drop", unstructured: Collection[str] = ()) -> str:
    """Name the libraries, our own revision and the settings that decide what a file's bytes give.

    ``unstructured``: the formats that the second parser reads; none says nothing of it.
    """
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    return f"{REVISION}; {libraries}; ocr {ocr}; hidden {hidden}{second_key(unstructured)}"


def retry_key(ocr: Ocr, hidden: Hidden = "drop", unstructured: Collection[str] = ()) -> str:
    """Name what a second try at an unreadable file depends on: OCR may have been installed since."""
    return f"{parsing_key(ocr, hidden, unstructured)}; OCR models in {ocr_models() or 'no folder'}"
