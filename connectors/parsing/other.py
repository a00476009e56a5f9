"""What kreuzberg reads: every format without a reader of its own as plain text, and pictures by OCR."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from connectors.parsing.draft import Draft
from connectors.parsing.failures import failure
from connectors.parsing.plain import decode
from connectors.parsing.sniff import OTHERS
from connectors.parsing.versions import named

if TYPE_CHECKING:
    from kreuzberg import ExtractionConfig, ExtractionResult

Ocr = Literal["auto", "off"]

# Where kreuzberg itself looks; without these files it prints complaints, so it is not asked.
_MODELS = (
    "/usr/share/tesseract-ocr/5/tessdata",
    "/usr/share/tesseract-ocr/4/tessdata",
    "/usr/share/tessdata",
    "/usr/local/share/tessdata",
    "/opt/homebrew/share/tessdata",
)
_LOCKED = ("password", "encrypt")


def read_scan(pages: Iterable[bytes], *, ocr: Ocr = "auto") -> Draft:
    """Read a pdf without a text layer by OCR; ``pages`` are pdf files of one page each.

    Raises:
        UnreadableDocument: ``no_text_layer`` where OCR is off, not installed, or finds nothing.
    """
    if ocr == "off" or ocr_models() is None:
        raise failure("no_text_layer", "the pdf has no text layer, and no OCR")
    draft, written = Draft(_parser("pdf/2", recognised=True)), False
    for number, page in enumerate(pages, start=1):
        text = _extract(page, "application/pdf", ocr="auto").content.strip()
        start = draft.position
        draft.line(text)
        draft.mark("page", str(number), start)
        draft.gap()
        written = written or bool(text)
    if not written:
        raise failure("no_text_layer", "OCR finds no text in the pdf")
    return draft


def read_other(data: bytes, kind: str, *, ocr: Ocr = "auto") -> Draft:
    """Read a format of ``sniff.OTHERS`` as plain text; pictures by OCR where its models are installed."""
    picture = OTHERS[kind].startswith("image/")
    if picture and (ocr == "off" or ocr_models() is None):
        raise failure("no_text_layer", "a picture, and no OCR")
    result = _extract(data, OTHERS[kind], ocr="auto" if picture else "off")
    draft = Draft(_parser(f"{kind}/1", recognised=picture))
    text = result.content
    if not text.strip() and kind in ("tex", "rst", "org", "json", "ndjson", "xml"):
        text = decode(data, says_itself=kind == "xml")
    draft.write(text)
    draft.title = str(result.metadata.get("title") or "")
    return draft


def read_plainly(data: bytes, media_type: str) -> Draft:
    """Read an office file as plain text, for those whose structure its own reader cannot follow."""
    draft = Draft(_parser("plain/1", recognised=False))
    draft.write(_extract(data, media_type, ocr="off").content)
    return draft


def _extract(data: bytes, media_type: str, *, ocr: Ocr) -> "ExtractionResult":
    from kreuzberg import extract_bytes_sync
    from kreuzberg.exceptions import KreuzbergError

    try:
        return extract_bytes_sync(data, media_type, _config(ocr))
    except (KreuzbergError, RuntimeError, ValueError, OSError) as error:
        said = str(error).lower()
        if any(word in said for word in _LOCKED):
            raise failure("locked", "the file needs a password") from error
        if "tesseract" in said or "ocr" in type(error).__name__.lower():
            raise failure("no_text_layer", "OCR failed") from error
        raise failure("damaged", f"{type(error).__name__} while reading") from error


@cache
def _config(ocr: Ocr) -> "ExtractionConfig":
    from kreuzberg import ConcurrencyConfig, ExtractionConfig, OcrConfig, TesseractConfig

    tesseract = OcrConfig(
        backend="tesseract", language="eng", tesseract_config=TesseractConfig(use_cache=False)
    )
    # No cache of either kind: they live in a folder of the user, where they would outlast a deletion.
    return ExtractionConfig(
        use_cache=False,
        enable_quality_processing=False,
        ocr=tesseract if ocr == "auto" else None,
        concurrency=ConcurrencyConfig(max_threads=1),
    )


def ocr_models() -> Path | None:
    """Return the folder of tesseract's English model, where there is one."""
    return next((Path(folder) for folder in _MODELS if (Path(folder) / "eng.traineddata").is_file()), None)


def _parser(own: str, *, recognised: bool) -> str:
    return f"{named('kreuzberg')} {own}" + (" ocr" if recognised else "")
