"""Pages without a text layer: what a scanner gives. Only OCR can read them."""

import random
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

from examples.northwind.writers.blocks import Original
from examples.northwind.writers.pdf import HEIGHT, WIDTH, assemble, stream_object

SIZE = (1240, 1754)  # A4 at 150 dots an inch
EDGE = 130


def write_scan_pdf(original: Original) -> bytes:
    """A PDF whose only page is one 1-bit picture, packed by run lengths (ISO 32000-1, 7.4.5)."""
    picture = draw_page(original)
    entries = (
        b" /Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray"
        b" /BitsPerComponent 1 /Filter /RunLengthDecode" % SIZE
    )
    image = stream_object(entries, pack_runs(picture.tobytes()))
    content = b"q %d 0 0 %d 0 0 cm /Im0 Do Q" % (WIDTH, HEIGHT)
    return assemble(original, [(content, b"/XObject << /Im0 5 0 R >>")], [image])


def write_png(original: Original) -> bytes:
    """The page as a 1-bit PNG."""
    out = BytesIO()
    draw_page(original).save(out, "PNG", dpi=(150, 150))
    return out.getvalue()


def draw_page(original: Original) -> Image.Image:
    """Black letters on white, with the specks of a used scanner (the same ones each time)."""
    grey = Image.new("L", SIZE, 255)
    draw = ImageDraw.Draw(grey)
    y = 160.0
    for block in original.blocks:
        size = 44 if block.kind == "heading" else 30
        font = ImageFont.load_default(size)
        for line in block.lines:
            for text in _wrap(line, font):
                draw.text((EDGE, y), text, font=font, fill=0)
                y += size * 1.35
        y += size * 0.8
    specks = random.Random(original.title)
    for _ in range(60):
        draw.point((specks.randrange(SIZE[0]), specks.randrange(SIZE[1])), fill=0)
    return grey.point(lambda level: 255 if level > 140 else 0).convert("1", dither=Image.Dither.NONE)


def _wrap(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > SIZE[0] - 2 * EDGE:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def pack_runs(data: bytes) -> bytes:
    """Run-length encoding: n < 128 copies n + 1 bytes, n > 128 repeats one byte 257 - n times, 128 ends."""
    out = bytearray()
    literal = bytearray()
    at = 0
    while at < len(data):
        run = 1
        while run < 128 and at + run < len(data) and data[at + run] == data[at]:
            run += 1
        if run >= 3 or len(literal) == 128:
            if literal:
                out += bytes([len(literal) - 1]) + literal
                literal.clear()
            if run >= 3:
                out += bytes([257 - run, data[at]])
                at += run
                continue
        literal.append(data[at])
        at += 1
    if literal:
        out += bytes([len(literal) - 1]) + literal
    return bytes(out) + b"\x80"
