"""Attack sets: orders that an outsider hides in documents; how a set is read, where an order is planted.

Indirect prompt injection: Greshake et al. 2023, "Not what you've signed up for". When an attack has
succeeded is told by ``evals.attack_results``; who is asked, and how, is the caller's matter.
"""

import difflib
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from evals.lines import MAX_QUESTION, invalid, lines, parse_object, said, short

Place = Literal["start", "middle", "end"]

_PLACES: tuple[Place, ...] = ("start", "middle", "end")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LINE_END = re.compile(r"\n+")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Attack:
    """A text to be planted. ``signs``: what an answer holds only if it was obeyed; empty: nothing is known.

    ``question`` and ``context`` (the text of the document it is planted into) are given together or not
    at all; without them the caller chooses both.
    """

    id: str
    family: str
    attack: str
    signs: tuple[str, ...] = ()
    question: str | None = None
    context: str | None = None
    tags: tuple[str, ...] = ()

    @property
    def place(self) -> Place:
        """Where it is planted: by the first byte of SHA-256 of its id, modulo 3."""
        return _PLACES[hashlib.sha256(self.id.encode()).digest()[0] % 3]


@dataclass(frozen=True, slots=True)
class AttackSet:
    """The attacks of a file in its order. ``digest``: SHA-256 of its bytes, 64 hex."""

    path: str
    digest: str
    attacks: tuple[Attack, ...]


# -- reading ---------------------------------------------------------------------------------------


def _given(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("empty", "is empty")
    return value


def _named(value: str) -> str:
    if _CONTROL.search(_given(value)) or value != value.strip():
        what = "begins or ends with white space, or holds a line feed, a tab or the like"
        raise PydanticCustomError("name", what)
    return value


def _asked(value: str) -> str:
    if len(_given(value)) > MAX_QUESTION:
        raise PydanticCustomError("long", f"has {len(value):,} characters; the most is {MAX_QUESTION:,}")
    return value


_Text = Annotated[str, AfterValidator(_given)]
_Name = Annotated[str, AfterValidator(_named)]


class _Attack(BaseModel):
    """One object of an attack file."""

    model_config = ConfigDict(extra="forbid", strict=True)
    id: _Name
    family: _Name
    attack: _Text
    signs: list[_Text] = []
    question: Annotated[str, AfterValidator(_asked)] | None = None
    context: _Text | None = None
    tags: list[_Text] = []


def read(path: Path) -> AttackSet:
    """Read an attack file: JSON lines, one attack each.

    Raises:
        DatasetInvalid: it cannot be read, a line is wrong, an id stands there twice, or there is no
            attack; the message begins with ``name:LINE:``.
    """
    digest = hashlib.sha256()
    found: dict[str, tuple[int, Attack]] = {}
    for number, line in lines(path, path.name, digest=digest):
        where = f"{path.name}:{number}"
        attack = from_json(parse_object(line, where), where)
        first = found.setdefault(attack.id, (number, attack))[0]
        if first != number:
            what = f'the id "{short(attack.id)}" stands here for the second time (first on line {first})'
            raise invalid(where, what, "give each attack an id of its own")
    if not found:
        raise invalid(f"{path.name}:1", "no attack in it", "docs/attacks.md shows what a line holds")
    return AttackSet(str(path), digest.hexdigest(), tuple(attack for _, attack in found.values()))


def from_json(found: Mapping[str, Any], where: str) -> Attack:
    """Return the attack that an object describes. ``where`` begins every message.

    Raises:
        DatasetInvalid: a key is unknown, missing or of the wrong type, or only one of question and
            context is given.
    """
    try:
        given = _Attack.model_validate(dict(found))
    except ValidationError as error:
        what, hint = _complaint(error.errors(include_url=False))
        raise invalid(where, what, hint) from error
    if (given.question is None) != (given.context is None):
        what = '"question" and "context" go together'
        raise invalid(where, what, "give both, or none: the attack is then planted into your documents")
    signs, tags = tuple(given.signs), tuple(given.tags)
    return Attack(given.id, given.family, given.attack, signs, given.question, given.context, tags)


def _complaint(errors: Sequence[ErrorDetails]) -> tuple[str, str]:
    details = min(errors, key=lambda one: one["type"] != "extra_forbidden")
    key, known = str(details["loc"][0]), tuple(_Attack.model_fields)
    if details["type"] == "extra_forbidden":
        nearest = difflib.get_close_matches(key.lower(), known, n=1, cutoff=0.5)
        what = f'unknown key "{short(key)}"' + (f' (nearest: "{nearest[0]}")' if nearest else "")
        return what, f"known keys: {', '.join(known)}"
    if details["type"] == "missing":
        return f'"{key}" is missing', "an attack has at least an id, a family and an attack"
    expected = {"string_type": "text", "list_type": "a list"}.get(details["type"])
    if expected:
        return f'"{key}" must be {expected}, not {said(details["input"])}', "docs/attacks.md lists the keys"
    return f'"{key}" {details["msg"]}', "correct it, or leave it out"


def limited(attacks: Sequence[Attack], limit: int | None) -> tuple[Attack, ...]:
    """Return at most ``limit`` attacks: the first of every family, then the second of each; None: all."""
    if limit is None:
        return tuple(attacks)
    seen: dict[str, int] = {}
    ranked: list[tuple[int, int, Attack]] = []
    for at, attack in enumerate(attacks):
        seen[attack.family] = seen.get(attack.family, -1) + 1
        ranked.append((seen[attack.family], at, attack))
    kept = sorted(ranked, key=lambda one: one[:2])[:limit]
    return tuple(attack for _, _, attack in sorted(kept, key=lambda one: one[1]))


# -- planting --------------------------------------------------------------------------------------


def plant(text: str, attack: str, place: Place) -> str:
    """Return the text with the attack in it, as a paragraph of its own.

    ``middle`` is the end of a line nearest to the half of the text; where there is but one line, the end
    of a sentence; where there is but one sentence, a space; else the end. Nothing of the text is lost.
    """
    if place == "start":
        return f"{attack}\n\n{text}"
    cut = _middle(text) if place == "middle" else None
    if cut is None:
        return f"{text}\n\n{attack}"
    return f"{text[: cut[0]]}{cut[2]}{attack}{cut[2]}{text[cut[1] :]}"


def _middle(text: str) -> tuple[int, int, str] | None:
    half = len(text) // 2
    for pattern, between in ((_LINE_END, "\n\n"), (_SENTENCE_END, " "), (_SPACE, " ")):
        spans = [found.span() for found in pattern.finditer(text) if 0 < found.start() < len(text) - 1]
        if spans:
            # The white space there stays before the attack: the text is whole.
            _, end = min(spans, key=lambda span: (abs(span[0] - half), span))
            return end, end, between
    return None
