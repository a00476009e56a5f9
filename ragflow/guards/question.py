"""What is wrong with a question: orders to the program instead of a question, and secrets in it."""

import re
from collections.abc import Collection

from indexes.injection import scan
from ragflow.asking import Inspected
from ragflow.redact import Kind, private

# A question may well ask for French or for a table; it may not drop the rules, or ask for them.
_ORDERS = frozenset({"override", "impersonation", "exfiltration"})
_WORDINGS = re.compile(
    r"\b(?:what (?:is|are|was|were)|show|print|reveal|repeat|tell|give|output|display|list|recite|leak)\b"
    r"(?: (?:me|us|out|exactly|to me))* (?:(?:all|of|the|every) )*"
    r"(?:your|the (?:hidden|secret|initial|original))"
    r" (?:(?:hidden|secret|initial|original|exact|full|own|system) )*(?:system )?(?:prompts?|instructions?)\b"
    r"(?! (?:for|on|about|of|to|in|regarding|when|if)\b)"
    r"|\b(?:repeat|print|output|show|copy)(?: \w+){0,3} (?:text|words|lines|everything|message) above\b",
    re.IGNORECASE,
)
_RIGHTS = re.compile(
    r"(?:^|[.,;:!]\s*|\band |\bthen )(?:please )?"
    r"(?:bypass|ignore|disable|override|skip|switch off|turn off|circumvent|without checking)"
    r"(?: (?:all|any|the|your|my|access|security|reading))*"
    r" (?:permissions?|access (?:control|rights?|checks?|rules?)|(?:content|safety) (?:filters?|checks?)"
    r"|guard ?rails?)\b"
    r"|\b(?:show|list|print|give|dump|reveal|display|return)(?: (?:me|us))?(?: (?:all|every|any|of|the))*"
    r" (?:\w+ )?(?:documents?|files?|pages?|sources?|records?)(?: that)?(?: (?:i|we))"
    r" (?:may not|must not|cannot|can't|am not|are not|don't have)\b"
    r"|^\W*(?:as|i am|i'm|you are talking to|pretend i am|assume i am|treat me as|acting as)"
    r"(?: (?:an?|the|your|now))* (?:system |site |super ?)?"
    r"(?:admin(?:istrator)?|root|superuser|developer|owner|auditor)\b[^.?!]{0,20}[,.:;!]? (?:please )?"
    r"(?:show|list|print|give|dump|reveal|display|open|grant|ignore|unlock)\b",
    re.IGNORECASE,
)

BLOCKED = "the question reads like an order to the program, not like a question"
ORDER = "the question reads like an order to the program; only what it asks of the documents is answered"


def inspect(text: str, *, block: bool, redacted: Collection[Kind]) -> Inspected:
    """Say whether a question is one, and warn of what has to be blanked in it.

    ``block``: orders to the program are not answered, else they are warned of. ``redacted``: the kinds of
    private data that are blanked in questions. An ordinary question gives neither.
    """
    warnings = []
    order = reads_like_order(text)
    if order and not block:
        warnings.append(ORDER)
    return Inspected(BLOCKED if order and block else None, (*warnings, *blanked(text, redacted)))


def blanked(text: str, kinds: Collection[Kind]) -> tuple[str, ...]:
    """Return the warning that private data of these kinds was blanked; none where there is none."""
    found = sorted({one.label for one in private(text, kinds)})
    return (f"the question holds private data, which was blanked: {', '.join(found)}",) if found else ()


def reads_like_order(text: str) -> bool:
    """Tell whether a question asks for the program's instructions, or to drop them, or for others' rights."""
    if _WORDINGS.search(text) or _RIGHTS.search(text):
        return True
    return any(flag.family in _ORDERS for flag in scan(text))
