"""A compound question -> its parts: "How many days do I get and how do I apply?" asks two things.

English, by rules, and careful: what is not plainly two questions stays one. Where a split is wrong, a part
would be reported as missing that nobody asked for.
"""

import re

from indexes.analysis import analyse
from indexes.sentences import sentences

MAX_ASPECTS = 4  # who asks more at once gets the rest in the last part
MIN_TERMS = 2  # of the first part: "Who wrote and who sang Imagine?" shares what comes last

_ASKING = r"(?:how|what|why|when|where|who|whom|whose|which)"
_VERB = (
    r"(?:is|are|was|were|am|do|does|did|can|could|may|might|must|should|shall|will|would|has|have|had"
    r"|isn't|aren't|wasn't|weren't|don't|doesn't|didn't|can't|won't)"
)
# After a verb that opens a question; in "the doctor that led it and was criticised" there is none.
_SUBJECT = (
    r"(?:it|they|he|she|i|we|you|there|this|that|these|those|the|an?|my|our|your|their|his|her|its|any|some)"
)
_JOINT = re.compile(
    rf"\s*[,;]?\s+(?:and|as\s+well\s+as)\s+(?:also\s+|if\s+so,?\s+|then\s+)?"
    rf"(?=(?:{_ASKING}\b|{_VERB}\s+{_SUBJECT}\b))",
    re.IGNORECASE,
)
_BEGINS = re.compile(
    rf"(?:(?:and|so|but|ok|okay|yes|no|well|also|please|hi|hello|then)\b[\s,]*)*(?:(?:{_ASKING}|{_VERB})\b"
    r"|(?:in|on|at|by|for|to|from|with|under|until|since)\s+(?:what|which|whom|when)\b"
    r"|(?:tell|explain|describe|show|list|give|name)\b)",
    re.IGNORECASE,
)
_RELATIVE = re.compile(r"\b(?:who|whom|whose|which|that|where|when)\b", re.IGNORECASE)
_UNFINISHED = re.compile(r"\b(?:the|an?|most|least|more|less|\w+est)$", re.IGNORECASE)  # shares what follows
_MAY_RELATE = re.compile(r"(?:who|whom|whose|which|where|when)\b", re.IGNORECASE)
_ONE_THING = re.compile(r"\b(?:between|both|difference|compare[ds]?|versus|vs)\b", re.IGNORECASE)
_ASIDE = re.compile(r"\s*\(([^()]*)\)[\s?.!]*$")
_POINTS = re.compile(
    r"\b(?:it|its|they|them|their|he|him|his|she|her|hers|this|that|these|those|there|one|ones|such|same)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+(?:['’.&-][^\W_]+)*")
_MEASURES = frozenset(analyse("much many long far old often soon big high large"))


def aspects(question: str) -> tuple[str, ...]:
    """Return the parts of a compound question, in order, each a span of it word for word.

    Stops, commas, the joining word and a bracket at the end stand in no part. A single question is its own
    only part; white space alone gives none. Never more than ``MAX_ASPECTS``.
    """
    single = question.strip()
    if not single:
        return ()
    whole = _ASIDE.sub("", single)
    asked = [whole[start:end] for start, end in sentences(whole) if whole[start:end].endswith("?")]
    parts = [part for sentence in asked for part in _split(sentence)] if len(asked) > 1 else _split(whole)
    parts = [_bare(part) for part in parts]
    if len(asked) > 1 and not all(_BEGINS.match(part) and _stands_alone(part) for part in parts):
        return (single,)
    return tuple(parts) if 1 < len(parts) <= MAX_ASPECTS else (single,)


def _split(sentence: str) -> list[str]:
    """Cut one sentence where a joint is followed by a question of its own."""
    for joint in _JOINT.finditer(sentence):
        left, right = sentence[: joint.start()], sentence[joint.end() :]
        if _two_questions(left, right):
            return [left, *_split(right)]
    return [sentence]


def _two_questions(left: str, right: str) -> bool:
    opening = _BEGINS.match(left.lstrip("\"' "))
    if not opening or len(set(analyse(left)) - _MEASURES) < MIN_TERMS or not _stands_alone(right):
        return False
    if _ONE_THING.search(left) or _UNFINISHED.search(left):
        return False
    # "the man who built it and who died": there the word goes on what a relative clause began.
    return not (_MAY_RELATE.match(right) and _RELATIVE.search(left, opening.end()))


def _stands_alone(part: str) -> bool:
    """Does it name anything that could be looked for?"""
    return bool(set(analyse(part)) - _MEASURES)


def _bare(part: str) -> str:
    return part.strip().rstrip("?.!,; ").strip()


def resolved(question: str, parts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the parts of a question as they can be looked up: one that points back is told what to.

    "Who bought it and where is it now?" asks in its second part after what the first one names: it gets
    all words of the part before that are not in it. What stands in a bracket at the question's end, as
    where a follow-up was made standalone, belongs to every part.
    """
    aside = _ASIDE.search(question.strip())
    whole: list[str] = []
    for part in parts:
        words = _WORD.findall(aside[1]) if aside else []
        if whole and (_POINTS.search(part) or len(set(analyse(part)) - _MEASURES) < MIN_TERMS):
            words = _WORD.findall(whole[-1])
        known = set(analyse(part))
        whole.append(" ".join([part, *(word for word in words if set(analyse(word)) - known - _MEASURES)]))
    return tuple(whole)
