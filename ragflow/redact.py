"""Take secrets and personal data out of a question before it is recorded."""

import re
from collections.abc import Callable, Collection
from typing import Literal

Kind = Literal["secret", "personal"]

# Each pattern with a group ``keep`` leaves that part in place, so that the record stays readable.
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
_SECRET = [re.compile(pattern, re.IGNORECASE if "keep" in pattern else 0) for pattern in _SECRETS]

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[0-9A-Z]{4}){2,7}(?: ?[0-9A-Z]{1,3})?\b")
_CARD = re.compile(r"(?<![\d.,])\d(?:[ -]?\d){12,18}(?![\d.,]*\d)")
_PHONE = re.compile(
    r"(?<![\w.])(?:\+\d{1,3}[ ./-]?)?(?:\(\d{1,5}\)[ ./-]?)?\d{2,8}(?:[ ./-]\d{2,8}){0,4}(?![\w.]*\d)"
)


def redact(text: str, kinds: Collection[Kind]) -> str:
    """Return the text with everything of these kinds replaced by ``[secret]``, ``[email]`` and so on.

    secret: private keys, cloud and service keys, bearer tokens, passwords. personal: e-mail
    addresses, IBANs and card numbers whose check digits hold, telephone numbers. Redacting twice is
    redacting once. No kinds: the text itself.
    """
    if "secret" in kinds:
        for pattern in _SECRET:
            text = pattern.sub(_secret, text)
    if "personal" in kinds:
        text = _EMAIL.sub("[email]", text)
        text = _where(_IBAN, _is_iban, "[iban]", text)
        text = _where(_CARD, _is_card, "[card]", text)
        text = _where(_PHONE, _is_phone, "[phone]", text)
    return text


def _secret(found: re.Match[str]) -> str:
    return (found.groupdict().get("keep") or "") + "[secret]"


def _where(pattern: re.Pattern[str], holds: Callable[[str], bool], label: str, text: str) -> str:
    return pattern.sub(lambda found: label if holds(found[0]) else found[0], text)


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
