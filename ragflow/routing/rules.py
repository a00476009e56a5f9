"""The rules of ``routes``: each is looked at in the file's order, and the first that matches decides."""

from collections.abc import Callable, Collection, Sequence
from functools import lru_cache

from pydantic import ValidationError

from ragflow.asking import Question, Tried
from ragflow.route_sections import RouteRule, When, pattern
from ragflow.routing.wording import question_run, run, says

NOTHING_THERE = "none of its sources holds anything that you may read"
"""The same words whether such documents are hidden from the asker or not there."""

Detect = Callable[[str], str | None]
"""Text -> its language as ISO 639-1, None where it is not sure."""


def first(
    rules: Sequence[RouteRule], question: Question, *, readable: Collection[str], language: Detect
) -> tuple[RouteRule | None, tuple[Tried, ...]]:
    """Return the first rule that matches, else None, and every rule that was looked at.

    ``readable``: the sources that may be searched. A rule all of whose sources are outside it is passed
    over before its conditions are looked at, so that they tell nothing.
    """
    tried: list[Tried] = []
    for rule in rules:
        if rule.sources and not set(rule.sources) & set(readable):
            tried.append(Tried(rule.name, matched=False, because=NOTHING_THERE))
            continue
        matched, because = matches(rule.when, question, language=language)
        tried.append(Tried(rule.name, matched, because))
        if matched:
            return rule, tuple(tried)
    return None, tuple(tried)


def matches(when: When, question: Question, *, language: Detect) -> tuple[bool, str]:
    """Tell whether every condition holds, and why: what each matched by, or the first that does not hold.

    What a rule names and the asker did not say is not repeated to them.
    """
    reasons: list[str] = []
    for holds, because in (
        _readers(when, question),
        _metadata(when, question),
        _any(when, question),
        _all(when, question),
        _regex(when, question),
    ):
        if not holds:
            return False, because
        reasons += [because] if because else []
    if when.language:  # last: telling a language costs more than all the rest
        found = language(question.text)
        if found not in when.language:
            told = f'it is written in "{found}"' if found else "its language cannot be told"
            return False, f"{told}, which is not the rule's"
        reasons.append(f'it is written in "{found}"')
    return True, ", and ".join(reasons)


def _readers(when: When, question: Question) -> tuple[bool, str]:
    if not when.readers:
        return True, ""
    shared = sorted(question.readers.intersection(when.readers))
    if not shared:
        return False, "you are none of the readers that it is for"
    return True, f"you are {shared[0]}"


def _metadata(when: When, question: Question) -> tuple[bool, str]:
    for key, value in when.metadata.items():
        if question.metadata.get(key) != value:
            return False, f'the "{key}" that the question came with is not the rule\'s'
    return True, ", and ".join(f'"{key}" is "{value}"' for key, value in when.metadata.items())


def _any(when: When, question: Question) -> tuple[bool, str]:
    if not when.any:
        return True, ""
    asked = question_run(question.text)
    for phrase in when.any:
        if says(asked, run(phrase)):
            return True, f'it says "{phrase}"'
    return False, "it says none of the rule's words"


def _all(when: When, question: Question) -> tuple[bool, str]:
    if not when.all:
        return True, ""
    asked = question_run(question.text)
    if not all(says(asked, run(phrase)) for phrase in when.all):
        return False, "it does not say all of the rule's words"
    return True, "it says " + " and ".join(f'"{phrase}"' for phrase in when.all)


def _regex(when: When, question: Question) -> tuple[bool, str]:
    if when.regex is None:
        return True, ""
    try:
        _search(when.regex)(question.text)
    except ValidationError:
        return False, "the rule's pattern is not in it"
    return True, f"the pattern {when.regex} is in it"


@lru_cache(maxsize=256)
def _search(written: str) -> Callable[[str], object]:
    return pattern(written).validate_python
