"""A small PDF writer: Helvetica on A4, wrapped lines, tables in columns, a footer on every page.

Nothing is compressed and the file's id is the digest of its objects, so equal input is equal bytes on
every machine. Follows ISO 32000-1: 7.5 (file structure), 9.6.2.2 (standard fonts), 12.3 is left out.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from examples.northwind.writers.blocks import Block, Original

WIDTH, HEIGHT, MARGIN = 595, 842, 72  # points
LINE = WIDTH - 2 * MARGIN
BODY, CELL = 11.5, 10.5  # font sizes of text and of tables

# Advance widths of Helvetica for the characters 32 to 126, in thousandths of the size (Adobe's metrics).
HELVETICA = (
    [278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278]
    + [556] * 10
    + [278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833]
    + [722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333]
    + [556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278]
    + [556, 500, 722, 500, 500, 500, 334, 260, 334, 584]
)


@dataclass(frozen=True, slots=True)
class Line:
    """One printed line: cells with their distance from the left margin, and the space above, in points."""

    cells: tuple[tuple[float, str], ...]
    size: float = BODY
    bold: bool = False
    above: float = 4.5


def write_pdf(original: Original) -> bytes:
    """The original as a PDF with a text layer, as many pages as it needs."""
    pages = _paginate(list(_lines(original)))
    streams = [
        _page_stream(page, f"{original.title} | page {number} of {len(pages)}")
        for number, page in enumerate(pages, 1)
    ]
    return assemble(original, [(stream, b"") for stream in streams], [])


def assemble(original: Original, pages: list[tuple[bytes, bytes]], extra: list[bytes]) -> bytes:
    """A whole file from content streams, each with the extra resources of its page.

    ``extra`` are objects for those resources: the first gets number 5, so a page refers to ``5 0 R``.
    """
    first = 5 + len(extra)
    kids = " ".join(f"{first + 2 * i} 0 R" for i in range(len(pages)))
    font = "<< /Type /Font /Subtype /Type1 /BaseFont /%s /Encoding /WinAnsiEncoding >>"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R /Lang (en) >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        (font % "Helvetica").encode(),
        (font % "Helvetica-Bold").encode(),
        *extra,
    ]
    for i, (content, resources) in enumerate(pages):
        page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Contents %d 0 R" % (
            WIDTH,
            HEIGHT,
            first + 2 * i + 1,
        )
        objects.append(page + b" /Resources << /Font << /F1 3 0 R /F2 4 0 R >> %s >> >>" % resources)
        objects.append(stream_object(b"", content))
    stamp = original.date.replace("-", "") + "080000Z"
    objects.append(
        b"<< /Title %s /Author %s /CreationDate (D:%s) >>"
        % (_string(original.title), _string(original.author), stamp.encode())
    )
    return _file(objects)


def stream_object(entries: bytes, data: bytes) -> bytes:
    """A stream object's body: its dictionary with ``entries``, then the data."""
    return b"<< /Length %d%s >>\nstream\n%s\nendstream" % (len(data), entries, data)


def _file(objects: list[bytes]) -> bytes:
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    identity = hashlib.md5(bytes(out), usedforsecurity=False).hexdigest().encode()
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R /Info %d 0 R" % (len(objects) + 1, len(objects))
    out += b" /ID [<%s> <%s>] >>\nstartxref\n%d\n%%%%EOF\n" % (identity, identity, table)
    return bytes(out)


def _string(text: str) -> bytes:
    escaped = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    return b"(" + escaped.encode("cp1252") + b")"


def _measure(text: str, size: float) -> float:
    # What is not ASCII is rare here and taken as wide as a digit.
    return sum(HELVETICA[ord(c) - 32] if 32 <= ord(c) < 127 else 556 for c in text) * size / 1000


def _wrap(text: str, size: float, width: float) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and _measure(longer, size) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _lines(original: Original) -> Iterator[Line]:
    for block in original.blocks:
        if block.kind == "table":
            yield from _table(block)
        elif block.kind == "heading":
            size = {1: 20.0, 2: 14.0}.get(block.level, 12.0)
            for i, text in enumerate(_wrap(block.text, size, LINE * 0.94)):  # bold runs wider
                yield Line(((0, text),), size, bold=True, above=4 if i else 16)
        elif block.kind == "paragraph":
            for i, text in enumerate(_wrap(block.text, BODY, LINE)):
                yield Line(((0, text),), above=4.5 if i else 11)
        else:
            for entry in block.lines:
                mark, rest = ("\u2022", entry) if block.kind == "bullets" else entry.split(" ", 1)
                for i, text in enumerate(_wrap(rest, BODY, LINE - 18)):
                    yield Line(((18, text),) if i else ((4, mark), (18, text)), above=4.5 if i else 7)


def _table(block: Block) -> Iterator[Line]:
    """Columns share the width by their longest cell (bold runs a tenth wider); the rest is wrapped."""
    columns = list(zip(*block.rows, strict=True))
    longest = [1.1 * max(_measure(cell, CELL) for cell in column) + 14 for column in columns]
    scale = min(1.0, LINE / sum(longest))
    widths = [wanted * scale for wanted in longest]
    starts = [sum(widths[:i]) for i in range(len(widths))]
    for number, row in enumerate(block.rows):
        wrapped = [_wrap(cell, CELL, (width - 10) / 1.1) for cell, width in zip(row, widths, strict=True)]
        for i in range(max(map(len, wrapped))):
            cells = tuple((x, lines[i]) for x, lines in zip(starts, wrapped, strict=True) if i < len(lines))
            yield Line(cells, CELL, bold=number == 0, above=2 if i else 6)


def _paginate(lines: list[Line]) -> list[list[tuple[float, Line]]]:
    """Place lines from the top; a heading never stands alone at the foot of a page."""
    pages: list[list[tuple[float, Line]]] = [[]]
    y = float(HEIGHT - MARGIN)
    for line in lines:
        needed = line.above + line.size + (3 * BODY if line.bold and line.size > BODY else 0)
        if y - needed < MARGIN:
            pages.append([])
            y = float(HEIGHT - MARGIN)
        y -= line.above + line.size
        pages[-1].append((y, line))
    return pages


def _page_stream(page: list[tuple[float, Line]], footer: str) -> bytes:
    parts = []
    for y, line in [*page, (36.0, Line(((0, footer),), 8))]:
        for x, text in line.cells:
            font = b"F2" if line.bold else b"F1"
            at = f"{line.size:g} Tf 1 0 0 1 {MARGIN + x:.2f} {y:.2f} Tm ".encode()
            parts.append(b"BT /" + font + b" " + at + _string(text) + b" Tj ET")
    return b"\n".join(parts)
