"""Raw text -> canonical text, the only text that revisions, chunks and citations know.

In this order:

1. CR LF, CR, VT, FF, NEL and the two Unicode separators become LF; U+001C-U+001F become spaces; other
   C0 and C1 controls (tab stays), bidi controls, zero-width characters (word joiner, BOM, invisible
   operators, interlinear marks), U+E0000 tags, lone surrogates and non-characters go.
2. NFC.
3. A joiner (U+200C, U+200D) stays only between two letters or marks, where scripts need it.
4. White space at the end of a line goes, more than one blank line becomes one, blank lines at the
   start and at the end of the text go.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass

_BREAK = "\u000b\u000c\u0085\u2028\u2029"
_NONCHARACTERS = "\ufdd0-\ufdef" + "".join(
    f"{chr(plane * 65536 + 0xFFFE)}-{chr(plane * 65536 + 0xFFFF)}" for plane in range(17)
)
_NOISE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"
    "\u034f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    f"\ud800-\udfff\U000e0000-\U000e007f{_NONCHARACTERS}]"
)
_FOREIGN = re.compile(r"[\x00-\x7f]?[^\x00-\x7f]+")
_JOINER = re.compile("[\u200c\u200d]")
_LINES = re.compile("\n+")
_SPACES = "\x1c\x1d\x1e\x1f"

_Edit = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class Offsets:
    """Piecewise map of positions: piece ``i`` starts at ``before[i]``, lands on ``after[i]``.

    A position inside a piece keeps its distance from the piece's start, at most ``length[i]``.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    length: tuple[int, ...]

    def map(self, position: int) -> int:
        """Return where ``position`` went; what was deleted goes to the place that it left."""
        piece = bisect_right(self.before, position) - 1
        return self.after[piece] + min(position - self.before[piece], self.length[piece])


@dataclass(frozen=True, slots=True)
class Canonical:
    """Canonical text, with the offset tables that lead from the raw text to it, one a pass."""

    text: str
    offsets: tuple[Offsets, ...]

    def map(self, position: int) -> int:
        """Return the canonical position of a raw one (0 to the raw length); monotone, in bounds."""
        for table in self.offsets:
            position = table.map(position)
        return position


def canonical(text: str, *, without: Iterable[tuple[int, int]] = ()) -> Canonical:
    """Return the canonical form of ``text``; idempotent, linear in its length.

    ``without``: spans that are taken out first, in order, none overlapping another.
    """
    tables: list[Offsets] = []
    text = _apply(text, lambda _: ((start, end, "") for start, end in without), tables)
    for edits in (_noise, _composed):
        text = _apply(text, edits, tables)
    # Dropping a joiner can let its neighbours compose, which can strand the next joiner.
    while (shorter := _apply(text, _stray_joiners, tables)) != text:
        text = _apply(shorter, _composed, tables)
    for edits in (_line_tails, _blank_lines):
        text = _apply(text, edits, tables)
    return Canonical(text, tuple(tables))


def _apply(text: str, find: Callable[[str], Iterable[_Edit]], tables: list[Offsets]) -> str:
    """Replace what ``find`` gives (disjoint, in order) and add the offset table when there was any."""
    parts: list[str] = []
    before, after, lengths = [0], [0], [0]
    done = out = 0
    for start, end, new in find(text):
        if start > done:
            parts.append(text[done:start])
            before.append(done)
            after.append(out)
            lengths.append(start - done)
            out += start - done
        parts.append(new)
        before.append(start)
        after.append(out)
        lengths.append(len(new))
        out += len(new)
        done = end
    if not done:
        return text
    before.append(done)
    after.append(out)
    lengths.append(len(text) - done)
    parts.append(text[done:])
    tables.append(Offsets(tuple(before), tuple(after), tuple(lengths)))
    return "".join(parts)


def _noise(text: str) -> Iterable[_Edit]:
    for match in _NOISE.finditer(text):
        char, end = match[0], match.end()
        alone = char == "\r" and text[end : end + 1] != "\n"
        yield end - 1, end, "\n" if alone or char in _BREAK else " " if char in _SPACES else ""


def _composed(text: str) -> Iterable[_Edit]:
    if unicodedata.is_normalized("NFC", text):
        return
    # ASCII never composes with what stands before it, so each run can be normalised alone.
    for match in _FOREIGN.finditer(text):
        if not unicodedata.is_normalized("NFC", match[0]):
            yield from _clusters(match[0], match.start())


def _clusters(run: str, offset: int) -> Iterable[_Edit]:
    """Give the clusters of ``run`` that NFC changes, so that the map stays fine in long runs."""
    start = 0
    for end in range(1, len(run) + 1):
        if end < len(run) and _joins_backward(run[end]):
            continue
        new = unicodedata.normalize("NFC", run[start:end])
        if new != run[start:end]:
            yield offset + start, offset + end, new
        start = end


def _joins_backward(char: str) -> bool:
    """Say whether NFC may combine ``char`` with what precedes it: marks, and vowels and finals of Hangul."""
    return (
        unicodedata.category(char)[0] == "M"
        or "\u1160" <= char <= "\u11ff"
        or "\U00016d63" <= char <= "\U00016d6a"
    )


def _stray_joiners(text: str) -> Iterable[_Edit]:
    for match in _JOINER.finditer(text):
        place = match.start()
        around = text[place - 1 : place] + text[place + 1 : place + 2]
        if len(around) < 2 or any(unicodedata.category(char)[0] not in "LM" for char in around):
            yield place, place + 1, ""


def _line_tails(text: str) -> Iterable[_Edit]:
    start = 0
    for line in text.split("\n"):
        end = start + len(line)
        if line[-1:].isspace():
            yield start + len(line.rstrip()), end, ""
        start = end + 1


def _blank_lines(text: str) -> Iterable[_Edit]:
    if "\n\n\n" not in text and "\n" not in text[:1] + text[-1:]:
        return
    for match in _LINES.finditer(text):
        outside = match.start() == 0 or match.end() == len(text)
        if outside or match.end() - match.start() > 2:
            yield match.start() + (0 if outside else 2), match.end(), ""
