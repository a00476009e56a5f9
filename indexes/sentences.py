"""Where sentences begin and end in canonical text. Rules, no model; English first, others survive.

Two steps: lines are joined where a paragraph was merely wrapped, and kept apart where layout means
something (blank lines, headings, list items, table rows); then each run of joined lines is cut after
the stops that end a sentence.
"""

import re
from collections.abc import Iterator

Span = tuple[int, int]

_LINE = re.compile(r"[^\n]+")
_HEADING = re.compile(r"#{1,6}\s|(?:={3,}|-{3,}|\*{3,}|_{3,})\s*$")
_ITEM = re.compile(r"(?:[-*+•‣◦▪●○–—·]|\(?(?:\d{1,3}|[A-Za-z]|[ivxIVX]{1,5})[.)]|\[[ xX]\])[ \t]+\S")
_ROW = re.compile(r"\||[^\n]*(?:\t\S|\S[ ]+\|[ ]+\S)")
# A run of stops is looked at once, from its beginning, and never given back: that keeps the time linear.
_STOP = re.compile(
    r"(?<![.!?\u2026])(?P<stop>[.!?\u2026]++)[\"'\u2019\u201d\u00bb)\]*_]*+(?P<quote>[ ]'')?(?=\s)"
    r"|(?P<wide>[\u3002\uff01\uff1f]++[\u300d\u300f\u201d]*+)"
)
_WORD_BEFORE = re.compile(r"[^\s(\[\"'\u2018\u201c]*$")
_NEXT_WORD = re.compile(r"[\s\"'`(\[\u2018\u201c\u00ab*_]*([^\s.,;:!?)\]\"'\u2019\u201d]*)")

# How far back a stop's word is looked for: no abbreviation is longer.
_REACH = 24


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


# Nearly always followed by what they belong to.
_BINDING = _words(
    """mr mrs ms dr prof rev hon st mt messrs sen rep gov gen col capt lt sgt maj adm cmdr supt pres mme mlle
    vs v e.g i.e eg ie cf viz ph approx est fig figs eq eqs sec sect ch chap vol pp p al ca resp incl excl
    dept art ed eds trans tel ext jan feb mar apr jun jul aug sep sept oct nov dec"""
)
# End a sentence only where a word follows that commonly begins one.
_OPEN = _words(
    """inc ltd corp co llc plc bros etc jr sr ph.d m.d b.a m.a b.s m.s a.m p.m am pm u.s u.k e.u u.n d.c
    u.s.a esq min max avg"""
)
# Followed by their number.
_NUMBERED = _words(
    "no nos c ps item section sec note part article chapter figure table exhibit appendix step rule"
)
_STARTERS = _words(
    """a an the this that these those it its he she they we you i his her their our your my there here in on
    at by for from with to of as if when while where after before during since until although though because
    however but and or so yet nor not no what who why how which each every all some any most many several
    such other another both one two three first second then also moreover furthermore finally please see
    note once under upon unless according overall additionally"""
)


def sentences(text: str) -> list[Span]:
    """Return the sentences' spans in ``text``: code points, half-open, in order, disjoint.

    No span begins or ends with white space, and every other character is in one. A sentence may run
    over single line feeds inside a wrapped paragraph; never over a blank line, or out of a heading,
    a list item or a table row. Text without any character but white space gives none. Linear time.
    """
    return [span for start, end in _runs(text) for span in _cut(text, start, end)]


def _runs(text: str) -> Iterator[Span]:
    """Give the spans of joined lines."""
    for block in _blocks(text):
        width = max(end - start for start, end in block)
        run_start, previous = block[0][0], block[0]
        for line in block[1:]:
            if not _wrapped(text, previous, line, width):
                yield run_start, previous[1]
                run_start = line[0]
            previous = line
        yield run_start, previous[1]


def _blocks(text: str) -> Iterator[list[Span]]:
    """Give the runs of lines between blank lines, each line stripped."""
    block: list[Span] = []
    previous_end = 0
    for match in _LINE.finditer(text):
        line = match.group()
        stripped = line.strip()
        if match.start() > previous_end + 1 or not stripped:
            if block:
                yield block
            block = []
        previous_end = match.end()
        if stripped:
            start = match.start() + len(line) - len(line.lstrip())
            block.append((start, start + len(stripped)))
    if block:
        yield block


def _wrapped(text: str, previous: Span, line: Span, width: int) -> bool:
    """Say whether ``line`` goes on what ``previous`` began.

    It does when layout does not part them and either it begins in lower case, or the line before
    was full: its next word would not have fitted into the block's width (with a fifth of slack, for
    ragged setting).
    """
    if any(_is_row(text, start, end) or _HEADING.match(text, start, end) for start, end in (previous, line)):
        return False
    if _ITEM.match(text, line[0], line[1]):
        return False
    if text[line[0]].islower():
        return True
    word_end = text.find(" ", line[0], line[1])
    word = (word_end if word_end >= 0 else line[1]) - line[0]
    return width >= 40 and (previous[1] - previous[0] + 1 + word) > 0.8 * width


def _is_row(text: str, start: int, end: int) -> bool:
    return _ROW.match(text, start, end) is not None


def _cut(text: str, start: int, end: int) -> Iterator[Span]:
    """Give the sentences of one run of lines; its ends are not white space."""
    begin = start
    for match in _STOP.finditer(text, start, end):
        if match.end() < end and _ends(text, match, begin):
            yield begin, match.end()
            begin = match.end()
            while text[begin].isspace():
                begin += 1
    yield begin, end


def _ends(text: str, match: re.Match[str], begin: int) -> bool:
    """Say whether a stop that is followed by white space (or a wide one) ends the sentence."""
    if match["wide"]:
        return True
    following = _NEXT_WORD.match(text, match.end())
    word = following[1] if following else ""
    if not word or word[0].islower():
        return False
    if match["stop"] != "." or match["quote"]:
        return True
    before = _WORD_BEFORE.search(text, max(begin, match.start() - _REACH), match.start())
    token = before[0] if before else ""
    start = match.start() - len(token)
    earlier = text[max(begin, start - _REACH) : start].split()
    return _full_stop(token, word, earlier[-1].lower() if earlier else "")


def _full_stop(token: str, word: str, earlier: str) -> bool:
    """Say whether a single full stop after ``token`` and before ``word`` ends the sentence.

    ``earlier``: the sentence's word before ``token``, folded, or empty.
    """
    folded = token.lower()
    if folded in _BINDING:
        return False
    if folded in _NUMBERED:
        return not word[0].isdigit()
    if not earlier and (token.isdigit() or len(token) == 1):
        return False  # the number of a list item
    if token[:1].isdigit() and earlier in _NUMBERED:
        return False  # "Item 1A. Risk Factors"
    initial = len(token) == 1 and token.isupper()
    if initial or folded in _OPEN or re.fullmatch(r"(?:[A-Za-z]\.)+[A-Za-z]", token):
        return word.lower() in _STARTERS and word != "I"
    return True
