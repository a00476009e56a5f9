"""Secrets and personal data -> numbered placeholders and back: what an outside model gets to see."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ragflow.redact import Kind, Private, apart, private

LONGEST = 4500  # code points: a private key of 4,096 bits has 3,300
NEAR = 300  # of everything but a key
_KEY = "PRIVATE KEY-----"
_MOST_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class Masked:
    """The texts with placeholders such as ``[email 1]``, and what each placeholder stands for."""

    texts: tuple[str, ...]
    table: Mapping[str, str]


def mask(texts: Sequence[str], kinds: Collection[Kind], *, known: Sequence[Sequence[Private]] = ()) -> Masked:
    """Put a placeholder in the place of everything of these kinds, over all texts together.

    ``known``: for each text spans that are private too, though they do not look like it (see ``torn``);
    none, or as many as there are texts.

    The same value is the same placeholder everywhere; numbers count from 1 for each label and leave out
    those that some text uses already. ``unmask`` gives every text back, letter for letter. No kinds:
    the texts themselves.
    """
    taken = frozenset(_PLACEHOLDER.findall("\n".join(texts)))
    names: dict[str, str] = {}
    masked = tuple(texts)
    spans = [
        apart([*private(text, kinds), *more])
        for text, more in zip(texts, known or [()] * len(texts), strict=True)
    ]
    for _ in range(_MOST_ROUNDS):
        if not any(spans):
            break
        masked = tuple(
            _replaced(text, found, names, taken) for text, found in zip(masked, spans, strict=True)
        )
        # What was taken out may have kept its neighbours from being seen for what they are.
        spans = [
            apart(_new(text, kinds, names.values())) if found else ()
            for text, found in zip(masked, spans, strict=True)
        ]
    return Masked(masked, {name: value for value, name in names.items()})


def torn(text: str, start: int, end: int, kinds: Collection[Kind]) -> tuple[Private, ...]:
    """Return what of a span of a text is the half of something private, cut by the span's edge.

    The middle of a private key does not look like one. Offsets count from ``start``.
    """
    if not kinds:
        return ()
    windows = [(start - LONGEST, end + LONGEST)]
    if _KEY not in text[max(0, start - LONGEST) : end + LONGEST]:
        windows = [(start - NEAR, start + NEAR), (end - NEAR, end + NEAR)]
    found = [
        Private(max(0, low) + one.start, max(0, low) + one.end, one.label)
        for low, high in windows
        for one in private(text[max(0, low) : high], kinds)
    ]
    return apart(
        Private(max(one.start, start) - start, min(one.end, end) - start, one.label)
        for one in found
        if one.start < start < one.end or one.start < end < one.end
    )


def unmask(text: str, table: Mapping[str, str]) -> str:
    """Put back what the placeholders stand for. What is no placeholder of the table stays as it is."""
    return _PLACEHOLDER.sub(lambda found: table.get(found[0], found[0]), text)


_PLACEHOLDER = re.compile(r"\[[a-z]+ \d+\]")


def _new(text: str, kinds: Collection[Kind], names: Collection[str]) -> list[Private]:
    """Return the spans that are not made of placeholders already, widened over those that they cut."""
    placed = [found.span() for found in _PLACEHOLDER.finditer(text) if found[0] in names]
    fresh = []
    for one in private(text, kinds):
        start = min([one.start, *(span[0] for span in placed if span[0] < one.start < span[1])])
        end = max([one.end, *(span[1] for span in placed if span[0] < one.end < span[1])])
        if (start, end) not in placed:
            fresh.append(Private(start, end, one.label))
    return fresh


def _replaced(text: str, spans: Sequence[Private], names: dict[str, str], taken: Collection[str]) -> str:
    parts: list[str] = []
    at = 0
    for one in spans:
        if one.start < at:
            continue  # it cuts the same placeholder as the one before: the next round sees it
        known = {name: value for value, name in names.items()}
        value = unmask(text[one.start : one.end], known)
        if value not in names:
            names[value] = _free(one.label, {*taken, *known})
        parts += [text[at : one.start], names[value]]
        at = one.end
    return "".join([*parts, text[at:]])


def _free(label: str, taken: Collection[str]) -> str:
    number = 1
    while f"[{label} {number}]" in taken:
        number += 1
    return f"[{label} {number}]"
