"""Which format a file truly has: its first bytes go before its name, its name before its media type."""

import io
import re
import zipfile

from connectors.items import Raw

_ZIP_PARTS = {
    "word/": "docx",
    "xl/": "xlsx",
    "ppt/": "pptx",
}
_SUFFIXES = {
    "txt": "text",
    "text": "text",
    "log": "text",
    "md": "markdown",
    "markdown": "markdown",
    "mdx": "markdown",
    "html": "html",
    "htm": "html",
    "xhtml": "html",
    "csv": "csv",
    "tsv": "tsv",
    "eml": "mail",
    "pdf": "pdf",
    "docx": "docx",
    "docm": "docx",
    "dotx": "docx",
    "xlsx": "xlsx",
    "xlsm": "xlsx",
    "xltx": "xlsx",
    "pptx": "pptx",
    "pptm": "pptx",
    "ppsx": "pptx",
    "potx": "pptx",
    "zip": "zip",
}
# Formats that another library reads as plain text: suffix -> media type, as it names them.
OTHERS = {
    "odt": "application/vnd.oasis.opendocument.text",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "odp": "application/vnd.oasis.opendocument.presentation",
    "doc": "application/msword",
    "xls": "application/vnd.ms-excel",
    "ppt": "application/vnd.ms-powerpoint",
    "msg": "application/vnd.ms-outlook",
    "rtf": "application/rtf",
    "epub": "application/epub+zip",
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "jsonl": "application/x-ndjson",
    "xml": "application/xml",
    "rst": "text/x-rst",
    "org": "text/x-org",
    "tex": "application/x-latex",
    "ipynb": "application/x-ipynb+json",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "bmp": "image/bmp",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "webp": "image/webp",
}
_MEDIA = {
    "text/plain": "text",
    "text/markdown": "markdown",
    "text/html": "html",
    "application/xhtml+xml": "html",
    "text/csv": "csv",
    "text/tab-separated-values": "tsv",
    "message/rfc822": "mail",
    "application/pdf": "pdf",
    "application/zip": "zip",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
} | {media: suffix for suffix, media in OTHERS.items()}
FORMATS = frozenset(_SUFFIXES.values()) - {"zip"} | frozenset(OTHERS)
"""Every format that a file can be read as, by its word."""
_MAGIC = (
    (b"{\\rtf", "rtf"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpg"),
    (b"GIF8", "gif"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PACKAGED = frozenset({"docx", "xlsx", "pptx", "zip", "odt", "ods", "odp", "epub"})
_HTML = re.compile(rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html[\s>])", re.IGNORECASE | re.DOTALL)


def suffix(name: str) -> str:
    """Return the lower-case suffix of a name without its dot; empty where there is none."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return last.rsplit(".", 1)[-1].lower() if "." in last.lstrip(".") else ""


def format_of(raw: Raw) -> str:
    """Return the format: a word of this module, or ``locked`` or ``unknown``."""
    named = _named(raw)
    head = raw.data[:2048]
    if b"%PDF-" in head[:1024] and named not in ("text", "markdown", "mail"):
        return "pdf"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _packaged(raw.data, named)
    if head.startswith(_OLE):
        return _compound(raw.data, named)
    for magic, found in _MAGIC:
        if head.startswith(magic):
            return found
    # A web page saved under the name of an office format opens in the office: people do keep those.
    if named in ("doc", "xls", "docx", "xlsx", "unknown") and _HTML.match(head):
        return "html"
    return named


def by_name(name: str) -> str:
    """Return the format that a name's suffix stands for, or ``unknown``."""
    end = suffix(name)
    return _SUFFIXES.get(end, end if end in OTHERS else "unknown")


def by_media_type(media_type: str) -> str:
    """Return the format that a media type stands for, whatever its parameters, or ``unknown``."""
    return _MEDIA.get(media_type.partition(";")[0].strip().lower(), "unknown")


def _named(raw: Raw) -> str:
    named = by_name(raw.name)
    return by_media_type(raw.media_type or "") if named == "unknown" else named


def _packaged(data: bytes, named: str) -> str:
    """Return the format of a zip file by the parts inside it."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            kind = archive.read("mimetype")[:100].decode("latin-1").strip() if "mimetype" in names else ""
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, ValueError, EOFError):
        return named if named in _PACKAGED else "zip"
    if kind in _MEDIA:
        return _MEDIA[kind]
    if "[Content_Types].xml" in names:
        for part, found in _ZIP_PARTS.items():
            if any(name.startswith(part) for name in names):
                return found
    return named if named in ("odt", "ods", "odp", "epub") else "zip"


def _compound(data: bytes, named: str) -> str:
    """Return the format of an OLE file; an encrypted OOXML file is one too, and says so inside."""
    if "EncryptedPackage".encode("utf-16-le") in data:
        return "locked"
    for stream, found in (("WordDocument", "doc"), ("Workbook", "xls"), ("PowerPoint Document", "ppt")):
        if stream.encode("utf-16-le") in data and named != "msg":
            return found
    if named in ("doc", "xls", "ppt", "msg"):
        return named
    return "msg" if "__properties_version1.0".encode("utf-16-le") in data else "unknown"
