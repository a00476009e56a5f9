"""Sentences and headings -> questions that they answer. No model is asked.

A question is only as good as the sentence: what leans on its neighbours ("this", "the above"), what is
no plain statement, and what fits no pattern gives none. Meant to be read by a person before it counts.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

from evals.grammar import VERBS, has_clause, words
from evals.patterns import PATTERNS
from indexes.analysis import analyse

_MOST_WORDS, _LEAST_WORDS = 40, 6
_MOST_SIGNS = 400  # patterns look at a text many times over
_MOST_ASKED = 24
_LEANING = re.compile(
    r"\b(?:this|these|those|it|they|them|he|she|him|above|below|following|here|aforementioned|such|latter|former|"
    r"same|respectively|earlier|later|again|also|too|else|otherwise|instead|his|her|"
    r"it['\u2019]s|that['\u2019]s|there|ones?|each other|as follows|e\.g|i\.e|etc|xyz|tbd|todo)\b",
    re.IGNORECASE,
)
# An answer that only points elsewhere proves nothing; nor does one whose link was its object.
_POINTING = re.compile(
    r"\b(?:below|above|following|as follows|here|these|this)\b|\b(?:in|at|to|the|see|with) ?[,.]",
    re.IGNORECASE,
)
_SPOILT = re.compile(
    r"https?:|www\.|[{}`|<>\[\]=\u2192~^#@\\*]|(?:^|\s):\w+:|\.\.|\u2026|\s[-\u2013]\s|\. [a-z]|(?i:\bnote:)"
)
_OWN = re.compile(r"\bI\b|\b(?:[Mm]e|[Mm]y)\b")  # told by someone, not ruled
_MARK = re.compile(
    r"(?:[-*+\u2022\u25e6\u25aa\u25cf\u25cb\u2013\u2014]|\(?(?:\d{1,3}|[a-zA-Z])[.)]|\[[ xX]\])\s+"
)
_NUMBERING = re.compile(
    r"(?:step |part |chapter |section |appendix )?(?:\d+(?:\.\d+)*|[IVX]+)[.):]?\s+", re.IGNORECASE
)
_EMPTY = words("page step section question answer note thing way do use get need know work make")
_COMMON = words(
    "a an the our your all each every you we if when to once after before in please contact ask email"
)


@dataclass(frozen=True, slots=True)
class Worded:
    """A question, the sentence that answers it, and how well such questions read (0 to 1)."""

    question: str
    answer: str
    worth: float


def unmarked(sentence: str) -> int:
    """Return how many characters of list marks stand before the sentence's own words."""
    match = _MARK.match(sentence)
    return match.end() if match else 0


def plain(sentence: str) -> str:
    """Return a sentence as one line without list marks; "" when it is no plain statement of fair length."""
    bare = " ".join(sentence[unmarked(sentence) :].split())
    if (
        not _LEAST_WORDS <= len(bare.split()) <= _MOST_WORDS
        or not bare[0].isupper()
        or not bare.endswith(".")
    ):
        return ""
    return "" if _SPOILT.search(bare) or _POINTING.search(bare) or _unbalanced(bare) else bare


def question_of(sentence: str, names: Collection[str]) -> Worded | None:
    """Return the question that a plain statement answers, or None.

    ``names``: words that keep their capital when they move inwards from the sentence's beginning.
    """
    bare = plain(sentence)
    if not bare or _OWN.search(bare):
        return None
    statement = _lowered(bare.rstrip("."), names)
    for pattern in PATTERNS:
        found = pattern(statement)
        if found is not None:
            question = _finished(found[0])
            return Worded(question, bare, found[1]) if stands_alone(question) else None
    return None


def question_of_heading(heading: str, title: str, names: Collection[str]) -> tuple[str, float] | None:
    """Return the question that a section under this heading answers, and how well it reads; or None."""
    line = " ".join(heading.split())
    numbered = _NUMBERING.match(line)
    bare = line[numbered.end() if numbered else 0 :].strip(" .:_")
    fair = len(bare) <= _MOST_SIGNS and 1 <= len(bare.split()) <= 14
    if not fair or _SPOILT.search(bare) or not bare[0].isalnum():
        return None
    asked, worth = _of_heading(bare, " ".join(title.split()), names)
    question = _finished(asked) if asked else ""
    return (question, worth) if stands_alone(question) else None


def stands_alone(question: str) -> bool:
    """Say whether a question can be understood without the page that it was taken from."""
    if not 3 <= len(question.split()) <= _MOST_ASKED or _LEANING.search(question) or _unbalanced(question):
        return False
    return len(set(analyse(question)) - _EMPTY) >= 2


_HOW = re.compile(r"(?P<asks>how|when|where|what) to (?P<deed>[^?]+)[?]?", re.IGNORECASE)
_ASKED_HOW = {"how": "do", "when": "should", "where": "can", "what": "should"}
_QUESTION = re.compile(r"(?:what|who|when|where|why|how) (?:is|are|do|does|can|should|must) ", re.IGNORECASE)
_ASKING = words(
    """
    who whom whose what when where why how which is are was were do does did can could may must should shall
    will would has have if in for to at
    """
)
_GENERIC = words(
    """
    overview introduction intro resources faq faqs summary links background notes contact contacts steps
    appendix references related more other misc miscellaneous general details context home index contents
    table welcome update updates example examples template templates tl;dr tldr status changelog people team
    """
)
_TIED = words("before after during in on at by for with without from to of and or but")


def _of_heading(heading: str, title: str, names: Collection[str]) -> tuple[str, float]:
    """Return the question without its mark, "" for none, and how well it reads."""
    verb, _, rest = heading.partition(" ")
    verb = verb.lower()
    if how := _HOW.fullmatch(heading):
        asks = how["asks"].lower()
        return f"{asks} {_ASKED_HOW[asks]} you {_lowered(how['deed'], names)}", 0.8
    if heading.endswith("?") or _QUESTION.match(heading):
        return heading if verb in _ASKING else "", 0.9
    if verb == "if" and "," not in rest:
        return f"what should you do if {rest}", 0.7
    if rest and _tells(verb, rest):
        return f"how do you {_ordered(verb, rest, names)}", 0.7
    bare = {verb, *rest.lower().split()}
    if bare & _GENERIC or verb in _TIED or has_clause(heading) or title.lower() == heading.lower():
        return "", 0.0
    titled = len(title.split()) >= 2 and '"' not in title + heading
    return (f'what does "{title}" say about {_lowered(heading, names)}' if titled else ""), 0.3


_DETERMINERS = words("a an the your our all any each every new")
# These are no nouns: a heading that begins with one tells what to do.
_CLEAR = words(
    """
    add apply ask attend avoid become build buy calculate choose complete configure connect contact convert
    create debug define delete deploy develop edit enable enroll ensure enter escalate find get give
    identify improve install keep maintain make manage monitor navigate notify obtain pay prepare prevent
    provide publish receive register remove renew replace resolve restart revoke rotate save select send
    start submit troubleshoot uninstall understand validate verify withdraw write
    """
)


def _tells(verb: str, rest: str) -> bool:
    """Say whether a heading that begins so is something to do, not a thing ("interview scorecard")."""
    determined = rest.split(maxsplit=1)[0].lower() in _DETERMINERS
    return verb in _gerunds() or verb in _CLEAR or (verb in VERBS and determined)


def _ordered(verb: str, rest: str, names: Collection[str]) -> str:
    """Return a heading as an order: ``Filing and paying claims`` -> ``file and pay claims``."""
    second = re.match(r"(and|or|&) (\w+)", rest, re.IGNORECASE)
    if second and second[2].lower() in _gerunds():
        rest = f"{second[1]} {_gerunds()[second[2].lower()]}{rest[second.end() :]}"
    return f"{_gerunds().get(verb, verb)} {_lowered(rest, names)}"


_DOUBLED = words("submit log refer transfer debug control plan run set get stop ship tag tab")


@cache
def _gerunds() -> dict[str, str]:
    """Return each verb's -ing form with the verb."""
    found = {}
    for verb in VERBS:
        silent = re.search(r"[^e]e$", verb)
        stem = verb[:-1] if silent else verb + verb[-1] if verb in _DOUBLED else verb
        found[stem + "ing"] = verb
    return found


def _finished(asked: str) -> str:
    asked = asked.rstrip(" ,;?")
    return f"{asked[0].upper()}{asked[1:]}?"


def _lowered(text: str, names: Collection[str]) -> str:
    """Lower the first word unless it is a name, or begins one."""
    first, _, rest = text.partition(" ")
    word = re.split(r"[,'\u2019/-]", first, maxsplit=1)[0]
    if "/" in first or not (word[1:].islower() or word == "A"):
        return text
    # "Federal Employee Viewpoint Survey" is a name, though "federal" stands elsewhere.
    named = word in names or (rest[:1].isupper() and word.lower() not in _COMMON)
    return text if named else text[:1].lower() + text[1:]


def _unbalanced(text: str) -> bool:
    pairs = (("(", ")"), ("\u201c", "\u201d"))
    return any(text.count(left) != text.count(right) for left, right in pairs) or text.count('"') % 2 == 1
