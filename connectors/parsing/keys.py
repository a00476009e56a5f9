"""Names for all that parsing depends on: when one changes, what was parsed has to be parsed again."""

from importlib.metadata import version

from connectors.parsing.hidden import Hidden
from connectors.parsing.other import Ocr, ocr_models

# Raise when a change here may give another text or other anchors for the same bytes.
REVISION = 3
_LIBRARIES = ("kreuzberg", "markdown-it-py", "openpyxl", "pypdfium2", "python-docx", "python-pptx")


def parsing_key(ocr: Ocr, hidden: Hidden = "drop") -> str:
    """Name the libraries, our own revision and the settings that decide what a file's bytes give."""
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    return f"{REVISION}; {libraries}; ocr {ocr}; hidden {hidden}"


def retry_key(ocr: Ocr, hidden: Hidden = "drop") -> str:
    """Name what a second try at an unreadable file depends on: OCR may have been installed since."""
    return f"{parsing_key(ocr, hidden)}; OCR models in {ocr_models() or 'no folder'}"
