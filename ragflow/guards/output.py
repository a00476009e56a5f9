"""What speaks against showing a claim that its quotes prove: what it carries beside its words.

A claim is held against its own quotes. What stands in them may be shown, but for secrets and for tags that
would run; what a claim brings along from elsewhere (a link, an address, mark-up, the prompt) may not.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from evals.grounding import Finding
from ragflow.redact import Kind, private

_SECRETS: tuple[Kind, ...] = ("secret",)
_RUN = 8  # words: of the prompt in a claim; shorter runs are anybody's
_WORD = re.compile(r"\w+")
_LINK = re.compile(
    r"\b[a-z][a-z0-9+.-]{1,20}://[^\s<>\"'\])}]+"
    r"|\b(?:mailto|javascript|data|vbscript|file|tel):[^\s<>\"')\]]+"
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    r"|\b(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24}\b(?:/[^\s<>\"'\])}]*)?",
    re.IGNORECASE,
)
_TARGET = re.compile(r"\]\(\s*<?([^)\s>]+)|\]:\s*(\S+)")
_IMAGE = re.compile(r"!\[[^\]]*\](?:\([^)]*\)|\[[^\]]*\])")
_TAG = re.compile(r"</?[a-z!][^<>]{0,500}>", re.IGNORECASE)
_RUNS = re.compile(
    r"<\s*/?\s*(?:script|iframe|object|embed|link|meta|base|form|svg)\b|<[^>]*\bon\w+\s*=|(?:javascript|vbscript):"
    r"|data:text/html",
    re.IGNORECASE,
)
# "password: required" names no password; what is one has a digit, and is no date or plain number.
_NAMED = re.compile(
    r"\b(?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key)\s*[=:]\s*$", re.IGNORECASE
)


class Wordings:
    """The runs of eight words of the prompts, to find them again in a claim."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._runs = frozenset(run for text in texts for run in _runs(text))

    def repeated(self, claim: str, quotes: Iterable[str]) -> str | None:
        """Return the first run of eight words that a claim has from a prompt and from none of its quotes."""
        if not self._runs:
            return None
        own = {run for quote in quotes for run in _runs(quote)}
        return next((" ".join(run) for run in _runs(claim) if run in self._runs and run not in own), None)


def findings(claim: str, quotes: Sequence[str], wordings: Wordings) -> tuple[Finding, ...]:
    """Return what speaks against showing a claim whose quotes are these; nothing for plain words.

    Links, e-mail addresses and mark-up must stand in the quotes, compared without case and closing marks.
    Secrets and tags that run are never shown, not even word for word.
    """
    return tuple(Finding("unsupported", detail) for detail in _details(claim, quotes, wordings))


def _details(claim: str, quotes: Sequence[str], wordings: Wordings) -> Iterator[str]:
    held = _plain("\n".join(quotes))
    for link in _links(claim):
        if _bare(link) not in held:
            yield f"holds a link or address that its quotes do not: {_short(link)}"
    for found in (*_IMAGE.finditer(claim), *_TAG.finditer(claim)):
        if _plain(found[0]) not in held:
            yield f"holds mark-up that its quotes do not: {_short(found[0])}"
    if _RUNS.search(claim):
        yield "holds mark-up that could run"
    if _secret(claim):
        yield "holds what looks like a secret"
    run = wordings.repeated(claim, quotes)
    if run is not None:
        yield f"repeats the prompt: {run}"
    unseen = sorted({sign for sign in claim if _unseen(sign) and sign.casefold() not in held})
    if unseen:
        yield f"holds characters that cannot be seen: {', '.join(f'U+{ord(sign):04X}' for sign in unseen)}"


def _links(claim: str) -> Iterator[str]:
    """Give what would lead somewhere else, in whatever dress."""
    yield from (found[0] for found in _LINK.finditer(claim))
    yield from (found[1] or found[2] for found in _TARGET.finditer(claim))


def _bare(link: str) -> str:
    return link.casefold().rstrip(".,;:!?)]}>'\"*_/")


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _secret(claim: str) -> bool:
    for one in private(claim, _SECRETS):
        value = claim[one.start : one.end]
        if not _NAMED.search(claim, max(0, one.start - 40), one.start) or _random(value):
            return True
    return False


def _random(value: str) -> bool:
    """Tell whether a value that is called a password may be one: letters with digits or signs in them."""
    bare = value.strip(".,;:!?()[]\"'`*_")
    mixed = any(sign.isdigit() for sign in bare) and any(sign.isalpha() for sign in bare)
    return mixed or any(not sign.isalnum() and sign not in "-_/'\u2019.()" for sign in bare)


def _unseen(sign: str) -> bool:
    return sign not in "\t\n\r" and unicodedata.category(sign) in {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}


def _runs(text: str) -> Iterator[tuple[str, ...]]:
    words = _WORD.findall(text.casefold())
    return (tuple(words[at : at + _RUN]) for at in range(len(words) - _RUN + 1))


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}\u2026"
