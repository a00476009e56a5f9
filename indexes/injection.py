"""Finds text that gives orders to a program: indirect prompt injection, at ingest, without a model.

What it finds is a hint, not a verdict: such text is marked, fenced or left out, and shown to people; no
promise rests on it, since every claim must be proven from its quote anyway. See ``orders`` for what the
rules look for, ``takeovers``, ``steering`` and ``demands`` for the rules.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from indexes.demands import DEMANDS
from indexes.orders import Rule
from indexes.query import Flag
from indexes.sentences import sentences
from indexes.steering import STEERING
from indexes.takeovers import TAKEOVERS

VERSION = "1"
"""Changes with the rules: what an older scanner looked at is looked at again."""

_RULES: tuple[Rule, ...] = (*TAKEOVERS, *STEERING, *DEMANDS)
Span = tuple[int, int]

_TAG = re.compile(r"\W*<(information|important|urgent)>", re.IGNORECASE)
_FENCE = re.compile(r"\n[ \t]*(?:```|~~~)")
_COMMON = frozenset(
    "a about an and are as at before by do for from here how i if in it me new not now of on or re so that"
    " the this to what when with without you your instead after".split()
)
_LONGEST = 2_000  # code points: of a "sentence" without any stop only so much is looked at a time
_BREAK = re.compile(r"\n[^\S\n]*\n\s*")
_WORD = re.compile(r"[^\W\d_]+")
_PLAIN = str.maketrans(
    {"\n": " ", "\t": " ", "\u00a0": " ", "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"'}
)
# Cyrillic and Greek letters that look like Latin ones, and full-width forms.
_LOOKALIKE = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0455\u0458\u0501\u04bb\u0410\u0415\u041e\u0420\u0421"
    "\u0425\u0406\u0405\u0408\u0422\u041c\u041d\u0412\u041a\u03bf\u03b9\u03bd\u03b1\u039f\u0399\u0391\u0395"
    "\u03a1\u03a4\u0130" + "".join(map(chr, range(0xFF01, 0xFF5F))),
    "aeopcyxisjdhaeopcxisjtmhbkoivaoiaepti" + "".join(map(chr, range(0x21, 0x7F))),
)
_EXOTIC = re.compile("[\u0130\u0370-\u04ff\u0501\uff01-\uff5e]")


@dataclass(frozen=True, slots=True)
class _Needs:
    """What a text must hold for a rule to be looked at: each group of words of each rule is a bit.

    ``words`` and ``marks`` (by their first sign) say which bits they set, ``of`` which bits a rule needs.
    A text without one of the ``rare`` words, one group of each rule, and without marks needs no more look.
    """

    words: Mapping[str, int]
    marks: Mapping[str, tuple[tuple[str, int], ...]]
    rare: frozenset[str]
    of: tuple[tuple[int, Rule], ...]


def _rarity(group: tuple[str, ...]) -> tuple[bool, int]:
    return not _COMMON.isdisjoint(group), len(group)


def _needs(rules: Sequence[Rule]) -> _Needs:
    words: dict[str, int] = {}
    marks: dict[str, int] = {}
    rare: set[str] = set()
    of: list[tuple[int, Rule]] = []
    bit = 1
    for rule in rules:
        need = 0
        for group in rule.words:
            for word in group:
                table = words if _WORD.fullmatch(word) else marks
                table[word] = table.get(word, 0) | bit
            need, bit = need | bit, bit << 1
        of.append((need, rule))
        rarest = min(rule.words, key=_rarity)
        rare.update(rarest)
    signs = {mark[0]: tuple(one for one in marks.items() if one[0][0] == mark[0]) for mark in marks}
    return _Needs(words, signs, frozenset(rare), tuple(of))


_NEEDS = _needs(_RULES)
_KNOWN = frozenset(_NEEDS.words)


def scan(text: str) -> tuple[Flag, ...]:
    """Return the sentences that read like orders to a program, in order, with their families.

    Spans are code points of ``text``, half-open: whole sentences as ``sentences`` cuts them, and what they
    announce; the same span appears once for each family. A paragraph (between blank lines) is judged by
    itself, so that what stands around a text takes no flag away: a text made of two others, a blank line
    between them, has all flags of both, moved. Linear time. No such sentence, or no text, gives none.
    """
    found: set[tuple[int, int, str]] = set()
    paragraphs = list(_paragraphs(text))
    for number, (start, end) in enumerate(paragraphs):
        paragraph = text[start:end]
        folded = _fold(paragraph)
        rules = _possible(_undressed(folded), _NEEDS.of)
        for first, last, family in _judged(paragraph, folded, rules) if rules else ():
            found.add((start + first, start + last, family))
            for piece in _announced(text, paragraphs, number, (start + first, start + last)):
                found.add((*piece, family))
    return tuple(Flag(*one) for one in sorted(found))


def _announced(text: str, paragraphs: Sequence[Span], number: int, sentence: Span) -> Iterator[Span]:
    """Give what a sentence of a paragraph (its ``number``) announces, paragraph by paragraph.

    After a colon that is the rest of the paragraph, the next one where nothing is left of it, or a whole
    fenced block; after an opening tag, all up to the closing one. At most so much as is looked at.
    """
    first, last = sentence
    tag, fence = _TAG.match(text, first, last), _FENCE.search(text, first, last)
    if not tag and not fence and not text[first:last].rstrip("*_\"'\u201d ").endswith(":"):
        return
    begin = fence.end() - 3 if fence else last
    while begin < len(text) and text[begin].isspace():
        begin += 1
    limit = begin + 2 * _LONGEST
    bounded = True
    if tag is not None:
        closing = re.compile(rf"</{tag[1]}>", re.IGNORECASE).search(text, last, limit)
        stop = closing.end() if closing else begin
    elif text.startswith(("```", "~~~"), begin):
        closing = re.compile(rf"\n[ \t]*{text[begin : begin + 3]}").search(text, begin + 3, limit)
        stop = closing.end() if closing else limit
    else:
        stop, bounded = limit, False  # one paragraph of it
    for at in range(number, len(paragraphs)):
        start, end = paragraphs[at]
        if start >= stop:
            return
        if end > begin:
            yield max(start, begin), min(end, stop)
            if not bounded:
                return


def _fold(text: str) -> str:
    """Return the text in lower case, on one line, look-alikes as Latin letters: position for position."""
    if not text.isascii() and _EXOTIC.search(text):
        text = text.translate(_LOOKALIKE)
    return text.translate(_PLAIN).lower()


def _undressed(folded: str) -> str:
    """Leave out what stands inside words or around them without being read: emphasis, soft hyphens."""
    return folded.replace("*", "").replace("\u00ad", "")


def _paragraphs(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for gap in _BREAK.finditer(text):
        if gap.start() > start:
            yield start, gap.start()
        start = gap.end()
    if start < len(text):
        yield start, len(text)


def _possible(folded: str, needs: Sequence[tuple[int, Rule]]) -> list[tuple[int, Rule]]:
    """Return the rules that have a word of each of their groups in the text."""
    words = _WORD.findall(folded)
    there = 0
    for sign, marks in _NEEDS.marks.items():
        if sign in folded:
            for mark, bits in marks:
                if mark in folded:
                    there |= bits
    if not there and _NEEDS.rare.isdisjoint(words):
        return []
    for word in _KNOWN.intersection(words):
        there |= _NEEDS.words[word]
    return [one for one in needs if there & one[0] == one[0]]


def _spoken(paragraph: str) -> Iterator[tuple[int, int]]:
    """Give the spans of sentences, and of the cells of each that is a table's row: an order may fill one."""
    for first, last in sentences(paragraph):
        yield first, last
        at = first
        while (bar := paragraph.find(" | ", at, last)) >= 0:
            yield at, bar
            at = bar + len(" | ")
        if at > first:
            yield at, last


def _judged(paragraph: str, folded: str, rules: list[tuple[int, Rule]]) -> Iterator[tuple[int, int, str]]:
    for first, last in _spoken(paragraph):
        for at in range(first, last, _LONGEST):
            end = min(last, at + _LONGEST)
            piece = " ".join(_undressed(folded[at:end]).split())
            for family in {rule.family for _, rule in _possible(piece, rules) if rule.match(piece)}:
                yield at, end, family
