"""Find secrets and personal data in a text, and take them out before it is recorded."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["secret", "personal"]
CLOSED = "[redacted]"  # what stands for a value that nobody is to see


@dataclass(frozen=True, slots=True)
class Private:
    """A span (code points, half-open) that is a secret or personal data; ``label`` says which, in a word."""

    start: int
    end: int
    label: str


@dataclass(frozen=True, slots=True)
class _Pattern:
    """What one sort of private data looks like; ``holds`` looks closer, such as at its check digits.

    A group ``keep`` is left in place, so that the rest stays readable.
    """

    kind: Kind
    label: str
    looks: re.Pattern[str]
    holds: Callable[[str], bool] = bool

    def sub(self, text: str) -> str:
        return self.looks.sub(self._put, text)

    def _put(self, found: re.Match[str]) -> str:
        if not self.holds(found[0]):
            return found[0]
        return f"{found.groupdict().get('keep') or ''}[{self.label}]"

    def spans(self, text: str) -> list[Private]:
        found = [match for match in self.looks.finditer(text) if self.holds(match[0])]
        return [
            Private(
                match.end("keep") if match.groupdict().get("keep") else match.start(), match.end(), self.label
            )
            for match in found
        ]


def _is_iban(text: str) -> bool:
    """ISO 13616: moved by four, letters as numbers, the whole is 1 modulo 97."""
    bare = text.replace(" ", "")
    return (
        15 <= len(bare) <= 34 and int("".join(str(int(sign, 36)) for sign in bare[4:] + bare[:4])) % 97 == 1
    )


def _is_card(text: str) -> bool:
    """Luhn's check, ISO/IEC 7812."""
    digits = [int(sign) for sign in text if sign.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _is_phone(text: str) -> bool:
    """A plus, brackets or a leading zero, and 7 to 15 digits: years, dates and amounts have none of it."""
    digits = sum(sign.isdigit() for sign in text)
    dated = re.fullmatch(r"\d{2}[./-]\d{2}[./-]\d{2,4}", text)
    return 7 <= digits <= 15 and text[0] in "+(0" and not dated


_SECRETS = [
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",  # AWS access key id
    r"\bAIza[0-9A-Za-z_-]{35}",  # Google API key
    r"\b(?:ghp|gho|ghu|ghs|ghr)_[0-9A-Za-z]{36,}\b|\bgithub_pat_[0-9A-Za-z_]{22,}\b",
    r"\bglpat-[0-9A-Za-z_-]{20,}",
    r"\bsk-[0-9A-Za-z_-]{20,}",  # OpenAI and those who copied its form
    r"\bsk_(?:live|test)_[0-9A-Za-z]{16,}\b",  # Stripe
    r"\bxox[abeoprs]-[0-9A-Za-z-]{10,}",  # Slack
    r"\beyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]*",  # JSON web token
    r"(?P<keep>\bbearer\s+)[0-9A-Za-z._~+/=-]{16,}",
    r"(?P<keep>\b[a-z][a-z0-9+.-]*://[^\s/:@]*:)[^\s/@]+(?=@)",  # password in a URL
    r"(?P<keep>\b(?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key)\s*[=:]\s*)[^\s,;]{6,}",
]
# In this order: what an earlier one took is gone for a later one.
_PATTERNS = (
    *(
        _Pattern("secret", "secret", re.compile(secret, re.IGNORECASE if "keep" in secret else 0))
        for secret in _SECRETS
    ),
    _Pattern("personal", "email", re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")),
    _Pattern(
        "personal",
        "iban",
        re.compile(r"\b[A-Z]{2}\d{2}(?: ?[0-9A-Z]{4}){2,7}(?: ?[0-9A-Z]{1,3})?\b"),
        _is_iban,
    ),
    _Pattern("personal", "card", re.compile(r"(?<![\d.,])\d(?:[ -]?\d){12,18}(?![\d.,]*\d)"), _is_card),
    _Pattern(
        "personal",
        "phone",
        re.compile(
            r"(?<![\w.])(?:\+\d{1,3}[ ./-]?)?(?:\(\d{1,5}\)[ ./-]?)?\d{2,8}(?:[ ./-]\d{2,8}){0,4}(?![\w.]*\d)"
        ),
        _is_phone,
    ),
)


def redact(text: str, kinds: Collection[Kind]) -> str:
    """Return the text with everything of these kinds replaced by ``[secret]``, ``[email]`` and so on.

    secret: private keys, cloud and service keys, bearer tokens, passwords. personal: e-mail
    addresses, IBANs and card numbers whose check digits hold, telephone numbers. Redacting twice is
    redacting once. No kinds: the text itself.
    """
    for pattern in _PATTERNS:
        if pattern.kind in kinds:
            text = pattern.sub(text)
    return text


def private(text: str, kinds: Collection[Kind]) -> tuple[Private, ...]:
    """Return the spans of everything of these kinds, as ``redact`` knows them; in order, none overlapping.

    Spans that overlap are one, under the label of the first of them.
    """
    return apart([one for pattern in _PATTERNS if pattern.kind in kinds for one in pattern.spans(text)])


def apart(spans: Iterable[Private]) -> tuple[Private, ...]:
    """Return the spans in order, those that overlap as one, under the label of the first of them."""
    joined: list[Private] = []
    for one in sorted(spans, key=lambda one: (one.start, -one.end)):
        if joined and one.start < joined[-1].end:
            last = joined.pop()
            joined.append(Private(last.start, max(last.end, one.end), last.label))
        else:
            joined.append(one)
    return tuple(joined)


def redact_all(value: Any, kinds: Collection[Kind], *, closed: Collection[str] = ()) -> Any:
    """Return a JSON value with every text in it redacted; keys are names and stay.

    ``closed``: keys, at any depth, whose values are taken out whole.
    """
    if not kinds and not closed:
        return value
    if isinstance(value, str):
        return redact(value, kinds)
    if isinstance(value, Mapping):
        return {
            key: CLOSED if key in closed else redact_all(each, kinds, closed=closed)
            for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [redact_all(each, kinds, closed=closed) for each in value]
    return value
