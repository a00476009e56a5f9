"""URLs with places that an item's own fields fill: ``https://HOST/pages/{id}``, ``https://HOST{+_links.webui}``.

As in RFC 6570, levels 1 and 2: ``{path}`` is quoted whole, so that no field can leave its place in the URL;
``{+path}`` keeps ``/``, ``?`` and the like, for fields that hold a path or a whole URL. A path is one of
``connectors.json_paths``.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from connectors.errors import SourceMisconfigured
from connectors.json_paths import Path, text_of

_FIELD = re.compile(r"\{(\+?)([^{}]+)\}")
_RESERVED = ":/?#[]@!$&'()*+,;=%"


@dataclass(frozen=True, slots=True)
class Template:
    """A URL to fill. ``parts``: what stands as it is, and (path, whether reserved characters stay)."""

    text: str
    parts: tuple[str | tuple[Path, bool], ...]

    @classmethod
    def parse(cls, text: str) -> "Template":
        """Return the template that a text writes. Raises ``SourceMisconfigured``."""
        parts: list[str | tuple[Path, bool]] = []
        at = 0
        for found in _FIELD.finditer(text):
            parts += [text[at : found.start()], (Path.parse(found[2]), found[1] == "+")]
            at = found.end()
        parts.append(text[at:])
        if any(isinstance(part, str) and set("{}") & set(part) for part in parts):
            raise SourceMisconfigured(
                f"a brace without its other half: {text!r}", hint="write {id} or {+url}"
            )
        return cls(text, tuple(part for part in parts if part))

    @property
    def names(self) -> frozenset[str]:
        """Return the paths that fill it."""
        return frozenset(part[0].text for part in self.parts if not isinstance(part, str))

    def filled(self, document: object) -> str | None:
        """Return the URL for an item's JSON; None where a field is missing or cannot stand in a URL."""
        return self._filled(lambda path: text_of(path.one(document)))

    def filled_by(self, value: str) -> str | None:
        """Return the URL with one value at each of its places."""
        return self._filled(lambda _: value)

    def _filled(self, read: Callable[[Path], str | None]) -> str | None:
        done: list[str] = []
        for part in self.parts:
            if isinstance(part, str):
                done.append(part)
                continue
            value = read(part[0])
            # Dots alone would climb out of their place, and no quoting of dots holds everywhere.
            if not value or (not part[1] and value in (".", "..")):
                return None
            try:
                done.append(quote(value, safe=_RESERVED if part[1] else ""))
            except UnicodeEncodeError:
                return None
        return "".join(done)
