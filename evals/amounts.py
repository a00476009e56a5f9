"""Numbers and dates of a sentence, in a form in which two ways of writing one thing are equal."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Amount:
    """A number with its unit: ``value`` scaled ("1.2 million" is 1200000), ``unit`` "" where there is none.

    Currencies by their code, units of time and measure in the singular, ``%`` for per cent.
    """

    value: Decimal
    unit: str
    span: Span


@dataclass(frozen=True, slots=True)
class Date:
    """A calendar date as far as it is written: each part None where it is not."""

    year: int | None
    month: int | None
    day: int | None
    span: Span

    def fits(self, other: "Date") -> bool:
        """Say whether every part that this date states is stated alike by the other."""
        mine, theirs = (self.year, self.month, self.day), (other.year, other.month, other.day)
        return all(part is None or part == same for part, same in zip(mine, theirs, strict=True))


_MONTHS = "january february march april may june july august september october november december".split()
_MONTH = {name[:width]: at for at, name in enumerate(_MONTHS, 1) for width in (3, len(name))} | {"sept": 9}
_NAMED = "|".join(sorted(_MONTH, key=len, reverse=True))
_ORDINAL = r"(?:st|nd|rd|th)?"
_DATES = [
    re.compile(r"\b(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})\b"),
    re.compile(
        rf"\b(?P<day>\d{{1,2}}){_ORDINAL}(?:\s+of)?\s+(?P<name>{_NAMED})\b\.?(?:\s?,?\s+(?P<year>\d{{4}}))?",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\b(?P<name>{_NAMED})\b\.?\s+(?P<day>\d{{1,2}}){_ORDINAL}\b(?!\s*%)(?:\s?,?\s+(?P<year>\d{{4}}))?",
        re.IGNORECASE,
    ),
    re.compile(rf"\b(?P<name>{_NAMED})\b\.?\s?,?\s+(?P<year>\d{{4}})\b", re.IGNORECASE),
    re.compile(rf"(?<!^)\b(?P<name>{'|'.join(name.title() for name in _MONTHS)})\b(?!\s+[A-Z][a-z])"),
    # Not the verb "may", nor a woman called April.
]

_DATED = re.compile(rf"\d{{4}}-\d\d-\d\d|\b(?:{_NAMED})\b", re.IGNORECASE)  # most texts have none

_WORDS = {
    word: Decimal(at)
    for at, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
        "sixteen seventeen eighteen nineteen twenty".split()
    )
} | {
    word: Decimal(at)
    for at, word in zip(
        range(30, 100, 10), "thirty forty fifty sixty seventy eighty ninety".split(), strict=True
    )
}
_SCALES = {
    "hundred": 10**2,
    "thousand": 10**3,
    "k": 10**3,
    "million": 10**6,
    "m": 10**6,
    "mn": 10**6,
    "billion": 10**9,
    "bn": 10**9,
    "trillion": 10**12,
}
_CURRENCIES = """
    usd: $ us$ usd dollar; eur: € eur euro; gbp: £ gbp pound; jpy: ¥ jpy yen; chf: chf franc; cent: cent
"""
_MEASURES = """
    %: % percent pct percentage; point: pp pt point; second: second sec; minute: minute min;
    hour: hour hr h; day: day;
    week: week; month: month; quarter: quarter; year: year yr; mm: mm; cm: cm; m: metre meter;
    km: km kilometre kilometer; mile: mile; inch: inch; foot: foot feet; g: g gram; kg: kg kilogram;
    tonne: tonne; ton: ton; lb: lb; ml: ml; l: litre liter; °c: °c; °f: °f; kb: kb; mb: mb; gb: gb; tb: tb;
    w: w; kw: kw; kwh: kwh; v: v; degree: degree
"""
_UNITS = {
    written: unit.strip()
    for entry in f"{_CURRENCIES};{_MEASURES}".split(";")
    for unit, _, spellings in [entry.partition(":")]
    for written in spellings.split()
}
_NUMBER = re.compile(
    r"(?P<before>US\$|[$€£¥]|\b(?:USD|EUR|GBP|CHF|JPY)\b)?\s?"
    r"(?P<sign>(?<![\w.])[-\u2212+])?"
    r"(?P<figure>(?<![\w.,])\d{1,3}(?:[,\u00a0\u202f]\d{3})+(?:\.\d+)?"
    r"|(?<![\w.,])\d+(?:\.\d+)*|(?<=[A-Za-z€£$¥])\d+(?:\.\d+)?)"
    r"(?:\s*(?P<scale>hundred|thousand|million|billion|trillion|bn|mn|k|m)\b)?"
    r"(?:[\s-]*(?P<after>percentage[\s-]points?|%|°[CF]|[€£$]|[A-Za-z]+))?",
    re.IGNORECASE,
)
_YEAR = re.compile(r"(?:1[5-9]|20)\d\d")
_SPELLED = re.compile(
    rf"\b(?P<tens>(?:{'|'.join(_WORDS)})(?:\s?-\s?(?:{'|'.join(list(_WORDS)[1:10])}))?)\b"
    r"(?:\s+(?P<scale>hundred|thousand|million|billion)\b)?(?:[\s-]+(?P<after>[A-Za-z]+))?",
    re.IGNORECASE,
)


@lru_cache(maxsize=2048)
def dates(text: str) -> tuple[Date, ...]:
    """Return the dates of a text in order, each as full as it is written; a lone year is an amount.

    A month's name alone counts where it is capitalised and not the text's first word.
    """
    found: list[Date] = []
    if not _DATED.search(text):
        return ()
    for pattern in _DATES:
        for match in pattern.finditer(text):
            parts = match.groupdict()
            month = _MONTH[parts["name"].lower()] if parts.get("name") else int(parts["month"])
            date = Date(_int(parts.get("year")), month, _int(parts.get("day")), match.span())
            if not any(date.span[0] < other.span[1] and other.span[0] < date.span[1] for other in found):
                found.append(date)
    return tuple(sorted(found, key=lambda date: date.span))


def amounts(text: str, *, outside: Sequence[Span] = ()) -> tuple[Amount, ...]:
    """Return the numbers of a text in order, in figures or words, without those inside ``outside`` spans.

    "one" alone is a pronoun as often as a number and is left out, unless a unit follows it.
    """
    found = [_amount(match) for match in _NUMBER.finditer(text)]
    found += [spelled for match in _SPELLED.finditer(text) if (spelled := _spelled(match))]
    kept = [
        each
        for each in found
        if not any(start < each.span[1] and each.span[0] < end for start, end in outside)
    ]
    return tuple(sorted(kept, key=lambda each: each.span))


def _amount(match: re.Match[str]) -> Amount:
    figure = re.sub(r"[,\u00a0\u202f]", "", match["figure"])
    if figure.count(".") > 1:  # a version or a section: never equal to a plain number
        return Amount(Decimal(-1), figure, match.span("figure"))
    scale = _SCALES[match["scale"].lower()] if match["scale"] else 1
    sign = -1 if (match["sign"] or "") in ("-", "\u2212") else 1
    unit = _unit(match["before"]) or _unit(match["after"])
    return Amount(sign * Decimal(figure) * scale, unit, match.span("figure"))


def _spelled(match: re.Match[str]) -> Amount | None:
    value = sum((_WORDS[part.strip()] for part in match["tens"].lower().split("-")), Decimal(0))
    unit = _unit(match["after"])
    if value == 1 and not unit and not match["scale"]:
        return None
    scale = _SCALES[match["scale"].lower()] if match["scale"] else 1
    return Amount(value * scale, unit, match.span("tens"))


def is_year(amount: Amount, text: str) -> bool:
    """Say whether an amount of the text is written as a year is: four bare digits, 1500 to 2099."""
    return not amount.unit and _YEAR.fullmatch(text, *amount.span) is not None


def is_scale(word: str) -> bool:
    """Say whether the word scales a number: "million"."""
    return word.lower() in _SCALES


def is_unit(word: str) -> bool:
    """Say whether the word is written for a unit or a currency."""
    return bool(_unit(word))


def _unit(word: str | None) -> str:
    folded = (word or "").lower().removeprefix("percentage ").removeprefix("percentage-")
    return _UNITS.get(folded) or _UNITS.get(folded.removesuffix("s"), "")


def _int(digits: str | None) -> int | None:
    return int(digits) if digits else None
