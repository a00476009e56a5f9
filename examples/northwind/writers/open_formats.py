"""OpenDocument text, EPUB and RTF, written by hand: they need no library."""

import re
from xml.sax.saxutils import escape

from examples.northwind.writers.blocks import Block, Original
from examples.northwind.writers.office import zip_bytes

XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
ODF = "urn:oasis:names:tc:opendocument:xmlns:"


def write_odt(original: Original) -> bytes:
    """An OpenDocument text (1.2) with headings, paragraphs, lists and tables."""
    body = "\n".join(_odt_block(block) for block in original.blocks)
    spaces = f'xmlns:office="{ODF}office:1.0" xmlns:text="{ODF}text:1.0" xmlns:table="{ODF}table:1.0"'
    content = (
        f'{XML}<office:document-content {spaces} office:version="1.2"><office:body><office:text>\n'
        f"{body}\n</office:text></office:body></office:document-content>\n"
    )
    meta = (
        f'{XML}<office:document-meta {spaces} xmlns:meta="{ODF}meta:1.0"'
        f' xmlns:dc="http://purl.org/dc/elements/1.1/" office:version="1.2"><office:meta>'
        f"<dc:title>{escape(original.title)}</dc:title><dc:creator>{escape(original.author)}</dc:creator>"
        f"<dc:date>{original.date}T00:00:00</dc:date></office:meta></office:document-meta>\n"
    )
    kind = "application/vnd.oasis.opendocument.text"
    entries = "".join(
        f'<manifest:file-entry manifest:full-path="{path}" manifest:media-type="{media}"/>'
        for path, media in (("/", kind), ("content.xml", "text/xml"), ("meta.xml", "text/xml"))
    )
    manifest = (
        f'{XML}<manifest:manifest xmlns:manifest="{ODF}manifest:1.0" manifest:version="1.2">'
        f"{entries}</manifest:manifest>\n"
    )
    return zip_bytes(
        [
            ("mimetype", kind.encode()),
            ("content.xml", content.encode()),
            ("meta.xml", meta.encode()),
            ("META-INF/manifest.xml", manifest.encode()),
        ]
    )


def _odt_block(block: Block) -> str:
    if block.kind == "heading":
        return f'<text:h text:outline-level="{block.level}">{escape(block.text)}</text:h>'
    if block.kind == "table":
        rows = "".join(
            "<table:table-row>"
            + "".join(f"<table:table-cell><text:p>{escape(c)}</text:p></table:table-cell>" for c in row)
            + "</table:table-row>"
            for row in block.rows
        )
        return f"<table:table>{rows}</table:table>"
    if block.kind in ("bullets", "numbers"):
        entries = "".join(
            f"<text:list-item><text:p>{escape(line)}</text:p></text:list-item>" for line in block.lines
        )
        return f"<text:list>{entries}</text:list>"
    return f"<text:p>{escape(block.text)}</text:p>"


def write_epub(original: Original) -> bytes:
    """An EPUB 3 book, one file a chapter, the first being the title page."""
    chapters = [(f"chapter-{i}", title, blocks) for i, (title, blocks) in enumerate(original.sections())]
    links = "".join(f'<li><a href="{name}.xhtml">{escape(title)}</a></li>' for name, title, _ in chapters)
    nav = f'<nav xmlns:epub="http://www.idpf.org/2007/ops" epub:type="toc"><ol>{links}</ol></nav>'
    container = (
        f'{XML}<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="content.opf" media-type="application/oebps-package+xml"/>'
        "</rootfiles></container>\n"
    )
    members = [
        ("mimetype", "application/epub+zip"),
        ("META-INF/container.xml", container),
        ("content.opf", _package(original, [name for name, _, _ in chapters])),
        ("nav.xhtml", _xhtml("Contents", nav)),
    ]
    for name, title, blocks in chapters:
        body = "\n".join(_xhtml_block(block) for block in blocks)
        members.append((f"{name}.xhtml", _xhtml(title, f"<h1>{escape(title)}</h1>\n{body}")))
    return zip_bytes([(name, text.encode()) for name, text in members])


def _package(original: Original, names: list[str]) -> str:
    media = 'media-type="application/xhtml+xml"'
    items = "".join(f'<item id="{name}" href="{name}.xhtml" {media}/>' for name in names)
    spine = "".join(f'<itemref idref="{name}"/>' for name in names)
    return (
        f'{XML}<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id">'
        '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f'<dc:identifier id="id">northwind:{original.date}</dc:identifier>'
        f"<dc:title>{escape(original.title)}</dc:title><dc:language>en</dc:language>"
        f"<dc:creator>{escape(original.author)}</dc:creator>"
        f'<meta property="dcterms:modified">{original.date}T00:00:00Z</meta></metadata>'
        f'<manifest><item id="nav" href="nav.xhtml" properties="nav" {media}/>{items}</manifest>'
        f"<spine>{spine}</spine></package>\n"
    )


def _xhtml(title: str, body: str) -> str:
    return (
        f'{XML}<html xmlns="http://www.w3.org/1999/xhtml" lang="en">'
        f"<head><title>{escape(title)}</title></head>\n<body>\n{body}\n</body></html>\n"
    )


def _xhtml_block(block: Block) -> str:
    if block.kind == "heading":
        return f"<h{block.level}>{escape(block.text)}</h{block.level}>"
    if block.kind == "bullets":
        return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in block.lines) + "</ul>"
    return f"<p>{escape(block.text)}</p>"


def write_rtf(original: Original) -> bytes:
    """An RTF 1.9 file: headings in bold, one line a paragraph, rows with tabs between the cells."""
    size = {1: 36, 2: 26}
    parts = [r"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fswiss Helvetica;}}"]
    parts.append(rf"{{\info{{\title {_rtf(original.title)}}}{{\author {_rtf(original.author)}}}}}")
    for block in original.blocks:
        if block.kind == "heading":
            parts.append(rf"{{\pard\sb240\b\fs{size.get(block.level, 22)} {_rtf(block.text)}\par}}")
        elif block.kind == "table":
            rows = [r"\tab ".join(map(_rtf, row)) for row in block.rows]
            parts += [rf"{{\pard\fs22 {row}\par}}" for row in rows]
        else:
            parts += [rf"{{\pard\sb120\fs22 {_rtf(line)}\par}}" for line in block.lines]
    return ("\n".join(parts) + "\n}\n").encode("ascii")


def _rtf(text: str) -> str:
    safe = re.sub(r"([\\{}])", r"\\\1", text)
    return "".join(c if ord(c) < 128 else rf"\u{ord(c)}?" for c in safe)
