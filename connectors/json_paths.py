"""Where something stands in a JSON document: ``results``, ``_links.next``, ``body.storage.value``.

Steps are separated by dots. A step is a key, or a number: an element of a list, counted from 0. A key with
dots in it stands in double quotes: ``"@odata.nextLink"``. ``[]`` behind a step goes through a list, and
``*`` through the values of an object. ``.`` alone is the whole document. There is no other syntax.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from connectors.errors import SourceMisconfigured

_STEP = re.compile(r'(?:"(?P<quoted>[^"]+)"|(?P<plain>[^."\[\]{}\s]+))?(?P<each>\[\])?(?:\.(?=.)|$)')


class Each(Enum):
    """A step that goes through all that is there."""

    ELEMENT = "[]"
    VALUE = "*"


Step = str | Each


@dataclass(frozen=True, slots=True)
class Path:
    """A place in JSON documents; make one by ``Path.parse``."""

    text: str
    steps: tuple[Step, ...]

    @classmethod
    def parse(cls, text: str) -> "Path":
        """Return the path that a text writes. Raises ``SourceMisconfigured``."""
        steps: list[Step] = []
        at = len(text) if text == "." else 0
        while at < len(text) or not text:
            found = _STEP.match(text, at)
            if found is None or found.end() == at or not any(found.groups()):
                raise SourceMisconfigured(
                    f"not a path into JSON: {text!r}",
                    hint='write keys and numbers with dots between, a key with dots in "quotes"',
                )
            key = found["quoted"] or found["plain"]
            if key:
                steps.append(Each.VALUE if found["plain"] == "*" else key)
            if found["each"]:
                steps.append(Each.ELEMENT)
            at = found.end()
        return cls(text, tuple(steps))

    @property
    def many(self) -> bool:
        """Say whether there may be more than one value at this place."""
        return any(isinstance(step, Each) for step in self.steps)

    def one(self, document: object) -> object:
        """Return the value at this place, of many the first; None where there is none. null is none."""
        found = self.all(document)
        return found[0] if found else None

    def all(self, document: object) -> list[object]:
        """Return the values at this place, in order."""
        return [value for value in self.every(document) or () if value is not None]

    def every(self, document: object) -> list[object] | None:
        """Return the values at this place, None for each that is missing behind a ``[]`` or ``*``.

        None alone where the list (or object) is missing or is none, or the value, where it is but one.
        """
        at = document
        for place, step in enumerate(self.steps):
            if isinstance(step, Each):
                return None if _inner(at, step) is None else list(_found(at, self.steps[place:]))
            at = _stepped(at, step)
        return None if at is None else [at]


def text_of(value: object) -> str | None:
    """Return a string or number of JSON as text, None for everything else."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _stepped(at: object, step: str) -> object:
    if isinstance(at, dict):
        return at.get(step)
    if isinstance(at, list) and step.isascii() and step.isdecimal() and len(step) < 10:
        return at[int(step)] if int(step) < len(at) else None
    return None


def _inner(at: object, step: Each) -> list[object] | None:
    if step is Each.ELEMENT:
        return at if isinstance(at, list) else None
    return list(at.values()) if isinstance(at, dict) else None


def _found(at: object, steps: tuple[Step, ...]) -> Iterator[object]:
    for place, step in enumerate(steps):
        if isinstance(step, Each):
            inner = _inner(at, step)
            if inner is None:
                yield None
                return
            for one in inner:
                yield from _found(one, steps[place + 1 :])
            return
        at = _stepped(at, step)
    yield at
