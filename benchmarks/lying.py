"""Lies of eight kinds, made from true claims; each proven not to be true elsewhere in its evidence.

A lie leaves the rest of the claim as it was, and its quotes are the honest ones, but for the four kinds
that are about quotes, which leave the claim alone. What cannot be proven a lie is no option.
The words and figures here are found by rules of their own, not by those that are to be judged.
"""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from honest_claims import Honest

from evals.grounding import Quote
from indexes.analysis import analyse
from indexes.sentences import sentences


@dataclass(frozen=True, slots=True)
class Lie:
    """A case: a claim and its quotes, of which one or the other lies."""

    kind: str
    variant: str
    honest: Honest
    claim: str
    quotes: tuple[Quote, ...]


Options = list[tuple[str, str]]
"""Lies that could be told of one claim: variant and text."""
Draw = Callable[[Honest, random.Random], Options]
_FIGURE = re.compile(
    r"(?<![\w.,-])\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\w,-])|(?<![\w.,-])\d+(?:\.\d+)?(?![\w.,-]*\d|\w|-)"
)
_NUMERALS = "two three four five six seven eight nine ten eleven twelve fifteen twenty thirty".split()
_NUMERAL = re.compile(rf"\b(?:{'|'.join(_NUMERALS)})\b")
_MONTHS = "January February March April May June July August September October November December".split()
_MONTH = re.compile(rf"\b(?:{'|'.join(_MONTHS)})\b")
_UNITS = (
    ("million", "billion"), ("billion", "million"), ("thousand", "million"), ("%", " percentage points"),
    ("percent", "percentage points"), ("days", "weeks"), ("weeks", "months"), ("months", "weeks"),
    ("years", "months"), ("hours", "minutes"), ("minutes", "hours"), ("km", "miles"), ("miles", "km"),
    ("$", "€"), ("€", "$"),
)  # fmt: skip
_NAME = re.compile(r"(?<![.!?:*>-]\s)(?<!^)(?<![\w.\n>-])[A-Z][a-z]+(?:\s[A-Z][a-z]+)*(?![\w-])")
_MONTH_NAME = re.compile(rf"(?:{'|'.join(_MONTHS)})\b")


def words_of(text: str) -> set[str]:
    """Return the content words of a text without its numbers."""
    return {term for term in analyse(text) if not any(sign.isdigit() for sign in term)}


def wrong_number(honest: Honest, generator: random.Random) -> Options:
    """Change a figure, numeral, year, month or unit; the new one stands nowhere in the passage."""
    said = honest.claim
    options: Options = []
    for match in _FIGURE.finditer(said):
        new = _other_figure(match[0], generator)
        is_year = re.fullmatch(r"(?:1[5-9]|20)\d\d", match[0]) is not None
        if not _stands(new, honest.passage):
            options.append(("year" if is_year else "figure", _put(said, match, new)))
    for match in _NUMERAL.finditer(said):
        new = generator.choice([word for word in _NUMERALS if word != match[0]])
        figure = str(_value(new))
        if not re.search(rf"\b{new}\b", honest.passage, re.IGNORECASE) and not _stands(
            figure, honest.passage
        ):
            options.append(("numeral", _put(said, match, new)))
    for match in _MONTH.finditer(said):
        new = generator.choice([month for month in _MONTHS if month != match[0]])
        if new[:3] not in honest.passage:
            options.append(("month", _put(said, match, new)))
    for one, other in _UNITS:
        pattern = rf"(?<=\d)\s?{re.escape(one)}(?!\w)|(?<=\w )\b{re.escape(one)}\b"
        pattern = re.escape(one) + r"(?=\s?\d)" if one in "$€" else pattern
        found = re.search(pattern, said)
        near = said[max(0, found.start() - 14) : found.start()] if found else ""
        numbered = found and (one in "$€" or _FIGURE.search(near) or _NUMERAL.search(near))
        if found and numbered and other.strip() not in honest.passage and one in honest.basis:
            new = other if one in "$€%" or found[0][0] != " " else f" {other}"
            options.append(("unit", _put(said, found, new)))
    return options


def _value(numeral: str) -> int:
    return (*range(2, 13), 15, 20, 30)[_NUMERALS.index(numeral)]


def _other_figure(figure: str, generator: random.Random) -> str:
    places = [at for at, sign in enumerate(figure) if sign.isdigit() and (at or len(figure) == 1)]
    at = generator.choice(places)
    digit = generator.choice([sign for sign in "123456789" if sign != figure[at]])
    return figure[:at] + digit + figure[at + 1 :]


def _stands(figure: str, text: str) -> bool:
    bare = figure.replace(",", "")
    return any(found[0].replace(",", "") == bare for found in re.finditer(r"\d[\d,]*(?:\.\d+)?", text))


def _put(text: str, match: re.Match[str], new: str) -> str:
    return text[: match.start()] + new + text[match.end() :]


def neighbours_number(honest: Honest, generator: random.Random) -> Options:
    """Put a number that stands in the same passage by something else; or exchange two of the claim.

    Proof of the first: each stands once in the passage, in different sentences, and the sentence of the
    other number says less of the claim (under half of its words, or half of what the right one says). Of
    the second: three words or more stand between them in claim and quote, and each stands there once.
    In a table: the other number is in the same row under another year, and the row has it once.
    """
    if honest.table:
        return _neighbour_cell(honest, generator)
    said = honest.claim
    options: Options = []
    figures = [match for match in _FIGURE.finditer(said) if honest.passage.count(match[0]) == 1]
    told = [honest.passage[start:end] for start, end in sentences(honest.passage)]
    words = words_of(said)
    for match in figures:
        own = [sentence for sentence in told if _stands(match[0], sentence)]
        if len(own) != 1 or not any(_stands(match[0], quote) for quote in honest.quotes):
            continue
        reach = len(words & words_of(own[0]))
        for sentence in told:
            for other in _FIGURE.finditer(sentence):
                alike = _sort(sentence, other) == _sort(said, match) and other[0] != match[0]
                once = honest.passage.count(other[0]) == 1 and not _stands(other[0], said)
                far = len(words & words_of(sentence)) * 2 < min(reach, len(words))
                if alike and once and far and sentence != own[0]:
                    cited = any(_stands(other[0], quote) for quote in honest.quotes)
                    options.append(("quoted" if cited else "beside", _put(said, match, other[0])))
    for first, second in pairwise(figures):
        between = said[first.end() : second.start()]
        same = _sort(said, first) == _sort(said, second) and first[0] != second[0]
        if (
            same
            and len(words_of(between)) >= 3
            and all(_once(each[0], honest.basis) for each in (first, second))
        ):
            swapped = said[: first.start()] + second[0] + between + first[0] + said[second.end() :]
            options.append(("exchanged", swapped))
    return options


def _neighbour_cell(honest: Honest, generator: random.Random) -> Options:
    cells = honest.basis.split(" | ")
    figures = [cell for cell in cells[1:] if _FIGURE.search(cell)]
    own = next((cell for cell in figures if f" {cell} " in honest.claim), None)
    others = [cell for cell in figures if cell != own]
    if own is None or not others:
        return []
    return [("cell", honest.claim.replace(f" {own} ", f" {generator.choice(others)} "))]


def _once(figure: str, text: str) -> bool:
    return text.count(figure) == 1


def _sort(text: str, match: re.Match[str]) -> str:
    """Return what kind of number it is: a year, money, a share, or plain with the word that follows."""
    if re.fullmatch(r"(?:1[5-9]|20)\d\d", match[0]):
        return "year"
    before, after = text[: match.start()].rstrip()[-1:], text[match.end() :].strip().split(" ")
    if before in ("$", "€", "£"):
        return before + (after[0] if after[0] in ("million", "billion") else "")
    return after[0].strip(".,;)") if after[0][:1].isalpha() or after[0][:1] == "%" else ""


def _is_name(written: str) -> bool:
    """Say whether it is neither a month nor a capitalised word that is no content word ("The", "What")."""
    return not _MONTH_NAME.match(written) and all(analyse(word) for word in written.split())


def swapped_name(honest: Honest, generator: random.Random) -> Options:
    """Put another name: of another document, of the passage, of the quotes; or exchange two of the claim.

    Proof: the new name stands nowhere in the passage (foreign), in no quote (beside), or only in quotes
    that lack the old one and say under half of the claim (quoted). Exchanged: each stands once in claim
    and quote, with two content words between them and nothing that makes their order idle.
    """
    if honest.table:
        return []
    said = honest.claim
    options: Options = []
    names = [match for match in _NAME.finditer(said) if _is_name(match[0])]
    names = [match for match in names if any(match[0] in quote for quote in honest.quotes)]
    cited = " ".join(honest.quotes)
    words = words_of(said)
    foreign = [name[0] for other in honest.others for name in _NAME.finditer(other) if _is_name(name[0])]
    beside = [name[0] for name in _NAME.finditer(honest.passage) if _is_name(name[0])]
    for match in names:
        drawn = generator.sample(foreign, min(5, len(foreign)))
        for new in drawn:
            if not words_of(new) & words_of(honest.passage + honest.question + said + honest.title):
                options.append(("foreign", _put(said, match, new)))
        for new in beside:
            apart = not words_of(new) & (words_of(said) | words_of(match[0]))
            if apart and not words_of(new) & words_of(cited):
                options.append(("beside", _put(said, match, new)))
            holding = [quote for quote in honest.quotes if new in quote]
            weak = all(len(words & words_of(q)) * 2 < len(words) and match[0] not in q for q in holding)
            if apart and holding and weak and new not in honest.basis:
                options.append(("quoted", _put(said, match, new)))
    for first, second in pairwise(names):
        between = said[first.end() : second.start()]
        if _ordered(first[0], second[0], between, honest):
            swapped = said[: first.start()] + second[0] + between + first[0] + said[second.end() :]
            options += [("exchanged", swapped)]
    return options


_IDLE = re.compile(
    r"\b(?:and|or|nor|versus|vs|between|both|either|neither|with|met|married|wed|meets|joins?|joined|alongside"
    r"|together|also|including|called|known|named|is|are|was|were)\b|[,;/]"
)


def _ordered(first: str, second: str, between: str, honest: Honest) -> bool:
    """Does the order of two names matter, as far as words tell?"""
    if first == second or words_of(first) & words_of(second) or len(words_of(between)) < 2:
        return False
    once = all(text.count(name) == 1 for name in (first, second) for text in (honest.claim, honest.basis))
    return once and not _IDLE.search(between)


_NEGATED = re.compile(
    r"\b(?:not|no|never|none|nor|neither|cannot|without|nobody|nothing|\w*n['’ ]?t)\b|\bn't", re.IGNORECASE
)
_DROPS = (
    (
        re.compile(
            r"\b(is|are|was|were|will|can|must|should|may|does|do|did|has|have|had|would|could) not\b"
        ),
        r"\1",
    ),
    (re.compile(r"\b(is|are|was|were|has|have|had|would|could|should)n['’]t\b"), r"\1"),
    (re.compile(r"\bcannot\b|\bcan['’]t\b"), "can"),
    (re.compile(r"\b(?:do|does|did)n['’]t "), ""),
    (re.compile(r"\bnever "), ""),
    (re.compile(r"\bno longer "), "still "),
    (re.compile(r"\bwithout\b"), "with"),
    (re.compile(r"\bno (?=[a-z])"), "a "),
)
_AUXILIARY = re.compile(
    r"\b(is|are|was|were|will|can|must|should|has been|have been) (?!not\b|n't\b|no\b)(?=([a-z]+))"
)
_PAST = re.compile(r"(?<=[a-z] )(?=[a-z]+ed (?!by\b))")
_TURNS = """
    increased:decreased increase:decrease increases:decreases higher:lower more:less before:after above:below
    first:last include:exclude includes:excludes including:excluding won:lost win:lose started:ended
    begins:ends
    began:ended largest:smallest highest:lowest best:worst most:least maximum:minimum north:south east:west
    northern:southern eastern:western left:right father:mother son:daughter brother:sister husband:wife
    public:private internal:external accept:reject accepted:rejected allowed:forbidden required:optional
    positive:negative early:late inside:outside legal:illegal majority:minority possible:impossible
    strong:weak joined:left opened:closed added:removed bought:sold same:different buy:sell earlier:later
    older:younger longer:shorter gains:losses gain:loss income:expense assets:liabilities current:former
    favorable:unfavorable able:unable upper:lower long:short always:never good:bad successful:unsuccessful
""".split()
_BOUNDS = (
    ("at least", "at most"), ("at most", "at least"), ("more than", "less than"), ("less than", "more than"),
    ("up to", "at least"), ("fewer than", "more than"), ("over", "under"), ("until", "from"),
    ("some", "all"), ("many", "all"), ("most", "all"), ("usually", "always"), ("often", "always"),
    ("sometimes", "always"), ("generally", "always"), ("typically", "always"), ("before", "after"),
    ("after", "before"), ("only", "not only"),
)  # fmt: skip
_HELD = "believed|thought|said|reported|claimed|expected|alleged|assumed"
_HEDGES = (
    (re.compile(r"\b(?:may|might|could) be\b"), "is"),
    (re.compile(r"\b(?:may|might|could)(?= [a-z]+)"), "will"),
    (re.compile(rf"\b(is|are|was|were) (?:{_HELD}) to be\b"), r"\1"),
    (re.compile(r"\b(?:probably|possibly|perhaps|allegedly|reportedly|likely|presumably|supposedly) "), ""),
)  # fmt: skip


def flipped(honest: Honest, _: random.Random) -> Options:
    """Negate, un-negate, or turn a word, a bound or a hedge of the claim into its opposite.

    Proof: what is changed stands so in the quote that says most of the claim, once in the claim; what is
    put in its place stands in no quote.
    """
    said, basis, cited = honest.claim, honest.basis, " ".join(honest.quotes).lower()
    options: Options = []
    if not _NEGATED.search(said) and not _NEGATED.search(basis):
        options += [
            ("not", _after(said, found, " not ")) for found in _AUXILIARY.finditer(said) if found[0] in basis
        ][:1]
        options += [
            ("never", _put(said, found, "never "))
            for found in _PAST.finditer(said)
            if _next(said, found) in basis
        ][:1]
    for pattern, new in _DROPS:
        found = pattern.search(said)
        if (
            found
            and len(_NEGATED.findall(said)) == 1
            and len(_NEGATED.findall(basis)) == 1
            and found[0] in basis
        ):
            options += [("dropped", _put(said, found, found.expand(new)))]
    for pair in _TURNS:
        for one, other in (pair.split(":"), pair.split(":")[::-1]):
            options += [("word", turned) for turned in _turned(said, basis, cited, one, other)]
    for one, other in _BOUNDS:
        options += [("bound", turned) for turned in _turned(said, basis, cited, one, other)]
    for pattern, new in _HEDGES:
        found = pattern.search(said)
        if found and found[0] in basis and len(pattern.findall(" ".join(honest.quotes))) == 1:
            options += [("hedge", _put(said, found, found.expand(new)))]
    return options


def _after(said: str, found: re.Match[str], new: str) -> str:
    return said[: found.end(1)] + new + said[found.end() :]


def _next(said: str, found: re.Match[str]) -> str:
    return " ".join(said[found.end() :].split(" ")[:2])


def _turned(said: str, basis: str, cited: str, one: str, other: str) -> Sequence[str]:
    """Return the claim with one word for the other: once there, so in the basis; the other in no quote."""
    pattern = re.compile(rf"\b{one}\b")
    if len(pattern.findall(said)) != 1 or not pattern.search(basis) or re.search(rf"\b{other}\b", cited):
        return ()
    near = pattern.search(said)
    assert near is not None
    around = said[near.start() : near.end() + 12]
    return (pattern.sub(other, said),) if around[: len(one) + 4] in basis else ()


CLAIM_LIES: dict[str, Draw] = {
    "wrong number": wrong_number,
    "neighbour's number": neighbours_number,
    "swapped name": swapped_name,
    "flipped negation": flipped,
}
