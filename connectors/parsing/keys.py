"""Names for all that parsing depends on: when one changes, what was parsed has to be parsed again."""

from importlib.metadata import version
from typing import Literal

from connectors.parsing.other import ocr_models

# Raise when a change here may give another text or other anchors for the same bytes.
REVISION = 2
_LIBRARIES = ("kreuzberg", "markdown-it-py", "openpyxl", "pypdfium2", "python-docx", "python-pptx")


def parsing_key(ocr: Literal["auto", "off"]) -> str:
    """Name the libraries, our own revision and the setting that decide what a file's bytes give."""
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    return f"{REVISION}; {libraries}; ocr {ocr}"


def retry_key(ocr: Literal["auto", "off"]) -> str:
    """Name what a second try at an unreadable file depends on: OCR may have been installed since."""
    return f"{parsing_key(ocr)}; OCR models in {ocr_models() or 'no folder'}"
