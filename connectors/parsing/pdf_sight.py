"""What of a pdf's page a person would see: text by its colour, size and place, by pdfium.

Most pages hold nothing suspicious, which their text objects tell at once. Of the others, each suspicious
character is looked at: outside of the page, too small to read, or, on the page as it is drawn, no
different from the paper around it. So white letters on a dark ground count as seen, and so does the
invisible text that lies over a scan. What lies under other text counts as seen too.
"""

import ctypes
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from connectors.parsing.hidden import hide

if TYPE_CHECKING:
    from pypdfium2 import PdfPage, PdfTextPage

Box = tuple[float, float, float, float]

_PALE = 240  # of 255: from here on a colour is looked at on the page
_OPAQUE = 13  # of 255: below, text is nearly see-through
_INVISIBLE_MODES = frozenset({3, 7})
_SMALLEST = 1.5  # points: no printer or screen shows it
_CONTRAST = 20  # of 255, between the lightest and the darkest dot around a character
_SCALE = 2.0  # dots a point
_MOST_DOTS = 20_000_000
_WORTH = 3  # letters and digits


def page_text(page: "PdfPage", layer: "PdfTextPage") -> str:
    """Return a page's text as pdfium reads it, hidden characters marked."""
    suspects = set(_suspects(page))
    if not suspects:
        return str(layer.get_text_range())
    unseen = _unseen(page, layer, suspects)
    parts = []
    for start, end in _runs(unseen):
        text = str(layer.get_text_range(start, end - start))
        # A dot of a faded scan says nothing, hidden or not.
        parts.append(hide(text) if unseen[start] and sum(map(str.isalnum, text)) >= _WORTH else text)
    return "".join(parts)


def _suspects(page: "PdfPage") -> Iterator[int]:
    """Give the addresses of the text objects that may be hidden. By pdfium's bare calls: there are many."""
    import pypdfium2.raw as pdfium

    probe = _Probe(page.get_bbox())
    waiting = [
        (pdfium.FPDFPage_GetObject, page.raw, index)
        for index in range(pdfium.FPDFPage_CountObjects(page.raw))
    ]
    while waiting:
        give, holder, index = waiting.pop()
        found = give(holder, index)
        kind = pdfium.FPDFPageObj_GetType(found)
        if kind == pdfium.FPDF_PAGEOBJ_TEXT:
            # Inside a form, places and sizes are the form's own: only looking at the page tells them.
            if give is pdfium.FPDFFormObj_GetObject or probe.suspicious(found):
                yield _address(found)
        elif kind == pdfium.FPDF_PAGEOBJ_FORM:
            inside = range(pdfium.FPDFFormObj_CountObjects(found))
            waiting += [(pdfium.FPDFFormObj_GetObject, found, inner) for inner in inside]


class _Probe:
    """Asks pdfium about text objects, one after the other, in the same few cells of memory."""

    def __init__(self, frame: Box) -> None:
        import pypdfium2.raw as pdfium

        self._frame = frame
        self._colour_of = pdfium.FPDFPageObj_GetFillColor
        self._mode_of = pdfium.FPDFTextObj_GetTextRenderMode
        self._bounds_of = pdfium.FPDFPageObj_GetBounds
        self._colour = [ctypes.c_uint() for _ in range(4)]
        self._box = [ctypes.c_float() for _ in range(4)]

    def suspicious(self, found: Any) -> bool:
        """Tell whether an object of the page itself may be hidden: pale, not drawn, flat, off the page."""
        red, green, blue, opaque = self._colour
        if self._colour_of(found, red, green, blue, opaque):
            pale = red.value >= _PALE and green.value >= _PALE and blue.value >= _PALE
            if pale or opaque.value < _OPAQUE:
                return True
        if self._mode_of(found) in _INVISIBLE_MODES:
            return True
        left, bottom, right, top = self._box
        self._bounds_of(found, left, bottom, right, top)
        box = left.value, bottom.value, right.value, top.value
        # Letters turned by a right angle are flat the other way; so is a dot of any size.
        flat = min(box[3] - box[1], box[2] - box[0]) < _SMALLEST
        return (flat and self._tiny(found)) or _outside(box, self._frame)

    def _tiny(self, found: Any) -> bool:
        import pypdfium2.raw as pdfium

        size, matrix = ctypes.c_float(), pdfium.FS_MATRIX()
        pdfium.FPDFTextObj_GetFontSize(found, size)
        pdfium.FPDFPageObj_GetMatrix(found, matrix)
        return abs(size.value) * _stretch(matrix) < _SMALLEST


def _stretch(matrix: Any) -> float:
    return math.sqrt(abs(matrix.a * matrix.d - matrix.b * matrix.c))


def _unseen(page: "PdfPage", layer: "PdfTextPage", suspects: set[int]) -> list[bool]:
    """Tell of each character whether it is hidden; white space between hidden ones is too."""
    import pypdfium2.raw as pdfium

    frame, drawn = page.get_bbox(), _Drawn(page)
    unseen: list[bool] = []
    blank: list[bool] = []
    for index in range(layer.count_chars()):
        found = pdfium.FPDFText_GetTextObject(layer.raw, index)
        spaced = not found or pdfium.FPDFText_GetUnicode(layer.raw, index) <= 32
        suspect = bool(found) and _address(found) in suspects
        blank.append(spaced)
        unseen.append(suspect and not spaced and _hidden(layer, index, frame, drawn))
    last = -1
    for index, hidden in enumerate(unseen):
        if hidden and 0 <= last < index - 1 and all(blank[last + 1 : index]):
            unseen[last + 1 : index] = [True] * (index - last - 1)
        if hidden:
            last = index
    return unseen


def _hidden(layer: "PdfTextPage", index: int, frame: Box, drawn: "_Drawn") -> bool:
    import pypdfium2.raw as pdfium

    box: Box = layer.get_charbox(index)
    matrix = pdfium.FS_MATRIX()
    scale = 1.0
    if pdfium.FPDFText_GetMatrix(layer.raw, index, matrix):
        scale = _stretch(matrix)
    size = float(pdfium.FPDFText_GetFontSize(layer.raw, index)) * scale
    return _outside(box, frame) or size < _SMALLEST or drawn.uniform(box)


class _Drawn:
    """A page as it is drawn, in greys; drawn when first looked at."""

    def __init__(self, page: "PdfPage") -> None:
        self._page = page
        self._dots: NDArray[np.uint8] | None = None
        self._scale = _SCALE

    def uniform(self, box: Box) -> bool:
        """Tell whether there is nothing to be seen inside a box."""
        if self._dots is None:
            width, height = self._page.get_size()
            self._scale = min(_SCALE, math.sqrt(_MOST_DOTS / max(1.0, width * height)))
            shown = self._page.render(scale=self._scale, grayscale=True)
            self._dots = shown.to_numpy().reshape(shown.height, shown.width, -1)[:, :, 0].copy()
            shown.close()
        left, bottom, right, top = self._placed(box)
        part = self._dots[top : bottom + 1, left : right + 1]
        return part.size > 0 and int(part.max()) - int(part.min()) < _CONTRAST

    def _placed(self, box: Box) -> tuple[int, int, int, int]:
        """Return a box in dots, from the upper left, a dot wider on each side."""
        import pypdfium2.raw as pdfium

        assert self._dots is not None
        height, width = self._dots.shape
        corners = []
        for x, y in ((box[0], box[1]), (box[2], box[3])):
            across, down = ctypes.c_int(), ctypes.c_int()
            pdfium.FPDF_PageToDevice(self._page.raw, 0, 0, width, height, 0, x, y, across, down)
            corners.append((across.value, down.value))
        (x1, y1), (x2, y2) = corners
        left, right = max(0, min(x1, x2) - 1), min(width - 1, max(x1, x2) + 1)
        top, bottom = max(0, min(y1, y2) - 1), min(height - 1, max(y1, y2) + 1)
        return left, bottom, right, top


def _runs(unseen: list[bool]) -> Iterator[tuple[int, int]]:
    """Give the spans of equal neighbours."""
    start = 0
    for index in range(1, len(unseen) + 1):
        if index == len(unseen) or unseen[index] != unseen[start]:
            yield start, index
            start = index


def _outside(box: Box, frame: Box) -> bool:
    return box[2] <= frame[0] or box[0] >= frame[2] or box[3] <= frame[1] or box[1] >= frame[3]


def _address(pointer: Any) -> int:
    return ctypes.cast(pointer, ctypes.c_void_p).value or 0
